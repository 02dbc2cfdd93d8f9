"""When calls with times of their own are made, and when a run with a watch ends."""

from __future__ import annotations

import pytest

from sip_harness.language import load_text
from sip_harness.run.timeline import Timeline


def timeline(calls: str = "", watch: str = "") -> Timeline:
    text = (
        "title: t\nid: T-1\ntargets: {pstn: {hunt: [g1]}}\ncarriers: {g1: {answer: [503], on: {REGISTER: [200]}}}\n"
        if calls
        else "title: t\nid: T-1\ncarriers: {g1: {on: {REGISTER: [200]}}}\n"
    )
    text += f"calls: [{calls}]\n" if calls else ""
    text += f"watch: {watch}\n" if watch else ""
    return Timeline(load_text(f"{text}expect: {{g1: reached}}\n", "t.sip.yaml"), begin=100.0, limit=5.0)


def names(line: Timeline, now: float, *, over: bool = False) -> list[str]:
    return [call.name for call in line.due(now, over=over)]


def test_calls_overlap_where_they_have_times() -> None:
    line = timeline("{from: a, to: pstn}, {from: b, to: pstn, at: 0s}, {from: c, to: pstn, at: 500ms}")
    assert names(line, 100.0, over=True) == ["call-1", "call-2"]
    assert line.next(100.0) == pytest.approx(0.5)
    assert names(line, 100.4) == []
    assert names(line, 100.5) == ["call-3"]
    assert not line.ended(101.0, over=False)
    assert line.ended(101.0, over=True)


def test_a_call_waits_for_its_event_and_the_next_one_for_its_turn() -> None:
    line = timeline("{from: a, to: pstn}, {from: b, to: pstn, at: 1s after g1 sends 503}, {from: c, to: pstn}")
    assert names(line, 100.0, over=True) == ["call-1"]
    assert names(line, 101.0, over=True) == []
    line.happened("g1 sends 503", 101.0)
    line.happened("g1 sends 503", 104.0)
    assert line.next(101.0) == pytest.approx(1.0)
    assert names(line, 102.0) == ["call-2"]
    assert names(line, 102.5) == []
    assert names(line, 103.0, over=True) == ["call-3"]
    assert line.missing() == []


def test_an_event_that_never_happens_ends_the_run_at_the_limit() -> None:
    line = timeline("{from: a, to: pstn}, {from: b, to: pstn, name: late, at: after g1 sends 486 to OPTIONS}")
    line.due(101.0, over=True)
    assert not line.given_up(105.9)
    assert line.given_up(106.0)
    assert line.missing() == ["late was never made: it waited in vain for after g1 sends 486 to OPTIONS"]


def test_a_watch_lasts_its_time() -> None:
    line = timeline(watch="3s")
    assert line.next(100.0) == pytest.approx(3.0)
    assert not line.ended(102.9, over=True)
    assert line.ended(103.0, over=True)
    assert not line.ended(103.0, over=False)
    assert line.missing() == []


def test_a_watch_ends_with_its_event_or_says_that_it_did_not_happen() -> None:
    line = timeline(watch="{until: g1 gets 2 REGISTER, at most: 4s}")
    assert not line.ended(101.0, over=True)
    assert line.missing() == ["in 4 s it did not come about that g1 gets 2 REGISTER"]
    line.happened("g1 gets 2 REGISTER", 101.0)
    assert line.ended(101.0, over=True)
    assert line.missing() == []
