"""What a conforming proxy owes the caller of a fork, from what its devices did (RFC 3261 16.7, 16.8, 16.10).

Pure: no record, no clock. A fork is told as branches with the times at which each answered; the answer is the set of
outcomes that the rules allow. Where a rule is a SHOULD, what it wants stands beside what the MUSTs allow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

SYSTEM = ""
"""In the place of a device: the proxy made the response by itself."""
_RESUBMIT = frozenset({401, 407, 415, 420, 484})
"""Preferred among 4xx, because they say how to ask again (16.7 step 6)."""
_TERMINATED = 487


@dataclass(frozen=True, slots=True)
class Branch:
    """One device that the request was forwarded to. Times in seconds, from any common beginning."""

    device: str
    step: int = 0
    """Which group in turn it is in: a ring has one group, a hunt one after the other."""
    invited: float = 0.0
    provisional: float = math.inf
    """When it sent its first provisional."""
    final: float = math.inf
    """When it sent its first final response; what it sends after that counts for nothing (RFC 6026 7.3)."""
    code: int = 0
    """The code of that final response."""


@dataclass(frozen=True, slots=True)
class Timers:
    """When the proxy gives a branch up, seconds."""

    transaction: float
    """Without any response (Timer B)."""
    ring: float
    """With provisional responses only (Timer C)."""
    late: float = 0.0
    """By how much either may come later, or earlier."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A final response to the caller."""

    code: int
    device: str = SYSTEM

    def __str__(self) -> str:
        return f"{self.code} from {self.device or 'the system itself'}"


@dataclass(frozen=True, slots=True)
class Window:
    """When something may happen at the earliest, and when it must have been caused at the latest; seconds."""

    begin: float
    due: float


@dataclass(frozen=True)
class Owed:
    """What the caller may get, and which devices have to be rung and cancelled."""

    answers: tuple[Answer, ...] = ()
    """Every 2xx: each must reach the caller at once (16.7 step 5)."""
    finals: frozenset[Answer] = frozenset()
    """What the MUSTs allow as the one other final response; empty if none is allowed."""
    wanted: frozenset[Answer] = frozenset()
    """Those of them that the SHOULDs allow as well (16.7 step 6)."""
    over: Window = field(default=Window(math.inf, math.inf))
    """When the last branch is over: no final response but a 2xx comes before (16.7 step 5), and then it is due."""
    cancelled: dict[str, Window] = field(default_factory=dict)
    """Devices that have to be cancelled (16.7 steps 5 and 10, 16.8, 16.10), not before a provisional (9.1)."""
    tried: dict[str, Window] = field(default_factory=dict)
    """Devices that have to be tried."""
    untried: frozenset[str] = frozenset()
    """Devices of later groups that must not be tried: someone answered, a 6xx came or the caller has given up."""


