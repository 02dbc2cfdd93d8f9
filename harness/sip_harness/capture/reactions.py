"""What an agent answered to requests within a call, and to being given up: `on` in the scenario language."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sip_harness.capture.exchanges import Exchange, Moment
from sip_harness.capture.items import Saying
from sip_harness.capture.legs import Said
from sip_harness.capture.steps import ACCOUNT, KNOWN, SERVED, TRYING_IS_DUE, Pen, challenge, few, is_challenge
from sip_harness.capture.wording import SHORTEST, Times, quoted

_AT_ONCE = 0.1
"""Seconds within which an answer to a request within a call is as prompt as any."""
_BETWEEN = frozenset({"final", "answer", "BYE"})
"""What may happen between a request and the answer to it, and be what the answer waited for."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What an agent did with one request."""

    time: int
    method: str
    steps: str
    usual: bool
    """Whether a stack of ours does the same by itself."""


def reactions(
    inner: Iterable[Exchange], times: Times, saying: Saying, moments: Sequence[Moment], end: int
) -> list[Reaction]:
    """What an agent answered to requests within the call; `moments` and `end` as in its scene."""
    asked = [e for e in inner if e.request.by_system and not e.again]
    if left := len(asked) - len(few(asked)):
        saying.left_out.append(f"{left} more answers to requests within the call")
    found = [_reaction(exchange, times, saying, moments, end) for exchange in few(asked)]
    return [reaction for reaction in found if reaction is not None]


def _reaction(exchange: Exchange, times: Times, saying: Saying, moments: Sequence[Moment], end: int) -> Reaction | None:
    name, request = exchange.name, exchange.request
    if name not in KNOWN:
        saying.left_out.append(f"the answer to {quoted(name[:40])} within the call")
        return None
    if exchange.final is None and end - request.time < 1e9 * TRYING_IS_DUE:  # it may have come after the end
        return None
    steps = _steps(exchange, times, saying, moments)
    usual = steps == ["200"] and name in SERVED
    return Reaction(request.time, name, f"[{', '.join(steps)}]", usual)


def _steps(exchange: Exchange, times: Times, saying: Saying, moments: Sequence[Moment]) -> list[str]:
    proof, final = exchange.proof, exchange.final
    if proof is not None and final is not None and not (proof.final is not None and is_challenge(proof.final.sip)):
        saying.left_out.append(ACCOUNT)
        return [challenge(final.sip), *_steps(proof, times, saying, moments)]
    answers = [s for s in exchange.answers if s.sip.code != 100]
    if exchange.cancelled is not None:  # the 487 comes by itself
        answers = [s for s in answers if s.time < exchange.cancelled.time]
    request = exchange.request
    pen = Pen(times, _since(moments, request.time, exchange), request.time)
    for one in answers:
        if step := saying.response(one.sip):
            pen.write(one.time, step, _BETWEEN)
    prompt = final is not None and (final.time - request.time) / 1e9 < _AT_ONCE
    if prompt and len(answers) == 1 and pen.steps[-1:] == ["200"] and not pen.steps[0].startswith("after"):
        return ["200"]
    return pen.steps or (["100"] if exchange.answers else ["silence"])


def _since(moments: Sequence[Moment], time: int, exchange: Exchange) -> list[Moment]:
    """What happened at an agent while it let this request wait."""
    place = bisect_right(moments, time, key=lambda m: m.time)
    end = exchange.answers[-1].time if exchange.answers else time
    waited = moments[place : bisect_right(moments, end, key=lambda m: m.time)]
    return [m for m in waited if m.of is None or m.of.request is not exchange.request]


def given_up(
    attempt: Sequence[Said], asked: Said, after: Sequence[Said], times: Times, saying: Saying
) -> list[Reaction]:
    """What it did when it was given up. What any user agent does is 200 to that and 487 to the INVITE, at once."""
    method = asked.sip.method
    said = [s for s in attempt if not s.by_system and s.sip.code >= 200 and s.sip.cseq[1] == method]
    both = sorted([*said[:1], *after], key=lambda s: s.time)
    usual = [s.sip.code for s in said] == [200] and [s.sip.code for s in after] == [487]
    if usual and all((s.time - asked.time) / 1e9 < SHORTEST for s in both):
        return [Reaction(asked.time, method, "[200, 487 to INVITE]", usual=True)]
    items, since = [], asked.time
    for one in both:
        if one.sip.code >= 700:
            saying.left_out.append(f"a response with the code {one.sip.code}, which there is not")
            continue
        if pause := times.wait(one.time - since):
            items.append(f"wait {pause}")
        since = one.time
        items.append(f"{one.sip.code} to INVITE" if one.sip.cseq[1] == "INVITE" else str(one.sip.code))
    return [Reaction(asked.time, method, f"[{', '.join(items or ['silence'])}]", usual=False)]


def on(found: Iterable[Reaction]) -> str:
    """Reactions in flow style, each method's by their number; empty where all are what the stack does by itself."""
    by_method: dict[str, list[Reaction]] = {}
    for one in sorted(found, key=lambda r: r.time):
        by_method.setdefault(one.method, []).append(one)
    parts = []
    for method, some in by_method.items():
        scripts = [one.steps for one in some]
        while len(scripts) > 1 and scripts[-1] == scripts[-2]:
            scripts.pop()
        if not all(one.usual for one in some):
            parts.append(f"{method}: {scripts[0]}" if len(scripts) == 1 else f"{method}: [{', '.join(scripts)}]")
    return f"{{{', '.join(parts)}}}" if parts else ""
