"""Messages that an agent can do nothing with: they meet no expectation and are never passed over in silence."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from ladders import TOKEN, at, record, scenario

from sip_harness.language import load_text
from sip_harness.model.entry import Malformed, Message, Note, Record
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome, Verdict
from sip_harness.verdict import judge

REFUSED = """
    0.000 alice > INVITE
    0.001 alice < 100
    0.002 desk < INVITE
    0.003 desk > 180
    0.004 alice < 180 from desk
    0.200 desk > 486
    0.201 desk < ACK to 486
    0.202 alice < 486 from desk
    0.203 alice > ACK to 486
"""
ANSWERED = """
    0.000 alice > INVITE
    0.002 desk < INVITE
    0.003 desk > 200
    0.004 alice < 200 from desk
    0.005 alice > ACK
    0.006 desk < ACK
    0.100 alice > BYE
    0.101 desk < BYE
    0.102 desk > 200 to BYE
    0.103 alice < 200 to BYE from desk
"""
CANCELLED = """
    0.000 alice > INVITE
    0.002 desk < INVITE
    0.003 desk > 180
    0.004 alice < 180 from desk
    0.100 alice > CANCEL
    0.101 alice < 200 to CANCEL
    0.102 desk < CANCEL
    0.103 desk > 200 to CANCEL
    0.104 desk > 487
    0.105 desk < ACK to 487
    0.106 alice < 487 from desk
    0.107 alice > ACK to 487
