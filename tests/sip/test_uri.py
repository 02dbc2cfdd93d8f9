"""SIP URIs and the header values that carry them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_harness.sip.errors import SipError
from sip_harness.sip.uri import Uri, header_params, parse_uri, uri_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sip:bob@example.com", Uri("sip", "bob", "example.com", None)),
        ("SIPS:bob:secret@Example.COM:5071", Uri("sips", "bob:secret", "example.com", 5071)),
        ("sip:127.0.0.1:5060;lr;Transport=udp", Uri("sip", "", "127.0.0.1", 5060, (("lr", ""), ("transport", "udp")))),
        (
            "sip:+49301;npdi@gw.test;user=phone?Subject=x",
            Uri("sip", "+49301;npdi", "gw.test", None, (("user", "phone"),)),
        ),
        ("sip:b@[2001:db8::1]:5070", Uri("sip", "b", "[2001:db8::1]", 5070)),
    ],
)
def test_read(text: str, expected: Uri) -> None:
    assert parse_uri(text) == expected


@pytest.mark.parametrize(
    "text", ["", "tel:+49", "sip:", "sip:b@", "sip:b@h:0", "sip:b@h:99999", "sip:a b@h", "*", "<sip:b@h>"]
)
def test_refused(text: str) -> None:
    with pytest.raises(SipError):
        parse_uri(text)


def test_same_contact() -> None:
    mine = parse_uri("sip:desk@127.0.0.1:5070")
    assert mine.same(parse_uri("sip:desk@127.0.0.1:5070;transport=udp"))
    assert not mine.same(parse_uri("sip:desk@127.0.0.1:5071"))
    assert not mine.same(parse_uri("sip:other@127.0.0.1:5070"))
    assert parse_uri("sip:a@h").same(parse_uri("sip:a@H:5060"))


def test_loose_route() -> None:
    assert parse_uri("sip:p;lr").has("lr")
    assert parse_uri("sip:p;lr=on").has("lr")
    assert not parse_uri("sip:p;maddr=x").has("lr")


@pytest.mark.parametrize(
    ("value", "uri"),
    [
        ("<sip:b@h;lr>;tag=1", "sip:b@h;lr"),
        ('"Bob <b>, Jr." <sip:b@h>;expires=3', "sip:b@h"),
        ('"a \\" < b" <sip:b@h>', "sip:b@h"),
        ("sip:b@h;tag=1", "sip:b@h"),
        ("Bob <sip:b@h>", "sip:b@h"),
        ("*", "*"),
    ],
)
def test_uri_in_a_header(value: str, uri: str) -> None:
    assert uri_text(value) == uri


def test_params_of_a_header() -> None:
    assert header_params("<sip:b@h;lr>;Expires=60;q=0.5;x") == {"expires": "60", "q": "0.5", "x": ""}
    assert header_params("sip:b@h;expires=7") == {"expires": "7"}
    assert header_params("<sip:b@h;expires=9>") == {}


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    uri_text(text)
    header_params(text)
    try:
        parse_uri(text)
    except SipError:
        return
    assert text.strip().lower().startswith("sip")
