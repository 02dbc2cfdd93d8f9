"""The judge: a pure function of scenario and record.

First it asks whether the record can bear a verdict at all: a worker that died, a stack that answered by itself or a
record that was cut say nothing about the system. Then every expectation is held against the traffic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice, pairwise

from sip_harness.model.entry import Exit, Note, Record
from sip_harness.model.expecting import Heard
from sip_harness.model.pattern import Event
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Finding, Outcome, Verdict
from sip_harness.model.wanted import Conforms, Never, Order, Reached, Sequence
from sip_harness.record.seen import happens
from sip_harness.verdict import words
from sip_harness.verdict.case import Case
from sip_harness.verdict.choose import CannotChoose, Says, resolved
from sip_harness.verdict.conformance import judge_conformance
from sip_harness.verdict.forks import forks_of
from sip_harness.verdict.hearing import judge_heard
from sip_harness.verdict.known import weigh
from sip_harness.verdict.order import Follows, follows, span
from sip_harness.verdict.sequences import judge_sequence
from sip_harness.verdict.traffic import Item, Owner, Traffic, sort_out

CLOCK_STEP = 1_000_000
"""Nanoseconds by which the real-time clock may move against the monotonic one in a run before order is void."""


def judge(scenario: Scenario, record: Record) -> Verdict:
    """The verdict on one run. Never looks at anything but its arguments."""
    traffic = sort_out(record, {d.name for d in scenario.devices if d.kind == "carrier"})
    unfit = next(_unfit(record, traffic), None)
    if unfit is not None:
        return unfit
    try:
        scenario = resolved(scenario, Says(record.header.system, record.header.kind, record.header.policy))
    except CannotChoose as error:
        return Verdict(Outcome.ERROR, reason=str(error))
    known = [d for d in record.header.policy.deviations if d.scenario == scenario.id]
    case = Case(scenario, record, traffic)
    found = _certain(case, weigh(known, _findings(case), scenario.place))
    findings = sorted(_fair(case, found), key=_gravity)
    if not findings:
        return Verdict(Outcome.PASS)
    outcome = findings[0].outcome
    reasons = dict.fromkeys(d.reason for d in known) if outcome is Outcome.DEVIATION else ()
    return Verdict(outcome, tuple(findings), "; ".join(reasons))


def _gravity(finding: Finding) -> int:
    return (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.WARN, Outcome.DEVIATION).index(finding.outcome)


def _unfit(record: Record, traffic: Traffic) -> Iterator[Verdict]:
    """Reasons why this record says nothing about the system, the most telling first."""
    for entry in record.entries:
        if isinstance(entry, Note) and entry.kind == "refused":
            yield Verdict(Outcome.BLOCKED, reason=f"{entry.agent}: {entry.text}" if entry.agent else entry.text)
        if isinstance(entry, Exit):
            yield Verdict(Outcome.INCONCLUSIVE, reason=words.exited(entry))
    for item in traffic.items:
        if item.seen.entry.origin == "engine" and item.owner in (Owner.CALL, Owner.UNKNOWN):
            yield Verdict(Outcome.INCONCLUSIVE, reason=words.engine(item, record))
    ends = [e for e in record.entries if isinstance(e, Note) and e.kind == "end"]
    if not ends:
        yield Verdict(Outcome.INCONCLUSIVE, reason="the record was cut: it has no end")
    elif not re.fullmatch(r"-?[0-9]{1,19}", step := ends[-1].data.get("clock_step", "0")):
        yield Verdict(Outcome.INCONCLUSIVE, reason="the record does not tell whether the clock was set during the run")
    elif abs(int(step)) > CLOCK_STEP:
        yield Verdict(Outcome.INCONCLUSIVE, reason="the clock was set during the run: its times cannot be compared")


def _fair(case: Case, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings; none is held against the system if this machine stood still for half of its shortest timer, because
    a timer may then have got ahead of what had come in time."""
    longest = case.stalls.longest(case.begin, case.end)
    stood_still = longest >= case.policy.shortest * 0.5e9
    for finding in findings:
        if stood_still and finding.outcome in (Outcome.FAIL, Outcome.WARN):
            seen = f"{finding.seen}; {words.overslept(longest, case.policy.shortest)}"
            yield replace(finding, outcome=Outcome.INCONCLUSIVE, seen=seen, starved=True)
        else:
            yield finding


