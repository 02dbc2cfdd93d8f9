"""What a message carries, held against what it has to carry."""

from __future__ import annotations

import re
from collections.abc import Callable

from sip_harness.model.expecting import Match
from sip_harness.model.linear import expression
from sip_harness.sip.fields import canonical
from sip_harness.sip.message import Message
from sip_harness.sip.values import QUOTED, split_list
from sip_harness.verdict.traffic import Item

MAX_SHOWN = 120
_WHOLE = frozenset({"call-id", "cseq", "date", "subject", "server", "user-agent", "organization", "www-authenticate",
                    "proxy-authenticate", "authorization", "proxy-authorization", "content-type"})  # fmt: skip
"""Headers in which a comma does not part values (RFC 3261 7.3.1, 25.1)."""
_PARTS = re.compile(rf"(?P<quoted>{QUOTED})|(?P<gap>[ \t\r\n]*[;,=<>][ \t\r\n]*|[ \t\r\n]+)")

Other = Callable[[tuple[str, ...]], Item | None]
"""The message of an agent that this one came from, or the earlier one that is meant; or None."""


def wrong(match: Match, item: Item, other: Other) -> str | None:
    """What is seen instead, as `Retry-After: 60`; None if all is well."""
    values = values_of(match, item.seen.sip)
    if match.how == "same":
        theirs, whose = other(match.values), " ".join(match.values)
        if theirs is None:
            lacks = whose if len(match.values) > 1 else f"{item.seen.name} of {whose}"
            return f"no {lacks} to compare it with"
        wanted = values_of(match, theirs.seen.sip)
        return (
            None
            if _plain(values) == _plain(wanted)
            else f"{_said(match, values)}, where {whose} had {_said(match, wanted)}"
        )
    return None if _holds(match, values) else _said(match, values)


def _holds(match: Match, values: list[str]) -> bool:
    if match.how == "absent":
        return not values
    if match.how == "present":
        return bool(values)
    if match.how == "matches":
        return any(expression(match.values[0]).found_in(value) for value in values)
    wanted = [part for value in match.values for part in _split(match, value)]
    return _plain(values) == _plain(wanted)


def values_of(match: Match, message: Message) -> list[str]:
    """The values that a message has there: elements of a header, or one text; empty if there is none."""
    if match.of == "reason":
        return [message.reason] if message.reason else []
    if match.of == "uri":
        return [message.uri] if message.uri else []
    if match.of == "body":
        return [message.body.decode("utf-8", "replace")] if message.body else []
    return [part for value in message.all(match.subject) for part in _split(match, value)]


def _split(match: Match, value: str) -> list[str]:
    if match.of != "header" or canonical(match.subject) in _WHOLE:
        return [value]
    return split_list(value) or [value]


def _plain(values: list[str]) -> list[str]:
    return [normal(value) for value in values]


def normal(value: str) -> str:
    """A value without the white space that means nothing (RFC 3261 7.3.1); quoted strings stay as they are."""

    def part(found: re.Match[str]) -> str:
        return found["quoted"] or found["gap"].strip() or " "

    return _PARTS.sub(part, value.strip())


def _said(match: Match, values: list[str]) -> str:
    if not values:
        return f"no {match.subject}"
    text = ", ".join(values)
    return f"{match.subject}: {text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + '…'}"


def origin(item: Item, agent: str, items: tuple[Item, ...]) -> Item | None:
    """The message of this agent that an item came from, or that it became: the one of its kind, or for a response of
    which the agent has none the request that it answers; best one that the agent sent before, else the nearest."""
    m = item.seen.sip
    there = [one for one in items if one.seen.agent == agent and one is not item]
    alike = [one for one in there if _kind(one.seen.sip) == (m.method, m.code, m.cseq[1])]
    found = alike or [one for one in there if one.seen.sip.method == m.cseq[1] and not m.is_request]
    sent = [one for one in found if not one.seen.received and one.time <= item.time]
    if sent:
        return max(sent, key=lambda one: one.time)
    return min(found, key=lambda one: abs(one.time - item.time), default=None)


def earlier(item: Item, code: str, items: tuple[Item, ...]) -> Item | None:
    """The first response of this code that the same agent has got to the same request before."""
    m = item.seen.sip
    return next(
        (
            one
            for one in items
            if one.seen.agent == item.seen.agent
            and one.seen.received
            and one.time <= item.time
            and one is not item
            and str(one.seen.sip.code) == code
            and (one.seen.sip.call_id, one.seen.sip.cseq) == (m.call_id, m.cseq)
        ),
        None,
    )


def _kind(message: Message) -> tuple[str, int, str]:
    return message.method, message.code, message.cseq[1]
