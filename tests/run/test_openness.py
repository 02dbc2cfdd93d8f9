"""When a call is over, read from the wire alone."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from ladders import at, record

from sip_harness.record.seen import Reader
from sip_harness.run.openness import Openness


def left(ladder: str, *retries: str) -> list[str]:
    openness, reader = Openness(dict.fromkeys(retries, frozenset())), Reader()
    for message in record(ladder).messages:
        openness.feed(reader.read(message))
    assert openness.closed() == (not openness.left())
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


def read(ladder: str, *, lost: tuple[int, ...] = ()) -> Openness:
    """What is open after a ladder, with a system that gives up after a second; `lost` are numbers of its lines."""
    openness, reader = Openness(patience=1.0), Reader()
    for number, message in enumerate(record(ladder).messages):
        seen = reader.read(message)
        (openness.lost if number in lost else openness.feed)(seen)
    return openness


SILENT = """
    0.0 alice > INVITE
    0.1 desk < INVITE
"""


class TestOwnSilence:
    """What an agent of ours leaves open counts until the system has given up."""

    def test_an_invite_without_any_answer(self) -> None:
        openness = read(SILENT + "1.05 alice < 408 from s")
        assert openness.left(at(1.09)) == ["desk's INVITE has no final response"]
        assert openness.next(at(1.0)) == at(1.1)
        assert openness.left(at(1.1)) == []
        assert openness.next(at(1.1)) is None

    def test_the_callers_own_invite_is_the_systems_to_end(self) -> None:
        openness = read(SILENT)
        assert openness.left(at(9)) == openness.left(math.inf) == ["alice's INVITE has no final response"]

    def test_a_retransmission_does_not_make_it_longer(self) -> None:
        openness = read(SILENT + "0.6 desk < INVITE\n1.05 alice < 408 from s")
        assert openness.closed(at(1.1))

    @pytest.mark.parametrize("code", ["100", "180"])
    def test_a_device_that_has_answered_provisionally_must_be_ended_by_the_system(self, code: str) -> None:
        openness = read(SILENT + f"0.2 desk > {code}\n1.05 alice < 408 from s")
        assert openness.left(at(99)) == openness.left(math.inf) == ["desk's INVITE has no final response"]
        assert openness.next(0) is None

    def test_a_cancel_that_is_ignored(self) -> None:
        openness = read(SILENT + "0.2 desk > 180\n0.5 desk < CANCEL branch=z9hG4bK1\n0.6 alice < 487 from s")
        assert len(openness.left(at(1.4))) == 2
        assert openness.left(at(1.5)) == []

    def test_a_cancel_that_ends_nothing(self) -> None:
        cancelled = "0.5 desk < CANCEL branch=z9hG4bK1\n0.5 desk > 200 to CANCEL branch=z9hG4bK1\n"
        openness = read(SILENT + "0.2 desk > 180\n" + cancelled + "0.6 alice < 487 from s")
        assert openness.left(at(1.4)) == ["desk's INVITE has no final response"]
        assert openness.closed(at(1.5))

    def test_a_bye_that_nobody_answers(self) -> None:
        """Nor does the proxy answer it for the device: RFC 4320 4.1."""
        openness = read(ANSWERED + "0.6 alice > BYE from desk\n0.7 desk < BYE")
        assert len(openness.left(at(1.69))) == 4
        assert openness.left(at(1.7)) == []

    def test_a_bye_that_the_system_loses_stays_open(self) -> None:
        openness = read(ANSWERED + "0.6 alice > BYE from desk")
        assert openness.left(math.inf) == [
            "desk's dialog has seen no BYE", "alice's dialog has seen no BYE", "alice's BYE has no final response"
        ]  # fmt: skip

    def test_a_request_of_another_method_is_no_excuse(self) -> None:
        openness = read(ANSWERED + "0.6 alice > INFO\n0.7 desk < INFO\n0.8 alice > BYE from desk")
        assert "alice's INFO has no final response" not in openness.left(at(9))
        assert "alice's BYE has no final response" in openness.left(at(9))

    def test_an_answer_that_ends_it(self) -> None:
        openness = read(SILENT + "3.0 desk > 486\n3.1 desk < ACK to 486\n3.2 alice < 486 from s")
        assert openness.closed()


class TestDeafness:
    def test_an_ack_that_is_not_heard(self) -> None:
        openness = read(FAILED, lost=(3,))
        assert openness.left(at(1.2)) == ["desk's 486 has no ACK"]
        assert openness.left(at(1.3)) == []

    def test_one_that_comes_again_is(self) -> None:
        assert read(FAILED + "0.8 desk < ACK to 486", lost=(3,)).closed()

    def test_an_ack_that_never_came_is_the_systems_fault(self) -> None:
        openness = read(FAILED.replace("0.3 desk < ACK to 486", ""))
        assert openness.left(math.inf) == ["desk's 486 has no ACK"]

    def test_a_cancel(self) -> None:
        openness = read(SILENT + "0.2 desk > 180\n0.5 desk < CANCEL branch=z9hG4bK1\n0.6 alice < 487 from s", lost=(3,))
        assert len(openness.left(at(1.4))) == 2
        assert openness.closed(at(1.5))

    def test_a_bye(self) -> None:
        openness = read(ANSWERED + "0.6 alice > BYE from desk\n0.7 desk < BYE", lost=(7,))
        assert len(openness.left(at(1.69))) == 4
        assert openness.closed(at(1.7))

    def test_an_invite(self) -> None:
        openness = read(SILENT + "1.05 alice < 408 from s", lost=(1,))
        assert openness.left(at(1.0)) == ["desk's INVITE has no final response"]
        assert openness.closed(at(1.1))

    def test_a_final_response_at_the_caller(self) -> None:
        openness = read(FAILED, lost=(4,))
        assert openness.left(at(1.39)) == ["alice's INVITE has no final response"]
        assert openness.closed(at(1.4))


class TestCut:
    def test_everything_of_an_agent_that_has_cut_its_wire(self) -> None:
        openness = read(ANSWERED)
        openness.cut("desk", at(0.9))
        assert len(openness.left(at(1.8))) == 2
        assert openness.left(at(1.9)) == ["alice's dialog has seen no BYE"]

    def test_what_it_begins_afterwards(self) -> None:
        openness = read(ANSWERED)
        openness.cut("alice", at(0.0))
        openness.cut("desk", at(0.0))
        assert openness.left(at(1.2)) == ["alice's dialog has seen no BYE"]
        assert openness.next(at(1.2)) == at(1.3)


def test_a_response_with_a_foreign_branch_answers_nothing() -> None:
    openness = read(SILENT + "0.2 desk > 486 branch=z9hG4bKother\n1.05 alice < 408 from s")
    assert openness.left(at(1.0)) == ["desk's INVITE has no final response"]
    assert openness.closed(at(1.1))


def test_a_retransmitted_request_does_not_begin_again() -> None:
    assert read(FAILED + "0.5 desk < INVITE").closed()


class TestAnswersBeyondTheRules:
    def test_one_that_comes_when_the_system_has_given_up(self) -> None:
        openness = read(SILENT + "1.05 alice < 408 from s\n1.5 desk > 486")
        assert openness.left(at(2.4)) == ["desk's 486 has no ACK"]
        assert openness.left(at(2.5)) == []

    def test_a_2xx_after_a_failure(self) -> None:
        openness = read(FAILED + "1.0 desk > 200")
        assert openness.left(at(1.9)) == ["desk's dialog has seen no BYE"]
        assert openness.left(at(2.0)) == []

    def test_a_2xx_in_time_must_be_acknowledged_and_ended(self) -> None:
        openness = read(SILENT + "0.5 desk > 200")
        left = openness.left(math.inf)
        assert {"desk's dialog has seen no BYE", "desk's 200 has no ACK"} <= set(left)


def test_an_odd_request_may_be_dropped_but_not_once_it_was_taken_up() -> None:
    for ladder, over in (("0.0 alice > INVITE", True), ("0.0 alice > INVITE\n0.1 alice < 100 from s", False)):
        openness, reader = Openness(patience=2.0), Reader()
        openness.odd.add("alice")
        messages = [reader.read(message) for message in record(ladder).messages]
        for seen in messages:
            openness.feed(seen)
        begin = messages[0].time
        assert not openness.closed(begin + 1_900_000_000)
        assert openness.closed(begin + 2_100_000_000) is over
        assert bool(openness.left(math.inf)) is not over


def test_bytes_that_are_no_sip_wait_for_what_may_come_back() -> None:
    openness, reader = Openness(patience=2.0), Reader()
    openness.puzzle("alice", 0)
    assert not openness.closed(1_900_000_000)
    assert openness.closed(2_100_000_000)
    [answer] = [
        m for m in record("0.0 alice > OPTIONS\n0.1 alice < 400 to OPTIONS from s").messages if m.direction != "sent"
    ]
    openness.feed(reader.read(answer))
    assert openness.closed(0)


@pytest.mark.parametrize(("sent", "over"), [("0.7", False), ("0.85", True), ("0.95", True)])
def test_what_comes_while_the_system_may_have_given_up_may_or_may_not_be_acknowledged(sent: str, over: bool) -> None:
    openness, reader = Openness(patience=1.0, leeway=0.2), Reader()
    ladder = f"0.0 alice > INVITE\n0.0 desk < INVITE\n0.8 alice < 408 from s\n{sent} desk > 486"
    for message in sorted(record(ladder).messages, key=lambda m: m.time):
        openness.feed(reader.read(message))
    assert openness.closed(at(float(sent) + 1.01)) is over


def test_a_response_with_the_wrong_method_to_a_probe_of_the_system_holds_nothing_open() -> None:
    """The next probe comes before the system has given this one up: a run would never end."""
    openness, reader = Openness(patience=1.0), Reader()
    probe, answer = record("0.0 desk < OPTIONS\n0.1 desk > 200 to OPTIONS").messages
    openness.feed(reader.read(probe))
    openness.feed(reader.read(replace(answer, data=answer.data.replace(b" OPTIONS\r\n", b" INVITE\r\n"))))
    assert openness.closed(at(0.1))
    assert openness.left() == ["desk's OPTIONS has no final response", "desk's dialog has seen no BYE"]


def test_whose_request_is_bytes_answers_no_challenge() -> None:
    ladder = "0.0 alice > INVITE\n0.1 alice < 407 from s"
    for blunt in (False, True):
        openness, reader = Openness({"alice": frozenset()}), Reader()
        openness.blunt |= {"alice"} if blunt else set()
        for message in record(ladder).messages:
            openness.feed(reader.read(message))
        assert openness.left() == ([] if blunt else ["alice has not answered the 407"])
