"""What the pjsua2 stack does by itself, and that the record says so."""

from __future__ import annotations

import asyncio

import pytest
from on_loop import on_loop
from pjsua2_peer import BUSY, OK, RINGING, SDP, Desk, Dialling, a_desk, a_peer, a_pool, code_of, device, reply

from sip_harness.model.entry import Malformed, Message
from sip_harness.model.steps import Send
from sip_harness.sip import message as sip

pytestmark = pytest.mark.needs_pjsua2


def origins(d: Desk, code: int) -> set[str]:
    return {m.origin for m in d.sent(code)}


@on_loop
async def test_the_fifth_call_gets_a_486_that_is_not_the_scripts() -> None:
    attempts = (*[(RINGING,)] * 4, (BUSY,))
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, *attempts)) as d:
        calls = [Dialling(peer, d.agent.local).invite() for _ in range(4)]
        for call in calls:
            await peer.response(call, 180)
        fifth = Dialling(peer, d.agent.local).invite()
        final = await peer.final(fifth)
        fifth.ack(final)
        assert final.code == 486
        await d.has_sent(486)
        assert origins(d, 486) == {"engine"}
        note = await d.has_noted("engine")
        assert note.data == {"code": "486", "call_id": fifth.call_id}
        for call in calls:
            call.cancel()
            call.ack(await peer.final(call))
        # The refused INVITE was no attempt: the next one is the fifth.
        scripted = Dialling(peer, d.agent.local).invite()
        scripted.ack(await peer.final(scripted))
        await d.until(
            lambda e: isinstance(e, Message) and e.data.startswith(b"ACK") and scripted.call_id.encode() in e.data
        )
        assert origins(d, 486) == {"engine", "script"}
        assert len(d.notes("engine")) == 1


@on_loop
async def test_an_invite_without_sdp_is_answered_by_the_script() -> None:
    attempts = ((RINGING, BUSY), (Send(183, "Progress"), OK))
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, *attempts)) as d:
        refused = Dialling(peer, d.agent.local, body="").invite()
        refused.ack(await peer.final(refused))
        answered = Dialling(peer, d.agent.local, body="").invite()
        final = await peer.final(answered)
        assert b"m=audio" in final.body
        answered.peer.send(answered.request("ACK", branch="ack", to_tag=final.to_tag, body=SDP), d.agent.local)
        answered.bye(final)
        await peer.response(answered, 200, "BYE")
        assert [m.code for m in peer.responses(refused)] == [100, 180, 486]
        assert not [m for m in d.messages if m.origin == "engine"]


REFUSED = (
    ("v=0\r\nnot sdp at all\r\n", (), {400, 488}),
    (SDP.replace("RTP/AVP 0 8 101", "RTP/AVP 97\r\na=rtpmap:97 unheard/8000"), (), {488}),
    (SDP, ("Require: foo",), {420}),
    (SDP, ("Replaces: nobody@x;to-tag=1;from-tag=2",), {481}),
)


@pytest.mark.parametrize(("body", "headers", "codes"), REFUSED)
@on_loop
async def test_an_invite_that_the_stack_refuses_by_itself(body: str, headers: tuple[str, ...], codes: set[int]) -> None:
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, (BUSY,))) as d:
        call = Dialling(peer, d.agent.local, body, headers).invite()
        final = await peer.final(call)
        call.ack(final)
        assert final.code in codes
        await d.has_sent(final.code)
        assert origins(d, final.code) == {"engine"}
        note = await d.has_noted("engine")
        assert note.data == {"code": str(final.code), "call_id": call.call_id}
        assert not d.notes("step")


@on_loop
async def test_a_merged_request_is_refused_by_the_stack() -> None:
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, (RINGING,))) as d:
        call = Dialling(peer, d.agent.local).invite()
        await peer.response(call, 180)
        peer.send(call.request("INVITE", branch="other", body=SDP), d.agent.local)
        merged = await peer.response(call, 482)
        call.peer.send(call.request("ACK", branch="other", to_tag=merged.to_tag), d.agent.local)
        await d.has_sent(482)
        assert origins(d, 482) == {"engine"}
        assert origins(d, 180) == {"script"}
        call.cancel()
        call.ack(await peer.response(call, 487))


