"""Scenarios that can be read but make no sense: what no single part shows."""

from __future__ import annotations

from collections.abc import Iterator

from sip_harness.language.diagnostics import quoted
from sip_harness.language.fields import Misfit
from sip_harness.language.schema import ScenarioDoc
from sip_harness.model.pattern import Event, RequestPattern
from sip_harness.model.scenario import After, Send

_Path = tuple[str | int, ...]
_BY_ITSELF = frozenset({100, 487})
"""What a user agent answers to an INVITE without being told: RFC 3261 8.2.6.1 and 9.2."""


def senseless(document: ScenarioDoc) -> Iterator[Misfit]:
    """Everything in a readable scenario that its author cannot have meant."""
    yield from _assertions(document)
    yield from _idle(document)
    yield from _calls(document)
    yield from _called_callers(document)
    yield from _impossible_events(document)


def _assertions(document: ScenarioDoc) -> Iterator[Misfit]:
    if not document.expect and not document.order:
        hint = "say under 'expect' what each agent gets, as 'alice: [486 from desk]'"
        yield Misfit("this scenario asserts nothing: it could never fail", hint, "expect", key=True)


def _idle(document: ScenarioDoc) -> Iterator[Misfit]:
    """Targets and devices that cannot take part.

    A device outside of every target is welcome if something is expected of it (`never`); without that it is a slip of
    the pen, and a silent one: the scenario would pass although the author thinks that this device was tried.
    """
    dialled = {call.to for call in document.calls}
    for name in document.targets:
        if name not in dialled:
            yield Misfit(f"no call dials {quoted(name)}", "drop this target or call it", "targets", str(name), key=True)
    members = {m for target in document.targets.values() for m in target.members[1]}
    named = {str(name) for name in document.expect} | {event.agent for _, event in _order_events(document)}
    for name in document.devices:
        if name not in members | named:
            hint = f"put it into a target, or expect '{name}: never', or drop it"
            message = f"{quoted(name)} is in no target and nothing is expected of it"
            yield Misfit(message, hint, "devices", str(name), key=True)


def _calls(document: ScenarioDoc) -> Iterator[Misfit]:
    seen: set[str] = set()
    for index, call in enumerate(document.calls):
        if call.name is not None and call.name in seen:
            yield Misfit(f"two calls are named {quoted(call.name)}", "", "calls", index, "name")
        seen.add(str(call.name))


def _called_callers(document: ScenarioDoc) -> Iterator[Misfit]:
    for name, wanted in document.expect.items():
        if isinstance(wanted, str) and name not in document.devices:
            message = f"{quoted(name)} makes calls: {quoted(wanted)} is for devices"
            yield Misfit(message, f"write what it gets, as '{name}: [486]'", "expect", str(name))


def _impossible_events(document: ScenarioDoc) -> Iterator[Misfit]:
    """Waiting for a response that its device never sends would wait until the run is ended."""
    sent = {
        str(name): {one.code for steps in device.attempts for one in steps if isinstance(one, Send)}
        for name, device in document.devices.items()
    }
    for path, event in _events(document):
        pattern = event.pattern
        if event.verb != "sends" or event.agent not in sent or isinstance(pattern, RequestPattern):
            continue
        if pattern.method == "INVITE" and not pattern.codes & (sent[event.agent] | _BY_ITSELF):
            codes = sorted(sent[event.agent])
            hint = f"it sends {', '.join(map(str, codes))}" if codes else "it sends no response at all"
            yield Misfit(f"{quoted(event.agent)} never sends {pattern}", hint, *path)


def _events(document: ScenarioDoc) -> Iterator[tuple[_Path, Event]]:
    """Every event that something waits for, with the path of its text."""
    for name, device in document.devices.items():
        lists = [("answer",)] if device.answers is None else [("answers", i) for i in range(len(device.answers))]
        for below, steps in zip(lists, device.attempts, strict=True):
            for index, one in enumerate(steps):
                if isinstance(one, After):
                    yield ("devices", str(name), *below, index, "after"), one.event
    for index, call in enumerate(document.calls):
        for key, trigger in (("cancel", call.cancel), ("hang up", call.hang_up)):
            if trigger is not None and trigger.event is not None:
                yield ("calls", index, key), trigger.event
    yield from _order_events(document)


def _order_events(document: ScenarioDoc) -> Iterator[tuple[_Path, Event]]:
    for index, item in enumerate(document.order):
        if isinstance(item, list):
            yield from ((("order", index, inner), event) for inner, event in enumerate(item))
        else:
            yield ("order", index), item
