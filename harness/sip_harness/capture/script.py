"""What one device or carrier did in a captured call, in the words of the scenario language."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from sip_harness.capture.exchanges import Exchange, Moment, exchanges
from sip_harness.capture.items import Saying, is_reliable
from sip_harness.capture.legs import Said
from sip_harness.capture.reactions import Reaction, given_up, reactions
from sip_harness.capture.steps import (
    ACCOUNT,
    ANY_MOMENT,
    MOST,
    TRYING_IS_DUE,
    Pen,
    Requests,
    can_be_sent,
    challenge,
    few,
    is_challenge,
)
from sip_harness.capture.wording import Times
from sip_harness.sip.message import Message

_MOST_PROOFS = 5
"""INVITEs with which one attempt is made."""


@dataclass
class Did:
    """What a device or a carrier did in one attempt, as items of YAML."""

    steps: list[str] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)
    sent: set[int] = field(default_factory=set)
    """The requests within the call that it sends again, by their identity."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What else there was in the call of a device."""

    moments: Sequence[Moment]
    """Those of the device, in the whole call."""
    decided: Sequence[int]
    """When the system tried the next ones or told the caller how it ended, nanoseconds since the epoch."""
    end: int
    """When the capture ends."""


def device(attempt: Sequence[Said], times: Times, saying: Saying, scene: Scene) -> Did:
    """The script of one attempt."""
    did = Did()
    answers = [s for s in attempt if not s.by_system and s.answers]
    asked = [s for s in attempt if s.by_system and s.begins]
    since = asked[0].time
    if len(asked) > _MOST_PROOFS:
        saying.left_out.append(f"{len(asked) - _MOST_PROOFS} more INVITEs with credentials")
    for again in asked[1:_MOST_PROOFS]:
        first = next((s for s in answers if since <= s.time <= again.time and is_challenge(s.sip)), None)
        rest = [s for s in answers if s.time >= again.time]
        if first is not None and not (len(asked) == 2 and any(s.is_final and is_challenge(s.sip) for s in rest)):
            did.steps[:] = [challenge(first.sip, stale=bool(did.steps))]
            saying.left_out.append(ACCOUNT)
            since, answers = again.time, rest
        elif first is not None:  # whatever proof it gets, it wants another one: its script is the same each time
            answers = [s for s in answers if s.time < again.time]
    end = next((s for s in attempt if s.by_system and _gives_up(s, answers)), None)
    before = [s for s in answers if end is None or s.time <= end.time]
    inner = exchanges(attempt)
    own = [e for e in inner if not e.request.by_system and not e.again and e.name != "PRACK" and can_be_sent(e, saying)]
    pen = Pen(times, scene.moments[bisect_left(scene.moments, since, key=lambda m: m.time) :], since)
    did.sent = {id(one) for one in _answer(pen, before, own, saying, attempt, scene.decided)}
    did.steps += pen.steps[1:] if did.steps and pen.steps[0] == "no 100" else pen.steps  # a challenge was no silence
    did.reactions += reactions(inner, times, saying, scene.moments, scene.end)
    if end is not None:
        method = end.sip.method
        did.reactions = [r for r in did.reactions if method != "BYE" or r.time != end.time]
        did.reactions += given_up(attempt, end, [s for s in answers if s not in before], times, saying)
    return did


def _gives_up(said: Said, answers: Sequence[Said]) -> bool:
    """Whether it is a CANCEL, or a BYE before the final response (RFC 3261 9.1, 15.1.1)."""
    if said.sip.method == "BYE":
        return not any(s.is_final and s.time < said.time for s in answers)
    return said.sip.method == "CANCEL" and not said.sip.to_tag


def _answer(
    pen: Pen,
    answers: Sequence[Said],
    own: Sequence[Exchange],
    saying: Saying,
    attempt: Sequence[Said],
    decided: Sequence[int],
) -> Iterator[Said]:
    """Write its responses to the INVITE and the requests of its own, in their order; gives the requests."""
    real = [s for s in answers if s.sip.code != 100]
    if len(real) > MOST:
        saying.left_out.append(f"{len(real) - MOST} more responses")
        real = real[:MOST]
    if not real:
        pen.steps.append("100" if answers else "silence")
    elif len(real) == len(answers) and (real[0].time - pen.since) / 1e9 > TRYING_IS_DUE:
        pen.steps.append("no 100")
    numbered = _has_gaps([s.sip for s in real if is_reliable(s.sip)])
    sent = {id(one.request): one for one in few(own)}
    state, requests = _State(), Requests(attempt, saying, len(own) - len(few(own)))
    for one in sorted([*real, *(e.request for e in sent.values())], key=lambda s: s.time):
        if exchange := sent.get(id(one)):
            if why := state.refuses(exchange):
                saying.left_out.append(why)
            else:
                requests.write(pen, exchange, simple=state.answered)
                state.ended = exchange.name == "BYE"
                yield one
        elif state.ended:
            saying.left_out.append(f"a {one.sip.code} after its BYE")
        elif state.final and one.sip.code < 200:
            saying.left_out.append(f"a {one.sip.code} after its final response")
        elif step := saying.response(one.sip, numbered=numbered):
            pen.write(one.time, step, ANY_MOMENT - {"ACK"}, decided)
            state.say(one.sip.code)


@dataclass
class _State:
    """What a device has said to an INVITE so far."""

    final: int = 0
    """Code of its first final response."""
    dialog: bool = False
    answered: bool = False
    ended: bool = False
    """Whether it has hung up."""

    def say(self, code: int) -> None:
        """It says so."""
        self.dialog = self.dialog or 100 < code < 300
        self.answered = self.answered or 200 <= code < 300
        self.final = self.final or (code if code >= 200 else 0)

    def refuses(self, exchange: Exchange) -> str:
        """Why a request within the dialog cannot be sent now, in words; empty if it can."""
        if self.ended:
            return f"{exchange.name} after its BYE"
        if self.final >= 300 and not self.answered:
            return f"{exchange.name} after its refusal"
        return "" if self.dialog else f"{exchange.name} before there is a dialog"


def _has_gaps(reliable: Sequence[Message]) -> bool:
    """Whether reliable responses are not numbered one after the other (RFC 3262 3)."""
    numbers = [int(text) if (text := (m.get("rseq") or "")[:10]).isdecimal() else -1 for m in reliable]
    return any(after != before + 1 for before, after in pairwise(numbers))
