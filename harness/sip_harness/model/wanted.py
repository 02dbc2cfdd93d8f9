"""What each agent must get: expectations as data, without any judgement."""

from __future__ import annotations

from dataclasses import dataclass

from sip_harness.model.expecting import Count, Heard, Match, Severity, Timing
from sip_harness.model.pattern import Event, Pattern
from sip_harness.model.place import NOWHERE, Place
from sip_harness.model.policy import Kind


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a message has to be retransmitted: at these seconds after its first sending, or doubling from `first` up to
    `cap` until a timer of the system ends it."""

    at: tuple[float, ...] = ()
    first: float = 0.0
    """Seconds; 0: only `at` counts, and an empty `at` means never."""
    cap: float = 0.0
    """Seconds between two sendings at most; 0: none (Timer A, RFC 3261 17.1.1.2)."""
    until: str = ""
    """Name of the system's timer that ends it."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One message that an agent must (or, with `maybe`, may) get."""

    pattern: Pattern
    maybe: bool = False
    source: str = ""
    """The device whose response this must be, or `system` for one that the system made by itself."""
    place: Place = NOWHERE
    resent: Schedule | None = None
    """How it must be retransmitted; None: retransmissions do not matter."""
    matches: tuple[Match, ...] = ()
    """What it must carry."""
    count: Count | None = None
    """How often it comes, one after the other; None: once."""
    timing: Timing | None = None
    """When it comes; None: promptly."""
    severity: Severity = "must"

    def __str__(self) -> str:
        word = "maybe " if self.maybe else "should " if self.severity == "should" else ""
        source = f" from {self.source}" if self.source else ""
        more = "".join(f" {part}" for part in (self.count, self.timing) if part is not None)
        return f"{word}{self.pattern}{source}{more}"


@dataclass(frozen=True, slots=True)
class AnyOrder:
    """Messages that may come in any order, all of them due."""

    items: tuple[Expected, ...]
    place: Place = NOWHERE

    def __str__(self) -> str:
        return f"any order: {', '.join(map(str, self.items))}"


@dataclass(frozen=True, slots=True)
class ItemsByKind:
    """Messages that depend on the kind of system; a kind that is not named owes none."""

    options: tuple[tuple[Kind, tuple[Expected | AnyOrder, ...]], ...]
    place: Place = NOWHERE

    def __str__(self) -> str:
        return "; ".join(f"{kind}: {', '.join(map(str, items))}" for kind, items in self.options)


@dataclass(frozen=True, slots=True)
class Sequence:
    """What an agent gets, in this order: closed for finals and requests, open for unnamed provisionals."""

    agent: str
    items: tuple[Expected | AnyOrder | ItemsByKind, ...]
    place: Place = NOWHERE
    severity: Severity = "must"
    call: str = ""
    """Name of the call that this is about; empty: the whole run."""


@dataclass(frozen=True, slots=True)
class Never:
    """An agent that no call may reach."""

    agent: str
    place: Place = NOWHERE
    severity: Severity = "must"
    call: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """An agent that must be called; what else it sees is left open."""

    agent: str
    place: Place = NOWHERE
    count: Count | None = None
    """How often; None: at least once."""
    severity: Severity = "must"
    call: str = ""

    def __str__(self) -> str:
        return f"reached {self.count}" if self.count else "reached"


@dataclass(frozen=True, slots=True)
class ByKind:
    """What an agent gets, by the kind of system."""

    agent: str
    options: tuple[tuple[Kind, Sequence | Never | Reached], ...]
    place: Place = NOWHERE
    call: str = ""


@dataclass(frozen=True, slots=True)
class ByFailover:
    """What an agent gets, by whether the system tries the next carrier after this code."""

    agent: str
    code: int
    tried: Sequence | Never | Reached
    other: Sequence | Never | Reached
    place: Place = NOWHERE
    call: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """Events that must follow one another across agents, by kernel receive times."""

    events: tuple[Event, ...]
    place: Place = NOWHERE
    severity: Severity = "must"


@dataclass(frozen=True, slots=True)
class Conforms:
    """Every fork must be as the rules want it (RFC 3261 16): who is tried, who is cancelled, what the caller hears."""

    place: Place = NOWHERE


Expectation = Sequence | Never | Reached | ByKind | ByFailover | Heard | Order | Conforms
