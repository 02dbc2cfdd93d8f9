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
