"""What crosses one transport, as entries of its agent; rubbish is bounded, messages are not."""

from __future__ import annotations

from sip_harness.model.entry import Address, Malformed, Origin
from sip_harness.model.entry import Message as MessageEntry
from sip_harness.model.scenario import Transport as TransportName
from sip_harness.net.base import Recorder


class Recording:
    """Makes the entries, and hands them on as they are made."""

    __slots__ = ("_agent", "_kind", "_most", "_record", "_unit", "malformed")

    def __init__(self, agent: str, record: Recorder, kind: TransportName, *, most: int, unit: str) -> None:
        """`most` pieces of rubbish are recorded; `unit` is what such a piece is called."""
        self.malformed = 0
        """How often something came that is no SIP."""
        self._agent = agent
        self._record = record
        self._kind = kind
        self._most = most
        self._unit = unit

    def received(self, at: int, slack: int, local: Address, remote: Address, data: bytes) -> None:
        """A message came in at this time, or up to `slack` later (nanoseconds)."""
        self._record(MessageEntry(at, slack, self._agent, "received", local, remote, data, "system", self._kind))

    def sent(self, at: int, slack: int, local: Address, remote: Address, data: bytes, origin: Origin) -> None:
        """A message is out since this time, or up to `slack` later (nanoseconds)."""
        self._record(MessageEntry(at, slack, self._agent, "sent", local, remote, data, origin, self._kind))

    def garbage(self, at: int, local: Address, remote: Address, data: bytes, why: str) -> None:
        """What came is no SIP, and why; from a number on it is only counted."""
        self.malformed += 1
        if self.malformed == self._most:
            why += f" ({self._unit} {self._most} of this kind: further ones are not recorded)"
        if self.malformed <= self._most:
            self._record(Malformed(at, self._agent, local, remote, data, why))
