"""The shape of orders across agents in a scenario document."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Tag

from sip_harness.language.fields import (
    EventText,
    Misfit,
)
from sip_harness.language.part import Part, by_kind
from sip_harness.model.pattern import Event


class ShouldOrderDoc(Part):
    """`{should: [alice gets 180, alice gets 200]}`."""

    shape = "{should: [mobile sends 180, alice gets 180]}"
    should: list[EventText]


Events = list[EventText]
OrderItem = Annotated[
    Annotated[EventText, Tag("<event>")]
    | Annotated[Events, Tag("<events>")]
    | Annotated[ShouldOrderDoc, Tag("<should>")],
    by_kind(text="<event>", list="<events>", map="<should>"),
]


def orders(items: list[Event | list[Event] | ShouldOrderDoc]) -> list[Event | list[Event] | ShouldOrderDoc]:
    """Refuse orders of fewer than two events, and events beside lists of events."""
    nested = [not isinstance(item, Event) for item in items]
    if any(nested) and not all(nested):
        raise Misfit(
            "events and lists of events cannot be mixed", "put brackets around each order", nested.index(False)
        )
    if not all(nested) or not items:
        _two(items)
    for index, item in enumerate(items):
        if isinstance(item, ShouldOrderDoc):
            _two(item.should, index, "should")
        elif isinstance(item, list):
            _two(item, index)
    return items


def _two(events: list[Any], *path: str | int) -> None:
    if len(events) < 2:
        raise Misfit("an order needs at least two events", "", *path)
