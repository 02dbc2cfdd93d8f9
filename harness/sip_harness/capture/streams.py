"""SIP messages out of datagrams and TCP segments, in the order in which they were complete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sip_harness.capture.network import Segment
from sip_harness.capture.packets import Packet
from sip_harness.model.entry import Address
from sip_harness.sip.errors import SipError
from sip_harness.sip.framing import Framer, FramingError
from sip_harness.sip.message import parse

_WINDOW = 1 << 31
"""Sequence numbers further ahead than that are behind (RFC 9293 3.4)."""
_MAX_AHEAD = 1 << 20
"""Bytes kept of a stream of which some before them are missing."""
_MAX_STREAMS = 4096


def messages(units: Iterable[Packet | Segment]) -> Iterator[Packet]:
    """All SIP messages; what is none is passed over."""
    streams: dict[tuple[Address, Address], _Stream] = {}
    for unit in units:
        if isinstance(unit, Packet):
            if _is_sip(unit.data):
                yield unit
            continue
        key = unit.source, unit.target
        if unit.begins or key not in streams:
            streams.pop(key, None)
            streams[key] = _Stream(unit.number)
            if len(streams) > _MAX_STREAMS:
                del streams[next(iter(streams))]
        for data in streams[key].take(unit):
            yield Packet(unit.time, unit.source, unit.target, data, "tcp")


def _is_sip(data: bytes) -> bool:
    try:
        parse(data)
    except SipError:
        return False
    return True


class _Stream:
    """One direction of a connection. Bytes that the capture has missed cost what they were part of, not the rest."""

    def __init__(self, number: int) -> None:
        self._next = number
        self._ahead: dict[int, bytes] = {}
        self._framer = Framer()

    def take(self, segment: Segment) -> list[bytes]:
        """The messages that are complete with this segment."""
        if not segment.data:
            return []
        late = (self._next - segment.number) % (1 << 32)
        if 0 < late < _WINDOW:  # all or a part of it was there before
            data = segment.data[late:]
            if not data:
                return []
        elif late:
            self._ahead[segment.number] = segment.data
            if sum(map(len, self._ahead.values())) > _MAX_AHEAD:
                return self._skip()
            return []
        else:
            data = segment.data
        return self._deliver(data)

    def _deliver(self, data: bytes) -> list[bytes]:
        self._next = (self._next + len(data)) % (1 << 32)
        found = self._frame(data)
        while (more := self._ahead.pop(self._next, None)) is not None:
            self._next = (self._next + len(more)) % (1 << 32)
            found += self._frame(more)
        return found

    def _skip(self) -> list[bytes]:
        """Give up what is missing and go on behind it."""
        self._framer = Framer()
        self._next = min(self._ahead, key=lambda number: (number - self._next) % (1 << 32))
        return self._deliver(self._ahead.pop(self._next))

    def _frame(self, data: bytes) -> list[bytes]:
        try:
            return [item for item in self._framer.feed(data) if isinstance(item, bytes)]
        except FramingError as error:
            self._framer = Framer()  # the next segment may begin with a message: most do
            return [item for item in error.read if isinstance(item, bytes)]
