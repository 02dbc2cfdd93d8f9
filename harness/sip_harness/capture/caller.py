"""The caller of a captured call, in the words of the scenario language: what it did, and what it got."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sip_harness.capture.exchanges import Exchange, Moment, exchanges, moments
from sip_harness.capture.expected import within
from sip_harness.capture.items import Saying, is_reliable, options
from sip_harness.capture.legs import Leg, Said, unmet
from sip_harness.capture.reactions import on, reactions
from sip_harness.capture.steps import MOST, Pen, Requests, can_be_sent, few
from sip_harness.capture.story import Story
from sip_harness.capture.wording import Part, Times, quoted
from sip_harness.model.pattern import seconds

_CANCELLED = 487
_PATIENCE = 10.0
"""Seconds after which a caller hangs up whom somebody else was to hang up before."""
_ACK_IS_LATE = 0.2
"""Seconds after which an ACK to an answer is late."""
_PASSED_ON = 2_000_000_000
"""Nanoseconds within which a request that a device got is the one that the caller sent."""
_WANTED = frozenset({"require", "supported", "session-expires", "min-se", "expires"})
"""Headers of an INVITE that change what becomes of a call."""


@dataclass(frozen=True, slots=True)
class Around:
    """What a caller is told beside his own call: the devices' legs by name, and their moments."""

    legs: Mapping[str, Sequence[Leg]]
    moments: Mapping[str, Sequence[Moment]]
    end: int
    """When the capture ends, nanoseconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Made:
    """A call as a scenario has it."""

    parts: list[Part]
    sent: frozenset[int] = frozenset()
    """The requests within the call that its caller sends again, by their identity."""


def call(story: Story, name: str, target: str, around: Around, times: Times, saying: Saying) -> Made:
    """The call, part by part."""
    parts: list[Part] = [("from", name), ("to", target)]
    if story.caller is not None:
        did = _Call(story.caller, name, around, times, saying)
        return Made(parts + did.parts(), frozenset(did.sent))
    if (given_up := _given_up(story)) is not None:
        parts.append(("cancel", _when(given_up, story.begin, around, times)))
    saying.left_out.append("the caller, who is not in the capture")
    return Made(parts)


class _Call:
    """What a caller did, part by part."""

    def __init__(self, leg: Leg, name: str, around: Around, times: Times, saying: Saying) -> None:
        self._leg = leg
        self._said = said = leg.said
        self._around = around
        self._times = times
        self._saying = saying
        self._inner = exchanges(said)
        reliable = [s.sip for s in said if s.by_system and s.answers and is_reliable(s.sip)]
        self._reliable = [[(m.get("rseq") or "").strip(), str(m.cseq[0]), m.cseq[1]] for m in reliable]
        self._refreshed = sorted(_refreshes(around, self._own()), key=lambda m: m.time)
        self._moments = sorted([*moments(name, said, self._inner), *self._refreshed], key=lambda m: m.time)
        self._begin = [s for s in said if s.begins][-1].time
        self._answer = next((s for s in said if s.by_system and s.is_final and s.sip.code < 300), None)
        self.sent: set[int] = {id(e.request) for e in self._inner if e.name == "PRACK" and not self._is_odd(e)}
        """The requests within the call that it sends again, by their identity."""
        self._requests = Requests(said, saying, len(self._own()) - len(few(self._own())))

    def parts(self) -> list[Part]:
        """All of it."""
        parts = self._invite()
        cancel = next((s for s in self._said if not s.by_system and s.sip.method == "CANCEL"), None)
        if cancel is not None and (why := self._is_no_cancel(cancel)):
            self._saying.left_out.append(why)
        elif cancel is not None:
            parts.append(("cancel", _when(cancel.time, self._begin, self._around, self._times)))
            self._saying.left_out += ["the Reason of the CANCEL"] if cancel.sip.get("reason") else []
        if self._withholds_prack():
            parts.append(("prack", "never"))
        parts += self._early() + self._acknowledged() + self._then()
        if reaction := on(reactions(self._inner, self._times, self._saying, self._moments, self._around.end)):
            parts.append(("on", reaction))
        return parts

    def _is_no_cancel(self, cancel: Said) -> str:
        """What a CANCEL is instead of the end of the call, in words."""
        if cancel.sip.to_tag:
            return "the CANCEL of a re-INVITE"
        if not any(s.begins and s.sip.branch == cancel.sip.branch for s in self._said):
            return "a CANCEL of something else"
        if any(s.by_system and s.sip.cseq[1] == "CANCEL" and s.sip.code >= 300 for s in self._said):
            return "a CANCEL that was refused"
        end = self._final()
        return "a CANCEL that came too late" if end is not None and end < cancel.time else ""

    def _invite(self) -> list[Part]:
        """Headers of the INVITE where something depends on them."""
        m = self._said[0].sip
        legs = [s.sip for legs in self._around.legs.values() for leg in legs for s in leg.said]
        reliable = any(is_reliable(one) or one.code in (420, 421) for one in [*legs, *(s.sip for s in self._said)])
        found = self._saying.headers(m, "INVITE", _WANTED)
        if "100rel" in options(m, "require"):
            others = sorted(options(m, "require") - {"100rel"})
            found = [f for f in found if not f.startswith("Require")] + [
                f"Require: {quoted(', '.join(['100rel', *others]))}"
            ]
        elif reliable and "100rel" not in options(m, "supported") and not any(f.startswith("Supp") for f in found):
            found.append("Supported: null")
        return [("headers", f"{{{', '.join(found)}}}")] if found else []

    def _withholds_prack(self) -> bool:
        sent = [e for e in self._inner if e.name == "PRACK" and not e.request.by_system]
        return bool(self._reliable) and all(map(self._is_odd, sent))

    def _is_odd(self, exchange: Exchange) -> bool:
        """Whether it is a PRACK of nothing (RFC 3262 7.2): any other is sent by itself."""
        return exchange.name == "PRACK" and (exchange.request.sip.get("rack") or "").split() not in self._reliable

    def _own(self) -> list[Exchange]:
        """Requests that a script has to send."""
        sent = [e for e in self._inner if not e.request.by_system and not e.again]
        return [e for e in sent if e.name != "PRACK" or self._is_odd(e)]

    def _early(self) -> list[Part]:
        """What it sent before the final response."""
        first = next((s for s in self._said if s.by_system and s.answers and s.sip.code > 100 and s.sip.to_tag), None)
        until = self._final()
        own = [e for e in self._own() if until is None or e.request.time < until]
        if first is None or not own:
            return []
        pen = Pen(self._times, self._moments, first.time)
        self._write(pen, [e for e in few(own) if e.request.time >= first.time], simple=False)
        return [("early", pen.steps)] if pen.steps else []

    def _final(self) -> int | None:
        """When the call was answered or refused."""
        return next((s.time for s in unmet(self._said) if s.by_system), None)

    def _acknowledged(self) -> list[Part]:
        """When it acknowledged the final response, where that was late, or never although the response came again."""
        ends = [s for s in unmet(self._said) if s.by_system]
        answer = self._answer or next(iter(ends), None)
        if answer is None:
            return []
        acks = [s for s in self._said if not s.by_system and s.sip.method == "ACK"]
        after = [s for s in acks if s.sip.cseq[0] == answer.sip.cseq[0] and s.time >= answer.time]
        if after and (after[0].time - answer.time) / 1e9 > _ACK_IS_LATE:
            return [("ack", self._times.wait(after[0].time - answer.time))]
        return [] if after or not self._came_again(answer) else [("ack", "never")]

    def _came_again(self, answer: Said) -> bool:
        again = [s for s in self._leg.everything if s.by_system and s.sip.cseq == answer.sip.cseq]
        return sum(s.sip.code == answer.sip.code and s.sip.to_tag == answer.sip.to_tag for s in again) > 1

    def _then(self) -> list[Part]:
        """What it did from the answer on, and how the call ended."""
        if (answer := self._answer) is None:
            return []
        own = few([e for e in self._own() if e.request.time >= answer.time])
        byes = [n for n, e in enumerate(own) if e.name == "BYE"]
        if byes[:1] == [0] and Saying().request(own[0].request.sip, "BYE") == "send BYE":
            self.sent.add(id(own[0].request))
            return self._hung_up(own[0].request.time, answer.time)
        pen = Pen(self._times, self._moments, answer.time)
        self._after_ack(pen, own)
        self._write(pen, own, simple=True)
        parts: list[Part] = [("then", pen.steps)] if own else []
        if not byes and any(s.by_system and s.sip.method == "BYE" for s in self._said):
            parts.append(("hang up", seconds(_PATIENCE)))  # the other side hangs up before
        return parts

    def _write(self, pen: Pen, own: Iterable[Exchange], *, simple: bool) -> None:
        """These requests; nothing comes after the BYE."""
        ended = False
        for exchange in own:
            if ended:
                self._saying.left_out.append(f"{exchange.name} after its BYE")
            elif can_be_sent(exchange, self._saying):
                self._requests.write(pen, exchange, simple=simple)
                self.sent.add(id(exchange.request))
                ended = exchange.name == "BYE"

    def _hung_up(self, time: int, answered: int) -> list[Part]:
        """When it hung up: after the answer, or after the last time that the system refreshed the session."""
        refreshed = [m for m in self._refreshed if answered < m.time < time]
        pause = self._times.wait(time - (refreshed[-1].time if refreshed else answered))
        if refreshed:
            return [("hang up", f"{pause or '20ms'} after {refreshed[-1].event}")]
        return [("hang up", pause)] if pause else []

    def _after_ack(self, pen: Pen, own: Sequence[Exchange]) -> None:
        """The first request comes when whoever answered has its ACK, if it had."""
        if not own:
            return
        before = own[0].request.time
        acked = [m for some in self._around.moments.values() for m in some if m.kind == "ACK" and m.time < before]
        if acked and all(m.time > acked[0].time for m in self._moments if m.time < before):
            pen.steps.append(f"after {acked[0].event}")
            pen.since = max(pen.since, acked[0].time)


def heard(story: Story, around: Around, sent: Collection[int]) -> list[str]:
    """What the caller got, in words: final responses, challenges that it has met left out, and requests. `sent` are the
    requests within the call that it sends again."""
    if story.caller is None:
        return []
    said = story.caller.said
    begun = [s for s in unmet(said) if s.by_system][:MOST]
    return within(said, exchanges(said), sent, begun, lambda one: _source(one, around))


def _refreshes(around: Around, own: Iterable[Exchange]) -> Iterator[Moment]:
    """When devices answered requests within the call that the system made by itself, as to refresh a session."""
    asked: dict[str, list[int]] = {}
    for exchange in own:
        asked.setdefault(exchange.name, []).append(exchange.request.time)
    for moment in (m for some in around.moments.values() for m in some if m.kind == "answer" and m.of is not None):
        assert moment.of is not None
        time, times = moment.of.request.time, asked.get(moment.of.name, [])
        place = bisect_right(times, time)
        if not place or time - times[place - 1] > _PASSED_ON:
            yield moment


def _when(time: int, begin: int, around: Around, times: Times) -> str:
    """A time in words: after the last response of somebody before it, or else after the call was made."""
    before: dict[tuple[str, int], int] = {}
    for name, legs in around.legs.items():
        for attempt in (attempt for leg in legs for attempt in leg.attempts):
            final = next((s.time for s in attempt if not s.by_system and s.is_final), time)
            for one in (s for s in attempt if _may_cause(s) and s.time < time and (s.is_final or s.time < final)):
                before.setdefault((name, one.sip.code), one.time)
    if not before:
        return times.wait(time - begin) or "20ms"
    (name, code), last = max(before.items(), key=lambda item: item[1])
    pause = times.wait(time - last)
    return f"{pause} after {name} sends {code}" if pause else f"after {name} sends {code}"


def _may_cause(said: Said) -> bool:
    """Whether a caller may wait for it: 100 says nothing, and 487 what the system itself has asked for."""
    return not said.by_system and said.answers and said.sip.code in range(101, 700) and said.sip.code != _CANCELLED


def _given_up(story: Story) -> int | None:
    """When the caller gave up, nanoseconds since the epoch, if all that was open was cancelled at once and
    nobody had answered; None if that was not so."""
    cancels = [s.time for leg in story.tried for s in leg.said if s.by_system and s.sip.method == "CANCEL"]
    last = story.groups[-1]
    cancelled = all(any(s.sip.method == "CANCEL" for s in leg.said) for leg in last)
    decided = any(s.is_final and s.sip.code // 100 in (2, 6) for leg in story.tried for s in leg.said)
    return min(cancels) if cancels and cancelled and not decided else None


def _source(one: Said, around: Around) -> str:
    """Who had said so to the system; empty if nobody had, or several, of whom any could have been passed on, or if a
    proxy has made it out of what they said. A 487 is what cancelling comes to, whoever says it."""
    if one.sip.code == _CANCELLED:
        return ""
    said = {name: [s for leg in legs for s in leg.said if _says_the_same(s, one)] for name, legs in around.legs.items()}
    some = [name for name, found in said.items() if found]
    return some[0] if len(some) == 1 and any(_passed_on(s, one) for s in said[some[0]]) else ""


def _passed_on(said: Said, one: Said) -> bool:
    """Whether one may be the other: a proxy leaves its To tag (RFC 3261 16.7), a B2BUA has a call of its own."""
    return said.sip.call_id != one.sip.call_id or said.sip.to_tag == one.sip.to_tag


def _says_the_same(said: Said, one: Said) -> bool:
    same = (said.sip.code, said.sip.cseq[1], said.within) == (one.sip.code, "INVITE", one.within)
    return same and not said.by_system and said.time <= one.time
