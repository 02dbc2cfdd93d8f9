"""What each agent got in a captured call, as expectations."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from sip_harness.capture.exchanges import Exchange, exchanges
from sip_harness.capture.legs import Said
from sip_harness.capture.steps import KNOWN, few

_QUIET = frozenset({"BYE", "CANCEL", "PRACK"})
"""What is answered with 2xx so often that nobody has to say so."""


def of_device(attempt: Sequence[Said], sent: Collection[int], past: Collection[str] = ()) -> list[str]:
    """What a device got, in words; `sent` are the requests within the call that it sends again, `past` methods of what
    went past the system.

    Where the capture ends before the call does, what has to follow is added: a BYE, or perhaps the end of its ringing.
    """
    return within(attempt, exchanges(attempt), sent) + missing(attempt, past)


def missing(attempt: Sequence[Said], past: Collection[str] = ()) -> list[str]:
    """What has to follow what a device got, in words."""
    methods = {one.sip.method for one in attempt}
    finals = [one.sip.code for one in attempt if not one.by_system and one.is_final]
    answered = any(200 <= code < 300 for code in finals)
    acked = any(one.by_system and one.sip.method == "ACK" for one in attempt)
    if answered and "ACK" in past and not acked:
        return ["ACK to 200", *([] if "BYE" in methods else ["BYE"])]
    if answered and acked and max(finals) < 300 and "BYE" not in methods:
        return ["BYE"]
    rang = any(not one.by_system and one.answers for one in attempt)
    return ["maybe CANCEL", "maybe ACK to 487"] if rang and not finals and not methods & {"CANCEL", "BYE"} else []


def within(
    said: Iterable[Said],
    inner: Sequence[Exchange],
    repeated: Collection[int],
    begun: Collection[Said] = (),
    source: Callable[[Said], str] = lambda _: "",
) -> list[str]:
    """Requests that an agent got, and the ends of those that it sent: the ones that are `repeated`, and those that
    `begun` has. `source` says who has made a response."""
    known = [e for e in inner if e.name in KNOWN]
    methods = {e.name for e in known if id(e.request) in repeated}
    again = {id(e.request) for e in known if e.again and not e.request.by_system and e.name in methods}
    repeated = {*repeated, *again}
    asked = [e for e in known if e.request.by_system and not e.again]
    few_asked = {id(e.request) for e in few(asked)}
    dropped = {e.request.sip.cseq[0] for e in asked if id(e.request) not in few_asked}
    finals = {id(e.final) for e in inner if id(e.request) in repeated and e.final is not None and not e.met}
    finals |= {id(one) for one in begun}
    words, sent = [], dict[tuple[int, str], int]()
    for one in said:
        m = one.sip
        if one.by_system and m.is_request:
            words += _request(one, sent) if m.cseq[0] not in dropped else []
        elif id(one) in finals:
            words += _response(one, source(one))
        elif not one.by_system and m.cseq[1] == "INVITE" and m.code >= 200:
            sent[m.cseq[0], m.to_tag] = m.code
    return words


def _request(one: Said, sent: dict[tuple[int, str], int]) -> list[str]:
    m = one.sip
    if m.method == "ACK":
        code = sent.pop((m.cseq[0], m.to_tag), 0)
        return [f"ACK to {code}"] if 200 <= code < 700 else []
    known = m.method in ("CANCEL", "PRACK", "INVITE") or m.method in KNOWN
    return [m.method] if known and (one.begins or one.within or m.method == "CANCEL") else []


def _response(one: Said, source: str) -> list[str]:
    m = one.sip
    code, method = m.code, m.cseq[1]
    if code >= 700 or (method in _QUIET and code < 300):
        return []
    if method != "INVITE":
        return [f"{code} to {method}"]
    return [f"{code} from {source}" if source else str(code)]
