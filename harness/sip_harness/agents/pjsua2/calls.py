"""What a device and a caller do in their calls: script machines on one side, the library on the other.

Worker processes only. Everything here runs between two polls of the library, except `incoming` and `changed`, which
are called from inside one and only take note.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

import pjsua2 as pj  # noqa: TID251 - this runs in a worker process

from sip_harness.agents.base import Assignment
from sip_harness.agents.pjsua2.directors import Account, Call
from sip_harness.agents.pjsua2.trace import Trace
from sip_harness.model import scenario, script
from sip_harness.model.entry import Origin
from sip_harness.model.steps import HangUp, Send
from sip_harness.script.choice import Attempts
from sip_harness.script.machine import AnswerMachine, CallMachine, Due
from sip_harness.script.pjsua2_limits import Headers, to_add
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, parse

GONE = Send(480, "Temporarily Unavailable")
"""How a device refuses what still rings when its lease ends."""


class NoteSink(Protocol):
    """Puts a Note on record."""

    def __call__(self, kind: str, text: str, data: dict[str, str], at: int | None = None) -> None:
        """`at`: when, nanoseconds since the epoch, if not now."""


class Part(Protocol):
    """What an agent does in its calls."""

    def incoming(self, account: Account, number: int, invite: str, now: float) -> None:
        """An INVITE came outside a dialog."""

    def changed(self, call: Call, info: pj.CallInfo, now: float) -> None:
        """A call has reached another state. A call that is DISCONNECTED must not be kept."""

    def poll(self, now: float) -> None:
        """Carry out what is due."""

    def deadline(self) -> float | None:
        """When to poll next; None if only an event can bring something about."""

    def end(self) -> None:
        """Refuse, cancel or hang up what is open."""


@dataclass
class Attempt:
    """One INVITE at a device."""

    call: Call
    invite: Message
    machine: AnswerMachine
    data: dict[str, str]
    sends: list[Send] = field(default_factory=list)
    """Responses that were sent, in order."""
    confirmed: bool = False
    """Whether the 2xx is acknowledged. Told to hang up before that, the stack sends two BYEs after it."""
    leaving: bool = False
    """Whether the script wants to hang up."""


class DevicePart:
    """Answers as the script says."""

    def __init__(self, script: script.Script, happened: Collection[str], trace: Trace, note: NoteSink) -> None:
        self._script = script
        self._happened = happened
        self._trace = trace
        self._note = note
        self._attempts = Attempts(script)
        self._open: dict[int, Attempt] = {}
        self._ending = False

    def incoming(self, account: Account, number: int, invite: str, now: float) -> None:
        """An INVITE came outside a dialog: from now on the script has the word."""
        try:
            message = parse(invite.encode("utf-8", "surrogateescape"))
        except SipError as error:
            self._note("engine", f"the stack takes for an INVITE what is none, and refuses it: {error}", {})
            return
        attempt = self._attempts.number(message)
        steps = self._script.steps(attempt) if self._script.attempts else ()
        machine = AnswerMachine((GONE,) if self._ending else steps, self._happened, now)
        data = {"attempt": str(attempt), "call_id": message.call_id}
        self._open[number] = Attempt(Call(account, number), message, machine, data)

    def changed(self, call: Call, info: pj.CallInfo, now: float) -> None:
        """A call has reached another state."""
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self._open.pop(info.id, None)
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED and info.id in self._open:
            self._open[info.id].confirmed = True

    def poll(self, now: float) -> None:
        """Carry out what is due."""
        for number in list(self._open):
            self._poll(number, now)

    def _poll(self, number: int, now: float) -> None:
        for step in self._open[number].machine.poll(now) if number in self._open else ():
            # A response may end the call; then there is nothing to carry the rest out on.
            if (attempt := self._open.get(number)) is not None:
                self._carry_out(attempt, step)
        attempt = self._open.get(number)
        if attempt is not None and attempt.leaving and attempt.confirmed:
            self._hang_up(attempt, "script")

    def deadline(self) -> float | None:
        """When to poll next."""
        return min((d for a in self._open.values() if (d := a.machine.deadline) is not None), default=None)

    def end(self) -> None:
        """Refuse what rings and what still comes, hang up what talks."""
        self._ending = True
        for attempt in list(self._open.values()):
            attempt.machine.stop()
            if attempt.confirmed:
                self._hang_up(attempt, "protocol")
            elif any(200 <= s.code < 300 for s in attempt.sends):
                # Without an ACK the stack sends BYE only when it is destroyed.
                self._trace.origins.order_request(attempt.invite.call_id, "BYE", "protocol")
            else:
                self._answer(attempt, GONE, (), "protocol")

    def let_go(self) -> None:
        """Forget every call: the library is about to be destroyed."""
        self._open.clear()

    def _carry_out(self, attempt: Attempt, step: Due) -> None:
        if isinstance(step, Send):
            headers = to_add(step, attempt.sends)
            attempt.sends.append(step)
            if self._ending:
                self._answer(attempt, step, headers, "protocol")
                return
            self._note("step", str(step), attempt.data)
            self._answer(attempt, step, headers, "script")
        elif isinstance(step, HangUp):
            self._note("step", "hang up", attempt.data)
            attempt.leaving = True

    def _answer(self, attempt: Attempt, step: Send, headers: Headers, origin: Origin) -> None:
        origins, before = self._trace.origins, self._trace.count_sent
        origins.order_response(attempt.invite, step.code, origin)
        try:
            attempt.call.answer(_operation(step, headers))
        except pj.Error as error:
            origins.withdraw_response(attempt.invite, step.code)
            self._note("engine", f"the stack does not send {step}: {error.reason}", attempt.data)
            return
        if self._trace.count_sent == before:
            why = "it waits for a PRACK, or the message has become too large"
            self._note("engine", f"the stack has not sent {step}: {why}", attempt.data)

    def _hang_up(self, attempt: Attempt, origin: Origin) -> None:
        self._trace.origins.order_request(attempt.invite.call_id, "BYE", origin)
        try:
            attempt.call.hangup(pj.CallOpParam())
        except pj.Error as error:
            self._note("engine", f"the stack does not hang up: {error.reason}", attempt.data)


@dataclass
class Outgoing:
    """One call of a caller."""

    call: Call
    call_id: str
    machine: CallMachine
    data: dict[str, str]


class CallerPart:
    """Makes calls and ends them as the scenario says."""

    def __init__(self, assignment: Assignment, happened: Collection[str], trace: Trace, note: NoteSink) -> None:
        self._patience = assignment.patience
        self._happened = happened
        self._trace = trace
        self._note = note
        self._open: dict[int, Outgoing] = {}

    def incoming(self, account: Account, number: int, invite: str, now: float) -> None:
        """Nobody calls a caller: the stack refuses with 500."""

    def make(self, account: Account, wanted: scenario.Call, uri: str, now: float) -> None:
        """Send the INVITE."""
        call, began = Call(account), time.time_ns()
        self._trace.origins.order_invite()
        try:
            call.makeCall(uri if "<" in uri else f"<{uri}>", _invitation(wanted.headers))
            info = call.getInfo()
        except pj.Error as error:
            self._note(
                "refused", f"{wanted.name}: the stack does not call {uri}: {error.reason}", {"call": wanted.name}
            )
            return
        data = {"call": wanted.name, "call_id": info.callIdString}
        self._note("call", f"calls {uri}", data, began)
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self._note("refused", f"{wanted.name}: the INVITE could not be sent", data)
            return
        machine = CallMachine(wanted, self._happened, now, self._patience)
        self._open[info.id] = Outgoing(call, info.callIdString, machine, data)

    def changed(self, call: Call, info: pj.CallInfo, now: float) -> None:
        """A call has reached another state."""
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self._open.pop(info.id, None)
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED and (outgoing := self._open.get(info.id)) is not None:
            outgoing.machine.answered = outgoing.machine.answered or now

    def poll(self, now: float) -> None:
        """Carry out what is due."""
        for outgoing in list(self._open.values()):
            for action in outgoing.machine.poll(now):
                method = action.upper()
                self._note("step", method, outgoing.data)
                self._end(outgoing, method, "script")

    def deadline(self) -> float | None:
        """When to poll next."""
        return min((d for o in self._open.values() if (d := o.machine.deadline) is not None), default=None)

    def end(self) -> None:
        """Cancel what rings, hang up what talks."""
        for outgoing in list(self._open.values()):
            method = "CANCEL" if outgoing.machine.answered is None else "BYE"
            self._end(outgoing, method, "protocol")

    def let_go(self) -> None:
        """Forget every call: the library is about to be destroyed."""
        self._open.clear()

    def _end(self, outgoing: Outgoing, method: str, origin: Origin) -> None:
        self._trace.origins.order_request(outgoing.call_id, method, origin)
        try:
            outgoing.call.hangup(pj.CallOpParam())
        except pj.Error as error:
            self._note("engine", f"the stack sends no {method}: {error.reason}", outgoing.data)


def _operation(step: Send, headers: Headers) -> pj.CallOpParam:
    operation = pj.CallOpParam()
    operation.statusCode = step.code
    operation.reason = step.reason
    _add_headers(operation, headers)
    if step.body:
        operation.txOption.msgBody = step.body
        operation.txOption.contentType = step.content_type
    return operation


def _invitation(headers: Headers) -> pj.CallOpParam:
    operation = pj.CallOpParam(True)
    operation.opt.audioCount, operation.opt.videoCount = 1, 0
    _add_headers(operation, headers)
    return operation


def _add_headers(operation: pj.CallOpParam, headers: Headers) -> None:
    for name, value in headers:
        header = pj.SipHeader()
        header.hName, header.hValue = name, value
        operation.txOption.headers.append(header)
