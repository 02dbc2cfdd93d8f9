"""Whether what an agent got belongs to something of its own: a user agent has no use for any other message.

A response has to answer a request that the agent has sent before (RFC 3261 17.1.3), a CANCEL to name an INVITE that
it got (9.2), an ACK a final response (17.1.1.3, 13.2.2.4), and a request within a dialog one that the agent is in
(12.2.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sip_harness.model.entry import Malformed, Record
from sip_harness.record.seen import Seen
from sip_harness.sip.message import Message


@dataclass(frozen=True, slots=True)
class _Odd:
    """A message of an agent that leaves open what belongs to it: what it does not say, or says twice, is None."""

    code: int
    """0 for a request."""
    branch: str | None
    call_id: str | None
    from_tag: str | None
    number: int | None

    def may_be_meant(self, m: Message) -> bool:
        """Whether it may be what this response, ACK or request within a dialog belongs to."""
        if m.method not in ("", "ACK"):
            return self._agrees(m, branch=None, number=None) if self.code != 100 else False
        of_its_kind = self.code == 0 if not m.method else self.code >= 200
        branch = m.branch if self.code == 0 or self.code >= 300 else None
        return of_its_kind and self._agrees(m, branch, m.cseq[0])

    def _agrees(self, m: Message, branch: str | None, number: int | None) -> bool:
        pairs = (branch, self.branch), (number, self.number), (m.call_id, self.call_id), (m.from_tag, self.from_tag)
        return all(None in pair or pair[0] == pair[1] for pair in pairs)


class Belongings:
    """All that the agents of a record sent and got which a message may belong to."""

    def __init__(self, record: Record, messages: Iterable[Seen]) -> None:
        self._requests: dict[tuple[object, ...], int] = {}
        """Of what the agents sent when it was first sent, nanoseconds since the epoch."""
        self._invites: set[tuple[object, ...]] = set()
        self._finals: set[tuple[object, ...]] = set()
        self._dialogs: set[tuple[str, ...]] = set()
        self._odd: dict[str, list[_Odd]] = {}
        """By agent."""
        self._bytes = [(e.agent, e.data) for e in record.entries if isinstance(e, Malformed) and e.direction == "sent"]
        """Agent, and what it sent that is no SIP."""
        self._uncertainty = record.header.uncertainty
        for seen in messages:
            self._take(seen)

    def _take(self, seen: Seen) -> None:
        m, agent = seen.sip, seen.agent
        if not seen.received and _is_odd(m):
            self._odd.setdefault(agent, []).append(_odd(m))
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
        why = self._why(seen) if seen.received else ""
        return "" if why and self._may_be_of_odd(seen) else why

    def _may_be_of_odd(self, seen: Seen) -> bool:
        """Whether it may belong to something that its agent has not said clearly."""
        in_bytes = (_may_be_of_bytes(seen.sip, data) for agent, data in self._bytes if agent == seen.agent)
        return any(odd.may_be_meant(seen.sip) for odd in self._odd.get(seen.agent, ())) or any(in_bytes)

    def _why(self, seen: Seen) -> str:
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


def _may_be_of_bytes(m: Message, data: bytes) -> bool:
    """Whether a message may belong to bytes that are no SIP: line ends say nothing, and what they name has to agree."""
    said = (b"branch=", m.branch), (b"call-id:", m.call_id), (b"from:", m.from_tag)
    agrees = (text.encode("utf-8", "surrogateescape") in data or name not in data.lower() for name, text in said)
    return bool(data.strip()) and all(agrees)


def _odd(m: Message) -> _Odd:
    twice = {name for name in ("call-id", "cseq", "from") if len(m.all(name)) > 1}
    return _Odd(
        m.code,
        m.branch or None,
        None if "call-id" in twice else m.call_id or None,
        None if "from" in twice else m.from_tag or None,
        None if "cseq" in twice or m.cseq[0] < 0 else m.cseq[0],
    )


def _transaction(agent: str, m: Message) -> tuple[object, ...]:
    """What a response or a CANCEL has in common with its request."""
    number, method = m.cseq
    return agent, m.branch, m.call_id, m.from_tag, number, method
