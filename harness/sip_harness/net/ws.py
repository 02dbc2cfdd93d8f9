"""SIP over WebSocket (RFC 7118): one message per WebSocket message, subprotocol `sip`.

The frames and the handshake are the `websockets` package's, used without its own sockets, so that the record keeps
the kernel's receive times. It is an optional dependency: `pip install 'sip-harness[ws]'`.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from sip_harness.net.base import host_port
from sip_harness.net.codec import Broken
from sip_harness.sip.message import MAX_MESSAGE

if TYPE_CHECKING:
    from websockets.client import ClientProtocol
    from websockets.protocol import Event
    from websockets.server import ServerProtocol

    from sip_harness.model.entry import Address

SUBPROTOCOL = "sip"


_HEAD_END = b"\r\n\r\n"
_FIN, _CONTROL, _MASKED = 0x80, 0x08, 0x80
_LONGER = {126: 2, 127: 8}


class NoWebSocket(OSError):
    """The package is not there."""


def require_websockets() -> None:
    """Raises NoWebSocket with the remedy if the package is not installed."""
    if importlib.util.find_spec("websockets") is None:
        raise NoWebSocket("websockets is not installed: pip install 'sip-harness[ws]'")


class WebSocket:
    """One end of one WebSocket connection."""

    def __init__(self, *, server: bool, remote: Address, secure: bool) -> None:
        """The client's end begins with the handshake at once; see `outgoing`. Raises NoWebSocket."""
        require_websockets()
        self.ready = self.whole = self.over = False
        self._parts = b""
        self._raw = b""
        """What has come since the last whole message or handshake."""
        self._shaken = False
        self._protocol = _serve() if server else _connect(remote, secure)

    @property
    def rest(self) -> bytes:
        """What has come of a handshake or a message that is not complete, frames and all."""
        return self._raw

    def feed(self, data: bytes) -> list[bytes]:
        """Take the frames apart; pings, closes and handshakes are answered (RFC 6455 5.5)."""
        self._raw += data
        self._protocol.receive_data(data)
        messages: list[bytes] = []
        for event in self._protocol.events_received():
            self._take(event, messages, data)
        failed = self._protocol.handshake_exc or self._protocol.parser_exc
        if failed is not None:
            rest, self._raw = self._raw, b""
            raise Broken(f"WebSocket: {_reason(failed)}", rest, messages)
        self._raw = self._unfinished(self._raw)
        self.over = self._protocol.close_rcvd is not None
        self.whole = bool(messages) and not self._protocol.reader.buffer and not self._parts
        return messages

    def _unfinished(self, raw: bytes) -> bytes:
        """What is left of these bytes without whole handshakes and messages."""
        if not self._shaken:
            head, empty_line, raw = raw.partition(_HEAD_END)
            if not empty_line:
                return head
            self._shaken = True
        begin = at = 0
        while size := _size_of_frame(raw, at):
            ends_message = bool(raw[at] & _FIN)
            control = bool(raw[at] & _CONTROL)
            whole = ends_message and (not control or begin == at)
            at += size
            begin = at if whole else begin
        return raw[begin:]

    def wrap(self, message: bytes) -> bytes:
        """One frame: text where the message is UTF-8, else binary (RFC 7118 4.2)."""
        try:
            message.decode("utf-8")
            self._protocol.send_text(message)
        except UnicodeDecodeError:
            self._protocol.send_binary(message)
        return self.outgoing()

    def outgoing(self) -> bytes:
        """Handshakes, pongs and closes."""
        return b"".join(self._protocol.data_to_send())

    def end(self) -> bytes:
        """A close frame."""
        if self.ready and not self._protocol.close_sent:
            self._protocol.send_close(1000)
        return self.outgoing()

    def _take(self, event: Event, messages: list[bytes], data: bytes) -> None:
        from websockets.frames import Frame, Opcode
        from websockets.http11 import Request

        if isinstance(event, Frame):
            if event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._parts += event.data
                if event.fin:
                    messages.append(self._parts)
                    self._parts = b""
        elif isinstance(event, Request):
            self._accept(event)
        elif self._protocol.handshake_exc is None:
            if self._protocol.subprotocol != SUBPROTOCOL:
                self._raw = b""  # a whole handshake, only not the one that is needed
                raise Broken("WebSocket: the server does not speak the subprotocol sip", data)
            self.ready = True

    def _accept(self, request: Event) -> None:
        from websockets.http11 import Request
        from websockets.server import ServerProtocol

        assert isinstance(self._protocol, ServerProtocol)
        assert isinstance(request, Request)
        self._protocol.send_response(self._protocol.accept(request))
        self.ready = self._protocol.handshake_exc is None


def _size_of_frame(raw: bytes, at: int) -> int:
    """Bytes of the frame that begins here (RFC 6455 5.2); 0 if it is not all there."""
    there = len(raw) - at
    if there < 2:
        return 0
    more = _LONGER.get(raw[at + 1] & 0x7F, 0)
    if there < 2 + more:
        return 0
    length = int.from_bytes(raw[at + 2 : at + 2 + more], "big") if more else raw[at + 1] & 0x7F
    size = 2 + more + (4 if raw[at + 1] & _MASKED else 0) + length
    return size if there >= size else 0


def _serve() -> ServerProtocol:
    from websockets.server import ServerProtocol
    from websockets.typing import Subprotocol

    return ServerProtocol(subprotocols=[Subprotocol(SUBPROTOCOL)], max_size=MAX_MESSAGE)


def _connect(remote: Address, secure: bool) -> ClientProtocol:
    from websockets.client import ClientProtocol
    from websockets.typing import Subprotocol
    from websockets.uri import parse_uri

    uri = parse_uri(f"{'wss' if secure else 'ws'}://{host_port(remote)}/")
    protocol = ClientProtocol(uri, subprotocols=[Subprotocol(SUBPROTOCOL)], max_size=MAX_MESSAGE)
    protocol.send_request(protocol.connect())
    return protocol


def _reason(error: BaseException) -> str:
    """The error and what it came from."""
    said = str(error)
    while error.__cause__ is not None:
        error = error.__cause__
        said += f": {error}"
    return said
