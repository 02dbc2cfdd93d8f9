"""What one agent got, held against what it should have got."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sip_harness.model.entry import Note
from sip_harness.model.pattern import RequestPattern, ResponsePattern
from sip_harness.model.verdict import Finding, Outcome
from sip_harness.model.wanted import AnyOrder, Expected, ItemsByKind, Sequence
from sip_harness.record.seen import matches
from sip_harness.verdict import words
from sip_harness.verdict.case import Case
from sip_harness.verdict.content import earlier, origin, wrong
from sip_harness.verdict.matching import Fits, Pair, lay_out
from sip_harness.verdict.moments import untimely
from sip_harness.verdict.schedules import deviations
from sip_harness.verdict.traffic import Item, Owner

_A_WHILE = 1_000_000_000
"""Nanoseconds after the last sending in which another one may have been due."""


def judge_sequence(case: Case, wanted: Sequence) -> Iterator[Finding]:
    """Findings on one agent's sequence, in the order of its lines."""
    return _SequenceJudge(case, wanted).findings()


class _SequenceJudge:
    def __init__(self, case: Case, wanted: Sequence) -> None:
        self._case = case
        self._wanted = wanted
        self._agent = wanted.agent
        self._items = [item for item in wanted.items if not isinstance(item, ItemsByKind)]
        flat = [one for item in self._items for one in (item.items if isinstance(item, AnyOrder) else (item,))]
        self._counted = [one for one in flat if one.count is not None]
        self._named = _methods(flat)

    def findings(self) -> Iterator[Finding]:
        got = self._case.traffic.at(self._agent, received=True)
        rows = list(_merge(lay_out(self._items, got, self._fits, self._is_open)))
        if not got and (untouched := self._untouched(rows)):
            yield untouched
            return
        miscounted = [one for one in self._counted if self._number(one, rows) not in (one.count or ())]
        yield from (self._miscounted(one, self._number(one, rows)) for one in miscounted)
        for expected, item in rows:
            of_count = any(_of(one, expected, item, self._fits) for one in miscounted)
            if expected is None and item is not None:
                if not of_count:
                    yield self._unasked(item)
            elif expected is not None and item is None:
                if not expected.maybe and not of_count:
                    yield self._missing(expected)
            elif expected is not None and item is not None and self._fits(expected, item):
                yield from self._met(replace(expected, maybe=expected.maybe and not expected.count), item)
            elif expected is not None and item is not None:
                yield self._instead(expected, item)

    def _untouched(self, rows: list[tuple[Expected | None, Item | None]]) -> Finding | None:
        """One finding for an agent that got nothing at all: what would have followed its first request is no further
        mistake of the system's."""
        owed = [one for one, _ in rows if one is not None and not one.maybe]
        if not owed or not isinstance(owed[0].pattern, RequestPattern) or owed[0].severity != "must" or owed[0].count:
            return None
        finding = self._missing(owed[0])
        return replace(finding, seen=words.either(finding.seen, [str(one.pattern) for one in owed[1:]]))

    def _met(self, expected: Expected, item: Item) -> Iterator[Finding]:
        yield from self._untimely(expected, item) if expected.timing else self._late(expected, item)
        yield from self._resent(expected, item)
        yield from self._wrong_content(expected, item)

    def _number(self, counted: Expected, rows: list[tuple[Expected | None, Item | None]]) -> int:
        """How often a message came that is counted, those included that were too many."""
        return sum(item is not None and _of(counted, expected, item, self._fits) for expected, item in rows)

    def _miscounted(self, expected: Expected, number: int) -> Finding:
        assert expected.count is not None
        seen = f"{self._agent} got {expected.pattern} {expected.count.of(number)}"
        return self._finding(expected, seen, f"{expected.pattern} {expected.count.of(number)}")

    def _untimely(self, expected: Expected, item: Item) -> Iterator[Finding]:
        when = untimely(self._case, expected.timing, item.time) if expected.timing else None
        if when is None:
            return
        seen = f"{item.seen.name} reached {self._agent} {when.said}"
        if when.starved:
            seen = f"{seen}; but this machine itself stood still in that time, so the system cannot be blamed"
        outcome = Outcome.INCONCLUSIVE if when.starved else Outcome.FAIL
        yield self._finding(expected, seen, f"{when.how} {item.seen.name}", item=item, outcome=outcome)

    def _wrong_content(self, expected: Expected, item: Item) -> Iterator[Finding]:
        case = self._case

        def other(whose: tuple[str, ...]) -> Item | None:
            if len(whose) > 1:
                return earlier(item, whose[1], case.traffic.items)
            return origin(item, whose[0], case.traffic.items)

        for match in expected.matches:
            if observed := wrong(match, item, other):
                seen = f"{case.describe(item)} reached {self._agent} with {observed}"
                found = self._finding(replace(expected, severity=match.severity), seen, observed, item=item)
                yield replace(
                    found, expected=f"{case.subject(self._agent)}: {expected} with {match}", place=match.place
                )

    def _fits(self, expected: Expected, item: Item) -> bool:
        if item.stray or not matches(expected.pattern, item.seen):
            return False
        return not expected.source or self._case.may_be_from(item, expected.source)

    def _is_open(self, item: Item) -> bool:
        """What need not be named: provisionals before the final response, the system's own requests, the first 2xx to
        what an agent sends within a call (CANCEL, BYE, INFO, ...), and a challenge that the agent has answered."""
        m = item.seen.sip
        if item.stray or any(self._fits(one, item) for one in self._counted):
            return False
        if m.is_request:
            return item.owner is Owner.SYSTEM and m.method not in self._named
        if self._case.is_over(item):
            return False
        if m.code < 200 or (m.code in (401, 407) and self._answered_challenge(item)):
            return True
        if m.code >= 300 or m.cseq[1] == "INVITE" or self._case.is_single(item):
            return False
        return self._asked_for(item)

    def _asked_for(self, item: Item) -> bool:
        """Whether the agent has sent the request that this response says it answers."""
        m = item.seen.sip
        return any(
            i.seen.agent == item.seen.agent and i.seen.sip.method == m.cseq[1] and i.seen.sip.cseq == m.cseq
            for i in self._case.traffic.sent()
        )

    def _answered_challenge(self, item: Item) -> bool:
        challenged = item.seen.sip
        return any(
            i.seen.agent == item.seen.agent
            and i.seen.sip.method == challenged.cseq[1]
            and i.seen.sip.call_id == challenged.call_id
            and i.seen.sip.cseq[0] > challenged.cseq[0]
            and bool(i.seen.sip.get("authorization") or i.seen.sip.get("proxy-authorization"))
            for i in self._case.traffic.sent()
        )

    def _missing(self, expected: Expected) -> Finding:
        case = self._case
        cause = case.causes.of_missing(self._agent, expected, case.end)
        due = cause.time + int(case.policy.prompt * 1e9) if cause else case.end
        seen = words.missing(self._agent, expected, cause, case.prompt, case.begin)
        seen += self._unsent(expected) + self._uncancellable(expected)
        return self._finding(expected, seen, "nothing", missing_at=due)

    def _unsent(self, expected: Expected) -> str:
        """Why a response cannot have come: nobody asked for it, as where an answer has overtaken the CANCEL or the
        system has closed the connection."""
        method = expected.pattern.method
        if not isinstance(expected.pattern, ResponsePattern):
            return ""
        entries = self._case.record.entries
        notes = (e for e in entries if isinstance(e, Note) and e.kind == "unsent" and e.agent == self._agent)
        why = next((f": {note.text}" for note in notes), "")
        if method == "INVITE" and not why:
            return ""
        sent = any(i.seen.agent == self._agent and i.seen.sip.method == method for i in self._case.traffic.sent())
        return "" if sent else f" ({self._agent} sent no {method}{why})"

    def _uncancellable(self, expected: Expected) -> str:
        """Why a CANCEL cannot have come: it must not be sent before a provisional response (RFC 3261 9.1)."""
        if not isinstance(expected.pattern, RequestPattern) or expected.pattern.method != "CANCEL":
            return ""
        sent = (i.seen.sip for i in self._case.traffic.sent() if i.seen.agent == self._agent)
        silent = not any(m.code and m.cseq[1] == "INVITE" for m in sent)
        return " (it has not said anything, and so nobody may cancel it: RFC 3261 9.1)" if silent else ""

    def _unasked(self, item: Item) -> Finding:
        case = self._case
        described = f"{case.describe(item)}{case.remark(item)}"
        seen = words.unasked(self._agent, item, described, case.causes.of(item), case.begin)
        allowed = words.closed(self._wanted, case.subject(self._agent))
        place, entry = self._wanted.place, item.seen.entry
        return Finding(
            case.graded(self._wanted.severity), allowed, seen, self._agent, place, case.cite, entry,
            observed=f"also {case.describe(item)}",
        )  # fmt: skip

    def _instead(self, expected: Expected, item: Item) -> Finding:
        case = self._case
        described = f"{case.describe(item)} instead{case.remark(item)}"
        seen = words.instead(self._agent, described, item, case.causes.of(item), case.begin)
        return self._finding(expected, seen, case.describe(item), item=item)

    def _late(self, expected: Expected, item: Item) -> Iterator[Finding]:
        case = self._case
        cause = case.causes.of(item)
        if cause is None or (late := item.time - cause.time) <= case.policy.prompt * 1e9:
            return
        observed = f"late {item.seen.name}"
        if case.stalls.excuse(late - case.policy.prompt * 1e9, cause.time, item.time):
            seen = words.starved(self._agent, item, cause, late)
            yield self._finding(expected, seen, observed, item=item, outcome=Outcome.INCONCLUSIVE)
        else:
            seen = words.late(self._agent, item, cause, late, case.prompt)
            yield self._finding(expected, seen, observed, item=item)

    def _resent(self, expected: Expected, item: Item) -> Iterator[Finding]:
        if expected.resent is None:
            return
        cause = self._case.causes.of(item)
        behind = 0.0 if cause is None else max(0.0, min((item.time - cause.time) / 1e9, self._case.policy.prompt))
        for why in deviations(expected.resent, item, self._case.policy, behind, self._case.record.header.kind):
            seen = f"{item.seen.name} reached {self._agent} {item.times} times: {why}"
            # It is sent by a timer: a machine that stood still meanwhile may have kept it.
            last = max([item.time, *(m.time for m in item.again)]) + _A_WHILE
            starved = self._case.stalls.within(item.time, last) > self._case.policy.prompt * 0.5e9
            outcome = Outcome.INCONCLUSIVE if starved else Outcome.FAIL
            yield self._finding(expected, seen, f"{item.seen.name} {item.times} times", item=item, outcome=outcome)

    def _finding(
        self,
        expected: Expected,
        seen: str,
        observed: str,
        *,
        item: Item | None = None,
        missing_at: int | None = None,
        outcome: Outcome = Outcome.FAIL,
    ) -> Finding:
        if outcome is Outcome.FAIL:
            outcome = self._case.graded(expected.severity, self._wanted.severity)
        said = f"{self._case.subject(self._agent)}: {expected}"
        message = item.seen.entry if item else None
        place, cite = expected.place, self._case.cite
        starved = outcome is Outcome.INCONCLUSIVE
        return Finding(outcome, said, seen, self._agent, place, cite, message, missing_at, observed, starved)


