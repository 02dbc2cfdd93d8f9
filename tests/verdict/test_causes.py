"""What a message of the system is a reaction to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ladders import EPOCH, TOKEN, record, scenario

from sip_harness.language import load_text
from sip_harness.model.entry import Note
from sip_harness.model.policy import Kind
from sip_harness.model.scenario import Scenario, Target
from sip_harness.verdict.causes import Causes
from sip_harness.verdict.traffic import sort_out

FORK = scenario("desk: {answer: [180]}\nmobile: {answer: [180]}", "alice: [600]")
DEVICES = (*FORK.devices, replace(FORK.devices[0], name="tablet"))
HUNT = replace(
    FORK,
    devices=DEVICES,
    targets=(Target("bob", "hunt", ("desk", "mobile", "tablet"), together=(("desk", "mobile"), ("tablet",))),),
)
FORKED_MESSAGE = scenario(
    "desk: {answer: [180]}\nmobile: {answer: [180]}",
    "alice: [607 to MESSAGE]",
    calls="[{from: alice, to: bob, method: MESSAGE}]",
)
RINGING = """
    0.000 alice > INVITE
    0.002 desk < INVITE
    0.002 mobile < INVITE
    0.003 desk > 180
    0.004 mobile > 180
    0.005 alice < 180 from desk
