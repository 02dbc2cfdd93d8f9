"""RTP packets: the header read and written, and what is missing between them (RFC 3550 5.1, A.1, A.3)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from sip_harness.sip.errors import SipError

MAX_PACKET = 2048
"""Bytes of a packet that is read; one of 20 ms of G.711 has 172."""
_FIXED = struct.Struct("!BBHII")
_EXTENSION = struct.Struct("!HH")
_VERSION = 2


class NoRtp(SipError):
    """The bytes are no RTP packet; the message says why."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP packet. Contributing sources, an extension and padding are skipped when reading, never written."""

    payload_type: int
    """0 to 127."""
    sequence: int
    """16 bits."""
    timestamp: int
    """32 bits, in samples."""
    ssrc: int
    """32 bits."""
    payload: bytes
    marker: bool = False
    """The first packet after a pause (RFC 3551 4.1)."""


def build(packet: Packet) -> bytes:
    """The bytes of a packet; numbers are cut to their width (they wrap around, RFC 3550 5.1)."""
    kind = packet.payload_type & 0x7F | (0x80 if packet.marker else 0)
    header = _FIXED.pack(
        _VERSION << 6, kind, packet.sequence & 0xFFFF, packet.timestamp & 0xFFFFFFFF, packet.ssrc & 0xFFFFFFFF
    )
    return header + packet.payload


def parse(data: bytes) -> Packet:
    """Read one packet as it came in one datagram. Raises NoRtp."""
    if not _FIXED.size <= len(data) <= MAX_PACKET:
        raise NoRtp(f"{len(data)} bytes: RTP has {_FIXED.size} to {MAX_PACKET}")
    first, kind, sequence, timestamp, ssrc = _FIXED.unpack_from(data)
    if first >> 6 != _VERSION:
        raise NoRtp(f"version {first >> 6}: RTP has version {_VERSION}")
    if is_rtcp(data):
        raise NoRtp("RTCP on the port of RTP (RFC 5761)")
    begin = _payload_begin(data, first)
    end = len(data) - (data[-1] if first & 0x20 else 0)
    if begin > end or (first & 0x20 and not data[-1]):
        raise NoRtp("header and padding are longer than the packet")
    return Packet(kind & 0x7F, sequence, timestamp, ssrc, data[begin:end], bool(kind & 0x80))


def is_rtcp(data: bytes) -> bool:
    """Whether a datagram of version 2 is RTCP by its packet type (RFC 5761 4)."""
    return len(data) >= 2 and 192 <= data[1] <= 223


def _payload_begin(data: bytes, first: int) -> int:
    begin = _FIXED.size + 4 * (first & 0x0F)
    if first & 0x10:
        if len(data) < begin + _EXTENSION.size:
            raise NoRtp("its header extension is cut off")
        begin += _EXTENSION.size + 4 * int(_EXTENSION.unpack_from(data, begin)[1])
    return begin


class Sequence:
    """Counts the packets of one source and tells how many are missing (RFC 3550 A.1, A.3), also across wrap-around."""

    __slots__ = ("_base", "_highest", "received")

    def __init__(self, first: int) -> None:
        self.received = 1
        """Packets, repeated ones too."""
        self._base = self._highest = first

    def add(self, number: int) -> None:
        """Another packet. A jump of half of all numbers or more is taken for an old packet."""
        self.received += 1
        ahead = (number - self._highest) & 0xFFFF
        if ahead < 0x8000:
            self._highest += ahead

    @property
    def lost(self) -> int:
        """Packets between the first and the highest that did not come; never below 0."""
        return max(self._highest - self._base + 1 - self.received, 0)
