"""SIP URIs and the header values that carry them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip_harness.sip.errors import SipError
from sip_harness.sip.uri import OtherUri, Uri, header_params, parse_uri, read_uri, unescape, uri_text
from sip_harness.sip.values import MAX_PARAMS, MAX_VALUE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sip:bob@example.com", Uri("sip", "bob", "example.com", None)),
        ("SIPS:bob:secret@Example.COM:5071", Uri("sips", "bob", "example.com", 5071, password="secret")),
        ("sip:bob:@h", Uri("sip", "bob", "h", None, password="")),
        ("sip:127.0.0.1:5060;lr;Transport=udp", Uri("sip", "", "127.0.0.1", 5060, (("lr", ""), ("transport", "udp")))),
        (
            "sip:+49301;npdi@gw.test;user=phone?Subject=x",
            Uri("sip", "+49301;npdi", "gw.test", None, (("user", "phone"),), (("subject", "x"),)),
        ),
        ("sip:b@[2001:db8::1]:5070", Uri("sip", "b", "[2001:db8::1]", 5070)),
    ],
)
def test_read(text: str, expected: Uri) -> None:
    assert parse_uri(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tel:+49",
        "sip:",
        "sip:b@",
        "sip:@h",
        "sip:b@h:0",
        "sip:b@h:99999",
        "sip:b@h:123456",
        "sip:b@h:",
        "sip:a b@h",
        "*",
        "<sip:b@h>",
        "sip:b@[::1",
        "sip:b@[:::]",
        "sip:b@[12]",
        "sip:b@::1",
        "sip:a@b@c",
        "sip:b@h;x y",
        "sip:b@h\n",
        "sip:b@h?a=b c",
        "sip:b@h/x",
        "sip:b@ü",
        "sip:b@h" + ";p" * (MAX_PARAMS + 1),
        "sip:b@h?" + "a=b&" * (MAX_PARAMS + 1),
        "sip:" + "b" * MAX_VALUE + "@h",
    ],
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

    assert not parse_uri("sip:a:1@h").same(parse_uri("sip:a:2@h"))


# RFC 3261 19.1.4


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:a%2fb@h", "sip:a%2Fb@h"),
        ("sip:a@h;x=%41", "sip:a@h;x=A"),
    ],
)
def test_equivalent(one: str, other: str) -> None:
    assert parse_uri(one).equivalent(parse_uri(other))
    assert parse_uri(other).equivalent(parse_uri(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@h", "sips:a@h"),
        ("sip:a@h", "sip:h"),
        ("sip:a@h", "sip:a:@h"),
        ("sip:a:b@h", "sip:a:B@h"),
        ("sip:a@h;user=phone", "sip:a@h"),
        ("sip:a@h;ttl=1", "sip:a@h"),
        ("sip:a@h;maddr=x", "sip:a@h"),
        ("sip:a@h;method=INVITE", "sip:a@h"),
        ("sip:a%2fb@h", "sip:a/b@h"),
    ],
)
def test_not_equivalent(one: str, other: str) -> None:
    assert not parse_uri(one).equivalent(parse_uri(other))
    assert not parse_uri(other).equivalent(parse_uri(one))


def test_equivalence_is_not_transitive() -> None:
    on, plain, off = (parse_uri(f"sip:carol@chicago.com{p}") for p in (";security=on", "", ";security=off"))
    assert on.equivalent(plain)
    assert plain.equivalent(off)
    assert not on.equivalent(off)


@pytest.mark.parametrize(
    "text",
    ["SIP:Bob:pw@Example.COM:5070;LR;x=%41?Subject=A&b=", "sip:[2001:DB8::1]", "sips:a@h;transport=TCP", "sip:h?"],
)
def test_text_comes_back_as_it_was(text: str) -> None:
    assert str(parse_uri(text)) == text


def test_a_uri_of_ours_is_composed() -> None:
    uri = Uri("sip", "bob", "[::1]", 5070, (("lr", ""), ("transport", "tcp")), (("subject", "x"), ("a", "")), "pw")
    assert str(uri) == "sip:bob:pw@[::1]:5070;lr;transport=tcp?subject=x&a="
    assert parse_uri(str(uri)) == uri
    assert str(Uri("sips", "", "h", None)) == "sips:h"
    assert str(OtherUri("tel", "+49")) == "tel:+49"


def test_parameters_and_headers() -> None:
    uri = parse_uri("sip:b@h;Transport=TCP;lr;x=?Subject=a%20b&&Route=%3Csip:p%3E")
    assert (uri.param("transport"), uri.param("lr"), uri.param("x"), uri.param("y")) == ("TCP", "", "", None)
    assert uri.headers == (("subject", "a%20b"), ("route", "%3Csip:p%3E"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tel:+49-30-1;phone-context=x", OtherUri("tel", "+49-30-1;phone-context=x")),
        ("URN:service:sos", OtherUri("urn", "service:sos")),
        ("http://h/?a", OtherUri("http", "//h/?a")),
        ("Sip:b@h", Uri("sip", "b", "h", None)),
    ],
)
def test_any_scheme(text: str, expected: Uri | OtherUri) -> None:
    assert read_uri(text) == expected
    assert str(read_uri(text)) == text


@pytest.mark.parametrize(
    "text", ["", "tel:", ":x", "1a:b", "tel", "tel:a b", "tel:<a>", 'tel:"', "tel:a\0", "sip:a b", "*"]
)
def test_no_uri_of_any_scheme(text: str) -> None:
    with pytest.raises(SipError):
        read_uri(text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a", "a"),
        ("%41%62", "Ab"),
        ("%", "%"),
        ("%4", "%4"),
        ("%zz", "%zz"),
        ("%00", "\0"),
        ("%C3%bc", "ü"),
        ("%25%34%31", "%41"),
    ],
)
def test_escapes_are_undone_once(text: str, plain: str) -> None:
    assert unescape(text) == plain


def test_escapes_that_are_no_utf8_are_kept_as_bytes() -> None:
    assert unescape("%ff%C3").encode("utf-8", "surrogateescape") == b"\xff\xc3"


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
    assert header_params('"a>;q=1" <sip:b@h>;x="a;b>";q=0.2;q=0.3') == {"x": '"a;b>"', "q": "0.2"}


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    uri_text(text)
    header_params(text)
    unescape(text)
    try:
        uri = read_uri(text)
    except SipError:
        return
    assert str(uri) == text.strip(" \t")


PARTS = st.text(st.sampled_from('ab:@;?&=%41[].,<>" ()/'), max_size=30)


@settings(deadline=None)
@given(PARTS, PARTS, PARTS)
def test_what_is_read_as_a_sip_uri_comes_back_and_equals_itself(one: str, two: str, three: str) -> None:
    text = f"sip:{one}@h{two};{three}"
    try:
        uri = parse_uri(text)
    except SipError:
        return
    assert str(uri) == text.strip(" \t")
    assert uri.equivalent(uri)
    assert uri.same(uri)
    composed = Uri(uri.scheme, uri.user, uri.host, uri.port, uri.params, uri.headers, uri.password)
    assert parse_uri(str(composed)) == uri
