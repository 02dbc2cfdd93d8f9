"""Our end of SIP on one port of loopback, by UDP and TCP, with what every server answers in the same way."""

from __future__ import annotations

from sip_harness.endpoint import build
from sip_harness.endpoint.build import Headers
from sip_harness.endpoint.dialog import address_of
from sip_harness.endpoint.layer import Layer, TransactionUser
from sip_harness.endpoint.server import Server
from sip_harness.endpoint.ua import wrong_with
from sip_harness.model.entry import Address, Malformed, Message
from sip_harness.net.base import Hop, Transport
from sip_harness.net.clock import Clock
from sip_harness.net.codec import Plain
from sip_harness.net.stream import StreamTransport
from sip_harness.net.udp import UdpSocket
from sip_harness.sip.codes import phrase
from sip_harness.sip.message import Message as Sip
from sip_harness.sip.transaction_tables import Timers
from sip_harness.systems.reference.core import MAX_TRANSACTIONS, is_loopback
from sip_harness.systems.reference.forward import readable
from sip_harness.systems.reference.lost import Lost
from sip_harness.systems.reference.reading import Reading, flaw
from sip_harness.systems.reference.segments import Segments
from sip_harness.systems.reference.settings import FaultyTimers, unused

HOST = "127.0.0.1"
ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, INFO, UPDATE, MESSAGE, NOTIFY, REFER"
_ATTEMPTS = 20


class Station:
    """A transaction layer on a UDP socket and a TCP port of the same number."""

    def __init__(
        self, clock: Clock, user: TransactionUser, timers: Timers | None = None, faults: frozenset[str] = frozenset()
    ) -> None:
        """Without `timers` those of RFC 3261 17. Raises OSError if no port is free for both."""
        self.clock = clock
        self.layer = Layer(clock, timers or FaultyTimers(without=unused(faults)), user)
        self.layer.most_servers = MAX_TRANSACTIONS
        self.layer.heeds_icmp = "ignores-icmp" not in faults
        self._reading = Reading(self.layer, faults)
        self._codec = Segments if "reads-one-message-a-segment" in faults else Plain
        self.udp, self.tcp = self._open()
        self.tcp.on_cut = Lost(self.layer, self.tcp, faults).cut

    @property
    def address(self) -> Address:
        """Where it listens."""
        return self.udp.local

    def transport(self, name: str) -> Transport | None:
        """The transport that a URI names; None for one that is not spoken here."""
        known: dict[str, Transport] = {"": self.udp, "udp": self.udp, "tcp": self.tcp}
        return known.get(name.lower())

    def hop(self, uri: str) -> Hop | None:
        """Where a SIP URI points; None if that is not on this machine, or not by a transport that is spoken here."""
        parsed, address = readable(uri), address_of(uri)
        transport = self.transport(parsed.param("transport") or "") if parsed is not None else None
        if parsed is None or parsed.scheme != "sip" or transport is None or address is None or not is_loopback(address):
            return None
        return Hop(transport, address)

    def close(self) -> None:
        """Forget everything and free the port."""
        self.layer.close()
        self.udp.close()
        self.tcp.close()

    def contact(self, user: str, transport: Transport) -> str:
        """A Contact value that leads here."""
        return f"<{build.contact_uri(user, transport)}>"

    def respond(
        self,
        server: Server,
        code: int,
        reason: str = "",
        *,
        tag: str = "",
        headers: Headers | None = None,
        body: bytes = b"",
        content_type: str = build.SDP,
    ) -> bytes:
        """Answer a request; the bytes are returned because a 2xx to an INVITE is sent again. A code of a class that
        there is not counts as 500."""
        if code > 699:
            code, reason = 500, ""
        data = build.response(
            server.request,
            code,
            reason or phrase(code),
            source=server.source.remote,
            tag=tag or build.new_tag(),
            own=headers,
            body=body,
            content_type=content_type,
        )
        server.respond(code, data, "protocol")
        return data

    def refuses(self, server: Server) -> bool:
        """Whether the request was such that every server answers it in the same way, and has been (RFC 3261 8.2)."""
        request = server.request
        required = [*request.all("require"), *request.all("proxy-require")]
        if code := flaw(request):
            self.respond(server, code)
        elif why := wrong_with(request):
            self.respond(server, 400, f"Bad Request: {why}")
        elif request.method == "CANCEL":
            self._cancel(server)
        elif required and not request.to_tag:
            self.respond(server, 420, headers=[("Unsupported", ", ".join(required))])
        else:
            return False
        return True

    def _cancel(self, server: Server) -> None:
        invite = self.layer.invite_of(server.request)
        if invite is None:
            self.respond(server, 481)
        elif invite.on_cancel is None:
            self.respond(server, 200)
        else:
            invite.on_cancel(server)

    def _open(self) -> tuple[UdpSocket, StreamTransport]:
        for attempt in range(_ATTEMPTS):
            udp = UdpSocket(
                self.clock,
                (HOST, 0),
                agent="",
                record=_unrecorded,
                receive=self._receive,
                guard=is_loopback,
                heeds_icmp=True,
            )
            try:
                return udp, StreamTransport(
                    self.clock,
                    udp.local,
                    "tcp",
                    agent="",
                    record=_unrecorded,
                    receive=self._receive,
                    guard=is_loopback,
                    codec=self._codec,
                )
            except OSError:
                udp.close()
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _receive(self, message: Sip, hop: Hop) -> None:
        heard, _ = self._reading.heard(message, hop)
        if heard is not None:
            self.layer.receive(heard, hop)


def _unrecorded(_entry: Message | Malformed) -> None:
    """The agents record what they send and get; the system's own side is not looked at."""
