"""Values that name somebody: From, To, Contact, Route."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip_harness.sip.address import Address, parse_address, tag_of
from sip_harness.sip.errors import SipError
from sip_harness.sip.uri import OtherUri, Uri, header_params, uri_text
from sip_harness.sip.values import MAX_PARAMS, MAX_VALUE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<sip:b@h>", Address("", "sip:b@h")),
        (" Bob Smith <sip:b@h;lr>;tag=1", Address("Bob Smith", "sip:b@h;lr", (("tag", "1"),), tail=";tag=1")),
        ('"Bob \\"B\\"" <sip:b@h>', Address('Bob "B"', "sip:b@h", quoted=True)),
        (
            '"Bob <x>;tag=2"<sip:b@h> ; tag=1',
            Address("Bob <x>;tag=2", "sip:b@h", (("tag", "1"),), True, True, "; tag=1"),
        ),
        ("caller<sip:b@h>", Address("caller", "sip:b@h")),
        ("< sip:b@h >", Address("", "sip:b@h")),
        ("sip:b@h;tag=1", Address("", "sip:b@h", (("tag", "1"),), False, False, ";tag=1")),
        ("sip:b@h ; a", Address("", "sip:b@h", (("a", ""),), False, False, "; a")),
        ("tel:+49;x", Address("", "tel:+49", (("x", ""),), False, False, ";x")),
        ("sip:b@h?x=y", Address("", "sip:b@h?x=y", bracketed=False)),
        ("*", Address("", "*", bracketed=False)),
        ("<>x <sip:b@h>", None),
        ("", None),
        ("<>", None),
        ("bob", None),
        ("<sip:b@h", None),
        ("sip:b@h>", None),
        ('"bob <sip:b@h>', None),
        ("<sip:b@h> x", None),
        ("<sip:b@h>, <sip:c@h>", None),
        ("<sip:a b@h>", None),
        ("sip:a b@h", None),
        ('"a" b <sip:c@h>', None),
    ],
)
def test_read(text: str, expected: Address | None) -> None:
    if expected is None:
        with pytest.raises(SipError):
            parse_address(text)
    else:
        assert parse_address(text) == expected


def test_limits() -> None:
    with pytest.raises(SipError, match="characters"):
        parse_address("<sip:" + "a" * MAX_VALUE + "@h>")
    with pytest.raises(SipError, match="parameters"):
        parse_address("<sip:a@h>" + ";p" * (MAX_PARAMS + 1))


def test_what_a_contact_says() -> None:
    contact = parse_address('<sip:b@h>;Expires=60;q=0.25;+sip.instance="<urn:uuid:1>"')
    assert (contact.expires, contact.q, contact.param("+sip.instance"), contact.tag) == (60, 0.25, "<urn:uuid:1>", "")
    plain = parse_address("<sip:b@h>")
    assert (plain.expires, plain.q, plain.param("x")) == (None, None, None)


@pytest.mark.parametrize(
    ("value", "q"),
    [
        ("1", 1.0),
        ("1.000", 1.0),
        ("0.001", 0.001),
        ("0.", 0.0),
        ("1.001", None),
        ("2", None),
        ("-1", None),
        ("x", None),
    ],
)
def test_preference(value: str, q: float | None) -> None:
    assert parse_address(f"<sip:b@h>;q={value}").q == q


def test_lifetimes_are_bounded() -> None:
    assert parse_address("<sip:b@h>;expires=99999999999999").expires == 2**32 - 1
    assert parse_address("<sip:b@h>;expires=soon").expires is None


def test_the_uri_is_read_when_asked_for() -> None:
    assert parse_address("<sip:b@h>").parsed() == Uri("sip", "b", "h", None)
    assert parse_address("<tel:1>").parsed() == OtherUri("tel", "1")
    with pytest.raises(SipError):
        parse_address("<sip:@>").parsed()


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ("<sip:b@h>;tag=1", "1"),
        ("sip:b@h;x;Tag = 1", "1"),
        ("<sip:b@h;tag=2>", ""),
        ("<sip:b@h;tag=2>;tag=1", "1"),
        ('"x ;tag=2" <sip:b@h>;tag=1', "1"),
        ('<sip:b@h>;x="a>b;tag=2";tag=1', "1"),
        ("sip:b@h", ""),
        ("<sip:b@h>;tag", ""),
        ("", ""),
        ("tag=1", ""),
        ("<sip:b@h;tag=3", "3"),
        ("<sip:b@h>;tag=a-b.c~d", "a-b.c~d"),
    ],
)
def test_tags(value: str, tag: str) -> None:
    assert tag_of(value) == tag


TRICKY = st.text(st.sampled_from('asip:@h<>";,\\ =tag.*\t'), max_size=60)


@settings(deadline=None)
@given(TRICKY)
def test_any_text_is_read_or_refused_and_the_readers_agree(text: str) -> None:
    tag_of(text)
    try:
        address = parse_address(text)
    except SipError:
        return
    assert address.uri in text
    assert uri_text(text) == address.uri
    assert header_params(text) == dict(reversed(address.params))
    assert (address.expires, address.q, address.tag) == (None, None, address.param("tag") or "")
