"""What is found wrong with messages that can still be read."""

from __future__ import annotations

import pytest

from sip_harness.sip.faults import MAX_FAULTS
from sip_harness.sip.message import parse
from sip_harness.sip.values import MAX_ELEMENTS, MAX_PARAMS, MAX_VALUE

REQUEST = {
    "start": "INVITE sip:bob@b.test SIP/2.0",
    "Via": "SIP/2.0/UDP 192.0.2.1:5070;rport;branch=z9hG4bKone",
    "Max-Forwards": "70",
    "From": '"Alice" <sip:alice@a.test>;tag=al',
    "To": "<sip:bob@b.test>",
    "Call-ID": "one@a.test",
    "CSeq": "7 INVITE",
    "Contact": "<sip:alice@192.0.2.1:5070>",
    "Content-Type": "application/sdp",
    "Content-Length": "3",
}
RESPONSE = REQUEST | {"start": "SIP/2.0 180 Ringing", "To": "<sip:bob@b.test>;tag=bo"}
BODY = "v=0"


def faults(change: dict[str, str | None], base: dict[str, str] = REQUEST, body: str | bytes = BODY) -> tuple[str, ...]:
    """Faults of a good message with these headers changed, left out (None) or added."""
    parts = {name: value for name, value in (base | change).items() if value is not None}
    start = parts.pop("start")
    head = "\r\n".join([start, *(f"{n}: {v}" for n, v in parts.items()), "", ""])
    data = body if isinstance(body, bytes) else body.encode()
    return parse(head.encode("utf-8", "surrogateescape") + data).faults


def test_good_messages_have_none() -> None:
    assert faults({}) == ()
    assert faults({}, RESPONSE) == ()
    assert faults({"Content-Length": None}) == ()
    assert faults({"Content-Type": None, "Content-Length": "0"}, body="") == ()


@pytest.mark.parametrize("name", ["Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq"])
def test_what_every_request_must_have(name: str) -> None:
    assert faults({name: None}) == (f"no {name} (RFC 3261 8.1.1)",)


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_what_every_response_must_have(name: str) -> None:
    assert faults({name: None}, RESPONSE) == (f"no {name} (RFC 3261 8.2.6.2)",)


def test_a_response_needs_no_max_forwards() -> None:
    assert faults({"Max-Forwards": None}, RESPONSE) == ()


@pytest.mark.parametrize("name", ["From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Content-Type"])
def test_what_may_stand_once_only(name: str) -> None:
    assert faults({name.upper(): REQUEST[name]}) == (f"2 {name} headers (RFC 3261 7.3.1)",)


def test_compact_and_long_form_are_the_same_header() -> None:
    assert faults({"i": "two@a.test", "CALL-ID": "three@a.test"}) == ("3 Call-ID headers (RFC 3261 7.3.1)",)


@pytest.mark.parametrize("name", ["Via", "Route", "Record-Route", "Supported", "Warning", "X-Own"])
def test_lists_may_stand_in_several_fields(name: str) -> None:
    value = {"Via": REQUEST["Via"], "Warning": '399 h "x"'}.get(name, "<sip:p;lr>")
    assert faults({name.upper(): value, name.lower(): value}) == ()


@pytest.mark.parametrize(
    ("start", "fault"),
    [
        (
            "INVITE  sip:bob@b.test SIP/2.0",
            "not exactly one space between the parts of the start line (RFC 3261 7.1, 7.2)",
        ),
        (
            "INVITE sip:bob@b.test SIP/2.0 ",
            "not exactly one space between the parts of the start line (RFC 3261 7.1, 7.2)",
        ),
        (
            "INVITE\tsip:bob@b.test SIP/2.0",
            "not exactly one space between the parts of the start line (RFC 3261 7.1, 7.2)",
        ),
        ("INVITE sip:bob@b.test sip/2.0", "SIP version not in upper case (RFC 3261 7.1)"),
        ("INVITE sip:bob@b.test SIP/3.0", "SIP version '3.0' is not 2.0 (RFC 3261 7.1)"),
        ("INVITE <sip:bob@b.test> SIP/2.0", "Request-URI in angle brackets (RFC 3261 7.1)"),
        ("INVITE sip:bob b.test SIP/2.0", "white space in the Request-URI (RFC 3261 7.1)"),
        ("INVITE bob SIP/2.0", "Request-URI cannot be read: no URI: 'bob'"),
        ("INVITE sip:@b SIP/2.0", "Request-URI cannot be read: no SIP URI: 'sip:@b'"),
        ("INVITE sip:b@ü SIP/2.0", "Request-URI cannot be read: no SIP URI: 'sip:b@\\xfc'"),
        ("INVITE sip:b@b?a=b SIP/2.0", "Request-URI with headers of its own (RFC 3261 19.1.1)"),
        ("INVITE sip:b\0@b SIP/2.0", "NUL in start line (RFC 3261 25.1)"),
    ],
)
def test_request_lines(start: str, fault: str) -> None:
    assert faults({"start": start}) == (fault,)


