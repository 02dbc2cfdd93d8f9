"""Which attempt at a device an INVITE is."""

from __future__ import annotations

from dataclasses import dataclass, field

from sip_harness.agents.pjsua2.origin import Bounded
from sip_harness.sip.message import Message

_CREDENTIALS = ("authorization", "proxy-authorization")


@dataclass
class Attempts:
    """Counts new out-of-dialog INVITE transactions from 0; a retry with credentials is the attempt that it retries
    (RFC 3261 22.2: same Call-ID and From tag, higher CSeq)."""

    _next: int = field(default=0, init=False)
    _known: Bounded[tuple[int, int]] = field(default_factory=Bounded, init=False)
    """Call-ID and From tag to CSeq number and attempt."""

    def number(self, invite: Message) -> int:
        """The attempt that this INVITE belongs to."""
        key, sequence = (invite.call_id, invite.from_tag), invite.cseq[0]
        before = self._known.get(key)
        if before is not None and sequence > before[0] and any(invite.get(name) for name in _CREDENTIALS):
            number = before[1]
        else:
            number, self._next = self._next, self._next + 1
        self._known.put(key, (sequence, number))
        return number
