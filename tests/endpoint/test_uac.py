"""Calls that are made: forks, digest, ACK, CANCEL, BYE; in virtual time against a scripted peer."""

from __future__ import annotations

import pytest
from on_loop import in_virtual_time
from ua_bench import PEER, Bench

from sip_harness.endpoint.first import Wish
from sip_harness.endpoint.fork import MAX_DIALOGS
from sip_harness.endpoint.uac import OutgoingCall
from sip_harness.sip.message import Message

CHALLENGE = 'Digest realm="b.test", nonce="n1", qop="auth"'


def contact(name: str) -> tuple[str, str]:
    return "Contact", f"<sip:{name}@192.0.2.9:5080>"


class Call:
    """An outgoing call on a bench, with what its owner is told."""

    def __init__(self, bench: Bench, *headers: tuple[str, str]) -> None:
        self.answered = 0
        self.overs = 0
        self.refused = 0
        self.call = OutgoingCall(bench.ua, "sip:bob@b.test", bench.hop, self, wish=Wish(headers))

    def on_answered(self) -> None:
        self.answered += 1

    def on_refused(self) -> None:
        self.refused += 1

    def on_over(self) -> None:
        self.overs += 1


def dial(*headers: tuple[str, str], password: str = "") -> tuple[Bench, Call, Message]:
    bench = Bench(password=password)
    call = Call(bench, *headers)
    return bench, call, bench.take().message


@in_virtual_time
async def test_the_invite() -> None:
    bench, call, invite = dial(("X-Ward", "7"), ("X-Ward", "8"))
    assert invite.start == "INVITE sip:bob@b.test SIP/2.0"
    assert bench.wire.sent[0].remote == PEER
    assert bench.wire.sent[0].origin == "script"
    assert (invite.get("via") or "").startswith("SIP/2.0/UDP 192.0.2.1:5070;rport;branch=z9hG4bK")
    assert invite.get("max-forwards") == "70"
    assert invite.get("from") == f"<sip:alice@a.test>;tag={invite.from_tag}"
    assert invite.get("to") == "<sip:bob@b.test>"
    assert invite.get("contact") == "<sip:alice-c@192.0.2.1:5070>"
    assert invite.get("content-type") == "application/sdp"
    assert invite.get("content-length") == str(len(invite.body))
    assert b"m=audio 9 RTP/AVP" in invite.body
    assert invite.all("x-ward") == ["7", "8"]
    assert "tok7" in call.call.call_id == invite.call_id


@in_virtual_time
async def test_headers_of_the_author_replace_ours() -> None:
    _, _, invite = dial(("Contact", "<sip:else@h>"), ("From", "<sip:x@y>;tag=t"), ("Max-Forwards", "3"))
    assert invite.all("contact") == ["<sip:else@h>"]
    assert invite.all("from") == ["<sip:x@y>;tag=t"]
    assert invite.all("max-forwards") == ["3"]


@in_virtual_time
async def test_two_calls_share_nothing() -> None:
    bench, _, first = dial()
    Call(bench)
    second = bench.take().message
    assert len({first.call_id, second.call_id}) == len({first.from_tag, second.from_tag}) == 2
    assert first.branch != second.branch


@in_virtual_time
@pytest.mark.parametrize("code", [302, 404, 486, 500, 600])
async def test_a_failure_is_acknowledged_and_ends_the_call(code: int) -> None:
    bench, call, invite = dial()
    bench.answer(invite, 100)
    bench.answer(invite, 180, contact("desk"))
    bench.answer(invite, code)
    ack = bench.take()
    assert (ack.name, ack.origin, ack.message.branch) == ("ACK", "protocol", invite.branch)
    assert ack.message.to_tag == "peer"
    assert (call.answered, call.overs) == (0, 1)
    assert bench.ua.legs == {}


@in_virtual_time
async def test_silence_ends_in_a_timeout() -> None:
    bench, call, invite = dial()
    await bench.advance(31.9)
    assert [s.at for s in bench.take_all()] == pytest.approx([0.5, 1.5, 3.5, 7.5, 15.5, 31.5])
    assert {s.message.data for s in bench.wire.sent} == {invite.data}
    assert {s.origin for s in bench.wire.sent} == {"script"}
    assert call.overs == 0
    await bench.advance(0.2)
    assert call.overs == 1


