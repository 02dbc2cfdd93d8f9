"""The shape of `watch` in a scenario document: a time, an event, or an event with the longest time to wait for it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Tag

from sip_harness.language import grammar
from sip_harness.language.fields import EventText, of_kind, reads
from sip_harness.language.names import Names
from sip_harness.language.part import Part, by_kind
from sip_harness.language.source import Map, Text, Word
from sip_harness.language.values import YesNo
from sip_harness.language.words import Cursor, duration, is_duration
from sip_harness.model.scenario import Watch

LONGEST = 10.0
"""Seconds that an event is waited for where the author names no time."""


def _some_time(word: Word) -> float:
    seconds = duration(word)
    if not seconds:
        raise word.mistake("nothing can be seen in no time", "write how long, as 3s")
    return seconds


def _watch(text: Text, names: Names) -> Watch:
    cursor = Cursor(text)
    if is_duration(cursor.peek()):
        seconds = _some_time(cursor.take("a duration"))
        cursor.finish("this watch")
        return Watch(seconds, place=text.place)
    if not cursor.skip("until"):
        word = cursor.take("a duration or 'until'")
        raise word.mistake("a watch is a duration or begins with 'until'", "write 3s, or until g1 gets 2 REGISTER")
    return Watch(LONGEST, grammar.event(cursor.rest(), names), text.place)


class WatchDoc(Part):
    """`{until: g1 gets 2 REGISTER, at most: 20s}`."""

    filled = {"give accounts up": "write yes"}  # noqa: RUF012 - pydantic knows it is no field
    shape = "3s, until g1 gets 2 REGISTER, or {until: g1 gets 2 REGISTER, at most: 20s}"
    until: EventText
    at_most: Annotated[float, reads(lambda text, names: _some_time(text.all), "a duration, as 20s")] = Field(
        default=LONGEST, alias="at most"
    )
    give_up: YesNo = Field(default=False, alias="give accounts up")


WatchWords = Annotated[
    Annotated[
        Annotated[Watch, reads(_watch, WatchDoc.shape), Tag("<words>")] | Annotated[WatchDoc, Tag("<full>")],
        by_kind(text="<words>", map="<full>"),
    ],
    of_kind("a duration or 'until EVENT'", Text, Map),
]


def watch_of(watch: Watch | WatchDoc | None) -> Watch | None:
    """The watch in the form of the model."""
    if isinstance(watch, WatchDoc):
        return Watch(watch.at_most, watch.until, watch.until.place, watch.give_up)
    return watch
