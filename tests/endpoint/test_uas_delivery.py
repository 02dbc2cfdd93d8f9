"""Responses that no user agent would send: schedules, tags, several finals, reliable provisionals; in virtual time."""

from __future__ import annotations

import pytest
from bench_desk import BUSY, E_SCHEDULE, FAR, OFFER, OK, RINGING, Desk
from on_loop import in_virtual_time
from ua_bench import PEER

from sip_harness.model.steps import Delivery, Mutation, Raw, Request, Send
from sip_harness.sip.message import Message

COPIED = b"Via: {via}\r\nFrom: {from}\r\nTo: {to};tag=raw\r\nCall-ID: {call-id}\r\nCSeq: {cseq}\r\n\r\n"
RELIABLE = Send(183, "Session Progress", how=Delivery(reliable=True))


def how(code: int, **delivery: object) -> Send:
    return Send(code, "Word", how=Delivery(**delivery))  # type: ignore[arg-type]


def respond(desk: Desk, *steps: Send) -> None:
    for step in steps:
        desk.call.respond(step, "script")


async def times(desk: Desk, seconds: float, name: str) -> list[float]:
    """When the desk sends this within so many seconds."""
    await desk.bench.advance(seconds)
    return [s.at for s in desk.bench.take_all() if s.name == name]


class TestSchedule:
    @in_virtual_time
    @pytest.mark.parametrize("code", [180, 200, 486])
    async def test_never_again_whatever_comes(self, code: int) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, how(code, resend=()))
        desk.invite()
        assert await times(desk, 31.9, str(code)) == [0.0]

    @in_virtual_time
    @pytest.mark.parametrize("code", [100, 180, 200, 486])
    async def test_at_its_own_times(self, code: int) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, how(code, resend=(0.2, 0.3, 40.0)))
        desk.invite()
        found = await times(desk, 60, str(code))
        assert found == pytest.approx([0.0, 0.2, 0.3, 40.0])

    @in_virtual_time
    @pytest.mark.parametrize("code", [200, 486])
    async def test_an_ack_does_not_stop_it(self, code: int) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, how(code, resend=(1.0,)))
        sent = desk.bench.take()
        desk.ack(sent.message.to_tag, branch="z9hG4bKinv" if code == 486 else "")
        again = await times(desk, 5, str(code))
        assert again == pytest.approx([1.0])
        assert not desk.bench.ua.layer.scheduled

    @in_virtual_time
    async def test_every_sending_has_the_same_bytes_and_origin(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, how(486, resend=(1.0, 2.0), to_tag="other", branch="other"))
        await desk.bench.advance(3)
        sent = desk.bench.take_all()
        assert len({s.message.data for s in sent}) == 1
        assert {s.origin for s in sent} == {"script"}

    @in_virtual_time
    async def test_a_2xx_without_its_ack_is_still_ended_by_bye(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, how(200, resend=()))
        assert await times(desk, 32.2, "BYE") == pytest.approx([32.0])

    @in_virtual_time
    async def test_the_next_response_has_the_usual_one(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, how(180, resend=()), BUSY)
        assert await times(desk, 31.9, "486") == pytest.approx([0.0, *E_SCHEDULE])

    @in_virtual_time
    async def test_closing_ends_it(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, how(486, resend=(1.0, 2.0)))
        desk.bench.ua.close()
        assert await times(desk, 5, "486") == [0.0]


class TestWay:
    @in_virtual_time
    async def test_copies_leave_at_once(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, how(486, copies=3))
        found = await times(desk, 0.6, "486")
        assert found == pytest.approx([0.0, 0.0, 0.0, 0.5]), "a retransmission is one"

    @in_virtual_time
    @pytest.mark.parametrize("code", [180, 200, 486])
    async def test_port_and_pieces_hold_for_every_sending(self, code: int) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, how(code, port="other", pieces=(1, 10)))
        desk.invite()
        await desk.bench.advance(1)
        assert {(s.port, s.pieces) for s in desk.bench.take_all()} == {("other", (1, 10))}

    @in_virtual_time
    async def test_only_what_was_asked_for(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, how(180, port="other"), BUSY)
        assert [s.port for s in desk.bench.take_all()] == ["other", "own"]


