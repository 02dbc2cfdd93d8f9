"""What a caller does from the answer on, when it acknowledges late, and what ends its call."""

from __future__ import annotations

import pytest

from sip_harness.model.pattern import Event, RequestPattern, ResponsePattern, Trigger
from sip_harness.model.scenario import Call
from sip_harness.model.steps import After, HangUp, Request, Step, Wait
from sip_harness.script.machine import ACKED, CallMachine

INFO, BYE, REINVITE = Request("INFO"), Request("BYE"), Request("INVITE")
EVENT = Event("desk", "gets", RequestPattern("INFO"))
RINGS = Event("desk", "sends", ResponsePattern(frozenset({180})))


def machine(*then: Step, happened: set[str] | None = None, **call: object) -> CallMachine:
    of = Call("first", "alice", "bob", then=then, **call)  # type: ignore[arg-type]
    return CallMachine(of, set() if happened is None else happened, 100.0, patience=0.4)


class TestThen:
    def test_nothing_is_due_before_the_answer(self) -> None:
        m = machine(INFO)
        assert m.steps(200.0) == []
        assert m.deadline is None
        assert not m.done

    def test_steps_count_from_the_answer_and_from_one_another(self) -> None:
        m = machine(Wait(0.1), REINVITE, Wait(0.2), INFO)
        m.answered = 105.0
        assert m.steps(105.0) == []
        assert m.deadline == 105.1
        assert m.steps(105.15) == [REINVITE]
        assert m.deadline == pytest.approx(105.3)
        assert m.steps(105.29) == []
        assert m.steps(105.3001) == [INFO]
        assert m.done

    def test_steps_wait_for_events(self) -> None:
        happened: set[str] = set()
        m = machine(INFO, After(EVENT), Wait(0.1), HangUp(), happened=happened)
        m.answered = 105.0
        assert m.steps(105.0) == [INFO]
        assert m.deadline is None
        happened.add(str(EVENT))
        assert m.steps(107.0) == []
        assert m.steps(107.1) == [HangUp()]

    @pytest.mark.parametrize("end", [HangUp(), BYE])
    def test_one_that_hangs_up_is_hung_up_by_nothing_else(self, end: Step) -> None:
        m = machine(Wait(5), end, happened={ACKED})
        m.answered = 105.0
        assert m.poll(105.0) == []
        m.steps(105.0)
        assert m.deadline == 110.0
        assert m.poll(109.9) == []
        assert m.steps(110.0) == [end]
        assert m.poll(200.0) == []
        assert m.deadline is None

    def test_one_that_does_not_is_hung_up_once_it_is_done(self) -> None:
        m = machine(Wait(1), INFO, happened={ACKED})
        m.answered = 105.0
        assert m.poll(105.0) == []
        assert m.steps(105.5) == []
        assert m.poll(105.5) == []
        assert m.steps(106.0) == [INFO]
        assert m.poll(106.0) == ["bye"]

    def test_but_not_before_its_requests_are_answered(self) -> None:
        m = machine(REINVITE, INFO, happened={ACKED})
        m.answered = 105.0
        assert m.steps(105.0) == [REINVITE, INFO]
        m.pending = 2
        assert m.poll(105.0) == []
        assert m.deadline is None
        m.pending = 1
        assert m.poll(106.0) == []
        m.pending = 0
        assert m.poll(107.0) == ["bye"]

    def test_patience_counts_from_its_end(self) -> None:
        m = machine(Wait(2), INFO)
        m.answered = 105.0
        m.steps(107.0)
        assert m.poll(107.0) == []
        assert m.deadline == pytest.approx(107.4)
        assert m.poll(107.39) == []
        assert m.poll(107.401) == ["bye"]
        assert m.poll(108.0) == []

    def test_a_stated_end_waits_for_it_too(self) -> None:
        m = machine(Wait(2), INFO, hang_up=Trigger(delay=1.0))
        m.answered = 105.0
        m.steps(105.0)
        assert m.poll(106.5) == []
        assert m.deadline == 107.0
        assert m.steps(107.0) == [INFO]
        assert m.poll(107.0) == ["bye"]

    def test_a_stated_end_later_than_it(self) -> None:
        m = machine(INFO, hang_up=Trigger(delay=1.0))
        m.answered = 105.0
        m.steps(105.0)
        assert m.poll(105.0) == []
        assert m.deadline == 106.0
        assert m.poll(106.0) == ["bye"]

    def test_an_event_before_its_end_still_counts_from_when_it_happened(self) -> None:
        m = machine(Wait(2), INFO, hang_up=Trigger(EVENT, 0.5), happened={str(EVENT)})
        m.answered = 105.0
        assert m.poll(105.0) == []
        assert m.steps(107.0) == [INFO]
        assert m.poll(107.0) == ["bye"]

    def test_an_event_wakes_nobody_up_before_its_end(self) -> None:
        m = machine(After(RINGS), hang_up=Trigger(EVENT), happened={str(EVENT)})
        m.answered = 105.0
        m.poll(105.0)
        m.steps(105.0)
        assert m.deadline is None


