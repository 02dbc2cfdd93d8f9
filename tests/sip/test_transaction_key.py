"""Which transaction a message belongs to."""

from __future__ import annotations

import pytest

from sip_harness.sip.message import Message, parse
from sip_harness.sip.transaction_key import client_key, response_key, server_key


def request(
    method: str, via: str = "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKone", *, uri: str = "sip:b@b.test", seq: int = 1
) -> Message:
    return parse(
        f"{method} {uri} SIP/2.0\r\nVia: {via}\r\nFrom: <sip:a@a>;tag=a\r\nTo: <sip:b@b>\r\nCall-ID: c\r\n"
        f"CSeq: {seq} {method}\r\n\r\n".encode()
    )


def test_a_response_finds_its_request() -> None:
    response = parse(b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKone\r\nCSeq: 1 CANCEL\r\n\r\n")
    assert response_key(response) == client_key("z9hG4bKone", "CANCEL")
    assert response_key(response) != client_key("z9hG4bKone", "INVITE")


def test_an_ack_has_the_key_of_its_invite() -> None:
    assert server_key(request("ACK")) == server_key(request("INVITE"))


def test_a_cancel_is_a_transaction_of_its_own_that_names_an_invite() -> None:
    cancel = request("CANCEL")
    assert server_key(cancel) != server_key(request("INVITE"))
    assert server_key(cancel, "INVITE") == server_key(request("INVITE"))


def test_same_branch_from_another_host_is_another_transaction() -> None:
    other = request("INVITE", "SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bKone")
    assert server_key(other) != server_key(request("INVITE"))


def test_sent_by_is_compared_without_case_and_with_its_default_port() -> None:
    one = request("INVITE", "SIP/2.0/UDP Host.Test;branch=z9hG4bKone")
    assert server_key(one) == server_key(request("INVITE", "SIP/2.0/UDP host.test:5060;branch=z9hG4bKone;rport"))


@pytest.mark.parametrize("branch", ["", ";branch=1", ";branch=z9hG4bK"])
def test_without_the_cookie_the_unchanging_fields_stand_in(branch: str) -> None:
    via = f"SIP/2.0/UDP 192.0.2.1:5070{branch}"
    invite = request("INVITE", via)
    assert server_key(request("ACK", via)) == server_key(invite)
    assert server_key(request("CANCEL", via), "INVITE") == server_key(invite)
    assert server_key(request("INVITE", via, seq=2)) != server_key(invite)
    assert server_key(request("INVITE", via, uri="sip:other@b.test")) != server_key(invite)


def test_a_request_without_via_has_a_key_all_the_same() -> None:
    bare = parse(b"INVITE sip:b@b SIP/2.0\r\nCall-ID: c\r\n\r\n")
    assert server_key(bare) == server_key(bare)
