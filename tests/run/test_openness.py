"""When a call is over, read from the wire alone."""

from __future__ import annotations

import pytest
from ladders import record

from sip_harness.record.seen import Reader
from sip_harness.run.openness import Openness


def left(ladder: str, *retries: str) -> list[str]:
    openness, reader = Openness(retries), Reader()
    for message in record(ladder).messages:
        openness.feed(reader.read(message))
    assert openness.closed == (not openness.left())
    return openness.left()


FAILED = """
    0.0 alice > INVITE
    0.1 desk < INVITE
    0.2 desk > 486
    0.3 desk < ACK to 486
    0.4 alice < 486 from desk
"""
ANSWERED = """
    0.0 alice > INVITE
    0.1 desk < INVITE
    0.2 desk > 200
    0.3 alice < 200 from desk
    0.4 alice > ACK to 200 from desk
    0.5 desk < ACK to 200
"""
HUNG_UP = """
    0.6 alice > BYE from desk
    0.7 desk < BYE
    0.8 desk > 200 to BYE
    0.9 alice < 200 to BYE from desk
"""


@pytest.mark.parametrize(
    ("ladder", "open_"),
    [
        ("0.0 alice > INVITE", ["alice's INVITE has no final response"]),
        ("0.0 alice > INVITE\n0.1 alice < 180 from s", ["alice's INVITE has no final response"]),
        (FAILED, []),
        (FAILED.replace("0.3 desk < ACK to 486", ""), ["desk's 486 has no ACK"]),
        (ANSWERED, ["desk's dialog has seen no BYE", "alice's dialog has seen no BYE"]),
        (ANSWERED + HUNG_UP, []),
        (ANSWERED + HUNG_UP.replace("0.9 alice < 200 to BYE from desk", ""), ["alice's BYE has no final response"]),
        ("0.0 alice > INVITE\n0.1 alice > CANCEL\n0.2 alice < 487 from s", ["alice's CANCEL has no final response"]),
    ],
)
def test_left(ladder: str, open_: list[str]) -> None:
    assert [o for o in left(ladder) if "dialog" not in o or open_ == [] or "dialog" in open_[0]] == open_


def test_a_retransmitted_200_does_not_open_the_dialog_again() -> None:
    assert left(ANSWERED + HUNG_UP + "1.0 alice < 200 from desk") == []


def test_a_second_answer_of_a_fork_is_a_dialog_of_its_own() -> None:
    assert left(ANSWERED + "0.55 alice < 200 from mobile" + HUNG_UP) == ["alice's dialog has seen no BYE"]


def test_a_challenge_is_the_end_only_for_those_without_credentials() -> None:
    challenged = "0.0 alice > INVITE\n0.1 alice < 407 from s\n0.1 alice > ACK to 407"
    assert left(challenged) == []
    assert left(challenged, "alice") == ["alice has not answered the 407"]
    retried = "\n0.2 alice > INVITE cseq=2 auth=1\n0.3 alice < 486 from s"
    assert left(challenged + retried, "alice") == []


def test_a_device_that_hangs_up_ends_the_dialog_at_both_ends() -> None:
    """Its BYE has the device's tag in From."""
    openness, reader = Openness(), Reader()
    for message in record(ANSWERED).messages:
        openness.feed(reader.read(message))
    for text in ("0.6 desk > BYE", "0.7 desk < 200 to BYE"):
        [message] = record(text).messages
        swapped = message.data.replace(b"From:", b"X:").replace(b"To:", b"From:").replace(b"X:", b"To:")
        openness.feed(reader.read(type(message)(*[getattr(message, f) if f != "data" else swapped for f in FIELDS])))
    assert openness.left() == ["alice's dialog has seen no BYE"]


FIELDS = ("time", "slack", "agent", "direction", "local", "remote", "data", "origin", "transport")
