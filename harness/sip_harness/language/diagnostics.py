"""What is wrong with a scenario, told to its author: where, what, and what to write instead."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from sip_harness.model.place import NOWHERE, Place

MAX_SHOWN = 100
"""Columns of a source line that an excerpt shows; longer lines are cut around the mistake."""
MAX_QUOTED = 60
MAX_GUESSED = 40
"""Longer words get no suggestion: comparing them costs quadratic time and nobody mistypes forty characters."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake in a scenario."""

    place: Place
    message: str
    hint: str = ""
    """What to do about it: `did you mean 'busy-here'?`"""
    excerpt: str = ""
    """The source line, and below it a caret under every character of the wrong word."""

    def __str__(self) -> str:
        where = f"{visible(str(self.place))}: " if self.place != NOWHERE else ""
        hint = f"; {self.hint}" if self.hint else ""
        lines = f"\n{self.excerpt}" if self.excerpt else ""
        return f"{where}{self.message}{hint}{lines}"


class LanguageError(ValueError):
    """Scenarios that cannot be used. Carries all mistakes of all files that were read, sorted by place."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(sorted(diagnostics, key=lambda d: d.place))
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.diagnostics))


class Mistake(ValueError):
    """One mistake, on its way from where it was noticed to where all are collected."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(diagnostic)


def nearest(word: str, candidates: Iterable[str]) -> str:
    """The candidate that the author most likely meant; empty if none is near."""
    if len(word) > MAX_GUESSED:
        return ""
    folded = {c.casefold(): c for c in candidates}
    close = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else ""


def did_you_mean(*suggestions: str) -> str:
    """A question for the author; empty if there is nothing to suggest."""
    given = [quoted(s) for s in suggestions if s]
    return f"did you mean {' or '.join(given)}?" if given else ""


def guess(word: str, candidates: Iterable[str]) -> str:
    """Ask for the nearest candidate, or name them all if none is near and they are few."""
    known = list(dict.fromkeys(candidates))
    near = nearest(word, known)
    if near:
        return did_you_mean(near)
    return f"known: {', '.join(known)}" if 0 < len(known) <= 12 else ""


def quoted(text: str) -> str:
    """Text in single quotes, shortened, and harmless on a terminal."""
    return f"'{visible(text if len(text) <= MAX_QUOTED else text[: MAX_QUOTED - 1] + '…')}'"


def visible(text: str) -> str:
    """Text in which every control and format character is shown as an escape."""
    return "".join(c if _is_plain(c) else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def excerpt(line: str, begin: int, end: int, gutter: str = "") -> str:
    """A line and a second one with carets under its characters `begin` to `end`; at least one caret."""
    end = max(begin + 1, min(end, len(line)))
    start = max(0, begin - MAX_SHOWN // 2) if len(line) > MAX_SHOWN else 0
    stop = start + MAX_SHOWN
    shown = ("…" if start else "") + _line(line[start:stop]) + ("…" if len(line) > stop else "")
    before = _width(_line(line[start:begin])) + (1 if start else 0)
    carets = _width(_line(line[begin : min(end, stop)])) or 1
    blank = " " * len(gutter)
    return f"  {gutter} | {shown}\n  {blank} | {' ' * before}{'^' * carets}"


def _line(text: str) -> str:
    """A source line as it is shown: a tab takes one column, so that it can be seen and carets stay in place."""
    return visible(text.replace("\t", "→"))


def _is_plain(char: str) -> bool:
    return char == " " or unicodedata.category(char)[0] not in "CZ"


def _width(text: str) -> int:
    """Terminal columns: wide East Asian characters take two, combining marks none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
