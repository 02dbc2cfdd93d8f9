"""Calls that come in: responses, ACK, CANCEL, BYE, re-INVITE; in virtual time against a scripted peer."""

from __future__ import annotations

import pytest
from bench_desk import BUSY, E_SCHEDULE, FAR, OK, RINGING, Desk
from on_loop import in_virtual_time

from sip_harness.model.steps import Send
from sip_harness.sip import sdp


class TestResponses:
    @in_virtual_time
    async def test_headers_of_a_provisional(self) -> None:
        desk = Desk()
        invite = desk.invite(("Record-Route", "<sip:p2;lr>"), ("Record-Route", "<sip:p1;lr>"))
        desk.call.respond(RINGING, "script")
        ringing = desk.bench.take()
        assert ringing.origin == "script"
        m = ringing.message
        assert m.start == "SIP/2.0 180 Ringing"
        assert m.all("via") == invite.all("via")
        assert m.all("record-route") == ["<sip:p2;lr>", "<sip:p1;lr>"]
        assert (m.get("from"), m.call_id, m.cseq) == (invite.get("from"), invite.call_id, (1, "INVITE"))
        assert m.to_tag
        assert m.get("contact") == "<sip:alice-c@192.0.2.1:5070>"
        assert m.body == b""

    @in_virtual_time
    async def test_100_has_neither_tag_nor_contact(self) -> None:
        desk = Desk()
        desk.invite(("Record-Route", "<sip:p1;lr>"))
        desk.call.trying()
        trying = desk.bench.take()
        assert (trying.name, trying.origin, trying.message.to_tag) == ("100", "protocol", "")
        assert trying.message.get("contact") is None
        assert trying.message.get("record-route") is None

    @in_virtual_time
    async def test_all_responses_of_a_call_have_one_tag(self) -> None:
        desk = Desk()
        desk.invite()
        for step in (RINGING, Send(183, "Session Progress"), OK):
            desk.call.respond(step, "script")
        assert len({s.message.to_tag for s in desk.bench.take_all()}) == 1

    @in_virtual_time
    @pytest.mark.parametrize(
        ("code", "has"), [(100, False), (180, False), (183, True), (200, True), (202, True), (486, False)]
    )
    async def test_which_responses_answer_the_offer(self, code: int, has: bool) -> None:
        desk = Desk()
        desk.invite()
        desk.call.respond(Send(code, "Word"), "script")
        m = desk.bench.take().message
        assert (m.get("content-type") == "application/sdp") is has
        assert (b"m=audio 9 " in m.body) is has

    @in_virtual_time
    async def test_an_invite_without_offer_gets_one(self) -> None:
        desk = Desk()
        desk.invite(body=b"")
        desk.call.respond(OK, "script")
        assert b"m=audio 9 " in desk.bench.take().message.body

    @in_virtual_time
    async def test_an_offer_that_cannot_be_read_is_told(self) -> None:
        desk = Desk()
        desk.invite(body=b"\xff\x00 no sdp")
        desk.call.respond(OK, "script")
        assert desk.bench.take().message.body == b""
        assert desk.told[0].startswith("no SDP in the answer: ")

    @in_virtual_time
    async def test_what_the_author_gives_stands_as_given(self) -> None:
        desk = Desk()
        desk.invite()
        given = (("Retry-After", "5 (in  a meeting)"), ("x-Odd", ""), ("Warning", "a"), ("Warning", "b"))
        desk.call.respond(Send(600, "Busy — überall", headers=given), "script")
        m = desk.bench.take().message
        assert m.start == "SIP/2.0 600 Busy — überall"
        assert [(f.name, f.value) for f in m.fields][-5:-1] == list(given)

    @in_virtual_time
    async def test_the_author_replaces_and_leaves_out_what_is_ours(self) -> None:
        desk = Desk()
        desk.invite()
        step = Send(200, "OK", (("m", "<sip:else@h>"),), frozenset({"allow", "content-length", "call-id"}))
        desk.call.respond(step, "script")
        m = desk.bench.take().message
        assert m.all("contact") == ["<sip:else@h>"]
        assert [m.get(n) for n in ("allow", "content-length", "call-id")] == [None] * 3
        assert m.body.startswith(b"v=0")

    @in_virtual_time
    async def test_a_body_of_the_author(self) -> None:
        desk = Desk()
        desk.invite()
        desk.call.respond(Send(200, "OK", body="hällo", content_type="text/plain"), "script")
        m = desk.bench.take().message
        assert (m.body, m.get("content-type"), m.get("content-length")) == ("hällo".encode(), "text/plain", "6")

    @in_virtual_time
    async def test_an_empty_reason(self) -> None:
        desk = Desk()
        desk.invite()
        desk.call.respond(Send(486, ""), "script")
        assert desk.bench.take().message.start == "SIP/2.0 486 "

    @in_virtual_time
    async def test_they_go_where_the_request_came_from(self) -> None:
        desk = Desk()
        via = "SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKnat, SIP/2.0/UDP first;branch=z9hG4bK0"
        desk.bench.ask("INVITE", via=via, source=("192.0.2.50", 40123))
        desk.call.respond(BUSY, "script")
        busy = desk.bench.take()
        assert busy.remote == ("192.0.2.50", 40123)
        assert busy.message.get("via") == (
            "SIP/2.0/UDP 10.0.0.1:5060;rport=40123;branch=z9hG4bKnat;received=192.0.2.50, "
            "SIP/2.0/UDP first;branch=z9hG4bK0"
        )


