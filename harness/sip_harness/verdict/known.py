"""Known deviations: failures that a profile expects of its system, each tied to one expectation and one value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from sip_harness.model.place import Place
from sip_harness.model.policy import Deviation
from sip_harness.model.verdict import UNEXPECTED, Finding, Outcome


def weigh(known: Sequence[Deviation], found: Iterable[Finding], place: Place) -> Iterator[Finding]:
    """The findings, those that are known marked as deviations, and one more for each that did not show.

    An unexpected pass is a failure: either the system was mended, and the profile has to say so, or the scenario no
    longer sees what it was written for. Where nothing can be said of the expectation, nothing has passed.
    """
    findings, missed = list(found), list(known)
    for finding in findings:
        deviation = next((d for d in known if _is(d, finding)), None)
        if deviation is None:
            yield finding
            continue
        if deviation in missed:
            missed.remove(deviation)
        yield replace(finding, outcome=Outcome.DEVIATION, seen=f"{finding.seen}. Known: {deviation.reason}")
    undecided = {f.expected for f in findings if f.outcome is Outcome.INCONCLUSIVE}
    for deviation in (d for d in missed if d.expectation not in undecided):
        seen = "it held: the known deviation did not show"
        if others := _others(deviation, findings):
            seen = f"instead of the known deviation: {others}"
        expected = f"the known deviation of {deviation.expectation!r}: {deviation.observed}"
        yield Finding(Outcome.FAIL, expected, seen, place=place, cite=deviation.reason, observed=UNEXPECTED)


def _is(deviation: Deviation, finding: Finding) -> bool:
    same = deviation.expectation == finding.expected and deviation.observed == finding.observed
    return same and finding.outcome in (Outcome.FAIL, Outcome.WARN)


def _others(deviation: Deviation, findings: Iterable[Finding]) -> str:
    same = (f.observed for f in findings if f.expected == deviation.expectation)
    return ", ".join(same)
