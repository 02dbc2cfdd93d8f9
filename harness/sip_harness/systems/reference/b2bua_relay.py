"""A request of one side of a call on its way to the other, and what becomes of it there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sip_harness.endpoint.build import Headers
from sip_harness.endpoint.request import Request
from sip_harness.endpoint.server import Server
from sip_harness.endpoint.transactions import Why
from sip_harness.net.clock import Timer
from sip_harness.sip.codes import phrase
from sip_harness.sip.message import Message, parse
from sip_harness.systems.reference.b2bua_effects import ends_the_call
from sip_harness.systems.reference.best import CHALLENGES
from sip_harness.systems.reference.headers import content_type, passed
from sip_harness.systems.reference.settings import NO_CARRIER

if TYPE_CHECKING:
    from sip_harness.systems.reference.b2bua_bridge import Side
    from sip_harness.systems.reference.b2bua_core import Pbx

REFRESHES = ("INVITE", "UPDATE")
"""Requests that renew the remote target (RFC 3261 12.2, RFC 3311 5.1)."""
NO_ANSWER = 408
"""What a request counts as that nobody has answered."""
SLOW = 504
"""What the sender of anything but an INVITE is told when nobody has answered: 408 would come too late to be of any use
(RFC 4320 4.2)."""


class Relay:
    """One request, from when it came to its final response."""

    def __init__(self, pbx: Pbx, server: Server, sender: Side, receiver: Side) -> None:
        """Send it on."""
        self._pbx = pbx
        self._server = server
        self._sender = sender
        self._receiver = receiver
        self._method = server.request.method
        self._done = False
        self._answered = False
        self._patience: Timer | None = pbx.clock.after(pbx.settings.transaction, self._nothing_came)
        self._out = Request(
            pbx.station.layer,
            self._make,
            receiver.dialog.next_hop(),
            "protocol",
            receiver.account,
            on_final=self._final,
            on_failure=self._failed,
            on_provisional=self._provisional,
        )
        if self._method == "INVITE":
            self._respond(100)  # RFC 3261 17.2.1
            server.on_cancel = self._cancelled

    @property
    def offers(self) -> bool:
        """Whether it has a session to be agreed on, or to be offered by the other side (RFC 3261 14, RFC 3311 5)."""
        return self._method == "INVITE" or (self._method == "UPDATE" and bool(self._server.request.body))

    def close(self) -> None:
        """Wait for nothing any more."""
        self._done = True
        self._out.retry = False
        self._server.on_cancel = None
        self._rest()

    def overtaken(self) -> None:
        """A BYE has ended the call before the other side has answered (RFC 3261 15.1.2)."""
        self.close()
        if "leaves-re-invite-open" not in self._pbx.faults:
            self._respond(487)

    def _make(self, credentials: Headers) -> bytes:
        request, receiver = self._server.request, self._receiver
        own = self._own(receiver, receiver.session.headers(asking=True) if receiver.session else [])
        more = [*own, *credentials, *passed(request)]
        return receiver.dialog.request(self._method, more, body=request.body, content_type=content_type(request))

    def _provisional(self, response: Message) -> None:
        self._rest()
        if response.code > 100 and not self._done:
            self._pass(response)

    def _final(self, response: Message) -> None:
        accepted = 200 <= response.code < 300
        if self._answered and accepted:
            self._acknowledge_again()
        if self._done:
            return
        self._end()
        if response.code in CHALLENGES and self._receiver.account.password:
            self._respond(NO_CARRIER)  # what a carrier asks us for is no matter of the other side
            return
        if accepted and self._method in REFRESHES:
            self._receiver.dialog.refresh(response)
            for side in (self._sender, self._receiver):
                if side.session is not None:
                    side.session.refreshed()
        data = self._pass(response)
        if accepted and self._method == "INVITE":
            self._answered = True
            seq = self._out.request.cseq[0]
            self._sender.await_ack(self._server, data, lambda ack: self._receiver.acknowledge(seq, ack))
        elif not accepted:
            self._refused(response.code)

    def _nothing_came(self) -> None:
        self._patience = None
        self._out.client.stop()
        self._failed("timeout")

    def _failed(self, _why: Why) -> None:
        if self._done:
            return
        self._end()
        self._respond(NO_ANSWER if self._method == "INVITE" else SLOW)
        self._refused(NO_ANSWER)

    def _refused(self, code: int) -> None:
        """Hang up on both sides if nothing is left of the call."""
        if ends_the_call(self._method, code, self._pbx.faults):
            reason = [("Reason", f'SIP;cause={code};text="{phrase(code)}"')]
            self._sender.end(reason)
            self._receiver.end(reason)

    def _end(self) -> None:
        self.close()
        self._sender.relays.discard(self)

    def _rest(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _respond(self, code: int) -> None:
        self._pbx.station.respond(self._server, code, tag=self._sender.dialog.local_tag)

    def _pass(self, response: Message) -> bytes:
        accepts, sender = 200 <= response.code < 300, self._sender
        timer = sender.session.headers(asking=False) if accepts and sender.session else []
        own = self._own(sender, timer) if response.code < 300 else []
        return self._pbx.station.respond(
            self._server,
            response.code,
            response.reason,
            tag=self._sender.dialog.local_tag,
            headers=[*own, *self._pbx.told(response)],
            body=response.body,
            content_type=content_type(response),
        )

    def _own(self, side: Side, about_session: Headers) -> Headers:
        """Headers of ours towards this side."""
        return [("Contact", side.contact), *about_session] if self._method in REFRESHES else []

    def _acknowledge_again(self) -> None:
        """A 2xx that came again: its ACK again, if it had one yet (RFC 3261 13.2.2.4)."""
        dialog = self._receiver.dialog
        if not dialog.ack or "acknowledges-re-invite-once" in self._pbx.faults:
            return
        if parse(dialog.ack).cseq[0] == self._out.request.cseq[0]:
            self._pbx.station.layer.send(dialog.ack, dialog.next_hop(), "protocol")

    def _cancelled(self, cancel: Server) -> None:
        self._pbx.station.respond(cancel, 200, tag=self._sender.dialog.local_tag)
        self._out.retry = False
        self._pbx.cancel(self._out.client, self._receiver.dialog.next_hop())
