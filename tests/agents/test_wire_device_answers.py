"""What a device can answer that no telephone would, seen by a raw peer: exact bytes, ports and times."""

from __future__ import annotations

import asyncio
import re

import pytest
from on_loop import on_loop
from wire_stage import FAST, LIMIT, Peer, Stage, peer, stage

from sip_harness.agents.wire import WireAgent
from sip_harness.model.entry import Malformed, Media
from sip_harness.model.entry import Message as Entry
from sip_harness.model.pattern import Event, RequestPattern
from sip_harness.model.steps import After, Delivery, HangUp, Mutation, NoTrying, Raw, Request, Send, Silence, Step, Wait
from sip_harness.net.clock import Clock
from sip_harness.net.rtp import RtpPort
from sip_harness.sip import sdp
from sip_harness.sip.message import parse

RINGING, OK, BUSY = Send(180, "Ringing"), Send(200, "OK"), Send(486, "Busy Here")
COPIED = b"Via: {via}\r\nFrom: {from}\r\nTo: {to};tag=raw\r\nCall-ID: {call-id}\r\nCSeq: {cseq}\r\n"


def how(code: int, **delivery: object) -> Send:
    return Send(code, "Word", how=Delivery(**delivery))  # type: ignore[arg-type]


async def ring(here: Stage, far: Peer, *attempts: tuple[Step, ...]) -> WireAgent:
    """A device with these attempts, called by a raw peer."""
    desk = here.device("desk", *attempts, timers=FAST)
    await desk.start()
    far.ask(desk.local, "INVITE", branch="z9hG4bKinv")
    return desk


async def until_raw(far: Peer, count: int) -> list[bytes]:
    """Wait for so many datagrams."""
    async with asyncio.timeout(LIMIT):
        while len(far.raw) < count:
            await asyncio.sleep(0.002)
    return far.raw


def sent(here: Stage, line: str) -> list[Entry]:
    """Everything of this kind that the desk has sent."""
    return [m for m in here.messages("desk") if m.direction == "sent" and parse(m.data).code == int(line)]


def gaps(entries: list[Entry]) -> list[float]:
    """Seconds from the first to each of them."""
    return [(e.time - entries[0].time) / 1e9 for e in entries]


class TestTrying:
    @on_loop
    async def test_none(self) -> None:
        async with stage() as here, peer() as far:
            desk = await ring(here, far, (NoTrying(), Wait(0.2), BUSY))
            busy = await far.get()
            assert busy.code == 486
            assert here.ladder() == ["desk gets INVITE", "desk sends 486"]
            assert [n.text for n in here.notes("step")] == ["no 100", "486 Busy Here"]
            assert (sent(here, "486")[0].time - here.entry("desk gets INVITE").time) / 1e9 > 0.199
            far.ask(desk.local, "ACK", branch="z9hG4bKinv", to_tag=busy.to_tag)

    @on_loop
    async def test_only_100(self) -> None:
        async with stage() as here, peer() as far:
            desk = await ring(here, far, (Send(100, "Trying"),))
            assert (await far.get()).code == 100
            far.ask(desk.local, "INVITE", branch="z9hG4bKinv")
            assert (await far.get()).code == 100, "the same once more"
            assert {m.origin for m in sent(here, "100")} == {"script"}
            far.ask(desk.local, "CANCEL", branch="z9hG4bKinv")
            assert [(await far.get()).code for _ in range(2)] == [200, 487]

    @on_loop
    async def test_silence_is_per_attempt(self) -> None:
        async with stage() as here, peer() as far:
            desk = await ring(here, far, (Silence(),), (BUSY,))
            await here.see("desk gets INVITE")
            far.ask(desk.local, "INVITE", branch="z9hG4bKsecond", call_id="second")
            busy = await far.get()
            assert (busy.code, busy.call_id) == (486, "second")
            far.ask(desk.local, "ACK", branch="z9hG4bKsecond", to_tag=busy.to_tag, call_id="second")
            await here.see("desk gets ACK")
            assert here.ladder().count("desk sends 486") == 1

    @on_loop
    async def test_who_was_silent_speaks_again(self) -> None:
        async with stage() as here, peer() as far:
            desk = await ring(here, far, (Silence(), Wait(0.1), OK))
            ok = await far.get()
            assert ok.code == 200
            far.ask(desk.local, "ACK", to_tag=ok.to_tag)
            far.ask(desk.local, "BYE", to_tag=ok.to_tag, seq=2)
            await here.see("desk sends 200 to BYE")


