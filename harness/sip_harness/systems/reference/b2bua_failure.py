"""What the failure of one leg means for a call through the back-to-back user agent, and which one its caller is told.
Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sip_harness.sip.message import Message
from sip_harness.systems.reference.actions import Target

_PREFERRED = (401, 407, 415, 420, 484)  # RFC 3261 16.7 step 6: they tell the caller what to do about it


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one leg did not answer."""

    code: int
    response: Message | None = None
    """None where the device gave none."""


def best(failures: Sequence[Failure]) -> Failure:
    """The one that the caller is told (RFC 3261 16.7 step 6): any 6xx, else the lowest class; there those that say
    what to do come first, else the first that came. 480 if nothing was tried."""
    if not failures:
        return Failure(480)
    sixes = [f for f in failures if f.code >= 600]
    if sixes:
        return sixes[0]
    lowest = min(f.code // 100 for f in failures)
    return min((f for f in failures if f.code // 100 == lowest), key=lambda f: f.code not in _PREFERRED)


def ends_the_fork(code: int, faults: frozenset[str]) -> bool:
    """Whether the other devices are cancelled."""
    if code >= 600:
        return "forks-on-after-6xx" not in faults
    return code == 486 and "one-486-ends-the-fork" in faults


def ends_the_hunt(target: Target, code: int, failover: Collection[int], faults: frozenset[str]) -> bool:
    """Whether nobody else is tried after this failure of the target. `failover` are the codes of a carrier after which
    the next one is tried."""
    if code >= 600:
        ends = "hunts-on-after-6xx" not in faults
    else:
        ends = code == 486 and bool({"stops-hunting-at-486", "one-486-ends-the-fork"} & faults)
    return ends or stays(target, code, failover, faults)


def stays(target: Target, code: int, failover: Collection[int], faults: frozenset[str]) -> bool:
    """Whether the next carrier would do no better than this one."""
    if not target.carrier:
        return False
    goes_on = code in failover or (code >= 600 and "hunts-on-after-6xx" in faults)
    goes_on = goes_on or f"fails-over-on-{code}" in faults
    return not goes_on or "never-fails-over" in faults


def ends_at_once(code: int, faults: frozenset[str]) -> bool:
    """Whether the caller is told while others still ring. By rights their own final responses are waited for: one of
    them may still be an answer."""
    return "first-failure-wins" in faults or (code >= 600 and "sends-6xx-at-once" in faults)