class TestTags:
    @in_virtual_time
    async def test_each_2xx_with_a_tag_of_its_own_is_a_dialog(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, OK, how(200, to_tag="other"), how(200, to_tag="third"))
        tags = [s.message.to_tag for s in desk.bench.take_all()]
        assert len(set(tags)) == 3
        assert tags[2] == "third"
        desk.ack(tags[1])
        await desk.bench.advance(0.6)
        assert {s.message.to_tag for s in desk.bench.take_all()} == {tags[0], tags[2]}, "the others wait for their ACK"
        desk.ack(tags[0])
        desk.ack(tags[2])
        for tag in tags:
            assert desk.told == []
            desk.bench.ask("BYE", to_tag=tag, seq=2)
        assert [s.name for s in desk.bench.take_all()] == ["200"] * 3
        assert desk.told == ["stopped", "over"]

    @in_virtual_time
    async def test_hanging_up_ends_every_dialog(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, OK, how(200, to_tag="second"))
        first = desk.bench.take().message.to_tag
        desk.ack(first)
        desk.call.hang_up("script")
        desk.ack("second")
        byes = [s.message for s in desk.bench.take_all() if s.name == "BYE"]
        assert [m.from_tag for m in byes] == [first, "second"]
        for bye in byes:
            assert desk.told == []
            desk.bench.answer(bye, 200)
        assert desk.told == ["over"]

    @in_virtual_time
    async def test_no_tag_is_a_dialog_too(self) -> None:
        """RFC 3261 12.1.1: that of a peer of RFC 2543."""
        desk = Desk()
        desk.invite()
        respond(desk, how(200, to_tag=""))
        assert desk.bench.take().message.get("to") == "<sip:alice@a.test>"
        desk.ack("")
        assert await times(desk, 5, "200") == []
        desk.call.hang_up("script")
        bye = desk.bench.take().message
        assert (bye.get("from"), bye.method) == ("<sip:alice@a.test>", "BYE")

    @in_virtual_time
    async def test_a_bye_without_tag(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, how(200, to_tag=""))
        desk.ack("")
        desk.bench.take_all()
        desk.bench.ask("BYE", seq=2)
        assert desk.bench.take().name == "200"
        assert desk.told == ["stopped", "over"]

    @in_virtual_time
    async def test_a_new_call_is_never_within_a_dialog_without_tag(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, how(200, to_tag=""))
        desk.invite(branch="z9hG4bKnew")
        assert len(desk.calls) == 2

    @in_virtual_time
    async def test_early_dialogs(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, how(180, to_tag="one"), how(183, to_tag="two"), BUSY)
        tags = [s.message.to_tag for s in desk.bench.take_all()]
        assert tags[:2] == ["one", "two"]
        assert len({leg.dialog.local_tag for leg in desk.bench.ua.legs.values()}) == 2
        desk.ack(tags[2], branch="z9hG4bKinv")
        assert not desk.bench.ua.legs