class TestFinals:
    @on_loop
    async def test_several_on_one_transaction(self) -> None:
        async with stage() as here, peer() as far:
            desk = await ring(here, far, (BUSY, Wait(0.1), Send(603, "Decline"), Wait(0.1), OK))
            busy = await far.get()
            far.ask(desk.local, "ACK", branch="z9hG4bKinv", to_tag=busy.to_tag)
            decline, ok = await far.get(), await far.get()
            assert [decline.code, ok.code] == [603, 200]
            assert len({m.to_tag for m in (busy, decline, ok)}) == 1
            assert [m.origin for code in ("486", "603", "200") for m in sent(here, code)] == ["script"] * 3
            assert here.entry("desk gets ACK").time < sent(here, "603")[0].time
            far.ask(desk.local, "ACK", to_tag=ok.to_tag)
            far.ask(desk.local, "BYE", to_tag=ok.to_tag, seq=2)
            await here.see("desk sends 200 to BYE")

    @on_loop
    async def test_an_agent_is_busy_until_its_script_is_through(self) -> None:
        async with stage() as here, peer() as far:
            never = Event("desk", "gets", RequestPattern("FOO"))
            desk = await ring(here, far, (BUSY, Wait(0.3), how(603, resend=(0.2,)), After(never), OK))
            busy = await far.get()
            far.ask(desk.local, "ACK", branch="z9hG4bKinv", to_tag=busy.to_tag)
            await here.see("desk gets ACK")
            assert desk.busy
            await here.see("desk sends 603")
            assert desk.busy
            await here.see("desk sends 603", "desk sends 603")
            assert not desk.busy, "what waits for an event that may never come keeps nobody"

    @on_loop
    async def test_a_schedule_of_its_own(self) -> None:
        async with stage() as here, peer() as far:
            desk = await ring(here, far, (how(486, resend=(0.1, 0.3)),))
            busy = await far.get()
            far.ask(desk.local, "ACK", branch="z9hG4bKinv", to_tag=busy.to_tag)
            far.ask(desk.local, "INVITE", branch="z9hG4bKinv")
            await here.see("desk gets ACK", *["desk sends 486"] * 3)
            found = gaps(sent(here, "486"))
            assert found == sorted(found)
            assert [round(at - wanted, 2) >= 0 for at, wanted in zip(found, (0.0, 0.1, 0.3), strict=True)] == [True] * 3
            assert len({m.data for m in sent(here, "486")}) == 1

    @on_loop
    async def test_never_again(self) -> None:
        async with stage() as here, peer() as far:
            desk = await ring(here, far, (how(486, resend=()), Wait(0.5), Send(603, "Decline")))
            for _ in range(3):
                far.ask(desk.local, "INVITE", branch="z9hG4bKinv")
            await here.see("desk sends 603")
            assert len(sent(here, "486")) == 1, "in half a second, ten times T1"


class TestTags:
    @on_loop
    @pytest.mark.parametrize(("asked", "header"), [("", "<sip:desk@x.test>"), ("lit", "<sip:desk@x.test>;tag=lit")])
    async def test_the_to_tag(self, asked: str, header: str) -> None:
        async with stage() as here, peer() as far:
            await ring(here, far, (how(180, to_tag=asked), Silence()))
            assert (await far.get()).get("to") == header

    @on_loop
    async def test_other_is_new_each_time(self) -> None:
        async with stage() as here, peer() as far:
            await ring(here, far, (how(180, to_tag="other"), how(183, to_tag="other"), how(181), Silence()))
            tags = [(await far.get()).to_tag for _ in range(3)]
            assert len(set(tags)) == 3
            assert all(tags)

    @on_loop
    async def test_a_foreign_branch_and_method(self) -> None:
        async with stage() as here, peer() as far:
            await ring(here, far, (how(180, branch="other"), how(181, cseq="OPTIONS"), Silence()))
            foreign, method = await far.get(), await far.get()
            assert foreign.branch.startswith("z9hG4bK")
            assert foreign.branch != "z9hG4bKinv"
            assert foreign.cseq == (1, "INVITE")
            assert (method.branch, method.cseq) == ("z9hG4bKinv", (1, "OPTIONS"))


