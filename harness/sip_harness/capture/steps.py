"""Steps of a script as they are written: waits, events that they may wait for, requests of an agent's own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from itertools import takewhile

from sip_harness.capture.exchanges import RE_INVITE, Exchange, Moment
from sip_harness.capture.items import Saying, is_session
from sip_harness.capture.legs import Said
from sip_harness.capture.wording import SHORTEST, Times, quoted, refusal
from sip_harness.sip.message import Message

TRYING_IS_DUE = 0.2
"""Seconds within which an INVITE wants some response (RFC 3261 17.2.1)."""
ANY_MOMENT = frozenset({"ACK", "PRACK", "request", "final", "answer"})
"""What a step may have waited for."""
SERVED = frozenset({RE_INVITE, "UPDATE", "INFO", "NOTIFY", "OPTIONS", "PRACK", "BYE"})
"""Requests within a dialog that a stack of ours answers with 200 by itself."""
KNOWN = SERVED | {"REFER", "SUBSCRIBE", "MESSAGE", "PUBLISH"}
"""Requests within a dialog that a script can send as they were."""
ACCOUNT = "the account to which the credentials belong; write it under `challenge`"
"""What is left out wherever somebody asks for credentials."""
MOST = 100
"""Requests within a call that one agent repeats."""


class Pen:
    """Writes steps, each as long after the one before, or after what its agent may have waited for, as it was."""

    def __init__(self, times: Times, moments: Sequence[Moment], since: int) -> None:
        """`since` is when the first wait begins, nanoseconds since the epoch."""
        self.steps: list[str] = []
        self.since = since
        self._times = times
        self._moments = moments
        self._next = 0

    def write(self, time: int, step: str, kinds: Collection[str] = ANY_MOMENT, decided: Sequence[int] = ()) -> None:
        """A step that was due at this time. `kinds` are those of the moments that it may have waited for. A wait that
        outlasts what was `decided` meanwhile does so however long it is."""
        latest = None
        while self._next < len(self._moments) and self._moments[self._next].time <= time:
            moment = self._moments[self._next]
            if moment.kind in kinds and moment.time > self.since:
                latest = moment
            self._next += 1
        if latest is not None:
            self.steps.append(f"after {latest.event}")
            self.since = latest.time
        exact = bisect_right(decided, self.since) < bisect_right(decided, time)
        if pause := self._times.wait(time - self.since, exact=exact):
            self.steps.append(f"wait {pause}")
        self.steps.append(step)
        self.since = time


def is_challenge(m: Message) -> bool:
    """Whether a response asks for credentials."""
    return m.code in (401, 407)


def challenge(m: Message, *, stale: bool = False) -> str:
    """The step that asks for credentials as a response did."""
    if not stale:
        return "challenge" if m.code == 401 else f"challenge {m.code}"
    return f"challenge: {{code: {m.code}, stale: yes}}"


def can_be_sent(exchange: Exchange, saying: Saying) -> bool:
    """Whether a script can send this request; what it cannot is noted."""
    if exchange.name not in KNOWN:
        saying.left_out.append(f"{quoted(exchange.name[:40])} within the call")
    return exchange.name in KNOWN


def few(found: Sequence[Exchange]) -> list[Exchange]:
    """The first MOST exchanges, and the BYE: so many are repeated."""
    byes = [e for e in found if e.name == "BYE"]
    return sorted([*[e for e in found if e.name != "BYE"][:MOST], *byes[:1]], key=lambda e: e.request.time)


class Requests:
    """Writes the requests within a dialog that one agent sent."""

    def __init__(self, said: Iterable[Said], saying: Saying, left: int) -> None:
        """`said` is all that the agent had to do with, `left` how many of its requests are too many."""
        self._sessions = [s.sip for s in said if not s.by_system and is_session(s.sip)]
        self._saying = saying
        self._sequence: dict[str, int] = {}
        if left:
            saying.left_out.append(f"{left} more requests within the call")

    def write(self, pen: Pen, exchange: Exchange, *, simple: bool) -> None:
        """One of them; `simple` where a BYE is no more than hanging up."""
        one, m = exchange.request, exchange.request.sip
        more = []
        if m.cseq[0] < self._sequence.get(m.call_id, 0):
            more.append(f"CSeq: {m.cseq[0]} {m.method}")
        if m.method == "PRACK" and not refusal("RAck", m.get("rack") or ""):
            more.append(f"RAck: {quoted(m.get('rack') or '')}")
        self._sequence[m.call_id] = max(m.cseq[0], self._sequence.get(m.call_id, 0))
        step = self._saying.request(m, exchange.name, more, self._before(m))
        if step == "send BYE" and simple:
            quick = (one.time - pen.since) / 1e9 < SHORTEST
            pen.write(one.time, "hang up", ANY_MOMENT if quick or len(pen.steps) > 1 else ANY_MOMENT - {"ACK"})
        else:
            pen.write(one.time, step)

    def _before(self, m: Message) -> list[bytes]:
        """What its sender had said of the session before: at first and at last."""
        before = list(takewhile(lambda one: one is not m, self._sessions))
        return [one.body for one in [*before[:1], *before[-1:]]]
