"""Scripts as state machines: they are told what happened and what time it is, and say what is due.

No clock and no socket inside: the stack that carries out a script owns both. Times are seconds on any monotonic clock
as long as it is always the same one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from sip_harness.model.pattern import Trigger
from sip_harness.model.scenario import Call
from sip_harness.model.steps import (
    After,
    Again,
    Challenge,
    Disconnect,
    ForwardBack,
    Grant,
    HangUp,
    NoTrying,
    Raw,
    Request,
    Send,
    Silence,
    Step,
    Unregister,
    Wait,
)

Due = Send | Raw | Silence | NoTrying | HangUp | Request | Again | Disconnect | Unregister | ForwardBack

ACKED = "an answering device gets ACK"
"""What ends a call that states no end of its own: the 2xx of some device has been acknowledged."""


def acked_in(call_id: str) -> str:
    """The same where calls overlap: in the call with this Call-ID. A system that gives every leg a Call-ID of its own
    lets nobody see it; the caller's patience ends such a call."""
    return f"{ACKED} in {call_id}"


@dataclass
class AnswerMachine:
    """One attempt at a device: carries its steps out in turn."""

    steps: tuple[Step, ...]
    happened: Collection[str]
    """Names (`str(event)`) of what has happened in this run; its owner adds to it and polls again."""
    base: float
    """When the step before was due; at first, when the INVITE arrived. Waits count from here, so lateness of one step
    does not add up in the next."""
    _next: int = field(default=0, init=False)
    _waited: bool = field(default=False, init=False)

    def poll(self, now: float) -> list[Due]:
        """What is due by `now`, in order. Call again at `deadline` and whenever something happened."""
        due: list[Due] = []
        while self._next < len(self.steps):
            step = self.steps[self._next]
            if isinstance(step, Wait):
                if now < self.base + step.seconds:
                    return due
                self.base += step.seconds
            elif isinstance(step, After):
                if str(step.event) not in self.happened:
                    self._waited = True
                    return due
                if self._waited:
                    self.base = now
            elif not isinstance(step, Challenge | Grant):  # these are settled with the request
                due.append(step)
            self._waited = False
            self._next += 1
        return due

    @property
    def deadline(self) -> float | None:
        """When to poll next; None if only an event can move this script on, or nothing can."""
        step = self.steps[self._next] if self._next < len(self.steps) else None
        return self.base + step.seconds if isinstance(step, Wait) else None

    @property
    def done(self) -> bool:
        """Whether every step has been carried out."""
        return self._next >= len(self.steps)

    def stop(self) -> None:
        """Carry out nothing more: the call is over."""
        self._next = len(self.steps)


CallerAction = Literal["cancel", "ack", "bye"]