@pytest.mark.parametrize("uri", ["tel:+49", "urn:service:sos", "http://h", "sips:b@[::1];lr"])
def test_a_request_may_be_for_any_scheme(uri: str) -> None:
    assert faults({"start": f"INVITE {uri} SIP/2.0"}) == ()


@pytest.mark.parametrize(
    ("start", "found"),
    [
        ("SIP/2.0 100 ", ()),
        ("SIP/2.0 699 x  y ", ()),
        ("SIP/2.0 180", ("not exactly one space between the parts of the start line (RFC 3261 7.1, 7.2)",)),
        ("SIP/2.0  180 x", ("not exactly one space between the parts of the start line (RFC 3261 7.1, 7.2)",)),
        ("SIP/2.0 099 x", ("status code 099 is none of 100 to 699 (RFC 3261 21)",)),
        ("SIP/2.0 000 x", ("status code 000 is none of 100 to 699 (RFC 3261 21)",)),
        ("SIP/2.0 700 x", ("status code 700 is none of 100 to 699 (RFC 3261 21)",)),
        ("SIP/1.0 180 x", ("SIP version '1.0' is not 2.0 (RFC 3261 7.1)",)),
        ("SIP/2.0 180 \udcff", ("start line is not UTF-8 (RFC 3261 7)",)),
    ],
)
def test_status_lines(start: str, found: tuple[str, ...]) -> None:
    assert faults({"start": start}, RESPONSE) == found


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("x INVITE", "CSeq cannot be read: 'x INVITE'"),
        ("7", "CSeq cannot be read: '7'"),
        ("-7 INVITE", "CSeq cannot be read: '-7 INVITE'"),
        ("7 INVITE x", "CSeq cannot be read: '7 INVITE x'"),
        ("2147483648 INVITE", "CSeq '2147483648' is not below 2**31 (RFC 3261 8.1.1.5)"),
        ("7 ACK", "CSeq names 'ACK', the request is 'INVITE' (RFC 3261 8.1.1.5)"),
    ],
)
def test_cseq(value: str, fault: str) -> None:
    assert faults({"CSeq": value}) == (fault,)


@pytest.mark.parametrize("value", ["0 INVITE", "2147483647 INVITE", "0000000000000007\tINVITE"])
def test_good_cseq(value: str) -> None:
    assert faults({"CSeq": value}) == ()


def test_a_response_may_answer_any_method() -> None:
    assert faults({"CSeq": "7 OPTIONS"}, RESPONSE) == ()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"Content-Length": "4"}, "Content-Length is 4, the body has 3 bytes (RFC 3261 18.3)"),
        ({"Content-Length": "-3"}, "Content-Length is no number: '-3'"),
        ({"Content-Length": "99999999999"}, "Content-Length '99999999999' is more than 4294967295"),
        ({"Content-Length": ""}, "Content-Length is no number: ''"),
        ({"Content-Type": None}, "body without Content-Type (RFC 3261 20.15)"),
    ],
)
def test_bodies(change: dict[str, str | None], fault: str) -> None:
    assert faults(change) == (fault,)


