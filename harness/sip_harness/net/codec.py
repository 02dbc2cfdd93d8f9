"""How messages are cut out of a stream of bytes: as SIP does it itself, or in WebSocket frames. No socket, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from sip_harness.sip.framing import Framer, FramingError, KeepAlive


class Broken(Exception):
    """The stream cannot be read any further."""

    def __init__(self, why: str, rest: bytes = b"", read: Sequence[bytes] = ()) -> None:
        super().__init__(why, rest, read)
        self.why = why
        self.rest = rest
        """What nothing could be made of; empty if the peer only refuses."""
        self.read = read
        """Messages that were complete before."""

    def __str__(self) -> str:
        return self.why


class Codec(Protocol):
    """One connection's way of carrying messages."""

    @property
    def ready(self) -> bool:
        """Whether messages can be sent."""

    @property
    def whole(self) -> bool:
        """Whether the bytes fed last ended with the end of a message, so that nothing came after it."""

    @property
    def over(self) -> bool:
        """Whether the peer has said that it will send no more."""

    @property
    def rest(self) -> bytes:
        """What there is of a message that is not complete."""

    def feed(self, data: bytes) -> list[bytes]:
        """Messages that are complete with these bytes; an empty one is a keep-alive. Raises Broken."""

    def wrap(self, message: bytes) -> bytes:
        """The bytes that carry a message."""

    def outgoing(self) -> bytes:
        """What has to be sent besides messages: the beginning of a handshake, answers to what was fed."""

    def end(self) -> bytes:
        """What to send before a regular end."""


class Plain:
    """SIP on a stream: messages one after another, each as long as its Content-Length says (RFC 3261 18.3)."""

    ready = True
    over = False

    def __init__(self, *, opened: bool) -> None:
        """`opened`: whether the connection is ours, so that we are the side that pings."""
        self._framer = Framer(opened=opened)
        self._pongs = 0
        self.whole = False

    @property
    def rest(self) -> bytes:
        """What the framer waits to see the rest of."""
        return self._framer.rest

    def feed(self, data: bytes) -> list[bytes]:
        """Cut messages out; a ping will be answered with a pong (RFC 5626 4.4.1)."""
        try:
            found = self._framer.feed(data)
        except FramingError as error:
            raise Broken(str(error), error.rest or data, self._taken(error.read)) from error
        messages = self._taken(found)
        # Bytes behind the last message may have come later than it.
        last = messages[-1] if messages else b""
        self.whole = bool(last) and not self._framer.pending and data.endswith(last[-len(data) :])
        return messages

    def wrap(self, message: bytes) -> bytes:
        """The message itself."""
        return message

    def outgoing(self) -> bytes:
        """Pongs."""
        pongs, self._pongs = self._pongs, 0
        return KeepAlive.PONG.value * pongs

    def end(self) -> bytes:
        """Nothing."""
        return b""

    def _taken(self, found: Iterable[bytes | KeepAlive]) -> list[bytes]:
        messages: list[bytes] = []
        for item in found:
            if isinstance(item, bytes):
                messages.append(item)
            else:
                messages.append(b"")
                self._pongs += item is KeepAlive.PING
        return messages
