"""Which transactions and dialogs are still open, read from the messages of all agents.

It needs no word from a stack: what is on the wire is the same on every stack, and so is the end of a call.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from sip_harness.record.seen import Seen

Key = tuple[str, str, int, str]
"""Agent, Call-ID, CSeq number, method (a dialog: 0 and its To- or From-tag)."""


@dataclass
class Openness:
    """Fed with every message of a run; says what is not yet over."""

    retries: Collection[str] = ()
    """Callers with credentials: a challenge is not the end of their INVITE."""
    _open: dict[Key, str] = field(default_factory=dict, init=False)
    _ended: set[Key] = field(default_factory=set, init=False)
    """Dialogs that are over: a retransmitted 2xx does not open them again."""

    def feed(self, seen: Seen) -> None:
        """Take one message in the order of recording."""
        m = seen.sip
        number, method = m.cseq
        key = (seen.agent, m.call_id, number, method)
        if m.method == "ACK":
            self._acked(seen)
        elif m.is_request:
            self._open[key] = f"{seen.agent}'s {method} has no final response"
            if method == "INVITE":
                self._open.pop((seen.agent, m.call_id, -1, "challenge"), None)
        elif m.code >= 200:
            self._final(seen, key)

    def left(self) -> list[str]:
        """What is open, in words."""
        return list(self._open.values())

    @property
    def closed(self) -> bool:
        """Whether every transaction and dialog that was begun is over."""
        return not self._open

    def _final(self, seen: Seen, key: Key) -> None:
        m = seen.sip
        was_open = self._open.pop(key, None) is not None
        if key[3] == "BYE":
            self._end_dialogs(seen)
        if key[3] != "INVITE":
            return
        if 200 <= m.code < 300:
            dialog = (seen.agent, m.call_id, 0, m.to_tag)
            if dialog not in self._ended:
                self._open[dialog] = f"{seen.agent}'s dialog has seen no BYE"
        if not seen.received:
            if was_open:
                self._open[(seen.agent, m.call_id, key[2], "ACK")] = f"{seen.agent}'s {m.code} has no ACK"
        elif m.code in (401, 407) and seen.agent in self.retries and was_open:
            self._open[(seen.agent, m.call_id, -1, "challenge")] = f"{seen.agent} has not answered the {m.code}"

    def _acked(self, seen: Seen) -> None:
        if seen.received:
            self._open.pop((seen.agent, seen.sip.call_id, seen.sip.cseq[0], "ACK"), None)

    def _end_dialogs(self, seen: Seen) -> None:
        m = seen.sip
        for tag in (m.to_tag, m.from_tag):
            dialog = (seen.agent, m.call_id, 0, tag)
            self._open.pop(dialog, None)
            self._ended.add(dialog)
