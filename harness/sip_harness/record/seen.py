"""A recorded message with what it means in its place: which final response an ACK acknowledges, and the like."""

from __future__ import annotations

from dataclasses import dataclass, field

from sip_harness.model import entry
from sip_harness.model.pattern import Event, Pattern, RequestPattern
from sip_harness.sip import message as sip


@dataclass(frozen=True, slots=True)
class Seen:
    """One message of a record, parsed."""

    entry: entry.Message
    sip: sip.Message
    acks: int = 0
    """For an ACK the code that it acknowledges; 0 if it acknowledges nothing that this agent has sent or got."""

    @property
    def agent(self) -> str:
        return self.entry.agent

    @property
    def received(self) -> bool:
        return self.entry.direction == "received"

    @property
    def time(self) -> int:
        """Nanoseconds since the epoch."""
        return self.entry.time

    @property
    def name(self) -> str:
        """What a ladder calls it: `ACK to 486`, `600 Busy Everywhere`."""
        if self.acks:
            return f"ACK to {self.acks}"
        if not self.sip.is_request and self.sip.cseq[1] != "INVITE":
            return f"{self.sip.code} {self.sip.reason} to {self.sip.cseq[1]}"
        return self.sip.summary

    @property
    def retransmission_key(self) -> tuple[object, ...]:
        """Equal for a message and its retransmissions (RFC 3261 17.1.3, 17.2.3; ACK to 2xx by dialog, 13.2.2.4)."""
        m = self.sip
        shared = (self.agent, self.entry.direction, m.call_id, m.from_tag, m.cseq)
        if m.method == "ACK":
            return (*shared, m.to_tag, m.branch if self.acks >= 300 else "")
        return (*shared, m.branch, m.method or m.code, m.to_tag if m.code > 100 else "")


def matches(pattern: Pattern, seen: Seen) -> bool:
    """Whether a message is one that the pattern names."""
    m = seen.sip
    if isinstance(pattern, RequestPattern):
        return m.method == pattern.method and (not pattern.acks or seen.acks in pattern.acks)
    return m.code in pattern.codes and m.cseq[1] == pattern.method


def happens(event: Event, seen: Seen) -> bool:
    """Whether this message is the event that a trigger or an order speaks of."""
    verb = "gets" if seen.received else "sends"
    return event.agent == seen.agent and event.verb == verb and matches(event.pattern, seen)


@dataclass
class Reader:
    """Reads messages in the order in which they were recorded and adds what went before to each."""

    _finals: dict[tuple[str, str, int, str], dict[str, int]] = field(default_factory=dict)
    """Final responses to INVITEs by agent, Call-ID, CSeq and To-tag: the code of a failure by its branch, of a 2xx by
    none."""

    def read(self, message: entry.Message) -> Seen:
        """Parse one message. Raises SipError for bytes that are none (a record keeps those apart)."""
        parsed = sip.parse(message.data)
        number, method = parsed.cseq
        # A proxy's ACK to a non-2xx takes the tag from the response it got (RFC 3261 17.1.1.3).
        key = (message.agent, parsed.call_id, number, parsed.to_tag)
        if parsed.method == "ACK":
            finals = self._finals.get(key, {})
            last = next(reversed(finals.values()), 0)
            # That to a failure has the branch of the INVITE, that to a 2xx one of its own (13.2.2.4).
            return Seen(message, parsed, finals.get(parsed.branch) or finals.get("") or last)
        if parsed.code >= 200 and method == "INVITE":
            finals = self._finals.setdefault(key, {})
            branch = parsed.branch if parsed.code >= 300 else ""
            finals.pop(branch, None)
            finals[branch] = parsed.code
        return Seen(message, parsed)
