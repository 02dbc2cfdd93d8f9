"""The judge on ladders: what holds, what is broken, and what nothing can be said of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ladders import TOKEN, at, record, scenario, verdict

from sip_harness.language import load_text
from sip_harness.model.entry import Exit, Lag, Note
from sip_harness.model.place import NOWHERE
from sip_harness.model.policy import Deviation
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Finding, Outcome, Verdict
from sip_harness.model.wanted import Expected, Schedule, Sequence
from sip_harness.verdict import judge
from sip_harness.verdict.known import weigh

FORK_600 = scenario(
    "desk: {answer: [ringing, 600]}\nmobile: {answer: [ringing]}",
    "alice: [600 from desk]\ndesk: [INVITE, ACK to 600]\nmobile: [INVITE, CANCEL, ACK to 487]",
)
GOOD_600 = """
    0.000 alice > INVITE
    0.001 alice < 100
    0.002 desk < INVITE
    0.002 mobile < INVITE
    0.003 desk > 180
    0.004 mobile > 180
    0.005 alice < 180 from desk
    0.006 alice < 180 from mobile
    0.200 desk > 600
    0.201 desk < ACK to 600
    0.202 mobile < CANCEL
    0.203 mobile > 200 to CANCEL
    0.204 mobile > 487
    0.205 mobile < ACK to 487
    0.206 alice < 600 from desk
    0.207 alice > ACK to 600
