"""What every reader of captures gives: SIP messages with their times and addresses."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sip_harness.model.entry import Address

MAX_FILE = 1 << 30
"""Bytes of a capture that are read."""
MAX_MESSAGES = 200_000
"""SIP messages of one capture that are kept."""


class BadCapture(ValueError):
    """A file that is no capture, or one of which nothing can be read, with the reason."""


@dataclass(frozen=True, slots=True)
class Packet:
    """What one datagram or one exported PDU held, or one message of a stream: in a capture all are SIP."""

    time: int
    """Nanoseconds since the epoch; in a trace without times its place in the file, in milliseconds."""
    source: Address
    target: Address
    data: bytes
    transport: str = "udp"


@dataclass(frozen=True, slots=True)
class Capture:
    """All SIP messages of a file, in the order of their times."""

    packets: tuple[Packet, ...]
    remarks: tuple[str, ...] = ()
    """What could not be read, in words."""
    timed: bool = True
    """Whether it has times at all."""
    whole_seconds: bool = False
    """Whether its times say no more than the second, as those of many a log."""

    @property
    def vague(self) -> str:
        """What of its times is not known, in words; empty where they are as exact as they have to be."""
        if not self.timed:
            return "it has no times"
        return "its times are of whole seconds" if self.whole_seconds else ""

    def in_order(self) -> tuple[Packet, ...]:
        """Its messages a millisecond apart, for whoever must not take vague times for exact ones."""
        return tuple(replace(p, time=self.packets[0].time + n * 1_000_000) for n, p in enumerate(self.packets))
