"""One end of a dialog at work: requests within it, answers of ours that wait for their ACK, and its end by BYE."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from sip_harness.endpoint import build
from sip_harness.endpoint.dialog import Dialog
from sip_harness.endpoint.layer import Server
from sip_harness.endpoint.request import Request
from sip_harness.model.entry import Origin
from sip_harness.net.clock import Timer
from sip_harness.sip import sdp
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message

if TYPE_CHECKING:
    from sip_harness.endpoint.ua import UserAgent

MEDIA_PORT = 9
"""The discard port: our SDP names it where no media is wanted."""


class Acceptance:
    """A 2xx to an INVITE, sent again until its ACK comes (RFC 3261 13.3.1.4)."""

    def __init__(
        self, ua: UserAgent, server: Server, data: bytes, origin: Origin, on_end: Callable[[bool], None]
    ) -> None:
        """The 2xx has been sent once. `on_end` is told whether the ACK came; False after 64*T1 without it."""
        self._ua = ua
        self._server = server
        self._data = data
        self._origin = origin
        self._on_end = on_end
        self._interval = ua.timers.t1
        self._end = ua.clock.now() + ua.timers.lifetime
        self._timer: Timer | None = ua.clock.after(self._interval, self._again)

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
        self._server.respond(200, self._data, self._origin)
        self._interval = min(2 * self._interval, self._ua.timers.t2)
        self._timer = self._ua.clock.at(min(now + self._interval, self._end), self._again)


class Leg:
    """One dialog of a user agent, found by the requests within it from `open` to `close`."""

    def __init__(self, ua: UserAgent, dialog: Dialog, on_bye: Callable[[], None]) -> None:
        self.dialog = dialog
        self.mute = False
        """Leave every request within the dialog unanswered."""
        self._ua = ua
        self._on_bye = on_bye
        self._accepted: dict[int, Acceptance] = {}
        self._ending = False
        ua.legs[dialog.id] = self

    def close(self) -> None:
        """The dialog is over: requests within it find nothing any more."""
        for acceptance in self._accepted.values():
            acceptance.stop()
        self._accepted.clear()
        if self._ua.legs.get(self.dialog.id) is self:
            del self._ua.legs[self.dialog.id]

    def accept(self, server: Server, data: bytes, origin: Origin, on_end: Callable[[bool], None]) -> None:
        """Send this 2xx to an INVITE until it is acknowledged; see `Acceptance`."""
        seq = server.request.cseq[0]
        if before := self._accepted.pop(seq, None):
            before.stop()
        server.respond(200, data, origin)
        self._accepted[seq] = Acceptance(self._ua, server, data, origin, on_end)

    def acked(self, ack: Message) -> None:
        """An ACK within this dialog."""
        if acceptance := self._accepted.get(ack.cseq[0]):
            acceptance.acked()

    def bye(self, origin: Origin, on_over: Callable[[], None]) -> None:
        """End the dialog; `on_over` once the BYE has been answered, has failed, or the peer's own crossed it."""
        if self._ending:
            return
        self._ending = True

        def over(_outcome: object) -> None:
            self.close()
            on_over()

        Request(
            self._ua.layer,
            lambda headers: self.dialog.request("BYE", headers),
            self.dialog.next_hop(),
            origin,
            self._ua.identity.credentials,
            on_final=over,
            on_failure=over,
        )

    def handle(self, server: Server) -> None:
        """A request within the dialog (RFC 3261 12.2.2, 14.2, 15.1.2)."""
        request = server.request
        if self.mute:
            return
        if request.cseq[0] < self.dialog.remote_seq:
            self._ua.answer(server, 500, "Server Internal Error")
            return
        self.dialog.remote_seq = request.cseq[0]
        if request.method == "BYE":
            self._ua.answer(server, 200, "OK")
            if not self._ending:
                self.close()
            self._on_bye()
        elif request.method == "INVITE":
            self.dialog.learn(request)
            self._renew(server)
        else:
            self._ua.answer_method(server)

    def _renew(self, server: Server) -> None:
        """A re-INVITE: the call goes on as offered. Without its ACK the dialog stays: the first ACK set it up."""
        try:
            body = session(self._ua.transport.local[0], server.request)
        except SipError:
            self._ua.answer(server, 488, "Not Acceptable Here")
            return
        own = [("Contact", self._ua.contact), ("Allow", build.ALLOW)]
        data = build.response(
            server.request, 200, "OK", source=server.source.remote, tag=self.dialog.local_tag, own=own, body=body
        )
        self.accept(server, data, "protocol", lambda _acked: None)


def session(host: str, invite: Message) -> bytes:
    """SDP for the answer to an INVITE: an answer to its offer, or an offer where it has none. Raises SipError."""
    identity = secrets.randbits(31)
    if invite.body:
        return sdp.answer(invite.body, host, MEDIA_PORT, session_id=identity)
    return sdp.offer(host, MEDIA_PORT, session_id=identity)
