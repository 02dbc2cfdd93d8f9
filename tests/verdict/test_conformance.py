"""Records held against what a conforming proxy owes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ladders import EPOCH, TOKEN, record, scenario

from sip_harness.model.entry import Lag, Note
from sip_harness.model.policy import Policy
from sip_harness.model.scenario import Scenario, Target
from sip_harness.model.verdict import Outcome
from sip_harness.model.wanted import Conforms
from sip_harness.verdict import judge

RING = replace(scenario("desk: {answer: [180]}\nmobile: {answer: [180]}", "desk: reached"), expectations=(Conforms(),))
HUNT = replace(RING, targets=(Target("bob", "hunt", ("desk", "mobile")),))
CALL = Note(EPOCH, "alice", "call", "", {"call": "call-1", "call_id": f"{TOKEN}-1"})
RINGING = """
    0.000 alice > INVITE
    0.001 alice < 100
    0.002 desk < INVITE
    0.002 mobile < INVITE
    0.003 desk > 180
    0.004 mobile > 180
    0.005 alice < 180 from desk
    0.006 alice < 180 from mobile
"""
BUSY = """
    0.100 desk > 600
    0.101 desk < ACK to 600
    0.101 mobile < CANCEL
    0.102 mobile > 200 to CANCEL
    0.102 mobile > 487
    0.103 mobile < ACK to 487
