"""Scripts as state machines: they are told what happened and what time it is, and say what is due.

No clock and no socket inside: the stack that carries out a script owns both. Times are seconds on any monotonic clock
as long as it is always the same one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from sip_harness.model.pattern import Trigger
from sip_harness.model.scenario import (
    After,
    Call,
    Disconnect,
    HangUp,
    NoTrying,
    Raw,
    Request,
    Send,
    Silence,
    Step,
    Wait,
)

Due = Send | Raw | Silence | NoTrying | HangUp | Request | Disconnect

ACKED = "an answering device gets ACK"
"""What ends a call that states no end of its own: the 2xx of some device has been acknowledged."""


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
            else:
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


CallerAction = Literal["cancel", "bye"]


@dataclass
class CallMachine:
    """One call at a caller: says when to send CANCEL and BYE."""

    call: Call
    happened: Collection[str]
    start: float
    """When the INVITE was sent."""
    patience: float
    """Seconds after the answer after which an answered call without a stated end is hung up although no device has
    been seen to get its ACK."""
    answered: float | None = None
    """When the 2xx came; set by the owner."""
    _sent: set[CallerAction] = field(default_factory=set, init=False)
    _fired: dict[CallerAction, float] = field(default_factory=dict, init=False)

    def poll(self, now: float) -> list[CallerAction]:
        """What is due by `now`. Call again at `deadline` and whenever something happened."""
        due: list[CallerAction] = []
        if self.answered is None:
            if self._is_due("cancel", now):
                due.append("cancel")
        elif self._is_due("bye", now):
            due.append("bye")
        self._sent.update(due)
        return due

    @property
    def deadline(self) -> float | None:
        """When to poll next; None if only an event can move this call on."""
        action: CallerAction = "cancel" if self.answered is None else "bye"
        return None if action in self._sent else self._when(action)

    def _is_due(self, action: CallerAction, now: float) -> bool:
        if action in self._sent:
            return False
        trigger = self._trigger(action)
        if trigger is not None and trigger.event is not None and str(trigger.event) in self.happened:
            self._fired.setdefault(action, now)
        elif action == "bye" and trigger is None and ACKED in self.happened:
            return True
        when = self._when(action)
        return when is not None and now >= when

    def _trigger(self, action: CallerAction) -> Trigger | None:
        return self.call.cancel if action == "cancel" else self.call.hang_up

    def _when(self, action: CallerAction) -> float | None:
        trigger = self._trigger(action)
        if trigger is None:
            return None if action == "cancel" or self.answered is None else self.answered + self.patience
        if trigger.event is not None:
            fired = self._fired.get(action)
            return None if fired is None else fired + trigger.delay
        begin = self.start if action == "cancel" else self.answered
        return None if begin is None else begin + trigger.delay
