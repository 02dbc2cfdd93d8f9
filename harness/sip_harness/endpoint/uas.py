"""A call that came in, up to its end (RFC 3261 13.3, 9.2, 15), with whatever its script wants beyond the rules."""

from __future__ import annotations

from typing import Protocol

from sip_harness.endpoint import build
from sip_harness.endpoint.answer import Answer, Reply
from sip_harness.endpoint.dialog import as_callee
from sip_harness.endpoint.leg import Leg
from sip_harness.endpoint.media import open_media
from sip_harness.endpoint.reliable import Reliables
from sip_harness.endpoint.server import Server
from sip_harness.endpoint.session import Session
from sip_harness.endpoint.transactions import Why
from sip_harness.endpoint.ua import UserAgent
from sip_harness.endpoint.within import Within
from sip_harness.model.entry import Origin
from sip_harness.model.steps import Raw, Request, Send
from sip_harness.sip.message import Message


class Callee(Protocol):
    """Who is told what becomes of a call that came in."""

    def on_stopped(self) -> None:
        """The call is not to be answered any further: the caller gave up (CANCEL) or hung up (BYE), or a reliable
        provisional got no PRACK."""

    def on_over(self) -> None:
        """Nothing of the call is left: its final response is acknowledged, its dialogs ended. Once, unless a script
        answers again."""

    def on_engine(self, why: str) -> None:
        """The stack had to decide something by itself."""