"""
REFUSES = scenario("desk: {answer: [ringing, 486]}", "alice: [180, 486]\ndesk: [INVITE, ACK to 486]")
ANSWERS = scenario("desk: {answer: [ok]}", "alice: [200]\ndesk: [INVITE, ACK to 200, BYE]")
CANCELS = scenario(
    "desk: {answer: [ringing]}",
    "alice: [487]\ndesk: [INVITE, CANCEL, ACK to 487]",
    calls="[{from: alice, to: bob, cancel: 100ms}]",
)
SOUND = [(REFUSES, REFUSED), (ANSWERS, ANSWERED), (CANCELS, CANCELLED)]


def odd(ladder: str, agent: str, seen: str, old: str, new: str) -> Record:
    """The record of a ladder with one field of the messages that an agent got and that begin so changed."""
    taken = record(ladder)

    def change(entry: object) -> object:
        if not isinstance(entry, Message) or entry.agent != agent or entry.direction != "received":
            return entry
        if not entry.data.startswith(seen.encode()):
            return entry
        data, count = re.subn(old.encode(), new.encode(), entry.data, count=1, flags=re.MULTILINE)
        assert count == 1
        return replace(entry, data=data)

    return replace(taken, entries=tuple(map(change, taken.entries)))  # type: ignore[arg-type]


def seen(result: Verdict) -> str:
    assert result.outcome is Outcome.FAIL
    return "\n".join(finding.seen for finding in result.findings)


@pytest.mark.parametrize(("wanted", "ladder"), SOUND)
def test_what_belongs_is_no_stranger(wanted: Scenario, ladder: str) -> None:
    assert judge(wanted, record(ladder)).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("branch=z9", "branch=z9x"),
        ("^(CSeq: *)1", r"\g<1>7"),
        ("^(CSeq: .*)INVITE", r"\1OPTIONS"),
        ("^(Call-ID: *)", r"\1x"),
        ("^(From: .*tag=)", r"\1x"),
    ],
)
def test_a_response_answers_a_request_of_the_agent(old: str, new: str) -> None:
    said = seen(judge(REFUSES, odd(REFUSED, "alice", "SIP/2.0 180", old, new)))
    assert "which answers no request of alice" in said
    assert "instead" in said


def test_a_response_comes_after_its_request() -> None:
    early = REFUSED.replace("0.000 alice > INVITE", "0.100 alice > INVITE").replace("0.001 alice < 100", "")
    said = seen(judge(REFUSES, record(early)))
    assert "which came before the request of alice that it answers" in said


def test_it_is_noticed_also_where_provisionals_need_not_be_named() -> None:
    wanted = scenario("desk: {answer: [ringing, 486]}", "alice: [486]\ndesk: [INVITE, ACK to 486]")
    said = seen(judge(wanted, odd(REFUSED, "alice", "SIP/2.0 180", "branch=z9", "branch=z9x")))
    assert said.startswith("alice also got 180")


def test_by_the_rules_of_forking_too() -> None:
    text = "title: t\nid: T-1\ntargets: {bob: {ring: [desk]}}\ndevices: {desk: {answer: [ringing, 486]}}\n"
    rules = load_text(f"{text}calls: [{{from: alice, to: bob}}]\nexpect: rfc3261\n", "t.sip.yaml")
    call = Note(at(0.0), "alice", "call", "", {"call": rules.calls[0].name, "call_id": f"{TOKEN}-1"})

    def judged(taken: Record) -> Verdict:
        return judge(rules, replace(taken, entries=(call, *taken.entries)))

    assert judged(record(REFUSED)).outcome is Outcome.PASS
    odd_one = odd(REFUSED, "alice", "SIP/2.0 180", "branch=z9", "branch=z9x")
    assert "which answers no request of alice" in seen(judged(odd_one))
    late = REFUSED.replace("0.004 alice < 180", "0.204 alice < 180")
    assert "after the final response" in seen(judged(record(late)))


def test_a_provisional_after_the_final_response_is_too_late_to_be_passed_over() -> None:
    wanted = scenario("desk: {answer: [ringing, 486]}", "alice: [486]\ndesk: [INVITE, ACK to 486]")
    late = REFUSED.replace("0.004 alice < 180", "0.204 alice < 180")
    assert "alice also got 180 Phrase from desk, after the final response" in seen(judge(wanted, record(late)))


@pytest.mark.parametrize("new", ["branch=z9x", "branch=z9y"])
def test_a_cancel_cancels_an_invite_that_came(new: str) -> None:
    said = seen(judge(CANCELS, odd(CANCELLED, "desk", "CANCEL", "branch=z9", new)))
    assert "which cancels no INVITE that desk got" in said


def test_an_ack_to_a_failure_has_the_branch_of_its_invite() -> None:
    said = seen(judge(REFUSES, odd(REFUSED, "desk", "ACK", "branch=z9", "branch=z9x")))
    assert "which acknowledges nothing that desk has sent" in said


@pytest.mark.parametrize("old", ["^(To: .*tag=)", "^(From: .*tag=)", "^(Call-ID: *)"])
@pytest.mark.parametrize(("method", "why"), [("BYE", "belongs to no dialog of desk"), ("ACK", "acknowledges nothing")])
def test_a_request_within_a_dialog_belongs_to_one_of_the_agent(method: str, why: str, old: str) -> None:
    assert why in seen(judge(ANSWERS, odd(ANSWERED, "desk", method, old, r"\1x")))


def test_nothing_is_said_of_an_agent_that_itself_sent_what_nobody_can_read() -> None:
    taken = odd(REFUSED, "alice", "SIP/2.0 180", "branch=z9", "branch=z9x")
    sent = Malformed(at(0.0), "alice", ("127.0.0.1", 1), ("127.0.0.1", 2), b"INVITE", "no SIP", "sent")
    assert judge(REFUSES, replace(taken, entries=(sent, *taken.entries))).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("data", "open_"),
    [
        (b"\r\n\r\n", False),
        (b"SIP/2.0 48 x\r\nVia: SIP/2.0/UDP x;branch=z9\r\nCall-ID: c\r\nFrom: <sip:a@b>;tag=a\r\n", False),
        (b"SIP/2.0 48 x\r\nTo: <sip:a@b>\r\n", True),
        (b"\0\0", True),
    ],
)
def test_what_bytes_name_has_to_agree(data: bytes, open_: bool) -> None:
    taken = odd(REFUSED, "desk", "ACK", "branch=z9", "branch=z9x")
    sent = Malformed(at(0.0), "desk", ("127.0.0.1", 1), ("127.0.0.1", 2), data, "no SIP", "sent")
    said = judge(REFUSES, replace(taken, entries=(sent, *taken.entries)))
    assert (said.outcome is Outcome.PASS) is open_, said


@pytest.mark.parametrize(
    ("left_out", "changed", "open_"),
    [
        (";tag=desk[^\r]*", "branch=z9", False),
        (";tag=desk[^\r]*", "^(To: [^\r]*)", True),
        ("branch=[^\r]*", "branch=z9", True),
        ("^Call-ID: [^\r]*", "^(Call-ID: *)", True),
        ("^Call-ID: [^\r]*", "^(From: .*tag=)", False),
    ],
)
def test_what_an_agent_has_not_said_is_open_and_nothing_else(left_out: str, changed: str, open_: bool) -> None:
    new = changed + "x" if changed.startswith("branch") else r"\1x"
    taken = odd(REFUSED, "desk", "ACK", changed, new)
    found = judge(REFUSES, _without(taken, left_out)).findings
    assert any("which acknowledges nothing" in finding.seen for finding in found) is not open_


def _without(taken: Record, part: str) -> Record:
    """With a 486 of desk that lacks this."""

    def entry(e: object) -> object:
        if isinstance(e, Message) and e.direction == "sent" and e.data.startswith(b"SIP/2.0 486"):
            return replace(e, data=re.sub(part.encode(), b"", e.data, count=1, flags=re.MULTILINE))
        return e

    return replace(taken, entries=tuple(map(entry, taken.entries)))  # type: ignore[arg-type]


def test_no_event_happens_with_a_message_that_belongs_to_nothing() -> None:
    expect, order = "desk: reached\nalice: [maybe 180, 486]", "order: [alice gets 180, alice gets 486]"
    wanted = scenario("desk: {answer: [ringing, 486]}", expect, order)
    assert judge(wanted, record(REFUSED)).outcome is Outcome.PASS
    said = seen(judge(wanted, odd(REFUSED, "alice", "SIP/2.0 180", "branch=z9", "branch=z9x")))
    assert "alice gets 180 did not happen" in said
