"""Requests of a caller within its call: exact headers, target refresh, ACK, retries with credentials."""

from __future__ import annotations

import pytest
from on_loop import in_virtual_time
from outgoing import CHALLENGE, ROUTES, answered, contact, dial, reliable
from ua_bench import PEER

from sip_harness.model.steps import Raw, Request
from sip_harness.sip.message import Message

DESK = "sip:desk@192.0.2.9:5080"


def in_dialog(invite: Message, seq: int = 1) -> dict[str, object]:
    """How the peer's requests find the call."""
    return {"call_id": invite.call_id, "to_tag": invite.from_tag, "from_tag": "peer", "seq": seq}


class TestAnyRequest:
    @in_virtual_time
    @pytest.mark.parametrize(
        "method", ["UPDATE", "INFO", "REFER", "OPTIONS", "MESSAGE", "NOTIFY", "PRACK", "FROBNICATE"]
    )
    async def test_what_it_looks_like(self, method: str) -> None:
        bench, owner, invite = answered(ROUTES)
        request = owner.ask(method, ("X-A", "1"), ("X-A", "2"), body="a=1\r\n", kind="text/plain")
        assert request.start == f"{method} {DESK} SIP/2.0"
        assert request.all("route") == ["<sip:192.0.2.8:5090;lr>", "<sip:192.0.2.7;lr>"]
        assert bench.wire.sent[-1].remote == ("192.0.2.8", 5090)
        assert (request.get("from"), request.get("to")) == (invite.get("from"), "<sip:bob@b.test>;tag=peer")
        assert (request.call_id, request.cseq) == (invite.call_id, (2, method))
        assert request.get("max-forwards") == "70"
        assert request.all("x-a") == ["1", "2"]
        assert (request.get("content-type"), request.body) == ("text/plain", b"a=1\r\n")
        assert request.branch.startswith("z9hG4bK")
        assert request.branch != invite.branch
        refreshes = method in ("UPDATE", "REFER", "NOTIFY")
        assert request.all("contact") == (["<sip:alice-c@192.0.2.1:5070>"] if refreshes else [])
        assert request.faults == ()

    @in_virtual_time
    async def test_numbers_count_up_over_all_methods(self) -> None:
        bench, owner, _ = answered()
        asked = [owner.ask(method) for method in ("INFO", "UPDATE", "INVITE", "OPTIONS")]
        assert [r.cseq for r in asked] == [(2, "INFO"), (3, "UPDATE"), (4, "INVITE"), (5, "OPTIONS")]
        assert len({r.branch for r in asked}) == 4
        owner.call.hang_up("script")
        assert bench.take().message.cseq == (6, "BYE")

    @in_virtual_time
    async def test_headers_of_the_author_replace_ours(self) -> None:
        _, owner, _ = answered(ROUTES)
        request = owner.ask(
            "UPDATE", ("m", "<sip:else@h>"), ("Max-Forwards", "0"), ("CSeq", "77 UPDATE"), ("Route", "<sip:x>")
        )
        assert request.all("contact") == ["<sip:else@h>"]
        assert request.all("max-forwards") == ["0"]
        assert request.all("cseq") == ["77 UPDATE"]
        assert request.all("route") == ["<sip:x>"]

    @in_virtual_time
    @pytest.mark.parametrize("code", [200, 202, 404, 481, 500, 603])
    async def test_its_final_response_is_its_end(self, code: int) -> None:
        bench, owner, _ = answered()
        info = owner.ask("INFO")
        bench.answer(info, 100)
        assert owner.ends == 0
        bench.answer(info, code)
        bench.answer(info, code)
        assert (owner.ends, owner.overs) == (1, 0)
        assert bench.is_quiet()

    @in_virtual_time
    async def test_without_answer_it_is_sent_again_up_to_timer_f(self) -> None:
        bench, owner, _ = answered()
        owner.ask("INFO")
        begin = bench.wire.sent[-1].at
        await bench.advance(31.9)
        assert owner.ends == 0
        resent = bench.take_all()
        assert [s.at - begin for s in resent[:4]] == pytest.approx([0.5, 1.5, 3.5, 7.5])
        assert len(resent) == 10
        await bench.advance(0.2)
        assert owner.ends == 1

    @in_virtual_time
    @pytest.mark.parametrize(
        ("code", "asked", "given"),
        [(401, "WWW-Authenticate", "Authorization"), (407, "Proxy-Authenticate", "Proxy-Authorization")],
    )
    @pytest.mark.parametrize("method", ["INFO", "REFER", "INVITE"])
    async def test_a_challenge_is_answered(self, method: str, code: int, asked: str, given: str) -> None:
        bench, owner, _ = answered(password="pw")
        first = owner.ask(method, ("Refer-To", "<sip:c@h>"))
        bench.answer(first, code, (asked, CHALLENGE))
        sent = bench.take_all()
        again = sent[-1].message
        assert [s.name for s in sent] == (["ACK", "INVITE"] if method == "INVITE" else [method])
        assert again.cseq == (first.cseq[0] + 1, method)
        assert again.branch != first.branch
        assert f'uri="{DESK}"' in (again.get(given) or "")
        assert (again.body, again.get("refer-to")) == (first.body, "<sip:c@h>")
        assert owner.ends == 0
        bench.answer(again, code, (asked, CHALLENGE.replace("n1", "n2")))
        assert owner.ends == 1
        assert [s.name for s in bench.take_all()] == (["ACK"] if method == "INVITE" else [])

    @in_virtual_time
    async def test_without_a_dialog_nothing_is_sent(self) -> None:
        bench, owner, invite = dial()
        bench.answer(invite, 100)
        owner.call.ask(Request("INFO"), "script", owner._ended)
        assert bench.is_quiet()
        assert owner.ends == 1

    @in_virtual_time
    async def test_after_the_end_nothing_is_sent(self) -> None:
        bench, owner, invite = answered()
        bench.ask("BYE", **in_dialog(invite))  # type: ignore[arg-type]
        bench.take_all()
        owner.call.ask(Request("INFO"), "script", owner._ended)
        assert bench.is_quiet()
        assert (owner.ends, owner.overs) == (1, 1)

    @in_virtual_time
    async def test_a_bye_with_headers_ends_the_call(self) -> None:
        bench, owner, _ = answered(ROUTES)
        bye = owner.ask("BYE", ("Reason", 'Q.850;cause=16;text="normal"'))
        assert bye.get("reason") == 'Q.850;cause=16;text="normal"'
        assert len(bye.all("route")) == 2
        assert owner.overs == 0
        bench.answer(bye, 200)
        assert owner.overs == 1
        assert bench.ua.legs == {}


