"""Whether a message was retransmitted as it had to be.

A schedule holds up to the timer of the system that ends it: what falls within that timer's tolerance may come or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

from sip_harness.model.policy import Kind, Policy, Timer
from sip_harness.model.wanted import Schedule
from sip_harness.verdict.traffic import Item

MAX_SENDINGS = 32
TIMER_B = 32.0
"""Seconds: 64*T1."""


def deviations(
    schedule: Schedule, item: Item, policy: Policy, behind: float = 0.0, kind: Kind = "proxy"
) -> Iterator[str]:
    """What is wrong with the retransmissions of a message, a sentence each. Where the first sending came so many
    seconds `behind` what had caused it, the others may come that much closer to it.

    A back-to-back user agent that has given up may not cancel what has said nothing (RFC 3261 9.1): its transaction
    goes on until Timer B (17.1.1.2).
    """
    timer = policy.timers.get(schedule.until or "transaction", Timer(float("inf")))
    due = [at for at in _due(schedule) if at < timer.seconds + timer.late or not schedule.until]
    came = [(m.time - item.time) / 1e9 for m in item.again]
    for at in due:
        met = next((c for c in came if at - timer.early - behind <= c <= at + timer.late), None)
        if met is not None:
            came.remove(met)
        elif not schedule.until or at + timer.late < timer.seconds - timer.early:
            yield f"it was not sent again {at:.1f} s after the first time"
    if kind == "b2bua" and schedule.until:
        on = [at for at in takewhile(lambda at: at < TIMER_B, _due(schedule)) if at not in due]
        came = [c for c in came if not any(at - timer.early - behind <= c <= at + timer.late for at in on)]
    if came:
        yield f"it was sent again {_at(came)} after the first time, when it was not due"
    if any(m.data != item.seen.entry.data for m in item.again):
        yield "it was sent again with other bytes than the first time"


def _due(schedule: Schedule) -> Iterator[float]:
    """Seconds after the first sending at which a retransmission is due, timers of the system not considered."""
    if not schedule.first:
        yield from schedule.at
        return
    at, interval = 0.0, schedule.first
    for _ in range(MAX_SENDINGS):
        at += interval
        yield at
        interval = min(2 * interval, schedule.cap) if schedule.cap else 2 * interval


def _at(times: list[float]) -> str:
    return " and ".join(f"{t:.2f} s" for t in times)
