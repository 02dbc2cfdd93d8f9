"""Which of several final responses the caller gets (RFC 3261 16.7 steps 6 and 7). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sip_harness.sip.message import Message

RESUBMISSION = frozenset({401, 407, 415, 420, 484})
"""They tell the caller how to try again, so they come before other 4xx (RFC 3261 16.7 step 6)."""
CHALLENGES = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A final response other than 2xx."""

    code: int
    message: Message | None = None
    """None: made by the proxy itself, for a branch that did not answer."""
    group: int = 0
    """Which group of a hunt it came from, counted from 0."""


def choose(answers: Sequence[Answer], faults: frozenset[str], *, cancelled: bool = False) -> Answer:
    """The best of all final responses of a context, in the order in which they came.

    6xx first, then the lowest class; within 4xx what helps the caller to try again, then, where he has cancelled, 487.
    The proxy's own 408 for a branch that said nothing is the last of its class, so that it hides no real answer.
    """
    if "last-leg-wins" in faults:
        answers = [answer for answer in answers if answer.group == answers[-1].group]

    def rank(answer: Answer) -> tuple[int, int]:
        return _class_rank(answer.code // 100, faults), _rank_within(answer, faults, cancelled)

    return min(answers, key=rank)  # of equals the first to come


def _class_rank(family: int, faults: frozenset[str]) -> int:
    if family == 6:
        return 9 if "ranks-6xx-last" in faults else 0
    return 10 - family if "prefers-5xx" in faults else family


def _rank_within(answer: Answer, faults: frozenset[str], cancelled: bool) -> int:
    if answer.code // 100 != 4:
        return 0
    if answer.code in RESUBMISSION and "prefers-busy-to-challenge" not in faults:
        return 0
    if cancelled and answer.code == 487:
        return 1
    if answer.message is not None:
        return 2
    return -1 if "timeout-masks-answer" in faults else 3


def other_challenges(chosen: Answer, answers: Sequence[Answer], faults: frozenset[str]) -> list[tuple[str, str]]:
    """Challenges of the other 401 and 407 responses, to be added to a chosen 401 or 407 (RFC 3261 16.7 step 7)."""
    if chosen.code not in CHALLENGES or "one-challenge-only" in faults:
        return []
    others = [a for a in answers if a is not chosen and a.code in CHALLENGES and a.message is not None]
    return [
        (name, value)
        for other in others
        if other.message is not None
        for name in CHALLENGES.values()
        for value in other.message.all(name.lower())
    ]