@on_loop
async def test_what_any_user_agent_answers_is_protocol() -> None:
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, (OK,))) as d:
        outside = Dialling(peer, d.agent.local)
        peer.send(outside.request("OPTIONS"), d.agent.local)
        await peer.response(outside, 200, "OPTIONS")
        peer.send(outside.request("CANCEL", branch="none"), d.agent.local)
        await peer.response(outside, 481, "CANCEL")
        call = Dialling(peer, d.agent.local).invite()
        final = await peer.final(call)
        call.ack(final)
        peer.send(call.request("OPTIONS", cseq=3, branch="in", to_tag=final.to_tag), d.agent.local)
        await peer.response(call, 500, "OPTIONS")
        peer.send(call.request("INVITE", cseq=4, branch="re", to_tag=final.to_tag, body=SDP), d.agent.local)
        again = await peer.get(lambda m: m.code == 200 and m.cseq == (4, "INVITE"))
        peer.send(call.request("ACK", cseq=4, branch="reack", to_tag=again.to_tag), d.agent.local)
        peer.send(call.request("BYE", cseq=5, branch="bye", to_tag=final.to_tag), d.agent.local)
        await peer.response(call, 200, "BYE")
        await d.until(lambda e: code_of(e) == 200 and b"5 BYE" in getattr(e, "data", b""))
        found = {(sip.parse(m.data).cseq, code_of(m)): m.origin for m in d.sent()}
    assert found == {
        ((1, "OPTIONS"), 200): "protocol",
        ((1, "CANCEL"), 481): "protocol",
        ((1, "INVITE"), 100): "protocol",
        ((1, "INVITE"), 200): "script",
        ((3, "OPTIONS"), 500): "engine",
        ((4, "INVITE"), 200): "engine",
        ((5, "BYE"), 200): "protocol",
    }


@on_loop
async def test_a_transfer_is_declined_and_calls_nobody() -> None:
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, (OK,))) as d:
        call = Dialling(peer, d.agent.local).invite()
        final = await peer.final(call)
        call.ack(final)
        refer = call.request("REFER", cseq=2, branch="refer", to_tag=final.to_tag)
        target = f"Refer-To: <sip:other@127.0.0.1:{peer.local[1]}>\r\nMax-Forwards".encode()
        peer.send(refer.replace(b"Max-Forwards", target), d.agent.local)
        assert (await peer.get(lambda m: m.code >= 200 and m.cseq[1] == "REFER")).code == 603
        peer.send(call.request("BYE", cseq=3, branch="bye", to_tag=final.to_tag), d.agent.local)
        await peer.response(call, 200, "BYE")
    assert not [m for m in peer.seen if m.method == "INVITE"]
    assert origins(d, 603) == {"engine"}


@on_loop
async def test_what_is_no_message_is_kept_as_malformed() -> None:
    garbage = b"\r\n\r\nthis is a datagram, but no SIP message\r\n\x00\xff\xfe and nothing comes of it\r\n\r\n"
    no_call_id = (
        b"OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx\r\n"
        b"From: <sip:a@b>;tag=1\r\nTo: <sip:x@y>\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, (BUSY,))) as d:
        for data in (garbage, no_call_id):
            peer.send(data, d.agent.local)
        call = Dialling(peer, d.agent.local).invite()
        call.ack(await peer.final(call))
    kept = [e for e in d.entries if isinstance(e, Malformed)]
    assert [(e.data, e.remote, e.local) for e in kept] == [
        (data, peer.local, d.agent.local) for data in (garbage, no_call_id)
    ]
    assert all(e.why for e in kept)
    first = next(m for m in d.messages)
    assert kept[0].time <= kept[1].time <= first.time


@on_loop
async def test_a_response_that_grows_too_large_is_reported() -> None:
    """The caller's own headers come back in the response: what was short enough may become too long."""
    step = Send(486, "Busy Here", (("X-Long", "x" * 3000),))
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, (step,))) as d:
        routes = tuple(f"Via: SIP/2.0/UDP 127.0.0.{i};branch=z9hG4bK{'y' * 80}" for i in range(2, 12))
        Dialling(peer, d.agent.local, headers=routes).invite()
        note = await d.has_noted("engine")
        assert "has not sent 486 Busy Here" in note.text
        assert not d.sent(486)


