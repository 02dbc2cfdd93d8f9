"""The shape of what an expected message has to carry: headers, body, reason phrase, Request-URI."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

from pydantic import AfterValidator, Field, Tag, model_validator

from sip_harness.language.diagnostics import quoted
from sip_harness.language.fields import HeaderName, Misfit, reads
from sip_harness.language.headers import canonical
from sip_harness.language.names import Names
from sip_harness.language.part import Part, by_kind
from sip_harness.language.source import Text, Word
from sip_harness.language.words import code
from sip_harness.model.expecting import Match, Severity
from sip_harness.model.linear import BadExpression, expression

_PRESENCE = ("present", "absent")
_SAME = "same as "
_EARLIER = "earlier"


def _matched(text: Text, names: Names) -> Match:
    """Read `30`, `/cause=26/`, `present`, `absent` or `same as desk`."""
    if text in _PRESENCE:
        return Match("", "header", "present" if text == "present" else "absent", place=text.place)
    if text.startswith(_SAME):
        return Match("", "header", "same", _whose(text.words(r"\S+")[2:], names), place=text.place)
    if len(text) > 1 and text.startswith("/") and text.endswith("/"):
        return Match("", "header", "matches", (_expression(text, 1, len(text) - 1),), place=text.place)
    if text.startswith("/"):
        raise text.all.mistake("this regular expression has no end", f"write {text}/, or {{is: {text}}} for the text")
    return _literal(text, names)


def _literal(text: Text, names: Names) -> Match:
    if not text.strip():
        raise text.all.mistake("an empty value", "write present for a header of any value")
    return Match("", "header", "is", (str(text),), place=text.place)


def _regular(text: Text, names: Names) -> Match:
    return Match("", "header", "matches", (_expression(text, 0, len(text)),), place=text.place)


def _expression(text: Text, begin: int, end: int) -> str:
    pattern = str(text)[begin:end]
    if not pattern:
        raise text.all.mistake("an empty regular expression", "write present for a header of any value")
    try:
        expression(pattern)
    except BadExpression as error:
        at = min(begin + error.at, len(text) - 1)
        raise text.spot(at, at + 1).mistake(f"regular expression: {error.message}") from None
    return pattern


def _same(text: Text, names: Names) -> Match:
    return Match("", "header", "same", _whose(text.words(r"\S+"), names), place=text.place)


def _whose(words: list[Word], names: Names) -> tuple[str, ...]:
    """`desk`, or `earlier 180` for what the agent itself has got before."""
    if len(words) > 1 and str(words[0]) == _EARLIER:
        row = code(words[1])
        for more in words[2:]:
            raise more.mistake("one code stands here", f"write 'same as earlier {row.code}'")
        return _EARLIER, str(row.code)
    return (names.agent(words[-1]),)


class ValueDoc(Part):
    """One value in full form, for texts that would be read as something else."""

    shape = "{is: text}, {matches: cause=26} or {same as: desk}"
    literal: Annotated[Match, reads(_literal, "text")] | None = Field(default=None, alias="is")
    regular: Annotated[Match, reads(_regular, "a regular expression")] | None = Field(default=None, alias="matches")
    same: Annotated[Match, reads(_same, "the name of an agent")] | None = Field(default=None, alias="same as")

    @model_validator(mode="after")
    def _one(self) -> ValueDoc:
        if len([one for one in (self.literal, self.regular, self.same) if one is not None]) != 1:
            raise Misfit("a value is one of 'is', 'matches' and 'same as'", f"write {self.shape}", key=True)
        return self

    @property
    def match(self) -> Match:
        """What it says."""
        found = self.literal or self.regular or self.same
        assert found is not None
        return found


def _some(values: list[Match]) -> list[Match]:
    if not values:
        raise Misfit("an empty list of values", "write absent for a header that must not be there")
    return values


_Text = reads(_matched, "text, /an expression/, present, absent or same as AGENT")
Value = Annotated[
    Annotated[Match, _Text, Tag("<value>")]
    | Annotated[list[Annotated[Match, reads(_literal, "text")]], AfterValidator(_some), Tag("<values>")]
    | Annotated[ValueDoc, Tag("<full>")],
    by_kind(text="<value>", list="<values>", map="<full>"),
]
_HeaderMap = dict[HeaderName, Value]


def _once(headers: _HeaderMap) -> _HeaderMap:
    seen: dict[str, Text] = {}
    for name in headers:
        if (first := seen.setdefault(canonical(name), name)) is not name:
            raise name.all.mistake(f"header {quoted(name)} stands twice ({first} is the same header)")
    return headers


class ContentDoc(Part):
    """What a message has to carry."""

    shape = "{headers: {Retry-After: 30}, reason: Busy Here, body: /audio/}"
    filled = dict.fromkeys(("headers", "reason", "body", "uri"), "give it a value, or write absent")
    headers: Annotated[_HeaderMap, AfterValidator(_once)] = Field(default_factory=dict)
    reason: Value | None = None
    body: Value | None = None
    uri: Value | None = None

    def matches(self, severity: Severity) -> Iterator[Match]:
        """All that it says, in the form of the model."""
        for name, value in self.headers.items():
            yield replace(_one(value), subject=str(name), severity=severity)
        if self.reason is not None:
            yield replace(_one(self.reason), subject="reason", of="reason", severity=severity)
        if self.body is not None:
            yield replace(_one(self.body), subject="body", of="body", severity=severity)
        if self.uri is not None:
            yield replace(_one(self.uri), subject="uri", of="uri", severity=severity)


def _one(value: Any) -> Match:
    if isinstance(value, Match):
        return value
    if isinstance(value, ValueDoc):
        return value.match
    first: Match = value[0]
    return replace(first, values=tuple(one.values[0] for one in value))
