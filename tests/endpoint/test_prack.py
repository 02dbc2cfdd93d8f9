"""Reliable provisionals at a caller: PRACK in order, in the right early dialog, once (RFC 3262 4)."""

from __future__ import annotations

import pytest
from on_loop import in_virtual_time
from outgoing import CHALLENGE, ROUTES, contact, dial, reliable

from sip_harness.endpoint.prack import rseq
from sip_harness.sip.message import Message, build, parse


@in_virtual_time
async def test_the_invite_says_that_it_can() -> None:
    _, _, invite = dial()
    assert invite.all("supported") == ["100rel"]
    assert "require" not in {f.name.lower() for f in invite.fields}


@in_virtual_time
async def test_unless_the_author_says_something_else() -> None:
    _, _, invite = dial(("k", "timer"), ("Require", "100rel"))
    assert invite.all("supported") == ["timer"]
    assert invite.all("require") == ["100rel"]


@in_virtual_time
async def test_what_a_prack_looks_like() -> None:
    bench, _, invite = dial()
    bench.answer(invite, 183, *reliable(776655), contact("desk"), ROUTES)
    sent = bench.take()
    prack = sent.message
    assert (sent.name, sent.origin, sent.remote) == ("PRACK", "protocol", ("192.0.2.8", 5090))
    assert prack.uri == "sip:desk@192.0.2.9:5080"
    assert prack.all("route") == ["<sip:192.0.2.8:5090;lr>", "<sip:192.0.2.7;lr>"]
    assert prack.get("rack") == "776655 1 INVITE"
    assert (prack.call_id, prack.cseq, prack.to_tag) == (invite.call_id, (2, "PRACK"), "peer")
    assert prack.get("from") == invite.get("from")
    assert prack.branch != invite.branch
    assert prack.body == b""
    assert prack.faults == ()


@in_virtual_time
async def test_one_that_comes_again_has_its_prack_already() -> None:
    bench, _, invite = dial()
    for _ in range(3):
        bench.answer(invite, 180, *reliable(1), contact("desk"))
    assert [s.name for s in bench.take_all()] == ["PRACK"]


@in_virtual_time
async def test_the_next_number_is_acknowledged_and_no_other() -> None:
    bench, _, invite = dial()
    for number in (10, 12, 9, 11, 12, 12, 14):
        bench.answer(invite, 183, *reliable(number), contact("desk"))
    assert [s.message.get("rack") for s in bench.take_all()] == ["10 1 INVITE", "11 1 INVITE", "12 1 INVITE"]


@in_virtual_time
async def test_every_early_dialog_has_its_own() -> None:
    bench, owner, invite = dial()
    bench.answer(invite, 183, *reliable(5), contact("one"), tag="t1")
    bench.answer(invite, 183, *reliable(900), contact("two"), tag="t2")
    bench.answer(invite, 180, *reliable(6), contact("one"), tag="t1")
    bench.answer(invite, 180, *reliable(7), contact("two"), tag="t2")
    pracks = [s.message for s in bench.take_all()]
    assert [(p.uri.split("@")[0], p.to_tag, p.get("rack"), p.cseq[0]) for p in pracks] == [
        ("sip:one", "t1", "5 1 INVITE", 2),
        ("sip:two", "t2", "900 1 INVITE", 2),
        ("sip:one", "t1", "6 1 INVITE", 3),
    ]
    bench.answer(invite, 200, contact("two"), tag="t2")
    ack = bench.take().message
    assert (ack.to_tag, ack.cseq) == ("t2", (1, "ACK")), "the ACK has the number of the INVITE"
    owner.call.hang_up("script")
    assert bench.take().message.cseq == (3, "BYE")


@in_virtual_time
async def test_told_not_to_it_does_not() -> None:
    bench, _, invite = dial(prack=False)
    assert invite.get("supported") == "100rel"
    bench.answer(invite, 183, *reliable(1), contact("desk"))
    assert bench.is_quiet()


