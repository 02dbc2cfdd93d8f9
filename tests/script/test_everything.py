"""What a scenario waits for and how long it takes, wherever that stands."""

from __future__ import annotations

import pytest

from sip_harness.language import load_text
from sip_harness.model.scenario import Scenario
from sip_harness.model.steps import Request, Wait
from sip_harness.script.everything import awaited_in, seconds_in, steps_in, triggers_in

TEXT = """\
title: t
id: S-1
targets: {bob: {ring: [desk]}}
devices:
  desk:
    answers: [[wait 1s, 486], [after alice sends INVITE, 180: {resend: [500ms, 3s]}, after desk gets CANCEL, 486]]
    on: {BYE: [wait 10s, 200], OPTIONS: [[after desk gets BYE, 200], [wait 20s, 200]]}
calls:
  - from: alice
    to: bob
    ack: 100s after desk sends 486
    hang up: 200s
    then: [wait 1000s, after desk gets INFO, send: INFO]
    on: {UPDATE: [wait 2000s, 200]}
  - {from: alice, to: bob, cancel: 400s after desk sends 180, ack: never}
expect: {alice: [486]}
"""


@pytest.fixture
def scenario() -> Scenario:
    return load_text(TEXT, "f")


def test_every_step_of_every_agent(scenario: Scenario) -> None:
    steps = list(steps_in(scenario))
    assert len(steps) == 2 + 4 + 2 + 4 + 3 + 2
    assert [s.seconds for s in steps if isinstance(s, Wait)] == [1, 10, 20, 1000, 2000]
    assert [s.method for s in steps if isinstance(s, Request)] == ["INFO"]


def test_everything_that_is_waited_for(scenario: Scenario) -> None:
    assert sorted(map(str, awaited_in(scenario))) == [
        "alice sends INVITE",
        "desk gets BYE",
        "desk gets CANCEL",
        "desk gets INFO",
        "desk sends 180",
        "desk sends 486",
    ]


def test_never_is_no_trigger(scenario: Scenario) -> None:
    assert [t.delay for t in triggers_in(scenario)] == [200, 100, 400]


def test_all_that_takes_time_is_counted_once(scenario: Scenario) -> None:
    assert seconds_in(scenario) == pytest.approx(1 + 3 + 10 + 20 + 1000 + 2000 + 100 + 200 + 400)


def test_a_scenario_that_waits_for_nothing() -> None:
    plain = load_text(
        "title: t\nid: S-1\ntargets: {bob: {ring: [desk]}}\ndevices: {desk: {answer: [486]}}\n"
        "calls: [{from: alice, to: bob}]\nexpect: {alice: [486]}\n",
        "f",
    )
    assert list(awaited_in(plain)) == []
    assert seconds_in(plain) == 0.0