@dataclass(frozen=True)
class Fork:
    """A forked INVITE as its devices and its caller have seen it."""

    branches: tuple[Branch, ...]
    timers: Timers
    steps: tuple[tuple[str, ...], ...] = ()
    """All devices by group, those that were never tried as well; empty: there are none but those of the branches."""
    caller_cancels: float = math.inf
    timeout_codes: frozenset[int] = frozenset({408})
    """What the proxy says for a branch that it has given up (16.6 step 11, 16.8; its policy may have another)."""

    def owed(self) -> Owed:
        """The allowed outcomes."""
        answers = tuple(
            Answer(b.code, b.device)
            for b in sorted(self.branches, key=lambda b: b.final)
            if b.code and b.code < 300 and b.final <= self._given_up(b)
        )
        overs = [self._over(b) for b in self.branches] or [Window(math.inf, math.inf)]
        over = Window(max(w.begin for w in overs), max(w.due for w in overs))
        allowed = _allowed(self._candidates()) if not answers or self._answered_late() else frozenset()
        tried, untried = self._search()
        return Owed(answers, allowed, self._wanted(allowed), over, self._to_cancel(), tried, untried)

    def _wanted(self, allowed: frozenset[Answer]) -> frozenset[Answer]:
        """The best of all, and the best of what devices have really said: the choice between the two is the proxy's, as
        a branch that was given up needs no response (16.6 step 11, 16.8). A caller who has given up may hear 487
        whatever else there is: it helps nobody to ask again."""
        real = frozenset(a for a in allowed if a.device or a.code == 500)
        ended = frozenset(a for a in allowed if a.code == _TERMINATED and self.caller_cancels < math.inf)
        return _best(allowed) | _best(real) | ended

    def _answered_late(self) -> bool:
        """Whether an answer came when its branch had been given up: the caller may have heard of that already."""
        return any(b.final > self._timer(b) for b in self.branches if b.code and b.code < 300)

    def _timer(self, branch: Branch) -> float:
        """When the branch is given up, or cancelled if it has sent a provisional."""
        silent = branch.invited + self.timers.transaction
        return silent if branch.provisional > silent else branch.provisional + self.timers.ring

    def _given_up(self, branch: Branch) -> float:
        """When nothing that the branch says counts any more. A cancelled one has the time of a transaction to say it
        (9.1)."""
        cancelled = self._to_cancel().get(branch.device)
        until = cancelled.due + self.timers.transaction if cancelled else 0.0
        return max(self._timer(branch), until) + self.timers.late

    def _over(self, branch: Branch) -> Window:
        """A branch is over with its final response, or when a timer says so."""
        cancelled = self._to_cancel().get(branch.device)
        until = cancelled.begin + self.timers.transaction if cancelled else math.inf
        given_up = min(self._timer(branch), until) - self.timers.late
        if branch.code and branch.final <= self._given_up(branch):
            return Window(min(branch.final, given_up), branch.final)
        return Window(given_up, self._given_up(branch))

    def _candidates(self) -> list[Answer]:
        """The final responses of the context (16.7 step 4), with one of the proxy's own for each branch without."""
        real = [Answer(b.code, b.device) for b in self.branches if b.code >= 300 and b.final <= self._given_up(b)]
        dead = [b for b in self.branches if not b.code or b.final > self._timer(b) - self.timers.late]
        made = [Answer(code) for code in self.timeout_codes] if dead or not self.branches else []
        if self.caller_cancels < math.inf:
            made.append(Answer(_TERMINATED))
        return real + made

    def _ending(self) -> float:
        """When the context takes no new branch and cancels the others."""
        enough = [b.final for b in self.branches if b.code and (b.code < 300 or b.code >= 600)]
        return min([self.caller_cancels, *enough])

    def _to_cancel(self) -> dict[str, Window]:
        windows = {b.device: self._cancel_window(b) for b in self.branches}
        return {b.device: windows[b.device] for b in self.branches if windows[b.device].begin < b.final}

    def _cancel_window(self, branch: Branch) -> Window:
        ending, ring = self._ending(), branch.provisional + self.timers.ring
        begin, due = (min(ending, ring + slack) for slack in (-self.timers.late, self.timers.late))
        return Window(max(begin, branch.provisional), max(due, branch.provisional))

    def _ended_before(self, step: int) -> float:
        """When what came before a group has ended the search."""
        enough = [b.final for b in self.branches if b.step < step and b.code and (b.code < 300 or b.code >= 600)]
        return min([self.caller_cancels, *enough])

    def _search(self) -> tuple[dict[str, Window], frozenset[str]]:
        """Who has to be tried, and who must not be: a group is due once all before it are over, unless that has ended
        the search. Where that may have been sooner or later than the other, it is the proxy's choice."""
        over = Window(0.0, 0.0)
        tried: dict[str, Window] = {}
        untried: set[str] = set()
        for number, group in enumerate(self.steps):
            ended = self._ended_before(number)
            if ended <= over.begin:
                untried |= set(group)
                continue
            if ended > over.due:
                tried |= dict.fromkeys(group, over)
            here = [self._over(b) for b in self.branches if b.step == number]
            begin = max([over.begin, *(w.begin for w in here)]) if here else math.inf
            over = Window(begin, max([over.due, *(w.due for w in here)]) if here else math.inf)
        return tried, frozenset(untried)


def _allowed(candidates: Iterable[Answer]) -> frozenset[Answer]:
    """A 6xx must be chosen if there is one (16.7 step 6). For 503 the proxy may have its own 500 (same)."""
    found = frozenset(candidates)
    worst = frozenset(a for a in found if a.code >= 600)
    if worst:
        return worst
    return found | {Answer(500) for a in found if a.code == 503}


def _best(allowed: frozenset[Answer]) -> frozenset[Answer]:
    """The lowest class, in it those that help to ask again, and no 503 (16.7 step 6)."""
    if not allowed or any(a.code >= 600 for a in allowed):
        return allowed
    lowest = min(a.code // 100 for a in allowed)
    best = frozenset(a for a in allowed if a.code // 100 == lowest)
    helpful = frozenset(a for a in best if a.code in _RESUBMIT)
    return helpful or frozenset(a for a in best if a.code != 503)
