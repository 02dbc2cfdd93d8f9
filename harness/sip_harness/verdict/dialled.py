"""Whether a call that a system makes at a carrier is that of the run: by its number.

A PBX that is already there has a name for the call of its own, and names of a run go no further than to it: what
reaches the carrier carries the number that was dialled, in the form in which the trunk wants it.
"""

from __future__ import annotations

from collections.abc import Iterable

from sip_harness.model.numbers import number_of
from sip_harness.record.seen import Seen
from sip_harness.sip.errors import SipError
from sip_harness.sip.uri import parse_uri, uri_text

_LEAST = 3
"""Digits that two numbers must have in common at least: an extension."""


class Dialled:
    """The numbers that the agents of a run have dialled."""

    def __init__(self, requests: Iterable[Seen]) -> None:
        """By these requests of the run."""
        self._called = {name for seen in requests if (name := _called(seen.sip.uri))}

    def has(self, request: Seen) -> bool:
        """Whether this request is for one of them."""
        m = request.sip
        names = {_called(m.uri), _called(uri_text(m.get("to") or ""))} - {""}
        return any(_is_same(one, other) for one in names for other in self._called)


def _called(uri: str) -> str:
    """The number of a URI, or else its user; empty if it has none."""
    if number := number_of(uri):
        return number
    try:
        return parse_uri(uri).user
    except SipError:
        return ""


def _is_same(one: str, other: str) -> bool:
    """Also with another prefix: +49301234, 00049301234 and 0301234 lead to the same telephone."""
    if one == other:
        return True
    shorter, longer = sorted((one.lstrip("+0"), other.lstrip("+0")), key=len)
    return shorter.isdigit() and longer.isdigit() and len(shorter) >= _LEAST and longer.endswith(shorter)
