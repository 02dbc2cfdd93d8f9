"""Who a message belongs to.

By Call-ID where the run knows it; else by the lease token, which is part of every user name, Contact and Call-ID of a
run, because a B2BUA gives every leg a Call-ID of its own; at a carrier else by the number, because a PBX that is
already there takes no names of ours to it; else nobody's. Nothing is ignored: what carries the token of
another lease of this session is a stray, and so is what carries none and comes from an address that is not the
system's, as the system cannot have sent it. What carries none and does come from the system is kept as unattributed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import Enum

from sip_harness.model.entry import Header, Message, Note, Record
from sip_harness.record.outsiders import Outsiders
from sip_harness.record.seen import Reader, Seen
from sip_harness.verdict.belonging import Belongings
from sip_harness.verdict.dialled import Dialled

_OF_A_CALL = frozenset({"INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE"})
_OF_A_SYSTEM = frozenset({"OPTIONS", "NOTIFY"})
"""What systems send by themselves: with another Call-ID it is never taken for that of a caller."""


class Owner(Enum):
    """Whose traffic a message is."""

    CALL = "call"
    HOUSEKEEPING = "housekeeping"
    """Requests of an agent's own that are no part of a call (REGISTER), and their responses."""
    SYSTEM = "system"
    """Requests that the system makes by itself to this agent (OPTIONS, NOTIFY, ...)."""
    STRAY = "stray"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Item:
    """One message of the run, retransmissions folded into it."""

    seen: Seen
    owner: Owner
    again: tuple[Message, ...] = ()
    """Its retransmissions, in time order."""
    stray: str = ""
    """Why it belongs to nothing of the agent that got it, in words that follow its name; empty if it does."""

    @property
    def times(self) -> int:
        """How often it was seen."""
        return 1 + len(self.again)

    @property
    def time(self) -> int:
        """When it was first seen, nanoseconds since the epoch."""
        return self.seen.time


@dataclass(frozen=True)
class Traffic:
    """All messages of a run, folded and attributed, in time order."""

    items: tuple[Item, ...]

    def at(self, agent: str, *, received: bool) -> list[Item]:
        """What one agent received, or sent, of the run's calls and of the system's own requests."""
        wanted = (Owner.CALL, Owner.SYSTEM)
        return [i for i in self.items if i.seen.agent == agent and i.seen.received == received and i.owner in wanted]

    def sent(self) -> list[Item]:
        """What the agents sent in the run's calls."""
        return [i for i in self.items if not i.seen.received and i.owner is Owner.CALL]


def sort_out(record: Record, carriers: Collection[str] = ()) -> Traffic:
    """Parse, fold and attribute the messages of a record; `carriers` are agents that the system calls by number."""
    reader = Reader()
    read = [reader.read(entry) for entry in record.messages]
    attribution = _Attribution(record, read, carriers)
    belongings = Belongings(record, read)
    folded: dict[tuple[object, ...], Item] = {}
    for seen in read:
        key = seen.retransmission_key
        if key in folded:
            folded[key] = replace(folded[key], again=(*folded[key].again, seen.entry))
        else:
            folded[key] = Item(seen, attribution.owner(seen), stray=belongings.stranger(seen))
    return Traffic(tuple(folded.values()))


class _Attribution:
    """Decides once per Call-ID: what follows in a dialog belongs to whoever its first message belonged to."""

    def __init__(self, record: Record, read: Iterable[Seen], carriers: Collection[str]) -> None:
        calls = [e.data for e in record.entries if isinstance(e, Note) and e.kind == "call"]
        self._owners = {call["call_id"]: Owner.CALL for call in calls if "call_id" in call}
        self._of_a_call = _OF_A_CALL | ({call.get("method", "INVITE") for call in calls} - _OF_A_SYSTEM)
        self._tokens = _token_pattern(record.header)
        self._outsiders = Outsiders([record.header.address], record.header.session)
        self._turned_away: set[str] = set()
        self._lease = record.header.lease
        ours = (s for s in read if not s.received and s.sip.is_request and s.sip.call_id in self._owners)
        self._dialled = Dialled(ours)
        self._carriers = carriers

    def owner(self, seen: Seen) -> Owner:
        call_id = seen.sip.call_id
        if call_id not in self._owners and self._is_of_an_outsider(seen):
            return Owner.STRAY
        if call_id not in self._owners:
            self._owners[call_id] = self._received(seen) if seen.received else self._sent(seen)
        return self._owners[call_id]

    def _is_of_an_outsider(self, seen: Seen) -> bool:
        """Decided for each message by itself: an outsider may use any Call-ID, but for those of the run."""
        message = seen.entry
        if self._outsiders.wrote(message.data, message.remote, message.transport):
            if seen.received:
                self._turned_away.add(seen.sip.call_id)
                return True
            return not seen.sip.is_request
        # The Via of an outsider's request may send our answer to the system itself.
        return not seen.received and not seen.sip.is_request and seen.sip.call_id in self._turned_away

    def _sent(self, seen: Seen) -> Owner:
        if seen.sip.method == "INVITE":
            return Owner.CALL
        return Owner.HOUSEKEEPING if seen.sip.is_request else Owner.UNKNOWN

    def _received(self, seen: Seen) -> Owner:
        leases = self._leases(seen)
        if leases and self._lease not in leases:
            return Owner.STRAY
        if seen.sip.is_request and seen.sip.method not in self._of_a_call and not seen.sip.to_tag:
            return Owner.SYSTEM
        # With the token but a Call-ID that no agent made up: a leg of its own behind a B2BUA.
        return Owner.CALL if leases or self._is_routed(seen) else Owner.UNKNOWN

    def _is_routed(self, seen: Seen) -> bool:
        begins = seen.sip.is_request and not seen.sip.to_tag
        return begins and seen.agent in self._carriers and self._dialled.has(seen)

    def _leases(self, seen: Seen) -> set[int]:
        m = seen.sip
        places = (m.uri, m.call_id, m.get("to") or "", m.get("from") or "")
        return {int(number) for place in places for number in self._tokens.findall(place)}


def _token_pattern(header: Header) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z0-9]){re.escape(header.session)}x(\d{{1,9}})(?!\d)", re.IGNORECASE)
