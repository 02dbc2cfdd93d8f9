"""Which REGISTER traffic a ladder can leave out: all of it, unless something failed there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set

from sip_harness.model.entry import Entry, Message, Note
from sip_harness.record.seen import Seen

_CHALLENGES = (401, 407)


def uneventful(seen: Sequence[Seen], entries: Sequence[Entry], concerned: Set[Message]) -> set[Message]:
    """Messages of registrations that went well: each REGISTER of the Call-ID was accepted or only challenged.

    Never those of an agent whose registration was refused, those that the scenario itself asks for, nor those of a
    Call-ID that a finding is about (`concerned`).
    """
    notes = [e for e in entries if isinstance(e, Note)]
    refused = {e.agent for e in notes if e.kind == "refused"}
    scripted = {e.data.get("call_id") for e in notes if e.kind == "call"}
    groups: dict[tuple[str, str], list[Seen]] = defaultdict(list)
    for one in seen:
        if one.sip.cseq[1] == "REGISTER" or one.sip.method == "REGISTER":
            groups[one.agent, one.sip.call_id].append(one)
    return {
        one.entry
        for (agent, call_id), group in groups.items()
        if agent not in refused
        and call_id not in scripted
        and _went_well(group)
        and not any(one.entry in concerned for one in group)
        for one in group
    }


def _went_well(group: list[Seen]) -> bool:
    codes = [one.sip.code for one in group if one.sip.code >= 200]
    return any(code < 300 for code in codes) and all(code < 300 or code in _CHALLENGES for code in codes)