@in_virtual_time
async def test_a_2xx_is_acknowledged_end_to_end() -> None:
    bench, call, invite = dial()
    routes = ("Record-Route", "<sip:192.0.2.7;lr>, <sip:192.0.2.8:5090;lr>")
    bench.answer(invite, 200, contact("desk"), routes)
    ack = bench.take()
    assert (ack.name, ack.origin, ack.remote) == ("ACK", "protocol", ("192.0.2.8", 5090))
    assert ack.message.uri == "sip:desk@192.0.2.9:5080"
    assert ack.message.all("route") == ["<sip:192.0.2.8:5090;lr>", "<sip:192.0.2.7;lr>"]
    assert ack.message.branch != invite.branch
    assert ack.message.cseq == (1, "ACK")
    assert ack.message.body == b""
    assert call.answered == 1


@in_virtual_time
async def test_a_2xx_again_gets_the_same_ack_again() -> None:
    bench, call, invite = dial()
    for _ in range(3):
        bench.answer(invite, 200, contact("desk"))
    acks = bench.take_all()
    assert [a.name for a in acks] == ["ACK"] * 3
    assert len({a.message.data for a in acks}) == 1
    assert call.answered == 1


@in_virtual_time
async def test_a_strict_router_gets_itself_as_request_uri() -> None:
    bench, _, invite = dial()
    bench.answer(invite, 200, contact("desk"), ("Record-Route", "<sip:192.0.2.8:5090>"))
    ack = bench.take()
    assert ack.message.uri == "sip:192.0.2.8:5090"
    assert ack.message.all("route") == ["<sip:desk@192.0.2.9:5080>"]
    assert ack.remote == ("192.0.2.8", 5090)


@in_virtual_time
async def test_names_are_not_looked_up() -> None:
    bench, _, invite = dial()
    bench.answer(invite, 200, ("Contact", "<sip:desk@phone.test:5099>"))
    ack = bench.take()
    assert ack.message.uri == "sip:desk@phone.test:5099"
    assert ack.remote == PEER


@in_virtual_time
async def test_hanging_up() -> None:
    bench, call, invite = dial()
    call.call.hang_up("script")
    assert bench.is_quiet()
    bench.answer(invite, 200, contact("desk"))
    bench.take()
    call.call.hang_up("script")
    call.call.hang_up("script")
    bye = bench.take()
    assert (bye.name, bye.origin, bye.message.uri) == ("BYE", "script", "sip:desk@192.0.2.9:5080")
    assert bye.message.cseq == (2, "BYE")
    assert (bye.message.from_tag, bye.message.to_tag) == (invite.from_tag, "peer")
    assert call.overs == 0
    bench.answer(bye.message, 200)
    assert call.overs == 1
    assert bench.ua.legs == {}
    assert bench.is_quiet()


@in_virtual_time
@pytest.mark.parametrize("code", [403, 408, 481, 500])
async def test_a_bye_that_is_refused_ends_the_dialog_all_the_same(code: int) -> None:
    bench, call, invite = dial()
    bench.answer(invite, 200, contact("desk"))
    bench.take()
    call.call.hang_up("script")
    bench.answer(bench.take().message, code)
    assert call.overs == 1


@in_virtual_time
async def test_a_bye_without_answer_ends_the_dialog_after_timer_f() -> None:
    bench, call, invite = dial()
    bench.answer(invite, 200, contact("desk"))
    call.call.hang_up("script")
    await bench.advance(31.9)
    assert call.overs == 0
    assert bench.names.count("BYE") == 11
    await bench.advance(0.2)
    assert call.overs == 1


@in_virtual_time
async def test_being_hung_up_on() -> None:
    bench, call, invite = dial()
    bench.answer(invite, 200, contact("desk"))
    bench.take()
    bench.ask("BYE", call_id=invite.call_id, to_tag=invite.from_tag, from_tag="peer")
    ok = bench.take()
    assert (ok.name, ok.origin) == ("200", "protocol")
    assert call.overs == 1
    bench.ask("BYE", call_id=invite.call_id, to_tag=invite.from_tag, from_tag="peer", seq=2)
    assert bench.take().name == "481"


