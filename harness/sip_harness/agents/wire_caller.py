"""One call of a wire caller, or a single request: carries out what its script machine says is due."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sip_harness.agents.wire_blind import Blind
from sip_harness.agents.wire_meanwhile import Meanwhile
from sip_harness.agents.wire_parts import Alarm, Owner
from sip_harness.agents.wire_steps import carry_out
from sip_harness.endpoint import build
from sip_harness.endpoint.first import Wish
from sip_harness.endpoint.request import Credentials
from sip_harness.endpoint.single import SingleRequest
from sip_harness.endpoint.ua import UserAgent
from sip_harness.endpoint.uac import AckTime, OutgoingCall
from sip_harness.model.scenario import Call
from sip_harness.model.steps import Again, Raw, Request, Send
from sip_harness.net.base import Hop
from sip_harness.script.machine import CallerAction, CallMachine, acked_in
from sip_harness.sip.fields import canonical
from sip_harness.sip.message import MalformedMessage, Message, parse


class Outgoing:
    """One call of a caller, ended as the scenario says."""

    def __init__(
        self, ua: UserAgent, call: Call, uri: str, hop: Hop, happened: Collection[str], patience: float, owner: Owner
    ) -> None:
        """Make the call."""
        self._ua = ua
        self._owner = owner
        self._alarm = Alarm(ua, self.poll)
        self._machine = CallMachine(call, happened, ua.clock.now(), patience)
        self._outgoing = OutgoingCall(
            ua,
            uri,
            hop,
            self,
            wish=_wish(call),
            ack=_time_of_ack(call),
            prack=call.prack != "never",
            credentials=_credentials(ua, call),
            body=_body(call) if call.body else None,
            on_early=self._on_early,
        )
        self._machine.acked = acked_in(self.call_id)
        self._data = {"call": call.name, "call_id": self.call_id}
        self._hung_up = False
        self._meanwhile = Meanwhile(ua, call, happened, self, owner, self._data)
        self.poll()

    @property
    def call_id(self) -> str:
        """Call-ID of the INVITE."""
        return self._outgoing.call_id

    @property
    def tag(self) -> str:
        """Our tag in all dialogs of the call."""
        return self._outgoing.tag

    @property
    def done(self) -> bool:
        """Whether the call needs no more attention."""
        return self._outgoing.over and self._machine.done and self._meanwhile.done

    @property
    def busy(self) -> bool:
        """Whether the script will go on at a time that is known."""
        return self._machine.deadline is not None or self._meanwhile.busy

    def poll(self) -> None:
        """Carry out what is due by now."""
        if self.done:
            return
        self._meanwhile.poll()
        self._act()
        for step in self._machine.steps(self._ua.clock.now()):
            carry_out(step, self, self._owner, self._data)
        self._act()
        self._alarm.set(self._machine.deadline)
        if self.done:
            self._owner.over(self)

    def is_within(self, request: Message) -> bool:
        """Whether a request belongs to this call."""
        return request.call_id == self.call_id

    def end(self) -> None:
        """Acknowledge, cancel or hang up what is open."""
        self.stop()
        self._outgoing.end()

    def stop(self) -> None:
        """Do nothing more."""
        self._meanwhile.stop()
        self._rest()

    def _rest(self) -> None:
        """Do nothing more but what was to be done meanwhile."""
        self._machine.stop()
        self._alarm.set(None)

    def on_answered(self) -> None:
        """From the endpoint: the 2xx came."""
        self._machine.answered = self._ua.clock.now()
        self.poll()

    def on_refused(self) -> None:
        """From the endpoint: a failure came whose ACK waits."""
        self._machine.refused = self._ua.clock.now()
        self.poll()

    def on_over(self) -> None:
        """From the endpoint: nothing of the call is left. What the script does at a time of its own after its BYE is
        still to come."""
        if not (self._hung_up and self._machine.deadline is not None):
            self._rest()
        self._owner.over(self)

    def respond(self, step: Send) -> None:
        """From the script: `then` has no responses."""
        self.answer_invite(step)

    def answer_invite(self, step: Send) -> None:
        """From a reaction: the INVITE of this call is our own."""
        self._owner.note("engine", f"a caller has no INVITE to answer: {step.code} was not sent", self._data)

    def raw(self, step: Raw) -> None:
        """From the script: send exact bytes."""
        self._outgoing.raw(step, "script")

    def again(self, step: Again) -> None:
        """From the script: send the INVITE once more."""
        self._outgoing.again(step, "script")

    def cancel(self, step: Request) -> None:
        """From the script: send CANCEL at once, whatever the rules say."""
        self._outgoing.cancel_at_once(step, "script")

    def fall_silent(self) -> None:
        """From the script: nothing is sent by itself here, so there is nothing to do."""

    def hang_up(self) -> None:
        """From the script: end the call."""
        self._hung_up = True
        self._outgoing.hang_up("script")

    def forward_back(self) -> None:
        """From the script: nobody calls a caller, and the language knows."""

    def ask(self, step: Request) -> None:
        """From the script: send a request within the call."""
        self._hung_up = self._hung_up or step.method == "BYE"
        self._machine.pending += 1
        self._outgoing.ask(step, "script", self._answered)

    def _on_early(self) -> None:
        if self._machine.rung is None:
            self._machine.rung = self._ua.clock.now()
            self.poll()

    def _answered(self) -> None:
        self._machine.pending -= 1
        self.poll()

    def _act(self) -> None:
        for action in self._machine.poll(self._ua.clock.now()):
            self._carry_out(action)

    def _carry_out(self, action: CallerAction) -> None:
        self._owner.note("step", action.upper(), self._data)
        if action == "cancel":
            self._outgoing.cancel("script")
        elif action == "ack":
            self._outgoing.acknowledge("script")
        else:
            self._outgoing.hang_up("script")


class Single:
    """A single request outside of a dialog."""

    def __init__(self, ua: UserAgent, call: Call, uri: str, hop: Hop, happened: Collection[str], owner: Owner) -> None:
        """Send it."""
        self._owner = owner
        self._request = SingleRequest(
            ua,
            call.method,
            uri,
            hop,
            self._over,
            wish=_wish(call),
            credentials=_credentials(ua, call),
            body=_body(call),
        )
        data = {"call": call.name, "call_id": self.call_id}
        self._meanwhile = Meanwhile(ua, call, happened, self, owner, data)
        self.poll()

    @property
    def call_id(self) -> str:
        """Its Call-ID."""
        return self._request.call_id

    @property
    def done(self) -> bool:
        """Whether it needs no more attention."""
        return self._request.over and self._meanwhile.done

    @property
    def busy(self) -> bool:
        """Whether the script will go on at a time that is known."""
        return self._meanwhile.busy

    def poll(self) -> None:
        """Carry out what is due by now."""
        self._meanwhile.poll()
        if self.done:
            self._owner.over(self)

    def again(self, step: Again) -> None:
        """From the script: send the request once more."""
        self._request.repeats.again(step, "script")

    def cancel(self, step: Request) -> None:
        """From the script: send CANCEL for it, whatever the rules say."""
        self._request.repeats.cancel(step, "script")

    def raw(self, step: Raw) -> None:
        """From the script: send exact bytes."""
        self._request.raw(step, "script")

    def is_within(self, request: Message) -> bool:
        """It is no call."""
        return False

    def end(self) -> None:
        """Wait for no response any more."""
        self.stop()
        self._request.end()

    def stop(self) -> None:
        """Do nothing more."""
        self._meanwhile.stop()

    def _over(self) -> None:
        self._owner.over(self)


def place_call(
    ua: UserAgent, call: Call, uri: str, hop: Hop, happened: Collection[str], patience: float, owner: Owner
) -> Outgoing | Single | Blind:
    """Make a call, or send the single request that it is. `patience` as for `CallMachine`, seconds."""
    if not _is_asking(call):
        return Blind(ua, call, uri, hop, happened, owner, _wish(call))
    if call.method != "INVITE":
        return Single(ua, call, uri, hop, happened, owner)
    return Outgoing(ua, call, uri, hop, happened, patience, owner)


def _wish(call: Call) -> Wish:
    return Wish((*_passing_for(call), *call.headers), call.omit, call.how, call.raw, call.is_odd)


def _is_asking(call: Call) -> bool:
    """Whether it is a request that can be answered: no ACK, no response, and bytes that are SIP at all."""
    if call.raw is None:
        return call.method != "ACK"
    try:
        return parse(call.raw.data).method not in ("", "ACK")
    except MalformedMessage:
        return False


def _passing_for(call: Call) -> Iterator[tuple[str, str]]:
    """The headers that say who a call is from, for a caller that passes itself off as somebody else."""
    given = {canonical(name) for name, _ in call.headers} | call.omit
    address = call.account.address if call.account is not None else ""
    if address and "from" not in given:
        yield "From", f"<{address}>"
    if address and "to" not in given and call.method == "REGISTER":
        yield "To", f"<{address}>"


def _credentials(ua: UserAgent, call: Call) -> Credentials | None:
    if call.account is None:
        return None
    return Credentials(call.account.user or ua.identity.credentials.username, call.account.password)


def _body(call: Call) -> tuple[bytes, str]:
    return call.body.encode("utf-8", "surrogateescape"), call.content_type or build.SDP


def _time_of_ack(call: Call) -> AckTime:
    if call.ack is None:
        return "at once"
    return "never" if call.ack == "never" else "later"