def _certain(case: Case, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings; none is held against the system about an agent that got requests of which nobody can tell whether
    they belong to the run: they may be what is missed."""
    unclear = {i.seen.agent for i in _nobodys(case) if i.seen.sip.is_request}
    for finding in findings:
        if finding.agent in unclear and finding.outcome in (Outcome.FAIL, Outcome.WARN):
            seen = f"{finding.seen}; but it may be among what cannot be told from the calls of others"
            yield replace(finding, outcome=Outcome.INCONCLUSIVE, seen=seen)
        else:
            yield finding


def _findings(case: Case) -> Iterator[Finding]:
    for expectation in case.scenario.expectations:
        match expectation:
            case Sequence():
                yield from judge_sequence(case.of_call(expectation.call), expectation)
            case Never():
                yield from _never(case.of_call(expectation.call), expectation)
            case Reached():
                yield from _reached(case.of_call(expectation.call), expectation)
            case Heard():
                yield from judge_heard(case.of_call(expectation.call), expectation)
            case Order():
                yield from _order(case, expectation)
            case Conforms():
                yield from judge_conformance(case, expectation)
    yield from _uncalled(case)
    yield from _unattributed(case)
    yield from _unfinished(case)


def _never(case: Case, wanted: Never) -> Iterator[Finding]:
    for item in case.traffic.items:
        seen = item.seen
        if seen.agent != wanted.agent or not seen.received:
            continue
        of_a_call = item.owner is Owner.CALL or not case.scenario.calls
        if item.owner is Owner.UNKNOWN or (of_a_call and seen.sip.is_request):
            text = words.reached(wanted.agent, item, case.causes.of(item), case.begin)
            said, outcome = f"{case.subject(wanted.agent)}: never", case.graded(wanted.severity)
            entry, name = seen.entry, item.seen.name
            yield Finding(outcome, said, text, wanted.agent, wanted.place, case.cite, entry, observed=name)
            return


def _reached(case: Case, wanted: Reached) -> Iterator[Finding]:
    number = case.attempts(wanted.agent)
    if case.called(wanted.agent) if wanted.count is None else number in wanted.count:
        return
    said, outcome = f"{case.subject(wanted.agent)}: {wanted}", case.graded(wanted.severity)
    anything = "any request" if case.scenario.watch else words.one_of(case.methods)
    text, observed = f"{wanted.agent} never got {anything}", "nothing"
    if wanted.count is not None and number:
        text, observed = f"{wanted.agent} was reached {wanted.count.of(number)}", wanted.count.of(number)
    yield Finding(outcome, said, text, wanted.agent, wanted.place, case.cite, observed=observed)


def _order(case: Case, wanted: Order) -> Iterator[Finding]:
    found = [_happening(case, event) for event in wanted.events]
    for event, item in zip(wanted.events, found, strict=True):
        if item is None:
            text = f"{event} did not happen"
            said, seen = words.order(wanted), f"no {event}"
            outcome = case.graded(wanted.severity)
            yield Finding(outcome, said, text, event.agent, event.place, case.cite, observed=seen)
    for (before, first), (after, second) in pairwise(zip(wanted.events, found, strict=True)):
        if first is None or second is None or _own_order(case, first, second):
            continue
        spans = span(first, case.traffic), span(second, case.traffic)
        result = follows(*spans, case.record.header.uncertainty)
        if result is not Follows.YES:
            outcome = case.graded(wanted.severity) if result is Follows.NO else Outcome.INCONCLUSIVE
            text = words.disorder(before, after, *spans, result)
            entry, seen = second.seen.entry, f"{after} before {before}"
            said = words.order(wanted)
            yield Finding(outcome, said, text, after.agent, after.place, case.cite, entry, observed=seen)


def _happening(case: Case, event: Event) -> Item | None:
    """The message with which an event happens."""
    items = (i for i in case.traffic.items if not i.stray and happens(event, i.seen))
    return next(islice(items, event.count - 1, None), None)


def _own_order(case: Case, first: Item, second: Item) -> bool:
    """Whether both are messages of one agent, recorded by it in this order: that needs no clock."""
    items = case.traffic.items
    return first.seen.agent == second.seen.agent and items.index(first) < items.index(second)


def _uncalled(case: Case) -> Iterator[Finding]:
    """A scripted device that was never reached fails unless the scenario says so, or the rules of its fork."""
    judged = (Sequence, Never, Reached)
    spoken_of = {e.agent for e in case.scenario.expectations if isinstance(e, judged)}
    if any(isinstance(e, Conforms) for e in case.scenario.expectations):
        spoken_of |= {device for forked in forks_of(case) for group in forked.targets for device in group}
    for device in case.scenario.devices:
        if device.name not in spoken_of and not case.called(device.name):
            text = f"{device.name} was never called; if that is right, say `{device.name}: never` under expect"
            said = f"{device.name} is called"
            yield Finding(Outcome.FAIL, said, text, device.name, device.place, case.cite)


def _unattributed(case: Case) -> Iterator[Finding]:
    for item in _nobodys(case):
        said, text = "only messages of this run", words.unattributed(item)
        yield Finding(Outcome.INCONCLUSIVE, said, text, item.seen.agent, message=item.seen.entry)


def _nobodys(case: Case) -> Iterator[Item]:
    """What agents got that belongs to nobody; where nothing at all must come it has broken that."""
    never = {e.agent for e in case.scenario.expectations if isinstance(e, Never)}
    for item in case.traffic.items:
        if item.owner is Owner.UNKNOWN and item.seen.received and item.seen.agent not in never:
            yield item


def _unfinished(case: Case) -> Iterator[Finding]:
    for entry in case.record.entries:
        if isinstance(entry, Note) and entry.kind == "limit":
            said = "the run comes to an end" if case.scenario.timed else "the call comes to an end"
            text, observed = words.unfinished(entry), f"still open: {entry.data.get('open') or 'the call'}"
            yield Finding(Outcome.FAIL, said, text, place=case.scenario.place, cite=case.cite, observed=observed)
