"""Where each character of a YAML scalar stands in its file, although quotes, escapes and folded lines stand between."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_HEX = {"x": 2, "u": 4, "U": 8}
_BLANK = re.compile("[ \t\r\n\x85\u2028\u2029]+")
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_ESCAPED_BREAK = re.compile("\\\\(?:\r\n|[\r\n\x85\u2028\u2029])[ \t]*")


def indices(value: str, raw: str, style: str | None, begin: int) -> Sequence[int]:
    """For every character of `value`, and for its end, its index in the file.

    `raw` is the scalar as written, quotes included, and `begin` the index of its first character; `style` is PyYAML's:
    None, `'`, `"`, `|` or `>`. Where the way back is not clear (block scalars), every character maps to the first.
    """
    if style is None and raw == value:
        return range(begin, begin + len(value) + 1)
    if style not in ("|", ">"):
        offset = 1 if style else 0
        written = raw[offset : len(raw) - offset]
        found = [begin + offset + i for i in _walk(written, style)]
        if len(found) == len(value):
            return [*found, begin + offset + len(written)]
    return [begin] * len(value) + [begin + 1]


def _walk(raw: str, style: str | None) -> Iterator[int]:
    at = 0
    while at < len(raw):
        if blank := _BLANK.match(raw, at):
            breaks = len(_BREAK.findall(blank[0]))
            if breaks:  # YAML 1.2 6.5: one line break is a space, each further one stays
                yield from [at] * max(1, breaks - 1)
            else:
                yield from range(at, blank.end())
            at = blank.end()
        elif style == '"' and (gone := _ESCAPED_BREAK.match(raw, at)):
            at = gone.end()
        else:
            yield at
            at += _length(raw, at, style)


def _length(raw: str, at: int, style: str | None) -> int:
    """How many characters stand for the one that begins here."""
    if style == '"' and raw[at] == "\\":
        return 2 + _HEX.get(raw[at + 1 : at + 2], 0)
    return 2 if style == "'" and raw.startswith("''", at) else 1
