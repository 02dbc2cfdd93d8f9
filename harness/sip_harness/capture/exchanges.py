"""Requests within a call and what was answered to them, and the moments at each agent that a script can wait for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sip_harness.capture.legs import Said, has_credentials

RE_INVITE = "re-INVITE"
_OF_NO_OTHER = frozenset({"ACK", "CANCEL"})
"""Requests that belong to an INVITE and are no exchange of their own."""
_MOST = 90
"""Exchanges of an agent after which nothing is waited for."""
_HIGHEST = 99
"""Up to which number the language counts events."""
_BY_THE_WAY = frozenset({"CANCEL", "BYE", "PRACK"})
"""What a script does not wait to be answered: it ends things, or the stack sends it by itself."""


@dataclass(slots=True)
class Exchange:
    """A request within a dialog, and the responses to it."""

    request: Said
    answers: list[Said] = field(default_factory=list)
    cancelled: Said | None = None
    met: bool = False
    """Whether it was answered with a challenge and made again with credentials."""
    again: bool = False
    """Whether it is such a request made again."""
    proof: Exchange | None = None
    """The request made again with credentials, if it was."""

    @property
    def name(self) -> str:
        """Its method, as a step calls it."""
        method = self.request.sip.method
        return RE_INVITE if method == "INVITE" else method

    @property
    def final(self) -> Said | None:
        """The first final response."""
        return next((s for s in self.answers if s.sip.code >= 200), None)


def exchanges(said: Iterable[Said]) -> list[Exchange]:
    """All of one side's dialogs, in the order of their requests."""
    found: list[Exchange] = []
    known: dict[tuple[object, ...], Exchange] = {}
    last: dict[tuple[object, ...], Exchange] = {}
    for one in said:
        m = one.sip
        by = one.by_system if m.is_request else not one.by_system
        key = (m.call_id, m.branch, m.cseq[0], by)
        if m.method == "CANCEL":
            if exchange := known.get((*key, "INVITE")):
                exchange.cancelled = exchange.cancelled or one
        elif m.is_request and m.to_tag and m.method != "ACK":
            exchange = known[(*key, m.method)] = Exchange(one)
            found.append(exchange)
            same = (m.call_id, m.from_tag, m.method, by)
            _meet(last.get(same), exchange)
            last[same] = exchange
        elif not m.is_request and (exchange := known.get((*key, m.cseq[1]))):
            exchange.answers.append(one)
    return found


def _meet(before: Exchange | None, again: Exchange) -> None:
    """Note where a request only comes again with credentials."""
    if before is None or before.final is None or before.final.sip.code not in (401, 407):
        return
    if has_credentials(again.request.sip) and before.request.sip.cseq < again.request.sip.cseq:
        before.met = again.again = True
        before.proof = again


@dataclass(frozen=True, slots=True)
class Moment:
    """Something at an agent that a script can wait for."""

    time: int
    event: str
    """In words: `desk gets 2 INVITE`."""
    kind: str
    """What it is: `ACK`, `PRACK`, `BYE` (also one of its own), `request`, `final` (of a request of its own), `answer`
    (to one that it got)."""
    of: Exchange | None = None


def moments(name: str, said: Sequence[Said], inner: Iterable[Exchange]) -> list[Moment]:
    """What happened at an agent, in the order in which it did. `said` is all that it had to do with."""
    each = list(inner)
    requests = {id(e.request): e for e in each}
    end = each[_MOST].request.time if len(each) > _MOST else said[-1].time if said else 0
    finals = {id(e.final): e for e in requests.values() if e.final is not None}
    codes = _codes(finals.values())
    counted: Counter[str] = Counter()
    found = []
    for one in (s for s in said if s.time <= end):  # what comes later may wait for what is not repeated
        m = one.sip
        if m.is_request and (one.by_system or m.method == "BYE"):
            kind = m.method if m.method in ("ACK", "PRACK", "BYE") else "request"
            event = _counted(counted, f"{name} {'gets' if one.by_system else 'sends'}", m.method)
            if event and one.within and m.method != "CANCEL":
                found.append(Moment(one.time, event, kind, requests.get(id(one))))
        elif not m.is_request and m.code >= 200 and m.cseq[1] not in _BY_THE_WAY:
            exchange = finals.get(id(one))
            if one.by_system:
                if m.code >= 300 and m.code not in codes.get(m.cseq[1], ()):
                    continue
                what = " or ".join(["2xx", *map(str, sorted(codes.get(m.cseq[1], ())))])
            else:
                what = str(m.code)
            what += "" if m.cseq[1] == "INVITE" else f" to {m.cseq[1]}"
            event = _counted(counted, f"{name} {'gets' if one.by_system else 'sends'}", what)
            if event and exchange is not None and not exchange.met:
                found.append(Moment(one.time, event, "final" if one.by_system else "answer", exchange))
    return found


def _codes(found: Iterable[Exchange]) -> dict[str, set[int]]:
    """Failures with which requests of an agent's own ended, by method: whoever waits for the end of one takes any of
    them, and a success."""
    codes: dict[str, set[int]] = {}
    for exchange in found:
        code = exchange.final.sip.code if exchange.final is not None else 0
        if not exchange.request.by_system and not exchange.met and code in range(300, 700):
            codes.setdefault(exchange.request.sip.method, set()).add(code)
    return codes


def _counted(counted: Counter[str], verb: str, what: str) -> str:
    """The event of this number; empty for one that cannot be said."""
    counted[f"{verb} {what}"] += 1
    number = counted[f"{verb} {what}"]
    if number > _HIGHEST:
        return ""
    return f"{verb} {number} {what}" if number > 1 else f"{verb} {what}"