"""
LATER = "0.900 alice < 100"
TOLD = "0.104 alice < 600 from desk\n0.105 alice > ACK to 600"


def found(of: Scenario, ladder: str, *extra: Lag) -> list[str]:
    """Findings as `outcome agent: what was expected; what was observed`."""
    verdict = judge(of, record(ladder, CALL, *extra))
    return [f"{f.outcome.value} {f.expected}; {f.observed}" for f in verdict.findings]


def test_a_fork_as_it_should_be() -> None:
    assert found(RING, RINGING + BUSY + TOLD) == []


def test_an_answer_and_its_dialog() -> None:
    ladder = """
        0.100 desk > 200
        0.101 alice < 200 from desk
        0.101 mobile < CANCEL
        0.102 mobile > 200 to CANCEL
        0.102 mobile > 487
        0.103 mobile < ACK to 487
        0.104 alice > ACK to 200 from desk
        0.105 desk < ACK to 200
        0.200 alice > BYE from desk
        0.201 desk < BYE
        0.202 desk > 200 to BYE
        0.203 alice < 200 to BYE from desk
    """
    assert found(RING, RINGING + ladder) == []
    no_bye = "\n".join(line for line in ladder.splitlines() if "desk < BYE" not in line)
    assert found(RING, RINGING + no_bye) == ["fail desk: BYE; nothing"]


MUTED = RINGING + BUSY.replace("0.101 mobile < CANCEL", "").replace("0.102 mobile > 200 to CANCEL", "")


@pytest.mark.parametrize(
    ("ladder", "expected"),
    [
        pytest.param(
            RINGING + BUSY + "0.104 alice < 486 from system",
            ["fail alice: 600 from desk; 486 Phrase made by the system itself"],
            id="another code",
        ),
        pytest.param(
            RINGING + BUSY + "0.104 alice < 487 from mobile",
            ["fail alice: 600 from desk; 487 Phrase from mobile"],
            id="another branch",
        ),
        pytest.param(RINGING + BUSY + LATER, ["fail alice: 600 from desk; nothing"], id="nothing"),
        pytest.param(
            RINGING + BUSY + "0.604 alice < 600 from desk",
            ["fail alice: a failure as soon as every branch is over; late 600 Phrase"],
            id="late",
        ),
        pytest.param(
            RINGING + "0.1 desk > 600\n0.1005 alice < 600 from desk\n" + "\n".join(BUSY.splitlines()[2:]),
            ["fail alice: no failure before every branch is over; early 600 Phrase"],
            id="early",
        ),
        pytest.param(
            RINGING + BUSY + TOLD + "\n0.2 alice < 487 from mobile",
            ["fail alice: one final response; also 487 Phrase from mobile"],
            id="twice",
        ),
        pytest.param(
            RINGING + BUSY + TOLD + "\n0.2 alice < 200 from system",
            ["fail alice: only responses of live branches; also 200 Phrase made by the system itself"],
            id="an answer of nobody",
        ),
        pytest.param(
            RINGING + BUSY.replace("0.101 desk < ACK to 600", "") + TOLD,
            ["fail desk: ACK to 600; nothing"],
            id="no ACK",
        ),
    ],
)
def test_what_a_proxy_does_wrong(ladder: str, expected: list[str]) -> None:
    assert found(RING, ladder) == expected


def test_a_device_that_is_left_ringing_after_a_6xx_breaks_a_should() -> None:
    late = """
        0.100 desk > 600
        0.101 desk < ACK to 600
        3.004 mobile < CANCEL
        3.005 mobile > 200 to CANCEL
        3.005 mobile > 487
        3.006 mobile < ACK to 487
        3.007 alice < 600 from desk
    """
    assert found(RING, RINGING + late) == ["warn mobile: CANCEL; late CANCEL"]


def test_a_device_that_is_left_ringing_after_an_answer_breaks_a_must() -> None:
    late = """
        0.100 desk > 200
        0.101 alice < 200 from desk
        0.102 alice > ACK to 200 from desk
        0.103 desk < ACK to 200
        2.004 mobile < CANCEL
        2.005 mobile > 487
        2.006 mobile < ACK to 487
    """
    assert found(RING, RINGING + late) == ["fail mobile: CANCEL; late CANCEL"]


def test_lateness_of_a_machine_that_stood_still_proves_nothing() -> None:
    lag = Lag(EPOCH + 500_000_000, "alice", 300_000_000)
    told = found(RING, RINGING + BUSY + "0.604 alice < 600 from desk", lag)
    assert told == ["inconclusive alice: a failure as soon as every branch is over; late 600 Phrase"]


def test_a_choice_that_the_rules_advise_against_is_a_warning() -> None:
    ladder = """
        0.100 desk > 486
        0.101 desk < ACK to 486
        0.200 mobile > 500
        0.201 mobile < ACK to 500
        0.202 alice < 500 from mobile
    """
    assert found(RING, RINGING + ladder) == ["warn alice: 486 from desk; 500 Phrase from mobile"]


def test_a_hunt_that_goes_on_after_a_6xx() -> None:
    ladder = """
        0.000 alice > INVITE
        0.002 desk < INVITE
        0.003 desk > 600
        0.004 desk < ACK to 600
        0.005 mobile < INVITE
        0.006 mobile > 486
        0.007 mobile < ACK to 486
        0.008 alice < 600 from desk
    """
    assert found(HUNT, ladder) == ["fail mobile: never; INVITE"]


def test_a_hunt_that_is_given_up_too_early() -> None:
    ladder = """
        0.000 alice > INVITE
        0.002 desk < INVITE
        0.003 desk > 486
        0.004 desk < ACK to 486
        0.005 alice < 486 from desk
        0.900 alice > ACK to 486
    """
    assert found(HUNT, ladder)[0] == "fail mobile: INVITE; nothing"


def test_a_device_that_rings_out_is_cancelled_when_its_timer_ends() -> None:
    ladder = (
        RINGING
        + """
        0.100 desk > 486
        0.101 desk < ACK to 486
        2.990 mobile < CANCEL
        2.991 mobile > 487
        2.992 mobile < ACK to 487
        2.993 alice < 486 from desk
    """
    )
    assert found(RING, ladder) == []
    assert found(RING, ladder.replace("2.99", "5.99")) != []


def test_the_verdict_of_a_run_is_that_of_its_worst_finding() -> None:
    assert judge(RING, record(RINGING + BUSY + TOLD, CALL)).outcome is Outcome.PASS
    assert judge(RING, record(RINGING + BUSY + LATER, CALL)).outcome is Outcome.FAIL


def test_a_b2bua_is_not_measured_by_the_rules_of_proxies() -> None:
    verdict = judge(RING, record(RINGING + BUSY + TOLD, CALL, kind="b2bua"))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert [f.expected for f in verdict.findings] == ["rfc3261"]
    assert "these rules are those of proxies" in verdict.findings[0].seen


def test_a_failure_while_a_phone_rings_that_no_timer_ends() -> None:
    """As in a capture, whose system has no timers that anybody knows."""
    refused = "0.100 desk > 486\n0.101 desk < ACK to 486\n0.102 alice < 486 from desk\n0.103 alice > ACK to 486"
    told = record(RINGING + refused, CALL)
    verdict = judge(RING, replace(told, header=replace(told.header, policy=Policy())))
    assert [f.seen for f in verdict.findings] == [
        "486 Phrase reached alice while a branch was open that nothing has ended"
    ]