class TestTarget:
    @in_virtual_time
    @pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
    async def test_a_2xx_to_a_refresh_moves_it(self, method: str) -> None:
        bench, owner, _ = answered(ROUTES)
        request = owner.ask(method)
        bench.answer(request, 200, ("Contact", "<sip:moved@192.0.2.9:6000>"), ("Record-Route", "<sip:192.0.2.66;lr>"))
        bench.take_all()
        later = owner.ask("INFO")
        assert later.uri == "sip:moved@192.0.2.9:6000"
        assert later.all("route") == ["<sip:192.0.2.8:5090;lr>", "<sip:192.0.2.7;lr>"], "the route set never changes"

    @in_virtual_time
    @pytest.mark.parametrize(("method", "code"), [("INFO", 200), ("OPTIONS", 200), ("INVITE", 488), ("UPDATE", 500)])
    async def test_no_other_response_moves_it(self, method: str, code: int) -> None:
        bench, owner, _ = answered()
        request = owner.ask(method)
        bench.answer(request, code, ("Contact", "<sip:moved@192.0.2.9:6000>"))
        bench.take_all()
        assert owner.ask("INFO").uri == DESK

    @in_virtual_time
    @pytest.mark.parametrize(
        ("method", "moves"), [("INVITE", True), ("UPDATE", True), ("INFO", False), ("OPTIONS", False)]
    )
    async def test_a_request_of_the_peer(self, method: str, moves: bool) -> None:
        bench, owner, invite = answered(ROUTES)
        new = "Contact", "<sip:moved@192.0.2.9:6000>"
        bench.ask(method, new, ("Record-Route", "<sip:192.0.2.66;lr>"), **in_dialog(invite))  # type: ignore[arg-type]
        assert bench.take().name == "200"
        later = owner.ask("INFO")
        assert later.uri == ("sip:moved@192.0.2.9:6000" if moves else DESK)
        assert later.all("route") == ["<sip:192.0.2.8:5090;lr>", "<sip:192.0.2.7;lr>"]

    @in_virtual_time
    @pytest.mark.parametrize("value", ["rubbish", "*", "<tel:+49>", ""])
    async def test_a_contact_that_leads_nowhere_is_ignored(self, value: str) -> None:
        bench, owner, _ = answered()
        bench.answer(owner.ask("UPDATE"), 200, ("Contact", value))
        assert owner.ask("INFO").uri == DESK


