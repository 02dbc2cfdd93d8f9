"""What every part of the proxy shares: layer and transports, ways to the next hop, responses of its own, its log."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Callable, Mapping
from typing import Protocol

from sip_harness.endpoint import build
from sip_harness.endpoint.dialog import address_of
from sip_harness.endpoint.layer import Layer, TransactionUser
from sip_harness.endpoint.server import Server
from sip_harness.model.entry import Address
from sip_harness.net.base import Hop, Transport, host_port
from sip_harness.net.clock import Clock
from sip_harness.sip.codes import phrase
from sip_harness.sip.message import Message, parse
from sip_harness.sip.transaction import cancel_for
from sip_harness.sip.uri import unescape, uri_text
from sip_harness.systems.reference import forward
from sip_harness.systems.reference.auth import REALM
from sip_harness.systems.reference.forward import Headers
from sip_harness.systems.reference.registrar import Registrar
from sip_harness.systems.reference.router import Router
from sip_harness.systems.reference.settings import Settings

MAX_TRANSACTIONS = 50_000
"""Of requests from outside at one time, those that linger included; what comes beyond is not answered."""
LogLine = Callable[[str], None]


class Open(Protocol):
    """Something under way that has timers of its own."""

    def close(self) -> None:
        """Stop them."""


def is_loopback(address: Address) -> bool:
    """Whether this address is on this machine: nothing else is ever contacted."""
    try:
        return ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return False


class Core:
    """One instance, without what it decides."""

    def __init__(self, clock: Clock, settings: Settings, user: TransactionUser, log: LogLine) -> None:
        self.clock = clock
        self.settings = settings
        self.layer = Layer(clock, settings.timers(), user)
        self.layer.most_servers = MAX_TRANSACTIONS
        self.layer.heeds_icmp = "ignores-icmp" not in settings.faults
        self.layer.hands_up_all = "counts-second-finals" in settings.faults
        self.registrar = Registrar(settings.faults)
        self.router = Router(self.registrar, settings.faults)
        self.transports: Mapping[str, Transport] = {}
        """By the name that a URI's `transport` has, in lower case; to be set before the first message."""
        self.open: set[Open] = set()
        """Calls under way."""
        self.believers: list[Callable[[Message], None]] = []
        """Under a fault: told what answers nothing, for it may have to do with a probe of theirs."""
        self._log = log

    def close(self) -> None:
        """Forget everything at once."""
        for call in self.open:
            call.close()
        self.open.clear()
        self.layer.close()

    @property
    def faults(self) -> frozenset[str]:
        """Switches that are on."""
        return self.settings.faults

    @property
    def realm(self) -> str:
        """That it asks for credentials in; empty if it asks for none."""
        return REALM if self.settings.digest else ""

    @property
    def here(self) -> Address:
        """Where it listens, the same for all transports."""
        return self.transports["udp"].local

    def log(self, message: Message, text: str) -> None:
        """One line about a decision, with the user that was dialled: that is how it finds its run."""
        user = forward.readable(uri_text(message.get("to") or ""))
        self._log(f"{unescape(user.user) if user else '?'}: {text}")

    def hop_to(self, uri: str) -> Hop | None:
        """The next hop that a URI names; None for what is not on loopback or needs another transport."""
        parsed, address = forward.readable(uri), address_of(uri)
        if parsed is None or parsed.scheme != "sip" or address is None or not is_loopback(address):
            return None
        transport = self.transports.get((parsed.param("transport") or "udp").lower())
        return None if transport is None else Hop(transport, address)

    def onward(
        self,
        request: Message,
        source: Hop,
        uri: str,
        routes: list[str],
        hop: Hop,
        *,
        spent: int = 0,
        breadth: int = 0,
        unique: str = "",
        offer: str = "",
    ) -> Message:
        """The request as it goes to this hop, in a transaction of its own. `spent` are hops that were lost before;
        without a `breadth` it may not be forked any further. Its branch is new, unless `unique` is what makes it so;
        an `offer` stands behind it."""
        branch = forward.branch_of(request, unique or secrets.token_hex(6), self.realm)
        via = f"SIP/2.0/{hop.transport.name} {host_port(self.here)};branch={branch}{offer}"
        stays = request.method in forward.RECORDED and not request.to_tag and "records-no-route" not in self.faults
        data = forward.request_on(
            request,
            source.remote,
            uri=uri,
            via=via,
            routes=routes,
            record=self._record_routes(source, hop) if stays else [],
            realm=self.realm,
            faults=self.faults,
            spent=spent,
            breadth=breadth,
        )
        return parse(data)

    def _record_routes(self, source: Hop, hop: Hop) -> list[str]:
        """One value, or one for each side where the transports differ (RFC 5658 3.1)."""
        names = dict.fromkeys((hop.transport.name.lower(), source.transport.name.lower()))
        ours = host_port(self.here)
        return [f"<sip:{ours}{'' if name == 'udp' else f';transport={name}'};lr>" for name in names]

    def reply(self, server: Server, code: int, more: Headers | None = None, reason: str = "") -> None:
        """Answer a request ourselves."""
        server.respond(code, self.own(server, code, more, reason), "protocol")

    def own(self, server: Server, code: int, more: Headers | None = None, reason: str = "", tag: str = "") -> bytes:
        """A response of our own; with this To tag or a new one."""
        words = reason or phrase(code)
        source = server.source.remote
        return build.response(server.request, code, words, source=source, tag=tag or build.new_tag(), own=more)

    def cancel_of(self, invite: Message, reasons: list[str]) -> Message:
        """The CANCEL for an INVITE of ours, with these Reason values (RFC 3261 9.1, RFC 3326 2)."""
        cancel = cancel_for(invite)
        head, _, _ = cancel.rpartition(b"\r\n\r\n")
        lines = "".join(f"\r\nReason: {reason}" for reason in reasons).encode("utf-8", "surrogateescape")
        if "cancels-with-new-branch" in self.faults:
            head = head.replace(invite.branch.encode(), f"{invite.branch}.other".encode())
        return parse(head + lines + b"\r\n\r\n")