"""


def change(ladder: str, line: str, *instead: str) -> str:
    """The ladder with one line replaced."""
    assert ladder.count(line) == 1, line
    return ladder.replace(line, "\n    ".join(instead))


def only(outcome: Outcome, result: object, *words: str) -> str:
    """The text of the only finding, which must have these words."""
    assert result.outcome is outcome, result  # type: ignore[attr-defined]
    [finding] = result.findings  # type: ignore[attr-defined]
    for word in words:
        assert word in finding.seen, finding.seen
    return finding.seen


def test_a_conforming_fork_passes() -> None:
    assert verdict(FORK_600, GOOD_600).outcome is Outcome.PASS


def test_a_missing_cancel_names_the_phone_the_cause_and_the_rule() -> None:
    ladder = "\n".join(line for line in GOOD_600.splitlines() if " mobile < CANCEL" not in line and "0.20" not in line)
    ladder += "\n 0.200 desk > 600\n 0.201 desk < ACK to 600\n 3.000 mobile > 487\n 3.001 mobile < ACK to 487"
    ladder += "\n 3.002 alice < 600 from desk"
    result = verdict(FORK_600, ladder)
    only(Outcome.FAIL, result, "mobile never got CANCEL", "desk sent 600", "within 400ms", "left ringing")
    [finding] = result.findings
    assert finding.cite == "RFC 3261 16.7 step 5"
    assert finding.missing_at == at(0.6)
    assert finding.place.line > 0


def test_a_phone_that_gets_nothing_at_all_is_one_finding() -> None:
    ladder = "\n".join(line for line in GOOD_600.splitlines() if " mobile " not in line and "from mobile" not in line)
    text = only(Outcome.FAIL, verdict(FORK_600, ladder), "mobile never got INVITE, although alice sent INVITE")
    assert text.endswith("; so CANCEL and ACK to 487 did not come either.")
    no_ack = "\n".join(line for line in GOOD_600.splitlines() if "mobile < CANCEL" not in line)
    only(Outcome.FAIL, verdict(FORK_600, no_ack), "mobile never got CANCEL")


def test_a_cancel_to_a_phone_that_has_said_nothing_cannot_come() -> None:
    said = "mobile > ", "from mobile", "mobile < CANCEL", "mobile < ACK"
    ladder = "\n".join(line for line in GOOD_600.splitlines() if not any(word in line for word in said))
    found = verdict(FORK_600, ladder).findings[0].seen
    assert found.startswith("mobile never got CANCEL")
    assert found.endswith("(it has not said anything, and so nobody may cancel it: RFC 3261 9.1)")


def test_a_late_cancel_is_a_failure_that_names_the_lateness() -> None:
    late = GOOD_600
    for old, new in (
        ("0.202", "3.102"),
        ("0.203", "3.103"),
        ("0.204", "3.104"),
        ("0.205", "3.105"),
        ("0.206", "3.106"),
    ):
        late = late.replace(old, new)
    only(
        Outcome.FAIL,
        verdict(FORK_600, late.replace("0.207", "3.107")),
        "CANCEL reached mobile 2.90 s after desk sent 600",
    )


def test_lateness_is_not_held_against_the_system_when_this_machine_stood_still() -> None:
    late = GOOD_600.replace("0.202", "0.802")
    late = late.replace("0.203", "0.803").replace("0.204", "0.804").replace("0.205", "0.805").replace("0.206", "0.806")
    stalled = Lag(at(0.75), "", 500_000_000)
    result = verdict(FORK_600, late.replace("0.207", "0.807"), stalled)
    only(Outcome.INCONCLUSIVE, result, "stood still")


def test_a_cancel_need_not_come_before_the_first_provisional() -> None:
    ladder = change(GOOD_600, "0.004 mobile > 180", "0.900 mobile > 180")
    ladder = change(ladder, "0.006 alice < 180 from mobile", "0.901 alice < 180 from mobile")
    for old in ("0.202", "0.203", "0.204", "0.205", "0.206", "0.207"):
        ladder = ladder.replace(old, old.replace("0.2", "0.9"))
    assert verdict(FORK_600, ladder).outcome is Outcome.PASS


def test_another_final_than_expected_is_one_finding_that_says_who_made_it() -> None:
    ladder = change(GOOD_600, "0.206 alice < 600 from desk", "0.206 alice < 486 from system")
    only(Outcome.FAIL, verdict(FORK_600, ladder), "alice got 486 Phrase made by the system itself instead")


def test_a_response_to_what_was_never_sent_says_so() -> None:
    """An answer may overtake the CANCEL, which then is not sent any more."""
    late = scenario(
        "desk: {answer: [ringing, 600]}\nmobile: {answer: [ringing]}",
        "alice: [600 from desk, 200 to CANCEL]",
        calls="[{from: alice, to: bob, cancel: after desk sends 600}]",
    )
    only(Outcome.FAIL, verdict(late, GOOD_600), "alice never got 200 to CANCEL (alice sent no CANCEL)")


def test_the_right_code_from_the_wrong_place_is_a_failure() -> None:
    ladder = change(GOOD_600, "0.206 alice < 600 from desk", "0.206 alice < 600 from system")
    only(Outcome.FAIL, verdict(FORK_600, ladder), "600 Phrase made by the system itself instead")


def test_a_second_final_after_the_first_is_a_failure() -> None:
    ladder = GOOD_600 + "    0.300 alice < 487 from mobile\n"
    only(Outcome.FAIL, verdict(FORK_600, ladder), "alice also got 487", "from mobile")


def test_a_retransmitted_final_is_folded() -> None:
    ladder = GOOD_600 + "    0.700 alice < 600 from desk\n    0.701 alice > ACK to 600\n"
    assert verdict(FORK_600, ladder).outcome is Outcome.PASS


def test_unnamed_provisionals_are_open_and_named_ones_are_due() -> None:
    named = scenario(
        "desk: {answer: [ringing, 600]}\nmobile: {answer: [ringing]}", "alice: [180 from desk, 183, 600 from desk]"
    )
    only(Outcome.FAIL, verdict(named, GOOD_600), "alice never got 183")
    maybe = scenario("desk: {answer: [ringing, 600]}\nmobile: {answer: [ringing]}", "alice: [maybe 183, 600 from desk]")
    assert verdict(maybe, GOOD_600).outcome is Outcome.PASS


def test_never_is_broken_by_an_invite_and_kept_without() -> None:
    wanted = scenario(
        "desk: {answer: [ringing, 600]}\nmobile: {answer: [ringing]}\ntablet: {answer: [ringing]}",
        "alice: [600 from desk]\ntablet: never",
    )
    assert verdict(wanted, GOOD_600).outcome is Outcome.PASS
    ladder = GOOD_600 + "    0.400 tablet < INVITE\n"
    only(Outcome.FAIL, verdict(wanted, ladder), "tablet got INVITE")


def test_a_device_that_nobody_speaks_of_must_be_called() -> None:
    wanted = scenario(
        "desk: {answer: [600]}\nmobile: {answer: [180]}\ntablet: {answer: [180]}", "alice: [600 from desk]"
    )
    only(Outcome.FAIL, verdict(wanted, GOOD_600), "tablet was never called", "tablet: never")


ORDERED = scenario(
    "desk: {answer: [ringing, 600]}\nmobile: {answer: [ringing]}",
    "alice: [600 from desk]",
    more="order: [mobile sends 487, alice gets 600]",
)


def test_order_holds() -> None:
    assert verdict(ORDERED, GOOD_600).outcome is Outcome.PASS


def test_order_the_wrong_way_round_fails() -> None:
    ladder = change(GOOD_600, "0.206 alice < 600 from desk", "0.203 alice < 600 from desk")
    only(Outcome.FAIL, verdict(ORDERED, ladder), "alice gets 600 came 1.0 ms before mobile sends 487")


def test_two_events_closer_than_the_uncertainty_decide_nothing() -> None:
    ladder = change(GOOD_600, "0.206 alice < 600 from desk", "0.20402 alice < 600 from desk")
    only(Outcome.INCONCLUSIVE, verdict(ORDERED, ladder), "too close to tell")


def test_the_ack_bounds_the_time_of_a_slow_sending() -> None:
    ladder = change(GOOD_600, "0.204 mobile > 487", "0.204 mobile > 487 slack=0.01")
    assert verdict(ORDERED, ladder).outcome is Outcome.PASS


def test_an_event_of_an_order_that_never_happened_fails() -> None:
    wanted = scenario(
        "desk: {answer: [ringing, 600]}\nmobile: {answer: [ringing]}",
        "alice: [600 from desk]",
        more="order: [desk gets BYE, alice gets 600]",
    )
    only(Outcome.FAIL, verdict(wanted, GOOD_600), "desk gets BYE did not happen")


ANSWERED = scenario(
    "desk: {answer: [486]}\nmobile: {answer: [ringing, ok]}",
    "alice: [200 from mobile]\ndesk: [INVITE, ACK to 486]\nmobile: [INVITE, ACK to 200, BYE]",
)
GOOD_200 = """
    0.000 alice > INVITE
    0.001 desk < INVITE
    0.001 mobile < INVITE
    0.002 desk > 486
    0.003 desk < ACK to 486
    0.100 mobile > 180
    0.101 alice < 180 from mobile
    0.200 mobile > 200
    0.201 alice < 200 from mobile
    0.202 alice > ACK to 200 from mobile
    0.203 mobile < ACK to 200
    0.204 alice > BYE from mobile
    0.205 mobile < BYE
    0.206 mobile > 200 to BYE
    0.207 alice < 200 to BYE from mobile
