"""A stream read as if it were datagrams: the fault `reads-one-message-a-segment`."""

from __future__ import annotations

from sip_harness.net.codec import Plain
from sip_harness.sip.message import MalformedMessage, parse


class Segments(Plain):
    """Each read is one message, and what is no whole one is nothing (RFC 3261 18.3 frames by Content-Length)."""

    @property
    def rest(self) -> bytes:
        """Nothing is kept for the next segment."""
        return b""

    def feed(self, data: bytes) -> list[bytes]:
        """The one message in these bytes."""
        self.whole = True
        try:
            message = parse(data)
        except MalformedMessage:
            return []
        return [data] if message.complete and not message.truncated else []
