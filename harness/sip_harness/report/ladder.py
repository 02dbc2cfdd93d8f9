"""The ladder of a run as text: who sent what to whom, when, and which message is wrong or missing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.text import Text

from sip_harness.model.entry import Record
from sip_harness.model.verdict import Verdict
from sip_harness.report.chart import Arrow, Chart, Event, Row, build
from sip_harness.report.escape import cells, clip, clip_middle
from sip_harness.report.spacing import GUTTER, OVERHANG, positions

MAX_ROWS = 200
"""Longer ladders show their beginning, their end and what is marked, with what is around it."""
PAUSE = 1_000_000_000
"""Nanoseconds without a message that are worth an interrupted line."""
STYLES = {"request": "cyan", "provisional": "", "success": "green", "failure": "yellow", "other": "magenta"}
_BAD = "bold red"
_REASON = re.compile(r"(?<=^\d{3}) .*( to [A-Z]+)$")
"""Of a response whose method is named the reason phrase goes first: `200 to CANCEL`, then `200 CANCEL`."""

Piece = tuple[str, str]
"""Text and its rich style."""


def text(record: Record, verdict: Verdict | None = None, width: int = 100) -> str:
    """The ladder in plain text, `width` columns wide at most if its lanes fit at all; every line without a line end.

    Times count from the first message that is shown, registrations apart. A mark at the beginning of a line stands for
    a finding of the verdict about this message.
    """
    return "\n".join("".join(piece for piece, _ in line).rstrip() for line in lines(record, verdict, width))


def rich(record: Record, verdict: Verdict | None = None, width: int = 100) -> Text:
    """The same ladder with colours."""
    return Text("\n").join(Text.assemble(*line) for line in lines(record, verdict, width))


def lines(record: Record, verdict: Verdict | None = None, width: int = 100) -> list[list[Piece]]:
    """The same ladder as pieces of text with their styles."""
    chart = build(record, verdict)
    at = positions(chart, width)
    drawn = [*_heads(chart, at)]
    before: Row | None = None
    for row in shown_rows(chart.rows):
        if isinstance(row, int):
            drawn.append([(f"{'':{GUTTER}}… {row} more …", "dim")])
            before = None
            continue
        if before is not None and row.time - before.time >= PAUSE:
            drawn.append([(_lifelines(at, "┊"), "dim")])
        drawn.append(_arrow(row, chart, at) if isinstance(row, Arrow) else _event(row, chart, at))
        before = row
    return drawn


def offset(time: int, start: int) -> str:
    """A time since the first message: `0.0 ms`, `2.9031 s`, both of 9 columns."""
    nanoseconds = time - start
    if abs(nanoseconds) < 999_950_000:
        return f"{nanoseconds / 1e6:6.1f} ms"
    seconds = nanoseconds / 1e9
    return f"{seconds:6.{4 if abs(seconds) < 9.9999 else 3 if abs(seconds) < 99.999 else 1}f} s "


def shown_rows(rows: Sequence[Row]) -> list[Row | int]:
    """The rows to draw, and in between how many are left out."""
    if len(rows) <= MAX_ROWS:
        return list(rows)
    keep = {*range(60), *range(len(rows) - 40, len(rows))}
    for i, row in enumerate(rows):
        if row.mark and len(keep) < MAX_ROWS:
            keep.update(range(max(0, i - 5), min(len(rows), i + 4)))
    shown: list[Row | int] = []
    last = -1
    for i in sorted(keep):
        if i > last + 1:
            shown.append(i - last - 1)
        shown.append(rows[i])
        last = i
    return shown


def _heads(chart: Chart, at: list[int]) -> list[list[Piece]]:
    room = [min(_gaps(at, i)) - 1 for i in range(len(at))]
    names = [clip_middle(lane.name, room[i]) for i, lane in enumerate(chart.lanes)]
    notes = [clip(lane.note, room[i]) for i, lane in enumerate(chart.lanes)]
    return [[(_centred(names, at), "bold")], [(_centred(notes, at), "dim")]]


def _gaps(at: list[int], i: int) -> list[int]:
    left = at[i] - at[i - 1] if i else 2 * at[0]
    return [left, at[i + 1] - at[i] if i + 1 < len(at) else 2 * OVERHANG]


def _centred(names: list[str], at: list[int]) -> str:
    line = ""
    for name, x in zip(names, at, strict=True):
        gap = max(x - cells(name) // 2 - cells(line), 1 if line else 0)
        line += " " * gap + name
    return line


def _arrow(row: Arrow, chart: Chart, at: list[int]) -> list[Piece]:
    left, right = sorted((at[row.tail], at[row.head]))
    style = _BAD if row.mark else STYLES[row.tone]
    gutter = [(f"{row.mark:1} ", _BAD), (f"{offset(row.time, chart.start)}  ", "dim")]
    if left == right:
        return [*gutter, (f"{_lifelines(at)[GUTTER:left]}↺ {row.label}{row.suffix}", style)]
    lifelines = _lifelines(at)
    body = _shaft(row, chart, at)
    return [*gutter, (lifelines[GUTTER : left + 1], "dim"), (body, style), (lifelines[right:], "dim")]


def _shaft(row: Arrow, chart: Chart, at: list[int]) -> str:
    """What stands between the two lifelines: dashes, the head, and the label in the gap next to the agent."""
    left, right = sorted((at[row.tail], at[row.head]))
    length = right - left - 1
    dash, points = ("╌", "◁▷") if row.missing else ("─", "◀▶")
    line = [dash] * length
    for x in at:
        if left < x < right:
            line[x - left - 1] = "┼"
    rightward = at[row.tail] == left
    line[-1 if rightward else 0] = points[1 if rightward else 0]
    gap = chart.gap(row)
    room = at[gap + 1] - at[gap] - 1
    name = f" {_label(row, room - 4, length - (6 if '┼' in line else 4))} "
    if (free := room - cells(name)) >= 2:
        begin = at[gap] - left + (free if rightward else free + 1) // 2
    else:  # over the lifelines in between, but still at the agent's end
        begin = 2 if at[gap] == left else length - cells(name) - 2
    return "".join(line[:begin]) + name + "".join(line[begin + cells(name) :])


def _label(row: Arrow, near: int, far: int) -> str:
    """The label for `near` columns next to the agent, or for `far` ones over the lifelines in between.

    First the detail goes, then the reason phrase (but for what it answers), never the count.
    """
    bare = f"{row.label}{row.suffix}"
    for form, room in ((f"{row.label}{row.detail}{row.suffix}", near), (bare, near), (bare, far)):
        if cells(form) <= room:
            return form
    shorter = [f"{form}{row.suffix}" for form in (_REASON.sub(r"\1", row.label), _REASON.sub(_method, row.label))]
    if shorter[0] != bare and (fitting := [form for form in shorter if cells(form) <= far]):
        return fitting[0]
    return clip(f"{clip(row.label, max(far - cells(row.suffix), 3))}{row.suffix}", max(far, 1))


def _method(match: re.Match[str]) -> str:
    return match[1].removeprefix(" to")


def _event(row: Event, chart: Chart, at: list[int]) -> list[Piece]:
    gutter = [(f"{row.mark:1} ", _BAD), (f"{offset(row.time, chart.start)}  ", "dim")]
    return [*gutter, (clip(f"● {row.text}", max(at[-1] + 8 - GUTTER, 60)), _BAD if row.mark else "yellow")]


def _lifelines(at: list[int], line: str = "│") -> str:
    drawn = [" "] * (at[-1] + 1)
    for x in at:
        drawn[x] = line
    return "".join(drawn)