class TestSeveralFinals:
    @in_virtual_time
    async def test_486_then_603(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, BUSY)
        desk.ack(desk.bench.take().message.to_tag, branch="z9hG4bKinv")
        assert desk.told == ["over"]
        respond(desk, Send(603, "Decline"))
        late = desk.bench.take()
        assert (late.name, late.origin, late.remote) == ("603", "script", PEER)
        assert await times(desk, 60, "603") == [], "past the transaction it goes out once"
        assert desk.told == ["over"]

    @in_virtual_time
    async def test_503_then_200_opens_a_dialog(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, Send(503, "Service Unavailable"))
        tag = desk.bench.take().message.to_tag
        desk.ack(tag, branch="z9hG4bKinv")
        await desk.bench.advance(10)
        respond(desk, OK)
        assert not desk.call.over
        assert await times(desk, 0.6, "200") == pytest.approx([10.0, 10.5])
        desk.ack(tag)
        desk.bench.ask("BYE", to_tag=tag, seq=2)
        assert desk.bench.take().name == "200"
        assert desk.told == ["over", "stopped", "over"]

    @in_virtual_time
    async def test_long_after_every_timer(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, BUSY)
        await desk.bench.advance(500)
        desk.bench.take_all()
        assert not desk.bench.ua.layer.servers
        respond(desk, RINGING, OK)
        assert [s.name for s in desk.bench.take_all()] == ["180", "200"]
        assert len(await times(desk, 3, "200")) == 2

    @in_virtual_time
    async def test_200_then_486(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, OK, BUSY)
        ok, busy = desk.bench.take(), desk.bench.take()
        assert (ok.name, busy.name, busy.origin) == ("200", "486", "script")
        desk.ack(busy.message.to_tag, branch="z9hG4bKinv")
        assert len(await times(desk, 1.6, "200")) == 2, "an ACK with the branch of the INVITE is for the 486"
        desk.ack(ok.message.to_tag)
        assert await times(desk, 30, "200") == []
        assert desk.told == []


class TestBytes:
    @in_virtual_time
    async def test_mutations_leave_and_are_sent_again(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, how(486, mutations=(Mutation("strip", "To"), Mutation("duplicate", "Via"))))
        await desk.bench.advance(0.6)
        for sent in desk.bench.take_all():
            assert (sent.message.get("to"), len(sent.message.all("via"))) == (None, 2)

    @in_virtual_time
    async def test_the_dialog_is_that_of_the_response_before_its_damage(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, how(200, to_tag="known", mutations=(Mutation("corrupt", "To"),)))
        desk.ack("known")
        assert await times(desk, 5, "200") == [0.0]

    @in_virtual_time
    async def test_exact_bytes_that_answer_the_invite(self) -> None:
        desk = Desk()
        desk.invite()
        data = b"SIP/2.0 200 Fine\r\n" + COPIED
        desk.call.raw(Raw(data, "fine.sip"), "script")
        sent = desk.bench.take()
        assert (sent.message.reason, sent.origin, sent.remote) == ("Fine", "script", PEER)
        assert (desk.call.final, desk.told) == (200, [])
        desk.bench.ask("BYE", to_tag="raw", seq=2)
        assert desk.bench.take().name == "200"
        assert desk.told == ["stopped", "over"]

    @in_virtual_time
    async def test_exact_bytes_that_refuse_it(self) -> None:
        desk = Desk()
        desk.invite()
        data = b"SIP/2.0 486 \r\n" + COPIED
        desk.call.raw(Raw(data, "busy.sip"), "script")
        assert desk.told == ["over"]
        assert await times(desk, 60, "486") == [0.0]

    @in_virtual_time
    @pytest.mark.parametrize(
        "data",
        [
            b"SIP/2.0 486 Busy\r\nCall-ID: foreign\r\nCSeq: {cseq}\r\n\r\n",
            b"SIP/2.0 486 Busy\r\nCall-ID: {call-id}\r\nCSeq: 9 INVITE\r\n\r\n",
            b"INVITE sip:x@y SIP/2.0\r\nCall-ID: {call-id}\r\nCSeq: {cseq}\r\n\r\n",
        ],
    )
    async def test_other_bytes_leave_the_call_as_it_is(self, data: bytes) -> None:
        desk = Desk()
        desk.invite()
        desk.call.raw(Raw(data, "odd.sip"), "script")
        desk.bench.take()
        assert (desk.call.final, desk.told) == (0, [])
        desk.bench.ask("CANCEL", branch="z9hG4bKinv")
        assert [s.name for s in desk.bench.take_all()] == ["200", "487"]


