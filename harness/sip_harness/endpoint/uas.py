"""A call that came in, up to its end (RFC 3261 13.3, 9.2, 15)."""

from __future__ import annotations

from typing import Protocol

from sip_harness.endpoint import build
from sip_harness.endpoint.dialog import as_callee
from sip_harness.endpoint.layer import Server
from sip_harness.endpoint.leg import Leg, session
from sip_harness.endpoint.ua import UserAgent
from sip_harness.model.entry import Origin
from sip_harness.model.scenario import Send
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message


class Callee(Protocol):
    """Who is told what becomes of a call that came in."""

    def on_stopped(self) -> None:
        """The caller gave up (CANCEL) or hung up (BYE): nothing more is to be answered."""

    def on_over(self) -> None:
        """Nothing of the call is left: its final response is acknowledged, its dialog ended. Once."""

    def on_engine(self, why: str) -> None:
        """The stack had to decide something by itself."""


class IncomingCall:
    """One INVITE outside of a dialog and what follows from it."""

    def __init__(self, ua: UserAgent, server: Server, callee: Callee) -> None:
        self.over = False
        self._ua = ua
        self._server = server
        self._callee = callee
        self._tag = build.new_tag()
        self._final = 0
        self._acked = False
        self._hang_up: Origin | None = None
        self._leg = Leg(ua, as_callee(server.request, self._tag, server.source), self._bye_came)
        server.on_cancel = self._cancelled
        server.on_confirmed = self._close
        server.on_failure = lambda _why: self._close()

    @property
    def request(self) -> Message:
        """The INVITE."""
        return self._server.request

    @property
    def mute(self) -> bool:
        """Whether nothing at all is sent any more, not even what every user agent must."""
        return self._leg.mute

    @mute.setter
    def mute(self, value: bool) -> None:
        self._leg.mute = value

    @property
    def final(self) -> int:
        """Code of the final response; 0 before it."""
        return self._final

    def trying(self) -> None:
        """Tell the hop before that the INVITE arrived (RFC 3261 17.2.1)."""
        self.respond(Send(100, "Trying"), "protocol")

    def respond(self, step: Send, origin: Origin) -> None:
        """Answer with this response. What the transaction does not allow any more goes out once, past it."""
        data = self._build(step)
        if self._final:
            self._respond_again(step.code, data, origin)
        elif 200 <= step.code < 300:
            self._final = step.code
            self._leg.dialog.confirmed = True
            self._leg.accept(self._server, data, origin, self._ack_ended)
        else:
            self._final = step.code if step.code >= 200 else 0
            self._server.respond(step.code, data, origin)

    def hang_up(self, origin: Origin) -> None:
        """Send BYE, or do so as soon as the 2xx is acknowledged (RFC 3261 15). Before an answer nothing is sent."""
        if not 200 <= self._final < 300 or self.over:
            return
        self._hang_up = self._hang_up or origin
        if self._acked:
            self._leg.bye(origin, self._close)

    def end(self) -> None:
        """Clean up: refuse what is not answered, hang up what is."""
        if self.mute:
            self._close()
        elif not self._final:
            self.respond(Send(480, "Temporarily Unavailable"), "protocol")
        else:
            self.hang_up("protocol")

    def _respond_again(self, code: int, data: bytes, origin: Origin) -> None:
        if not self._server.respond(code, data, origin):
            self._server.send_past(data, origin)

    def _build(self, step: Send) -> bytes:
        own: build.Headers = []
        if 100 < step.code < 300:
            own.append(("Contact", self._ua.contact))
        if 200 <= step.code < 300:
            own.append(("Allow", build.ALLOW))
        body, kind = step.body.encode("utf-8", "surrogateescape"), step.content_type or build.SDP
        if not body and (step.code == 183 or 200 <= step.code < 300):
            body, kind = self._session(), build.SDP
        return build.response(
            self.request,
            step.code,
            step.reason,
            source=self._server.source.remote,
            tag=self._tag,
            own=own,
            headers=step.headers,
            omit=step.omit,
            body=body,
            content_type=kind,
        )

    def _session(self) -> bytes:
        try:
            return session(self._ua.transport.local[0], self.request)
        except SipError as error:
            self._callee.on_engine(f"no SDP in the answer: {error}")
            return b""

    def _ack_ended(self, acked: bool) -> None:
        self._acked = True
        if not acked:  # RFC 3261 13.3.1.4: confirmed without its ACK, to be ended
            self._hang_up = self._hang_up or "protocol"
        if self._hang_up is not None:
            self._leg.bye(self._hang_up, self._close)

    def _cancelled(self, cancel: Server) -> None:
        if self.mute:
            return
        self._ua.answer(cancel, 200, "OK", tag=self._tag)
        self._stop_unanswered()

    def _bye_came(self) -> None:
        if self._final:
            self._callee.on_stopped()
            self._close()
        else:
            self._stop_unanswered()

    def _stop_unanswered(self) -> None:
        """487 to an INVITE that nobody wants any more (RFC 3261 9.2, 15.1.2)."""
        if not self._final:
            self._callee.on_stopped()
            self.respond(Send(487, "Request Terminated"), "protocol")

    def _close(self) -> None:
        if not self.over:
            self.over = True
            self._leg.close()
            if not self.mute:
                self._server.release()
            self._callee.on_over()
