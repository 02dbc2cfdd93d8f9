"""Where the head of a message ends, and its lines (RFC 3261 7).

A line ends with CR LF; LF alone is forgiven, CR alone is a character like any other.
"""

from __future__ import annotations

import re

LINE_END = re.compile(rb"\r?\n")
EMPTY_LINE = re.compile(rb"\n\r?\n")
"""The end of the last line of a head and the empty line behind it; a CR that belongs to the former stands before."""


def text(data: bytes) -> str:
    """Bytes as text without loss; what is not UTF-8 comes back by `surrogateescape`."""
    return data.decode("utf-8", "surrogateescape")


def cut_head(data: bytes, begin: int) -> tuple[list[str], int]:
    """The lines of a head after its start line, which ends at `begin`; and where the body begins.

    The latter is -1 if no empty line ends the head.
    """
    end = data.find(b"\r\n\r\n", begin - 2)
    if end >= 0 and data.startswith(b"\r\n", begin - 2):
        if end < begin:
            return [], end + 4
        lines = data[begin:end].decode("utf-8", "surrogateescape").split("\r\n")
        if data.count(b"\n", begin, end) == len(lines) - 1:
            return lines, end + 4
    return _cut_patiently(data, begin)


def _cut_patiently(data: bytes, begin: int) -> tuple[list[str], int]:
    """Where some line ends with LF only or no empty line follows."""
    found = EMPTY_LINE.search(data, begin - 1) if begin else None
    head = data[begin : found.start() if found else len(data)]
    lines = [line.removesuffix("\r") for line in text(head).split("\n")]
    return [line for line in lines if line], found.end() if found else -1