def prack(desk: Desk, sent: Message, *, rack: str = "", branch: str = "", seq: int = 2, body: bytes = b"") -> None:
    rack = rack or f"{sent.get('rseq')} 1 INVITE"
    kind = [("Content-Type", "application/sdp")] if body else []
    desk.bench.ask("PRACK", ("RAck", rack), *kind, to_tag=sent.to_tag, seq=seq, branch=branch, body=body)


class TestReliable:
    @in_virtual_time
    async def test_headers_count_up(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, RELIABLE, how(180, reliable=True), RINGING)
        first, second, plain = (s.message for s in desk.bench.take_all())
        assert (first.get("require"), second.get("require"), plain.get("require")) == ("100rel", "100rel", None)
        number = int(first.get("rseq") or "")
        assert 1 <= number < 2**31
        assert int(second.get("rseq") or "") == number + 1
        assert plain.get("rseq") is None

    @in_virtual_time
    async def test_doubling_without_cap_then_refused(self) -> None:
        """RFC 3262 3: it is sent again from T1 on, and the INVITE refused after 64*T1."""
        desk = Desk()
        desk.invite()
        respond(desk, RELIABLE)
        await desk.bench.advance(33)
        sent = desk.bench.take_all()
        found = [(s.name, s.at) for s in sent if s.at < 32.1]
        assert [name for name, _ in found] == ["183"] * 7 + ["500"]
        assert [at for _, at in found] == pytest.approx([0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 32.0])
        assert [s.origin for s in sent[:8]] == ["script"] * 7 + ["protocol"]
        assert desk.told == ["stopped"]

    @in_virtual_time
    async def test_prack_stops_it(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, RELIABLE)
        sent = desk.bench.take().message
        await desk.bench.advance(0.6)
        desk.bench.take_all()
        prack(desk, sent)
        ok = desk.bench.take()
        assert (ok.name, ok.message.cseq, ok.origin, ok.message.body) == ("200", (2, "PRACK"), "protocol", b"")
        assert await times(desk, 100, "183") == []
        assert desk.told == []

    @in_virtual_time
    @pytest.mark.parametrize(
        "rack", ["1 1 INVITE", "{} 2 INVITE", "{} 1 UPDATE", "{}", "{} x INVITE", "junk", "{} 1 INVITE z"]
    )
    async def test_a_prack_for_something_else(self, rack: str) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, RELIABLE)
        sent = desk.bench.take().message
        prack(desk, sent, rack=rack.format(sent.get("rseq")))
        assert desk.bench.take().name == "481"
        assert await times(desk, 0.6, "183") == pytest.approx([0.5])

    @in_virtual_time
    async def test_a_prack_that_comes_again(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, RELIABLE)
        sent = desk.bench.take().message
        for branch in ("z9hG4bKp1", "z9hG4bKp1", "z9hG4bKp2"):
            prack(desk, sent, branch=branch, seq=2 if branch.endswith("1") else 3)
        assert [s.name for s in desk.bench.take_all()] == ["200", "200", "481"]

    @in_virtual_time
    async def test_the_author_gives_the_number(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, Send(183, "Word", (("RSeq", "77"),), how=Delivery(reliable=True)))
        sent = desk.bench.take().message
        assert sent.all("rseq") == ["77"]
        prack(desk, sent)
        assert desk.bench.take().name == "200"

    @in_virtual_time
    async def test_a_final_response_ends_its_retransmission_but_not_its_prack(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, RELIABLE, BUSY)
        sent = desk.bench.take().message
        assert await times(desk, 0.9, "183") == []
        prack(desk, sent)
        assert desk.bench.take().name == "200"

    @in_virtual_time
    @pytest.mark.parametrize(("resend", "found"), [((), []), ((0.1, 40.0), [0.1, 40.0])])
    async def test_a_schedule_of_its_own(self, resend: tuple[float, ...], found: list[float]) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, how(183, reliable=True, resend=resend))
        desk.bench.take()
        assert await times(desk, 100, "183") == pytest.approx(found)
        assert desk.told == [], "nor is the INVITE refused for it"

    @in_virtual_time
    async def test_an_offer_in_prack_is_answered(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, RELIABLE)
        prack(desk, desk.bench.take().message, body=OFFER)
        ok = desk.bench.take().message
        assert ok.get("content-type") == "application/sdp"
        assert b"m=audio 9 " in ok.body

    @in_virtual_time
    async def test_two_wait_each_for_its_own(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, RELIABLE, how(180, reliable=True))
        first, _ = (s.message for s in desk.bench.take_all())
        prack(desk, first)
        desk.bench.take()
        await desk.bench.advance(0.6)
        assert [s.name for s in desk.bench.take_all()] == ["180"]

    @in_virtual_time
    async def test_a_prack_in_a_dialog_of_another_tag(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, how(183, reliable=True, to_tag="fork"))
        sent = desk.bench.take().message
        assert sent.to_tag == "fork"
        prack(desk, sent)
        assert desk.bench.take().name == "200"


