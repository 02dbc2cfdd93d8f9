"""Dialogs: made at either end, their route sets, targets and requests."""

from __future__ import annotations

import pytest
from on_loop import in_virtual_time
from ua_bench import PEER, Bench

from sip_harness.endpoint.dialog import Dialog, address_of, as_callee, as_caller, contact_uri
from sip_harness.sip.message import Message, build, parse


def invite(*headers: tuple[str, str]) -> Message:
    own = [("Via", "SIP/2.0/UDP h;branch=z9hG4bK1"), ("From", '"A" <sip:a@a>;tag=ta'), ("To", "<sip:b@b>")]
    return parse(build("INVITE sip:b@b SIP/2.0", [*own, ("Call-ID", "c"), ("CSeq", "5 INVITE"), *headers]))


def answer(*headers: tuple[str, str]) -> Message:
    own = [("From", '"A" <sip:a@a>;tag=ta'), ("To", "<sip:b@b>;tag=tb"), ("Call-ID", "c"), ("CSeq", "5 INVITE")]
    return parse(build("SIP/2.0 200 OK", [*own, *headers]))


def caller(*headers: tuple[str, str]) -> Dialog:
    return as_caller(invite(), answer(*headers), Bench().hop)


@in_virtual_time
async def test_both_ends_agree() -> None:
    routes = [("Record-Route", "<sip:p2;lr>, <sip:p1;lr>")]
    hop = Bench().hop
    one = as_caller(invite(), answer(("Contact", "<sip:b@192.0.2.2>"), *routes), hop)
    two = as_callee(invite(("Contact", "<sip:a@192.0.2.1>"), *routes), "tb", hop)
    assert one.id == ("c", "ta", "tb")
    assert two.id == ("c", "tb", "ta")
    assert one.routes == ("<sip:p1;lr>", "<sip:p2;lr>")
    assert two.routes == ("<sip:p2;lr>", "<sip:p1;lr>")
    assert (one.target, two.target) == ("sip:b@192.0.2.2", "sip:a@192.0.2.1")
    assert (one.local, one.remote) == (two.remote, two.local)
    assert (one.local_seq, two.remote_seq) == (5, 5)


@in_virtual_time
async def test_requests_count_up_and_an_ack_does_not() -> None:
    dialog = caller(("Contact", "<sip:b@192.0.2.2>"))
    ack = parse(dialog.request("ACK", [], seq=5))
    byes = [parse(dialog.request("BYE", [])) for _ in range(2)]
    assert ack.cseq == (5, "ACK")
    assert [b.cseq for b in byes] == [(6, "BYE"), (7, "BYE")]
    assert len({m.branch for m in (ack, *byes)}) == 3


@in_virtual_time
async def test_the_route_set_is_settled_by_the_2xx() -> None:
    dialog = caller(("Record-Route", "<sip:early;lr>"), ("Contact", "<sip:early@h>"))
    dialog.learn(answer(("Record-Route", "<sip:p1;lr>"), ("Contact", "<sip:late@h>")))
    assert (dialog.routes, dialog.target) == (("<sip:p1;lr>",), "sip:late@h")
    dialog.confirmed = True
    dialog.learn(answer(("Record-Route", "<sip:p9;lr>"), ("Contact", "<sip:moved@h>")))
    assert (dialog.routes, dialog.target) == (("<sip:p1;lr>",), "sip:moved@h")
    dialog.learn(answer())
    assert dialog.target == "sip:moved@h"


@in_virtual_time
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([("Contact", "<sip:b@192.0.2.2:5070>")], ("192.0.2.2", 5070)),
        ([("Contact", "<sip:b@192.0.2.2>")], ("192.0.2.2", 5060)),
        ([("Contact", "<sip:b@192.0.2.2>"), ("Record-Route", "<sip:192.0.2.3:5099;lr>")], ("192.0.2.3", 5099)),
        ([("Contact", "<sip:b@host.test:5070>")], PEER),
        ([("Contact", "<sip:b@192.0.2.2>"), ("Record-Route", "<sip:proxy.test;lr>")], PEER),
        ([("Contact", "rubbish")], PEER),
        ([], PEER),
    ],
)
async def test_next_hop(headers: list[tuple[str, str]], expected: tuple[str, int]) -> None:
    assert caller(*headers).next_hop().remote == expected


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sip:192.0.2.1", ("192.0.2.1", 5060)),
        ("sip:x@192.0.2.1:7", ("192.0.2.1", 7)),
        ("sip:x@name.test", None),
        ("sip:x@[::1]:7", ("::1", 7)),
        ("sip:x@[0:0::1]", ("::1", 5060)),
        ("sip:x@192.0.2.1;transport=tls", ("192.0.2.1", 5061)),
        ("sips:x@192.0.2.1", ("192.0.2.1", 5061)),
        ("sip:x@1.2.3", None),
        ("sip:x@999.1.1.1", None),
        ("rubbish", None),
        ("", None),
    ],
)
def test_addresses_are_taken_from_literals_only(uri: str, expected: tuple[str, int] | None) -> None:
    assert address_of(uri) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [("<sip:b@h;x>;q=1", "sip:b@h;x"), ("<sip:b@h>, <sip:c@h>", "sip:b@h"), ("*", ""), ("<tel:+1>", ""), ("", "")],
)
def test_the_first_contact(value: str, expected: str) -> None:
    assert contact_uri(answer(("m", value))) == expected
