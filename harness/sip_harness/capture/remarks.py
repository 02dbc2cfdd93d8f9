"""What stands above a scenario that is made from a capture: what happened when, and what of it is not repeated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from sip_harness.capture.cast import LONGEST_METHOD, Cast
from sip_harness.capture.exchanges import exchanges
from sip_harness.capture.expected import missing
from sip_harness.capture.legs import Leg
from sip_harness.capture.story import Story
from sip_harness.capture.wording import LONGEST, Times, visible
from sip_harness.model.pattern import seconds

_MOST_TOLD = 40
"""What is told of one agent."""


def remarks(story: Story, named: Cast, source: str, times: Times, left_out: Sequence[str], vague: str) -> list[str]:
    """What stands above the scenario."""
    begun = datetime.fromtimestamp(story.begin // 1_000_000_000, UTC)
    day = f", {begun:%Y-%m-%d %H:%M:%S} UTC" if begun.year > 1970 else ""
    lines = [f"Made from {visible(source)}{day}. `expect` is what happened there: change it to what has to happen."]
    legs_of = {named.caller: (story.caller,)} if story.caller is not None and _is_busy(story.caller) else {}
    lines += [f"{name}: {_timetable(legs, timed=not vague)}" for name, legs in {**legs_of, **named.legs}.items()]
    if vague:
        lines.append(f"How long it took is not known: {vague}. Put in the waits that matter.")
    if times.shortened:
        lines.append(f"Waits of more than {seconds(LONGEST)} are made {seconds(LONGEST)} (--exact-times keeps them).")
    if any(missing(attempt) for legs in named.legs.values() for leg in legs for attempt in leg.attempts):
        lines.append("The capture ends before the call does: what follows there is made up.")
    lines += [f"Not repeated: {what}." for what in dict.fromkeys(left_out)]
    return [f"# {line}" for line in lines]


def _is_busy(leg: Leg) -> bool:
    """Whether more was done within the call than to end it."""
    return any(exchange.name not in ("BYE", "PRACK") for exchange in exchanges(leg.said))


def _timetable(legs: Sequence[Leg], *, timed: bool) -> str:
    """What came, and when, in words."""
    parts = [part for leg in legs for part in _told(leg, timed=timed)]
    more = len(parts) - _MOST_TOLD
    return ", ".join(parts[:_MOST_TOLD] + ([f"and {more} more"] if more > 0 else [])) or "nothing"


def _told(leg: Leg, *, timed: bool) -> Iterator[str]:
    inner = {id(e.request): e for e in exchanges(leg.said) if e.name != "PRACK"}
    for s in leg.said:
        at = f" at {seconds(round((s.time - leg.invite.time) / 1e9, 3))}" if timed else ""
        if (exchange := inner.get(id(s))) is not None:
            final = exchange.final
            end = "no answer" if final is None else str(final.sip.code)
            usual = exchange.name == "BYE" and end == "200"
            verb = "" if s.by_system else "sends "
            yield f"{verb}{visible(exchange.name[:LONGEST_METHOD])}{at}" + ("" if usual else f": {end}")
        elif s.by_system and s.sip.method == "CANCEL":
            yield f"CANCEL{at}"
        elif s.by_system == leg.incoming and s.answers:
            yield f"{s.sip.code}{at}"
