"""What a script has left unanswered when its run is over.

A system that calls an agent which says nothing asks again and again, for half a minute and more (RFC 3261 17.1.1.2),
also when its own caller has gone: it may not cancel what has said nothing (9.1). An agent of the next run that has the
same address would get these calls. So a shared system is told at the end that nobody will answer.
"""

from __future__ import annotations

from collections.abc import Iterator

from sip_harness.endpoint import build
from sip_harness.model.entry import Address
from sip_harness.model.entry import Message as MessageEntry
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, parse

_MOST = 1000
"""Invitations that are remembered."""
_Key = tuple[str, str, int]


class Leftovers:
    """The invitations of one agent that have no final response."""

    def __init__(self) -> None:
        self._open: dict[_Key, tuple[Message, Address]] = {}

    def note(self, entry: MessageEntry) -> None:
        """A message has crossed the agent's wire."""
        try:
            message = parse(entry.data)
        except SipError:
            return
        number, method = message.cseq
        key = message.call_id, message.branch, number
        if entry.direction == "sent" and message.code >= 200 and method == "INVITE":
            self._open.pop(key, None)
        begins = entry.direction == "received" and message.method == "INVITE" and not message.to_tag
        if begins and len(self._open) < _MOST:
            self._open[key] = message, entry.remote

    def refusals(self) -> Iterator[tuple[bytes, Address]]:
        """A response to each, and where to; then nothing is left."""
        left, self._open = self._open, {}
        for invite, remote in left.values():
            yield build.response(invite, 480, "Temporarily Unavailable", source=remote, tag=build.new_tag()), remote
