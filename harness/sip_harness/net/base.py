"""What a transport offers, whichever it is: the shape that UDP, TCP, TLS and WebSocket share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from sip_harness.model.entry import Address, Malformed, Origin
from sip_harness.model.entry import Message as MessageEntry
from sip_harness.sip.message import Message

Recorder = Callable[[MessageEntry | Malformed], None]
"""Takes everything that crosses a transport, in the order in which it was handled; never blocks."""


OnLost = Callable[[str], None]
"""Takes why a message that `send` had taken did not leave after all; never called from within `send`."""

Port = Literal["own", "other", "elsewhere"]
Disconnection = Literal["close", "reset", "half-open", "blackhole"]


class SendFailed(OSError):
    """The bytes did not leave: refused by the guard or by the operating system. The message says which and why."""


class Transport(Protocol):
    """One bound local address that sends and receives SIP messages and records each."""

    public: str
    """Host that we state in Via, Contact and SDP; empty: the one of `local`."""

    @property
    def name(self) -> str:
        """As a Via names it: `UDP`, `TCP`, `TLS`, `WS`, `WSS`."""

    @property
    def reliable(self) -> bool:
        """Whether nothing has to be sent again (RFC 3261 17)."""

    @property
    def local(self) -> Address:
        """Where it is bound."""

    @property
    def disconnected(self) -> Disconnection | None:
        """What `disconnect` last did; None if it has not been called."""

    def send(
        self,
        data: bytes,
        remote: Address,
        origin: Origin,
        *,
        pieces: Sequence[int] = (),
        port: Port = "own",
        on_lost: OnLost | None = None,
    ) -> None:
        """Send one message. Raises SendFailed for what is known at once.

        `pieces`: cut after these numbers of bytes of the message into writes of their own (streams only). `port`
        `other`: from a port, or on a connection, that nobody knows. What fails only later, as a connection that is
        refused, goes to `on_lost`; by UDP only what ICMP reports, and only to sockets that heed it.
        """

    def reaches(self, remote: Address) -> bool:
        """Whether something can be sent there without a new connection: always by UDP."""

    def allows(self, remote: Address) -> bool:
        """Whether the guard lets anything be sent there."""

    def ping(self, remote: Address) -> None:
        """Keep the way to there open, through NATs as well: no message (RFC 5626 4.4.1). Nothing is opened for it."""

    def disconnect(self, kind: Disconnection, remote: Address | None = None) -> None:
        """Break the transport on purpose: see `model.steps.Disconnect`. Raises SendFailed where it cannot.

        With `remote` only the connection with that peer; its port stays open for others.
        """

    def close(self) -> None:
        """Free the port. Closing twice does no harm."""


@dataclass(frozen=True, slots=True)
class Hop:
    """The next or the last hop of a message: over which transport, to or from which address."""

    transport: Transport
    remote: Address


Receiver = Callable[[Message, Hop], None]
"""Takes every SIP message received."""


def nobody(_message: Message, _hop: Hop) -> None:
    """Receiver of a transport that is closed."""


Guard = Callable[[Address], bool]
"""Whether this address may be contacted."""

Vet = Callable[[bytes, str], str]
"""Why this message may not be sent to that host; empty if it may."""


def stated(transport: Transport) -> Address:
    """Our address as we state it to others."""
    return transport.public or transport.local[0], transport.local[1]


def host_port(address: Address) -> str:
    """An address as URIs and Via write it: IPv6 in brackets (RFC 3261 25.1, RFC 5118 4.1)."""
    return f"{in_uri(address[0])}:{address[1]}"


def in_uri(host: str) -> str:
    """A host as URIs and Via write it."""
    return f"[{host}]" if ":" in host else host