class TestAck:
    def test_after_a_time_it_counts_from_the_answer(self) -> None:
        m = machine(ack=Trigger(delay=2.0))
        assert m.poll(104.0) == []
        m.answered = 105.0
        assert m.poll(105.0) == []
        assert m.deadline == 107.0
        assert m.poll(107.0) == ["ack"]

    def test_after_a_time_it_counts_from_the_failure(self) -> None:
        m = machine(ack=Trigger(delay=2.0), cancel=Trigger(delay=5.5))
        m.refused = 105.0
        assert m.deadline == 107.0
        assert m.poll(107.0) == ["ack"]
        assert m.poll(108.0) == []
        assert m.deadline is None

    def test_after_an_event_that_has_happened(self) -> None:
        m = machine(ack=Trigger(RINGS), happened={str(RINGS)})
        m.answered = 105.0
        assert m.poll(105.0) == ["ack"]

    def test_the_usual_end_waits_for_it(self) -> None:
        m = machine(ack=Trigger(delay=2.0), happened={ACKED})
        m.answered = 105.0
        assert m.poll(106.9) == []
        assert m.poll(107.0) == ["ack"]
        assert m.poll(107.0) == ["bye"]

    def test_patience_counts_from_it(self) -> None:
        m = machine(ack=Trigger(delay=2.0))
        m.answered = 105.0
        assert m.poll(107.0) == ["ack"]
        assert m.deadline == pytest.approx(107.4)
        assert m.poll(107.41) == ["bye"]

    def test_a_stated_end_does_not(self) -> None:
        m = machine(ack=Trigger(delay=2.0), hang_up=Trigger(delay=1.0))
        m.answered = 105.0
        assert m.poll(106.0) == ["bye"]
        assert m.poll(107.0) == ["ack"]

    def test_never_leaves_the_usual_end_to_patience(self) -> None:
        m = machine(ack="never")
        m.answered = 105.0
        assert m.poll(105.3) == []
        assert m.deadline == 105.4
        assert m.poll(105.4) == ["bye"]

    def test_without_a_word_nothing_is_said_about_it(self) -> None:
        m = machine(hang_up=Trigger(delay=3.0))
        m.answered = 105.0
        assert m.poll(107.9) == []


def test_no_cancel_after_a_failure_that_waits_for_its_ack() -> None:
    m = machine(ack=Trigger(delay=9.0), cancel=Trigger(delay=1.0))
    m.refused = 100.5
    assert m.poll(101.0) == []


def test_stopped_it_does_nothing_more() -> None:
    m = machine(Wait(1), INFO, ack=Trigger(delay=1.0), hang_up=Trigger(delay=1.0), happened={ACKED})
    m.answered = 105.0
    m.stop()
    assert m.done
    assert (m.poll(200.0), m.steps(200.0), m.deadline) == ([], [], None)


class TestEarly:
    def test_it_begins_with_the_early_dialog_and_ends_with_the_final_response(self) -> None:
        m = machine(HangUp(), early=(Wait(1), INFO, Wait(5), REINVITE))
        assert m.steps(101.0) == []
        m.rung = 102.0
        assert m.steps(102.0) == []
        assert m.deadline == 103.0
        assert m.steps(103.0) == [INFO]
        assert m.deadline == 108.0
        m.answered = 104.0
        assert m.steps(104.0) == [HangUp()]
        assert m.steps(200.0) == []
        assert m.deadline is None

    def test_a_failure_ends_it(self) -> None:
        m = machine(early=(Wait(1), INFO), ack=Trigger(delay=3.0))
        m.rung, m.refused = 102.0, 102.5
        assert m.steps(103.5) == []
        assert m.deadline == 105.5
