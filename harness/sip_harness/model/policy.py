"""What a system under test may take its time for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["proxy", "b2bua", "trunk-client"]


class BadPolicy(ValueError):
    """A policy that could not tell a prompt reaction from a timer that fired."""


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer of the system, with how much earlier or later than its nominal value it may fire. Seconds."""

    seconds: float
    early: float = 0.1
    late: float = 0.3


@dataclass(frozen=True, slots=True)
class Deviation:
    """A known way in which a system breaks a rule: one scenario, one expectation, one observed value."""

    scenario: str
    """Id."""
    expectation: str
    """The expectation in its words, as a finding has it: `alice: 486 from mobile`."""
    observed: str
    """What comes instead, as a finding has it: `408 Request Timeout made by the system itself`."""
    reason: str
    """Why the system does so and what is known of it."""


@dataclass(frozen=True)
class Policy:
    """Times that judge a system; all in seconds."""

    prompt: float = 0.4
    """A reaction is due within this time of its cause unless a scenario states another."""
    settle: float = 0.2
    """How long a finished run is still watched for messages that must not come."""
    timers: Mapping[str, Timer] = field(default_factory=dict)
    """Timers by name: `transaction` (no answer at all), `ring` (no final response)."""

    codes: Mapping[str, int] = field(default_factory=dict)
    """What the system answers by itself where the rules leave it a choice, by occasion: `ring-timeout` (nobody answered
    in time: 408 or 480), ..."""
    deviations: tuple[Deviation, ...] = ()
    """Known deviations. Each must be seen where its scenario runs: its absence is reported and fails."""
    failover: tuple[int, ...] | None = None
    """Final responses of a carrier after which the next one is tried, one that says 100 and then nothing counting as
    408. By the rules it is tried after 503 and after no response at all (RFC 3261 21.5.4, RFC 3263 4.3), and not after
    a 6xx (RFC 3261 16.7 step 5), whatever is said here. None: not known."""

    def told(self, code: int) -> int:
        """What a caller hears where a device has said this: a back-to-back user agent may have a code of its own for
        it, or for all of its class (`4xx`): towards the caller it is a UAS (RFC 3261 6)."""
        return self.codes.get(str(code), self.codes.get(f"{code // 100}xx", code))

    @property
    def shortest(self) -> float:
        """The shortest timer; if none is known, twice what is prompt, which is the shortest that there may be."""
        return min((t.seconds for t in self.timers.values()), default=2 * self.prompt)

    def __post_init__(self) -> None:
        """Refuse a `prompt` that exceeds half of the shortest timer: lateness would hide behind it."""
        if self.prompt > self.shortest / 2:
            raise BadPolicy(
                f"prompt {self.prompt:g}s exceeds half of the shortest timer ({self.shortest:g}s): a reaction that "
                "waits for that timer could pass as prompt; lengthen the timer or shorten prompt"
            )
