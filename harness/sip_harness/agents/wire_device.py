"""One call that reached a wire device: carries out what its script machine says is due."""

from __future__ import annotations

from collections.abc import Collection

from sip_harness.agents.wire_parts import Alarm, Owner
from sip_harness.endpoint.layer import Server
from sip_harness.endpoint.ua import UserAgent
from sip_harness.endpoint.uas import IncomingCall
from sip_harness.model.scenario import Send, Silence, Step
from sip_harness.script.machine import AnswerMachine, Due


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
        self._alarm = Alarm(ua, self.poll)
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


def _is_silent(steps: tuple[Step, ...]) -> bool:
    """Whether silence comes before any response."""
    first = next((step for step in steps if isinstance(step, Send | Silence)), None)
    return isinstance(first, Silence)