"""


def test_an_answered_call_passes_and_the_200_to_the_callers_bye_need_not_be_named() -> None:
    assert verdict(ANSWERED, GOOD_200).outcome is Outcome.PASS


def test_a_refused_bye_is_not_taken_for_granted() -> None:
    ladder = change(GOOD_200, "0.207 alice < 200 to BYE from mobile", "0.207 alice < 481 to BYE from mobile")
    only(Outcome.FAIL, verdict(ANSWERED, ladder), "alice also got 481 Phrase to BYE")


def test_credentials_that_the_system_does_not_take_are_told_as_such() -> None:
    refused = """
        0.000 alice > INVITE
        0.001 alice < 407
        0.002 alice > ACK to 407
        0.003 alice > INVITE auth=yes cseq=2
        0.004 alice < 407
        0.005 alice > ACK to 407
    """
    words = (
        "alice got 407 Phrase made by the system itself instead (to its credentials: are those of the profile right?)"
    )
    assert words in verdict(ANSWERED, refused).findings[0].seen
    unanswered = "\n".join(refused.splitlines()[:4])
    assert "credentials" not in verdict(ANSWERED, unanswered).findings[0].seen


def test_a_challenge_that_was_answered_is_no_final() -> None:
    begin = """
    0.000 alice > INVITE
    0.001 alice < 407 from system
    0.001 alice > ACK to 407
    0.002 alice > INVITE cseq=2 auth=1
    """
    rest = "\n".join(GOOD_200.strip().splitlines()[1:])
    assert verdict(ANSWERED, begin + rest).outcome is Outcome.PASS
    unanswered = """
    0.000 alice > INVITE
    0.001 alice < 407 from system
    """
    assert verdict(ANSWERED, unanswered).outcome is Outcome.FAIL


def test_a_refused_registration_blocks() -> None:
    refused = Note(at(0), "desk", "refused", "desk: REGISTER refused: 403 Forbidden")
    result = judge(FORK_600, record(GOOD_600, refused))
    assert result.outcome is Outcome.BLOCKED
    assert "403" in result.reason


def test_a_dead_worker_makes_the_run_inconclusive_with_its_last_words() -> None:
    result = judge(FORK_600, record(GOOD_600, Exit(at(0.1), "desk", -6, ("pjsip: Assertion 'x'",))))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "signal 6" in result.reason
    assert "Assertion" in result.reason


def test_an_engine_response_never_satisfies_anything() -> None:
    ladder = change(GOOD_600, "0.200 desk > 600", "0.200 desk > 600 origin=engine")
    why = Note(at(0.2), "desk", "engine", "all 4 calls in use")
    result = judge(FORK_600, record(ladder, why))
    assert result.outcome is Outcome.INCONCLUSIVE
    assert "all 4 calls in use" in result.reason


def test_a_record_without_an_end_is_inconclusive() -> None:
    assert judge(FORK_600, record(GOOD_600, ended=False)).outcome is Outcome.INCONCLUSIVE


def test_a_clock_that_was_set_voids_the_record() -> None:
    ended = Note(at(9), "", "end", "", {"clock_step": "5000000"})
    assert judge(FORK_600, record(GOOD_600, ended, ended=False)).outcome is Outcome.INCONCLUSIVE


def test_a_run_that_its_deadline_ended_fails_with_what_was_open() -> None:
    limit = Note(at(5), "", "limit", "first: given up after 5.0 s", {"open": "alice's INVITE has no final response"})
    only(Outcome.FAIL, verdict(FORK_600, GOOD_600, limit), "alice's INVITE has no final response")
    [finding] = verdict(FORK_600, GOOD_600, limit).findings
    assert finding.observed == "still open: alice's INVITE has no final response", "without times: it can be declared"


def stray(token: str) -> str:
    names = f"callid={token}-9 uri=sip:desk-{token}@h user=bob-{token} caller=alice-{token}"
    return f"    0.100 desk < CANCEL {names} branch=z9hG4bKold\n"


def test_traffic_of_an_older_lease_is_a_stray_and_changes_nothing() -> None:
    older = TOKEN.replace("x3", "x2")
    assert verdict(FORK_600, GOOD_600 + stray(older)).outcome is Outcome.PASS


def test_a_message_of_nobody_makes_the_run_inconclusive() -> None:
    only(Outcome.INCONCLUSIVE, verdict(FORK_600, GOOD_600 + stray("nobody")), "CANCEL", "no name of this run")


def test_a_message_of_nobody_breaks_never() -> None:
    wanted = scenario(
        "desk: {answer: [ringing, 600]}\nmobile: {answer: [ringing]}\ntablet: {answer: [ringing]}",
        "alice: [600 from desk]\ntablet: never",
    )
    strange = "    0.100 tablet < INVITE callid=nobody-9 uri=sip:tablet@h branch=z9hG4bKold user=tablet\n"
    only(Outcome.FAIL, verdict(wanted, GOOD_600 + strange), "tablet got INVITE")


@pytest.mark.parametrize("kind", ["proxy", "b2bua"])
def test_legs_of_a_b2bua_are_attributed_by_the_token(kind: str) -> None:
    """Every leg has a Call-ID and tags of its own there; the contact that is called has the token."""
    ladder = """
    0.000 alice > INVITE
    0.001 desk < INVITE callid=leg-1
    0.010 desk > 600 callid=leg-1
    0.011 desk < ACK to 600 callid=leg-1
    0.012 alice < 600 from own
    """
    wanted = scenario("desk: {answer: [600]}", "alice: [600 from desk]\ndesk: [INVITE, ACK to 600]")
    result = verdict(wanted, ladder, kind=kind)  # type: ignore[arg-type]
    assert (result.outcome is Outcome.PASS) == (kind == "b2bua"), result


TWICE_BUSY = """
    0.000 alice > INVITE
    0.001 desk < INVITE callid=leg-1
    0.001 mobile < INVITE callid=leg-2
    0.010 desk > 486 callid=leg-1
    0.011 desk < ACK to 486 callid=leg-1
    0.020 mobile > 486 callid=leg-2
    0.021 mobile < ACK to 486 callid=leg-2
    0.022 alice < 486 from own
