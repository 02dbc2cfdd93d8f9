"""The response context of a forked request: RFC 3261 16.7, 16.8 and 16.10 as a state machine without socket or clock.

It is told what each branch answered and what time it is (seconds of any monotonic clock), and says what is to be done,
in order. `deadline` says when to call `tick` next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from sip_harness.sip.message import Message
from sip_harness.systems.reference.actions import Action, Branch, Ended, Finish, Forward, GiveUp, Target
from sip_harness.systems.reference.asked import Asked
from sip_harness.systems.reference.best import Answer, choose, other_challenges
from sip_harness.systems.reference.cancelling import cancel, cancel_pending, drop_silent
from sip_harness.systems.reference.forward import BREADTH
from sip_harness.systems.reference.hunt import Hunt
from sip_harness.systems.reference.redirects import Redirection
from sip_harness.systems.reference.settings import NO_TARGET, RING_TIMEOUT, Settings

DEFAULT = Asked()
"""Nothing."""


class Context:
    """All branches of one request."""

    def __init__(
        self,
        groups: Sequence[Sequence[Target]],
        settings: Settings,
        invite: bool = True,
        redirects: Callable[[Message, Sequence[Target], str], Redirection] | None = None,
        breadth: int = BREADTH,
        stays_after_ringing: bool = False,
        asked: Asked = DEFAULT,
    ) -> None:
        """Nobody is tried yet. `groups`, `breadth` and `stays_after_ringing`: see `Hunt`. `redirects` takes a 3xx
        apart, with the targets that have been tried and the URI that it comes from; None where redirections are passed
        on. `asked` is what the caller asks for."""
        self.settings = settings
        self.invite = invite
        self.redirects = redirects
        self.asked = asked
        self.answers: list[Answer] = []
        self.finished = False
        """Whether the one final response other than 2xx was sent."""
        self.answered: str | None = None
        """To tag of the first 2xx passed on; None while there is none."""
        self.abandoned = False
        """Whether the caller has cancelled."""
        self._hunt = Hunt(groups, settings, breadth, stays_after_ringing)
        self._kept: list[Forward] = []

    @property
    def branches(self) -> list[Branch]:
        """Those that have been started, by number."""
        return self._hunt.branches

    @property
    def faults(self) -> frozenset[str]:
        """Switches that are on."""
        return self.settings.faults

    @property
    def over(self) -> bool:
        """Whether every branch has ended and none will follow."""
        return (self.finished or self.answered is not None) and self._hunt.all_ended

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
        return self._hunt.other_flow(branch, code, now) or self._end(branch, Answer(code, None, branch.group), now)

    def join(self, target: Target, now: float) -> list[Action]:
        """A fault: one more target, whatever has been said so far."""
        if self.finished or self.answered is not None:
            return []
        return self._hunt.join(target, now)

    def cancel(self, now: float) -> list[Action]:
        """The caller cancels (RFC 3261 16.10)."""
        if self.finished or self.answered is not None:
            return []
        self.abandoned = self._hunt.closed = True
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
                    actions.append(cancel(number, branch, now, self.settings))
                code = 487 if self.abandoned else RING_TIMEOUT
                actions.append(GiveUp(number))
                actions += self._end(branch, Answer(code, None, branch.group), now)
            else:
                branch.rang_out, branch.wants_cancel = True, ""
                actions.append(cancel(number, branch, now, self.settings))
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
            actions.append(cancel(number, branch, now, self.settings))
        return actions

    def _ringing(self, branch: Branch, response: Message, now: float) -> None:
        """Timer C begins anew (RFC 3261 16.7 step 2)."""
        branch.hears(response)
        first, branch.tag = not branch.tag, branch.tag or response.to_tag
        if not branch.cancelled and (first or "counts-from-the-first-ringing" not in self.faults):
            branch.due = now + self._hunt.ring

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
        branch.final, self._hunt.closed = response.code, True
        forward = Forward(number, response, past=self.finished)
        if self.finished and "sends-2xx-after-6xx" not in self.faults:
            return []
        self.answered = self.answered or response.to_tag
        lets_ring = again or not self.asked.cancels
        actions = [] if lets_ring else self._cancel_pending('SIP;cause=200;text="Call completed elsewhere"', now)
        if "holds-back-2xx" in self.faults and not self._hunt.all_ended:
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
        if actions := self._hunt.other_flow(branch, response.code, now):
            return actions
        if 300 <= response.code < 400 and self.redirects is not None and not self._hunt.closed:
            found = self.redirects(response, self._hunt.tried, branch.target.uri)
            if found.groups and not self._hunt.goes_round:
                return self._follow(found, branch, now)
            if "waits-after-empty-redirect" in self.faults:
                return []
        if branch.rang_out and response.code == 487:
            return self._end(branch, Answer(RING_TIMEOUT, None, branch.group), now)
        actions = self._end(branch, Answer(response.code, response, branch.group), now)
        if self.answered is not None and branch.cancelled and "relays-487-after-answer" in self.faults:
            actions.append(Forward(number, response, past=True))
        return actions

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
            if self._kept and self._hunt.all_ended:
                actions += self._kept
                self._kept = []
            return actions
        at_once = answer.code >= 600 and bool({"sends-6xx-at-once", "sends-2xx-after-6xx"} & self.faults)
        if at_once or "first-failure-wins" in self.faults:
            self._hunt.closed = self.finished = True
            return [*actions, Finish(answer)]
        return [*actions, *self._advance(now)]

    def _stop_others(self, answer: Answer, now: float) -> list[Action]:
        """After a 6xx all others are cancelled and no new branch is opened (RFC 3261 16.7 step 5)."""
        if answer.code == 486 and "one-486-ends-the-fork" in self.faults:
            self._hunt.closed = True
            return [*self._cancel_pending("", now), *drop_silent(self.branches)]
        if answer.code < 600:
            return []
        if "hunts-on-after-6xx" not in self.faults:
            self._hunt.closed = True
        spares = "never-cancels-with-no-cancel" in self.faults and not self.asked.cancels
        if "forks-on-after-6xx" in self.faults or spares:
            return []
        return self._cancel_pending(f"SIP;cause={answer.code}", now)

    def _advance(self, now: float) -> list[Action]:
        """The next group once all branches have ended; after the last one the best of all responses."""
        if not self._hunt.all_ended:
            return []
        if actions := self._hunt.advance(now):
            return actions
        self._hunt.closed = self.finished = True
        if not self.answers:
            return [Finish(Answer(NO_TARGET))]
        answers = self.answers
        if not self.invite:  # nobody may say 408 to it (RFC 4320 4.2)
            answers = [a for a in answers if a.code != 408] or answers
        best = choose(answers, self.faults, cancelled=self.abandoned)
        return [Finish(best, other_challenges(best, answers, self.faults))]

    def _follow(self, found: Redirection, branch: Branch, now: float) -> list[Action]:
        """What was not followed stays a response (RFC 3261 16.7 step 4)."""
        if found.left is not None:
            self.answers.append(Answer(found.code, found.left, branch.group))
        return self._hunt.follow(found, branch, now) or self._advance(now)

    def _cancel_pending(self, reason: str, now: float) -> list[Action]:
        return cancel_pending(self.branches, reason, now, self.settings, invite=self.invite)
