"""How much of a system's lateness a machine that stood still explains."""

from __future__ import annotations

import pytest
from ladders import POLICY, at, scenario, verdict

from sip_harness.model.entry import Lag, Log
from sip_harness.model.verdict import Outcome
from sip_harness.verdict.stalls import Stalls

BUSY = scenario("desk: {answer: [486]}", "alice: [486 from desk]\ndesk: [INVITE, ACK to 486]")
MS = 1_000_000


def lag(until: float, seconds: float, agent: str = "") -> Lag:
    return Lag(at(until), agent, round(seconds * 1e9))


def ladder(answered: float, relayed: float, code: int = 486) -> str:
    """A busy phone; the times at which it answers and at which alice hears of it."""
    return f"""
        0.000 alice > INVITE
        0.001 desk < INVITE
        {answered:.3f} desk > 486
        {answered + 0.001:.3f} desk < ACK to 486
        {relayed:.3f} alice < {code} from {"desk" if code == 486 else "system"}
        {relayed + 0.001:.3f} alice > ACK to {code}
    """


class TestIntervals:
    def test_those_that_overlap_count_once(self) -> None:
        stalls = Stalls([Lag(100, "", 50), Lag(110, "alice", 40), Lag(300, "", 10)])
        assert stalls.within(0, 1000) == 70
        assert stalls.longest(0, 1000) == 60

    def test_only_what_lies_in_the_time_counts(self) -> None:
        stalls = Stalls([Lag(100, "", 50), Lag(300, "", 100)])
        assert stalls.within(80, 250) == 20 + 50
        assert stalls.longest(80, 250) == 50
        assert (stalls.within(110, 190), stalls.longest(110, 190)) == (0, 0)

    def test_other_entries_are_none(self) -> None:
        assert Stalls([Log(5, "x")]).within(0, 10) == 0

    def test_each_excuses_twice_its_length_and_no_more(self) -> None:
        stalls = Stalls([Lag(100, "", 50)])
        assert stalls.excuse(100, 0, 200)
        assert not stalls.excuse(101, 0, 200)
        assert not stalls.excuse(0, 0, 200)
        assert not stalls.excuse(10, 100, 200)


class TestVerdicts:
    def test_what_stalls_do_not_explain_is_the_systems_own(self) -> None:
        late = ladder(0.1, 0.1 + POLICY.prompt + 0.3)
        assert verdict(BUSY, late).outcome is Outcome.FAIL
        assert verdict(BUSY, late, lag(0.5, 0.1)).outcome is Outcome.FAIL
        assert verdict(BUSY, late, lag(0.5, 0.16)).outcome is Outcome.INCONCLUSIVE

    def test_a_stall_at_another_time_explains_nothing(self) -> None:
        late = ladder(0.5, 0.5 + POLICY.prompt + 0.1)
        assert verdict(BUSY, late, lag(0.4, 0.3)).outcome is Outcome.FAIL

    def test_many_short_ones_add_up(self) -> None:
        late = ladder(0.1, 0.1 + POLICY.prompt + 0.2)
        short = [lag(0.12 + n / 10, 0.03) for n in range(5)]
        assert verdict(BUSY, late, *short).starved

    def test_a_timer_of_the_system_may_have_got_ahead_in_a_long_one(self) -> None:
        wrong = ladder(0.9, 0.901, 408)
        assert verdict(BUSY, wrong).outcome is Outcome.FAIL
        assert verdict(BUSY, wrong, lag(0.8, POLICY.shortest / 2 - 0.01)).outcome is Outcome.FAIL
        undecided = verdict(BUSY, wrong, lag(0.8, POLICY.shortest / 2))
        assert undecided.starved
        assert "stood still for 500 ms" in undecided.findings[0].seen
        assert undecided.findings[0].observed == "408 Phrase made by the system itself"

    def test_what_holds_in_spite_of_a_stall_has_passed(self) -> None:
        assert verdict(BUSY, ladder(0.1, 0.102), lag(1.0, 0.9)).outcome is Outcome.PASS

    @pytest.mark.parametrize("seconds", [0.0, 0.1])
    def test_only_what_a_stall_left_undecided_is_starved(self, seconds: float) -> None:
        stray = ladder(0.1, 0.102) + "\n        0.300 desk < 200"
        assert not verdict(BUSY, stray, *([lag(0.2, seconds)] if seconds else [])).starved
