"""What may leave towards a system that others use too."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip_harness.model.guard import EMERGENCY, Gate, GuardRules, number_of
from sip_harness.sip.message import build

HOST = "192.0.2.1"
RULES = GuardRules(frozenset({HOST}), frozenset({"pbx.example"}), calls=2)


def request(
    method: str = "INVITE", uri: str = "sip:600@pbx.example", *headers: tuple[str, str], call: str = "c", tag: str = ""
) -> bytes:
    own = [
        ("Via", "SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bKx"),
        ("From", "<sip:100@pbx.example>;tag=a"),
        ("To", f"<{uri}>{f';tag={tag}' if tag else ''}"),
        ("Call-ID", call),
        ("CSeq", f"1 {method}"),
    ]
    return build(f"{method} {uri} SIP/2.0", [*own, *headers])


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
    ],
)
def test_nobody_calls_for_help_or_dearly_in_a_test(uri: str) -> None:
    assert RULES.number_refusal(uri)
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
        assert not gate.refusal(within, HOST), "to a peer who says that he is elsewhere, over the flow that there is"


def test_a_to_tag_alone_makes_no_dialog() -> None:
    gate = Gate(RULES)
    for method in ("INVITE", "UPDATE", "REFER", "MESSAGE"):
        assert "112 is an emergency number" in gate.refusal(request(method, "sip:112@pbx.example", tag="made-up"), HOST)
    assert not gate.refusal(request(), HOST)
    assert not gate.refusal(request("INVITE", "sip:112@pbx.example", tag="b"), HOST), "within the call that was let out"
    answer = build("SIP/2.0 200 OK", [("To", "<sip:1@pbx.example>;tag=b"), ("Call-ID", "in"), ("CSeq", "1 INVITE")])
    assert not gate.refusal(answer, HOST)
    assert not gate.refusal(request("INVITE", "sip:1@192.0.2.66", tag="b", call="in"), HOST), "within one that came in"


def test_an_account_may_have_any_number() -> None:
    register = build("REGISTER sip:pbx.example SIP/2.0", [("To", "<sip:112@pbx.example>"), ("CSeq", "1 REGISTER")])
    assert not Gate(RULES).refusal(register, HOST)


def test_calls_are_counted_retries_are_not() -> None:
    gate = Gate(RULES)
    for call in ("a", "a", "b", "b", "a"):
        assert not gate.refusal(request(call=call), HOST)
    assert "no call is left of the 2" in gate.refusal(request(call="c"), HOST)
    assert not gate.refusal(request("OPTIONS", call="c"), HOST)
    assert not gate.refusal(request(call="c", tag="b"), HOST), "a re-INVITE is no further call"


def test_bytes_that_cannot_be_read_are_no_way_round() -> None:
    gate = Gate(RULES)
    assert gate.refusal(b"INVITE sip:112@pbx.example SIP/2.0\r\nno header\r\n\r\n", HOST)
    assert gate.refusal(b"SIP/2.0 0302 Moved\r\nContact: <sip:112@pbx.example>\r\n\r\n", HOST)
    assert gate.refusal(b"SIP/2.0 302 Moved\r\nContact: <sip:1@pbx.example\r\n\r\n", HOST)
    assert gate.refusal(b"SIP/2.0 486 Busy\r\n\r\n" + request(uri="sip:112@pbx.example"), HOST)
    assert not gate.refusal(b"SIP/2.0 486 Busy\r\nno header\r\n\r\n", HOST)


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
