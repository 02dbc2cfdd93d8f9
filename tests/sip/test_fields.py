"""Header fields: names, and how a head is cut into them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip_harness.sip.fields import COMPACT, KNOWN, Field, canonical, cut_fields, index, is_token, written
from sip_harness.sip.start_line import StartLine, read_start_line, version_of

LINES = st.lists(
    st.one_of(
        st.sampled_from(
            ["Via: a", "v:b", " folded", "\t", "X-Y: 1", "x-y : 2", "To:", ": no name", "no colon", "a b: c"]
        ),
        st.text(st.characters(exclude_characters="\r\n"), max_size=20),
    ),
    max_size=8,
)


@settings(deadline=None)
@given(LINES)
def test_the_quick_way_reads_the_same(lines: list[str]) -> None:
    fields, _ = cut_fields(lines)
    quick = index(lines)
    assert {key: [f.value for f in fields if f.key == key] for key in {f.key for f in fields}} == quick
    assert list(quick) == list(dict.fromkeys(f.key for f in fields))


def test_lines_that_belong_to_no_field_are_kept_apart() -> None:
    lines = [" folded start", "X-A: 1", "", " goes on", "no colon", " goes on", ": x", "a b: 2", "B(:3"]
    fields, odd = cut_fields(lines)
    assert fields == [Field("X-A", "1 goes on"), Field("B(", "3")]
    assert odd == ["folded start", "no colon", "goes on", ": x", "a b: 2"]
    assert index(lines) == {"x-a": ["1 goes on"], "b(": ["3"]}
    assert index(["Via", "To: 1"]) == {"to": ["1"]}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Via", "via"),
        ("V", "via"),
        ("v", "via"),
        ("CALL-ID", "call-id"),
        ("Call-Id", "call-id"),
        ("cSEQ", "cseq"),
        ("X-1", "x-1"),
        ("\u212a", "\u212a"),
    ],
)
def test_canonical_names(name: str, key: str) -> None:
    assert canonical(name) == Field(name, "").key == key


def test_the_shortcut_holds_nothing_but_canonical_names() -> None:
    assert {KNOWN[compact] for compact in COMPACT} == set(COMPACT.values())
    assert all(key == COMPACT.get(name.lower(), name.lower()) for name, key in KNOWN.items())


def test_names_as_rfcs_write_them() -> None:
    assert (written("cseq"), written("www-authenticate"), written("x-own")) == ("CSeq", "WWW-Authenticate", "x-own")
    assert all(canonical(written(key)) == key for key in KNOWN.values())


def test_tokens() -> None:
    assert is_token("A1-.!%*_+`'~")
    assert not any(map(is_token, ["", "a b", "a:", "ä", "a(", "a\0", "a\n"]))


@pytest.mark.parametrize(
    ("line", "version"),
    [("INVITE x SIP/2.0", "2.0"), ("SIP/2.0 200 OK", "2.0"), ("x y sip/3.14 ", "3.14"), ("nonsense", ""), ("", "")],
)
def test_versions(line: str, version: str) -> None:
    assert version_of(line) == version
    assert (read_start_line(line) is None) == (not version)


def test_a_start_line_is_taken_apart() -> None:
    assert read_start_line("ACK sip:b SIP/2.0") == StartLine("ACK", "sip:b", 0, "")
    assert read_start_line("SIP/2.0 180 Ringing") == StartLine("", "", 180, "Ringing")


@settings(deadline=None)
@given(st.text(st.sampled_from("SIP/2.0 \tINVITE19x\x00é"), max_size=30))
def test_any_line_is_a_start_line_or_none(line: str) -> None:
    read = read_start_line(line)
    assert read is None or (read.uri in line and read.reason in line and bool(read.method) == bool(read.uri))
    assert bool(version_of(line)) or read is None