@in_virtual_time
async def test_it_is_sent_again_until_it_is_answered() -> None:
    bench, _, invite = dial()
    bench.answer(invite, 183, *reliable(1), contact("desk"))
    prack = bench.take().message
    await bench.advance(1.6)
    again = bench.take_all()
    assert [s.message.data for s in again] == [prack.data] * 2
    bench.answer(prack, 200)
    await bench.advance(5.0)
    assert bench.is_quiet()


@in_virtual_time
async def test_a_challenge_is_answered() -> None:
    bench, _, invite = dial(password="pw")
    bench.answer(invite, 183, *reliable(1), contact("desk"))
    bench.answer(bench.take().message, 407, ("Proxy-Authenticate", CHALLENGE))
    again = bench.take().message
    assert (again.method, again.cseq, again.get("rack")) == ("PRACK", (3, "PRACK"), "1 1 INVITE")
    assert again.get("proxy-authorization")


@in_virtual_time
async def test_a_retried_invite_begins_anew() -> None:
    bench, _, invite = dial(password="pw")
    bench.answer(invite, 183, *reliable(5), contact("desk"))
    bench.take()
    bench.answer(invite, 407, ("Proxy-Authenticate", CHALLENGE))
    again = bench.take_all()[-1].message
    assert bench.ua.legs == {}, "the early dialogs ended with their INVITE"
    bench.answer(again, 183, *reliable(70), contact("desk"))
    prack = bench.take().message
    assert (prack.get("rack"), prack.cseq) == ("70 2 INVITE", (3, "PRACK"))


@in_virtual_time
async def test_a_refused_one_changes_nothing() -> None:
    bench, owner, invite = dial()
    bench.answer(invite, 183, *reliable(1), contact("desk"))
    bench.answer(bench.take().message, 481)
    bench.answer(invite, 200, contact("desk"))
    assert bench.take().name == "ACK"
    assert (owner.answered, owner.overs) == (1, 0)


@in_virtual_time
async def test_after_the_answer_none_is_sent() -> None:
    bench, _, invite = dial()
    bench.answer(invite, 200, contact("desk"))
    bench.take()
    bench.answer(invite, 183, *reliable(1), contact("desk"))
    assert bench.is_quiet()


@in_virtual_time
@pytest.mark.parametrize("tag", [""])
async def test_without_a_tag_there_is_no_dialog_to_send_it_in(tag: str) -> None:
    bench, _, invite = dial()
    bench.answer(invite, 183, *reliable(1), tag=tag)
    assert bench.is_quiet()


def provisional(code: int, *headers: tuple[str, str]) -> Message:
    return parse(build(f"SIP/2.0 {code} X", list(headers)))


@pytest.mark.parametrize(
    ("value", "number"),
    [("1", 1), (" 7 ", 7), ("4294967295", 4294967295), ("4294967296", None), ("0", None), ("-1", None), ("x", None),
     ("", None), ("1 2", None), ("٣", None), ("99999999999999999999", None)],
)  # fmt: skip
def test_numbers(value: str, number: int | None) -> None:
    assert rseq(provisional(183, ("Require", "100rel"), ("RSeq", value))) == number


@pytest.mark.parametrize(
    ("headers", "number"),
    [
        ((("Require", "timer, 100REL"),), 3),
        ((("Require", "timer"), ("Require", "100rel")), 3),
        ((("Require", "100relx"),), None),
        ((("Supported", "100rel"),), None),
        ((), None),
    ],
)
def test_only_what_asks_for_it_gets_it(headers: tuple[tuple[str, str], ...], number: int | None) -> None:
    assert rseq(provisional(180, *headers, ("RSeq", "3"))) == number


@pytest.mark.parametrize("code", [100, 200, 486])
def test_only_provisionals_from_101_can_ask_for_it(code: int) -> None:
    assert rseq(provisional(code, ("Require", "100rel"), ("RSeq", "3"))) is None
