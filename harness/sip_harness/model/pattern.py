"""Words for messages: what a trigger waits for and what an expectation asks to see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sip_harness.model.place import NOWHERE, Place

Verb = Literal["sends", "gets"]


@dataclass(frozen=True, slots=True)
class RequestPattern:
    """A request by its method; an ACK may name the final response that it acknowledges (`ACK to 486`)."""

    method: str
    acks: frozenset[int] = frozenset()
    """Codes of the acknowledged response. Empty: for ACK any code, else without meaning."""

    def __str__(self) -> str:
        return f"{self.method} to {_codes(self.acks)}" if self.acks else self.method


@dataclass(frozen=True, slots=True)
class ResponsePattern:
    """A response by its code and the method that it answers (`600`, `180 or 183`, `200 to CANCEL`)."""

    codes: frozenset[int]
    method: str = "INVITE"
    text: str = ""
    """The codes as the author wrote them (`6xx`, `busy-here`)."""
    policy: tuple[str, ...] = ()
    """Occasions for which the policy of the system has further codes (`ring-timeout`)."""

    def __str__(self) -> str:
        name = self.text or _codes(self.codes)
        return name if self.method == "INVITE" else f"{name} to {self.method}"


Pattern = RequestPattern | ResponsePattern


@dataclass(frozen=True, slots=True)
class Event:
    """A message leaving or reaching an agent: `mobile sends 180`, `desk gets CANCEL`, `g1 gets 2 REGISTER`."""

    agent: str
    verb: Verb
    pattern: Pattern
    place: Place = NOWHERE
    count: int = 1
    """It happens with the message of this number, counted from 1; retransmissions are none."""

    def __str__(self) -> str:
        count = f"{self.count} " if self.count > 1 else ""
        return f"{self.agent} {self.verb} {count}{self.pattern}"


@dataclass(frozen=True, slots=True)
class Trigger:
    """When something is to be done: so long after an event, or after the natural beginning if there is none."""

    event: Event | None = None
    delay: float = 0.0
    """Seconds."""

    def __str__(self) -> str:
        delay = f"{seconds(self.delay)} after " if self.delay else "after "
        return f"{delay}{self.event}" if self.event else f"after {seconds(self.delay)}"


def seconds(value: float) -> str:
    """A duration as authors write it: `100ms`, `2s`, `1.5s`."""
    return f"{value:g}s" if value >= 1 else f"{value * 1000:g}ms"


def _codes(codes: frozenset[int]) -> str:
    """Whole classes as such: `4xx`."""
    whole = {c // 100: range(c // 100 * 100, c // 100 * 100 + 100) for c in codes}
    names = {family: f"{family}xx" for family, members in whole.items() if codes.issuperset(members)}
    return " or ".join(dict.fromkeys(names.get(c // 100, str(c)) for c in sorted(codes)))