class TestBytes:
    @on_loop
    @pytest.mark.parametrize(
        ("mutation", "pattern"),
        [
            (Mutation("strip", "To"), rb"(?s)(?!.*\r\nTo:).*\r\n\r\n$"),
            (Mutation("duplicate", "CSeq"), rb"(?s).*\r\nCSeq: 1 INVITE\r\nCSeq: 1 INVITE\r\n.*"),
            (Mutation("corrupt", "From"), rb"(?s).*\r\nFrom: \xff\xfe\"<\x01\r\n.*"),
            (Mutation("truncate", "40"), rb"(?s)SIP/2\.0 486 Word\r\nVia: .{17}$"),
            (Mutation("truncate", "12"), rb"SIP/2\.0 486 $"),
        ],
    )
    async def test_mutations(self, mutation: Mutation, pattern: bytes) -> None:
        async with stage() as here, peer() as far:
            await ring(here, far, (how(486, mutations=(mutation,), resend=()),))
            [data] = await until_raw(far, 1)
            assert re.fullmatch(pattern, data), data
            assert sent(here, "486")[0].data == data

    @on_loop
    async def test_bytes_that_are_no_message_are_kept_apart(self) -> None:
        async with stage() as here, peer() as far:
            desk = await ring(here, far, (how(486, mutations=(Mutation("truncate", "5"),), resend=()),))
            [data] = await until_raw(far, 1)
            assert data == b"SIP/2"
            await here.until(lambda: bool(here.others()))
            [kept] = [e for e in here.others() if isinstance(e, Malformed)]
            assert (kept.data, kept.direction, kept.agent) == (data, "sent", "desk")
            assert (kept.local, kept.remote) == (desk.local, far.address)
            assert kept.why.startswith("sent by the script: no SIP start line")
            assert here.ladder() == ["desk gets INVITE"]

    @on_loop
    async def test_exact_bytes(self) -> None:
        async with stage() as here, peer() as far:
            data = b"SIP/2.0 486  {odd}\nX:{contact}\r\n" + COPIED + b"Content-Length: 99999\r\n\r\n\xff\0"
            desk = await ring(here, far, (Raw(data, "odd.sip"),))
            [got] = await until_raw(far, 1)
            host, port = desk.local
            via = f"SIP/2.0/UDP 127.0.0.1:{far.address[1]};branch=z9hG4bKinv".encode()
            assert got == (
                b"SIP/2.0 486  {odd}\nX:<sip:s1x1desk@%s:%d>\r\nVia: %s\r\n" % (host.encode(), port, via)
                + b"From: <sip:peer@x.test>;tag=peer\r\nTo: <sip:desk@x.test>;tag=raw\r\nCall-ID: peer-call\r\n"
                + b"CSeq: 1 INVITE\r\nContent-Length: 99999\r\n\r\n\xff\0"
            )
            assert [n.text for n in here.notes("step")] == ["bytes of odd.sip"]
            assert here.messages("desk")[-1].origin == "script"

    @on_loop
    async def test_a_large_one(self) -> None:
        async with stage() as here, peer() as far:
            data = b"SIP/2.0 486 Busy\r\n" + COPIED + b"X-Big: " + b"a" * 60_000 + b"\r\n\r\n"
            await ring(here, far, (Raw(data, "big.sip"),))
            assert len((await until_raw(far, 1))[0]) > 60_000
            assert here.notes("refused") == []

    @on_loop
    async def test_one_that_no_datagram_holds_is_refused(self) -> None:
        async with stage() as here, peer() as far:
            await ring(here, far, (Raw(b"SIP/2.0 200 OK\r\n\r\n" + b"x" * 65_517, "huge.sip"), Wait(0.05), BUSY))
            assert (await far.get()).code == 486
            assert "cannot send" in here.notes("refused")[0].text


class TestWay:
    @on_loop
    async def test_copies(self) -> None:
        async with stage() as here, peer() as far:
            desk = await ring(here, far, (how(486, copies=3),))
            same = [await far.get() for _ in range(3)]
            assert len({m.data for m in same}) == 1
            far.ask(desk.local, "ACK", branch="z9hG4bKinv", to_tag=same[0].to_tag)
            await here.see("desk gets ACK")

    @on_loop
    async def test_from_another_port(self) -> None:
        async with stage() as here, peer() as far:
            desk = await ring(here, far, (how(180, port="other"), how(183), Silence()))
            await far.get()
            other = far.source
            await far.get()
            assert other != desk.local
            assert far.source == desk.local
            assert [m.local for m in here.messages("desk") if m.direction == "sent"] == [other, desk.local]


class TestReliable:
    @on_loop
    async def test_until_its_prack(self) -> None:
        async with stage() as here, peer() as far:
            desk = await ring(here, far, (how(183, reliable=True), Wait(0.4), BUSY))
            progress = [await far.get() for _ in range(3)]
            assert len({m.data for m in progress}) == 1
            assert (progress[0].get("require"), progress[0].code) == ("100rel", 183)
            rack = ("RAck", f"{progress[0].get('rseq')} 1 INVITE")
            far.ask(desk.local, "PRACK", rack, to_tag=progress[0].to_tag, seq=2)
            await here.see("desk sends 200 to PRACK", "desk sends 486")
            found = gaps(sent(here, "183"))
            assert all(later > at for at, later in zip((0.04, 0.14), found[1:], strict=False))
            acked = here.entry("desk sends 200 to PRACK").time
            assert all(m.time < acked for m in sent(here, "183")), "and none after it, in 400 ms"
            far.ask(desk.local, "ACK", branch="z9hG4bKinv", to_tag=progress[0].to_tag)


