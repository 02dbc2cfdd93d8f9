"""The first request as a script wants it: headers replaced, left out, filled in; further tries; exact bytes."""

from __future__ import annotations

import pytest
from on_loop import in_virtual_time
from ua_bench import Bench

from sip_harness.endpoint.first import First, Wish
from sip_harness.model.steps import Raw
from sip_harness.sip.message import Message, parse

OWN = [("Contact", "<sip:me@h>"), ("Allow", "INVITE")]


def first(*headers: tuple[str, str], omit: frozenset[str] = frozenset(), raw: bytes | None = None) -> First:
    wish = Wish(headers, omit, raw=Raw(raw, "f.sip") if raw is not None else None)
    return First(Bench().ua, "INVITE", "sip:bob@b.test", to="<sip:bob@b.test>", own=OWN, wish=wish)


def made(*headers: tuple[str, str], omit: frozenset[str] = frozenset()) -> Message:
    return parse(first(*headers, omit=omit).make([]))


@in_virtual_time
async def test_every_header_of_ours_can_be_left_out() -> None:
    names = ("via", "max-forwards", "from", "to", "call-id", "cseq", "contact", "allow", "content-length")
    for name in names:
        request = made(omit=frozenset({name}))
        assert [one for one in names if request.get(one) is None] == [name]


@in_virtual_time
@pytest.mark.parametrize(
    ("value", "of"),
    [("{call-id}", "call-id"), ("{from}", "from"), ("{to}", "to"), ("{cseq}", "cseq"), ("{via}", "via")],
)
async def test_placeholders_stand_for_what_the_request_has_by_itself(value: str, of: str) -> None:
    request = made(("X-Mine", f"[{value}]"))
    assert request.get("x-mine") == f"[{request.get(of)}]"


@in_virtual_time
async def test_a_via_of_the_authors_with_our_branch_and_address() -> None:
    request = made(("Via", "SIP/2.0/UDP 192.0.2.9:5999;rport;branch={branch}"), ("X-At", "{sent-by}"), ("X-R", "{run}"))
    assert len(request.all("via")) == 1
    assert request.branch.startswith("z9hG4bK")
    assert request.get("x-at") == "192.0.2.1:5070"
    assert request.get("x-r") == "tok7"


@in_virtual_time
async def test_a_given_call_id_and_from_tag_are_those_of_the_call() -> None:
    one = first(("Call-ID", "same-{run}"), ("From", "<sip:{run}@h>;tag=t1"))
    assert (one.call_id, one.tag) == ("same-tok7", "t1")
    assert one.message is not None
    assert one.message.get("from") == "<sip:tok7@h>;tag=t1"


@in_virtual_time
async def test_each_try_has_the_next_number_and_a_branch_of_its_own() -> None:
    for one, numbers in ((first(), [1, 2, 3]), (first(("CSeq", "7 INVITE")), [7, 8, 9])):
        tries = [parse(one.make([("Authorization", "x")] if number else [])) for number in range(3)]
        assert [request.cseq for request in tries] == [(number, "INVITE") for number in numbers]
        assert len({request.branch for request in tries}) == 3
        assert [request.get("authorization") for request in tries] == [None, "x", "x"]
        assert {(request.call_id, request.from_tag) for request in tries} == {(one.call_id, one.tag)}


@in_virtual_time
async def test_a_cseq_that_is_no_number_stays() -> None:
    one = first(("CSeq", "x INVITE"))
    assert [parse(one.make([])).get("cseq") for _ in range(2)] == ["x INVITE", "x INVITE"]


@in_virtual_time
async def test_exact_bytes_are_filled_in_and_nothing_else() -> None:
    via = b"Via: SIP/2.0/UDP {sent-by};branch={branch}\n"
    one = first(raw=b"FOO sip:x@y SIP/2.0\r\n" + via + b"Call-ID: {call-id}\r\nX: {y}\r\n\r\n")
    sent = one.make([])
    assert sent.startswith(b"FOO sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bK")
    assert b"\nCall-ID: tok7-" in sent
    assert sent.endswith(b"\r\nX: {y}\r\n\r\n")
    assert one.message is not None
    assert (one.message.method, one.call_id.startswith("tok7-")) == ("FOO", True)


@in_virtual_time
@pytest.mark.parametrize("data", [b"\r\n\r\n", b"hello", b"\0" * 40, b"\xff" * 10])
async def test_bytes_that_are_no_sip_have_no_call_id(data: bytes) -> None:
    one = first(raw=data)
    assert (one.message, one.call_id, one.tag) == (None, "", "")
    assert one.make([]) == data