def _methods(flat: list[Expected]) -> frozenset[str]:
    """Requests that a sequence names: of these it is closed, also where the system makes them by itself."""
    return frozenset(one.pattern.method for one in flat if isinstance(one.pattern, RequestPattern))


def _of(counted: Expected, expected: Expected | None, item: Item | None, fits: Fits) -> bool:
    """Whether a row of the layout is about this counted message."""
    if expected is not None:
        same = replace(expected, maybe=False) == counted
        return same and (item is None or fits(expected, item))
    return item is not None and fits(counted, item)


def _merge(rows: list[Pair]) -> Iterator[tuple[Expected | None, Item | None]]:
    """Rows of the layout, where a missing message beside an unasked one of its kind is one deviation: this instead
    of that."""
    n = 0
    while n < len(rows):
        row, following = rows[n], rows[n + 1] if n + 1 < len(rows) else None
        if following is not None and _stands_for(row, following):
            yield row.expected or following.expected, row.item or following.item
            n += 2
        else:
            yield row.expected, row.item
            n += 1


def _stands_for(row: Pair, following: Pair) -> bool:
    if not (row.wrong and following.wrong) or (row.item is None) == (following.item is None):
        return False
    missing = row.expected or following.expected
    unasked = row.item or following.item
    if missing is None or unasked is None:
        return False
    return isinstance(missing.pattern, ResponsePattern) != unasked.seen.sip.is_request
