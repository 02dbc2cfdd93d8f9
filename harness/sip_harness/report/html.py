"""One self-contained HTML page for the results of a session: no script, nothing loaded, everything escaped.

The page works from a file, in an archive of a pipeline, and offline. Arrows of a ladder lead to the raw message: the
fragment's element lies inside `<details>`, which browsers open for it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from sip_harness.model.result import Result
from sip_harness.model.verdict import Finding, Outcome
from sip_harness.report import facts
from sip_harness.report.chart import MARKS, Arrow, Chart, build
from sip_harness.report.escape import raw, visible
from sip_harness.report.explain import Source, excerpt, lines_of
from sip_harness.report.ladder import offset
from sip_harness.report.summary import LONG, name, reason, stacks, worst_first
from sip_harness.report.svg import Drawing, draw

MAX_MESSAGES = 300
"""Raw messages shown per run: the first ones, and those that findings are about. The record has all."""
_HELD = (Outcome.PASS, Outcome.DEVIATION)
_OPEN = {Outcome.FAIL, Outcome.WARN, Outcome.BLOCKED, Outcome.INCONCLUSIVE, Outcome.ERROR}


@dataclass(frozen=True, slots=True)
class FoundView:
    """A finding as the page shows it."""

    mark: str
    outcome: str
    where: str
    excerpt: str
    expected: str
    seen: str
    rule: str


@dataclass(frozen=True, slots=True)
class MessageView:
    """A raw message as the page shows it."""

    number: int
    time: str
    who: str
    label: str
    mark: str
    raw: str


@dataclass(frozen=True, slots=True)
class RunView:
    """A result as the page shows it; all texts are safe to show, markup apart, which the template escapes."""

    key: str
    outcome: str
    name: str
    title: str
    system: str
    stacks: str
    seconds: str
    reason: str
    why: str
    """In one line what did not hold, or why nothing was judged; empty if all held."""
    open: bool
    cite: str
    covers: str
    file: str
    record: str
    files: tuple[str, ...]
    """Names of record and capture, which lie beside the page."""
    found: tuple[FoundView, ...]
    ladder: Drawing | None
    facts: tuple[facts.Fact, ...]
    messages: tuple[MessageView, ...]
    linked: frozenset[int]
    left_out: int


def write(path: Path, results: Sequence[Result], source: Source | None = lines_of) -> None:
    """Write the page; `source` gives the lines of scenario files for the excerpts. Raises OSError."""
    path.write_text(render(results, source), encoding="utf-8")


def render(results: Sequence[Result], source: Source | None = lines_of) -> str:
    """The page as text."""
    counted = Counter(r.verdict.outcome for r in results)
    counts = [(outcome.value, counted[outcome]) for outcome in Outcome]
    runs = [_run(f"r{i}", result, source) for i, result in enumerate(worst_first(results))]
    broken = sum(run.open for run in runs)
    return _template().render(
        counts=counts,
        parts=_parts(runs, broken),
        broken=broken,
        total=len(results),
        seconds=f"{sum(r.seconds for r in results):.1f}",
        when=_when(results),
    )


def _parts(runs: list[RunView], broken: int) -> list[tuple[str, list[RunView]]]:
    """Tables with the heading of each: in a long session what did not hold stands with all that explains it before the
    hundreds of runs that nobody asks for."""
    if not broken or broken == len(runs) or len(runs) <= LONG:
        return [("", runs)]
    return [(f"{broken} did not hold", runs[:broken]), (f"{len(runs) - broken} others", runs[broken:])]


def _when(results: Sequence[Result]) -> str:
    """When the first run began: a page that is kept says which night it is of."""
    began = [r.record.header.started for r in results if r.record and r.record.header.started]
    return f"{datetime.fromtimestamp(min(began) / 1e9, UTC):%Y-%m-%d %H:%M:%S} UTC" if began else ""


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    page = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return page.get_template("report.html")


def _run(key: str, result: Result, source: Source | None) -> RunView:
    scenario, verdict, record = result.scenario, result.verdict, result.record
    chart = build(record, verdict) if record else None
    messages = _messages(result, chart) if chart else ()
    return RunView(
        key=key,
        outcome=verdict.outcome.value,
        name=name(result),
        title=visible(scenario.title),
        system=visible(result.system),
        stacks=stacks(record),
        seconds=f"{result.seconds:.2f}",
        reason="\n".join(visible(line) for line in verdict.reason.splitlines()),
        why="" if verdict.outcome in _HELD else reason(result),
        open=verdict.outcome in _OPEN,
        cite=visible("; ".join(scenario.cite)),
        covers=visible(", ".join(scenario.covers)),
        file=visible(str(scenario.place)),
        record=visible(result.record_file),
        files=_files(result),
        found=tuple(_found(f, source) for f in verdict.findings),
        ladder=draw(chart) if chart else None,
        facts=tuple(_facts(result, chart)),
        messages=messages,
        linked=frozenset(m.number for m in messages),
        left_out=len(record.messages) - len(messages) if record else 0,
    )


def _files(result: Result) -> tuple[str, ...]:
    """A link never leads out of the directory of the page, whatever a scenario is called."""
    path = Path(result.record_file)
    return (path.name, path.with_suffix(".pcapng").name) if re.fullmatch(r"[\w.-]+\.jsonl", path.name, re.ASCII) else ()


def _facts(result: Result, chart: Chart | None) -> list[facts.Fact]:
    if chart is None:
        return facts.of_run(result)
    return [*facts.of_media(result, chart.start), *facts.of_trouble(result, chart.start), *facts.of_run(result)]


def _found(finding: Finding, source: Source | None) -> FoundView:
    return FoundView(
        MARKS.get(finding.outcome, "·"),
        finding.outcome.value,
        visible(str(finding.place)) or visible(finding.agent) or "the run",
        "\n".join(excerpt(finding.place, finding.expected, source)),
        visible(finding.expected),
        visible(finding.seen),
        visible(finding.cite),
    )


def _messages(result: Result, chart: Chart) -> tuple[MessageView, ...]:
    record = result.record
    if record is None:
        return ()
    arrows = {row.number: row for row in chart.rows if isinstance(row, Arrow) and row.number is not None}
    kept = [i for i in range(len(record.messages)) if i < MAX_MESSAGES or (i in arrows and arrows[i].mark)]
    views = []
    for i in kept[: 2 * MAX_MESSAGES]:
        message, arrow = record.messages[i], arrows.get(i)
        label = f"{arrow.label}{arrow.suffix}" if arrow else visible(_first_line(message.data))
        who = f"{message.agent} {'sends' if message.direction == 'sent' else 'gets'}"
        time = offset(message.time, chart.start).strip()
        views.append(MessageView(i, time, visible(who), label, arrow.mark if arrow else "", raw(message.data)))
    return tuple(views)


def _first_line(data: bytes) -> str:
    return data[:200].partition(b"\r")[0].decode("utf-8", "surrogateescape")
