"""The registration of a wire agent: nothing else begins before the registrar has answered, and a refusal blocks the
run. Afterwards it is kept, noted, and taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sip_harness.agents.base import Assignment, SetupRefused
from sip_harness.endpoint.registration import Outcome, Refused, Registered, Registration
from sip_harness.endpoint.ua import UserAgent
from sip_harness.net.base import Hop, host_port

REGISTER_LIMIT = 2.0
"""Seconds that `start` of an agent waits for the registrar."""
Note = Callable[[str, str, dict[str, str]], None]
"""Takes kind, text and data of what goes on record."""


class Binding:
    """One agent's contact at the registrar of its system."""

    def __init__(self, ua: UserAgent, assignment: Assignment, note: Note) -> None:
        """Nothing is sent yet."""
        self._assignment = assignment
        self._note = note
        self._first: asyncio.Future[Outcome] = ua.clock.loop.create_future()
        self._registration = Registration(
            ua, Hop(ua.transport, assignment.system), f"sip:{assignment.user.domain}", assignment.expires,
            self._take, assignment.preference, refreshes=assignment.refreshes,
        )  # fmt: skip

    async def register(self) -> None:
        """Register, and wait for the outcome. Raises SetupRefused with the reason."""
        self._registration.register()
        try:
            outcome = await asyncio.wait_for(self._first, REGISTER_LIMIT)
        except TimeoutError:
            outcome = Refused(0, "timeout")
        if isinstance(outcome, Refused):
            raise SetupRefused(f"{self._assignment.name}: {self._refusal(outcome)}")

    def recover(self) -> None:
        """The connection to the registrar is gone: make one anew with a REGISTER (RFC 5626 4.4)."""
        self._registration.recover()

    def unregister(self, done: Callable[[], None] = lambda: None) -> None:
        """Take the contact back; `done` is called when the registrar has answered, or never will."""
        self._registration.unregister(done)

    def _take(self, outcome: Outcome) -> None:
        if isinstance(outcome, Registered):
            data = {"aor": self._assignment.user.aor, "expires": str(outcome.expires)}
            self._note("registered", f"registered for {outcome.expires} s", data)
        elif self._first.done():
            self._note("refused", self._refusal(outcome), {})
        if not self._first.done():
            self._first.set_result(outcome)

    def _refusal(self, outcome: Refused) -> str:
        system = host_port(self._assignment.system)
        if outcome.code:
            return f"REGISTER refused: {outcome.code} {outcome.reason}"
        if outcome.reason == "timeout":
            return f"no answer to REGISTER from {system} within {REGISTER_LIMIT:g} s"
        return f"REGISTER could not be sent to {system}"
