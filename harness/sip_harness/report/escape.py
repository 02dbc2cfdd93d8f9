"""Text and bytes from the wire, made safe to show: nothing that a peer sends may move a cursor or reverse a line."""

from __future__ import annotations

import unicodedata

_NAMED = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def visible(text: str) -> str:
    """The text on one line with everything escaped that is not plainly visible.

    Control and format characters (ANSI escapes, bidirectional overrides), line separators, combining marks, unassigned
    code points and bytes that were no UTF-8 (surrogate escapes) become `\\x1b`, `\\u202e` and the like.
    """
    if text.isprintable() and text.isascii():
        return text
    return "".join(c if c.isprintable() and not _combines(c) else _escaped(c) for c in text)


def raw(data: bytes) -> str:
    """A whole message for people: its lines as lines, everything else as `visible`."""
    text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    return "\n".join(visible(line) for line in text.split("\n"))


def cells(text: str) -> int:
    """Columns of a terminal that visible text takes: wide East Asian characters take two (UAX 11)."""
    return len(text) if text.isascii() else sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def clip(text: str, width: int) -> str:
    """Visible text cut to at most so many columns, with `…` where something is missing."""
    if cells(text) <= width:
        return text
    kept = ""
    for char in text:
        if cells(kept + char) > width - 1:
            break
        kept += char
    return f"{kept.rstrip()}…" if width > 0 else ""


def clip_middle(text: str, width: int) -> str:
    """As `clip`, but keeps both ends: names of a family differ at their end (`gateway-1`, `gateway-2`)."""
    if cells(text) <= width or width < 4 or not text.isascii():
        return clip(text, width)
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[-tail:]}"


def _combines(char: str) -> bool:
    return not char.isascii() and unicodedata.category(char).startswith("M")


def _escaped(char: str) -> str:
    code = ord(char)
    if char in _NAMED:
        return _NAMED[char]
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape: a byte that was no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