@in_virtual_time
async def test_byes_that_cross() -> None:
    bench, call, invite = dial()
    bench.answer(invite, 200, contact("desk"))
    bench.take()
    call.call.hang_up("script")
    bye = bench.take().message
    bench.ask("BYE", call_id=invite.call_id, to_tag=invite.from_tag, from_tag="peer")
    assert bench.take().name == "200"
    bench.answer(bye, 481)
    assert call.overs == 1


class TestForks:
    @in_virtual_time
    async def test_every_dialog_but_the_first_is_ended_at_once(self) -> None:
        bench, call, invite = dial()
        bench.answer(invite, 180, contact("one"), tag="t1")
        bench.answer(invite, 180, contact("two"), tag="t2")
        assert len(call.call.dialogs) == 2
        bench.answer(invite, 200, contact("two"), tag="t2")
        assert bench.take().message.to_tag == "t2"
        bench.answer(invite, 200, contact("one"), tag="t1")
        ack, bye = bench.take(), bench.take()
        assert (ack.name, ack.message.uri, ack.message.to_tag) == ("ACK", "sip:one@192.0.2.9:5080", "t1")
        assert (bye.name, bye.origin, bye.message.to_tag) == ("BYE", "protocol", "t1")
        assert call.answered == 1
        bench.answer(bye.message, 200)
        assert call.overs == 0
        call.call.hang_up("script")
        bench.answer(bench.take().message, 200)
        assert call.overs == 1

    @in_virtual_time
    async def test_the_ended_branch_resends_its_2xx(self) -> None:
        bench, _, invite = dial()
        bench.answer(invite, 200, contact("one"), tag="t1")
        bench.answer(invite, 200, contact("two"), tag="t2")
        _, ack, bye = bench.take_all()
        bench.answer(bye.message, 200)
        bench.answer(invite, 200, contact("two"), tag="t2")
        assert bench.take().message.data == ack.message.data
        assert bench.is_quiet()

    @in_virtual_time
    async def test_a_2xx_after_a_6xx_is_acknowledged_and_ended(self) -> None:
        bench, call, invite = dial()
        bench.answer(invite, 600, tag="t1")
        assert bench.take().name == "ACK"
        bench.answer(invite, 200, contact("late"), tag="t2")
        ack, bye = bench.take(), bench.take()
        assert (ack.name, ack.message.to_tag) == ("ACK", "t2")
        assert (bye.name, bye.message.to_tag, bye.origin) == ("BYE", "t2", "protocol")
        bench.answer(bye.message, 200)
        assert (call.answered, call.overs) == (0, 1)
        assert bench.ua.legs == {}

    @in_virtual_time
    async def test_tags_without_end_are_bounded(self) -> None:
        bench, call, invite = dial()
        for number in range(MAX_DIALOGS + 50):
            bench.answer(invite, 180, tag=f"t{number}")
        assert len(call.call.dialogs) == MAX_DIALOGS
        bench.answer(invite, 486)
        assert bench.ua.legs == {}

    @in_virtual_time
    async def test_a_2xx_without_tag_and_contact_is_acknowledged(self) -> None:
        bench, call, invite = dial()
        bench.answer(invite, 200, tag="")
        ack = bench.take()
        assert (ack.name, ack.message.uri, ack.remote) == ("ACK", "sip:bob@b.test", PEER)
        assert call.answered == 1