class TestRetransmission:
    @in_virtual_time
    async def test_a_failure_until_its_ack(self) -> None:
        desk = Desk()
        desk.invite()
        desk.call.respond(BUSY, "script")
        await desk.bench.advance(1.6)
        sent = desk.bench.take_all()
        assert [s.at for s in sent] == pytest.approx([0.0, 0.5, 1.5])
        assert len({s.message.data for s in sent}) == 1
        assert {s.origin for s in sent} == {"script"}
        assert desk.told == []
        desk.ack(sent[0].message.to_tag, branch="z9hG4bKinv")
        assert desk.told == ["over"]
        await desk.bench.advance(60)
        assert desk.bench.is_quiet()
        assert not desk.bench.ua.layer.servers
        assert not desk.bench.ua.legs

    @in_virtual_time
    async def test_a_failure_without_ack_is_over_after_timer_h(self) -> None:
        desk = Desk()
        desk.invite()
        desk.call.respond(BUSY, "script")
        await desk.bench.advance(31.9)
        assert [s.at for s in desk.bench.take_all()] == pytest.approx([0.0, *E_SCHEDULE])
        assert desk.told == []
        await desk.bench.advance(0.2)
        assert desk.told == ["over"]

    @in_virtual_time
    async def test_a_2xx_until_its_ack(self) -> None:
        desk = Desk()
        desk.invite()
        desk.call.respond(OK, "script")
        await desk.bench.advance(1.6)
        sent = desk.bench.take_all()
        assert [s.at for s in sent] == pytest.approx([0.0, 0.5, 1.5])
        assert len({s.message.data for s in sent}) == 1
        desk.ack(sent[0].message.to_tag)
        desk.ack(sent[0].message.to_tag)
        await desk.bench.advance(60)
        assert desk.bench.is_quiet()
        assert desk.told == []

    @in_virtual_time
    async def test_a_2xx_without_ack_is_ended_by_bye(self) -> None:
        desk = Desk()
        desk.invite()
        desk.call.respond(OK, "script")
        await desk.bench.advance(31.9)
        sent = desk.bench.take_all()
        assert [s.at for s in sent] == pytest.approx([0.0, *E_SCHEDULE])
        await desk.bench.advance(0.2)
        bye = desk.bench.take()
        assert (bye.name, bye.origin) == ("BYE", "protocol")
        assert bye.at == pytest.approx(32.0)
        desk.bench.answer(bye.message, 200)
        assert desk.told == ["over"]

    @in_virtual_time
    async def test_an_ack_of_another_invite_does_not_count(self) -> None:
        desk = Desk()
        desk.invite()
        desk.call.respond(OK, "script")
        tag = desk.bench.take().message.to_tag
        desk.bench.ask("ACK", to_tag=tag, seq=7)
        desk.bench.ask("ACK", to_tag="other")
        desk.bench.ask("ACK", to_tag=tag, from_tag="other")
        await desk.bench.advance(0.6)
        assert desk.bench.take().name == "200"

    @in_virtual_time
    async def test_the_invite_again_gets_the_last_response_again(self) -> None:
        desk = Desk()
        desk.invite()
        desk.call.respond(RINGING, "script")
        desk.invite()
        assert desk.bench.names == ["180", "180"]
        assert len(desk.calls) == 1

    @in_virtual_time
    async def test_a_script_may_break_the_rules(self) -> None:
        desk = Desk()
        desk.invite()
        desk.call.respond(BUSY, "script")
        for late in (RINGING, OK, Send(600, "Busy Everywhere")):
            desk.call.respond(late, "script")
        assert desk.bench.names == ["486", "180", "200", "600"]
        await desk.bench.advance(0.6)
        assert sorted(desk.bench.names[4:]) == ["200", "486"], "each until its ACK, of the provisional nothing more"


