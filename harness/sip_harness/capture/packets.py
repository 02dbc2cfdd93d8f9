"""What every reader of captures gives: SIP messages with their times and addresses."""

from __future__ import annotations

from dataclasses import dataclass

from sip_harness.model.entry import Address

MAX_FILE = 1 << 30
"""Bytes of a capture that are read."""
MAX_MESSAGES = 200_000
"""SIP messages of one capture that are kept."""


class BadCapture(ValueError):
    """A file that is no capture, or one of which nothing can be read, with the reason."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One SIP message as it was seen on its way."""

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
