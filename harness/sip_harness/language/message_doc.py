"""The shape of one expected message in a scenario document: in words, or with more said about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import AfterValidator, Field, Tag

from sip_harness.language.diagnostics import quoted
from sip_harness.language.expected import expected
from sip_harness.language.fields import (
    CountText,
    ExpectedKey,
    ExpectedText,
    Misfit,
    SourceName,
    TimingText,
)
from sip_harness.language.match_doc import ContentDoc
from sip_harness.language.names import Names
from sip_harness.language.part import by_kind
from sip_harness.language.source import Text
from sip_harness.language.values import Resent
from sip_harness.model.pattern import Pattern, RequestPattern
from sip_harness.model.wanted import Expected, Schedule

T1, T2 = 0.5, 4.0
"""Seconds, RFC 3261 17.1.1.1 and 17.1.2.1."""


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


Words = Annotated[ExpectedText, Tag("<message>")]
WithMore = Annotated[dict[ExpectedKey, MoreDoc], AfterValidator(_one_message), Tag("<full>")]
Message = Annotated[Words | WithMore, by_kind(text="<message>", map="<full>")]
