"""Steps of a script at a wire agent: when they are due, and to whom each kind is handed."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import Protocol

from sip_harness.agents.wire_parts import Owner, Playing
from sip_harness.endpoint.ua import UserAgent
from sip_harness.model.steps import (
    Again,
    Disconnect,
    ForwardBack,
    NoTrying,
    Raw,
    Request,
    Send,
    Silence,
    Step,
    Unregister,
)
from sip_harness.script.machine import Due


class Performer(Protocol):
    """Who carries steps out, each as what the script wants."""

    def poll(self) -> None:
        """Go on: something is due."""

    def respond(self, step: Send) -> None:
        """Send a response."""

    def raw(self, step: Raw) -> None:
        """Send exact bytes."""

    def fall_silent(self) -> None:
        """Send nothing more that the script does not ask for."""

    def hang_up(self) -> None:
        """End the call."""

    def ask(self, step: Request) -> None:
        """Send a request within the dialog."""

    def forward_back(self) -> None:
        """Hand the call back to the system."""


class Steps(Playing):
    """The steps of one attempt or reaction, carried out in turn."""

    def __init__(
        self,
        ua: UserAgent,
        steps: tuple[Step, ...],
        happened: Collection[str],
        performer: Performer,
        owner: Owner,
        data: dict[str, str],
    ) -> None:
        """Nothing is done yet. `data` goes with every note about a step."""
        super().__init__(ua, steps, happened, performer.poll)
        self.answered = False
        """Whether anything has been sent in answer."""
        self._performer = performer
        self._owner = owner
        self._data = data
        self._steps = steps

    @cached_property
    def _quiet(self) -> bool:
        return keeps_quiet(self._steps)

    @property
    def says_trying(self) -> bool:
        """Whether 100 is due: nothing has been answered, and the script does not keep quiet about it."""
        return not (self.answered or self._quiet)

    @property
    def silent(self) -> bool:
        """Whether the script has kept quiet so far."""
        return self._quiet and not self.answered

    def _carry_out(self, step: Due) -> None:
        self.answered = self.answered or isinstance(step, Send | Raw)
        carry_out(step, self._performer, self._owner, self._data)


def carry_out(step: Due, performer: Performer, owner: Owner, data: dict[str, str]) -> None:
    """Have a step carried out, and note it with this data."""
    if isinstance(step, Send):
        performer.respond(step)
    elif isinstance(step, Raw):
        performer.raw(step)
    elif isinstance(step, Silence):
        performer.fall_silent()
    elif isinstance(step, Request):
        performer.ask(step)
    elif isinstance(step, Disconnect):
        owner.disconnect(step.kind)
    elif isinstance(step, Unregister):
        owner.unregister()
    elif isinstance(step, ForwardBack):
        performer.forward_back()
    elif not isinstance(step, NoTrying | Again):  # `again` is said of no request but the first: see `Meanwhile`
        performer.hang_up()
    owner.note("step", in_words(step), data | marks(step))


def in_words(step: Due) -> str:
    """What a note says of a step."""
    if isinstance(step, Send | Raw | Again):
        return str(step)
    if isinstance(step, Request):
        return f"send {step}"
    if isinstance(step, Disconnect):
        return step.kind
    if isinstance(step, Unregister | ForwardBack):
        return "unregister" if isinstance(step, Unregister) else "forward back"
    if isinstance(step, Silence):
        return "silence"
    return "no 100" if isinstance(step, NoTrying) else "hang up"


def keeps_quiet(steps: tuple[Step, ...]) -> bool:
    """Whether no 100 is sent by itself: the script says so, or is silent before any response."""
    if any(isinstance(step, NoTrying) for step in steps):
        return True
    first = next((step for step in steps if isinstance(step, Send | Raw | Silence)), None)
    return isinstance(first, Silence)


def marks(step: Due) -> dict[str, str]:
    """What the run has to know of a step: a broken transport leaves things open."""
    return {"disconnect": step.kind} if isinstance(step, Disconnect) else {}