"""


def cause(ladder: str, of: str, at: str, kind: Kind = "proxy", on: Scenario = FORK, *notes: Note) -> str | None:
    """The cause of the last message of that name at an agent."""
    taken = record(ladder, *notes, kind=kind)
    traffic = sort_out(taken)
    item = [i for i in traffic.items if i.seen.name.startswith(of) and i.seen.agent == at and i.seen.received][-1]
    found = Causes(on, taken.header, traffic).of(item)
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("ladder", "of", "at", "expected"),
    [
        (RINGING, "INVITE", "desk", "alice sent INVITE"),
        (RINGING, "180", "alice", "desk sent 180 Phrase"),
        (RINGING + "0.1 desk > 486\n0.2 desk < ACK to 486", "ACK", "desk", "desk sent 486 Phrase"),
        (RINGING + "0.1 desk > 600\n0.2 mobile < CANCEL", "CANCEL", "mobile", "desk sent 600 Phrase"),
        (RINGING + "0.1 desk > 200\n0.2 mobile < CANCEL", "CANCEL", "mobile", "desk sent 200 Phrase"),
        (RINGING + "0.1 alice > CANCEL\n0.2 mobile < CANCEL", "CANCEL", "mobile", "alice sent CANCEL"),
        (RINGING + "0.1 alice > CANCEL\n0.2 alice < 200 to CANCEL from x", "200", "alice", "alice sent CANCEL"),
        (RINGING + "0.1 desk > 200\n0.2 alice < 200 from desk", "200", "alice", "desk sent 200 Phrase"),
        (
            RINGING + "0.1 desk > 486\n0.3 mobile > 486\n0.4 alice < 486 from desk",
            "486",
            "alice",
            "mobile sent 486 Phrase",
        ),
        (
            RINGING + "0.1 desk > 486\n0.1 mobile > 486\n0.2 alice < 486 from desk\n"
            "1.0 desk > 603\n1.1 alice < 603 from desk",
            "603",
            "alice",
            "desk sent 603 Phrase",
        ),
        ("0.0 alice > INVITE\n0.1 alice < 480 from system", "480", "alice", "alice sent INVITE"),
        ("0.0 alice > INVITE\n0.1 alice < 100", "100", "alice", "alice sent INVITE"),
    ],
)
def test_cause(ladder: str, of: str, at: str, expected: str) -> None:
    assert cause(ladder, of, at) == expected


MESSAGES = "0.0 alice > MESSAGE\n0.1 desk < MESSAGE\n0.1 mobile < MESSAGE\n"


@pytest.mark.parametrize(
    ("ladder", "expected"),
    [
        ("0.2 desk > 486 to MESSAGE\n0.9 mobile > 404 to MESSAGE\n1 alice < 486 to MESSAGE", "mobile sent 404 Phrase"),
        ("0.2 desk > 607 to MESSAGE\n3.0 alice < 607 to MESSAGE", None),
        ("0.2 desk > 200 to MESSAGE\n0.3 alice < 200 to MESSAGE from desk", "desk sent 200 Phrase"),
    ],
    ids=["the last phone has answered", "a phone without a final", "an answer waits for nobody"],
)
def test_the_cause_of_the_answer_to_a_forked_message(ladder: str, expected: str | None) -> None:
    note = Note(EPOCH, "alice", "call", "", {"call": "call-1", "call_id": f"{TOKEN}-1", "method": "MESSAGE"})
    code = ladder.split("alice < ")[1][:3]
    found = cause(MESSAGES + ladder, code, "alice", "proxy", FORKED_MESSAGE, note)
    assert found == (expected and f"{expected} to MESSAGE")


@pytest.mark.parametrize(
    ("ladder", "of", "at"),
    [
        pytest.param(RINGING + "3.0 mobile < CANCEL", "CANCEL", "mobile", id="the ring timer of the system"),
        pytest.param(RINGING + "0.1 desk > 486\n3.0 mobile < CANCEL", "CANCEL", "mobile", id="486 ends no fork"),
        pytest.param(RINGING + "0.1 desk > 486\n3.0 alice < 408 from s", "408", "alice", id="a branch without a final"),
        pytest.param(
            RINGING + "0.1 desk > 486 branch=z9hG4bKo\n0.1 mobile > 486\n3.0 alice < 408 from s",
            "408",
            "alice",
            id="a response with a foreign branch ends none",
        ),
        pytest.param(
            RINGING + "0.1 desk > 200 branch=z9hG4bKo\n3.0 mobile < CANCEL", "CANCEL", "mobile", id="nor the fork"
        ),
        pytest.param("0.0 alice > INVITE\n0.1 alice < 183 from s", "183", "alice", id="an announcement"),
    ],
)
def test_what_may_have_waited_for_a_timer_has_no_prompt_cause(ladder: str, of: str, at: str) -> None:
    assert cause(ladder, of, at) is None


@pytest.mark.parametrize(
    ("ladder", "at", "expected"),
    [
        ("", "mobile", "alice sent INVITE"),
        ("0.1 desk > 486\n0.2 mobile > 503\n0.3 tablet < INVITE", "tablet", "mobile sent 503 Phrase"),
        ("0.2 mobile > 503\n1.0 tablet < INVITE", "tablet", None),
        ("0.1 desk > 200\n0.2 mobile > 503\n0.3 tablet < INVITE", "tablet", None),
    ],
    ids=["first of the hunt", "all of the group have ended", "a timer", "an answer"],
)
def test_a_hunt_goes_on_when_all_before_have_ended(ladder: str, at: str, expected: str | None) -> None:
    assert cause(f"{RINGING}\n{ladder}", "INVITE", at, on=HUNT) == expected


def test_a_cancel_waits_for_the_first_provisional_of_its_branch() -> None:
    ladder = (
        "0.0 alice > INVITE\n0.1 desk < INVITE\n0.1 mobile < INVITE\n"
        "0.2 desk > 600\n0.9 mobile > 180\n1 mobile < CANCEL"
    )
    taken = record(ladder)
    traffic = sort_out(taken)
    found = Causes(FORK, taken.header, traffic).of(traffic.items[-1])
    assert found is not None
    assert found.time == traffic.items[-2].time


def test_the_second_call_has_causes_of_its_own() -> None:
    ladder = (
        RINGING
        + "0.1 desk > 600\n0.2 mobile < CANCEL\n0.3 mobile > 487\n0.4 alice < 600 from desk\n"
        + "5.0 alice > INVITE call=2\n5.1 mobile < INVITE\n5.2 mobile > 180\n8.0 mobile < CANCEL"
    )
    assert cause(ladder, "CANCEL", "mobile") is None


ANSWERED = RINGING + "0.10 desk > 200\n0.11 alice < 200 from own\n0.12 desk < ACK\n0.13 alice > ACK\n"
LATE = RINGING + "0.1 alice > CANCEL\n0.2 desk < CANCEL\n0.21 desk > 200\n0.22 desk < ACK\n0.23 desk < BYE"


@pytest.mark.parametrize(
    ("ladder", "of", "at", "expected"),
    [
        pytest.param(ANSWERED, "ACK", "desk", "desk sent 200 Phrase", id="its own ACK"),
        pytest.param(ANSWERED + "0.2 desk < ACK cseq=2", "ACK", "desk", "alice sent ACK", id="ACK with the caller's"),
        pytest.param(ANSWERED + "9 alice > BYE\n9.1 desk < BYE", "BYE", "desk", "alice sent BYE", id="BYE passed on"),
        pytest.param(ANSWERED + "9 desk < BYE", "BYE", "desk", None, id="the system's own limit"),
        pytest.param(ANSWERED + "9 alice > BYE\n9.1 alice < BYE", "BYE", "alice", None, id="no cause of one's own"),
        pytest.param(LATE, "ACK", "desk", "desk sent 200 Phrase", id="an answer after CANCEL"),
        pytest.param(LATE, "BYE", "desk", "desk sent 200 Phrase", id="and its end"),
        pytest.param(
            RINGING + "1 alice > CANCEL\n1.1 alice < 487 from own", "487", "alice", "alice sent CANCEL", id="487"
        ),
        pytest.param(RINGING + "3 alice < 480 from own", "480", "alice", None, id="its ring timer"),
    ],
)
def test_behind_a_b2bua_every_leg_is_a_call_of_its_own(ladder: str, of: str, at: str, expected: str | None) -> None:
    assert cause(ladder, of, at, "b2bua") == expected


CARRIERS = load_text(
    "title: t\nid: T-1\ntargets: {pstn: {hunt: [g1, g2]}}\n"
    "carriers: {g1: {answer: [503]}, g2: {answer: [200]}}\n"
    "calls: [{from: alice, to: pstn}]\nexpect: {g1: reached}\n",
    "t.sip.yaml",
)
OVERLAPPING = scenario(
    "desk: {answer: [180]}\nmobile: {answer: [180]}",
    "alice: [600]",
    calls="[{from: alice, to: bob}, {from: carol, to: bob, at: 1s}]",
)
TWO_CALLS = """
    0.000 alice > INVITE call=1
    0.002 desk < INVITE
    0.100 desk > 486 call=2
    0.900 desk > 486 call=1
    0.901 alice < 486 from desk
