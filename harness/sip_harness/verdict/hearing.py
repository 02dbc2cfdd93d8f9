"""What an agent hears, held against what it has to hear."""

from __future__ import annotations

from collections.abc import Iterator

from sip_harness.model.entry import Media
from sip_harness.model.expecting import Heard
from sip_harness.model.verdict import Finding, Outcome
from sip_harness.verdict.case import Case
from sip_harness.verdict.moments import untimely


def judge_heard(case: Case, wanted: Heard) -> Iterator[Finding]:
    """Findings on the media that reached one agent."""
    heard = [one for one in _streams(case, wanted.agent, "received") if _is_from(case, one, wanted.source)]
    if not wanted.level:
        if heard:
            yield _finding(case, wanted, f"{wanted.agent} heard {_described(case, heard)}", _kind(heard[0]))
        return
    fitting = [one for one in heard if one.level == wanted.level]
    if not fitting:
        others = _described(case, _streams(case, wanted.agent, "received"))
        yield _finding(case, wanted, f"{wanted.agent} heard {others}", others)
        return
    packets = sum(one.packets for one in fitting)
    if wanted.packets is not None and packets not in wanted.packets:
        seen = wanted.packets.of(packets)
        yield _finding(case, wanted, f"{wanted.agent} got {seen} of it", seen)
    first = min(fitting, key=lambda one: one.first)
    wrong = untimely(case, wanted.timing, first.first) if wanted.timing else None
    if wrong is not None:
        outcome = Outcome.INCONCLUSIVE if wrong.starved else None
        seen = f"the first packet reached {wanted.agent} {wrong.said}"
        yield _finding(case, wanted, seen, f"{wrong.how} {_kind(first)}", outcome)


def _streams(case: Case, agent: str, direction: str) -> list[Media]:
    """The streams at an agent, each with its totals if it has ended before the record did."""
    latest: dict[object, Media] = {}
    for entry in case.record.entries:
        if isinstance(entry, Media) and entry.agent == agent and entry.direction == direction:
            latest[(entry.ssrc, entry.local, entry.remote, entry.call_id, entry.first)] = entry
    call_ids = case.call_ids
    return [one for one in latest.values() if call_ids is None or one.call_id in call_ids]


def _is_from(case: Case, got: Media, source: str) -> bool:
    """Whether a stream is one that this agent sends. A system that stands in the way of the media shows it only by its
    peer's tag; a B2BUA not even by that, so there the agents that send such a stream all count."""
    if not source:
        return True
    sent = _streams(case, source, "sent")
    if any(one.ssrc == got.ssrc or one.local == got.remote for one in sent):
        return True
    if case.record.header.kind == "proxy":
        return any(got.remote_tag and one.local_tag == got.remote_tag for one in sent)
    agents = [r.name for r in case.record.header.roles if r.name != got.agent]
    direct = any(one.ssrc == got.ssrc or one.local == got.remote for a in agents for one in _streams(case, a, "sent"))
    return not direct and any(one.level == got.level and one.first <= got.first for one in sent)


def _described(case: Case, heard: list[Media]) -> str:
    if not heard:
        return "nothing"
    return ", ".join(dict.fromkeys(f"{_kind(one)}{_sender(case, one)}" for one in heard))


def _kind(media: Media) -> str:
    return media.level or "something that is not G.711"


def _sender(case: Case, got: Media) -> str:
    names = (role.name for role in case.record.header.roles if role.name != got.agent)
    found = [name for name in names if _is_from(case, got, name)]
    return f" from {found[0]}" if found else f" from {got.remote[0]}:{got.remote[1]}"


def _finding(case: Case, wanted: Heard, seen: str, observed: str, outcome: Outcome | None = None) -> Finding:
    said, graded = f"{case.subject(wanted.agent)}: {wanted}", case.graded(wanted.severity)
    starved = outcome is Outcome.INCONCLUSIVE
    return Finding(
        outcome or graded, said, seen, wanted.agent, wanted.place, case.cite, observed=observed, starved=starved
    )