class TestReInvite:
    @in_virtual_time
    async def test_it_offers_the_session_as_it_is(self) -> None:
        _, owner, invite = answered()
        again = owner.ask("INVITE")
        assert again.body == invite.body, "an unchanged session has an unchanged version (RFC 3264 8)"
        assert again.get("content-type") == "application/sdp"
        assert again.get("contact") == "<sip:alice-c@192.0.2.1:5070>"
        assert again.get("supported") == "100rel"
        assert "UPDATE" in (again.get("allow") or "")
        assert again.to_tag == "peer"

    @in_virtual_time
    async def test_or_what_the_author_has_it_say(self) -> None:
        _, owner, _ = answered()
        again = owner.ask("INVITE", body="v=0\r\n", kind="application/sdp")
        assert again.body == b"v=0\r\n"

    @in_virtual_time
    async def test_its_2xx_is_acknowledged_to_the_new_target(self) -> None:
        bench, owner, _ = answered(ROUTES)
        again = owner.ask("INVITE")
        bench.answer(again, 200, ("Contact", "<sip:moved@192.0.2.9:6000>"))
        ack = bench.take()
        assert (ack.name, ack.origin, ack.remote) == ("ACK", "protocol", ("192.0.2.8", 5090))
        assert ack.message.uri == "sip:moved@192.0.2.9:6000"
        assert ack.message.cseq == (again.cseq[0], "ACK")
        assert ack.message.branch not in ("", again.branch), "an ACK to a 2xx is a transaction of its own"
        assert ack.message.body == b""
        assert owner.ends == 1

    @in_virtual_time
    async def test_every_sending_of_its_2xx_gets_the_same_ack(self) -> None:
        bench, owner, _ = answered()
        again = owner.ask("INVITE")
        for _ in range(3):
            bench.answer(again, 200, contact("desk"))
            await bench.advance(1.0)
        acks = bench.take_all()
        assert [a.name for a in acks] == ["ACK"] * 3
        assert len({a.message.data for a in acks}) == 1
        assert owner.ends == 1

    @in_virtual_time
    async def test_the_ack_has_the_credentials(self) -> None:
        bench, owner, _ = answered(password="pw")
        bench.answer(owner.ask("INVITE"), 407, ("Proxy-Authenticate", CHALLENGE))
        again = bench.take_all()[-1].message
        bench.answer(again, 200, contact("desk"))
        ack = bench.take().message
        assert ack.get("proxy-authorization") == again.get("proxy-authorization")
        assert ack.cseq == (again.cseq[0], "ACK")

    @in_virtual_time
    @pytest.mark.parametrize("code", [408, 481, 488, 491, 500, 606])
    async def test_its_failure_is_acknowledged_in_its_transaction(self, code: int) -> None:
        bench, owner, _ = answered(ROUTES)
        again = owner.ask("INVITE")
        bench.answer(again, code)
        ack = bench.take()
        assert (ack.name, ack.message.branch, ack.message.cseq) == ("ACK", again.branch, (again.cseq[0], "ACK"))
        assert ack.message.uri == again.uri
        assert ack.message.all("route") == again.all("route")
        assert (owner.ends, owner.overs) == (1, 0), "the call goes on as it was"

    @in_virtual_time
    async def test_its_reliable_provisionals_are_acknowledged(self) -> None:
        bench, owner, _ = answered()
        again = owner.ask("INVITE")
        bench.answer(again, 183, *reliable(4))
        prack = bench.take().message
        assert (prack.method, prack.get("rack")) == ("PRACK", f"4 {again.cseq[0]} INVITE")

    @in_virtual_time
    async def test_the_peers_own_is_told_to_wait(self) -> None:
        bench, owner, invite = answered()
        again = owner.ask("INVITE")
        bench.ask("INVITE", contact("desk"), **in_dialog(invite))  # type: ignore[arg-type]
        assert bench.take().name == "491"
        bench.ask("UPDATE", contact("desk"), body=invite.body, **in_dialog(invite, 2))  # type: ignore[arg-type]
        assert bench.take().name == "491"
        bench.answer(again, 200, contact("desk"))
        bench.take()
        bench.ask("INVITE", contact("desk"), body=invite.body, **in_dialog(invite, 3))  # type: ignore[arg-type]
        assert bench.take().name == "200"