class TestRequests:
    @on_loop
    @pytest.mark.parametrize("method", ["INFO", "UPDATE", "REFER", "OPTIONS", "MESSAGE", "NOTIFY", "FOO"])
    async def test_within_the_call(self, method: str) -> None:
        async with stage() as here, peer() as far:
            step = Request(method, (("X-Mine", "yes"),), "hello", "text/plain")
            desk = await ring(here, far, (OK, Wait(0.05), step, Wait(0.2), HangUp()))
            ok = await far.get()
            far.ask(desk.local, "ACK", to_tag=ok.to_tag)
            request = await far.get(method)
            assert (request.from_tag, request.to_tag, request.call_id) == (ok.to_tag, "peer", "peer-call")
            assert (request.get("x-mine"), request.body) == ("yes", b"hello")
            assert request.uri == f"sip:peer@127.0.0.1:{far.address[1]}"
            far.answer(request, 488)
            bye = await far.get("BYE")
            assert bye.cseq[0] == request.cseq[0] + 1
            far.answer(bye, 200)
            await here.see("desk gets 200 to BYE")
            assert here.entry(f"desk sends {method}").origin == "script"
            assert [n.text for n in here.notes("step")] == ["200 OK", f"send {method}", "hang up"]

    @on_loop
    async def test_a_re_invite_with_its_ack(self) -> None:
        async with stage() as here, peer() as far:
            desk = await ring(here, far, (OK, Wait(0.05), Request("INVITE"), Wait(0.2), Request("BYE")))
            far.ask(desk.local, "ACK", to_tag=(await far.get()).to_tag)
            invite = await far.get("INVITE")
            assert sdp.parse(invite.body).media[0].port == 9
            for _ in range(2):
                far.answer(invite, 200, ("Contact", f"<sip:peer@127.0.0.1:{far.address[1]}>"))
                ack = await far.get("ACK")
                assert ack.cseq == (invite.cseq[0], "ACK")
            far.answer(await far.get("BYE"), 200)
            await here.see("desk gets 200 to BYE")
            assert here.entry("desk sends INVITE").origin == "script"
            assert here.entry("desk sends ACK").origin == "protocol"


class TestMedia:
    @on_loop
    async def test_a_tone_from_the_183_on(self) -> None:
        async with stage() as here, peer() as far:
            heard: list[bytes] = []
            clock = Clock(asyncio.get_running_loop())
            ear = RtpPort(clock, "127.0.0.1", lambda data, _source, _time: heard.append(data))
            desk = here.device("desk", (how(183, media="tone"), Wait(0.3), BUSY), timers=FAST, media=True)
            await desk.start()
            offer = sdp.offer("127.0.0.1", ear.local[1], session_id=1)
            invite = _with_body(far, desk, offer)
            far.transport.sendto(invite, desk.local)
            progress = await far.get()
            port = sdp.parse(progress.body).media[0].port
            assert port not in (0, 9)
            busy = await far.get()
            far.ask(desk.local, "ACK", branch="z9hG4bKinv", to_tag=busy.to_tag)
            await here.see("desk gets ACK")
            await here.until(lambda: any(isinstance(e, Media) and e.ended for e in here.entries))
            ear.close()
            [begin, end] = [e for e in here.entries if isinstance(e, Media)]
            assert (begin.direction, begin.local[1], begin.remote, begin.level) == ("sent", port, ear.local, "tone")
            assert (end.call_id, end.local_tag, end.remote_tag) == ("peer-call", progress.to_tag, "peer")
            assert end.packets >= len(heard) >= 10

    @on_loop
    async def test_no_session_description_where_its_type_is_left_out(self) -> None:
        async with stage() as here, peer() as far:
            bare = Send(183, "Session Progress", omit=frozenset({"content-type"}))
            desk = await ring(here, far, (bare, Wait(0.05), Send(183, "Session Progress"), BUSY))
            first, second = await far.get(), await far.get()
            assert (first.body, first.get("content-type")) == (b"", None)
            assert sdp.parse(second.body).media
            far.ask(desk.local, "ACK", branch="z9hG4bKinv", to_tag=(await far.get()).to_tag)
            await here.see("desk gets ACK")


def _with_body(far: Peer, desk: WireAgent, body: bytes) -> bytes:
    host, port = far.address
    head = (
        f"INVITE sip:desk@{desk.local[0]}:{desk.local[1]} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bKinv\r\nFrom: <sip:peer@x.test>;tag=peer\r\n"
        f"To: <sip:desk@x.test>\r\nCall-ID: peer-call\r\nCSeq: 1 INVITE\r\nContact: <sip:peer@{host}:{port}>\r\n"
        f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
