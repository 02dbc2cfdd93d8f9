"""What a caller does from its request on, whatever comes back: it says it again, takes it back, sends exact bytes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from sip_harness.agents.wire_parts import Owner, Playing
from sip_harness.agents.wire_steps import in_words, marks
from sip_harness.endpoint.ua import UserAgent
from sip_harness.model.scenario import Call
from sip_harness.model.steps import Again, Disconnect, Raw, Request
from sip_harness.script.machine import Due


class Begun(Protocol):
    """What a request of a caller has begun."""

    def poll(self) -> None:
        """Go on: something is due."""

    def again(self, step: Again) -> None:
        """Send the request once more."""

    def cancel(self, step: Request) -> None:
        """Send CANCEL for it at once."""

    def raw(self, step: Raw) -> None:
        """Send exact bytes."""


class Meanwhile(Playing):
    """The steps of `meanwhile`, carried out in turn."""

    def __init__(
        self,
        ua: UserAgent,
        call: Call,
        happened: Collection[str],
        begun: Begun,
        owner: Owner,
        data: dict[str, str],
    ) -> None:
        """Nothing is done yet; waits count from now. `data` goes with every note about a step."""
        super().__init__(ua, call.meanwhile, happened, begun.poll)
        self._begun = begun
        self._owner = owner
        self._data = data

    def _carry_out(self, step: Due) -> None:
        if isinstance(step, Again):
            self._begun.again(step)
        elif isinstance(step, Raw):
            self._begun.raw(step)
        elif isinstance(step, Request):
            self._begun.cancel(step)
        elif isinstance(step, Disconnect):
            self._owner.disconnect(step.kind)
        self._owner.note("step", in_words(step), self._data | marks(step))