def test_bytes_behind_the_body_are_no_fault() -> None:
    assert faults({}, body="v=0 and more") == ()


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("Max-Forwards", "256", ("Max-Forwards '256' is more than 255",)),
        ("Max-Forwards", "x", ("Max-Forwards is no number: 'x'",)),
        ("Expires", "4294967295", ()),
        ("Expires", "4294967296", ("Expires '4294967296' is more than 4294967295",)),
        ("Expires", "٣", ("Expires is no number: '\\u0663'",)),
        ("Retry-After", "120 (lunch);duration=60", ()),
        ("Retry-After", "(lunch)", ("Retry-After is no number: '(lunch)'",)),
        ("Session-Expires", "1800;refresher=uas", ()),
        ("x", "soon", ("Session-Expires is no number: 'soon'",)),
        ("Date", "Sat, 13 Nov 2010 23:29:00 GMT", ()),
        ("Date", "now", ("Date is none of the form that ends with GMT: 'now' (RFC 3261 20.17)",)),
        ("Warning", '307 h.test "a, b", 301 h:5060 "c"', ()),
        ("Warning", '30 h "a"', ("Warning cannot be read: '30 h \"a\"' (RFC 3261 20.43)",)),
    ],
)
def test_other_headers(name: str, value: str, found: tuple[str, ...]) -> None:
    assert faults({name: value}) == found


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"From": "<sip:alice@a.test>"}, "From without tag (RFC 3261 8.1.1.3)"),
        ({"From": "Alice;tag=1"}, "From cannot be read: no address: 'Alice;tag=1'"),
        ({"To": '"Bob <sip:b@b>'}, "To cannot be read: no address: '\"Bob <sip:b@b>'"),
        ({"To": "Bob, B <sip:b@b>"}, "display name of To is not in quotes: 'Bob, B' (RFC 3261 25.1)"),
        ({"To": "Büb <sip:b@b>"}, "display name of To is not in quotes: 'B\\xfcb' (RFC 3261 25.1)"),
        ({"To": "< sip:b@b>"}, "white space in the angle brackets of To (RFC 3261 25.1)"),
        ({"To": "<sip:b@b>;;x"}, "parameters of To cannot be read: ';;x'"),
        ({"To": "<sip:b@b>, <sip:c@c>"}, "To cannot be read: no address: '<sip:b@b>, <sip:c@c>'"),
        ({"To": "*"}, "To is no address: '*'"),
        ({"To": "<sip:@b>"}, "To cannot be read: no SIP URI: 'sip:@b'"),
        ({"To": ""}, "To cannot be read: no address: ''"),
        ({"Reply-To": "<sip:b@b"}, "Reply-To cannot be read: no address: '<sip:b@b'"),
        ({"r": "sip:b@b?Replaces=x"}, "Refer-To has a URI with '?' or ',' outside of angle brackets (RFC 3261 20.10)"),
        ({"Route": "sip:p;lr"}, "Route without angle brackets (RFC 3261 25.1)"),
        ({"Route": "<sip:p;lr>, p"}, "Route cannot be read: no address: 'p'"),
        ({"Record-Route": ""}, "Record-Route cannot be read: no address: ''"),
        ({"Contact": "<sip:a@a>;q=2"}, "q of Contact is no number from 0 to 1: '2' (RFC 3261 20.10)"),
        (
            {"Contact": "<sip:a@a>;expires=4294967296"},
            "expires of Contact is no number up to 4294967295: '4294967296' (RFC 3261 20.10)",
        ),
        (
            {"Contact": '<sip:a@a>;expires="never"'},
            "expires of Contact is no number up to 4294967295: 'never' (RFC 3261 20.10)",
        ),
        ({"Contact": None}, "no Contact, exactly one is due (RFC 3261 8.1.1.8)"),
        ({"Contact": "<sip:a@a>, <sip:b@b>"}, "2 Contact, exactly one is due (RFC 3261 8.1.1.8)"),
    ],
)
def test_addresses(change: dict[str, str | None], fault: str) -> None:
    assert faults(change) == (fault,)


@pytest.mark.parametrize(
    "value",
    [
        "<sip:b@b>",
        "Bob B. <sip:b@b>",
        '"B, <b>" <sip:b@b>;x="a;b"',
        "sip:b@b;x",
        "<tel:1>",
        "B <sip:b@b?a=b,c>;x=[::1]",
    ],
)
def test_good_addresses(value: str) -> None:
    assert faults({"To": value, "Reply-To": value, "Contact": value}) == ()


def test_contacts_of_answers_and_registrations() -> None:
    ok = RESPONSE | {"start": "SIP/2.0 200 OK"}
    assert faults({"Contact": None}, ok) == ("no Contact, exactly one is due (RFC 3261 12.1.1)",)
    assert faults({"Contact": None}, RESPONSE) == ()
    assert faults({"Contact": None, "CSeq": "7 BYE"}, ok) == ()
    register = {"start": "REGISTER sip:b SIP/2.0", "CSeq": "7 REGISTER"}
    assert faults(register | {"Contact": "*"}) == ()
    assert faults(register | {"Contact": "<sip:a@a>, <sip:b@b>"}) == ()