class TestCancel:
    @in_virtual_time
    async def test_while_ringing(self) -> None:
        bench, call, invite = dial()
        bench.answer(invite, 180, contact("desk"))
        call.call.cancel("script")
        call.call.cancel("script")
        cancel = bench.take()
        assert (cancel.name, cancel.origin, cancel.message.branch) == ("CANCEL", "script", invite.branch)
        assert cancel.message.cseq == (1, "CANCEL")
        bench.answer(cancel.message, 200)
        assert call.overs == 0
        bench.answer(invite, 487)
        assert bench.take().name == "ACK"
        assert call.overs == 1
        assert bench.is_quiet()

    @in_virtual_time
    @pytest.mark.parametrize("code", [100, 180])
    async def test_it_is_held_back_until_a_provisional(self, code: int) -> None:
        bench, call, invite = dial()
        call.call.cancel("script")
        assert bench.is_quiet()
        bench.answer(invite, code)
        assert bench.take().name == "CANCEL"
        bench.answer(invite, 183)
        assert bench.is_quiet()

    @in_virtual_time
    @pytest.mark.parametrize(("code", "names"), [(486, ["ACK"]), (200, ["ACK"])])
    async def test_it_is_dropped_if_a_final_comes_first(self, code: int, names: list[str]) -> None:
        bench, call, invite = dial()
        call.call.cancel("script")
        bench.answer(invite, code)
        assert [s.name for s in bench.take_all()] == names
        assert call.overs == (1 if code == 486 else 0)

    @in_virtual_time
    async def test_after_the_final_it_does_nothing(self) -> None:
        bench, call, invite = dial()
        bench.answer(invite, 200, contact("desk"))
        bench.take()
        call.call.cancel("script")
        bench.answer(invite, 180, contact("desk"))
        assert bench.is_quiet()

    @in_virtual_time
    async def test_a_2xx_that_crosses_it_sets_up_the_call(self) -> None:
        bench, call, invite = dial()
        bench.answer(invite, 180)
        call.call.cancel("script")
        bench.take()
        bench.answer(invite, 200, contact("desk"))
        assert bench.take().name == "ACK"
        assert call.answered == 1
        call.call.end()
        assert bench.take().name == "BYE"

    @in_virtual_time
    async def test_a_challenge_is_not_answered_any_more(self) -> None:
        bench, call, invite = dial(password="pw")
        call.call.cancel("script")
        bench.answer(invite, 407, ("Proxy-Authenticate", CHALLENGE))
        assert [s.name for s in bench.take_all()] == ["ACK"]
        assert call.overs == 1

    @in_virtual_time
    async def test_a_peer_that_ends_nothing_is_not_waited_for(self) -> None:
        bench, call, invite = dial()
        bench.answer(invite, 180)
        call.call.cancel("script")
        bench.answer(bench.take().message, 200)
        await bench.advance(31.9)
        assert call.overs == 0
        await bench.advance(0.2)
        assert call.overs == 1
        assert not bench.ua.layer.clients


