"""Who is an outsider: another address, and no name of the session anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_harness.record.outsiders import Outsiders

SYSTEM = ("127.0.0.1", 5060)
ELSEWHERE = ("127.0.0.1", 5061)
OUTSIDERS = Outsiders([SYSTEM], "qa7z")


@pytest.mark.parametrize(
    "data",
    [
        b"INVITE sip:desk-qa7zx3@h",
        b"Call-ID: qa7zx3-1@h",
        b"To: <sip:QA7ZX12@h>",
        b"x: -qa7zx1",
        b"qa7zx9",
        b"\xffqa7zx1",
    ],
)
def test_a_name_of_the_session_anywhere_makes_it_ours(data: bytes) -> None:
    assert not OUTSIDERS.wrote(data, ELSEWHERE, "udp")


@pytest.mark.parametrize(
    "data", [b"", b"INVITE sip:desk@h", b"qa7z", b"qa7zx", b"aqa7zx3", b"9qa7zx3", b"qa7y x3", b"qb7zx3"]
)
def test_what_only_looks_like_one_does_not(data: bytes) -> None:
    assert OUTSIDERS.wrote(data, ELSEWHERE, "udp")


@given(st.binary())
def test_the_system_is_never_an_outsider(data: bytes) -> None:
    assert not OUTSIDERS.wrote(data, SYSTEM, "udp")


@pytest.mark.parametrize(("transport", "outside"), [("udp", True), ("UDP", True), ("tcp", False), ("TLS", False)])
def test_on_a_stream_only_the_host_tells(transport: str, outside: bool) -> None:
    assert OUTSIDERS.wrote(b"", ELSEWHERE, transport) is outside
    assert OUTSIDERS.wrote(b"", ("192.0.2.1", 5060), transport)


def test_a_system_may_have_several_addresses() -> None:
    both = Outsiders([SYSTEM, ELSEWHERE], "qa7z")
    assert not both.wrote(b"", ELSEWHERE, "udp")
    assert both.wrote(b"", ("127.0.0.1", 5062), "udp")
