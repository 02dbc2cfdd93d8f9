"""What an author declares: agents and their answers, calls, and what must be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sip_harness.model.pattern import Event, Pattern, Trigger
from sip_harness.model.place import NOWHERE, Place

Stack = Literal["auto", "pjsua2", "wire"]
Shape = Literal["ring", "hunt"]


@dataclass(frozen=True, slots=True)
class Send:
    """Answer the INVITE with this response."""

    code: int
    reason: str
    """Reason phrase, the registry's own if the author gave none."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers to add, in order: the author's, and the defaults that the code must carry (RFC 3261 21 and others)."""
    omit: frozenset[str] = frozenset()
    """Lower-case names of headers that the author wants left out (written as null)."""
    body: str = ""
    content_type: str = ""
    place: Place = NOWHERE

    def __str__(self) -> str:
        return f"{self.code} {self.reason}".strip()


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass."""

    seconds: float
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class After:
    """Go on once this has happened in this run; at once if it already has."""

    event: Event
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Silence:
    """Receive and never answer, not even with 100."""

    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the answered call with BYE."""

    place: Place = NOWHERE


Step = Send | Wait | After | Silence | HangUp


@dataclass(frozen=True, slots=True)
class Script:
    """What a device does when it is called, by attempt: the last entry serves all further attempts.

    An attempt is a new out-of-dialog INVITE transaction; a retry with credentials does not count.
    """

    attempts: tuple[tuple[Step, ...], ...]

    def steps(self, attempt: int) -> tuple[Step, ...]:
        """Steps for the attempt with this number, counted from 0."""
        return self.attempts[min(attempt, len(self.attempts) - 1)]


@dataclass(frozen=True, slots=True)
class Device:
    """A scripted user agent that the system reaches."""

    name: str
    script: Script
    stack: Stack = "auto"
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Target:
    """What dialling a name reaches: `ring` all members at once, or `hunt` through them in turn."""

    name: str
    shape: Shape
    members: tuple[str, ...]
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Call:
    """A call that a caller makes. Calls are made in turn: each when the one before it is over."""

    name: str
    caller: str
    target: str
    cancel: Trigger | None = None
    """CANCEL; without an event the delay counts from the INVITE."""
    hang_up: Trigger | None = None
    """BYE; without an event the delay counts from the answer. Without a trigger: as soon as the answering device
    has its ACK."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers to add to the INVITE."""
    stack: Stack = "auto"
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Expected:
    """One message that an agent must (or, with `maybe`, may) get."""

    pattern: Pattern
    maybe: bool = False
    source: str = ""
    """The device whose response this must be, or `system` for one that the system made by itself."""
    place: Place = NOWHERE

    def __str__(self) -> str:
        source = f" from {self.source}" if self.source else ""
        return f"{'maybe ' if self.maybe else ''}{self.pattern}{source}"


@dataclass(frozen=True, slots=True)
class AnyOrder:
    """Messages that may come in any order, all of them due."""

    items: tuple[Expected, ...]
    place: Place = NOWHERE

    def __str__(self) -> str:
        return f"any order: {', '.join(map(str, self.items))}"


@dataclass(frozen=True, slots=True)
class Sequence:
    """What an agent gets, in this order: closed for finals and requests, open for unnamed provisionals."""

    agent: str
    items: tuple[Expected | AnyOrder, ...]
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Never:
    """An agent that no call may reach."""

    agent: str
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Reached:
    """An agent that must be called; what else it sees is left open."""

    agent: str
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Order:
    """Events that must follow one another across agents, by kernel receive times."""

    events: tuple[Event, ...]
    place: Place = NOWHERE


Expectation = Sequence | Never | Reached | Order


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario, checked: every name in it resolves."""

    id: str
    title: str
    cite: tuple[str, ...]
    targets: tuple[Target, ...]
    devices: tuple[Device, ...]
    calls: tuple[Call, ...]
    expectations: tuple[Expectation, ...]
    needs: frozenset[str] = frozenset()
    """Capabilities that a system must have, else the scenario is skipped."""
    tags: tuple[str, ...] = ()
    proof: tuple[str, ...] = ()
    """Faults under which this scenario must fail."""
    place: Place = NOWHERE

    @property
    def callers(self) -> tuple[str, ...]:
        """Names of the callers, each once, in order of appearance."""
        return tuple(dict.fromkeys(call.caller for call in self.calls))

    def device(self, name: str) -> Device | None:
        """The device of that name, or None."""
        return next((d for d in self.devices if d.name == name), None)