class IncomingCall:
    """One INVITE outside of a dialog and what follows from it.

    Every To tag that its responses have is a dialog of its own, as if a proxy had forked in between: a script may give
    several.
    """

    def __init__(self, ua: UserAgent, server: Server, callee: Callee) -> None:
        self.over = False
        self.left = False
        """The caller has given up, whatever a script makes of that: cleaning up sends nothing. Settable."""
        self._ua = ua
        self._server = server
        self._callee = callee
        self._tag = build.new_tag()
        self._final = 0
        self._unacked = False
        self._hang_up: Origin | None = None
        self._mute = False
        self._legs: dict[str, Leg] = {}
        self._open: set[str] = set()
        """Tags of the dialogs that a 2xx has confirmed and nothing has ended."""
        self._acked: set[str] = set()
        self._session = Session(ua.host, open_media(ua, server.request.call_id))
        self._answer = Answer(ua, server, self._tag, self._session, callee.on_engine)
        self._reliables = Reliables(ua, server, self._unpracked)
        self._listen()

    @property
    def request(self) -> Message:
        """The INVITE."""
        return self._server.request

    @property
    def server(self) -> Server:
        """The transaction of the INVITE."""
        return self._server

    @property
    def tag(self) -> str:
        """Our To tag."""
        return self._tag

    @property
    def mute(self) -> bool:
        """Whether nothing at all is sent any more, not even what every user agent must."""
        return self._mute

    @mute.setter
    def mute(self, value: bool) -> None:
        self._mute = value
        for leg in self._legs.values():
            leg.mute = value

    @property
    def final(self) -> int:
        """Code of the last final response; 0 before any."""
        return self._final

    def trying(self) -> None:
        """Tell the hop before that the INVITE arrived (RFC 3261 17.2.1)."""
        self.respond(Send(100, "Trying"), "protocol")

    def respond(self, step: Send, origin: Origin) -> None:
        """Answer with this response. What the transaction does not allow any more goes out once, past it."""
        reply = self._answer.make(step, origin, self._reliables.headers() if step.how.reliable else None)
        if 100 < step.code < 300:
            self._leg(reply.message.to_tag)
        if step.code < 200:
            self._answer.send(reply)
            if step.how.reliable:
                self._reliables.sent(reply)
            return
        self._reliables.quiet()
        if step.code < 300:
            self._accept(reply)
        else:
            self._refuse(reply)

    def raw(self, step: Raw, origin: Origin) -> None:
        """Send exact bytes. If they are a final response to the INVITE the call takes it for that."""
        sent = self._answer.raw(step, origin)
        if sent is None or sent.code <= 100:
            return
        if sent.code >= 200:
            self._final = sent.code
            self._reliables.quiet()
        if sent.code < 300:
            self._leg(sent.to_tag)
        if 200 <= sent.code < 300:
            self._confirm(sent.to_tag)
        elif sent.code >= 300:
            self._settle()

    def relay(self, response: Message, origin: Origin) -> None:
        """Pass on a response that somebody else has made: what a 2xx sets up is theirs."""
        if self._final or not self._server.respond(response.code, response.data, origin):
            return
        if response.code >= 200:
            self._final, self._unacked = response.code, response.code >= 300
            self._settle()

    def hang_up(self, origin: Origin) -> None:
        """Send BYE, or do so as soon as the 2xx is acknowledged (RFC 3261 15). Before an answer nothing is sent."""
        if not self._open:
            return
        self._hang_up = self._hang_up or origin
        for tag in sorted(self._open & self._acked):
            self._bye(tag, origin)

    def ask(self, step: Request, origin: Origin) -> None:
        """Send a request within the dialog (RFC 3261 12.2.1); within the one of our own tag if there are several."""
        tag = self._tag if self._tag in self._legs else next(iter(self._legs), self._tag)
        leg = self._leg(tag)
        if step.method == "BYE":
            leg.bye(origin, lambda: self._dialog_over(tag), step)
        else:
            offer = self._session.offer() if step.method == "INVITE" and not step.body else b""
            Within(self._ua, leg, step, origin, _nothing, offer=offer)

    def end(self) -> None:
        """Clean up: refuse what is not answered, hang up what is."""
        if self._mute or self.left:
            self._close()
        elif not self._final:
            self.respond(Send(480, "Temporarily Unavailable"), "protocol")
        elif self._open:
            self.hang_up("protocol")
        else:
            self._close()

    def is_within(self, request: Message) -> bool:
        """Whether a request belongs to this call: is within one of its dialogs, or cancels its INVITE."""
        if request.method == "CANCEL":
            return self._ua.layer.invite_of(request) is self._server
        if request.call_id != self.request.call_id:
            return False
        return not request.to_tag or request.to_tag in self._legs

    def _listen(self) -> None:
        self._server.on_cancel = self._cancelled
        self._server.on_confirmed = self._confirmed
        self._server.on_failure = self._failed

    def _leg(self, tag: str) -> Leg:
        leg = self._legs.get(tag)
        if leg is None:
            dialog = as_callee(self.request, tag, self._server.source)
            leg = self._legs[tag] = Leg(self._ua, dialog, lambda: self._bye_came(tag))
            leg.mute, leg.session = self._mute, self._session
            leg.pracks.append(self._reliables.acknowledge)
        return leg

    def _accept(self, reply: Reply) -> None:
        """A 2xx, sent until its ACK comes unless the script says otherwise (RFC 3261 13.3.1.4)."""
        self._final = reply.code
        tag = reply.message.to_tag
        self._confirm(tag)
        self._legs[tag].accept(
            self._server, reply.data, reply.origin, lambda acked: self._ack_ended(tag, acked), reply.how
        )
        self._answer.schedule(reply)

    def _confirm(self, tag: str) -> None:
        """A 2xx with this tag opens a dialog, even where the call was over already."""
        if self.over:
            self.over = False
            self._ua.legs[self._legs[tag].dialog.id] = self._legs[tag]
        self._legs[tag].dialog.confirmed = True
        self._open.add(tag)

    def _refuse(self, reply: Reply) -> None:
        if self._open:
            for tag in self._open:
                self._legs[tag].refused = self.request.branch
        elif not self._final:
            self._unacked = True
        self._final = reply.code
        self._answer.send(reply)

    def _ack_ended(self, tag: str, acked: bool) -> None:
        self._acked.add(tag)
        if not acked:  # RFC 3261 13.3.1.4: confirmed without its ACK, to be ended
            self._bye(tag, self._hang_up or "protocol")
        elif self._hang_up is not None:
            self._bye(tag, self._hang_up)

    def _bye(self, tag: str, origin: Origin) -> None:
        self._legs[tag].bye(origin, lambda: self._dialog_over(tag))

    def _cancelled(self, cancel: Server) -> None:
        if self._mute:
            return
        self._ua.answer(cancel, 200, "OK", tag=self._tag)
        self._stop_unanswered()

    def _bye_came(self, tag: str) -> None:
        if not self._final:
            self._stop_unanswered()
            return
        if not self._open - {tag}:
            self._callee.on_stopped()
            self._unacked = False
        self._dialog_over(tag)

    def _dialog_over(self, tag: str) -> None:
        self._open.discard(tag)
        self._settle()

    def _stop_unanswered(self) -> None:
        """487 to an INVITE that nobody wants any more (RFC 3261 9.2, 15.1.2)."""
        if not self._final:
            self._callee.on_stopped()
            self.respond(Send(487, "Request Terminated"), "protocol")

    def _unpracked(self) -> None:
        """RFC 3262 3: without its PRACK within 64*T1 the INVITE is refused with a 5xx."""
        if not self._final:
            self._callee.on_stopped()
            self.respond(Send(500, "Server Internal Error"), "protocol")

    def _confirmed(self) -> None:
        """The ACK to a refusal came."""
        self._unacked = False
        self._settle()

    def _failed(self, why: Why) -> None:
        if why == "transport":
            self._close()
        else:
            self._confirmed()  # Timer H: the ACK is not waited for any longer (RFC 3261 17.2.1)

    def _settle(self) -> None:
        if self._final and not self._open and not self._unacked:
            self._close()

    def _close(self) -> None:
        if self.over:
            return
        self.over = True
        self._open.clear()
        for leg in self._legs.values():
            leg.close()
        self._reliables.quiet()
        self._session.close()
        if not self._mute:
            self._server.release()
        self._callee.on_over()


def _nothing() -> None:
    """What follows from the answer to a scripted request: nothing."""
