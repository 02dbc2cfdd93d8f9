"""What both sides of a call at a wire agent share."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from sip_harness.endpoint.ua import UserAgent
from sip_harness.model.steps import Step
from sip_harness.net.base import Disconnection
from sip_harness.net.clock import Timer
from sip_harness.script.machine import AnswerMachine, Due


class LiveCall(Protocol):
    """One call at a wire agent, on either side."""

    @property
    def done(self) -> bool:
        """Whether the call needs no more attention."""

    @property
    def busy(self) -> bool:
        """Whether its script will go on at a time that is known."""

    def poll(self) -> None:
        """Carry out what is due by now."""

    def end(self) -> None:
        """End what is open."""

    def stop(self) -> None:
        """Do nothing more."""


class Owner(Protocol):
    """The agent that a call belongs to."""

    def note(self, kind: str, text: str, data: dict[str, str] | None = None) -> None:
        """Record something."""

    def over(self, call: LiveCall) -> None:
        """Nothing of this call is left on the wire. Told again once it is `done` too."""

    def reopened(self, call: LiveCall) -> None:
        """A script has answered a call once more that was over: it is on the wire again."""

    def disconnect(self, kind: Disconnection) -> None:
        """Break the transport, as a script wants it."""

    def unregister(self) -> None:
        """Take the registration back, as a script wants it."""


class Alarm:
    """Calls back at the deadline of a machine, which may move."""

    def __init__(self, ua: UserAgent, call: Callable[[], None]) -> None:
        self._ua = ua
        self._call = call
        self._timer: Timer | None = None

    def set(self, when: float | None) -> None:
        """Call at this time instead of any other; not at all for None."""
        if self._timer is not None:
            if self._timer.when == when:
                return
            self._timer.cancel()
        self._timer = None if when is None else self._ua.clock.at(when, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._call()


class Playing:
    """A script that is carried out step by step: what is due is done, then the next time is awaited."""

    def __init__(
        self, ua: UserAgent, steps: tuple[Step, ...], happened: Collection[str], go_on: Callable[[], None]
    ) -> None:
        """Nothing is done yet; waits count from now. `go_on` is called when something is due by itself."""
        self._ua = ua
        self._machine = AnswerMachine(steps, happened, ua.clock.now())
        self._alarm = Alarm(ua, go_on)

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self._machine.done

    @property
    def busy(self) -> bool:
        """Whether something is left to do at a time that is known, whatever happens."""
        return self._machine.deadline is not None

    def poll(self) -> None:
        """Carry out what is due by now."""
        for step in self._machine.poll(self._ua.clock.now()):
            self._carry_out(step)
        self._alarm.set(self._machine.deadline)

    def stop(self) -> None:
        """Carry out nothing more."""
        self._machine.stop()
        self._alarm.set(None)

    def _carry_out(self, step: Due) -> None:
        raise NotImplementedError
