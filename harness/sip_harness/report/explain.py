"""Why a run failed, so that nobody has to run it again: findings with their source lines, the ladder, the facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import wrap

from rich.text import Text

from sip_harness.model.place import Place
from sip_harness.model.result import Result
from sip_harness.model.verdict import Finding, Outcome
from sip_harness.report import facts, ladder
from sip_harness.report.chart import MARKS, build
from sip_harness.report.escape import clip, raw, visible
from sip_harness.report.summary import STYLES, name

Source = Callable[[str], list[str]]
"""Gives the lines of a scenario file; empty if there are none to be had."""

_MAX_SOURCE = 1_000_000
_MAX_FINDINGS = 20
_MAX_RAW = 24
_WRAP = 86


def lines_of(file: str) -> list[str]:
    """Lines of a file on disk, none if it cannot be read: an explanation is not the place to fail."""
    try:
        with Path(file).open(encoding="utf-8", errors="replace") as opened:
            return opened.read(_MAX_SOURCE).splitlines()
    except (OSError, ValueError):
        return []


def text(result: Result, source: Source | None = lines_of, width: int = 100) -> str:
    """The whole explanation in plain text; `source` None shows no source lines."""
    return "\n".join("".join(piece for piece, _ in line).rstrip() for line in _lines(result, source, width))


def rich(result: Result, source: Source | None = lines_of, width: int = 100) -> Text:
    """The same explanation with colours."""
    return Text("\n").join(Text.assemble(*line) for line in _lines(result, source, width))


def findings(result: Result, source: Source | None = lines_of) -> str:
    """Only what did not hold, without ladder and facts: for places that show those by themselves."""
    return "\n".join("".join(piece for piece, _ in line).rstrip() for line in _findings(result, source)).strip()


def excerpt(place: Place, expected: str, source: Source | None) -> list[str]:
    """The source line of a place with a caret below what is meant; empty where there is no such line."""
    found = source(place.file) if source is not None and place.file and place.line else []
    if not 0 < place.line <= len(found):
        return []
    line, number = found[place.line - 1], f"{place.line:>5} | "
    column = min(max(place.column, 1), len(line) + 1) - 1
    said = expected.partition(": ")[2] or expected
    length = len(visible(said)) if line.startswith(said, column) else 1
    carets = f"{'':{len(number) - 2}}| {'':{len(visible(line[:column]))}}{'^' * length}"
    return [f"{number}{visible(line)}", *([carets] if place.column else [])]


def _lines(result: Result, source: Source | None, width: int) -> Iterator[list[ladder.Piece]]:
    outcome, title = result.verdict.outcome, visible(result.scenario.title)
    system = f"  on {visible(result.system)}" if result.system else ""
    yield [(outcome.value.upper(), STYLES[outcome]), (f"  {name(result)}  {title}{system}", "bold")]
    yield from _findings(result, source)
    start = 0
    if (record := result.record) is not None:
        yield [("", "")]
        yield from ladder.lines(record, result.verdict, width)
        start = build(record, result.verdict).start
    shown = [*facts.of_media(result, start), *facts.of_trouble(result, start), *facts.of_run(result)]
    if result.record_file:
        shown.append(facts.Fact("record", (visible(result.record_file),)))
    if shown:
        yield [("", "")]
    for line in facts.table(shown):
        yield [(line, "")]


def _findings(result: Result, source: Source | None) -> Iterator[list[ladder.Piece]]:
    verdict = result.verdict
    if verdict.reason:
        yield [("", "")]
        yield from (
            [(line, STYLES[verdict.outcome])] for line in raw(verdict.reason.encode("utf-8", "replace")).split("\n")
        )
    for finding in verdict.findings[:_MAX_FINDINGS]:
        yield [("", "")]
        yield from _finding(finding, source)
    if (more := len(verdict.findings) - _MAX_FINDINGS) > 0:
        yield [("", "")]
        yield [(f"… {more} more findings", "bold")]


def _finding(finding: Finding, source: Source | None) -> Iterator[list[ladder.Piece]]:
    style = STYLES[finding.outcome]
    where = visible(str(finding.place)) or visible(finding.agent) or "the run"
    kind = "" if finding.outcome is Outcome.FAIL else f" ({finding.outcome.value})"
    yield [(f"{MARKS.get(finding.outcome, '·')} ", style), (f"{where}{kind}", "bold")]
    for line in excerpt(finding.place, finding.expected, source):
        yield [(line, "dim" if " | " in line else style)]
    for part, said, how in (
        ("expected", finding.expected, ""),
        ("seen", finding.seen, style),
        ("rule", finding.cite, ""),
    ):
        for i, line in enumerate(wrap(visible(said), _WRAP, break_long_words=False, break_on_hyphens=False)):
            yield [(f"  {'' if i else part:8}  ", "bold"), (line, how)]
    if finding.message is not None:
        yield from _message(finding.message.data)


def _message(data: bytes) -> Iterator[list[ladder.Piece]]:
    """The head of the offending message; its body is in the record."""
    head = raw(data).partition("\n\n")[0].split("\n")
    for i, line in enumerate(head[:_MAX_RAW]):
        yield [("  message   " if not i else "            ", "bold"), (clip(line, 160), "dim")]
    if len(head) > _MAX_RAW:
        yield [(f"            … {len(head) - _MAX_RAW} more lines", "dim")]
