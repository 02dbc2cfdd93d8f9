"""Two dialogs that are one call: what comes within one goes out within the other."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from sip_harness.endpoint.build import Headers
from sip_harness.endpoint.dialog import Dialog
from sip_harness.endpoint.leg import Acceptance
from sip_harness.endpoint.request import Credentials
from sip_harness.endpoint.server import Server
from sip_harness.sip.message import Message
from sip_harness.systems.reference.b2bua_account import NOBODY
from sip_harness.systems.reference.b2bua_relay import REFRESHES, Relay
from sip_harness.systems.reference.b2bua_session import SessionTimer
from sip_harness.systems.reference.headers import content_type, passed, user_of

if TYPE_CHECKING:
    from sip_harness.systems.reference.b2bua_core import Pbx

OnAck = Callable[[Message], None]

_LONGEST_PAUSE = 10
"""Seconds, of the Retry-After for a request that overlaps another (RFC 3261 14.2)."""


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
        self.relays: set[Relay] = set()
        """Requests of this side that the other one has not answered yet."""
        self.session: SessionTimer | None = None
        """What limits its session; None for nothing."""
        self._pbx = pbx
        self._on_early_bye = on_early_bye
        self._waits: dict[int, tuple[Acceptance, OnAck | None]] = {}
        self._farewell: Headers | None = None
        """Headers of the BYE that waits for an ACK."""
        pbx.sides[dialog.id] = self

    @property
    def contact(self) -> str:
        """Contact value of ours towards this side."""
        return self._pbx.station.contact(user_of(self.dialog.local), self.dialog.hop.transport)

    @property
    def offers(self) -> bool:
        """Whether this side has offered a session, or asked for one, and has no answer yet."""
        return any(relay.offers for relay in self.relays)

    def close(self) -> None:
        """The dialog is over: requests within it find nothing any more. Nobody is told."""
        for acceptance, _ in self._waits.values():
            acceptance.stop()
        self._waits.clear()
        for relay in self.relays:
            relay.close()
        self.relays.clear()
        if self.session is not None:
            self.session.close()
        if self._pbx.sides.get(self.dialog.id) is self:
            del self._pbx.sides[self.dialog.id]

    def handle(self, server: Server) -> None:
        """A request within this dialog (RFC 3261 12.2.2)."""
        request = server.request
        if request.cseq[0] < self.dialog.remote_seq and "takes-old-requests" not in self._pbx.faults:
            self._pbx.station.respond(server, 500)
            return
        self.dialog.remote_seq = max(request.cseq[0], self.dialog.remote_seq)
        if request.method in REFRESHES:
            self.dialog.refresh(request)
        if request.method == "BYE":
            self._bye(server)
        elif self._farewell is not None:
            self._pbx.station.respond(server, 481)
        elif self._answers_itself(request):
            self._accept(server)
        elif request.method == "PRACK":
            self._pbx.station.respond(server, 481)  # no response of ours has asked for one (RFC 3262 3)
        elif self.other is None:
            self._pbx.station.respond(server, 500, headers=_later())  # not while nobody has answered
        elif not self._clashes(server, self.other):
            self.relays.add(Relay(self._pbx, server, self, self.other))

    def await_ack(self, server: Server, data: bytes, on_ack: OnAck | None) -> None:
        """Send this 2xx again until its ACK comes (RFC 3261 13.3.1.4); `on_ack` gets the first."""
        seq = server.request.cseq[0]

        def missed(_acked: bool) -> None:
            self._unacknowledged(seq)

        acceptance = Acceptance(self._pbx.station.layer, server, data, "protocol", missed)
        self._waits[seq] = acceptance, on_ack

    def acked(self, ack: Message) -> None:
        """An ACK within this dialog: the first one for each 2xx counts."""
        acceptance, on_ack = self._waits.pop(ack.cseq[0], (None, None))
        if acceptance is not None:
            acceptance.stop()
        if on_ack is not None:
            on_ack(ack)
        if self._farewell is not None and not self._waits:
            self._hang_up(self._farewell)

    def acknowledge(self, seq: int, ack: Message) -> None:
        """Pass the ACK to a re-INVITE's 2xx on, with its body."""
        self.dialog.ack = self.dialog.request("ACK", [], seq=seq, body=ack.body, content_type=content_type(ack))
        self._pbx.station.layer.send(self.dialog.ack, self.dialog.next_hop(), "protocol")

    def end(self, headers: Headers) -> None:
        """Send BYE and be over; not before the ACK to a 2xx of ours (RFC 3261 15)."""
        self._overtake()
        if self._waits and "hangs-up-before-ack" not in self._pbx.faults:
            self._farewell = headers
        else:
            self._hang_up(headers)

    def _hang_up(self, headers: Headers) -> None:
        self.close()
        self._pbx.bye(self.dialog, headers, self.account)

    def _bye(self, server: Server) -> None:
        if self.other is None:
            if self._on_early_bye is not None:
                self._on_early_bye(server)
            return
        self._pbx.station.respond(server, 200)
        over = self._farewell is not None
        self._overtake()
        self.close()
        if not over and "leaves-leg-up-after-bye" not in self._pbx.faults:
            drops = "drops-reason-of-bye" in self._pbx.faults
            self.other.end([(n, v) for n, v in passed(server.request) if not drops or n.lower() != "reason"])

    def _overtake(self) -> None:
        for relay in self.relays:
            relay.overtaken()
        self.relays.clear()

    def _clashes(self, server: Server, other: Side) -> bool:
        """Whether a request has been refused because an offer is under way: this side's own (500), or one that we have
        sent to it for the other side (491; RFC 3261 14.2, RFC 3311 5.2)."""
        request, faults = server.request, self._pbx.faults
        if request.method != "INVITE" and not (request.method == "UPDATE" and request.body):
            return False
        if other.offers:
            code = 0 if "ignores-glare" in faults else 491
        else:
            code = (491 if "answers-overlap-with-491" in faults else 500) if self.offers else 0
        if code:
            self._pbx.station.respond(server, code, headers=_later() if code == 500 else [])
        return bool(code)

    def _answers_itself(self, request: Message) -> bool:
        faults = self._pbx.faults
        return "answers-within-the-call" in faults or (request.method == "PRACK" and "takes-any-prack" in faults)

    def _accept(self, server: Server) -> None:
        data = self._pbx.station.respond(server, 200, headers=[("Contact", self.contact)])
        if server.request.method == "INVITE":
            self.await_ack(server, data, None)

    def _unacknowledged(self, seq: int) -> None:
        self._waits.pop(seq, None)
        if self._farewell is not None:
            self._hang_up(self._farewell)
        elif self.other is not None:
            self.end([])
            self.other.end([])


def join(one: Side, other: Side) -> None:
    """Make one call of two sides."""
    one.other, other.other = other, one


def _later() -> Headers:
    return [("Retry-After", str(secrets.randbelow(_LONGEST_PAUSE + 1)))]
