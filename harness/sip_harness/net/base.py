"""What a transport offers, whichever it is: the shape that UDP, TCP and TLS share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sip_harness.model.entry import Address, Malformed, Origin
from sip_harness.model.entry import Message as MessageEntry
from sip_harness.sip.message import Message

Recorder = Callable[[MessageEntry | Malformed], None]
"""Takes everything that crosses a transport, in the order in which it was handled; never blocks."""


class SendFailed(OSError):
    """The bytes did not leave: refused by the guard or by the operating system. The message says which and why."""


class Transport(Protocol):
    """One bound local address that sends and receives SIP messages and records each."""

    @property
    def name(self) -> str:
        """As a Via names it: `UDP`, `TCP`, `TLS`."""

    @property
    def reliable(self) -> bool:
        """Whether nothing has to be sent again (RFC 3261 17)."""

    @property
    def local(self) -> Address:
        """Where it is bound."""

    def send(self, data: bytes, remote: Address, origin: Origin) -> None:
        """Send one message. Raises SendFailed."""

    def close(self) -> None:
        """Free the port. Closing twice does no harm."""


@dataclass(frozen=True, slots=True)
class Hop:
    """The next or the last hop of a message: over which transport, to or from which address."""

    transport: Transport
    remote: Address


Receiver = Callable[[Message, Hop], None]
"""Takes every SIP message received."""

Guard = Callable[[Address], bool]
"""Whether this address may be contacted."""
