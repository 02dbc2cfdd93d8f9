"""What can be said of an expected message besides which it is: its content, how often and when it comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sip_harness.model.pattern import Event
from sip_harness.model.place import NOWHERE, Place

Severity = Literal["must", "should"]
"""A broken `should` is a warning (RFC 2119), a failure only where the user wants it strict."""
How = Literal["is", "matches", "present", "absent", "same"]


@dataclass(frozen=True, slots=True)
class Match:
    """Something that a message has to carry."""

    subject: str
    """A header name, `body`, `reason` (the reason phrase) or `uri` (the Request-URI)."""
    of: Literal["header", "body", "reason", "uri"]
    how: How
    values: tuple[str, ...] = ()
    """For `is` the elements of the header, white space and folding aside; for `matches` one regular expression, found
    in any value; for `same` the agent whose message has the same, or `earlier` and the code of a
    response that the agent itself has got before."""
    severity: Severity = "must"
    place: Place = NOWHERE

    def __str__(self) -> str:
        match self.how:
            case "is":
                return f"{self.subject}: {', '.join(self.values)}"
            case "matches":
                return f"{self.subject}: /{self.values[0]}/"
            case "same":
                return f"{self.subject}: same as {' '.join(self.values)}"
        return f"{self.subject} {self.how}"


@dataclass(frozen=True, slots=True)
class Count:
    """How often something comes; retransmissions are none."""

    least: int
    most: int | None
    """None: any number."""
    unit: str = "times"

    def __contains__(self, number: int) -> bool:
        return self.least <= number and (self.most is None or number <= self.most)

    def of(self, number: int) -> str:
        """So many of what is counted: `1 time`, `20 packets`."""
        return f"{number} {self.unit if number != 1 else self.unit[:-1]}"

    def __str__(self) -> str:
        if self.most is None:
            return f"at least {self.of(self.least)}"
        if self.least == self.most:
            return self.of(self.most)
        return f"at most {self.of(self.most)}" if self.least == 0 else f"{self.least} to {self.of(self.most)}"


@dataclass(frozen=True, slots=True)
class Amount:
    """A time in seconds, or one that the policy of the system has."""

    seconds: float = 0.0
    timer: str = ""
    """Name of a timer of the policy, or `prompt`; empty: `seconds` counts."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When something comes, counted from an event, or from the first message of the call."""

    earliest: Amount | None
    latest: Amount | None
    since: Event | None
    text: str
    """As the author wrote it."""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Heard:
    """Media that reaches an agent; an empty `level` is nothing at all."""

    agent: str
    level: Literal["tone", "silence", ""]
    source: str = ""
    """The agent that sends it; empty: anybody."""
    packets: Count | None = None
    timing: Timing | None = None
    severity: Severity = "must"
    call: str = ""
    """Name of the call that this is about; empty: all of them."""
    place: Place = NOWHERE

    def __str__(self) -> str:
        source = f" from {self.source}" if self.source else ""
        more = "".join(f" {part}" for part in (self.packets, self.timing) if part is not None)
        return f"hears {self.level or 'nothing'}{source}{more}"