class TestTheirs:
    @in_virtual_time
    async def test_what_any_user_agent_takes(self) -> None:
        bench, _, invite = answered()
        for seq, method in enumerate(("INFO", "NOTIFY", "UPDATE", "OPTIONS"), 1):
            bench.ask(method, **in_dialog(invite, seq))  # type: ignore[arg-type]
            ok = bench.take()
            assert (ok.name, ok.origin, ok.message.cseq) == ("200", "protocol", (seq, method))
            assert ok.message.to_tag == invite.from_tag
            assert ok.message.body == b""

    @in_virtual_time
    @pytest.mark.parametrize("method", ["REFER", "MESSAGE", "SUBSCRIBE", "PRACK", "FROBNICATE"])
    async def test_what_it_does_not(self, method: str) -> None:
        bench, owner, invite = answered()
        bench.ask(method, **in_dialog(invite))  # type: ignore[arg-type]
        assert bench.take().name == "405"
        assert owner.overs == 0

    @in_virtual_time
    async def test_an_update_with_an_offer_is_answered(self) -> None:
        bench, _, invite = answered()
        bench.ask("UPDATE", contact("desk"), body=invite.body, **in_dialog(invite))  # type: ignore[arg-type]
        ok = bench.take().message
        assert ok.get("content-type") == "application/sdp"
        assert b"m=audio" in ok.body
        assert ok.get("contact") == "<sip:alice-c@192.0.2.1:5070>"

    @in_virtual_time
    async def test_an_update_with_rubbish_is_refused(self) -> None:
        bench, _, invite = answered()
        bench.ask("UPDATE", body=b"rubbish", **in_dialog(invite))  # type: ignore[arg-type]
        assert bench.take().name == "488"

    @in_virtual_time
    async def test_a_number_that_was_passed_is_refused(self) -> None:
        bench, _, invite = answered()
        bench.ask("INFO", **in_dialog(invite, 9))  # type: ignore[arg-type]
        bench.ask("INFO", **in_dialog(invite, 8))  # type: ignore[arg-type]
        assert [s.name for s in bench.take_all()] == ["200", "500"]


@in_virtual_time
async def test_exact_bytes_with_their_placeholders() -> None:

    bench, owner, invite = answered()
    head = b"INFO sip:x SIP/2.0\r\nVia: {via}\r\nf:{from}\r\nTo: {to}\r\n"
    data = head + b"Call-ID: {call-id}\r\nCSeq: {cseq}\r\nm: {contact}\r\n\r\n"
    owner.call.raw(Raw(data, "x.sip"), "script")
    sent = bench.take()
    assert (sent.name, sent.origin, sent.remote) == ("INFO", "script", ("192.0.2.9", 5080))
    message = sent.message
    assert (message.get("from"), message.to_tag, message.call_id) == (invite.get("from"), "peer", invite.call_id)
    assert message.cseq == (2, "INFO")
    assert message.branch not in ("", invite.branch)
    assert message.get("contact") == "<sip:alice-c@192.0.2.1:5070>"
    assert owner.ask("INFO").cseq == (3, "INFO")


@in_virtual_time
async def test_exact_bytes_before_the_answer_go_the_way_of_the_invite() -> None:
    bench, owner, invite = dial()
    owner.call.raw(Raw(b"INFO sip:x SIP/2.0\r\nVia: {via}\r\nX: {cseq}\r\n\r\n", "x.sip"), "script")
    sent = bench.take()
    assert (sent.name, sent.remote, sent.message.branch) == ("INFO", PEER, invite.branch)
    assert sent.message.get("x") == "1 INVITE"
