"""What an agent does with all that comes: its steps, its reactions to other requests, what it is deaf to."""

from __future__ import annotations

from dataclasses import dataclass

from sip_harness.model.pattern import Pattern
from sip_harness.model.place import NOWHERE, Place
from sip_harness.model.steps import Send, Step


@dataclass(frozen=True, slots=True)
class When:
    """Which requests something is for; whatever is stated has to hold."""

    headers: tuple[tuple[str, str], ...] = ()
    """Header names with `present`, `absent`, `/regular expression/` (found anywhere in a value) or a whole value."""
    user: str = ""
    """The user part of the Request-URI, in the same forms; empty: any."""
    caller: str = ""
    """The agent whose account stands in From; empty: any."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is done with the requests that match; they are counted in no attempt."""

    when: When
    steps: tuple[Step, ...]
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Reaction:
    """What an agent does with requests of one method, instead of what any user agent would do."""

    method: str
    """`re-INVITE` is an INVITE within a dialog."""
    attempts: tuple[tuple[Step, ...], ...]
    """By number of the request of that method in the run (retransmissions, and what answers a `challenge`, are none);
    the last serves all further."""
    place: Place = NOWHERE
    cases: tuple[Case, ...] = ()
    """Asked first, in this order."""

    @property
    def lists(self) -> tuple[tuple[Step, ...], ...]:
        """All lists of steps."""
        return *self.attempts, *(case.steps for case in self.cases)

    def steps(self, attempt: int) -> tuple[Step, ...]:
        """Steps for the request with this number, counted from 0."""
        return self.attempts[min(attempt, len(self.attempts) - 1)]


@dataclass(frozen=True, slots=True)
class Loss:
    """Messages that an agent is deaf to, as if they had been lost on the way to it. They are recorded all the same."""

    pattern: Pattern
    first: int = 0
    """Only so many, retransmissions counted; 0: all."""
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Script:
    """What a device does when it is called, by attempt: the last entry serves all further attempts.

    An attempt is a new out-of-dialog INVITE transaction; a retry with credentials does not count.
    """

    attempts: tuple[tuple[Step, ...], ...]
    reactions: tuple[Reaction, ...] = ()
    losses: tuple[Loss, ...] = ()
    cases: tuple[Case, ...] = ()
    """What is done with the calls that match, asked first in this order."""

    @property
    def lists(self) -> tuple[tuple[Step, ...], ...]:
        """All lists of steps that answer calls."""
        return *self.attempts, *(case.steps for case in self.cases)

    def steps(self, attempt: int) -> tuple[Step, ...]:
        """Steps for the attempt with this number, counted from 0."""
        return self.attempts[min(attempt, len(self.attempts) - 1)]

    @property
    def plays(self) -> bool:
        """Whether some response of it sends RTP."""
        scripts = (*self.lists, *(steps for reaction in self.reactions for steps in reaction.lists))
        return any(isinstance(step, Send) and bool(step.how.media) for steps in scripts for step in steps)

    def reaction(self, method: str) -> Reaction | None:
        """The scripted reaction to requests of this method, or None for what any user agent would do."""
        return next((r for r in self.reactions if r.method == method), None)
