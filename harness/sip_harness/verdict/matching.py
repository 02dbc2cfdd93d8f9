"""Laying what was expected of one agent beside what it got.

Sequences are closed for final responses and requests and open for unnamed provisionals. Of all ways to lay the two
columns side by side the one with the fewest errors is taken, so that one deviation gives one finding and not a
cascade of followers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

from sip_harness.model.wanted import AnyOrder, Expected
from sip_harness.verdict.traffic import Item

Fits = Callable[[Expected, Item], bool]
IsOpen = Callable[[Item], bool]


@dataclass(frozen=True, slots=True)
class Pair:
    """One row: an expectation and the message that meets it, or only one of the two."""

    expected: Expected | None
    item: Item | None

    @property
    def wrong(self) -> bool:
        """Whether this row breaks the sequence."""
        if self.expected is None:
            return True
        return self.item is None and not self.expected.maybe


def lay_out(wanted: Sequence[Expected | AnyOrder], got: Sequence[Item], fits: Fits, is_open: IsOpen) -> list[Pair]:
    """The best alignment of what was wanted with what came; open messages that nobody named are left out."""
    layouts = (_align(_counted(flat, len(got)), got, fits, is_open) for flat in _flatten(wanted))
    return min(layouts, key=lambda rows: sum(row.wrong for row in rows))


MAX_ANY_ORDER = 6
"""Messages in one `any order`: every order of them is tried."""


def _flatten(wanted: Sequence[Expected | AnyOrder]) -> list[list[Expected]]:
    flat: list[list[Expected]] = [[]]
    for item in wanted:
        orders = permutations(item.items) if isinstance(item, AnyOrder) else [(item,)]
        flat = [[*begin, *order] for order in orders for begin in flat]
    return flat


def _counted(wanted: Sequence[Expected], most: int) -> list[Expected]:
    """Each message as often as it has to come, and then as often as it may, which `maybe` says."""
    found: list[Expected] = []
    for one in wanted:
        least, last = (1, 1) if one.count is None else (one.count.least, one.count.most)
        more = max(0, (most if last is None else min(last, most)) - least)
        found += [one] * least + [replace(one, maybe=True)] * more
    return found


def _align(wanted: Sequence[Expected], got: Sequence[Item], fits: Fits, is_open: IsOpen) -> list[Pair]:
    """Edit distance by dynamic programming; `cost[i][j]` is that of the rest from wanted[i] and got[j] on."""
    skip_wanted = [0 if w.maybe else 1 for w in wanted]
    skip_got = [0 if is_open(g) else 1 for g in got]
    fit = [[fits(w, g) for g in got] for w in wanted]
    rows, columns = len(wanted), len(got)
    cost = [[0] * (columns + 1) for _ in range(rows + 1)]
    for j in reversed(range(columns)):
        cost[rows][j] = cost[rows][j + 1] + skip_got[j]
    for i in reversed(range(rows)):
        cost[i][columns] = cost[i + 1][columns] + skip_wanted[i]
        for j in reversed(range(columns)):
            options = [cost[i + 1][j] + skip_wanted[i], cost[i][j + 1] + skip_got[j]]
            if fit[i][j]:
                options.append(cost[i + 1][j + 1])
            cost[i][j] = min(options)
    return _walk(wanted, got, fit, cost, skip_got, skip_wanted)


def _walk(
    wanted: Sequence[Expected],
    got: Sequence[Item],
    fit: list[list[bool]],
    cost: list[list[int]],
    skip_got: list[int],
    skip_wanted: list[int],
) -> list[Pair]:
    pairs: list[Pair] = []
    i = j = 0
    while i < len(wanted) or j < len(got):
        if i < len(wanted) and j < len(got) and fit[i][j] and cost[i][j] == cost[i + 1][j + 1]:
            pairs.append(Pair(wanted[i], got[j]))
            i, j = i + 1, j + 1
        elif j < len(got) and cost[i][j] == cost[i][j + 1] + skip_got[j]:
            if skip_got[j]:
                pairs.append(Pair(None, got[j]))
            j += 1
        else:
            pairs.append(Pair(wanted[i], None))
            i += 1
    return pairs