class TestDescription:
    @in_virtual_time
    async def test_all_responses_describe_one_session(self) -> None:
        """RFC 3264 8: it does not change from the 183 to the 200."""
        desk = Desk()
        desk.invite()
        respond(desk, Send(183, "Session Progress"), OK)
        progress, ok = (s.message.body for s in desk.bench.take_all())
        assert progress == ok

    @in_virtual_time
    async def test_a_changed_one_counts_up(self) -> None:
        desk = Desk()
        tag = desk.answered()
        first = desk.bench.wire.sent[-1].message.body
        desk.bench.ask("INVITE", FAR, to_tag=tag, seq=2, body=OFFER.replace(b"0 8 101", b"8"))
        second = desk.bench.take().message.body
        session, version = first.split(b"\r\n")[1].split()[1:3]
        assert second.split(b"\r\n")[1].split()[1:3] == [session, str(int(version) + 1).encode()]

    @in_virtual_time
    async def test_a_response_with_media_has_a_description(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, how(180, media="tone"))
        assert b"m=audio" in desk.bench.take().message.body


class TestRequests:
    @in_virtual_time
    async def test_within_the_answered_call(self) -> None:
        desk = Desk()
        tag = desk.answered()
        desk.bench.take_all()
        step = Request("INFO", (("X-A", "1"),), "hello", "text/plain")
        desk.call.ask(step, "script")
        info = desk.bench.take()
        m = info.message
        assert (info.name, info.origin, m.uri, m.from_tag) == ("INFO", "script", "sip:bob@192.0.2.9:5080", tag)
        assert (m.get("x-a"), m.body, m.get("content-type")) == ("1", b"hello", "text/plain")

    @in_virtual_time
    async def test_a_re_invite_is_acknowledged(self) -> None:
        desk = Desk()
        desk.answered()
        desk.bench.take_all()
        desk.call.ask(Request("INVITE"), "script")
        invite = desk.bench.take().message
        assert b"m=audio 9 " in invite.body
        desk.bench.answer(invite, 200, FAR)
        ack = desk.bench.take()
        assert (ack.name, ack.message.cseq[0]) == ("ACK", invite.cseq[0])

    @in_virtual_time
    async def test_before_any_answer(self) -> None:
        desk = Desk()
        desk.invite()
        respond(desk, RINGING)
        tag = desk.bench.take().message.to_tag
        desk.call.ask(Request("UPDATE"), "script")
        assert (desk.bench.take().message.from_tag, desk.told) == (tag, [])

    @in_virtual_time
    async def test_bye_ends_the_call(self) -> None:
        desk = Desk()
        desk.answered()
        desk.bench.take_all()
        desk.call.ask(Request("BYE", (("Reason", "Q.850;cause=16"),)), "script")
        bye = desk.bench.take()
        assert (bye.name, bye.message.get("reason")) == ("BYE", "Q.850;cause=16")
        desk.bench.answer(bye.message, 200)
        assert desk.told == ["over"]
