"""Two dialogs that are one call: what comes within one goes out within the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sip_harness.endpoint.build import Headers
from sip_harness.endpoint.dialog import Dialog
from sip_harness.endpoint.layer import Server, Why
from sip_harness.endpoint.leg import Acceptance
from sip_harness.endpoint.request import Credentials, Request
from sip_harness.sip.message import Message, parse
from sip_harness.systems.reference.b2bua_account import NOBODY
from sip_harness.systems.reference.best import CHALLENGES
from sip_harness.systems.reference.headers import content_type, passed, user_of
from sip_harness.systems.reference.settings import NO_CARRIER

if TYPE_CHECKING:
    from sip_harness.systems.reference.b2bua_core import Pbx

OnAck = Callable[[Message], None]

_REFRESHES = ("INVITE", "UPDATE")


class Side:
    """One dialog of a call, found by the requests within it until `close`."""

    def __init__(
        self,
        pbx: Pbx,
        dialog: Dialog,
        on_early_bye: Callable[[Server], None] | None = None,
        account: Credentials = NOBODY,
    ) -> None:
        """`on_early_bye` gets a BYE that comes before the sides are joined."""
        self.dialog = dialog
        self.account = account
        """What the challenges of this side are answered with."""
        self.other: Side | None = None
        """The side that it is joined with."""
        self._pbx = pbx
        self._on_early_bye = on_early_bye
        self._inviting = False
        self._waits: dict[int, tuple[Acceptance, OnAck | None]] = {}
        self._under_way: set[Request] = set()
        pbx.sides[dialog.id] = self

    @property
    def contact(self) -> str:
        """Contact value of ours towards this side."""
        return self._pbx.station.contact(user_of(self.dialog.local), self.dialog.hop.transport)

    def close(self) -> None:
        """The dialog is over: requests within it find nothing any more."""
        for acceptance, _ in self._waits.values():
            acceptance.stop()
        self._waits.clear()
        for request in self._under_way:
            request.retry = False
        if self._pbx.sides.get(self.dialog.id) is self:
            del self._pbx.sides[self.dialog.id]

    def handle(self, server: Server) -> None:
        """A request within this dialog (RFC 3261 12.2.2)."""
        request = server.request
        if request.cseq[0] < self.dialog.remote_seq:
            self._pbx.station.respond(server, 500)
            return
        self.dialog.remote_seq = request.cseq[0]
        if request.method in _REFRESHES:
            self.dialog.refresh(request)
        if request.method == "BYE":
            self._bye(server)
        elif self.other is None:
            self._pbx.station.respond(server, 500, headers=[("Retry-After", "1")])  # not while nobody has answered
        elif request.method == "INVITE" and (self._inviting or self.other._inviting):
            self._pbx.station.respond(server, 491)  # RFC 3261 14.2
        else:
            self._relay(server, self.other)

    def await_ack(self, server: Server, data: bytes, on_ack: OnAck | None) -> None:
        """Send this 2xx again until its ACK comes (RFC 3261 13.3.1.4); `on_ack` gets the first."""
        seq = server.request.cseq[0]
        acceptance = Acceptance(self._pbx.station.layer, server, data, "protocol", self._unacknowledged)
        self._waits[seq] = acceptance, on_ack

    def acked(self, ack: Message) -> None:
        """An ACK within this dialog: the first one for each 2xx counts."""
        acceptance, on_ack = self._waits.pop(ack.cseq[0], (None, None))
        if acceptance is not None:
            acceptance.stop()
        if on_ack is not None:
            on_ack(ack)

    def end(self, headers: Headers) -> None:
        """Send BYE and be over."""
        self.close()
        self._pbx.bye(self.dialog, headers, self.account)

    def _bye(self, server: Server) -> None:
        if self.other is None:
            if self._on_early_bye is not None:
                self._on_early_bye(server)
            return
        self._pbx.station.respond(server, 200)
        self.close()
        if "leaves-leg-up-after-bye" not in self._pbx.faults:
            self.other.end(passed(server.request))

    def _unacknowledged(self, acked: bool) -> None:
        if not acked and self.other is not None:
            self.end([])
            self.other.end([])

    def _relay(self, server: Server, other: Side) -> None:
        request = server.request
        self._inviting = request.method == "INVITE"
        contact = [("Contact", other.contact)] if request.method in _REFRESHES else []

        def make(credentials: Headers) -> bytes:
            more = [*contact, *credentials, *passed(request)]
            body, kind = request.body, content_type(request)
            return other.dialog.request(request.method, more, body=body, content_type=kind)

        def answer(response: Message) -> None:
            if response.code >= 200:
                other._under_way.discard(out)
            self._answer(server, other, out.request, response)

        def fail(_why: Why) -> None:
            other._under_way.discard(out)
            self._fail(server)

        out = Request(
            self._pbx.station.layer,
            make,
            other.dialog.next_hop(),
            "protocol",
            other.account,
            on_final=answer,
            on_failure=fail,
            on_provisional=answer,
        )
        other._under_way.add(out)
        if request.method == "INVITE":
            server.on_cancel = lambda cancel: self._cancelled(cancel, out, other)

    def _answer(self, server: Server, other: Side, out: Message, response: Message) -> None:
        if response.code <= 100:
            if response.code == 100:
                self._pbx.station.respond(server, 100)
            return
        if response.code >= 200:
            self._inviting = False
            server.on_cancel = None
        accepted = 200 <= response.code < 300
        again = accepted and out.method == "INVITE" and server.request.cseq[0] in self._waits
        if again or (accepted and other.dialog.ack and parse(other.dialog.ack).cseq[0] == out.cseq[0]):
            self._again(other, out)
            return
        if response.code in CHALLENGES and other.account.password:
            self._pbx.station.respond(server, NO_CARRIER, tag=self.dialog.local_tag)
            return  # what a carrier asks us for is no matter of the other side
        refresh = out.method in _REFRESHES and response.code < 300
        if accepted and refresh:
            other.dialog.refresh(response)
        data = self._pbx.station.respond(
            server,
            response.code,
            response.reason,
            tag=self.dialog.local_tag,
            headers=[*([("Contact", self.contact)] if refresh else []), *passed(response)],
            body=response.body,
            content_type=content_type(response),
        )
        if accepted and out.method == "INVITE":
            self.await_ack(server, data, lambda ack: other.acknowledge(out.cseq[0], ack))

    def acknowledge(self, seq: int, ack: Message) -> None:
        """Pass the ACK to a re-INVITE's 2xx on, with its body."""
        self.dialog.ack = self.dialog.request("ACK", [], seq=seq, body=ack.body, content_type=content_type(ack))
        self._pbx.station.layer.send(self.dialog.ack, self.dialog.next_hop(), "protocol")

    def _again(self, other: Side, out: Message) -> None:
        """A 2xx that came again: its ACK again, if it had one yet."""
        if other.dialog.ack and parse(other.dialog.ack).cseq[0] == out.cseq[0]:
            self._pbx.station.layer.send(other.dialog.ack, other.dialog.next_hop(), "protocol")

    def _fail(self, server: Server) -> None:
        self._inviting = False
        server.on_cancel = None
        self._pbx.station.respond(server, 408)

    def _cancelled(self, cancel: Server, out: Request, other: Side) -> None:
        self._pbx.station.respond(cancel, 200, tag=self.dialog.local_tag)
        out.retry = False
        self._pbx.cancel(out.client, other.dialog.next_hop())


def join(one: Side, other: Side) -> None:
    """Make one call of two sides."""
    one.other, other.other = other, one
