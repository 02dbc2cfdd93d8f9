"""What may leave towards a system that others use too."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip_harness.model.gate import Gate
from sip_harness.model.guard import EMERGENCY, GuardRules
from sip_harness.model.numbers import number_of
from sip_harness.sip.message import build, parse

HOST = "192.0.2.1"
RULES = GuardRules(frozenset({HOST}), frozenset({"pbx.example"}), calls=2)


def request(
    method: str = "INVITE",
    uri: str = "sip:600@pbx.example",
    *headers: tuple[str, str],
    call: str = "c",
    tag: str = "",
    via: str = "SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bKx",
    body: bytes = b"",
) -> bytes:
    own = [
        ("Via", via),
        ("From", "<sip:100@pbx.example>;tag=a"),
        ("To", f"<{uri}>{f';tag={tag}' if tag else ''}"),
        ("Call-ID", call),
        ("CSeq", f"1 {method}"),
    ]
    return build(f"{method} {uri} SIP/2.0", [*own, *headers], body)


def answer(contact: str, *headers: tuple[str, str]) -> bytes:
    """A 200 of the system to our INVITE."""
    own = [("From", "<sip:100@pbx.example>;tag=a"), ("To", "<sip:600@pbx.example>;tag=b"), ("Call-ID", "c")]
    return build("SIP/2.0 200 OK", [*own, ("CSeq", "1 INVITE"), ("Contact", contact), *headers])


@pytest.mark.parametrize(
    "uri",
    [
        "sip:112@pbx.example",
        "sips:112@pbx.example;user=phone",
        "sip:%31%31%32@pbx.example",
        "sip:1-1-2@pbx.example",
        "sip:112;phone-context=+49@pbx.example",
        "sip:0112@pbx.example",
        "sip:9911@pbx.example",
        "sip:+112@pbx.example",
        "sip:911:secret@pbx.example",
        "tel:911",
        "tel:1.1.0;phone-context=+49",
        "TEL:999",
        "urn:service:sos",
        "URN:service:sos.police",
        "sip:sos@pbx.example",
        "sip:sos.fire@pbx.example",
        "tel:0900-123456",
        "sip:+49900123456@pbx.example",
        "sip:00112@pbx.example",
        "sip:+1911@pbx.example",
        "sip:0049112@pbx.example",
        "sip:112%23@pbx.example",
        "sip:*31%23112@pbx.example",
        "sip:*67911@pbx.example",
        "sip:112,,1@pbx.example",
        "tel:112;postd=p1",
        "sip:tel%3A112@pbx.example",
        "sip:urn%3Aservice%3Asos@pbx.example",
        "sip:service:sos.police@pbx.example",
        "sip:00900123456@pbx.example",
        "sip:90900123456@pbx.example",
        "sip:1@pbx.example?Refer-To=%3Csip:112@pbx.example%3E",
    ],
)
def test_nobody_calls_for_help_or_dearly_in_a_test(uri: str) -> None:
    assert RULES.uri_refusal(uri)
    assert "guard stops it" in Gate(RULES).refusal(request(uri=uri), HOST)
    assert "guard stops it" in Gate(RULES).refusal(
        request("REFER", "sip:1@pbx.example", ("Refer-To", f"<{uri}>")), HOST
    )
    inside = request("REFER", "sip:1@192.0.2.9", ("Refer-To", f"<{uri}>"), tag="b")
    assert "guard stops it" in Gate(RULES).refusal(inside, HOST)
    moved = build("SIP/2.0 302 Moved", [("Via", "x"), ("Contact", f"<sip:1@pbx.example>, <{uri}>")])
    assert "guard stops it" in Gate(RULES).refusal(moved, HOST)


@pytest.mark.parametrize(
    "uri", ["sip:600@pbx.example", "sip:1120@pbx.example", "sip:alice@192.0.2.1", "sip:pbx.example"]
)
def test_what_is_ordinary_leaves(uri: str) -> None:
    assert not Gate(RULES).refusal(request(uri=uri), HOST)


def test_a_number_that_is_listed_may_be_called() -> None:
    rules = GuardRules(frozenset({HOST}), frozenset({"pbx.example"}), numbers=("112", "0900123*"))
    assert not rules.number_refusal("sip:112@pbx.example")
    assert not rules.number_refusal("tel:0900-1234")
    assert rules.number_refusal("tel:0900-99")
    assert rules.number_refusal("tel:0112"), "only the number that is listed, not the one behind an outside line"


def test_hosts_that_no_profile_names_are_neither_contacted_nor_named() -> None:
    gate = Gate(RULES)
    assert "it is no host that the profile names" in gate.refusal(request(), "192.0.2.66")
    for uri in ("sip:1@192.0.2.66", "sip:1@evil.example", "sip:1@[2001:db8::1]"):
        assert "no host that the profile names" in gate.refusal(request(uri=uri), HOST)
    routed = request("INVITE", "sip:1@pbx.example", ("Route", "<sip:192.0.2.1;lr>, <sip:192.0.2.66;lr>"))
    assert "192.0.2.66 is no host" in gate.refusal(routed, HOST)
    for method in ("ACK", "BYE"):
        within = request(method, "sip:1@192.0.2.66", tag="b")
        assert "no host that the profile names" in gate.refusal(within, HOST), "a To tag alone makes no call"
    gate.heard(parse(answer("<sip:1@192.0.2.66>", ("Record-Route", "<sip:192.0.2.67;lr>"))), HOST)
    for method in ("ACK", "BYE", "INVITE"):
        within = request(method, "sip:1@192.0.2.66", ("Route", "<sip:192.0.2.67;lr>"), tag="b")
        assert not gate.refusal(within, HOST), "to a peer who says that he is elsewhere, over the flow that there is"
    aside = request("INFO", "sip:1@192.0.2.66", ("Route", "<sip:192.0.2.68;lr>"), tag="b")
    assert "192.0.2.68 is no host" in gate.refusal(aside, HOST), "which nobody has named"
    dearer = request("INVITE", "sip:112@192.0.2.66", tag="b")
    assert "112 is an emergency number" in gate.refusal(dearer, HOST)


def test_our_own_words_do_not_come_back_as_the_systems() -> None:
    gate = Gate(RULES)
    echoed = [("From", "<sip:x@192.0.2.66>;tag=a"), ("To", "<sip:112@192.0.2.67>;tag=b"), ("Call-ID", "c")]
    gate.heard(parse(build("SIP/2.0 200 OK", [*echoed, ("CSeq", "1 INVITE"), ("Contact", "<sip:pbx.example>")])), HOST)
    for uri in ("sip:x@192.0.2.66", "sip:x@192.0.2.67", "sip:112@pbx.example", "urn:service:sos"):
        assert gate.refusal(request("INVITE", uri, tag="b"), HOST), uri


def test_what_comes_from_elsewhere_opens_no_way() -> None:
    gate = Gate(RULES)
    gate.heard(parse(answer("<sip:1@192.0.2.66>")), "192.0.2.66")
    assert gate.refusal(request("BYE", "sip:1@192.0.2.66", tag="b"), HOST)


def test_a_peer_with_the_number_of_an_emergency_service_can_be_talked_to() -> None:
    """Extension 110 of a PBX calls us: its Contact is no call for help."""
    gate = Gate(RULES)
    gate.heard(parse(answer("<sip:110@pbx.example>")), HOST)
    for method in ("BYE", "INVITE", "INFO"):
        assert not gate.refusal(request(method, "sip:110@pbx.example", tag="b"), HOST)


ELSEWHERE = [
    request("INVITE", "sip:1@pbx.example;maddr=192.0.2.66"),
    request("INVITE", "sip:1@pbx.example;alias=192.0.2.66~5060~1"),
    request("INVITE", "sip:1@pbx.example;received=192.0.2.66"),
    request("INVITE", "sip:1@pbx.example;fs_path=%3Csip%3A192.0.2.66%3Blr%3E"),
    request("REFER", "sip:1@pbx.example", ("Refer-To", "<sip:1@pbx.example?Route=%3Csip:192.0.2.66;lr%3E>")),
    request("REGISTER", "sip:pbx.example", ("Contact", "<sip:x@192.0.2.66>")),
    request("REGISTER", "sip:pbx.example", ("m", "<sip:x@192.0.2.7>, <sip:x@evil.example>")),
    request("REGISTER", "sip:pbx.example", ("Contact", "<sip:112@pbx.example>")),
    request("REGISTER", "sip:pbx.example", ("Contact", "*"), ("Expires", "0")),
    request("REGISTER", "sip:pbx.example", ("Contact", "<sip:x@192.0.2.7>"), ("Path", "<sip:192.0.2.66;lr>")),
    request("SUBSCRIBE", "sip:1@pbx.example", ("Contact", "<sip:x@192.0.2.66>")),
    request("INVITE", "sip:1@pbx.example", ("Record-Route", "<sip:192.0.2.66;lr>")),
    request("INVITE", "sip:1@pbx.example", via="SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bKx;maddr=192.0.2.66"),
    request("INVITE", "sip:1@pbx.example", via="SIP/2.0/UDP 192.0.2.7:5070;received=192.0.2.66;branch=z9hG4bKx"),
    request("INVITE", "sip:1@pbx.example", body=b"v=0\r\nc=IN IP4 192.0.2.66\r\nm=audio 9 RTP/AVP 0\r\n"),
    request("INVITE", "sip:1@pbx.example", body=b"v=0\r\na=candidate:1 1 UDP 2130706431 192.0.2.66 9 typ host\r\n"),
    request("INVITE", "sip:1@pbx.example", body=b"v=0\r\na=rtcp:9 IN IP4 evil.example\r\n"),
    build("SIP/2.0 200 OK", [("Via", "x"), ("CSeq", "1 INVITE"), ("Contact", "<sip:x@192.0.2.66>")]),
    build("SIP/2.0 183 Early", [("Via", "x"), ("CSeq", "1 INVITE"), ("Record-Route", "<sip:192.0.2.66;lr>")]),
    build("SIP/2.0 305 Use Proxy", [("Via", "x"), ("CSeq", "1 INVITE"), ("Contact", "<sip:192.0.2.66>")]),
    b"SIP/2.0 486 Busy\r\nContent-Length: 0\r\n\r\nSIP/2.0 302 Moved\r\nContact: <sip:112@pbx.example>\r\n\r\n",
    request("OPTIONS") + request("REFER", "sip:1@pbx.example", ("Refer-To", "<sip:112@pbx.example>")),
]


@pytest.mark.parametrize("data", ELSEWHERE)
def test_nobody_is_led_elsewhere_by_any_header_or_body(data: bytes) -> None:
    assert "the guard stops it" in Gate(RULES, {"192.0.2.7"}).refusal(data, HOST)


@pytest.mark.parametrize(
    "data",
    [
        request("REGISTER", "sip:pbx.example", ("Contact", "<sip:x@192.0.2.7>, <sip:x@192.0.2.99>;expires=0")),
        request("INVITE", "sip:1@pbx.example", ("Contact", "<sip:x@192.0.2.7:5070>")),
        request("INVITE", "sip:1@pbx.example", body=b"v=0\r\nc=IN IP4 192.0.2.7\r\nm=audio 9 RTP/AVP 0\r\n"),
        request("INVITE", "sip:1@pbx.example", body=b"v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 9 RTP/AVP 0\r\n"),
        request("NOTIFY", "sip:1@pbx.example", body=b"SIP/2.0 200 OK\r\n"),
        build("SIP/2.0 486 Busy", [("Via", "x"), ("CSeq", "1 INVITE"), ("Contact", "<sip:x@192.0.2.66>")]),
    ],
)
def test_what_says_where_we_are_leaves(data: bytes) -> None:
    assert not Gate(RULES, {"192.0.2.7"}).refusal(data, HOST)


def everything(user: str, *more: tuple[str, str]) -> bytes:
    """A REGISTER that takes all bindings of this user away."""
    headers = [("To", f"<sip:{user}@pbx.example>"), ("CSeq", "1 REGISTER"), ("Contact", "*"), ("Expires", "0")]
    return build("REGISTER sip:pbx.example SIP/2.0", [*headers, *more])


def test_all_bindings_of_an_account_of_ours_may_be_taken_away() -> None:
    gate = Gate(replace(RULES, accounts=frozenset({"100"})))
    assert not gate.refusal(everything("100"), HOST)
    assert "'*' takes the bindings of an account away" in gate.refusal(everything("101"), HOST)
    assert "192.0.2.66 is no host" in gate.refusal(everything("100", ("Path", "<sip:192.0.2.66;lr>")), HOST)
    assert "192.0.2.66 is no host" in gate.refusal(everything("100", ("Contact", "<sip:1@192.0.2.66>")), HOST)
    assert gate.refusal(request("INVITE", "sip:100@pbx.example", ("Contact", "*")), HOST)


def moved(contact: str) -> bytes:
    """A redirection there."""
    return build("SIP/2.0 302 Moved", [("CSeq", "1 INVITE"), ("Contact", f"<{contact}>")])


def test_a_name_that_is_nobodys_leads_nowhere() -> None:
    gate = Gate(RULES)
    assert not gate.refusal(moved("sip:1@pbx.invalid"), HOST)
    assert gate.refusal(moved("sip:1@invalid.example"), HOST)
    assert gate.refusal(moved("sip:1@pbx.invalid;maddr=192.0.2.66"), HOST)
    assert "emergency" in gate.refusal(moved("sip:112@pbx.invalid"), HOST)
    routed = ("Record-Route", "<sip:edge.invalid;lr>")
    assert not gate.refusal(request("REGISTER", "sip:pbx.example", routed), HOST)
    for wrong in (
        request(uri="sip:1@pbx.invalid"),
        request("INVITE", "sip:1@pbx.example", ("Route", "<sip:edge.invalid;lr>")),
        request("INVITE", "sip:1@pbx.example", routed),
        request("INVITE", "sip:1@pbx.example", ("Contact", "<sip:1@pbx.invalid>")),
    ):
        assert "no host that the profile names" in gate.refusal(wrong, HOST), "it would be looked up, or a call be left"


def test_a_to_tag_alone_makes_no_dialog() -> None:
    gate = Gate(RULES)
    for method in ("INVITE", "UPDATE", "REFER", "MESSAGE"):
        assert "112 is an emergency number" in gate.refusal(request(method, "sip:112@pbx.example", tag="made-up"), HOST)
    assert not gate.refusal(request(), HOST)
    refused = gate.refusal(request("INVITE", "sip:112@pbx.example", tag="b"), HOST)
    assert "112 is an emergency number" in refused, "the system has not named it in that call"


def test_an_account_may_have_any_number() -> None:
    register = build("REGISTER sip:pbx.example SIP/2.0", [("To", "<sip:112@pbx.example>"), ("CSeq", "1 REGISTER")])
    assert not Gate(RULES).refusal(register, HOST)


def test_calls_are_counted_retries_are_not() -> None:
    gate = Gate(RULES)
    for call in ("a", "a", "b", "b", "a"):
        assert not gate.refusal(request(call=call), HOST)
    assert "no call is left of the 2" in gate.refusal(request(call="c"), HOST)
    assert not gate.refusal(request("OPTIONS", call="c"), HOST)
    assert "no call is left" in gate.refusal(request(call="c", tag="b"), HOST), "nor by a To tag that nobody gave"
    gate.heard(parse(answer("<sip:600@pbx.example>")), HOST)
    assert not gate.refusal(request(call="c", tag="b"), HOST), "a re-INVITE is no further call"


def test_bytes_that_cannot_be_read_are_no_way_round() -> None:
    gate = Gate(RULES)
    assert gate.refusal(b"INVITE sip:112@pbx.example SIP/2.0\r\nno header\r\n\r\n", HOST)
    assert gate.refusal(b"SIP/2.0 0302 Moved\r\nContact: <sip:112@pbx.example>\r\n\r\n", HOST)
    assert gate.refusal(b"SIP/2.0 302 Moved\r\nContact: <sip:1@pbx.example\r\n\r\n", HOST)
    assert gate.refusal(b"SIP/2.0 486 Busy\r\n\r\n" + request(uri="sip:112@pbx.example"), HOST)
    assert not gate.refusal(b"SIP/2.0 486 Busy\r\nno header\r\n\r\n", HOST)
    assert not gate.refusal(b"\r\n\r\n", HOST), "a keep-alive"
    for code in (b"48", b"700", b"4294967598"):
        assert not gate.refusal(b"SIP/2.0 " + code + b" Odd\r\nTo: x\r\n\r\n", HOST)
    for code in (b"48", b"4294967598"):  # 2^32 and 302
        for contact in (b"Contact", b"m "):
            data = b"SIP/2.0 " + code + b" Odd\r\n" + contact + b": <sip:112@pbx.example>\r\n\r\n"
            assert "only answers may be broken" in gate.refusal(data, HOST)


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_whatever_the_bytes_it_decides(data: bytes) -> None:
    assert isinstance(Gate(RULES).refusal(data, HOST), str)


@settings(max_examples=100)
@given(st.sampled_from(EMERGENCY), st.lists(st.sampled_from("-.()"), max_size=3), st.booleans())
def test_no_dress_hides_a_call_for_help(number: str, marks: list[str], escaped: bool) -> None:
    dressed = number[0] + "".join(marks) + number[1:]
    text = "".join(f"%{ord(c):02X}" for c in dressed) if escaped else dressed
    assert number_of(f"sip:{text}@pbx.example") == number
