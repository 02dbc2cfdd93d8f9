"""Header values taken apart: lists, parameters, quotes, comments."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip_harness.sip.errors import SipError
from sip_harness.sip.values import (
    MAX_DELTA,
    MAX_ELEMENTS,
    MAX_PARAMS,
    MAX_VALUE,
    WELL_FORMED_PARAMS,
    bounded_params,
    delta_seconds,
    elements,
    exceeds,
    first_element,
    first_param,
    param,
    shown,
    split_list,
    split_params,
    unquote,
    without_comments,
)

TRICKY = st.text(st.sampled_from('ab,;"\\<>() =\t\x00é'), max_size=60)


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("", []),
        (" \t", []),
        ("a", ["a"]),
        (" a , b,c ", ["a", "b", "c"]),
        (",,a,,b,", ["a", "b"]),
        ('"a,b" <sip:c,d@e>;x="f,g", h', ['"a,b" <sip:c,d@e>;x="f,g"', "h"]),
        (r'"a\",b", c', [r'"a\",b"', "c"]),
        (r'"a\\",b', [r'"a\\"', "b"]),
        ('a"b,c', ['a"b,c']),
        ("a<b,c", ["a<b,c"]),
        ('<a"b>,c', ['<a"b>', "c"]),
        ('"a,\\', ['"a,\\']),
        ("<sip:a(b@h>, <sip:c)d@h>", ["<sip:a(b@h>", "<sip:c)d@h>"]),
        ("sip:a(b@h, sip:c)d@h", ["sip:a(b@h", "sip:c)d@h"]),
        ("a>,b", ["a>", "b"]),
    ],
)
def test_lists(value: str, parts: list[str]) -> None:
    assert split_list(value) == parts
    assert elements(value) == parts
    assert first_element(value) == (parts[0] if parts else "")


def split_slowly(value: str, at: str) -> list[str]:
    """The rule in its plainest form: one character after the other."""
    parts, closing, escaped = [""], "", False
    for char in value:
        if not closing and char == at:
            parts.append("")
            continue
        parts[-1] += char
        if closing == '"' and not escaped and char == "\\":
            escaped = True
            continue
        if char == closing and not escaped:
            closing = ""
        elif not closing:
            closing = {'"': '"', "<": ">" if at == "," else ""}.get(char, "")
        escaped = False
    return [p for part in parts if (p := part.strip(" \t"))]


@settings(deadline=None)
@given(TRICKY)
def test_any_text_is_split_by_the_plain_rule(value: str) -> None:
    parts = split_slowly(value, ",")
    assert split_list(value) == parts
    assert first_element(value) == (parts[0] if parts else "")
    names = [part.partition("=")[0].strip(" \t").lower() for part in split_slowly(value, ";")]
    assert [name for name, _ in split_params(value)] == [name for name in names if name]


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("", ()),
        (";;;", ()),
        (";lr;Transport=TCP", (("lr", ""), ("transport", "TCP"))),
        ("a=b;c", (("a", "b"), ("c", ""))),
        (" ; a = b ; c = ", (("a", "b"), ("c", ""))),
        (';x="a;b=c\\";d";y', (("x", '"a;b=c\\";d"'), ("y", ""))),
        (';x="a;y', (("x", '"a;y'),)),
        (";=v;a=b=c", (("a", "b=c"),)),
    ],
)
def test_params(text: str, params: tuple[tuple[str, str], ...]) -> None:
    assert split_params(text) == params
    assert bounded_params(text) == params


def test_no_params_are_taken_from_a_text_beyond_all_measure() -> None:
    assert split_params(";a" * (MAX_VALUE // 2)) == (("a", ""),) * (MAX_VALUE // 2)
    assert split_params(";a" * (MAX_VALUE // 2) + " ") == ()
    assert first_param(";tag=1" + " " * MAX_VALUE, "tag") == ""


def test_a_param_by_name_without_its_quotes() -> None:
    params = split_params(';a="x\\"y";b=z;a=2;c')
    assert (param(params, "a"), param(params, "b"), param(params, "c"), param(params, "d")) == ('x"y', "z", "", None)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        (";tag=abc", "abc"),
        (";TAG = abc ; x", "abc"),
        (";x-tag=1;tag=2", "2"),
        ("tag=a-b.c", "a-b.c"),
        (";tag=a;tag=b", "a"),
        (';x=";tag=1";tag=2', "2"),
        (";tag=a b", "a"),
        (";tag=a,b", "a"),
        (";tag", ""),
        (";tag=", ""),
        ("", ""),
        (";mytag=1", ""),
    ],
)
def test_the_first_param_of_a_name(text: str, tag: str) -> None:
    assert first_param(text, "tag") == tag


@pytest.mark.parametrize(
    ("text", "plain"),
    [('"a"', "a"), ('"a\\"b\\\\"', 'a"b\\'), ("a", "a"), ('"', '"'), ('"a', '"a'), ('""', ""), ('"\\\x00"', "\x00")],
)
def test_quotes_are_undone(text: str, plain: str) -> None:
    assert unquote(text) == plain


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("120", "120"),
        ("120 (I'm in a meeting)", "120"),
        ("120 (a (nested) one);duration=60", "120 ;duration=60"),
        ("(a) 1 (b) 2", "1  2"),
        ('"(no comment)" (one)', '"(no comment)"'),
        ('("not a quote) 5', "5"),
        (r"(a \) b) 5", "5"),
        ("5 (without end", "5"),
        ("5 ) 6", "5 ) 6"),
        (r'"\"(" (x)', r'"\"("'),
    ],
)
def test_comments_are_left_out(text: str, rest: str) -> None:
    assert without_comments(text) == rest


@settings(deadline=None)
@given(TRICKY)
def test_any_text_loses_its_comments_once(text: str) -> None:
    assert len(without_comments(text)) <= len(text)
    if "(" not in text:
        assert without_comments(text) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        (" 3600\t", 3600),
        ("007", 7),
        (str(MAX_DELTA), MAX_DELTA),
        (str(MAX_DELTA + 1), MAX_DELTA),
        ("9" * 5000, MAX_DELTA),
        ("0" * 5000, 0),
        ("0" * 20 + "5", MAX_DELTA),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("1 2", None),
        ("٣", None),
        ("²", None),
    ],
)
def test_seconds(text: str, seconds: int | None) -> None:
    assert delta_seconds(text) == seconds


@pytest.mark.parametrize(
    ("digits", "most", "more"),
    [("255", 255, False), ("256", 255, True), ("000255", 255, False), ("0", 0, False), ("9" * 9999, 2**32, True)],
)
def test_numbers_of_any_length_are_compared(digits: str, most: int, more: bool) -> None:
    assert exceeds(digits, most) is more


def test_limits_of_what_views_take_apart() -> None:
    assert len(elements(",".join("a" * MAX_ELEMENTS))) == MAX_ELEMENTS
    assert len(bounded_params(";a" * MAX_PARAMS)) == MAX_PARAMS
    with pytest.raises(SipError, match="257 elements"):
        elements(",".join("a" * (MAX_ELEMENTS + 1)))
    with pytest.raises(SipError, match="16385 characters"):
        elements("a" * (MAX_VALUE + 1))
    with pytest.raises(SipError, match="128 parameters"):
        bounded_params(";a" * (MAX_PARAMS + 1))


@pytest.mark.parametrize("text", ["", ";a", ";a=b;c", ' ; a = "x;\\"y" ; b=[::1]', ";a=1.2.3.4:5", ";a=::1"])
def test_well_formed_params(text: str) -> None:
    assert WELL_FORMED_PARAMS.fullmatch(text)


@pytest.mark.parametrize("text", [";", ";;a", ";a=", ";=b", ";a b", 'a;"b"', ';a="b', ";a=b;", ";a=b=c", ";a=é", ";é"])
def test_ill_formed_params(text: str) -> None:
    assert not WELL_FORMED_PARAMS.fullmatch(text)


def test_text_from_outside_is_shown_short_and_harmless() -> None:
    assert shown("a\r\n\x1b[31m\udcff" + "x" * 99) == "'a\\r\\n\\x1b[31m\\udcff" + "x" * 31 + "...'"
    assert shown("é", 1) == "'\\xe9'"
