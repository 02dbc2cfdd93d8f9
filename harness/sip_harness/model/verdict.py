"""What the judge says of one run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sip_harness.model.entry import Message
from sip_harness.model.place import NOWHERE, Place

UNEXPECTED = "unexpected pass"
"""What is observed where a known deviation did not show."""


class Outcome(Enum):
    """The verdicts of a run, in words; see `exit_code` for what they mean together."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    DEVIATION = "deviation"
    FAIL = "fail"
    SKIP = "skip"
    BLOCKED = "blocked"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One expectation that did not hold, or one reason why nothing can be said."""

    outcome: Outcome
    expected: str
    """What should have been seen, in the author's words."""
    seen: str
    """What was seen instead, in a sentence that a VoIP engineer understands at once."""
    agent: str = ""
    place: Place = NOWHERE
    """Where in the scenario the expectation stands."""
    cite: str = ""
    """The broken rule."""
    message: Message | None = None
    """The offending message; None if one is missing."""
    missing_at: int | None = None
    """Where a message is missing: by when it was due, nanoseconds since the epoch."""
    observed: str = ""
    """What was seen, short and without times, to compare with known deviations: `nothing`, `408 made by the system`,
    `late CANCEL`."""
    starved: bool = False
    """Whether nothing can be said because this machine stood still: another run may decide it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one run and its findings, worst first."""

    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    """Why, where there are no findings: the missing capability, the refusal, the crash."""

    @property
    def starved(self) -> bool:
        """Whether it is undecided for no other reason than that this machine stood still."""
        undecided = [f for f in self.findings if f.outcome is Outcome.INCONCLUSIVE]
        return self.outcome is Outcome.INCONCLUSIVE and bool(undecided) and all(f.starved for f in undecided)


def exit_code(outcomes: list[Outcome], *, strict: bool = False) -> int:
    """Exit status for a set of verdicts: 2 error, 1 fail, 3 blocked or inconclusive, 5 nothing judged, else 0."""
    bad = {Outcome.FAIL, Outcome.WARN} if strict else {Outcome.FAIL}
    if Outcome.ERROR in outcomes:
        return 2
    if bad & set(outcomes):
        return 1
    if {Outcome.BLOCKED, Outcome.INCONCLUSIVE} & set(outcomes):
        return 3
    return 0 if {Outcome.PASS, Outcome.WARN, Outcome.DEVIATION} & set(outcomes) else 5