class TestDigest:
    @in_virtual_time
    @pytest.mark.parametrize(
        ("code", "asked", "given"),
        [(401, "WWW-Authenticate", "Authorization"), (407, "Proxy-Authenticate", "Proxy-Authorization")],
    )
    async def test_the_invite_is_made_anew(self, code: int, asked: str, given: str) -> None:
        bench, call, invite = dial(password="pw")
        bench.answer(invite, code, (asked, CHALLENGE))
        ack, again = bench.take(), bench.take()
        assert (ack.name, ack.message.branch) == ("ACK", invite.branch)
        retry = again.message
        assert (again.name, again.origin, retry.cseq) == ("INVITE", "script", (2, "INVITE"))
        assert (retry.call_id, retry.from_tag, retry.to_tag) == (invite.call_id, invite.from_tag, "")
        assert retry.branch != invite.branch
        assert 'uri="sip:bob@b.test"' in (retry.get(given) or "")
        assert retry.body == invite.body
        bench.answer(retry, 200, contact("desk"))
        ack = bench.take()
        assert ack.message.cseq == (2, "ACK")
        assert ack.message.get(given) == retry.get(given)
        assert (call.answered, call.overs) == (1, 0)

    @in_virtual_time
    async def test_wrong_credentials_end_the_call(self) -> None:
        bench, call, invite = dial(password="pw")
        bench.answer(invite, 407, ("Proxy-Authenticate", CHALLENGE))
        _, again = bench.take(), bench.take()
        bench.answer(again.message, 407, ("Proxy-Authenticate", CHALLENGE.replace("n1", "n2")))
        assert [s.name for s in bench.take_all()] == ["ACK"]
        assert call.overs == 1

    @in_virtual_time
    async def test_a_stale_nonce_is_tried_once_more_and_not_for_ever(self) -> None:
        bench, call, invite = dial(password="pw")
        for number in range(20):
            if call.overs:
                break
            stale = f'Digest realm="b.test", nonce="n{number}", stale=true'
            bench.answer(invite, 407, ("Proxy-Authenticate", stale))
            invite = bench.take_all()[-1].message
        assert call.overs == 1
        assert bench.names.count("INVITE") == 3

    @in_virtual_time
    async def test_two_realms_are_answered_together(self) -> None:
        bench, _, invite = dial(password="pw")
        bench.answer(invite, 407, ("Proxy-Authenticate", CHALLENGE))
        again = bench.take_all()[-1].message
        bench.answer(again, 407, ("Proxy-Authenticate", CHALLENGE.replace("b.test", "c.test")))
        third = bench.take_all()[-1].message
        assert [('realm="b.test"' in v, 'realm="c.test"' in v) for v in third.all("proxy-authorization")] == [
            (True, False),
            (False, True),
        ]
        assert ["nc=00000002" in v for v in third.all("proxy-authorization")] == [True, False]  # a replay otherwise

    @in_virtual_time
    @pytest.mark.parametrize("challenge", ["Basic realm=x", 'Digest realm="x", nonce="n", algorithm=MD4', ""])
    async def test_what_cannot_be_answered_ends_the_call(self, challenge: str) -> None:
        bench, call, invite = dial(password="pw")
        bench.answer(invite, 401, ("WWW-Authenticate", challenge))
        assert [s.name for s in bench.take_all()] == ["ACK"]
        assert call.overs == 1

    @in_virtual_time
    async def test_without_a_password_there_is_no_retry(self) -> None:
        bench, call, invite = dial()
        bench.answer(invite, 401, ("WWW-Authenticate", CHALLENGE))
        assert [s.name for s in bench.take_all()] == ["ACK"]
        assert call.overs == 1

    @in_virtual_time
    async def test_a_bye_is_challenged_too(self) -> None:
        bench, call, invite = dial(password="pw")
        bench.answer(invite, 200, contact("desk"))
        bench.take()
        call.call.hang_up("script")
        bye = bench.take().message
        bench.answer(bye, 407, ("Proxy-Authenticate", CHALLENGE))
        again = bench.take().message
        assert (again.method, again.cseq[0]) == ("BYE", bye.cseq[0] + 1)
        assert again.get("proxy-authorization")
        bench.answer(again, 200)
        assert call.overs == 1


@in_virtual_time
async def test_nothing_can_be_sent() -> None:
    bench = Bench()
    bench.wire.broken = True
    call = Call(bench)
    assert call.overs == 0
    await bench.settle()
    assert call.overs == 1
    assert bench.unsent == ["the cable is cut"]


@in_virtual_time
async def test_responses_of_others_change_nothing() -> None:
    bench, call, invite = dial()
    foreign = invite.data.replace(b"192.0.2.1:5070;rport", b"192.0.2.99:5070;rport")
    head = foreign.split(b"\r\n", 1)[1]
    bench.feed(b"SIP/2.0 486 Busy\r\n" + head)
    bench.feed(b"SIP/2.0 486 Busy\r\n" + head.replace(b"branch=z9hG4bK", b"branch=z9hG4bKx"))
    bench.feed(b"SIP/2.0 486 Busy\r\n\r\n")
    assert bench.is_quiet()
    assert call.overs == 0


@in_virtual_time
async def test_the_end_cancels_or_hangs_up() -> None:
    bench, call, invite = dial()
    bench.answer(invite, 180)
    call.call.end()
    assert (bench.wire.sent[-1].name, bench.take().origin) == ("CANCEL", "protocol")
    other = Call(bench)
    bench.answer(bench.take().message, 200, contact("desk"))
    bench.take()
    other.call.end()
    assert (bench.wire.sent[-1].name, bench.take().origin) == ("BYE", "protocol")
