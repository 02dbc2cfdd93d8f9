"""The shape of expectations in a scenario document."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from sip_harness.language.diagnostics import nearest
from sip_harness.language.fields import EventText, ExpectedKey, ExpectedText, Fate, Misfit
from sip_harness.language.grammar import expected
from sip_harness.language.names import Names
from sip_harness.language.part import Part, by_kind
from sip_harness.language.source import Map, Text
from sip_harness.language.values import Resent
from sip_harness.model.pattern import Event, Pattern, RequestPattern
from sip_harness.model.scenario import Expected, Schedule

T1, T2 = 0.5, 4.0
"""Seconds, RFC 3261 17.1.1.1 and 17.1.2.1."""
_GROUP = "any order"


class MoreDoc(Part):
    """What can be said of an expected message besides which it is."""

    shape = "{resent: [500ms, 1.5s]}, {resent: doubling} or {resent: never}"
    filled = {"resent": "write never, doubling or a list of times"}  # noqa: RUF012 - pydantic knows it is no field
    resent: Resent | None = None


Full = dict[Text, MoreDoc]


def _one_message(value: Full) -> Full:
    if len(value) != 1:
        raise Misfit("one item is one message", "begin each item with a dash", *map(str, list(value)[1:2]), key=True)
    ((key, more),) = value.items()
    if more.resent == "doubling" and (wrong := _never_doubles(expected(key, Names()).pattern)):
        raise Misfit(*wrong, str(key), "resent")
    return value


def _never_doubles(pattern: Pattern) -> tuple[str, str] | None:
    """Messages without a timer of their own that sends them again."""
    if isinstance(pattern, RequestPattern):
        wrong = "an ACK is sent again only for each final response that comes again" if pattern.method == "ACK" else ""
    elif pattern.method != "INVITE":
        wrong = f"a response to {pattern.method} is sent again only if the request is"
    else:
        mixed = min(pattern.codes) < 200 <= max(pattern.codes)
        wrong = "provisional and final responses are sent again by different rules" if mixed else ""
    return (wrong, "write a list of times, as [500ms, 1.5s]") if wrong else None


def _doubling(pattern: Pattern) -> Schedule:
    """From T1 on: without a limit for INVITE (RFC 3261 17.1.1.2) and reliable provisionals (RFC 3262 3), up to T2 for
    other requests (17.1.2.2) and final responses to an INVITE (13.3.1.4, 17.2.1)."""
    limited = pattern.method != "INVITE" if isinstance(pattern, RequestPattern) else min(pattern.codes) >= 200
    return Schedule(first=T1, cap=T2 if limited else 0.0, until="transaction")


def expected_of(item: Expected | Full) -> Expected:
    """The expected message in the form of the model."""
    if isinstance(item, Expected):
        return item
    ((key, more),) = item.items()
    plain = expected(key, Names())
    if more.resent is None:
        return plain
    if more.resent == "doubling":
        return replace(plain, resent=_doubling(plain.pattern))
    return replace(plain, resent=Schedule() if more.resent == "never" else Schedule(at=tuple(more.resent)))


def _form(value: object) -> str | None:
    """A message in words, one with more to say, or `{any order: [...]}`, also where that is mistyped."""
    if isinstance(value, Map):
        is_group = any(key == _GROUP or (nearest(key, [_GROUP]) and not isinstance(value[key], Map)) for key in value)
        return "<group>" if is_group else "<full>"
    return "<message>" if isinstance(value, Text) else None


Message = Annotated[
    Annotated[ExpectedText, Tag("<message>")]
    | Annotated[dict[ExpectedKey, MoreDoc], AfterValidator(_one_message), Tag("<full>")],
    by_kind(text="<message>", map="<full>"),
]


class GroupDoc(Part):
    """`{any order: [...]}`."""

    shape = "{any order: [ACK to 487, CANCEL]}"
    any_order: list[Message] = Field(alias="any order")

    @model_validator(mode="after")
    def _due(self) -> GroupDoc:
        if len(self.any_order) < 2:
            raise Misfit("'any order' needs at least two messages", "", _GROUP)
        for index, item in enumerate(self.any_order):
            if expected_of(item).maybe:
                raise Misfit("all of 'any order' is due", "put 'maybe' outside of it", _GROUP, index)
        return self


Item = Expected | GroupDoc | Full


def messages(item: Item) -> list[tuple[tuple[str | int, ...], Expected]]:
    """The messages of an item, each with its path below it."""
    if isinstance(item, GroupDoc):
        return [((_GROUP, index), expected_of(one)) for index, one in enumerate(item.any_order)]
    return [((), expected_of(item))]


def _not_empty(items: list[Item]) -> list[Item]:
    if not items:
        raise Misfit("an empty list of messages", "write never for an agent that must not be called")
    return items


Items = Annotated[
    list[
        Annotated[
            Annotated[ExpectedText, Tag("<message>")]
            | Annotated[dict[ExpectedKey, MoreDoc], AfterValidator(_one_message), Tag("<full>")]
            | Annotated[GroupDoc, Tag("<group>")],
            Discriminator(_form),
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
    """Refuse orders of fewer than two events, and events beside lists of events."""
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
