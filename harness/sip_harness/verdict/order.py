"""Order across agents, by times that are known only within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sip_harness.verdict.traffic import Item, Traffic


class Follows(Enum):
    """Whether one event came after another."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Span:
    """The moment of an event lies somewhere in here; nanoseconds since the epoch."""

    earliest: int
    latest: int


def span(item: Item, traffic: Traffic) -> Span:
    """When a message passed. The end of a sending is bounded by its first visible effect: an ACK to a non-2xx final
    is sent hop by hop (RFC 3261 17.1.1.3), so once it is here the final had been there."""
    entry = item.seen.entry
    latest = entry.time + entry.slack
    if entry.slack and item.seen.sip.code >= 300:
        acks = (
            i.time
            for i in traffic.items
            if i.seen.agent == item.seen.agent
            and i.seen.acks == item.seen.sip.code
            and i.seen.sip.call_id == item.seen.sip.call_id
            and i.seen.sip.cseq[0] == item.seen.sip.cseq[0]
        )
        latest = min([latest, *acks])
    return Span(entry.time, max(latest, entry.time))


def follows(first: Span, second: Span, uncertainty: int) -> Follows:
    """Whether `second` came after `first`; undecided where the bounds overlap or are closer than the uncertainty."""
    if second.earliest - first.latest > uncertainty:
        return Follows.YES
    if first.earliest - second.latest > uncertainty:
        return Follows.NO
    return Follows.UNDECIDED
