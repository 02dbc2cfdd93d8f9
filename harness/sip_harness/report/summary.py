"""One line per scenario, and one that counts the verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sip_harness.model.entry import Record
from sip_harness.model.result import Result
from sip_harness.model.verdict import Outcome
from sip_harness.report.escape import cells, clip, visible

STYLES = {
    Outcome.PASS: "green", Outcome.WARN: "yellow", Outcome.DEVIATION: "cyan", Outcome.FAIL: "bold red",
    Outcome.SKIP: "dim", Outcome.BLOCKED: "magenta", Outcome.INCONCLUSIVE: "magenta", Outcome.ERROR: "bold red",
}  # fmt: skip
"""The rich style of each verdict, for every place that shows one."""
_TITLE = 48
_FINE = (Outcome.PASS, Outcome.SKIP, Outcome.DEVIATION)
_SEEN = 100
LONG = 10
"""More runs than this do not fit on a screen with all that is said of them."""
WORST_FIRST = (
    Outcome.ERROR, Outcome.FAIL, Outcome.BLOCKED, Outcome.INCONCLUSIVE, Outcome.WARN, Outcome.DEVIATION, Outcome.PASS,
    Outcome.SKIP,
)  # fmt: skip
"""The order in which somebody who has to mend things wants to read verdicts."""


def worst_first(results: Sequence[Result]) -> list[Result]:
    """What did not hold before what did; runs with the same verdict stay in their order."""
    return sorted(results, key=lambda result: WORST_FIRST.index(result.verdict.outcome))


def recap(results: Sequence[Result]) -> list[list[tuple[str, str]]]:
    """A line for every run that did not hold, with its place and what was seen; none if the runs were few."""
    return [_short(r) for r in worst_first(results) if r.verdict.outcome not in _FINE] if len(results) > LONG else []


def _short(result: Result) -> list[tuple[str, str]]:
    """`fail          FK-01          busy/600.sip.yaml:15:20: CANCEL reached mobile 2.87 s after …`."""
    verdict = result.verdict
    first = verdict.findings[0] if verdict.findings else None
    place = visible(str(first.place if first and first.place.file else result.scenario.place))
    head = (f"{verdict.outcome.value:12}  ", STYLES[verdict.outcome])
    return [head, (f"{name(result):13}  ", "bold"), (f"{place}: ", ""), (clip(reason(result), _SEEN), "")]


def reason(result: Result) -> str:
    """In one line what was seen first of what did not hold, or why there is no verdict."""
    first = result.verdict.findings[0] if result.verdict.findings else None
    return visible((first.seen if first else result.verdict.reason).strip().partition("\n")[0])


def name(result: Result) -> str:
    """Id of the scenario, with the number of the repetition from the second on: `FK-01`, `FK-01#2`."""
    return visible(result.scenario.id) + (f"#{result.repeat + 1}" if result.repeat else "")


def line(result: Result) -> str:
    """`fail          FK-01     Title …    kamailio  alice wire, desk pjsua2   4.20 s`."""
    return "".join(text for text, _ in pieces(result)).rstrip()


def pieces(result: Result) -> list[tuple[str, str]]:
    """The same line as pieces of text with their rich styles."""
    outcome = result.verdict.outcome
    title = clip(visible(result.scenario.title), _TITLE)
    used = stacks(result.record)
    why = visible(result.verdict.reason.strip().partition("\n")[0]) if outcome is Outcome.SKIP else ""
    return [
        (f"{outcome.value:12}  ", STYLES[outcome]),
        (f"{name(result):13}  ", "bold"),
        (title + " " * (_TITLE - cells(title)) + "  ", ""),
        (f"{visible(result.system):15}  ", ""),
        (f"{result.seconds:6.2f} s", "dim"),
        (f"  {used or why}", "dim"),
        (f"  (run {result.tries} times: this machine stood still)" if result.tries > 1 else "", "dim"),
    ]


def stacks(record: Record | None) -> str:
    """Which agent was on which stack: `alice wire, desk pjsua2`; empty if nothing was started."""
    return visible(", ".join(f"{r.name} {r.stack}" for r in record.header.roles)) if record else ""


def counts(results: Sequence[Result]) -> str:
    """`12 scenarios: 11 pass, 0 warn, …`: every verdict, those that did not occur as well."""
    return "".join(text for text, _ in count_pieces(results))


def count_pieces(results: Sequence[Result]) -> list[tuple[str, str]]:
    """The same line as pieces of text with their rich styles."""
    counted = Counter(r.verdict.outcome for r in results)
    made = [(f"{len(results)} run{'s' if len(results) != 1 else ''}: ", "bold")]
    for i, outcome in enumerate(Outcome):
        made.append((", " if i else "", ""))
        made.append((f"{counted[outcome]} {outcome.value}", STYLES[outcome] if counted[outcome] else "dim"))
    return made
