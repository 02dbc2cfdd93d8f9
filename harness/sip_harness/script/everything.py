"""All that a scenario does, wherever it stands: for those who have to know what it waits for and how long it takes."""

from __future__ import annotations

from collections.abc import Iterator

from sip_harness.model.pattern import Event, Trigger
from sip_harness.model.scenario import Scenario
from sip_harness.model.script import Script
from sip_harness.model.steps import After, Request, Send, Step, Wait
from sip_harness.sip.digest import realm_of
from sip_harness.sip.fields import canonical

_CHALLENGES = ("www-authenticate", "proxy-authenticate")


def steps_in(scenario: Scenario) -> Iterator[Step]:
    """Every step of every agent: answers by attempt, reactions, and what callers do from the answer on."""
    for device in scenario.devices:
        yield from steps_of(device.script)
    for call in scenario.calls:
        yield from call.meanwhile
        yield from call.early
        yield from call.then
        if call.script is not None:
            yield from steps_of(call.script)


def triggers_in(scenario: Scenario) -> Iterator[Trigger]:
    """Everything that starts something at a caller."""
    for call in scenario.calls:
        yield from (t for t in (call.at, call.cancel, call.hang_up, call.ack) if isinstance(t, Trigger))


def awaited_in(scenario: Scenario) -> Iterator[Event]:
    """Every event that some step, call or watch waits for."""
    yield from (step.event for step in steps_in(scenario) if isinstance(step, After))
    yield from (trigger.event for trigger in triggers_in(scenario) if trigger.event is not None)
    if scenario.watch is not None and scenario.watch.until is not None:
        yield scenario.watch.until


def seconds_in(scenario: Scenario) -> float:
    """Seconds that everything takes that is scripted to take time, one after the other."""
    waits = sum(map(_seconds, steps_in(scenario)))
    waits += sum(max(call.how.resend or (), default=0.0) for call in scenario.calls)
    watched = scenario.watch.seconds if scenario.watch is not None else 0.0
    return waits + watched + sum(trigger.delay for trigger in triggers_in(scenario))


def made_up_realms(scenario: Scenario) -> frozenset[str]:
    """Realms of plain 401 and 407 responses that agents are told to send: nobody has credentials for them, whereas the
    step `challenge` asks for those of the caller."""
    refused = (s for s in steps_in(scenario) if isinstance(s, Send) and s.code in (401, 407))
    values = (value for s in refused for name, value in s.headers if canonical(name) in _CHALLENGES)
    return frozenset(realm for value in values if (realm := realm_of([value])))


def steps_of(script: Script) -> Iterator[Step]:
    """Every step of one agent's script."""
    for attempt in script.lists:
        yield from attempt
    for reaction in script.reactions:
        for attempt in reaction.lists:
            yield from attempt


def _seconds(step: Step) -> float:
    if isinstance(step, Wait):
        return step.seconds
    if isinstance(step, Send | Request):
        return max(step.how.resend or (), default=0.0)
    return 0.0