"""
AGAIN = """
    1.000 alice > INVITE call=2
    1.001 mobile < INVITE callid=leg-3
    1.010 mobile > 486 callid=leg-3
    1.011 mobile < ACK to 486 callid=leg-3
    1.012 alice < 486 from own call=2
"""
GIVEN_UP = """
    0.000 alice > INVITE
    0.001 desk < INVITE callid=leg-1
    0.002 desk > 180 callid=leg-1
    0.100 alice > CANCEL
    0.101 alice < 200 to CANCEL from own
    0.102 desk < CANCEL callid=leg-1
    0.103 desk > 487 callid=leg-1
    0.104 desk < ACK to 487 callid=leg-1
    0.105 alice < 487 from own
    0.200 mobile < INVITE callid=leg-2
    0.201 mobile > 486 callid=leg-2
    0.202 mobile < ACK to 486 callid=leg-2
"""


@pytest.mark.parametrize(
    ("ladder", "wanted", "passes"),
    [
        (TWICE_BUSY, "486 from desk", True),
        (TWICE_BUSY, "486 from mobile", True),
        (TWICE_BUSY, "486 from system", False),
        (TWICE_BUSY + AGAIN, "486 from desk, 486 from mobile", True),
        (TWICE_BUSY + AGAIN, "486 from mobile, 486 from desk", False),
        (GIVEN_UP, "200 to CANCEL, 487 from system", True),
        (GIVEN_UP, "200 to CANCEL, 487 from desk", True),
    ],
)
def test_behind_a_b2bua_code_and_time_tell_the_source(ladder: str, wanted: str, passes: bool) -> None:
    of = scenario("desk: {answer: [486]}\nmobile: {answer: [486]}", f"alice: [{wanted}]")
    assert (verdict(of, ladder, kind="b2bua").outcome is Outcome.PASS) == passes


def silent_fork() -> Scenario:
    """A device that never answers, with Timer A expected up to the system's own timer."""
    made = scenario("desk: {answer: [silence]}", "desk: [INVITE]\nalice: [408 from system]")
    sequence = made.expectations[0]
    assert isinstance(sequence, Sequence)
    [invite] = sequence.items
    assert isinstance(invite, Expected)
    resent = replace(invite, resent=Schedule(first=0.5, until="transaction"))
    return replace(made, expectations=(replace(sequence, items=(resent,)), *made.expectations[1:]))


