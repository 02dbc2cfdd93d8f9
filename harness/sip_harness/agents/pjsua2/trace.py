"""Turns what is seen inside the stack into entries of the record."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sip_harness.agents.pjsua2.openness import Openness
from sip_harness.agents.pjsua2.origin import Origins
from sip_harness.model.entry import Address, Entry, Lag, Malformed, Message, Note
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message as SipMessage
from sip_harness.sip.message import first_element, parse
from sip_harness.sip.via import reflexive

NOTABLE_LAG = 20_000_000
"""Nanoseconds by which a datagram may be taken late before the record says so."""


@dataclass
class Trace:
    """The sink of a tap: everything that passes becomes an entry, with its time and its origin.

    A message is seen just before the stack calls sendto(). All runs in one thread, so that call has returned when the
    next thing happens, whatever it is: a further message, or the return of the library to us. The time until then is
    the slack; the entry is held back until it is known (`settle`).
    """

    agent: str
    local: Address
    emit: Callable[[Entry], None]
    stamp: Callable[[], int | None]
    """Kernel receive time of the datagram that is being taken, or None."""
    origins: Origins = field(default_factory=Origins)
    openness: Openness = field(default_factory=Openness)
    failure: Exception | None = field(default=None, init=False)
    arrival: int = field(default=0, init=False)
    """Receive time of the last datagram, nanoseconds since the epoch."""
    count_sent: int = field(default=0, init=False)
    """How many messages have been sent."""
    seen: Address | None = field(default=None, init=False)
    """Where the system has seen us last, by the Via of its responses; None if it has not said."""
    idle: int = field(default_factory=time.time_ns, init=False)
    """When the stack was last seen to have read everything: what it reads next arrived later."""
    _held: Message | None = field(default=None, init=False)

    def received(self, data: bytes, remote: Address) -> None:
        """A datagram that the stack takes for a message."""
        self.settle()
        moment, slack = self._when()
        self.arrival = moment
        message = self._parse(data, remote, moment)
        if message is None:
            return
        if not message.is_request:
            self.seen = reflexive(first_element(message.get("via") or "")) or self.seen
        self.origins.received(message)
        self.openness.received(message)
        self.emit(Message(moment, slack, self.agent, "received", self.local, remote, data, "system"))

    def sent(self, data: bytes, remote: Address) -> None:
        """A message that leaves as soon as this returns."""
        self.settle()
        moment = time.time_ns()
        self.count_sent += 1
        message = self._parse(data, remote, moment)
        if message is None:
            return
        origin = self.origins.of(message)
        self.openness.sent(message)
        self._held = Message(moment, 0, self.agent, "sent", self.local, remote, data, origin)

    def dropped(self, data: bytes, remote: Address, why: str) -> None:
        """A datagram that the stack cannot read."""
        self.settle()
        moment, _ = self._when()
        self.emit(Malformed(moment, self.agent, self.local, remote, data, why))

    def stopped(self, why: str) -> None:
        """The guard did not let a message leave: the run says nothing about the system."""
        self.settle()
        self.emit(Note(time.time_ns(), self.agent, "refused", why, {}))

    def broke(self, error: Exception) -> None:
        """Something in here failed; `settle` callers look at `failure` once they are out of the stack."""
        self.failure = self.failure or error

    def settle(self) -> None:
        """Whatever was being sent has been sent."""
        held, self._held = self._held, None
        if held is not None:
            slack = max(0, time.time_ns() - held.time)
            self.emit(Message(held.time, slack, held.agent, "sent", held.local, held.remote, held.data, held.origin))

    def _when(self) -> tuple[int, int]:
        """When the datagram that is being taken arrived, and how much later that may have been."""
        moment, now = self.stamp(), time.time_ns()
        if moment is None:
            return self.idle, max(0, now - self.idle)
        if now - moment > NOTABLE_LAG:
            self.emit(Lag(now, self.agent, now - moment))
        return moment, 0

    def _parse(self, data: bytes, remote: Address, moment: int) -> SipMessage | None:
        try:
            return parse(data)
        except SipError as error:
            self.emit(Malformed(moment, self.agent, self.local, remote, data, str(error)))
            return None