@pytest.mark.parametrize("code", [180, 200, 404])
def test_answers_have_a_to_tag(code: int) -> None:
    response = RESPONSE | {"start": f"SIP/2.0 {code} x"}
    assert faults({"To": "<sip:b@b>"}, response) == ("To without tag in a response (RFC 3261 8.2.6.2)",)
    assert faults({"To": "<sip:b@b>", "start": "SIP/2.0 100 x"}, response) == ()


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("SIP/2.0/UDP", "Via cannot be read: no Via: 'SIP/2.0/UDP'"),
        ("", "Via cannot be read: no Via: ''"),
        ("SIP/2.0/UDP h;;branch=z9hG4bK1", "parameters of Via cannot be read: ';;branch=z9hG4bK1'"),
        ("SIP/2.0/UDP h;branch=z9hG4bK", "branch of a Via is the magic cookie alone (RFC 3261 8.1.1.7)"),
        ("SIP/2.0/UDP h, HTTP/1.1/TCP i", "Via of 'HTTP/1.1' (RFC 3261 20.42)"),
        ("SIP/2.0/UDP h:0", "Via cannot be read: port out of range in Via 'SIP/2.0/UDP h:0'"),
    ],
)
def test_vias(value: str, fault: str) -> None:
    assert faults({"Via": value}) == (fault,)


def test_a_via_without_branch_is_none() -> None:
    assert faults({"Via": "SIP/2.0/UDP h"}) == ()


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("Subject", "a\0b", ("NUL in Subject (RFC 3261 25.1)",)),
        ("s", "a\x07b", ("control character '\\x07' in Subject (RFC 3261 25.1)",)),
        ("Subject", "a\rb", ("control character '\\r' in Subject (RFC 3261 25.1)",)),
        ("Subject", "a\tb", ()),
        ("Subject", "\udcffx", ("Subject is not UTF-8 (RFC 3261 7)",)),
        ("Subject", "ü", ()),
        ("Reply-To", '"a\\\0b" <sip:a@a>', ()),
        ("Reply-To", '"a\0b" <sip:a@a>', ("NUL in Reply-To (RFC 3261 25.1)",)),
        ("X(", "1", ("header name 'X(' is no token (RFC 3261 25.1)",)),
        ("X\udcff", "1", ("header name 'X\\udcff' is no token (RFC 3261 25.1)",)),
        ("X Y", "1", ("line without a header name: 'X Y: 1'",)),
        ("", "1", ("line without a header name: ': 1'",)),
        ("X-Long", "x" * (MAX_VALUE + 1), ("X-Long has 16385 characters and is not taken apart",)),
    ],
)
def test_characters_and_names(name: str, value: str, found: tuple[str, ...]) -> None:
    # As bytes, a lone surrogate is what it stands for: a byte that is no UTF-8.
    assert faults({name: value}) == found


def test_lines() -> None:
    good = "\r\n".join([REQUEST["start"], *(f"{n}: {v}" for n, v in REQUEST.items() if n != "start")]).encode()
    assert parse(good + b"\r\n\r\nv=0").faults == ()
    assert parse(good.replace(b"3", b"0")).faults == ("no empty line after the headers (RFC 3261 7)",)
    assert parse(good + b"\nX: 1\r\n\r\nv=0").faults == ("lines that end with LF only (RFC 3261 7)",)
    assert parse(good + b"\r\n\nv=0").faults == ("lines that end with LF only (RFC 3261 7)",)
    assert parse(good + b"\r\nno colon\r\n\r\nv=0").faults == ("line without a header name: 'no colon'",)


def test_limits_are_named() -> None:
    assert faults({"Route": ", ".join(["<sip:p;lr>"] * (MAX_ELEMENTS + 1))}) == (
        "Route cannot be read: 257 elements: more than the 256 that are taken apart",
    )
    assert faults({"Via": "SIP/2.0/UDP h" + ";p" * (MAX_PARAMS + 1)}) == (
        "Via cannot be read: more than the 128 parameters that are taken apart",
    )


def test_faults_are_bounded_and_none_is_named_twice() -> None:
    found = faults({f"X({n}": "\0" for n in range(100)})
    assert len(found) == len(set(found)) == MAX_FAULTS
    assert faults({"Route": "p, p, p", "ROUTE": "p"}) == ("Route cannot be read: no address: 'p'",)


def test_faults_hold_nothing_that_could_break_a_report() -> None:
    evil = "\x1b[31m<script>\u202e\udcff" + "x" * 500
    found = faults({"From": evil, "Via": evil, evil: evil, "CSeq": evil, "start": f"A {evil} SIP/2.0", "Date": evil})
    found += faults({"X" * 999: evil})
    assert len(found) >= 10
    assert all(fault.isascii() and fault.isprintable() and len(fault) < 200 for fault in found)
