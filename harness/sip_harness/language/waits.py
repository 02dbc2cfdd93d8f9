"""Everything in a scenario document that waits for an event, with its place."""

from __future__ import annotations

from collections.abc import Iterator

from sip_harness.language.call_doc import CallDoc
from sip_harness.language.order_doc import ShouldOrderDoc
from sip_harness.language.reaction_doc import lists_of
from sip_harness.language.schema import ScenarioDoc
from sip_harness.language.step_doc import StepDoc, steps_of
from sip_harness.language.watch_doc import WatchDoc
from sip_harness.model.pattern import Event, Trigger
from sip_harness.model.steps import After

_Path = tuple[str | int, ...]


def events(document: ScenarioDoc) -> Iterator[tuple[_Path, Event]]:
    """Every event that something waits for, with the path of its text."""
    for path, steps in lists(document):
        for index, one in enumerate(steps_of(steps)):
            if isinstance(one, After):
                yield (*path, index, "after"), one.event
    for index, call in enumerate(document.calls):
        for key, trigger in _triggers(call):
            if isinstance(trigger, Trigger) and trigger.event is not None:
                yield ("calls", index, key), trigger.event
    if document.watch is not None and document.watch.until is not None:
        full = isinstance(document.watch, WatchDoc)
        yield ("watch", "until") if full else ("watch",), document.watch.until
    yield from order_events(document)


def _triggers(call: CallDoc) -> tuple[tuple[str, object], ...]:
    return ("at", call.at), ("cancel", call.cancel), ("hang up", call.hang_up), ("ack", call.ack)


def order_events(document: ScenarioDoc) -> Iterator[tuple[_Path, Event]]:
    """The events of `order`."""
    for index, item in enumerate(document.order):
        if isinstance(item, ShouldOrderDoc):
            yield from ((("order", index, "should", inner), event) for inner, event in enumerate(item.should))
        elif isinstance(item, list):
            yield from ((("order", index, inner), event) for inner, event in enumerate(item))
        else:
            yield ("order", index), item


def lists(document: ScenarioDoc) -> Iterator[tuple[_Path, list[StepDoc]]]:
    """Every list of steps with its path."""
    for name, device in document.agents.items():
        above: _Path = (document.section(name), str(name))
        yield from (((*above, *path), steps) for path, steps in device.lists)
        yield from (((*above, "on", *path), steps) for _, path, steps in lists_of(device.on))
    for number, call in enumerate(document.calls):
        yield ("calls", number, "meanwhile"), call.meanwhile or []
        yield ("calls", number, "early"), call.early or []
        yield ("calls", number, "then"), call.then or []
        yield from ((("calls", number, "on", *path), steps) for _, path, steps in lists_of(call.on))