@on_loop
async def test_an_unacknowledged_answer_ends_with_the_lease() -> None:
    async with a_pool() as pool, a_peer() as peer:
        async with a_desk(pool, device(peer.local, (OK,))) as d:
            await peer.final(Dialling(peer, d.agent.local).invite())
        await peer.read_all()
    assert [m.method or m.code for m in peer.seen] == [100, 200, "BYE"]
    assert [m.origin for m in d.sent()] == ["protocol", "script", "protocol"]


@on_loop
async def test_calls_go_on_after_a_burst_that_the_stack_cannot_take() -> None:
    """Forty INVITEs at once are more than four slots: whatever is refused is known as the stack's own doing."""
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, (BUSY,))) as d:
        calls = [Dialling(peer, d.agent.local).invite() for _ in range(40)]
        finals = await asyncio.gather(*(peer.final(c) for c in calls))
        for call, final in zip(calls, finals, strict=True):
            call.ack(final)
        after = Dialling(peer, d.agent.local).invite()
        after.ack(await peer.final(after))
        await d.until(
            lambda e: isinstance(e, Message) and e.data.startswith(b"ACK") and after.call_id.encode() in e.data
        )
        by_origin = {o: {sip.parse(m.data).call_id for m in d.sent(486) if m.origin == o} for o in ("script", "engine")}
        noted = {n.data["call_id"] for n in d.notes("engine")}
        stepped = {n.data["call_id"] for n in d.notes("step")}
    assert {f.code for f in finals} == {486}
    assert by_origin["engine"] == noted
    assert by_origin["script"] == stepped
    assert by_origin["script"].isdisjoint(noted)
    assert after.call_id in stepped


@on_loop
async def test_strange_peers_do_not_bring_the_worker_down() -> None:
    """Requests of every kind, in and out of a dialog, hostile in their headers: the worker lives on."""
    methods = (
        "INFO",
        "UPDATE",
        "PRACK",
        "NOTIFY",
        "SUBSCRIBE",
        "MESSAGE",
        "PUBLISH",
        "REGISTER",
        "REFER",
        "BYE",
        "FOO",
    )
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, (OK,))) as d:
        call = Dialling(peer, d.agent.local).invite()
        final = await peer.final(call)
        call.ack(final)
        for number, method in enumerate(methods):
            outside = Dialling(peer, d.agent.local)
            for data in (
                outside.request(method, cseq=1),
                call.request(method, cseq=10 + number, branch=f"in{number}", to_tag=final.to_tag)
                if method != "BYE"
                else b"",
                outside.request(method, cseq=2, branch="%s%n", body="\x00" * 3000),
                outside.request(method, cseq=3, branch="long", to_tag="x" * 3000),
            ):
                peer.send(data, d.agent.local)
        peer.send(call.request("BYE", cseq=99, branch="bye", to_tag=final.to_tag), d.agent.local)
        await peer.get(lambda m: m.code == 200 and m.cseq == (99, "BYE"))
        assert pool.workers == 1
    assert len([m for m in d.messages if m.direction == "received"]) >= 4 * len(methods)


@on_loop
async def test_the_peers_answers_reach_nobody_after_the_lease() -> None:
    """A BYE of the old lease that is answered late, at a port that is no more."""
    async with a_pool() as pool, a_peer() as peer:
        async with a_desk(pool, device(peer.local, (OK,))) as first:
            call = Dialling(peer, first.agent.local).invite()
            final = await peer.final(call)
            call.ack(final)
            await first.until(lambda e: isinstance(e, Message) and e.data.startswith(b"ACK"))
        bye = await peer.request("BYE", call.call_id)
        async with a_desk(pool, device(peer.local, (BUSY,))) as second:
            peer.send(reply(bye, 200, "OK"), first.agent.local)
            other = Dialling(peer, second.agent.local).invite()
            other.ack(await peer.final(other))
        assert {sip.parse(m.data).call_id for m in second.messages} == {other.call_id}
