"""One call at a wire agent, on either side: carries out what its script machine says is due."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from sip_harness.endpoint.layer import Server
from sip_harness.endpoint.ua import UserAgent
from sip_harness.endpoint.uac import OutgoingCall
from sip_harness.endpoint.uas import IncomingCall
from sip_harness.model.scenario import Call, Send, Silence, Step
from sip_harness.net.base import Hop
from sip_harness.net.clock import Timer
from sip_harness.script.machine import AnswerMachine, CallerAction, CallMachine, Due


class Owner(Protocol):
    """The agent that a call belongs to."""

    def note(self, kind: str, text: str, data: dict[str, str] | None = None) -> None:
        """Record something."""

    def over(self, call: Attempt | Outgoing) -> None:
        """Nothing of this call is left on the wire. Told again once it is `done` too."""


class _Alarm:
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


class Attempt:
    """One INVITE at a device, answered by the script."""

    def __init__(
        self,
        ua: UserAgent,
        server: Server,
        steps: tuple[Step, ...],
        number: int,
        happened: Collection[str],
        owner: Owner,
    ) -> None:
        self._ua = ua
        self._owner = owner
        self._data = {"attempt": str(number), "call_id": server.request.call_id}
        self._machine = AnswerMachine(steps, happened, ua.clock.now())
        self._alarm = _Alarm(ua, self.poll)
        self._silent = _is_silent(steps)
        self._answered = False
        self._incoming = IncomingCall(ua, server, self)

    def begin(self) -> None:
        """Carry out what is due at once; if that is no response, say 100 unless the script is silent."""
        self.poll()
        if not (self._answered or self._silent or self._incoming.mute):
            self._incoming.trying()

    def poll(self) -> None:
        """Carry out what is due by now."""
        for step in self._machine.poll(self._ua.clock.now()):
            self._carry_out(step)
        self._alarm.set(self._machine.deadline)
        if self._incoming.over and self.done:
            self._owner.over(self)

    @property
    def done(self) -> bool:
        """Whether the script has nothing more to do; it may still have when the call is over (a late response)."""
        return self._machine.done

    def end(self) -> None:
        """Refuse or hang up what is open."""
        self._machine.stop()
        self._alarm.set(None)
        self._incoming.end()

    def stop(self) -> None:
        """Do nothing more."""
        self._machine.stop()
        self._alarm.set(None)

    def on_stopped(self) -> None:
        """From the endpoint: the caller gave up or hung up."""
        self.stop()

    def on_over(self) -> None:
        """From the endpoint: nothing of the call is left."""
        self._owner.over(self)

    def on_engine(self, why: str) -> None:
        """From the endpoint: it had to decide something by itself."""
        self._owner.note("engine", why, self._data)

    def _carry_out(self, step: Due) -> None:
        if isinstance(step, Send):
            self._answered = True
            self._incoming.respond(step, "script")
            self._owner.note("step", str(step), self._data)
        elif isinstance(step, Silence):
            self._incoming.mute = True
            self._owner.note("step", "silence", self._data)
        else:
            self._incoming.hang_up("script")
            self._owner.note("step", "hang up", self._data)


class Outgoing:
    """One call of a caller, ended as the scenario says."""

    def __init__(
        self, ua: UserAgent, call: Call, uri: str, hop: Hop, happened: Collection[str], patience: float, owner: Owner
    ) -> None:
        """Make the call."""
        self._ua = ua
        self._owner = owner
        self._alarm = _Alarm(ua, self.poll)
        self._machine = CallMachine(call, happened, ua.clock.now(), patience)
        self._outgoing = OutgoingCall(ua, uri, hop, self, headers=call.headers)
        self._data = {"call": call.name, "call_id": self.call_id}
        self.poll()

    @property
    def call_id(self) -> str:
        """Call-ID of the INVITE."""
        return self._outgoing.call_id

    @property
    def done(self) -> bool:
        """Whether the call needs no more attention."""
        return self._outgoing.over

    def poll(self) -> None:
        """Carry out what is due by now."""
        if self._outgoing.over:
            return
        for action in self._machine.poll(self._ua.clock.now()):
            self._carry_out(action)
        self._alarm.set(self._machine.deadline)

    def end(self) -> None:
        """Cancel or hang up what is open."""
        self._alarm.set(None)
        self._outgoing.end()

    def stop(self) -> None:
        """Do nothing more."""
        self._alarm.set(None)

    def on_answered(self) -> None:
        """From the endpoint: the 2xx is acknowledged."""
        self._machine.answered = self._ua.clock.now()
        self.poll()

    def on_over(self) -> None:
        """From the endpoint: nothing of the call is left."""
        self._alarm.set(None)
        self._owner.over(self)

    def _carry_out(self, action: CallerAction) -> None:
        self._owner.note("step", "CANCEL" if action == "cancel" else "BYE", self._data)
        if action == "cancel":
            self._outgoing.cancel("script")
        else:
            self._outgoing.hang_up("script")


def _is_silent(steps: tuple[Step, ...]) -> bool:
    """Whether silence comes before any response."""
    first = next((step for step in steps if isinstance(step, Send | Silence)), None)
    return isinstance(first, Silence)