"""


def cause_in(of: Scenario, ladder: str, kind: Kind = "proxy") -> str | None:
    """The cause of the last message."""
    taken = record(ladder, kind=kind)
    traffic = sort_out(taken)
    found = Causes(of, taken.header, traffic).of(traffic.items[-1])
    return None if found is None else str(found)


def test_a_hunt_that_a_timer_moved_on_has_no_prompt_cause() -> None:
    tried = "0.0 alice > INVITE\n0.001 g1 < INVITE\n"
    assert cause_in(CARRIERS, f"{tried}0.8 g2 < INVITE") is None
    assert cause_in(CARRIERS, f"{tried}0.5 g1 > 503\n0.8 g2 < INVITE") == "g1 sent 503 Phrase"
    assert cause_in(CARRIERS, tried) == "alice sent INVITE"


def test_calls_that_overlap_are_told_apart_by_their_call_ids() -> None:
    assert cause_in(OVERLAPPING, TWO_CALLS) == "desk sent 486 Phrase"
    of_the_other = TWO_CALLS.replace("0.900 desk > 486 call=1\n", "").replace("from desk", "from desk call=1")
    assert cause_in(OVERLAPPING, of_the_other) is None
    assert cause_in(OVERLAPPING, TWO_CALLS, "b2bua") is None
