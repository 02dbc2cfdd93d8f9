"""Frames out of capture files: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng).

A file that ends in the middle of a packet, as those of a capture that was killed do, is read up to there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from sip_harness.capture.packets import BadCapture

_PCAP = {b"\xa1\xb2\xc3\xd4": (">", 1000), b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\xa1\xb2\x3c\x4d": (">", 1)}
_PCAP |= {b"\x4d\x3c\xb2\xa1": ("<", 1)}
"""By the first four bytes: byte order, and nanoseconds of a unit of time."""
_PCAPNG = b"\x0a\x0d\x0d\x0a"
_SECTION, _INTERFACE, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 3, 6
_RESOLUTION, _OFFSET = 9, 14
_MAX_FRAME = 1 << 24
"""Longest frame; a larger number is damage."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One captured frame."""

    time: int
    """Nanoseconds since the epoch."""
    link: int
    """Link type, as in the registry of tcpdump.org."""
    data: bytes


def is_capture(data: bytes) -> bool:
    """Whether a file begins like a capture."""
    return data[:4] in _PCAP or data[:4] == _PCAPNG


def frames(data: bytes) -> Iterator[Frame]:
    """All frames of a capture file. Raises BadCapture where the file is none, or damaged: what stands before the
    damage has been given then."""
    if data[:4] == _PCAPNG:
        return _pcapng(data)
    if data[:4] in _PCAP:
        return _pcap(data)
    raise BadCapture("no capture: neither pcap nor pcapng")


def _pcap(data: bytes) -> Iterator[Frame]:
    order, unit = _PCAP[data[:4]]
    if len(data) < 24:
        return
    link = struct.unpack_from(f"{order}I", data, 20)[0] & 0x0FFFFFFF
    head = struct.Struct(f"{order}IIII")
    at = 24
    while at + head.size <= len(data):
        seconds, fraction, size, _ = head.unpack_from(data, at)
        if size > _MAX_FRAME:
            raise BadCapture(f"damaged at byte {at}: a frame of {size} bytes")
        at += head.size
        if at + size > len(data):
            return
        yield Frame(seconds * 1_000_000_000 + fraction * unit, link, data[at : at + size])
        at += size


@dataclass
class _Interface:
    link: int
    units: int = 1_000_000
    """Units of time in a second."""
    offset: int = 0
    """Seconds to be added."""

    def time(self, units: int) -> int:
        """Nanoseconds since the epoch."""
        return units * 1_000_000_000 // self.units + self.offset * 1_000_000_000


@dataclass
class _Section:
    order: str
    interfaces: list[_Interface] = field(default_factory=list)


def _pcapng(data: bytes) -> Iterator[Frame]:
    section = _Section("<")
    last, at = 0, 0
    while at + 12 <= len(data):
        if data[at : at + 4] == _PCAPNG:
            section = _Section(_order(data, at))
        kind, size = struct.unpack_from(f"{section.order}II", data, at)
        if size < 12 or size % 4:
            raise BadCapture(f"damaged at byte {at}: a block of {size} bytes")
        if at + size > len(data):
            return
        body = data[at + 8 : at + size - 4]
        at += size
        if kind == _INTERFACE:
            section.interfaces.append(_interface(section.order, body))
        elif kind in (_ENHANCED, _SIMPLE) and (frame := _packet(section, kind, body, last)) is not None:
            last = frame.time
            yield frame


def _order(data: bytes, at: int) -> str:
    magic = data[at + 8 : at + 12]
    if magic == b"\x1a\x2b\x3c\x4d":
        return ">"
    if magic == b"\x4d\x3c\x2b\x1a":
        return "<"
    raise BadCapture(f"damaged at byte {at}: a section without its byte order")


def _interface(order: str, body: bytes) -> _Interface:
    if len(body) < 8:
        raise BadCapture("damaged: an interface without a link type")
    interface = _Interface(struct.unpack_from(f"{order}H", body)[0])
    at = 8
    while at + 4 <= len(body):
        code, size = struct.unpack_from(f"{order}HH", body, at)
        value = body[at + 4 : at + 4 + size]
        if code == _RESOLUTION and value:
            base, exponent = (2, value[0] & 0x7F) if value[0] & 0x80 else (10, value[0])
            interface.units = base**exponent
        elif code == _OFFSET and len(value) == 8:
            interface.offset = struct.unpack(f"{order}q", value)[0]
        at += 4 + size + -size % 4
    return interface


def _packet(section: _Section, kind: int, body: bytes, last: int) -> Frame | None:
    """A frame; None where its interface was never described. A simple packet has no time: that of the one before."""
    if kind == _SIMPLE:
        if not section.interfaces or len(body) < 4:
            return None
        size = struct.unpack_from(f"{section.order}I", body)[0]
        return Frame(last, section.interfaces[0].link, body[4 : 4 + size])
    if len(body) < 20:
        return None
    number, high, low, size = struct.unpack_from(f"{section.order}IIII", body)
    if number >= len(section.interfaces):
        return None
    interface = section.interfaces[number]
    return Frame(interface.time(high << 32 | low), interface.link, body[20 : 20 + size])