@dataclass
class CallMachine:
    """One call at a caller: says when to send CANCEL, a late ACK and BYE, and which steps of `then` are due.

    `then` begins with the answer. If it hangs up by itself (`hang up`, or a BYE that it sends), nothing else ends the
    call. If it does not, the call ends by the usual rule, but never before `then` is done: every step carried out and
    every request of it answered. The usual rule: as `hang_up` says; without it as soon as an answering device has its
    ACK, or after `patience`, which counts from the answer, from the end of `then` or from the scripted ACK, whichever
    is last. An ACK that is to be sent later is sent before.
    """

    call: Call
    happened: Collection[str]
    start: float
    """When the INVITE was sent."""
    patience: float
    """Seconds after the answer after which an answered call without a stated end is hung up although no device has
    been seen to get its ACK."""
    answered: float | None = None
    """When the 2xx came; set by the owner."""
    rung: float | None = None
    """When the first early dialog was set up; set by the owner."""
    refused: float | None = None
    """When a failure came whose ACK is scripted; set by the owner."""
    pending: int = 0
    """Requests of `then` that have no final response yet; kept by the owner."""
    acked: str = ACKED
    """What else than `ACKED` says that the 2xx of a device has been acknowledged; set by the owner."""
    _sent: dict[CallerAction, float] = field(default_factory=dict, init=False)
    _fired: dict[CallerAction, float] = field(default_factory=dict, init=False)
    _early: AnswerMachine | None = field(default=None, init=False)
    _then: AnswerMachine | None = field(default=None, init=False)
    _ended: float | None = field(default=None, init=False)
    """When `then` ended, if there is one."""

    def poll(self, now: float) -> list[CallerAction]:
        """What is due by `now`. Call again at `deadline` and whenever something happened."""
        self._watch(now)
        due = [action for action in self._open() if self._is_due(action, now)]
        self._sent.update(dict.fromkeys(due, now))
        return due

    def steps(self, now: float) -> list[Due]:
        """Steps of `early` and `then` that are due by `now`. What `poll` says comes first, and again after them."""
        if self._then is None:
            if self.answered is None:
                return self._before(now)
            self._then = AnswerMachine(self.call.then, self.happened, self.answered)
        return self._then.poll(now)

    @property
    def deadline(self) -> float | None:
        """When to poll next; None if only an event can move this call on."""
        times = [self._when(action) for action in self._open()]
        machines = (self._early if self._final() is None else None, self._then)
        times += [machine.deadline for machine in machines if machine is not None]
        return min((time for time in times if time is not None), default=None)

    @property
    def done(self) -> bool:
        """Whether `then` has nothing left to do."""
        return not self.call.then or (self._then is not None and self._then.done)

    def stop(self) -> None:
        """Do nothing more: the call is over."""
        self._early = self._then = AnswerMachine((), self.happened, self.start)
        self._sent = dict.fromkeys(("cancel", "ack", "bye"), self.start)

    def _before(self, now: float) -> list[Due]:
        """Steps of `early`."""
        if self.rung is None or self.refused is not None:
            return []
        if self._early is None:
            self._early = AnswerMachine(self.call.early, self.happened, self.rung)
        return self._early.poll(now)

    def _watch(self, now: float) -> None:
        """Keep when things happened: events that triggers wait for, and the end of `then`."""
        for action in self._open():
            trigger = self._trigger(action)
            if trigger is not None and trigger.event is not None and str(trigger.event) in self.happened:
                self._fired.setdefault(action, now)
        if self._ended is None and self._then is not None and self._then.done and not self.pending:
            self._ended = now

    def _open(self) -> list[CallerAction]:
        """What may still have to be sent."""
        found: list[CallerAction] = []
        if self.answered is None and self.refused is None:
            found.append("cancel")
        elif self._late_ack():
            found.append("ack")
        if self.answered is not None and not self._hangs_up_itself():
            found.append("bye")
        return [action for action in found if action not in self._sent]

    def _is_due(self, action: CallerAction, now: float) -> bool:
        if action == "bye" and self.call.hang_up is None and (ACKED in self.happened or self.acked in self.happened):
            return self._through() is not None and self._acknowledged() is not None
        when = self._when(action)
        return when is not None and now >= when

    def _trigger(self, action: CallerAction) -> Trigger | None:
        if action == "ack":
            return self.call.ack if isinstance(self.call.ack, Trigger) else None
        return self.call.cancel if action == "cancel" else self.call.hang_up

    def _when(self, action: CallerAction) -> float | None:
        """When this is due; None if that is not known yet."""
        trigger = self._trigger(action)
        if action == "bye" and self._through() is None:
            return None
        if trigger is None:
            return self._out_of_patience() if action == "bye" else None
        if trigger.event is not None:
            fired = self._fired.get(action)
            return None if fired is None else fired + trigger.delay
        begin = self.start if action == "cancel" else self._final()
        return None if begin is None else begin + trigger.delay

    def _out_of_patience(self) -> float | None:
        through, acknowledged = self._through(), self._acknowledged()
        return None if through is None or acknowledged is None else max(through, acknowledged) + self.patience

    def _through(self) -> float | None:
        """From when on `then` does not keep the call up any more."""
        return self._ended if self.call.then else self.answered

    def _final(self) -> float | None:
        return self.answered if self.answered is not None else self.refused

    def _late_ack(self) -> bool:
        return isinstance(self.call.ack, Trigger)

    def _acknowledged(self) -> float | None:
        """When the answer was acknowledged, or would have been."""
        return self._sent.get("ack") if self._late_ack() else self.answered

    def _hangs_up_itself(self) -> bool:
        return any(isinstance(s, HangUp) or (isinstance(s, Request) and s.method == "BYE") for s in self.call.then)
