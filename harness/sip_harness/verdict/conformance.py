"""A run held against what a conforming proxy owes (`expect: rfc3261`): no expectation has to be written by hand.

A broken MUST is a failure, a broken SHOULD a warning, each with its rule.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

from sip_harness.model.entry import Note
from sip_harness.model.pattern import RequestPattern
from sip_harness.model.verdict import Finding, Outcome
from sip_harness.model.wanted import AnyOrder, Conforms, Expected, Sequence
from sip_harness.verdict import words
from sip_harness.verdict.case import Case
from sip_harness.verdict.forks import Forked, answers, forks_of
from sip_harness.verdict.oracle import SYSTEM, Answer, Branch, Owed
from sip_harness.verdict.sequences import judge_sequence
from sip_harness.verdict.traffic import Item, Owner

_FORKING = "RFC 3261 16.6"
_AT_ONCE = "RFC 3261 16.7 step 5"
_CHOICE = "RFC 3261 16.7 step 6"
_CANCEL = "RFC 3261 16.7 steps 5 and 10, 16.8, 16.10"
_NO_STRAYS = "RFC 6026 7.3"
_MATCHING = "RFC 3261 17.1.3, 12.2.2"
_JUDGED_HERE = ("late INVITE", "late CANCEL")
"""Lateness that is told by fork, with the severity of its rule."""


def judge_conformance(case: Case, wanted: Conforms) -> Iterator[Finding]:
    """Findings on every fork of the record, and on what each device got besides."""
    kind = case.record.header.kind
    if kind != "proxy":
        seen = f"the system is a {kind}: these rules are those of proxies, and nothing can be said by them"
        yield Finding(Outcome.INCONCLUSIVE, "rfc3261", seen, place=wanted.place)
        return
    yield from _useless(case, wanted)
    judges = [_Judge(case, wanted, forked) for forked in forks_of(case)]
    for judge in judges:
        yield from judge.findings()
    for device in case.scenario.devices:
        items = [item for judge in judges for item in judge.sequence(device.name)]
        found = judge_sequence(case, Sequence(device.name, tuple(items), wanted.place))
        yield from (f for f in found if not f.observed.startswith(_JUDGED_HERE))


def _useless(case: Case, wanted: Conforms) -> Iterator[Finding]:
    """What callers got and can do nothing with: responses to no request of theirs, provisionals after the end."""
    for item in case.traffic.items:
        agent, m = item.seen.agent, item.seen.sip
        if agent in case.devices or not item.seen.received or item.owner is not Owner.CALL:
            continue
        late = 100 <= m.code < 200 and case.is_over(item)
        if item.stray or late:
            said, rule = f"{agent}: only what it has a use for", _AT_ONCE if late else _MATCHING
            name = case.describe(item)
            text = f"{agent} got {name}{case.remark(item)}"
            yield Finding(Outcome.FAIL, said, text, agent, wanted.place, rule, item.seen.entry, observed=f"also {name}")


class _Judge:
    """One fork."""

    def __init__(self, case: Case, wanted: Conforms, forked: Forked) -> None:
        self._case = case
        self._place = wanted.place
        self._forked = forked
        self._caller = forked.caller
        self._owed = forked.fork.owed()
        self._prompt = case.policy.prompt
        self._branches = {b.device: b for b in forked.fork.branches}
        self._got = [i for i in case.traffic.at(forked.caller, received=True) if answers(i, forked.invite)]
        self._failures = [i for i in self._got if i.seen.sip.code >= 300]

    def findings(self) -> Iterator[Finding]:
        """What is wrong with it, but for messages that a device got without need: see `sequence`."""
        yield from self._answers()
        yield from self._strangers()
        yield from self._one_failure()
        yield from self._failure()
        for device in (device for group in self._forked.targets for device in group):
            yield from self._search(device)
            yield from self._cancelled(device)

    def _answers(self) -> Iterator[Finding]:
        """Every 2xx at once."""
        for answer in self._owed.answers:
            sent = self._branches[answer.device].final
            item = next((i for i in self._got if self._answer(i) == answer), None)
            if item is None:
                text = f"{self._caller} never got the {answer.code} that {answer.device} sent"
                yield self._finding(str(answer), text, _AT_ONCE, observed="nothing", due=sent)
            else:
                yield from self._late(str(answer), item, sent, f"{answer.device} sent it", _AT_ONCE)

    def _strangers(self) -> Iterator[Finding]:
        """A 2xx of no branch, or of one that was over."""
        for item in self._got:
            if 200 <= item.seen.sip.code < 300 and self._answer(item) not in self._owed.answers:
                described = self._case.describe(item)
                text = f"{self._caller} got {described}, which belongs to no live branch"
                said = "only responses of live branches"
                yield self._finding(said, text, _NO_STRAYS, item=item, observed=f"also {described}")

    def _one_failure(self) -> Iterator[Finding]:
        answered = min((self._since(i) for i in self._got if 200 <= i.seen.sip.code < 300), default=math.inf)
        for n, item in enumerate(self._failures):
            if n or self._since(item) > answered:
                described = self._case.describe(item)
                text = f"{self._caller} also got {described}, after its final response"
                yield self._finding("one final response", text, _AT_ONCE, item=item, observed=f"also {described}")

    def _failure(self) -> Iterator[Finding]:
        """The final response that is no 2xx: which one, and when."""
        owed = self._owed
        if self._failures:
            yield from self._choice(self._failures[0])
            yield from self._timely(self._failures[0])
        elif owed.finals and not owed.answers and owed.over.due < self._end:
            text = f"{self._caller} heard nothing although every branch was over"
            yield self._finding(_any_of(owed.finals), text, _AT_ONCE, observed="nothing", due=owed.over.due)

    def _choice(self, item: Item) -> Iterator[Finding]:
        owed, came = self._owed, self._answer(item)
        if not owed.finals or came in owed.wanted or _merged(came, owed):
            return
        may = came in owed.finals
        text = f"{self._caller} got {self._case.describe(item)} instead"
        yield self._finding(
            _any_of(owed.wanted if may else owed.finals), text, _CHOICE,
            item=item, observed=self._case.describe(item), outcome=Outcome.WARN if may else Outcome.FAIL,
        )  # fmt: skip

    def _timely(self, item: Item) -> Iterator[Finding]:
        begin = self._owed.over.begin
        if not self._owed.finals:
            return
        if self._since(item) < begin:
            text = f"{item.seen.name} reached {self._caller} while a branch was open that nothing has ended"
            if math.isfinite(begin):
                early = words.duration(int((begin - self._since(item)) * 1e9))
                text = f"{item.seen.name} reached {self._caller} {early} before the last branch was over"
            said = "no failure before every branch is over"
            yield self._finding(said, text, _AT_ONCE, item=item, observed=f"early {item.seen.name}")
        else:
            said = "a failure as soon as every branch is over"
            yield from self._late(said, item, self._owed.over.due, "the last branch was over", _AT_ONCE)

    def _search(self, device: str) -> Iterator[Finding]:
        """Who is tried, and who is not."""
        came, due = self._forked.branches[device], self._owed.tried.get(device)
        if device in self._owed.untried and came:
            text = f"{device} got INVITE although the search was over"
            yield self._finding(f"{device}: never", text, _AT_ONCE, item=came[0], observed="INVITE")
        elif due is not None and came:
            yield from self._late(f"{device}: INVITE", came[0], due.due, "it was due", _FORKING)
        elif due is not None and due.due < self._end:
            said = f"{device}: INVITE"
            yield self._finding(
                said, f"{device} was never tried", _FORKING, agent=device, observed="nothing", due=due.due
            )

    def _cancelled(self, device: str) -> Iterator[Finding]:
        """A CANCEL comes promptly. That one is owed at all says the sequence, but on a 6xx it is a SHOULD."""
        window, branch = self._owed.cancelled.get(device), self._branches.get(device)
        if window is None or branch is None or self._crossed(branch):
            return
        came = [i for i in self._case.traffic.at(device, received=True) if self._cancels(i, branch)]
        should = Outcome.WARN if self._is_for_6xx(branch) else Outcome.FAIL
        if came:
            for finding in self._late(f"{device}: CANCEL", came[0], window.due, "it was due", _CANCEL):
                yield replace(finding, outcome=should) if finding.outcome is Outcome.FAIL else finding
        elif should is Outcome.WARN and window.due < self._end:
            text = f"{device} was left ringing although another device had sent a 6xx"
            said = f"{device}: CANCEL"
            yield self._finding(said, text, _CANCEL, agent=device, observed="nothing", outcome=should, due=window.due)

    def sequence(self, device: str) -> Iterator[Expected | AnyOrder]:
        """All that this fork brings to a device."""
        branch = self._branches.get(device)
        if branch is None:
            return
        yield self._request("INVITE")
        ends: list[Expected] = []
        if device in self._owed.cancelled:
            ends.append(self._request("CANCEL", maybe=self._is_for_6xx(branch) or self._crossed(branch)))
        if branch.code >= 300:
            ends.append(self._request("ACK", frozenset({branch.code})))
        if len(ends) > 1:
            yield AnyOrder(tuple(ends), self._place)
        else:
            yield from ends
        yield from self._within(branch)

    def _within(self, branch: Branch) -> Iterator[Expected]:
        """What the caller sends within the dialog reaches the device (RFC 3261 16.6 step 4, 16.12)."""
        dialog = self._dialog(branch)
        for item in self._case.traffic.sent() if dialog else ():
            m = item.seen.sip
            if item.seen.agent == self._caller and m.is_request and (m.call_id, m.to_tag) == dialog:
                yield self._request(m.method)

    def _dialog(self, branch: Branch) -> tuple[str, str] | None:
        """Call-ID and To-tag of the dialog that its 2xx has begun, if any."""
        came = self._forked.branches[branch.device][0]
        sent = [i.seen.sip for i in self._case.traffic.sent() if i.seen.agent == branch.device and answers(i, came)]
        return next(((m.call_id, m.to_tag) for m in sent if 200 <= m.code < 300), None)

    def _request(self, method: str, acks: frozenset[int] = frozenset(), *, maybe: bool = False) -> Expected:
        return Expected(RequestPattern(method, acks), maybe, place=self._place)

    def _crossed(self, branch: Branch) -> bool:
        """Whether the branch may have been over by the time that the CANCEL had to come."""
        return branch.final <= self._owed.cancelled[branch.device].due + self._prompt and branch.code != 487

    def _is_for_6xx(self, branch: Branch) -> bool:
        """Whether nothing but a 6xx of another branch asks for the CANCEL."""
        fork, begin = self._forked.fork, self._owed.cancelled[branch.device].begin
        refused = [b.final for b in fork.branches if b.code >= 600]
        musts = [b.final for b in fork.branches if 200 <= b.code < 300 and b is not branch]
        ring = branch.provisional + fork.timers.ring - fork.timers.late
        return min(refused, default=math.inf) <= begin < min([fork.caller_cancels, ring, *musts])

    def _cancels(self, item: Item, branch: Branch) -> bool:
        m, invite = item.seen.sip, self._forked.branches[branch.device][0].seen.sip
        return m.method == "CANCEL" and (m.call_id, m.branch) == (invite.call_id, invite.branch)

    def _answer(self, item: Item) -> Answer:
        source = self._case.source(item)
        return Answer(item.seen.sip.code, SYSTEM if source == "system" else source)

    def _since(self, item: Item) -> float:
        return (item.time - self._forked.invite.time) / 1e9

    @property
    def _end(self) -> float:
        """Until when what is due must have come to be in the record: all that was due before a run was over."""
        kinds = {e.kind for e in self._case.record.entries if isinstance(e, Note)}
        grace = 0.0 if {"closed", "end"} <= kinds else self._prompt
        return (self._case.end - self._forked.invite.time) / 1e9 - grace

    def _late(self, said: str, item: Item, due: float, cause: str, rule: str) -> Iterator[Finding]:
        late = self._since(item) - due
        if late <= self._prompt:
            return
        lateness, agent = words.duration(int(late * 1e9)), item.seen.agent
        text = f"{item.seen.name} reached {agent} {lateness} after {cause}; it was due within {self._case.prompt}"
        starved = self._case.stalls.excuse((late - self._prompt) * 1e9, self._forked.at(due), item.time)
        outcome = Outcome.INCONCLUSIVE if starved else Outcome.FAIL
        yield self._finding(said, text, rule, item=item, observed=f"late {item.seen.name}", outcome=outcome)

    def _finding(
        self,
        said: str,
        text: str,
        rule: str,
        *,
        agent: str = "",
        item: Item | None = None,
        observed: str = "",
        due: float = math.inf,
        outcome: Outcome = Outcome.FAIL,
    ) -> Finding:
        who = item.seen.agent if item else agent or self._caller
        message = item.seen.entry if item else None
        missing = self._forked.at(due) if due < math.inf else None
        expected = said if said.startswith(f"{who}:") else f"{who}: {said}"
        starved = outcome is Outcome.INCONCLUSIVE
        return Finding(outcome, expected, text, who, self._place, rule, message, missing, observed, starved)


def _merged(came: Answer, owed: Owed) -> bool:
    """A challenge that carries those of other branches as well may be the proxy's own (RFC 3261 16.7 step 7)."""
    return came.code in (401, 407) and any(a.code in (401, 407) for a in owed.wanted)


def _any_of(found: Iterable[Answer]) -> str:
    return " or ".join(sorted(map(str, found)))
