"""A user agent core: tells requests apart, keeps its dialogs, does what any user agent must (RFC 3261 8.2, 12, 15).

What is up to the user, such as how an INVITE is answered, is handed to callbacks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sip_harness.endpoint import build
from sip_harness.endpoint.dialog import DialogId
from sip_harness.endpoint.layer import Layer
from sip_harness.endpoint.leg import Leg
from sip_harness.endpoint.media import OpenMedia
from sip_harness.endpoint.request import Credentials
from sip_harness.endpoint.server import Server
from sip_harness.model.entry import Address
from sip_harness.net.base import Hop, Receiver, Transport, in_uri, stated
from sip_harness.net.clock import Clock
from sip_harness.sip.message import Message
from sip_harness.sip.transaction_tables import Timers


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a user agent is."""

    aor: str
    """Address of record, From of what it sends."""
    contact_user: str
    """User part of its Contact."""
    credentials: Credentials
    token: str
    """Part of every Call-ID that it makes up."""


class UserAgent:
    """One user agent on one transport."""

    def __init__(
        self,
        clock: Clock,
        open_transport: Callable[[Receiver], Transport],
        identity: Identity,
        *,
        on_invite: Callable[[Server], None] | None = None,
        on_unsent: Callable[[str], None] = lambda _why: None,
        on_lost: Callable[[str], None] | None = None,
        timers: Timers | None = None,
        media: OpenMedia | None = None,
    ) -> None:
        """`open_transport` gets the receiver of all messages; what it raises comes through.

        `on_invite` gets every INVITE outside of a dialog; without it they are answered 480. `media` opens the RTP port
        of a call; without it no call has media, and SDP names the discard port.
        """
        self.clock = clock
        self.timers = timers or Timers()
        self.identity = identity
        self.layer = Layer(clock, self.timers, self)
        self.legs: dict[DialogId, Leg] = {}
        self.on_invite = on_invite
        self.on_scripted: Callable[[Server], bool] = lambda _server: False
        """Asked first for every request that can be answered: True if a script answers it; settable."""
        self.notified: dict[tuple[str, str], Callable[[Server], None]] = {}
        """By Call-ID and our tag: who gets the NOTIFYs that a single request of ours brings (RFC 6665 4.1.3)."""
        self.media = media
        self.seen: Address | None = None
        """Where others see us, if a NAT makes that another address than our own; settable."""
        self._on_unsent = on_unsent
        self._on_lost = on_lost or on_unsent
        self.transport = open_transport(self.layer.receive)

    @property
    def contact(self) -> str:
        """Contact value."""
        return f"<{build.contact_uri(self.identity.contact_user, self.transport, self.seen)}>"

    @property
    def host(self) -> str:
        """Host that our SDP names."""
        return (self.seen or stated(self.transport))[0]

    def sender(self) -> str:
        """A From value with a new tag."""
        return f"<{self.identity.aor}>;tag={build.new_tag()}"

    def new_call_id(self) -> str:
        """A Call-ID that contains the token."""
        return f"{self.identity.token}-{build.new_tag()}@{in_uri(self.transport.local[0])}"

    def close(self) -> None:
        """Stop at once and free the port."""
        for leg in list(self.legs.values()):
            leg.close()
        self.layer.close()
        self.transport.close()

    def answer(
        self, server: Server, code: int, reason: str, own: build.Headers | None = None, *, tag: str = ""
    ) -> None:
        """Answer as any user agent must."""
        data = build.response(
            server.request, code, reason, source=server.source.remote, tag=tag or build.new_tag(), own=own
        )
        server.respond(code, data, "protocol")

    def answer_method(self, server: Server) -> None:
        """OPTIONS gets 200 (RFC 3261 11.2), any other method that is not served 405 (8.2.1)."""
        if server.request.method == "OPTIONS":
            own = [("Contact", self.contact), ("Allow", build.ALLOW), ("Accept", build.SDP)]
            self.answer(server, 200, "OK", own)
        else:
            self.answer(server, 405, "Method Not Allowed", [("Allow", build.ALLOW)])

    def on_request(self, server: Server) -> None:
        """From the layer: a new request."""
        request = server.request
        if why := wrong_with(request):
            self.answer(server, 400, f"Bad Request: {why}")
        elif self.on_scripted(server):
            pass
        elif request.method == "CANCEL":
            self._cancel(server)
        elif leg := self.leg_of(request):
            leg.handle(server)
        elif request.to_tag:
            self._without_dialog(server)
        elif request.method == "INVITE" and self.on_invite is not None:
            self.on_invite(server)
        elif request.method == "INVITE":
            self.answer(server, 480, "Temporarily Unavailable")
        elif request.method == "BYE":
            self.answer(server, 481, "Call/Transaction Does Not Exist")
        else:
            self.answer_method(server)

    def on_ack(self, ack: Message, hop: Hop) -> None:
        """From the layer: an ACK that no transaction absorbed."""
        leg = self.legs.get((ack.call_id, ack.to_tag, ack.from_tag))
        if leg is not None:
            leg.acked(ack)

    def on_stray(self, response: Message, hop: Hop) -> None:
        """From the layer: recorded below, and nothing else is to be done with it (RFC 6026 8.10)."""

    def on_unsent(self, why: str) -> None:
        """From the layer: something could not be sent."""
        self._on_unsent(why)

    def on_lost(self, why: str) -> None:
        """From the layer: a connection was refused or broke before something was through."""
        self._on_lost(why)

    def _without_dialog(self, server: Server) -> None:
        request = server.request
        notified = self.notified.get((request.call_id, request.to_tag))
        if notified is not None and request.method == "NOTIFY":
            notified(server)
        else:
            self.answer(server, 481, "Call/Transaction Does Not Exist")

    def _cancel(self, server: Server) -> None:
        invite = self.layer.invite_of(server.request)
        if invite is None:
            self.answer(server, 481, "Call/Transaction Does Not Exist")
        elif invite.on_cancel is None:  # it has its final response: the CANCEL has no effect (RFC 3261 9.2)
            self.answer(server, 200, "OK")
        else:
            invite.on_cancel(server)

    def leg_of(self, request: Message) -> Leg | None:
        """The dialog that a request is within (RFC 3261 12.2.2); one set up without a To tag has none either (12.1.1),
        but an INVITE without one is always a new call."""
        if request.method == "INVITE" and not request.to_tag:
            return None
        return self.legs.get((request.call_id, request.to_tag, request.from_tag))


def wrong_with(request: Message) -> str:
    """What keeps a request from being answered properly (RFC 3261 8.1.1); empty if nothing."""
    for name in ("Call-ID", "From", "To", "CSeq"):
        if not request.get(name):
            return f"no {name}"
    if request.cseq[0] < 0:
        return "CSeq cannot be read"
    return "" if request.cseq[1] == request.method else "CSeq names another method"