class TestCancel:
    @in_virtual_time
    async def test_while_ringing(self) -> None:
        desk = Desk()
        desk.invite()
        desk.call.respond(RINGING, "script")
        tag = desk.bench.take().message.to_tag
        desk.bench.ask("CANCEL", branch="z9hG4bKinv")
        ok, ended = desk.bench.take(), desk.bench.take()
        assert (ok.name, ok.message.cseq[1], ok.origin, ok.message.to_tag) == ("200", "CANCEL", "protocol", tag)
        assert (ended.name, ended.message.cseq[1], ended.origin) == ("487", "INVITE", "protocol")
        assert ended.message.to_tag == tag
        assert desk.told == ["stopped"]
        desk.ack(tag, branch="z9hG4bKinv")
        assert desk.told == ["stopped", "over"]

    @in_virtual_time
    async def test_again_it_gets_the_same_answer(self) -> None:
        desk = Desk()
        desk.invite()
        desk.bench.ask("CANCEL", branch="z9hG4bKinv")
        desk.bench.ask("CANCEL", branch="z9hG4bKinv")
        assert desk.bench.names == ["200", "487", "200"]
        assert desk.told == ["stopped"]

    @in_virtual_time
    @pytest.mark.parametrize("step", [OK, BUSY])
    async def test_after_the_final_it_is_answered_and_changes_nothing(self, step: Send) -> None:
        desk = Desk()
        desk.invite()
        desk.call.respond(step, "script")
        desk.bench.ask("CANCEL", branch="z9hG4bKinv")
        assert desk.bench.names == [str(step.code), "200"]
        assert desk.told == []

    @in_virtual_time
    async def test_after_the_end_it_is_still_answered(self) -> None:
        desk = Desk()
        desk.invite()
        desk.call.respond(BUSY, "script")
        desk.ack(desk.bench.take().message.to_tag, branch="z9hG4bKinv")
        assert desk.told == ["over"]
        desk.bench.ask("CANCEL", branch="z9hG4bKinv")
        assert desk.bench.take().name == "200"
        assert desk.told == ["over"]

    @in_virtual_time
    async def test_for_nothing(self) -> None:
        desk = Desk()
        desk.invite()
        desk.bench.ask("CANCEL", branch="z9hG4bKother")
        assert desk.bench.names == ["481"]

    @in_virtual_time
    async def test_for_another_request(self) -> None:
        desk = Desk()
        desk.bench.ask("OPTIONS", branch="z9hG4bKopt")
        desk.bench.ask("CANCEL", branch="z9hG4bKopt")
        assert desk.bench.names == ["200", "481"]


