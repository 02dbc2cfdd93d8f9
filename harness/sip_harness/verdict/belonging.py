"""Whether what an agent got belongs to something of its own: a user agent has no use for any other message.

A response has to answer a request that the agent has sent before (RFC 3261 17.1.3), a CANCEL to name an INVITE that
it got (9.2), an ACK a final response (17.1.1.3, 13.2.2.4), and a request within a dialog one that the agent is in
(12.2.2).
"""

from __future__ import annotations

from collections.abc import Iterable

from sip_harness.model.entry import Malformed, Record
from sip_harness.record.seen import Seen
from sip_harness.sip.message import Message


class Belongings:
    """All that the agents of a record sent and got which a message may belong to."""

    def __init__(self, record: Record, messages: Iterable[Seen]) -> None:
        self._requests: dict[tuple[object, ...], int] = {}
        """Of what the agents sent when it was first sent, nanoseconds since the epoch."""
        self._invites: set[tuple[object, ...]] = set()
        self._finals: set[tuple[object, ...]] = set()
        self._dialogs: set[tuple[str, ...]] = set()
        self._odd = {e.agent for e in record.entries if isinstance(e, Malformed) and e.direction == "sent"}
        """Agents whose own messages leave open what belongs to them."""
        self._uncertainty = record.header.uncertainty
        for seen in messages:
            self._take(seen)

    def _take(self, seen: Seen) -> None:
        m, agent = seen.sip, seen.agent
        if not seen.received and _is_odd(m):
            self._odd.add(agent)
        if m.is_request:
            if seen.received:
                self._invites.add(_transaction(agent, m))
            else:
                self._requests.setdefault(_transaction(agent, m), seen.entry.time)
        elif m.code > 100:
            tags = (m.from_tag, m.to_tag) if seen.received else (m.to_tag, m.from_tag)
            self._dialogs.add((agent, m.call_id, *tags))
            if not seen.received and m.code >= 300:
                self._finals.add((*_transaction(agent, m), m.to_tag))

    def stranger(self, seen: Seen) -> str:
        """What is wrong with a message that belongs to nothing of its agent's, in words that follow its name; empty
        if all is well, or if nothing can be said."""
        if not seen.received or seen.agent in self._odd:
            return ""
        m, agent = seen.sip, seen.agent
        if not m.is_request:
            asked = self._requests.get(_transaction(agent, m))
            if asked is None:
                return f"which answers no request of {agent}"
            early = seen.entry.time + self._uncertainty < asked
            return f"which came before the request of {agent} that it answers" if early else ""
        if m.method == "CANCEL":
            known = (*_transaction(agent, m)[:-1], "INVITE") in self._invites
            return "" if known else f"which cancels no INVITE that {agent} got"
        if m.method == "ACK":
            return self._stray_ack(seen)
        return "" if not m.to_tag or self._in_a_dialog(seen) else f"which belongs to no dialog of {agent}"

    def _in_a_dialog(self, request: Seen) -> bool:
        m = request.sip
        return (request.agent, m.call_id, m.to_tag, m.from_tag) in self._dialogs

    def _stray_ack(self, seen: Seen) -> str:
        """An ACK to a failure is part of its INVITE's transaction and has its branch; one to a 2xx has its own."""
        own = (*_transaction(seen.agent, seen.sip)[:-1], "INVITE")
        of_an_answer = 0 < seen.acks < 300 and self._in_a_dialog(seen)
        known = of_an_answer or (*own, seen.sip.to_tag) in self._finals
        return "" if known else f"which acknowledges nothing that {seen.agent} has sent"


def _is_odd(m: Message) -> bool:
    """Whether it leaves open what belongs to it."""
    said = m.branch and m.call_id and m.from_tag and m.cseq[1] and (m.is_request or m.to_tag or m.code == 100)
    return not said or any(len(m.all(name)) > 1 for name in ("call-id", "cseq", "from", "to"))


def _transaction(agent: str, m: Message) -> tuple[object, ...]:
    """What a response or a CANCEL has in common with its request."""
    number, method = m.cseq
    return agent, m.branch, m.call_id, m.from_tag, number, method
