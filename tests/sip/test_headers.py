"""Headers of a message as typed values."""

from __future__ import annotations

import pytest

from sip_harness.sip.address import Address
from sip_harness.sip.errors import SipError
from sip_harness.sip.headers import (
    address,
    addresses,
    contacts,
    listed,
    max_forwards,
    media_type,
    record_routes,
    routes,
    seconds,
    vias,
)
from sip_harness.sip.message import Message, parse
from sip_harness.sip.values import MAX_ELEMENTS
from sip_harness.sip.via import SentBy


def message(*headers: str) -> Message:
    return parse("\r\n".join(["INFO sip:b@b SIP/2.0", *headers, "", ""]).encode())


def test_a_list_may_stand_in_one_field_or_in_several() -> None:
    expected = ("100rel", "timer", "replaces")
    assert listed(message("Supported: 100rel, timer", "k: replaces"), "supported") == expected
    assert listed(message("k: 100rel", "K: timer,,", "SUPPORTED: , replaces"), "Supported") == expected
    assert listed(message("Supported:"), "Supported") == listed(message(), "Supported") == ()


def test_vias_from_the_top() -> None:
    found = vias(message("v: SIP/2.0/UDP a;branch=1, SIP/2.0/TLS [::1]:5071", "Via: SIP / 2.0 / TCP c ; rport = 7"))
    assert [via.sent_by for via in found] == [
        SentBy("UDP", "a", 5060),
        SentBy("TLS", "[::1]", 5071),
        SentBy("TCP", "c", 5060),
    ]
    assert [via.branch for via in found] == ["1", "", ""]
    assert [via.rport for via in found] == [None, None, 7]
    assert vias(message()) == ()


def test_contacts_with_q_and_expires() -> None:
    m = message('m: "A, B" <sip:a@a>;q=0.5;expires=60, <sip:b@b>', "Contact: sip:c@c;q=1;expires=x")
    assert [(c.display, c.uri, c.q, c.expires) for c in contacts(m)] == [
        ("A, B", "sip:a@a", 0.5, 60),
        ("", "sip:b@b", None, None),
        ("", "sip:c@c", 1.0, None),
    ]
    (everything,) = contacts(message("Contact: *"))
    assert everything.uri == "*"


def test_routes_in_their_order() -> None:
    m = message(
        "Route: <sip:p1;lr>,<sip:p2;lr>", "Record-Route: <sip:r2;lr>", "Record-Route: <sip:r1;lr>", "Path: <sip:x>"
    )
    assert [r.uri for r in routes(m)] == ["sip:p1;lr", "sip:p2;lr"]
    assert [r.uri for r in record_routes(m)] == ["sip:r2;lr", "sip:r1;lr"]
    assert addresses(m, "path") == (Address("", "sip:x"),)


def test_one_address() -> None:
    m = message("t: Bob <sip:b@b>;tag=1", "From: nobody")
    assert (address(m, "to").display, address(m, "To").tag) == ("Bob", "1")
    with pytest.raises(SipError, match="no address: 'nobody'"):
        address(m, "from")
    with pytest.raises(SipError, match="no refer-to"):
        address(m, "refer-to")


@pytest.mark.parametrize(
    ("value", "kind", "params"),
    [
        ("application/sdp", "application/sdp", ()),
        ('Multipart / Mixed ; boundary="a;b"', "multipart/mixed", (("boundary", '"a;b"'),)),
        ("", "", ()),
    ],
)
def test_media_types(value: str, kind: str, params: tuple[tuple[str, str], ...]) -> None:
    assert media_type(message(f"c: {value}")) == (kind, params)


def test_no_media_type() -> None:
    assert media_type(message()) == ("", ())


def test_seconds() -> None:
    m = message("Expires: 0060", "Retry-After: 120 (a;b);duration=9", "x: 1800;refresher=uas", "Min-SE: 9999999999999")
    assert (seconds(m, "expires"), seconds(m, "retry-after"), seconds(m, "session-expires")) == (60, 120, 1800)
    assert seconds(m, "min-se") == 2**32 - 1
    assert seconds(m, "min-expires") is None
    with pytest.raises(SipError, match="expires is no number"):
        seconds(message("Expires: soon"), "expires")


def test_max_forwards() -> None:
    assert max_forwards(message("Max-Forwards: 0070")) == 70
    assert max_forwards(message()) is None
    with pytest.raises(SipError):
        max_forwards(message("Max-Forwards: -1"))


@pytest.mark.parametrize("headers", [["Via: x"], ["Via: SIP/2.0/UDP h, x"], ["Via: SIP/2.0/UDP h", "v: ;"]])
def test_one_via_that_cannot_be_read_spoils_the_list(headers: list[str]) -> None:
    with pytest.raises(SipError, match="no Via"):
        vias(message(*headers))


def test_lists_are_bounded_over_all_fields() -> None:
    half = ", ".join(["<sip:p;lr>"] * (MAX_ELEMENTS // 2))
    assert len(routes(message(f"Route: {half}", f"Route: {half}"))) == MAX_ELEMENTS
    with pytest.raises(SipError, match="257 elements"):
        routes(message(f"Route: {half}", f"Route: {half}", "Route: <sip:p;lr>"))
