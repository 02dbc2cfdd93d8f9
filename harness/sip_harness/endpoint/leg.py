"""One end of a dialog at work: requests within it, answers of ours that wait for their ACK, and its end by BYE."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from sip_harness.endpoint import build
from sip_harness.endpoint.dialog import Dialog
from sip_harness.endpoint.own import needs_session
from sip_harness.endpoint.request import Request
from sip_harness.endpoint.served import SERVED, accept
from sip_harness.endpoint.server import Server
from sip_harness.endpoint.session import Session
from sip_harness.model.entry import Origin
from sip_harness.model.steps import PLAIN, Delivery
from sip_harness.model.steps import Request as Step
from sip_harness.net.clock import Clock, Timer
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message
from sip_harness.sip.transaction_tables import Timers

if TYPE_CHECKING:
    from sip_harness.endpoint.ua import UserAgent


class Timed(Protocol):
    """What knows the time: a user agent, or a transaction layer by itself."""

    @property
    def clock(self) -> Clock: ...

    @property
    def timers(self) -> Timers: ...


class Acceptance:
    """A 2xx to an INVITE, sent again until its ACK comes (RFC 3261 13.3.1.4)."""

    def __init__(
        self,
        ua: Timed,
        server: Server,
        data: bytes,
        origin: Origin,
        on_end: Callable[[bool], None],
        how: Delivery = PLAIN,
    ) -> None:
        """The 2xx has been sent once. `on_end` is told whether the ACK came; False after 64*T1 without it. A 2xx that
        has a schedule of its own in `how` is not sent again here."""
        self._ua = ua
        self._server = server
        self._data = data
        self._origin = origin
        self._on_end = on_end
        self._how = replace(how, copies=1)
        self._interval = ua.timers.t1
        self._end = ua.clock.now() + ua.timers.lifetime
        first = self._end if how.resend is not None else ua.clock.now() + self._interval
        self._timer: Timer | None = ua.clock.at(first, self._again)

    def acked(self) -> None:
        """The ACK came, perhaps again."""
        if self._timer is not None:
            self.stop()
            self._on_end(True)

    def stop(self) -> None:
        """Wait no longer and tell nobody."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _again(self) -> None:
        now = self._ua.clock.now()
        if now >= self._end:
            self._timer = None
            self._on_end(False)
            return
        if not self._server.respond(200, self._data, self._origin, self._how):
            self._server.send_past(self._data, self._origin, self._how)
        self._interval = min(2 * self._interval, self._ua.timers.t2)
        self._timer = self._ua.clock.at(min(now + self._interval, self._end), self._again)


