"""Which transactions and dialogs are still open, read from the messages of all agents.

It needs no word from a stack: what is on the wire is the same on every stack, and so is the end of a call.

What an agent of ours leaves open is no matter of the system: a request that it never answers, an ACK or BYE that it is
deaf to, everything after it has cut its own wire. Such a thing is waited for as long as the system may still be busy
with it, which is until its transaction timer has passed, and no longer. The same holds for what other agents wait for
in vain because of it: nobody may answer a request other than INVITE with 408 (RFC 4320 4.1), so its sender hears
nothing at all. What the system owes itself stays open until the limit of the run.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from sip_harness.record.seen import Seen
from sip_harness.sip.digest import realm_of
from sip_harness.sip.message import Message

Key = tuple[str, str, str, int, str]
"""Agent, Call-ID, branch, CSeq number, method (a dialog: its To- or From-tag for the branch, 0, `dialog`)."""

UNTIL_GIVEN_UP = 32.0
"""Seconds after which a system whose transaction timer nobody knows has given up: 64*T1 (RFC 3261 17.1.1.2)."""

OF_SYSTEMS = frozenset({"OPTIONS", "REGISTER", "NOTIFY"})
"""Methods of the requests that systems make by themselves, to probe, to register, to tell."""


@dataclass
class _Item:
    """One thing that is open."""

    text: str
    since: int
    ours: bool = False
    """Whether it is up to our agent to close it."""
    due: float = math.inf
    """When it does not count any more, nanoseconds since the epoch."""
    bye: Key | None = None
    """The BYE that is to end this dialog, once there is one."""
    tags: tuple[str, ...] = ()
    """Tags of the dialog that a BYE ends."""
    shown: bool = False
    """Whether the request has shown credentials."""


@dataclass
class Openness:
    """Fed with every message of a run that its agent has heard; says what is not yet over."""

    retries: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Callers with credentials, and the realms that they do not show them to: a challenge of another realm is not the
    end of their INVITE."""
    patience: float = UNTIL_GIVEN_UP
    """Seconds after which the system has given a transaction up that gets no answer."""
    leeway: float = 0.0
    """How many seconds earlier it may have done so already: then it may or may not heed what still comes."""
    odd: set[str] = field(default_factory=set, init=False)
    """Callers whose requests the system may drop without a word, because they are hardly any: once it has taken one up
    with a provisional, it owes it a final response like any other."""
    blunt: set[str] = field(default_factory=set, init=False)
    """Callers whose requests are the bytes of a script: they answer no challenge."""
    _open: dict[Key, _Item] = field(default_factory=dict, init=False)
    _ended: set[Key] = field(default_factory=set, init=False)
    """What is over: a retransmission does not open it again."""
    _own: set[str] = field(default_factory=set, init=False)
    """Call-IDs of what our agents have begun."""
    _cut: dict[str, int] = field(default_factory=dict, init=False)
    """Agents that have cut their own wire, with the time."""

    def feed(self, seen: Seen) -> None:
        """Take one message in the order of recording."""
        m = seen.sip
        if m.method == "ACK":
            self._acked(seen)
        elif m.is_request:
            self._requested(seen)
        elif m.code >= 200:
            self._final(seen)
        elif item := self._open.get(_key(seen)):
            item.due = math.inf  # a provisional stops the system's transaction timer: it waits as long as it may ring
        if seen.received:
            self._open.pop(_puzzle_key(seen.agent), None)

    def puzzle(self, agent: str, time: int) -> None:
        """An agent has begun with bytes that are no SIP: the system may take its time to answer as with a request."""
        self._open[_puzzle_key(agent)] = _Item(f"{agent}'s bytes have no answer", time, due=time + self._patience)

    def lost(self, seen: Seen) -> None:
        """A message that its agent was deaf to: what it would have closed stays open by our own doing, and a request
        stays unanswered unless it is heard when it comes again."""
        m = seen.sip
        due = seen.time + self._patience
        if m.method == "ACK":
            self._excuse(_ack_key(seen), due)
        elif m.is_request:
            self._requested(seen)
        elif m.code >= 200:
            self._excuse(_key(seen), due)

    def cut(self, agent: str, time: int) -> None:
        """An agent has broken its transport on purpose, at this time (nanoseconds since the epoch)."""
        self._cut.setdefault(agent, time)

    def left(self, now: float = 0) -> list[str]:
        """What is open at this time (nanoseconds since the epoch), in words; at infinity what only the system can
        close. Without a time everything."""
        return [item.text for key, item in self._open.items() if not self._excused(key, now)]

    def closed(self, now: float = 0) -> bool:
        """Whether every transaction and dialog that was begun is over, or does not count any more at this time."""
        return all(self._excused(key, now) for key in self._open)

    def next(self, now: float) -> float | None:
        """When something ceases to count by itself, nanoseconds since the epoch; None if nothing will."""
        dues = (self._due(key, item) for key, item in self._open.items())
        return min((due for due in dues if now < due < math.inf), default=None)

    @property
    def _patience(self) -> int:
        return round(self.patience * 1e9)

    def _due(self, key: Key, item: _Item) -> float:
        cut = self._cut.get(key[0])
        return item.due if cut is None else min(item.due, max(cut, item.since) + self._patience)

    def _is_past(self, key: Key, item: _Item, now: float) -> bool:
        due = self._due(key, item)
        return due < math.inf and due <= now

    def _excused(self, key: Key, now: float) -> bool:
        item = self._open[key]
        if self._is_past(key, item, now):
            return True
        if item.bye is not None:
            return item.bye in self._open and self._excused(item.bye, now)
        if item.ours or key[4] in ("INVITE", "ACK", "dialog") or item.since + self._patience > now:
            return False
        return self._unanswered_by_us(key[4], now)

    def _unanswered_by_us(self, method: str, now: float) -> bool:
        """Whether an agent of ours has left a request of this method without answer for good."""
        return any(o.ours and k[4] == method and self._is_past(k, o, now) for k, o in self._open.items())

    def _excuse(self, key: Key, due: float) -> None:
        if item := self._open.get(key):
            item.due = due

    def _requested(self, seen: Seen) -> None:
        m = seen.sip
        key = _key(seen)
        if key in self._open or key in self._ended:
            return
        begins = not seen.received and m.call_id not in self._own
        if not seen.received:
            self._own.add(m.call_id)
        due = math.inf if not seen.received else seen.time + (0 if self._is_systems_own(seen) else self._patience)
        if begins and seen.agent in self.odd:
            due = seen.time + self._patience
        text = f"{seen.agent}'s {m.method} has no final response"
        shown = bool(m.get("authorization") or m.get("proxy-authorization"))
        tags = (m.to_tag, m.from_tag)
        item = self._open[key] = _Item(text, seen.time, seen.received, due, tags=tags, shown=shown)
        if m.method == "INVITE":
            self._open.pop(_challenge_key(seen), None)
        elif m.method == "CANCEL" and seen.received:
            self._excuse(_key(seen, "INVITE"), due)
        elif m.method == "BYE":
            for dialog in _dialogs(seen, item.tags):
                if dialog in self._open:
                    self._open[dialog].bye = key

    def _is_systems_own(self, seen: Seen) -> bool:
        """Whether it is a request that the system makes by itself: no end of a call waits for it."""
        m = seen.sip
        return m.method in OF_SYSTEMS and not m.to_tag and m.call_id not in self._own

    def _final(self, seen: Seen) -> None:
        m = seen.sip
        key = _key(seen)
        item = self._open.pop(key, None)
        if item is not None:
            self._ended.add(key)
        # An answer beyond the rules: to no request that is open (any more), or when the system has given up. It need
        # not heed that.
        odd = not seen.received and (item is None or item.due <= seen.time + self.leeway * 1e9)
        due = seen.time + self._patience if odd else math.inf
        if odd and self._misnames_probe(key):
            due = seen.time
        if key[4] == "BYE":
            self._end_dialogs(seen, item)
        if key[4] != "INVITE":
            return
        if 200 <= m.code < 300:
            [dialog] = _dialogs(seen, (m.to_tag,))
            if dialog not in self._ended and dialog not in self._open:
                self._open[dialog] = _Item(f"{seen.agent}'s dialog has seen no BYE", seen.time, due=due)
        if not seen.received:
            if item is not None:
                self._open[_ack_key(seen)] = _Item(f"{seen.agent}'s {m.code} has no ACK", seen.time, due=due)
        elif self._is_answered(seen) and item is not None and not item.shown:
            # What has been refused is not shown again (RFC 3261 22.1).
            self._open[_challenge_key(seen)] = _Item(f"{seen.agent} has not answered the {m.code}", seen.time)

    def _misnames_probe(self, key: Key) -> bool:
        """Whether a response with the wrong method answers a request that the system made by itself: the next one of
        these comes before the system has given this one up, and no end of a call waits for any of them."""
        return any((*key[:4], method) in self._open for method in OF_SYSTEMS)

    def _is_answered(self, seen: Seen) -> bool:
        """Whether a challenge is one that its caller makes its request again for."""
        if seen.sip.code not in (401, 407) or seen.agent not in self.retries or seen.agent in self.blunt:
            return False
        asked = "www-authenticate" if seen.sip.code == 401 else "proxy-authenticate"
        return realm_of(seen.sip.all(asked)) not in self.retries[seen.agent]

    def _acked(self, seen: Seen) -> None:
        if seen.received:
            self._open.pop(_ack_key(seen), None)

    def _end_dialogs(self, seen: Seen, bye: _Item | None) -> None:
        m = seen.sip
        for dialog in _dialogs(seen, (m.to_tag, m.from_tag, *(bye.tags if bye else ()))):
            self._open.pop(dialog, None)
            self._ended.add(dialog)
        # Whoever has hung up, or been hung up on, waits for no ACK to the answer any more: a script may withhold it.
        for key in [k for k in self._open if k[:2] == (seen.agent, m.call_id) and k[4] == "ACK"]:
            del self._open[key]


def _key(seen: Seen, method: str = "") -> Key:
    m = seen.sip
    number, own = m.cseq
    return seen.agent, m.call_id, m.branch, number, method or own


def _ack_key(seen: Seen) -> Key:
    return seen.agent, seen.sip.call_id, "", seen.sip.cseq[0], "ACK"


def _challenge_key(seen: Seen) -> Key:
    return seen.agent, seen.sip.call_id, "", -1, "challenge"


def _puzzle_key(agent: str) -> Key:
    return agent, "", "", -1, "bytes"


def _dialogs(seen: Seen, tags: Collection[str]) -> Iterator[Key]:
    message: Message = seen.sip
    yield from ((seen.agent, message.call_id, tag, 0, "dialog") for tag in dict.fromkeys(tags))
