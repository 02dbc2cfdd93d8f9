"""The shape of expectations in a scenario document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from sip_harness.language.diagnostics import nearest, quoted
from sip_harness.language.expected import expected
from sip_harness.language.fields import (
    CountText,
    EventText,
    ExpectedKey,
    ExpectedText,
    FailoverText,
    Fate,
    HeardText,
    Misfit,
    SourceName,
    TimingText,
)
from sip_harness.language.match_doc import ContentDoc
from sip_harness.language.names import Names
from sip_harness.language.part import Part, by_kind
from sip_harness.language.source import Map, Text
from sip_harness.language.values import Resent
from sip_harness.model.pattern import Event, Pattern, RequestPattern
from sip_harness.model.wanted import Expected, Schedule

T1, T2 = 0.5, 4.0
"""Seconds, RFC 3261 17.1.1.1 and 17.1.2.1."""
_GROUP = "any order"


class MoreDoc(ContentDoc):
    """What can be said of an expected message besides which it is."""

    shape = "{headers: {Retry-After: 30}}, {times: 2}, {when: within 1s of desk sends 503} or {resent: doubling}"
    filled = {  # noqa: RUF012 - pydantic knows it is no field
        **ContentDoc.filled,
        "resent": "write never, doubling or a list of times",
        "from": "name a device, or system",
        "times": "write 2 times, or at most 3 times",
        "when": "write within 1s of desk sends 503",
        "should": "write {should: {headers: {Retry-After: present}}}",
    }
    resent: Resent | None = None
    source: SourceName | None = Field(default=None, alias="from")
    times: CountText | None = None
    when: TimingText | None = None
    should: ContentDoc | None = None


Full = dict[Text, MoreDoc]


def _one_message(value: Full) -> Full:
    if len(value) != 1:
        raise Misfit("one item is one message", "begin each item with a dash", *map(str, list(value)[1:2]), key=True)
    ((text, more),) = value.items()
    plain, key = expected(text, Names()), str(text)
    if more.resent == "doubling" and (wrong := _never_doubles(plain.pattern)):
        raise Misfit(*wrong, key, "resent")
    for word, said, again in (("from", plain.source, more.source), ("times", plain.count, more.times)):
        if said and again:
            raise Misfit(f"{quoted(word)} is said twice", "say it once", key, word, key=True)
    if plain.timing and more.when:
        raise Misfit("when it comes is said twice", "say it once", key, "when", key=True)
    if isinstance(plain.pattern, RequestPattern) and (more.source or more.reason):
        word = "from" if more.source else "reason"
        raise Misfit(f"a request has no {quoted(word)}", "only responses have", key, word, key=True)
    if more.uri and not isinstance(plain.pattern, RequestPattern):
        raise Misfit("a response has no 'uri'", "only requests have", key, "uri", key=True)
    return value


def _never_doubles(pattern: Pattern) -> tuple[str, str] | None:
    """Messages without a timer of their own that sends them again."""
    if isinstance(pattern, RequestPattern):
        wrong = "an ACK is sent again only for each final response that comes again" if pattern.method == "ACK" else ""
    elif pattern.method != "INVITE":
        wrong = f"a response to {pattern.method} is sent again only if the request is"
    else:
        mixed = bool(pattern.codes) and min(pattern.codes) < 200 <= max(pattern.codes)
        wrong = "provisional and final responses are sent again by different rules" if mixed else ""
    return (wrong, "write a list of times, as [500ms, 1.5s]") if wrong else None


def _doubling(pattern: Pattern) -> Schedule:
    """From T1 on: without a limit for INVITE (RFC 3261 17.1.1.2) and reliable provisionals (RFC 3262 3), up to T2 for
    other requests (17.1.2.2) and final responses to an INVITE (13.3.1.4, 17.2.1)."""
    limited = (
        pattern.method != "INVITE" if isinstance(pattern, RequestPattern) else min(pattern.codes, default=200) >= 200
    )
    return Schedule(first=T1, cap=T2 if limited else 0.0, until="transaction")


def expected_of(item: Expected | Full) -> Expected:
    """The expected message in the form of the model."""
    if isinstance(item, Expected):
        return item
    ((key, more),) = item.items()
    plain = expected(key, Names())
    should = more.should.matches("should") if more.should else ()
    return replace(
        plain,
        source=plain.source or more.source or "",
        count=plain.count or more.times,
        timing=plain.timing or more.when,
        matches=(*more.matches(plain.severity), *should),
        resent=_resent(plain.pattern, more),
    )


def _resent(pattern: Pattern, more: MoreDoc) -> Schedule | None:
    if more.resent is None:
        return None
    if more.resent == "doubling":
        return _doubling(pattern)
    return Schedule() if more.resent == "never" else Schedule(at=tuple(more.resent))


_KINDS = ("proxy", "b2bua", "trunk-client")


def _form(value: object) -> str | None:
    """A message in words, one with more to say, `{any order: [...]}`, `{should: [...]}` or one list per kind of system,
    also where that is mistyped."""
    if isinstance(value, Map):
        plain = [key for key in value if not isinstance(value[key], Map)]
        for form, words in (("<group>", (_GROUP,)), ("<should>", ("should",)), ("<kinds>", _KINDS)):
            if any(key in words for key in value) or any(nearest(key, words) for key in plain):
                return form
        return "<full>"
    return "<message>" if isinstance(value, Text) else None


_Words = Annotated[ExpectedText, Tag("<message>")]
_WithMore = Annotated[dict[ExpectedKey, MoreDoc], AfterValidator(_one_message), Tag("<full>")]
Message = Annotated[_Words | _WithMore, by_kind(text="<message>", map="<full>")]


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


def _not_empty(items: list[Any]) -> list[Any]:
    if not items:
        raise Misfit("an empty list of messages", "write never for an agent that must not be called")
    return items


_Group = Annotated[GroupDoc, Tag("<group>")]
_Plain = Annotated[list[Annotated[_Words | _WithMore | _Group, Discriminator(_form)]], AfterValidator(_not_empty)]


class ShouldDoc(Part):
    """`{should: [...]}`: messages whose absence is a warning."""

    shape = "{should: [180, 200]}"
    filled = {"should": "write {should: [180]}"}  # noqa: RUF012 - pydantic knows it is no field
    should: _Plain


_Should = Annotated[ShouldDoc, Tag("<should>")]
_Graded = Annotated[
    list[Annotated[_Words | _WithMore | _Group | _Should, Discriminator(_form)]], AfterValidator(_not_empty)
]


class ItemKindsDoc(Part):
    """Messages by the kind of system."""

    shape = "{proxy: [486], b2bua: [480]}"
    filled = dict.fromkeys(_KINDS, "write a list, or drop it: a kind that is not named owes nothing here")
    proxy: _Graded | None = None
    b2bua: _Graded | None = None
    trunk: _Graded | None = Field(default=None, alias="trunk-client")


Item = Expected | GroupDoc | Full | ShouldDoc | ItemKindsDoc
Items = Annotated[
    list[
        Annotated[_Words | _WithMore | _Group | _Should | Annotated[ItemKindsDoc, Tag("<kinds>")], Discriminator(_form)]
    ],
    AfterValidator(_not_empty),
]
Due = Annotated[
    Annotated[Items, Tag("<items>")] | Annotated[Fate, Tag("<fate>")], by_kind(list="<items>", text="<fate>")
]
_Heard = Annotated[
    Annotated[HeardText, Tag("<text>")] | Annotated[list[HeardText], AfterValidator(_not_empty), Tag("<list>")],
    by_kind(text="<text>", list="<list>"),
]


class AgentDoc(Part):
    """What one agent gets and hears, in full form."""

    shape = "{gets: [180, 200], hears: tone from desk}, {should: [...]} or {proxy: [...], b2bua: [...]}"
    filled = dict.fromkeys(("gets", "should", "hears", *_KINDS, "then", "else"), "write a list of messages, or drop it")
    gets: Due | None = None
    should: Due | None = None
    hears: _Heard | None = None
    proxy: Due | None = None
    b2bua: Due | None = None
    trunk: Due | None = Field(default=None, alias="trunk-client")
    condition: FailoverText | None = Field(default=None, alias="if")
    tried: Due | None = Field(default=None, alias="then")
    other: Due | None = Field(default=None, alias="else")

    @model_validator(mode="after")
    def _whole_condition(self) -> AgentDoc:
        said = {"if": self.condition, "then": self.tried, "else": self.other}
        lacks = [word for word, value in said.items() if value is None]
        if 0 < len(lacks) < len(said):
            raise Misfit(
                f"{quoted(lacks[0])} is missing",
                "write {if: policy.failover has 503, then: [200 from g2], else: [503 from g1]}",
                next(word for word in said if word not in lacks),
                key=True,
            )
        return self

    @model_validator(mode="after")
    def _something(self) -> AgentDoc:
        if not any(getattr(self, name) is not None for name in type(self).model_fields):
            raise Misfit("nothing is expected here", f"write {self.shape}", key=True)
        return self


Expectation = Annotated[
    Annotated[Items, Tag("<items>")] | Annotated[Fate, Tag("<fate>")] | Annotated[AgentDoc, Tag("<agent>")],
    by_kind(list="<items>", text="<fate>", map="<agent>"),
]
Path = tuple[str | int, ...]


def dues(wanted: Any) -> Iterator[tuple[Path, Any]]:
    """Every list of messages and every fate in an expectation, with its path below it."""
    if not isinstance(wanted, AgentDoc):
        yield (), wanted
        return
    for name, field in type(wanted).model_fields.items():
        value = getattr(wanted, name)
        if name not in ("hears", "condition") and value is not None:
            yield (field.alias or name,), value


def messages(item: Any) -> Iterator[tuple[Path, Expected]]:
    """The messages of an item or a list of items, each with its path below it."""
    if isinstance(item, list):
        yield from (((n, *path), one) for n, below in enumerate(item) for path, one in messages(below))
    elif isinstance(item, (GroupDoc, ShouldDoc, ItemKindsDoc)):
        for name, field in type(item).model_fields.items():
            key = field.alias or name
            yield from (((key, *path), one) for path, one in messages(getattr(item, name) or []))
    elif isinstance(item, (Expected, dict)):
        yield (), expected_of(item)


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
