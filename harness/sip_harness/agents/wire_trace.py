"""What goes on record of a wire agent, and what is kept ready in case it cannot end what it has begun.

Every message that crosses its wire comes by here, before anybody is told of it: a process that is killed because of
that message has its will made, and what a script left open is known when the run is over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from sip_harness.agents.base import Assignment, Emit
from sip_harness.agents.leftovers import Leftovers
from sip_harness.agents.wills import Will
from sip_harness.endpoint.ua import UserAgent
from sip_harness.model.entry import Lag, Malformed, Note
from sip_harness.model.entry import Message as MessageEntry
from sip_harness.net.base import SendFailed, Transport
from sip_harness.sip.message import MalformedMessage, parse


class Trace:
    """The entries of one wire agent."""

    def __init__(
        self, assignment: Assignment, emit: Emit, will: Will | None, ua: Callable[[], UserAgent | None]
    ) -> None:
        """`will` says for whom a will is made; None for nobody. `ua` says whose calls it is about, None once the agent
        has begun to end them itself."""
        self._assignment = assignment
        self._emit = emit
        self._will = will
        self._ua = ua
        self._making = False
        self._leftovers = Leftovers()
        self._recording = True

    def note(self, kind: str, text: str, data: dict[str, str] | None = None) -> None:
        """Record something that the agent did or found."""
        self._emit(Note(time.time_ns(), self._assignment.name, kind, text, data or {}))

    def late(self, lag: int) -> None:
        """From the clock: the event loop was late, by so many nanoseconds."""
        self._emit(Lag(time.time_ns(), self._assignment.name, lag))

    def record(self, entry: MessageEntry | Malformed) -> None:
        """From the transport: something crossed the wire. Bytes of a script that are no SIP message are kept apart from
        messages."""
        if isinstance(entry, MessageEntry) and entry.direction == "sent" and entry.origin == "script":
            entry = _apart(entry)
        if self._will is not None:
            self._make_will()  # before anybody is told of the message, who might end us because of it
            if not self._making:
                self._making = True
                asyncio.get_running_loop().call_soon(self._make_will)
        if self._assignment.leaves_nothing and isinstance(entry, MessageEntry):
            self._leftovers.note(entry)
        if self._recording:
            self._emit(entry)

    def end(self, transport: Transport) -> None:
        """The run is over, and what still comes is no matter of it: a shared system does not ask the next run for what
        it has asked us."""
        self._recording = False
        for data, remote in self._leftovers.refusals() if self._assignment.leaves_nothing else ():
            with suppress(SendFailed):
                transport.send(data, remote, "protocol")

    def revoke(self) -> None:
        """Nothing is open any more: no will is needed."""
        if self._will is not None:
            self._will.revoke()

    def _make_will(self) -> None:
        """What has just been said may have set up a call, or ended one."""
        self._making = False
        ua = self._ua()
        if ua is not None and self._will is not None:
            self._will.update(ua)


def _apart(entry: MessageEntry) -> MessageEntry | Malformed:
    try:
        parse(entry.data)
    except MalformedMessage as error:
        why = f"sent by the script: {error}"
        return Malformed(entry.time, entry.agent, entry.local, entry.remote, entry.data, why, "sent")
    return entry
