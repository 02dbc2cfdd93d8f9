"""Which branches of a forked request get a CANCEL, and when: not before they have said anything, and with the patience
of a transaction afterwards (RFC 3261 9.1, 16.7 step 10). Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sip_harness.systems.reference.actions import Action, Branch, Cancel, GiveUp
from sip_harness.systems.reference.settings import Settings


def cancel_pending(
    branches: Sequence[Branch], reason: str, now: float, settings: Settings, *, invite: bool
) -> list[Action]:
    """Cancel whatever has no final response yet, with this Reason; who has said nothing gets it later."""
    faults = settings.faults
    if "forgets-cancel" in faults and reason:
        return []
    if not invite and "cancels-other-requests" not in faults:  # RFC 3261 9.1
        return []
    actions: list[Action] = []
    for number, branch in enumerate(branches):
        if branch.final or branch.wants_cancel is not None:
            continue
        branch.wants_cancel = reason
        if branch.provisional or not invite or "cancels-before-1xx" in faults:  # RFC 3261 9.1
            actions.append(cancel(number, branch, now, settings))
    return actions


def cancel(number: int, branch: Branch, now: float, settings: Settings) -> Cancel:
    """Cancel this branch now; it is given up if it stays silent."""
    branch.cancelled = True
    branch.due = math.inf if "rings-for-ever" in settings.faults else now + settings.transaction
    return Cancel(number, branch.wants_cancel or "")


def drop_silent(branches: Sequence[Branch]) -> list[Action]:
    """Give up every branch that has not said anything."""
    silent = [(n, b) for n, b in enumerate(branches) if not b.final and not b.provisional]
    for _, branch in silent:
        branch.final = 408
    return [GiveUp(number) for number, _ in silent]