class Leg:
    """One dialog of a user agent, found by the requests within it from `open` to `close`."""

    def __init__(self, ua: UserAgent, dialog: Dialog, on_bye: Callable[[], None]) -> None:
        self.dialog = dialog
        self.mute = False
        """Leave every request within the dialog unanswered."""
        self.inviting = 0
        """How many re-INVITEs of ours are under way."""
        self.session = Session(ua.host)
        """What our SDP in it says; settable."""
        self.pracks: list[Callable[[Message], bool]] = []
        """Who may be waiting for a PRACK, and says whether it was this one; while nobody is, PRACK is not served."""
        self.left = False
        """The peer has sent BYE, however a script answers that: cleaning up sends none of ours. Settable."""
        self.refused = ""
        """Branch of an INVITE that we have refused after a 2xx to it: its ACK is for the refusal. Settable."""
        self._ua = ua
        self._on_bye = on_bye
        self._accepted: dict[int, Acceptance] = {}
        self._ending = False
        ua.legs[dialog.id] = self

    @property
    def is_up(self) -> bool:
        """Whether an answer has confirmed it and nobody has ended it yet."""
        return (self.dialog.confirmed or bool(self._accepted)) and not (self._ending or self.left)

    def close(self) -> None:
        """The dialog is over: requests within it find nothing any more."""
        for acceptance in self._accepted.values():
            acceptance.stop()
        self._accepted.clear()
        if self._ua.legs.get(self.dialog.id) is self:
            del self._ua.legs[self.dialog.id]

    def accept(
        self, server: Server, data: bytes, origin: Origin, on_end: Callable[[bool], None], how: Delivery = PLAIN
    ) -> None:
        """Send this 2xx to an INVITE until it is acknowledged; see `Acceptance`."""
        seq = server.request.cseq[0]
        if before := self._accepted.pop(seq, None):
            before.stop()
        if not server.respond(200, data, origin, how):
            server.send_past(data, origin, how)
        self._accepted[seq] = Acceptance(self._ua, server, data, origin, on_end, how)

    def acked(self, ack: Message) -> None:
        """An ACK within this dialog."""
        if ack.branch and ack.branch == self.refused:
            return
        if ack.body:
            self.session.learn(ack.body)
        if acceptance := self._accepted.get(ack.cseq[0]):
            acceptance.acked()

    def bye(self, origin: Origin, on_over: Callable[[], None], step: Step | None = None) -> None:
        """End the dialog; `on_over` once the BYE has been answered, has failed, or the peer's own crossed it. `step`
        has what a script adds to the BYE."""
        if self._ending:
            return
        if self.left and origin == "protocol":
            self.close()
            on_over()
            return
        self._ending = True

        def over(_outcome: object) -> None:
            self.close()
            on_over()

        Request(
            self._ua.layer,
            lambda credentials: self._bye(step or Step("BYE"), credentials),
            self.dialog.next_hop(),
            origin,
            self._ua.identity.credentials,
            on_final=over,
            on_failure=over,
            how=step.how if step else PLAIN,
        )

    def _bye(self, step: Step, credentials: build.Headers) -> bytes:
        given = list(step.headers)
        body, kind = step.body.encode("utf-8", "surrogateescape"), step.content_type or build.SDP
        return self.dialog.request("BYE", [*credentials, *given], body=body, content_type=kind, omit=step.omit)

    def handle(self, server: Server) -> None:
        """A request within the dialog (RFC 3261 12.2.2, 14.2, 15.1.2)."""
        request = server.request
        if self.mute:
            return
        if not self.heed(request):
            self._ua.answer(server, 500, "Server Internal Error")
        elif request.method == "BYE":
            self._ua.answer(server, 200, "OK")
            self.end()
        elif request.method == "INVITE" and self.inviting:
            self._ua.answer(server, 491, "Request Pending")
        elif request.method == "INVITE":
            self._renew(server)
        elif request.method == "PRACK" and self.pracks:
            self._pracked(server)
        elif request.method in SERVED:
            accept(self._ua, self, server)
        else:
            self._ua.answer_method(server)

    def end(self) -> None:
        """The peer's BYE has been answered: the dialog is over."""
        if not self._ending:
            self.close()
        self._on_bye()

    def acknowledge(self, prack: Message) -> bool:
        """Whether a reliable provisional of ours has waited for this PRACK; it waits no longer (RFC 3262 3)."""
        taken = [waits(prack) for waits in self.pracks]
        if not any(taken):
            return False
        if prack.body:
            self.session.learn(prack.body)
        return True

    def _pracked(self, server: Server) -> None:
        """200 to a PRACK that was waited for, with an answer if it has an offer; 481 to any other (RFC 3262 3, 5)."""
        request = server.request
        if not self.acknowledge(request):
            self._ua.answer(server, 481, "Call/Transaction Does Not Exist")
            return
        body = b""
        if needs_session(request, 200):
            with suppress(SipError):
                body = self.session.describe(request)
        source, tag = server.source.remote, self.dialog.local_tag
        server.respond(200, build.response(request, 200, "OK", source=source, tag=tag, body=body), "protocol")

    def heed(self, request: Message) -> bool:
        """Take what any request of the peer tells about the dialog; False if it comes too late (RFC 3261 12.2.2)."""
        if request.cseq[0] < self.dialog.remote_seq:
            return False
        self.dialog.remote_seq = request.cseq[0]
        if request.method in ("INVITE", "UPDATE"):
            self.dialog.refresh(request)
        return True

    def _renew(self, server: Server) -> None:
        """A re-INVITE: the call goes on as offered. Without its ACK the dialog stays: the first ACK set it up."""
        try:
            body = self.session.describe(server.request)
        except SipError:
            self._ua.answer(server, 488, "Not Acceptable Here")
            return
        own = [("Contact", self._ua.contact), ("Allow", build.ALLOW)]
        data = build.response(
            server.request, 200, "OK", source=server.source.remote, tag=self.dialog.local_tag, own=own, body=body
        )
        self.accept(server, data, "protocol", lambda _acked: None)
