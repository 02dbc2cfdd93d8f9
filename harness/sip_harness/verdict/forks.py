"""The forks of a record: every INVITE of a caller with what each device did about it, as the calculus wants it told."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sip_harness.model.entry import Note
from sip_harness.model.policy import Policy, Timer
from sip_harness.verdict.case import Case
from sip_harness.verdict.oracle import Branch, Fork, Timers
from sip_harness.verdict.traffic import Item

_CHALLENGES = (401, 407)
_NEVER = Timer(math.inf, 0, 0)


@dataclass(frozen=True)
class Forked:
    """One INVITE of a caller, and what became of it."""

    caller: str
    invite: Item
    targets: tuple[tuple[str, ...], ...]
    """Whom it was for, by group in turn."""
    branches: dict[str, tuple[Item, ...]]
    """INVITEs that reached devices, by device: one each if all is right."""
    fork: Fork
    """Times count in seconds from the INVITE."""

    def at(self, seconds: float) -> int:
        """A time of the fork in nanoseconds since the epoch."""
        return self.invite.time + int(seconds * 1e9)


def forks_of(case: Case) -> Iterator[Forked]:
    """Every INVITE outside of a dialog that a caller of the scenario has sent, except those that the system itself
    challenged and the caller sent again with credentials (RFC 3261 22.3)."""
    reached = {n.data["call_id"]: n.data["call"] for n in _call_notes(case)}
    targets = {
        c.name: next((t for t in case.scenario.targets if t.name == c.target), None) for c in case.scenario.calls
    }
    for item in case.traffic.sent():
        m = item.seen.sip
        if m.method != "INVITE" or m.to_tag or item.seen.agent in case.devices:
            continue
        target = targets.get(reached.get(m.call_id, ""))
        if target is None:
            continue
        forked = _forked(case, item, target.steps)
        if any(forked.branches.values()) or not _challenged(case, item):
            yield forked


def _call_notes(case: Case) -> Iterator[Note]:
    for entry in case.record.entries:
        if isinstance(entry, Note) and entry.kind == "call" and {"call", "call_id"} <= entry.data.keys():
            yield entry


def _challenged(case: Case, invite: Item) -> bool:
    """Whether the system itself asked for credentials before it forwarded anything."""
    finals = [i for i in case.traffic.at(invite.seen.agent, received=True) if answers(i, invite) and is_final(i)]
    return bool(finals) and finals[0].seen.sip.code in _CHALLENGES and case.source(finals[0]) == "system"


def _forked(case: Case, invite: Item, steps: tuple[tuple[str, ...], ...]) -> Forked:
    own = invite.seen.sip
    devices = [device for group in steps for device in group]
    came = {
        device: tuple(i for i in case.traffic.at(device, received=True) if _is_copy(i, invite)) for device in devices
    }
    branches = tuple(
        _branch(case, came[device][0], number, invite.time)
        for number, group in enumerate(steps)
        for device in group
        if came[device]
    )
    cancels = [i.time for i in case.traffic.sent() if i.seen.sip.method == "CANCEL" and i.seen.sip.branch == own.branch]
    gone = (cancels[0] - invite.time) / 1e9 if cancels else math.inf
    fork = Fork(branches, _timers(case.policy), steps, gone, _timeout_codes(case.policy))
    return Forked(invite.seen.agent, invite, steps, came, fork)


def _branch(case: Case, came: Item, step: int, begin: int) -> Branch:
    sent = [i for i in case.traffic.sent() if i.seen.agent == came.seen.agent and answers(i, came)]
    provisional = next((i for i in sent if i.seen.sip.code < 200), None)
    final = next((i for i in sent if is_final(i)), None)
    return Branch(
        device=came.seen.agent,
        step=step,
        invited=_since(came, begin),
        provisional=_since(provisional, begin),
        final=_since(final, begin),
        code=final.seen.sip.code if final else 0,
    )


def _since(item: Item | None, begin: int) -> float:
    return math.inf if item is None else (item.time - begin) / 1e9


def _is_copy(item: Item, invite: Item) -> bool:
    """Whether this is the INVITE as it was forwarded: a proxy changes neither Call-ID nor CSeq (RFC 3261 16.6)."""
    a, b = item.seen.sip, invite.seen.sip
    return a.method == "INVITE" and not a.to_tag and (a.call_id, a.cseq) == (b.call_id, b.cseq)


def answers(item: Item, request: Item) -> bool:
    """Whether this is a response in the transaction of the request (RFC 3261 17.1.3)."""
    a, b = item.seen.sip, request.seen.sip
    return not a.is_request and (a.call_id, a.cseq, a.branch) == (b.call_id, b.cseq, b.branch)


def is_final(item: Item) -> bool:
    """Whether it ends its transaction, seen from whoever asked."""
    return item.seen.sip.code >= 200


def _timers(policy: Policy) -> Timers:
    transaction, ring = policy.timers.get("transaction", _NEVER), policy.timers.get("ring", _NEVER)
    slack = max(transaction.early, transaction.late, ring.early, ring.late)
    return Timers(transaction.seconds, ring.seconds, slack)


def _timeout_codes(policy: Policy) -> frozenset[int]:
    """RFC 3261 16.6 step 11 and 16.8 want 408; the system may have a code of its own for it."""
    return frozenset({408, *_codes(policy, ("ring-timeout", "transaction-timeout"))})


def _codes(policy: Policy, occasions: Iterable[str]) -> Iterator[int]:
    return (policy.codes[name] for name in occasions if name in policy.codes)
