"""What lies between a stream of bytes and messages: TLS or not, then SIP's own framing or WebSocket. No socket."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from sip_harness.net.codec import Codec
from sip_harness.net.tls import Tls


class Pipe:
    """One end of one connection."""

    def __init__(self, tls: Tls | None, codec: Codec) -> None:
        self._tls = tls
        self._codec = codec

    @property
    def ready(self) -> bool:
        """Whether messages can be sent: all handshakes are done."""
        return self._codec.ready and (self._tls is None or self._tls.ready)

    @property
    def whole(self) -> bool:
        """Whether the bytes fed last ended with the end of a message, so that nothing came after it."""
        return self._codec.whole and (self._tls is None or self._tls.whole)

    @property
    def over(self) -> bool:
        """Whether the peer has said that it will send no more."""
        return self._codec.over or (self._tls is not None and self._tls.over)

    @property
    def rest(self) -> bytes:
        """What there is of a message that is not complete."""
        return self._codec.rest

    def feed(self, data: bytes) -> list[bytes]:
        """Messages that are complete with these bytes; an empty one is a keep-alive. Raises Broken."""
        said = data if self._tls is None else self._tls.feed(data)
        return self._codec.feed(said) if said else []

    def wrap(self, message: bytes, pieces: Sequence[int] = ()) -> list[bytes]:
        """The bytes that carry a message, cut after these numbers of bytes of it; `ready` only. Raises Broken."""
        data = self._codec.wrap(message)
        frame = len(data) - len(message)
        cuts = [0, *(frame + at for at in sorted(set(pieces)) if 0 < at < len(message)), len(data)]
        return [self._seal(data[begin:end]) for begin, end in pairwise(cuts)]

    def outgoing(self) -> bytes:
        """What has to be sent besides messages. Raises Broken."""
        waiting = self._codec.outgoing() if self._tls is None or self._tls.ready else b""
        return self._seal(waiting)

    def last_words(self) -> bytes:
        """What is left to be said after `Broken`: what tells the peer why."""
        if self._tls is None:
            return self._codec.outgoing()
        return self._tls.seal(self._codec.outgoing()) if self._tls.ready else self._tls.outgoing()

    def end(self) -> bytes:
        """What to send before a regular end."""
        if not self.ready:
            return b""
        said = self._seal(self._codec.end())
        return said if self._tls is None else said + self._tls.end()

    def _seal(self, data: bytes) -> bytes:
        return data if self._tls is None else self._tls.seal(data)
