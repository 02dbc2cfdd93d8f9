"""Scripts carried out step by step, with time passed in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_harness.model.pattern import Event, RequestPattern, ResponsePattern, Trigger
from sip_harness.model.scenario import Call
from sip_harness.model.steps import After, HangUp, Send, Silence, Step, Wait
from sip_harness.script.machine import ACKED, AnswerMachine, CallMachine

RINGING, BUSY, OK = Send(180, "Ringing"), Send(486, "Busy Here"), Send(200, "OK")
EVENT = Event("mobile", "sends", ResponsePattern(frozenset({180})))
NAME = "mobile sends 180"


def machine(*steps: Step, happened: set[str] | None = None, now: float = 100.0) -> AnswerMachine:
    return AnswerMachine(steps, set() if happened is None else happened, now)


def test_steps_that_wait_for_nothing_are_due_at_once_and_in_order() -> None:
    m = machine(RINGING, BUSY)
    assert m.poll(100.0) == [RINGING, BUSY]
    assert m.done
    assert m.poll(200.0) == []


def test_a_wait_counts_from_the_step_before_not_from_when_that_was_polled() -> None:
    m = machine(RINGING, Wait(0.5), BUSY, Wait(0.5), HangUp())
    assert m.poll(100.2) == [RINGING]
    assert m.deadline == 100.5
    assert m.poll(100.499) == []
    assert m.poll(100.8) == [BUSY]
    assert m.deadline == 101.0
    assert m.poll(101.0) == [HangUp()]
    assert m.deadline is None


def test_a_late_poll_carries_out_all_that_is_due() -> None:
    assert machine(Wait(1), RINGING, Wait(1), BUSY).poll(102.0) == [RINGING, BUSY]


def test_after_goes_on_when_it_happens_and_waits_count_from_there() -> None:
    happened: set[str] = set()
    m = machine(RINGING, After(EVENT), Wait(0.1), BUSY, happened=happened)
    assert m.poll(100.0) == [RINGING]
    assert m.deadline is None
    happened.add(NAME)
    assert m.poll(107.0) == []
    assert m.deadline == pytest.approx(107.1)
    assert m.poll(m.deadline or 0) == [BUSY]


def test_after_something_that_has_already_happened_goes_on_at_once() -> None:
    m = machine(RINGING, After(EVENT), Wait(0.1), BUSY, happened={NAME})
    assert m.poll(100.0) == [RINGING]
    assert m.poll(100.1) == [BUSY]


def test_silence_is_something_to_carry_out() -> None:
    assert machine(Silence()).poll(100.0) == [Silence()]


def test_a_stopped_script_does_nothing_more() -> None:
    m = machine(RINGING, Wait(1), BUSY)
    m.poll(100.0)
    m.stop()
    assert m.poll(200.0) == []
    assert m.deadline is None


step_lists = st.lists(st.one_of(st.just(RINGING), st.floats(0, 2).map(Wait), st.just(After(EVENT))), max_size=8)


@given(step_lists, st.lists(st.floats(0, 1), max_size=40), st.integers(0, 39))
def test_however_it_is_polled_every_step_comes_once_and_in_order(
    steps: list[Step], pauses: list[float], when: int
) -> None:
    happened: set[str] = set()
    m, now, seen = machine(*steps, happened=happened), 100.0, 0
    for n, pause in enumerate(pauses):
        if n == when:
            happened.add(NAME)
        now += pause
        seen += len(m.poll(now))
        assert m.deadline is None or m.deadline > now
    happened.add(NAME)
    while not m.done:
        now = max(now, m.deadline or now)
        seen += len(m.poll(now))
    assert seen == sum(isinstance(s, Send) for s in steps)


def call(cancel: Trigger | None = None, hang_up: Trigger | None = None) -> Call:
    return Call("first", "alice", "bob", cancel, hang_up)


def caller(of: Call, happened: set[str] | None = None) -> CallMachine:
    return CallMachine(of, set() if happened is None else happened, 100.0, patience=0.4)


def test_a_call_without_a_stated_end_is_hung_up_when_an_answering_device_has_its_ack() -> None:
    happened: set[str] = set()
    m = caller(call(), happened)
    assert m.poll(105.0) == []
    m.answered = 105.0
    assert m.poll(105.1) == []
    happened.add(ACKED)
    assert m.poll(105.1) == ["bye"]
    assert m.poll(106.0) == []


def test_and_at_the_latest_when_patience_is_over() -> None:
    m = caller(call())
    m.answered = 105.0
    assert m.deadline == 105.4
    assert m.poll(105.4) == ["bye"]


def test_cancel_after_a_time_counts_from_the_invite() -> None:
    m = caller(call(cancel=Trigger(None, 0.3)))
    assert m.deadline == 100.3
    assert m.poll(100.29) == []
    assert m.poll(100.3) == ["cancel"]
    assert m.poll(100.4) == []


def test_cancel_so_long_after_an_event() -> None:
    happened: set[str] = set()
    m = caller(call(cancel=Trigger(EVENT, 0.3)), happened)
    assert m.poll(101.0) == []
    happened.add(NAME)
    assert m.poll(102.0) == []
    assert m.deadline == 102.3
    assert m.poll(102.3) == ["cancel"]


def test_no_cancel_once_answered() -> None:
    m = caller(call(cancel=Trigger(None, 0.3), hang_up=Trigger(None, 5)))
    m.answered = 100.2
    assert m.poll(100.4) == []
    assert m.deadline == 105.2


def test_hang_up_after_a_time_counts_from_the_answer() -> None:
    m = caller(call(hang_up=Trigger(None, 0.2)), {ACKED})
    m.answered = 103.0
    assert m.poll(103.1) == []
    assert m.poll(103.2) == ["bye"]


def test_hang_up_after_an_event() -> None:
    event = Event("desk", "gets", RequestPattern("ACK", frozenset({486})))
    happened: set[str] = set()
    m = caller(call(hang_up=Trigger(event)), happened)
    m.answered = 103.0
    assert m.poll(110.0) == []
    happened.add("desk gets ACK to 486")
    assert m.poll(110.0) == ["bye"]
