"""The response context of a forked request: RFC 3261 16.7, 16.8 and 16.10 as a state machine without socket or clock.

It is told what each branch answered and what time it is (seconds of any monotonic clock), and says what is to be done,
in order. `deadline` says when to call `tick` next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from sip_harness.sip.message import Message
from sip_harness.systems.reference.actions import Action, Branch, Cancel, Ended, Finish, Forward, GiveUp, Start, Target
from sip_harness.systems.reference.asked import Asked
from sip_harness.systems.reference.best import Answer, choose, other_challenges
from sip_harness.systems.reference.forward import BREADTH
from sip_harness.systems.reference.redirects import MAX_CIRCLES, Redirection
from sip_harness.systems.reference.settings import NO_TARGET, RING_TIMEOUT, Settings

DEFAULT = Asked()
"""Nothing."""
FLOW_FAILED = frozenset({408, 430})
"""Codes after which another flow of the same instance is tried (RFC 5626 7)."""
MAX_BRANCHES = 100
"""Of one request, redirections included; further targets are not tried."""


@dataclass
class Context:
    """All branches of one request."""

    groups: Sequence[Sequence[Target]]
    """Tried in turn, the members of each at once."""
    settings: Settings
    invite: bool = True
    redirects: Callable[[Message, Sequence[Target], str], Redirection] | None = None
    """Takes a 3xx apart, with the targets that have been tried and the URI that it comes from; None where redirections
    are passed on."""
    breadth: int = BREADTH
    """How many branches may be open at one time, those that they become further on included (RFC 5393 5.3.3)."""
    stays_after_ringing: bool = False
    """Whether no other carrier is tried once one has said more than 100."""
    asked: Asked = DEFAULT
    """What the caller asks for."""
    branches: list[Branch] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    finished: bool = False
    """Whether the one final response other than 2xx was sent."""
    answered: str | None = None
    """To tag of the first 2xx passed on; None while there is none."""
    abandoned: bool = False
    """Whether the caller has cancelled."""
    _next: int = 0
    _waiting: list[Target] = field(default_factory=list)
    """Of the last group, for whom there was no room yet."""
    _closed: bool = False
    """No new branch any more."""
    _kept: list[Forward] = field(default_factory=list)

    @property
    def faults(self) -> frozenset[str]:
        """Switches that are on."""
        return self.settings.faults

    @property
    def over(self) -> bool:
        """Whether every branch has ended and none will follow."""
        return (self.finished or self.answered is not None) and all(b.final for b in self.branches)

    @property
    def deadline(self) -> float | None:
        """When to call `tick` next; None while no timer runs."""
        if not self.invite:
            return None
        due = min((b.due for b in self.branches if not b.final), default=math.inf)
        return None if math.isinf(due) else due

    def begin(self, now: float) -> list[Action]:
        """Try the first group. Call it once, first."""
        return self._advance(now)

    def receive(self, number: int, response: Message, now: float) -> list[Action]:
        """A response of a branch."""
        branch = self.branches[number]
        if response.code < 200:
            return self._provisional(number, branch, response, now)
        if response.code < 300:
            return self._success(number, branch, response, now)
        return self._failure(branch, response, now, number)

    def fail(self, number: int, code: int, now: float) -> list[Action]:
        """A branch got no answer in time (408) or could not be reached (503; RFC 3261 16.9)."""
        branch = self.branches[number]
        if branch.final:
            return []
        return self._other_flow(branch, code, now) or self._end(branch, Answer(code, None, branch.group), now)

    def join(self, target: Target, now: float) -> list[Action]:
        """A fault: one more target, whatever has been said so far."""
        if self.finished or self.answered is not None:
            return []
        return self._start([target], self._next - 1, now)

    def cancel(self, now: float) -> list[Action]:
        """The caller cancels (RFC 3261 16.10)."""
        if self.finished or self.answered is not None:
            return []
        self.abandoned = self._closed = True
        if "ignores-callers-cancel" in self.faults:
            return []
        return self._cancel_pending("", now)

    def tick(self, now: float) -> list[Action]:
        """Timer C, and the end of the patience with a branch that was cancelled and stays silent (9.1)."""
        actions: list[Action] = []
        for number, branch in enumerate(tuple(self.branches)):
            if branch.final or branch.due > now:
                continue
            if branch.cancelled or not branch.provisional or "ghost-call" in self.faults:
                if not branch.cancelled and branch.provisional:
                    actions += self._cancel(number, branch, now)
                code = 487 if self.abandoned else RING_TIMEOUT
                actions.append(GiveUp(number))
                actions += self._end(branch, Answer(code, None, branch.group), now)
            else:
                branch.rang_out, branch.wants_cancel = True, ""
                actions += self._cancel(number, branch, now)
        return actions

    def _provisional(self, number: int, branch: Branch, response: Message, now: float) -> list[Action]:
        if branch.final:
            return []
        branch.provisional = True
        branch.rang = branch.rang or response.code > 100
        actions: list[Action] = []
        if response.code > 100:
            self._ringing(branch, response, now)
        if self._passes(response) and not self.finished:
            actions.append(Forward(number, response))
        if branch.wants_cancel is not None and not branch.cancelled:
            actions += self._cancel(number, branch, now)
        return actions

    def _ringing(self, branch: Branch, response: Message, now: float) -> None:
        """Timer C begins anew (RFC 3261 16.7 step 2)."""
        branch.hears(response)
        first, branch.tag = not branch.tag, branch.tag or response.to_tag
        if not branch.cancelled and (first or "counts-from-the-first-ringing" not in self.faults):
            branch.due = now + self._ring

    def _passes(self, response: Message) -> bool:
        """Every provisional but 100 is passed on (RFC 3261 16.7 step 5)."""
        if response.code == 100:
            return "forwards-100" in self.faults
        if response.code == 183 and "swallows-183" in self.faults:
            return False
        return response.code == 183 or "swallows-ringing" not in self.faults

    def _success(self, number: int, branch: Branch, response: Message, now: float) -> list[Action]:
        """Passed on at once, whatever else has happened; all other branches are cancelled (steps 5 and 10)."""
        if branch.final >= 300 and "forwards-stray-2xx" in self.faults:
            return [Forward(number, response, past=True)]
        if branch.final >= 300:
            return []  # it has had its final response: this one belongs to nothing (RFC 6026 8.10)
        if not self.invite and self.answered is not None:  # of these there is one final response (step 5)
            return [Forward(number, response, past=True)] if "passes-every-2xx-on" in self.faults else []
        again = branch.final > 0
        if self._swallows(again, response, branch.tag):
            return []
        branch.final, self._closed = response.code, True
        forward = Forward(number, response, past=self.finished)
        if self.finished and "sends-2xx-after-6xx" not in self.faults:
            return []
        self.answered = self.answered or response.to_tag
        lets_ring = again or not self.asked.cancels
        actions = [] if lets_ring else self._cancel_pending('SIP;cause=200;text="Call completed elsewhere"', now)
        if "holds-back-2xx" in self.faults and not all(b.final for b in self.branches):
            self._kept.append(forward)
            return actions
        return [forward, *actions]

    def _swallows(self, again: bool, response: Message, rung: str) -> bool:
        if "knows-one-to-tag" in self.faults and rung not in ("", response.to_tag):
            return True
        if "swallows-second-2xx" in self.faults and self.answered not in (None, response.to_tag):
            return True
        if "swallows-repeated-2xx" in self.faults and again:
            return True
        return "swallows-2xx-after-cancel" in self.faults and self.abandoned

    def _failure(self, branch: Branch, response: Message, now: float, number: int) -> list[Action]:
        if branch.final:
            return self._once_more(branch, response, now, number)
        ended: list[Action] = []
        if self.asked.hears_of_ended and self.answered is None and not (self.finished or self.abandoned):
            ended += [Ended(tag, response.code) for tag in sorted(branch.early)]
        actions = self._failed(branch, response, now, number)
        return actions if self.finished else [*ended, *actions]

    def _failed(self, branch: Branch, response: Message, now: float, number: int) -> list[Action]:
        """The first final response of a branch, a failure."""
        if actions := self._other_flow(branch, response.code, now):
            return actions
        if 300 <= response.code < 400 and self.redirects is not None and not self._closed:
            tried = [*(b.target for b in self.branches), *self._waiting]
            found = self.redirects(response, tried, branch.target.uri)
            if found.groups and not self._goes_round:
                return self._follow(found, branch, now)
            if "waits-after-empty-redirect" in self.faults:
                return []
        if branch.rang_out and response.code == 487:
            return self._end(branch, Answer(RING_TIMEOUT, None, branch.group), now)
        actions = self._end(branch, Answer(response.code, response, branch.group), now)
        if self.answered is not None and branch.cancelled and "relays-487-after-answer" in self.faults:
            actions.append(Forward(number, response, past=True))
        return actions

    def _other_flow(self, branch: Branch, code: int, now: float) -> list[Action]:
        """Another flow of the same instance takes the place of one that has failed, or that says nothing; any other
        answer is the phone's own, which has nothing else to say by another way (RFC 5626 7)."""
        again = code in FLOW_FAILED or "tries-other-flows-after-any-failure" in self.faults
        if not branch.target.others or self._closed or not again or "gives-up-with-one-flow" in self.faults:
            return []
        branch.final, branch.redirected = code, True
        first, *others = branch.target.others
        return self._start([replace(first, others=tuple(others))], branch.group, now)

    def _once_more(self, branch: Branch, response: Message, now: float, number: int) -> list[Action]:
        """It has had its final response: this one is acknowledged, and that is all (RFC 3261 17.1.1.2)."""
        if "counts-second-finals" not in self.faults or response.code == branch.final:
            return []
        if branch.final < 300:
            return [Forward(number, response, past=True)]
        return self._end(branch, Answer(response.code, response, branch.group), now)

    def _end(self, branch: Branch, answer: Answer, now: float) -> list[Action]:
        """A branch is over without a 2xx: stop the others, wait for them, go on, or answer."""
        branch.final = answer.code
        self.answers.append(answer)
        actions = self._stop_others(answer, now)
        if self.finished or self.answered is not None:
            if self._kept and all(b.final for b in self.branches):
                actions += self._kept
                self._kept = []
            return actions
        at_once = answer.code >= 600 and bool({"sends-6xx-at-once", "sends-2xx-after-6xx"} & self.faults)
        if at_once or "first-failure-wins" in self.faults:
            self._closed = self.finished = True
            return [*actions, Finish(answer)]
        return [*actions, *self._advance(now)]

    def _stop_others(self, answer: Answer, now: float) -> list[Action]:
        """After a 6xx all others are cancelled and no new branch is opened (RFC 3261 16.7 step 5)."""
        if answer.code == 486 and "one-486-ends-the-fork" in self.faults:
            self._closed = True
            return [*self._cancel_pending("", now), *self._drop_silent()]
        if answer.code < 600:
            return []
        if "hunts-on-after-6xx" not in self.faults:
            self._closed = True
        spares = "never-cancels-with-no-cancel" in self.faults and not self.asked.cancels
        if "forks-on-after-6xx" in self.faults or spares:
            return []
        return self._cancel_pending(f"SIP;cause={answer.code}", now)

    def _drop_silent(self) -> list[Action]:
        """Give up every branch that has not said anything."""
        silent = [(n, b) for n, b in enumerate(self.branches) if not b.final and not b.provisional]
        for _, branch in silent:
            branch.final = 408
        return [GiveUp(number) for number, _ in silent]

    def _advance(self, now: float) -> list[Action]:
        """The next group once all branches have ended; after the last one the best of all responses."""
        if any(not b.final for b in self.branches):
            return []
        while not self._closed and (waiting := self._waiting):
            self._waiting = []
            if actions := self._start(waiting, self._next - 1, now):
                return actions
        while not self._closed and self._next < len(self.groups) and self._may_go_on():
            group, self._next = self.groups[self._next], self._next + 1
            if actions := self._start(group, self._next - 1, now):
                return actions
        self._closed = self.finished = True
        if not self.answers:
            return [Finish(Answer(NO_TARGET))]
        answers = self.answers
        if not self.invite:  # nobody may say 408 to it (RFC 4320 4.2)
            answers = [a for a in answers if a.code != 408] or answers
        best = choose(answers, self.faults, cancelled=self.abandoned)
        return [Finish(best, other_challenges(best, answers, self.faults))]

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

    @property
    def _goes_round(self) -> bool:
        return "follows-redirects-in-circles" in self.faults and len(self.branches) >= MAX_CIRCLES

    def _follow(self, found: Redirection, branch: Branch, now: float) -> list[Action]:
        """The most preferred of the new targets join the group of the one that has named them, the others come next,
        before what was to come next anyway. What was not followed stays a response (RFC 3261 16.7 step 4)."""
        branch.final, branch.redirected = found.code, True
        if found.left is not None:
            self.answers.append(Answer(found.code, found.left, branch.group))
        first, *others = [
            [replace(t, carrier=branch.target.carrier, redirected_by=branch.target.uri) for t in group]
            for group in found.groups
        ]
        self.groups = [*self.groups[: self._next], *others, *self.groups[self._next :]]
        return self._start(first, branch.group, now) or self._advance(now)

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
            self.branches.append(Branch(target, group, now + self._ring, breadth=share))
            actions.append(Start(len(self.branches) - 1, target, share))
        return actions

    @property
    def _ring(self) -> float:
        return math.inf if "rings-for-ever" in self.faults else self.settings.ring

    def _cancel_pending(self, reason: str, now: float) -> list[Action]:
        if "forgets-cancel" in self.faults and reason:
            return []
        if not self.invite and "cancels-other-requests" not in self.faults:  # RFC 3261 9.1
            return []
        actions: list[Action] = []
        for number, branch in enumerate(self.branches):
            if branch.final or branch.wants_cancel is not None:
                continue
            branch.wants_cancel = reason
            if branch.provisional or not self.invite or "cancels-before-1xx" in self.faults:  # RFC 3261 9.1
                actions += self._cancel(number, branch, now)
        return actions

    def _cancel(self, number: int, branch: Branch, now: float) -> list[Action]:
        branch.cancelled = True
        branch.due = math.inf if "rings-for-ever" in self.faults else now + self.settings.transaction
        return [Cancel(number, branch.wants_cancel or "")]