SILENT = silent_fork()


def silent(*times: float, last: str = "1.0 alice < 408 from own") -> str:
    resends = "\n".join(f"{t} desk < INVITE" for t in times)
    return f"0.0 alice > INVITE\n{resends}\n{last}"


@pytest.mark.parametrize("times", [(0.001, 0.5), (0.001, 0.47), (0.001, 0.8), (0.06, 0.43)])
def test_retransmissions_hold_up_to_the_systems_timer(times: tuple[float, ...]) -> None:
    assert verdict(SILENT, silent(*times)).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ((0.001,), "1 times: it was not sent again 0.5 s"),
        ((0.001, 0.2, 0.5), "sent again 0.20 s after the first time, when it was not due"),
        ((0.001, 0.5, 1.9), "sent again 1.90 s"),
        ((0.001, 0.37, 0.5), "sent again 0.37 s"),
    ],
)
def test_a_broken_schedule_fails(times: tuple[float, ...], words: str) -> None:
    only(Outcome.FAIL, verdict(SILENT, silent(*times, last="2.0 alice < 408 from own")), words)


def test_a_b2bua_that_has_given_up_may_not_cancel_and_so_goes_on_to_timer_b() -> None:
    on = silent(0.001, 0.5, 1.5, 3.5, 7.5, last="1.0 alice < 408 from own")
    assert not [f for f in verdict(SILENT, on, kind="b2bua").findings if "times:" in f.seen]
    only(Outcome.FAIL, verdict(SILENT, on), "sent again 1.50 s and 3.50 s and 7.50 s")
    found = verdict(SILENT, silent(0.001, 0.5, 2.2), kind="b2bua").findings
    assert any("sent again 2.20 s after the first time, when it was not due" in f.seen for f in found)


