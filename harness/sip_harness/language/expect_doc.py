"""The shape of expectations in a scenario document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from sip_harness.language.diagnostics import nearest, quoted
from sip_harness.language.fields import (
    FailoverText,
    Fate,
    HeardText,
    Misfit,
)
from sip_harness.language.message_doc import Full, Message, WithMore, Words, expected_of
from sip_harness.language.part import Part, by_kind
from sip_harness.language.source import Map, Text
from sip_harness.model.wanted import Expected

_GROUP = "any order"


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
_Plain = Annotated[list[Annotated[Words | WithMore | _Group, Discriminator(_form)]], AfterValidator(_not_empty)]


class ShouldDoc(Part):
    """`{should: [...]}`: messages whose absence is a warning."""

    shape = "{should: [180, 200]}"
    filled = {"should": "write {should: [180]}"}  # noqa: RUF012 - pydantic knows it is no field
    should: _Plain


_Should = Annotated[ShouldDoc, Tag("<should>")]
_Graded = Annotated[
    list[Annotated[Words | WithMore | _Group | _Should, Discriminator(_form)]], AfterValidator(_not_empty)
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
        Annotated[Words | WithMore | _Group | _Should | Annotated[ItemKindsDoc, Tag("<kinds>")], Discriminator(_form)]
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
