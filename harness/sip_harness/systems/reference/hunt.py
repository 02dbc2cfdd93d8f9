"""Whom a request is tried at: groups of targets in turn, as many at once as its breadth allows, and those that join
them on the way (RFC 3261 16.6, RFC 5393 5.3.3). A state machine without socket or clock, as `context` is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sip_harness.systems.reference.actions import Action, Branch, Start, Target
from sip_harness.systems.reference.redirects import MAX_CIRCLES, Redirection
from sip_harness.systems.reference.settings import Settings

FLOW_FAILED = frozenset({408, 430})
"""Codes after which another flow of the same instance is tried (RFC 5626 7)."""
MAX_BRANCHES = 100
"""Of one request, redirections included; further targets are not tried."""


@dataclass
class Hunt:
    """The targets of one request, tried and still to be tried."""

    groups: Sequence[Sequence[Target]]
    """Tried in turn, the members of each at once."""
    settings: Settings
    breadth: int
    """How many branches may be open at one time, those that they become further on included."""
    stays_after_ringing: bool
    """Whether no other carrier is tried once one has said more than 100."""
    branches: list[Branch] = field(default_factory=list)
    """Of all targets that have been tried, by number."""
    closed: bool = False
    """No new branch any more."""
    _next: int = 0
    _waiting: list[Target] = field(default_factory=list)
    """Of the last group, for whom there was no room yet."""

    @property
    def faults(self) -> frozenset[str]:
        """Switches that are on."""
        return self.settings.faults

    @property
    def all_ended(self) -> bool:
        """Whether no branch is open."""
        return all(b.final for b in self.branches)

    @property
    def tried(self) -> list[Target]:
        """Targets that the request has been sent to, or will be as soon as there is room."""
        return [*(b.target for b in self.branches), *self._waiting]

    @property
    def goes_round(self) -> bool:
        """Whether redirections have led in circles for long enough."""
        return "follows-redirects-in-circles" in self.faults and len(self.branches) >= MAX_CIRCLES

    @property
    def ring(self) -> float:
        """How long a branch may ring, seconds (Timer C, RFC 3261 16.6 step 11)."""
        return math.inf if "rings-for-ever" in self.faults else self.settings.ring

    def advance(self, now: float) -> list[Action]:
        """Those for whom there is room now that all branches have ended, else the next group; empty if none is left."""
        while not self.closed and (waiting := self._waiting):
            self._waiting = []
            if actions := self._start(waiting, self._next - 1, now):
                return actions
        while not self.closed and self._next < len(self.groups) and self._may_go_on():
            group, self._next = self.groups[self._next], self._next + 1
            if actions := self._start(group, self._next - 1, now):
                return actions
        return []

    def join(self, target: Target, now: float) -> list[Action]:
        """A fault: one more target in the present group."""
        return self._start([target], self._next - 1, now)

    def other_flow(self, branch: Branch, code: int, now: float) -> list[Action]:
        """Another flow of the same instance takes the place of one that has failed, or that says nothing; any other
        answer is the phone's own, which has nothing else to say by another way (RFC 5626 7)."""
        again = code in FLOW_FAILED or "tries-other-flows-after-any-failure" in self.faults
        if not branch.target.others or self.closed or not again or "gives-up-with-one-flow" in self.faults:
            return []
        branch.final, branch.redirected = code, True
        first, *others = branch.target.others
        return self._start([replace(first, others=tuple(others))], branch.group, now)

    def follow(self, found: Redirection, branch: Branch, now: float) -> list[Action]:
        """The most preferred of the new targets join the group of the one that has named them, the others come next,
        before what was to come next anyway."""
        branch.final, branch.redirected = found.code, True
        first, *others = [
            [replace(t, carrier=branch.target.carrier, redirected_by=branch.target.uri) for t in group]
            for group in found.groups
        ]
        self.groups = [*self.groups[: self._next], *others, *self.groups[self._next :]]
        return self._start(first, branch.group, now)

    def _may_go_on(self) -> bool:
        """Whether the last group has failed in a way after which the next one is tried: with carriers only some."""
        last = [(b, b.final) for b in self.branches if b.group == self._next - 1 and not b.redirected]
        if self.stays_after_ringing and any(b.rang and b.target.carrier for b, _ in last):
            return False
        if "stops-hunting-at-486" in self.faults and any(code == 486 for _, code in last):
            return False
        return all(not branch.target.carrier or self._fails_over(code) for branch, code in last)

    def _fails_over(self, code: int) -> bool:
        if "never-fails-over" in self.faults:
            return False
        if f"fails-over-on-{code}" in self.faults:
            return True
        return code in self.settings.failover or (code >= 600 and "hunts-on-after-6xx" in self.faults)

    def _start(self, targets: Sequence[Target], group: int, now: float) -> list[Action]:
        actions: list[Action] = []
        targets = targets[: MAX_BRANCHES - len(self.branches)]
        room = len(targets)
        if "ignores-max-breadth" not in self.faults:
            room = max(self.breadth - sum(b.breadth for b in self.branches if not b.final), 0)
        now_tried = targets[:room]
        self._waiting += targets[room:]
        for number, target in enumerate(now_tried):
            share = max(room // len(now_tried) + (number < room % len(now_tried)), 1)
            self.branches.append(Branch(target, group, now + self.ring, breadth=share))
            actions.append(Start(len(self.branches) - 1, target, share))
        return actions