def with_deviation(ladder: str, expectation: str, observed: str) -> Verdict:
    taken = record(ladder)
    deviation = Deviation("T-1", expectation, observed, "it has always been so")
    policy = replace(taken.header.policy, deviations=(deviation, replace(deviation, scenario="other")))
    return judge(FORK_600, replace(taken, header=replace(taken.header, policy=policy)))


def test_exactly_a_known_deviation_is_a_deviation_with_its_reason() -> None:
    ladder = change(GOOD_600, "0.206 alice < 600 from desk", "0.206 alice < 486 from system")
    result = with_deviation(ladder, "alice: 600 from desk", "486 Phrase made by the system itself")
    assert result.outcome is Outcome.DEVIATION
    assert result.reason == "it has always been so"


def test_another_value_than_the_known_one_fails() -> None:
    ladder = change(GOOD_600, "0.206 alice < 600 from desk", "0.206 alice < 480 from system")
    result = with_deviation(ladder, "alice: 600 from desk", "486 Phrase made by the system itself")
    assert result.outcome is Outcome.FAIL
    assert any("instead of the known deviation: 480" in f.seen for f in result.findings)


def test_an_unexpected_pass_fails() -> None:
    result = with_deviation(GOOD_600, "alice: 600 from desk", "486 Phrase made by the system itself")
    only(Outcome.FAIL, result, "the known deviation did not show")


def test_a_deviation_does_not_cover_another_failure() -> None:
    ladder = change(GOOD_600, "0.206 alice < 600 from desk", "0.206 alice < 486 from system")
    ladder += "    0.300 mobile < CANCEL branch=z9hG4bKnew\n"
    result = with_deviation(ladder, "alice: 600 from desk", "486 Phrase made by the system itself")
    assert result.outcome is Outcome.FAIL


def test_never_in_a_scenario_without_calls_is_about_any_request() -> None:
    text = "title: t\nid: T-1\ncarriers: {g1: {answer: [486]}}\nwatch: 1s\nexpect: {g1: never}\n"
    wanted = load_text(text, "t.sip.yaml")
    probed = "0.100 g1 < OPTIONS\n0.101 g1 > 200 to OPTIONS"
    only(Outcome.FAIL, verdict(wanted, probed), "g1 got OPTIONS")
    assert verdict(wanted, "0.100 other < OPTIONS").outcome is Outcome.PASS


def test_a_deviation_on_a_machine_that_stood_still_is_no_unexpected_pass() -> None:
    """Whether what is late is known to be so, or the machine's doing, cannot be told: nothing has passed either."""
    found = Finding(Outcome.FAIL, "g2: INVITE within 1s", "late", observed="late INVITE")
    known = [Deviation("T-1", "g2: INVITE within 1s", "late INVITE", "it has always been so")]
    assert [f.outcome for f in weigh(known, [found], NOWHERE)] == [Outcome.DEVIATION]
    starved = replace(found, outcome=Outcome.INCONCLUSIVE)
    assert list(weigh(known, [starved], NOWHERE)) == [starved]
    elsewhere = replace(starved, expected="alice: 200")
    assert [f.outcome for f in weigh(known, [elsewhere], NOWHERE)] == [Outcome.INCONCLUSIVE, Outcome.FAIL]
