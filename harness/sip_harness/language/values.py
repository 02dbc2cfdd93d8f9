"""Types of the values that say how a message leaves and how often it comes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, PlainValidator, Tag

from sip_harness.language.diagnostics import did_you_mean, guess, nearest, quoted
from sip_harness.language.fields import HeaderName, Misfit, of_kind, one_of, reads
from sip_harness.language.headers import canonical, tag_text
from sip_harness.language.names import Names
from sip_harness.language.part import by_kind
from sip_harness.language.source import Seq, Text
from sip_harness.language.words import duration, is_duration, whole

MAX_TIMES = 100
MAX_COPIES = 100
MAX_LENGTH = 65_535
"""Bytes; no datagram is longer."""


def _yes_no(text: Text, names: Names) -> bool:
    if text not in ("yes", "no"):
        raise text.all.mistake(f"{quoted(text)} is neither yes nor no", guess("", ("yes", "no")))
    return text == "yes"


def _tag(text: Text, names: Names) -> str:
    return "" if text == "none" else str(tag_text(text))


def _number(most: int) -> PlainValidator:
    return reads(lambda text, names: whole(text.all, 1, most), "a number")


def _rising(values: list[float]) -> list[float]:
    if not values:
        raise Misfit("an empty list of times", "write never")
    if values[0] <= 0:
        raise Misfit("the first sending itself is at 0s", "times are those of further sendings", 0)
    if len(values) > MAX_TIMES:
        raise Misfit(f"more than {MAX_TIMES} times", "", MAX_TIMES)
    _check_order(values, "times count from the first sending, so each is later than the one before")
    return values


def _cuts(values: list[int]) -> list[int]:
    if not values:
        raise Misfit("an empty list of cuts", "write pieces: [10] to send the first 10 bytes by themselves")
    _check_order(values, "cuts count from the first byte, so each is further than the one before")
    return values


def _check_order(values: Sequence[float], why: str) -> None:
    for index, (one, following) in enumerate(pairwise(values)):
        if following <= one:
            raise Misfit(why, "", index + 1)


def _different(names: list[Text]) -> list[Text]:
    if not names:
        raise Misfit("an empty list of headers")
    for index, name in enumerate(names):
        same = next((one for one in names[:index] if canonical(one) == canonical(name)), None)
        if same is not None:
            raise Misfit(f"{quoted(name)} stands twice", f"{same} is the same header", index)
    return names


def _schedule(*words: str) -> PlainValidator:
    def parse(text: Text, names: Names) -> str:
        if is_duration(text):
            raise text.all.mistake("a time alone is no list", f"write [{text}]")
        if text not in words:
            hint = did_you_mean(nearest(text, words)) or f"write {' or '.join(words)}, or a list, as [500ms, 1s]"
            raise text.all.mistake(f"unknown schedule {quoted(text)}", hint)
        return str(text)

    return reads(parse, "a schedule", words)


_Time = Annotated[float, reads(lambda text, names: duration(text.all), "a duration, as 500ms", "duration")]
_Times = Annotated[list[_Time], AfterValidator(_rising), Tag("<times>")]
_KINDS = by_kind(list="<times>", text="<word>")

Resend = Annotated[
    Annotated[_Times | Annotated[Literal["never"], _schedule("never"), Tag("<word>")], _KINDS],
    of_kind("never or a list of times, as [500ms, 1s]", Text, Seq),
]
"""When a message is sent again."""
Resent = Annotated[
    Annotated[_Times | Annotated[Literal["never", "doubling"], _schedule("never", "doubling"), Tag("<word>")], _KINDS],
    of_kind("never, doubling or a list of times, as [500ms, 1.5s]", Text, Seq),
]
"""When a message has to be sent again."""
ToTag = Annotated[str, reads(_tag, "a tag, none or other")]
YesNo = Annotated[bool, reads(_yes_no, "yes or no", ["yes", "no"])]
Copies = Annotated[int, _number(MAX_COPIES)]
Length = Annotated[int, _number(MAX_LENGTH)]
Pieces = Annotated[
    list[Annotated[int, _number(MAX_LENGTH)]],
    AfterValidator(_cuts),
    of_kind("a list of numbers of bytes", Seq),
]
HeaderNames = Annotated[
    Annotated[
        Annotated[HeaderName, Tag("<name>")] | Annotated[list[HeaderName], AfterValidator(_different), Tag("<names>")],
        by_kind(text="<name>", list="<names>"),
    ],
    of_kind("the name of a header or a list of them", Text, Seq),
]
OtherBranch = Annotated[Literal["other"], reads(one_of(("other",), "branch"), "other", ["other"])]
ELSEWHERE = ["other port", "other address"]
OtherOrigin = Annotated[
    Literal["other port", "other address"], reads(one_of(ELSEWHERE, "origin"), "other port or other address", ELSEWHERE)
]
Media = Annotated[
    Literal["tone", "silence"], reads(one_of(("tone", "silence"), "media"), "tone or silence", ["tone", "silence"])
]
