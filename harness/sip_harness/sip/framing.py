"""Messages out of a byte stream: TCP, TLS (RFC 3261 18.3, 20.14; RFC 5626 3.5.1, 4.4.1). No socket, no clock.

A message ends where its Content-Length says; between messages there are keep-alives. A stream that cannot be cut is
lost for good, because nobody knows where the next message begins: then the connection has to be closed.
"""

from __future__ import annotations

from enum import Enum

from sip_harness.sip.errors import SipError
from sip_harness.sip.message import MAX_MESSAGE, Message, parse, text
from sip_harness.sip.start_line import read_start_line
from sip_harness.sip.values import shown

_EMPTY_LINES = (b"\n\r\n", b"\n\n")
"""How a head ends, as `parse` sees it: the line end before may be CR LF or LF."""
_TOKEN_BYTES = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~")
_TOO_LONG = f"a message of more than {MAX_MESSAGE} bytes"


class KeepAlive(Enum):
    """What stands between messages to keep a connection open (RFC 5626 3.5.1)."""

    PING = b"\r\n\r\n"
    """From the side that opened the connection; the answer is `KeepAlive.PONG.value`."""
    PONG = b"\r\n"
    """The answer to a ping."""


class FramingError(SipError):
    """The stream cannot be cut into messages (any more): close the connection."""

    def __init__(self, why: str, read: tuple[bytes | KeepAlive, ...] = (), rest: bytes = b"") -> None:
        super().__init__(why, read, rest)
        self.why = why
        """What is wrong, in words."""
        self.read = read
        """What the same call had cut before, in order: it is good."""
        self.rest = rest
        """The bytes that could not be cut, from the first that belongs to no message."""

    def __str__(self) -> str:
        return f"{self.why} ({len(self.rest)} bytes left)"


class Framer:
    """Cuts what one side of a connection sends.

    `opened` says that we opened the connection: then each CRLF between messages is a pong, otherwise two of them are
    a ping and a single one is passed over (RFC 3261 7.5). At most one message and one `data` are kept in memory.
    """

    def __init__(self, *, opened: bool = False) -> None:
        self._opened = opened
        self._buffer = bytearray()
        self._half_ping = False
        self._started = False
        """Whether the start line at the beginning of the buffer has been looked at."""
        self._scanned = 0
        """Bytes of the buffer in which no end of a head was found."""
        self._needed = 0
        """Bytes of the message at the beginning of the buffer; 0 while its head is not complete."""
        self._broken = ""

    @property
    def pending(self) -> int:
        """Bytes of a message that is not complete: 0 where a connection may end without loss."""
        return len(self._buffer)

    @property
    def rest(self) -> bytes:
        """What there is of a message that is not complete."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> list[bytes | KeepAlive]:
        """Take the bytes of one segment; give back what is complete now, messages with exactly their bytes.

        Raises FramingError with what it had cut: no start line where a message should begin, no Content-Length or one
        that cannot be read, a message of more than 65,535 bytes. From then on every call raises it.
        """
        if self._broken:
            raise FramingError(self._broken)
        self._buffer += data
        done: list[bytes | KeepAlive] = []
        try:
            while (item := self._next()) is not None:
                done.append(item)
        except SipError as error:
            self._broken = str(error)
            rest, self._buffer = bytes(self._buffer), bytearray()
            raise FramingError(self._broken, tuple(done), rest) from None
        return done

    def _next(self) -> bytes | KeepAlive | None:
        if not self._needed:
            if (keep_alive := self._between()) is not None:
                return keep_alive
            self._read_head()
        if not self._needed or len(self._buffer) < self._needed:
            return None
        message = bytes(self._buffer[: self._needed])
        self._drop(self._needed)
        self._needed = self._scanned = 0
        self._started = False
        return message

    def _between(self) -> KeepAlive | None:
        """Keep-alives and empty lines before a message."""
        while self._buffer.startswith((b"\r", b"\n")):
            if self._buffer == b"\r":
                return None
            ends = self._buffer.startswith(b"\r\n")
            self._drop(2 if ends else 1)
            if ends and self._opened:
                return KeepAlive.PONG
            self._half_ping = ends and not self._half_ping
            if ends and not self._half_ping:
                return KeepAlive.PING
        return None

    def _read_head(self) -> None:
        """Find the end of the head, and with it the size of the message."""
        if not self._buffer or self._buffer == b"\r":
            return
        self._half_ping = False
        if not self._started:
            self._look_at_start_line()
        end = self._end_of_head() if self._started else 0
        if max(end, len(self._buffer) if not end else 0) > MAX_MESSAGE:
            raise SipError(_TOO_LONG)
        if end:
            self._needed = end + _declared(parse(bytes(self._buffer[:end])))
            if self._needed > MAX_MESSAGE:
                raise SipError(_TOO_LONG)

    def _look_at_start_line(self) -> None:
        """Refuse what is no SIP as soon as its first line is there, and binary data at once."""
        if self._buffer[0] not in _TOKEN_BYTES:
            raise SipError(f"no start line: {shown(text(bytes(self._buffer[:60])))}")
        end = self._buffer.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._buffer)
            return
        line = text(bytes(self._buffer[:end]).removesuffix(b"\r"))
        if read_start_line(line) is None:
            raise SipError(f"no start line: {shown(line)}")
        self._started, self._scanned = True, end

    def _end_of_head(self) -> int:
        """Where the body begins; 0 while that has not come."""
        found = [(at, len(end)) for end in _EMPTY_LINES if (at := self._buffer.find(end, self._scanned)) >= 0]
        if found:
            return sum(min(found))
        self._scanned = max(self._scanned, len(self._buffer) - 2)
        return 0

    def _drop(self, count: int) -> None:
        del self._buffer[:count]


def _declared(message: Message) -> int:
    """Bytes of the body; on a stream nothing else tells them (RFC 3261 20.14)."""
    length = message.content_length
    if length is not None:
        return length
    values = message.all("content-length")
    if not values:
        raise SipError(f"no Content-Length in {shown(message.start)} (RFC 3261 18.3)")
    raise SipError(f"Content-Length cannot be read: {shown(', '.join(values))}")
