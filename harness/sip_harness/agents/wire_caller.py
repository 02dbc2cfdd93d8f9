"""One call of a wire caller: carries out what its script machine says is due."""

from __future__ import annotations

from collections.abc import Collection

from sip_harness.agents.wire_parts import Alarm, Owner
from sip_harness.endpoint.ua import UserAgent
from sip_harness.endpoint.uac import OutgoingCall
from sip_harness.model.scenario import Call
from sip_harness.net.base import Hop
from sip_harness.script.machine import CallerAction, CallMachine


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
