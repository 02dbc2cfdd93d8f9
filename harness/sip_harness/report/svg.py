"""Where everything of an SVG ladder stands; the template only writes it down."""

from __future__ import annotations

from dataclasses import dataclass

from sip_harness.report.chart import Arrow, Chart, Event, Row
from sip_harness.report.escape import clip, clip_middle
from sip_harness.report.ladder import PAUSE, offset, shown_rows

_LEFT, _RIGHT, _TOP = 160, 90, 58
_LANE, _ROW = 232, 27
_LETTER = 7.3
"""Width of a letter of the ladder's font at 12 pixels."""


@dataclass(frozen=True, slots=True)
class Post:
    """A lifeline with its heading."""

    x: int
    name: str
    note: str


@dataclass(frozen=True, slots=True)
class Stroke:
    """One row: an arrow, or text if `left` equals `right`."""

    y: int
    time: str
    mark: str
    left: int
    right: int
    head: str
    """Points of the arrow head."""
    text_x: float
    text: str
    title: str
    style: str
    number: int | None
    """Index of the message to link to."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A whole ladder, in pixels."""

    width: int
    height: int
    top: int
    bottom: int
    posts: tuple[Post, ...]
    strokes: tuple[Stroke, ...]
    pauses: tuple[int, ...] = ()
    """Where the lifelines are broken, because nothing happened for long."""


def draw(chart: Chart) -> Drawing:
    """The chart as lines and text. A long one shows the same rows as the text ladder."""
    letters = int(_LANE / _LETTER)
    posts = tuple(
        Post(_LEFT + i * _LANE, clip_middle(lane.name, letters - 2), clip(lane.note, letters - 2))
        for i, lane in enumerate(chart.lanes)
    )
    strokes, pauses, y = [], list[int](), _TOP + _ROW
    before: Row | None = None
    for row in shown_rows(chart.rows):
        if isinstance(row, int):
            strokes.append(_left_out(row, y))
            before = None
        else:
            if before is not None and row.time - before.time >= PAUSE:
                pauses.append(y - _ROW // 4)
                y += _ROW // 2
            strokes.append(_stroke(row, chart, y))
            before = row
        y += _ROW
    width = posts[-1].x + _RIGHT
    return Drawing(width, y + 6, _TOP, y - 6, posts, tuple(strokes), tuple(pauses))


def _stroke(row: Row, chart: Chart, y: int) -> Stroke:
    time = offset(row.time, chart.start).strip()
    if isinstance(row, Event):
        text = clip(row.text, 110)
        return Stroke(y, time, row.mark, _LEFT, _LEFT, "", _LEFT + 8, text, row.text, _style(row), None)
    tail, head = (_LEFT + lane * _LANE for lane in (row.tail, row.head))
    title = f"{row.label}{row.detail}{row.suffix}"
    if tail == head:
        return Stroke(y, time, row.mark, tail, tail, "", tail + 8, clip(title, 40), title, _style(row), row.number)
    back = 8 if head < tail else -8
    points = f"{head},{y} {head + back},{y - 4} {head + back},{y + 4}"
    middle = _LEFT + (chart.gap(row) + 0.5) * _LANE
    label = _label(row, int((_LANE - 14) / _LETTER))
    left, right = sorted((tail, head))
    return Stroke(y, time, row.mark, left, right, points, middle, label, title, _style(row), row.number)


def _label(row: Arrow, room: int) -> str:
    full = f"{row.label}{row.detail}{row.suffix}"
    return full if len(full) <= room else f"{clip(row.label, max(room - len(row.suffix), 3))}{row.suffix}"


def _style(row: Row) -> str:
    if isinstance(row, Event):
        return "bad" if row.mark else "event"
    words = [row.tone, *(["bad"] if row.mark else []), *(["missing"] if row.missing else [])]
    return " ".join(words)


def _left_out(count: int, y: int) -> Stroke:
    return Stroke(y, "", "", _LEFT, _LEFT, "", _LEFT + 8, f"… {count} more …", "", "event", None)
