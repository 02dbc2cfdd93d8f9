"""Requests that a wire agent answers by script instead of as any user agent would."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from sip_harness.agents.wire_device import Attempt
from sip_harness.agents.wire_gate import Gate
from sip_harness.agents.wire_parts import LiveCall, Owner
from sip_harness.agents.wire_steps import Steps
from sip_harness.endpoint import build
from sip_harness.endpoint.answer import Answer, Reply
from sip_harness.endpoint.dialog import as_callee
from sip_harness.endpoint.leg import Leg
from sip_harness.endpoint.reliable import Reliables
from sip_harness.endpoint.server import Server
from sip_harness.endpoint.session import Session
from sip_harness.endpoint.ua import UserAgent
from sip_harness.endpoint.within import Within
from sip_harness.model.script import Script
from sip_harness.model.steps import Raw, Request, Send, Step
from sip_harness.script.choice import Attempts
from sip_harness.sip.message import Message

_GONE = frozenset({408, 481})


class Invited(Protocol):
    """A call whose INVITE a reaction to another request may answer."""

    @property
    def tag(self) -> str:
        """Our To tag in it."""

    def answer_invite(self, step: Send) -> None:
        """Answer its INVITE."""

    def hang_up(self) -> None:
        """End it."""

    def ask(self, step: Request) -> None:
        """Send a request within it."""


class Reacting:
    """One request, answered by the script."""

    def __init__(
        self,
        ua: UserAgent,
        server: Server,
        steps: tuple[Step, ...],
        data: dict[str, str],
        happened: Collection[str],
        owner: Owner,
        call: Invited | None,
    ) -> None:
        """`call` is what the request belongs to, None if it is outside of any."""
        request = server.request
        self._ua = ua
        self._server = server
        self._owner = owner
        self._call = call
        self._data = data
        self._final = 0
        self._leg = ua.leg_of(request)
        session = self._leg.session if self._leg else Session(ua.host)
        # RFC 3261 9.2: the To tag of the response to CANCEL is that of the response to its INVITE.
        tag = call.tag if call is not None and request.method == "CANCEL" else build.new_tag()
        self._answer = Answer(ua, server, tag, session, self._on_engine)
        self._reliables = Reliables(ua, server, self._unpracked)
        self._steps = Steps(ua, steps, happened, self, owner, data)
        if request.method == "INVITE":
            server.on_cancel = self._cancelled
            if self._leg is not None:
                self._leg.pracks.append(self._reliables.acknowledge)

    @property
    def tag(self) -> str:
        """Our To tag."""
        return self._answer.tag

    @property
    def done(self) -> bool:
        """Whether the script has nothing more to do; an INVITE without final response may still be cancelled."""
        return self._steps.done and (bool(self._final) or self._server.request.method != "INVITE")

    @property
    def busy(self) -> bool:
        """Whether the script will go on at a time that is known."""
        return self._steps.busy

    def begin(self) -> None:
        """Carry out what is due at once; an INVITE that is not answered by then gets 100 (RFC 3261 17.2.1)."""
        self.poll()
        if self._server.request.method == "INVITE" and self._steps.says_trying:
            self._answer.send(self._answer.make(Send(100, "Trying"), "protocol"))

    def poll(self) -> None:
        """Carry out what is due by now."""
        self._steps.poll()
        self._settle()

    def end(self) -> None:
        """Leave unanswered what the script has not answered."""
        self.stop()

    def stop(self) -> None:
        """Do nothing more."""
        self._steps.stop()
        self._reliables.quiet()

    def is_within(self, request: Message) -> bool:
        """Whether a request is the CANCEL of this one."""
        return request.method == "CANCEL" and self._ua.layer.invite_of(request) is self._server

    def answer_invite(self, step: Send) -> None:
        """Answer this re-INVITE out of turn, in reaction to its CANCEL."""
        if step.code >= 200:
            self._steps.stop()
        self._send(step)
        self._settle()

    def respond(self, step: Send) -> None:
        """From the script: send a response to this request, or to the INVITE of its call."""
        if step.to != "INVITE":
            self._send(step)
        elif self._call is not None:
            self._call.answer_invite(step)
        else:
            self._owner.note("engine", f"no INVITE is pending: {step.code} was not sent", self._data)

    def raw(self, step: Raw) -> None:
        """From the script: send exact bytes."""
        self._answer.raw(step, "script")

    def fall_silent(self) -> None:
        """From the script: nothing is sent by itself here, so there is nothing to do."""

    def hang_up(self) -> None:
        """From the script: end the call that the request belongs to."""
        if self._call is not None:
            self._call.hang_up()

    def ask(self, step: Request) -> None:
        """From the script: send a request within the dialog of this one, which it sets up if it is outside of any."""
        if self._leg is None and self._call is not None:
            self._call.ask(step)
            return
        if self._leg is None:
            dialog = as_callee(self._server.request, self._answer.tag, self._server.source)
            self._leg = Leg(self._ua, dialog, lambda: None)
        Within(self._ua, self._leg, step, "script", lambda: None)

    def forward_back(self) -> None:
        """From the script: only an INVITE outside of a dialog is handed back, and the language knows."""

    def _send(self, step: Send) -> None:
        extra = self._reliables.headers() if step.how.reliable else None
        reply = self._answer.make(step, "script", extra)
        if self._server.request.method == "INVITE" and 200 <= step.code < 300 and self._leg is not None:
            self._leg.accept(self._server, reply.data, reply.origin, lambda _acked: None, reply.how)
            self._answer.schedule(reply)
        else:
            self._answer.send(reply)
        if step.how.reliable:
            self._reliables.sent(reply)
        if step.code >= 200:
            self._conclude(reply)

    def _conclude(self, reply: Reply) -> None:
        """What a final response means to the dialog that the request was within."""
        first, self._final = not self._final, reply.code
        self._reliables.quiet()
        if self._leg is None or not first:
            return
        method = self._server.request.method
        if method == "BYE" and (reply.code < 300 or reply.code in _GONE):  # RFC 3261 15.1.1, 12.2.1.2
            self._leg.end()
        elif method == "PRACK" and reply.code < 300:
            self._leg.acknowledge(self._server.request)

    def _cancelled(self, cancel: Server) -> None:
        """The CANCEL of a re-INVITE, as any user agent takes it (RFC 3261 9.2)."""
        self._ua.answer(cancel, 200, "OK", tag=self.tag)
        if not self._final:
            self._refuse(Send(487, "Request Terminated"))

    def _unpracked(self) -> None:
        """RFC 3262 3: without its PRACK within 64*T1 the INVITE is refused with a 5xx."""
        if not self._final:
            self._refuse(Send(500, "Server Internal Error"))

    def _refuse(self, step: Send) -> None:
        self.stop()
        self._final = step.code
        self._answer.send(self._answer.make(step, "protocol"))
        self._settle()

    def _settle(self) -> None:
        if self.done:
            self._owner.over(self)

    def _on_engine(self, why: str) -> None:
        self._owner.note("engine", why, self._data)


class Reactions:
    """The reactions of one agent: which requests its script answers, and how often each method has come."""

    def __init__(
        self,
        ua: UserAgent,
        script: Script,
        gate: Gate,
        happened: Collection[str],
        owner: Owner,
        begin: Callable[[LiveCall], None],
        find: Callable[[Message], Invited | None],
    ) -> None:
        """`begin` keeps what goes on; `find` knows the call that a request belongs to."""
        self._ua = ua
        self._attempts = {reaction.method: Attempts(reaction) for reaction in script.reactions}
        self._gate = gate
        self._happened = happened
        self._owner = owner
        self._begin = begin
        self._find = find

    def take(self, server: Server) -> bool:
        """Answer this request by script; False if that has no word about it."""
        request = server.request
        method = "re-INVITE" if request.method == "INVITE" and request.to_tag else request.method
        attempts = self._attempts.get(method)
        found = self._gate.steps(attempts, request) if attempts is not None else None
        if found is None:
            return False
        number, steps = found
        call = self._find(request)
        if leg := self._ua.leg_of(request):
            leg.heed(request)
        take_leave(self._ua, request, call)
        data = {"request": method, "number": number, "call_id": request.call_id}
        reacting = Reacting(self._ua, server, steps, data, self._happened, self._owner, call)
        self._begin(reacting)
        reacting.begin()
        return True


def take_leave(ua: UserAgent, request: Message, call: Invited | None) -> None:
    """The peer gives up (CANCEL) or hangs up (BYE), and the script does not let us take note of it: when all is over
    nothing is sent to clean up, for there is nobody left. `call` is what the request belongs to."""
    if request.method == "CANCEL" and isinstance(call, Attempt):
        call.leave()
    elif request.method == "BYE" and (leg := ua.leg_of(request)):
        leg.left = True
