"""How far apart the lanes of a text ladder stand: as their labels need, within a width."""

from __future__ import annotations

from itertools import pairwise

from sip_harness.report.chart import Arrow, Chart
from sip_harness.report.escape import cells

GUTTER = 13
"""Columns for the mark and the time."""
OVERHANG = 8
"""Columns that the last name may take right of its lifeline."""
_LEAST, _PLEASANT = 12, 16
_ORNAMENT = 7
"""Columns of an arrow besides its label: two dashes, two blanks, the head and its lifeline, one to breathe."""


_LONGEST = 30
"""Columns for which a label may ask: what systems say in earnest fits, what a hostile one sends is cut."""


def positions(chart: Chart, width: int) -> list[int]:
    """Column of each lane's lifeline. Lanes keep a least distance even if the ladder then exceeds the width."""
    names = [cells(lane.name) for lane in chart.lanes]
    wanted = _wanted(chart, names)
    first = GUTTER + 2
    room = width - first - 1 - min(names[-1] // 2, OVERHANG)
    _fit(wanted, room)
    at = [first]
    for gap in wanted:
        at.append(at[-1] + gap)
    return at


def _wanted(chart: Chart, names: list[int]) -> list[int]:
    """Distances at which each label has room next to its agent and nothing is cut."""
    gaps = [max(_PLEASANT, (a + b) // 2 + 3) for a, b in pairwise(names)]
    for row in chart.rows:
        if isinstance(row, Arrow) and row.tail != row.head:
            gap = chart.gap(row)
            need = min(cells(row.label), _LONGEST) + cells(row.detail) + cells(row.suffix) + _ORNAMENT
            gaps[gap] = max(gaps[gap], need)
    return gaps


def _fit(gaps: list[int], room: int) -> None:
    """Take from the widest gap until all fit or none can give more."""
    while gaps and sum(gaps) > room and max(gaps) > _LEAST:
        gaps[gaps.index(max(gaps))] -= 1
