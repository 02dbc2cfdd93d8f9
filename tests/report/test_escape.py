"""What comes from the wire shows on a terminal as text and does nothing there."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_harness.report.escape import cells, clip, clip_middle, raw, visible

anything = st.text(st.characters())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("486 Busy Here", "486 Busy Here"),
        ("Gerät beschäftigt 電話", "Gerät beschäftigt 電話"),
        ("\x1b[2J\x00\x7f\x9b", "\\x1b[2J\\x00\\x7f\\x9b"),
        ("a\tb\r\nc", "a\\tb\\r\\nc"),
        ("\u202e\u2028\ufeff", "\\u202e\\u2028\\ufeff"),
        ("u\u0308", "u\\u0308"),
        ("\udcff", "\\xff"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
        ("", ""),
    ],
)
def test_what_is_not_plainly_visible_is_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(anything)
def test_visible_text_is_one_line_of_printable_characters(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    assert not any(unicodedata.category(c)[0] in "CM" for c in shown)
    assert visible(shown) == shown
    shown.encode()


@given(st.binary(max_size=200))
def test_raw_messages_keep_their_lines(data: bytes) -> None:
    shown = raw(data)
    assert len(shown.split("\n")) == data.replace(b"\r\n", b"\n").count(b"\n") + 1
    assert all(line.isprintable() for line in shown.split("\n"))


def test_raw_shows_bytes_that_are_no_text() -> None:
    assert raw(b"SIP/2.0 600 \xff\x00\r\nVia: x\rY\r\n") == "SIP/2.0 600 \\xff\\x00\nVia: x\\rY\n"


@given(anything, st.integers(0, 30))
def test_clipping_keeps_within_the_width(text: str, width: int) -> None:
    shown = visible(text)
    for cut in (clip(shown, width), clip_middle(shown, width)):
        assert cells(cut) <= width
        assert cut == shown or "…" in cut or not width


def test_clipping() -> None:
    assert clip("486 Busy Here", 13) == "486 Busy Here"
    assert clip("486 Busy Here", 9) == "486 Busy…"
    assert clip("電話電話", 5) == "電話…"
    assert clip_middle("gateway-primary-1", 9) == "gate…ry-1"


def test_wide_characters_take_two_cells() -> None:
    assert (cells("abc"), cells("äb"), cells("電話"), cells("Ａ")) == (3, 2, 4, 2)
