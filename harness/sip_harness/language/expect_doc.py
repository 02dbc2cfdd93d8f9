"""The shape of expectations in a scenario document."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, Tag, model_validator

from sip_harness.language.fields import EventText, ExpectedText, Fate, Misfit
from sip_harness.language.part import Part, by_kind
from sip_harness.model.pattern import Event
from sip_harness.model.scenario import Expected


class GroupDoc(Part):
    """`{any order: [...]}`."""

    shape = "{any order: [ACK to 487, CANCEL]}"
    any_order: list[ExpectedText] = Field(alias="any order")

    @model_validator(mode="after")
    def _due(self) -> GroupDoc:
        if len(self.any_order) < 2:
            raise Misfit("'any order' needs at least two messages", "", "any order")
        for index, item in enumerate(self.any_order):
            if item.maybe:
                raise Misfit("all of 'any order' is due", "put 'maybe' outside of it", "any order", index)
        return self


Item = Expected | GroupDoc


def _not_empty(items: list[Item]) -> list[Item]:
    if not items:
        raise Misfit("an empty list of messages", "write never for an agent that must not be called")
    return items


Items = Annotated[
    list[
        Annotated[
            Annotated[ExpectedText, Tag("<message>")] | Annotated[GroupDoc, Tag("<group>")],
            by_kind(text="<message>", map="<group>"),
        ]
    ],
    AfterValidator(_not_empty),
]
Expectation = Annotated[
    Annotated[Items, Tag("<items>")] | Annotated[Fate, Tag("<fate>")], by_kind(list="<items>", text="<fate>")
]
Events = list[EventText]
OrderItem = Annotated[
    Annotated[EventText, Tag("<event>")] | Annotated[Events, Tag("<events>")], by_kind(text="<event>", list="<events>")
]


def orders(items: list[Event | list[Event]]) -> list[Event | list[Event]]:
    nested = [isinstance(item, list) for item in items]
    if any(nested) and not all(nested):
        raise Misfit(
            "events and lists of events cannot be mixed", "put brackets around each order", nested.index(False)
        )
    if not all(nested) or not items:
        _two(items)
    for index, item in enumerate(items):
        if isinstance(item, list):
            _two(item, index)
    return items


def _two(events: list[Any], *path: int) -> None:
    if len(events) < 2:
        raise Misfit("an order needs at least two events", "", *path)