class TestDialog:
    @in_virtual_time
    async def test_bye_from_the_caller(self) -> None:
        desk = Desk()
        tag = desk.answered()
        desk.bench.ask("BYE", to_tag=tag, seq=2)
        ok = desk.bench.take()
        assert (ok.name, ok.origin) == ("200", "protocol")
        assert desk.told == ["stopped", "over"]
        assert not desk.bench.ua.legs

    @in_virtual_time
    async def test_bye_before_the_answer(self) -> None:
        desk = Desk()
        desk.invite()
        desk.call.respond(RINGING, "script")
        tag = desk.bench.take().message.to_tag
        desk.bench.ask("BYE", to_tag=tag, seq=2)
        assert desk.bench.names == ["180", "200", "487"]
        assert desk.told == ["stopped"]

    @in_virtual_time
    async def test_hanging_up_takes_the_routes(self) -> None:
        desk = Desk()
        routes = ("Record-Route", "<sip:192.0.2.7;lr>, <sip:192.0.2.8;lr>")
        desk.invite(routes)
        desk.call.respond(OK, "script")
        tag = desk.bench.take().message.to_tag
        desk.ack(tag)
        desk.call.hang_up("script")
        bye = desk.bench.take()
        assert (bye.name, bye.origin, bye.remote) == ("BYE", "script", ("192.0.2.7", 5060))
        assert bye.message.uri == "sip:bob@192.0.2.9:5080"
        assert bye.message.all("route") == ["<sip:192.0.2.7;lr>", "<sip:192.0.2.8;lr>"]
        assert (bye.message.from_tag, bye.message.to_tag) == (tag, "far")
        desk.bench.answer(bye.message, 200)
        assert desk.told == ["over"]

    @in_virtual_time
    async def test_hanging_up_waits_for_the_ack(self) -> None:
        desk = Desk()
        desk.invite()
        desk.call.hang_up("script")
        desk.call.respond(OK, "script")
        tag = desk.bench.take().message.to_tag
        desk.call.hang_up("script")
        assert desk.bench.is_quiet()
        desk.ack(tag)
        assert desk.bench.take().name == "BYE"

    @in_virtual_time
    async def test_a_re_invite_is_accepted_as_offered(self) -> None:
        desk = Desk()
        tag = desk.answered()
        moved = ("Contact", "<sip:bob@192.0.2.10:5090>")
        desk.bench.ask("INVITE", moved, to_tag=tag, seq=2, body=sdp.offer("192.0.2.10", 4002, session_id=1))
        ok = desk.bench.take()
        assert (ok.name, ok.origin, ok.message.to_tag) == ("200", "protocol", tag)
        assert b"m=audio 9 " in ok.message.body
        await desk.bench.advance(0.6)
        assert desk.bench.take().message.data == ok.message.data
        desk.bench.ask("ACK", to_tag=tag, seq=2)
        await desk.bench.advance(60)
        assert desk.bench.is_quiet()
        assert len(desk.calls) == 1
        desk.call.hang_up("script")
        assert desk.bench.take().remote == ("192.0.2.10", 5090)

    @in_virtual_time
    async def test_a_re_invite_with_rubbish_leaves_the_call_as_it_is(self) -> None:
        desk = Desk()
        tag = desk.answered()
        desk.bench.ask("INVITE", FAR, to_tag=tag, seq=2, body=b"rubbish")
        assert desk.bench.take().name == "488"
        assert desk.told == []

    @in_virtual_time
    async def test_other_requests_within_it(self) -> None:
        desk = Desk()
        tag = desk.answered()
        desk.bench.ask("OPTIONS", to_tag=tag, seq=2)
        desk.bench.ask("INFO", to_tag=tag, seq=3)
        desk.bench.ask("UPDATE", to_tag=tag, seq=3)
        desk.bench.ask("OPTIONS", to_tag=tag, seq=1)
        assert [s.name for s in desk.bench.take_all()] == ["200", "200", "200", "500"]

    @in_virtual_time
    async def test_requests_within_no_dialog(self) -> None:
        desk = Desk()
        for method in ("BYE", "INVITE", "OPTIONS", "INFO"):
            desk.bench.ask(method, to_tag="gone")
        desk.bench.ask("ACK", to_tag="gone")
        assert desk.bench.names == ["481"] * 4
        assert desk.calls == []


class TestMute:
    @in_virtual_time
    async def test_nothing_at_all_is_sent(self) -> None:
        desk = Desk()
        desk.invite()
        desk.call.mute = True
        desk.invite()
        desk.bench.ask("CANCEL", branch="z9hG4bKinv")
        await desk.bench.advance(100)
        desk.call.end()
        assert desk.bench.names == []
        assert desk.told == ["over"]

    @in_virtual_time
    async def test_after_ringing(self) -> None:
        desk = Desk()
        desk.invite()
        desk.call.respond(RINGING, "script")
        tag = desk.bench.take().message.to_tag
        desk.call.mute = True
        desk.bench.ask("BYE", to_tag=tag, seq=2)
        desk.bench.ask("CANCEL", branch="z9hG4bKinv")
        assert desk.bench.is_quiet()


@in_virtual_time
async def test_the_same_call_by_two_ways_is_two_attempts() -> None:
    desk = Desk()
    desk.invite(branch="z9hG4bKway1")
    desk.invite(branch="z9hG4bKway2")
    assert len(desk.calls) == 2
    for call in desk.calls:
        call.respond(BUSY, "script")
    busy = desk.bench.take_all()
    assert len({s.message.to_tag for s in busy}) == 2


@in_virtual_time
async def test_the_end_refuses_or_hangs_up() -> None:
    desk = Desk()
    desk.invite()
    desk.call.end()
    refused = desk.bench.take()
    assert (refused.name, refused.origin) == ("480", "protocol")
    desk.ack(refused.message.to_tag, branch="z9hG4bKinv")
    assert desk.told == ["over"]
    desk = Desk()
    desk.answered()
    desk.call.end()
    assert (desk.bench.wire.sent[-1].name, desk.bench.take().origin) == ("BYE", "protocol")


@in_virtual_time
async def test_a_cut_cable_ends_the_call() -> None:
    desk = Desk()
    desk.invite()
    desk.bench.wire.broken = True
    desk.call.respond(BUSY, "script")
    await desk.bench.settle()
    assert desk.told == ["over"]
    assert desk.bench.unsent == ["the cable is cut"]
