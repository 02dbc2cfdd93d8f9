"""What a wire caller does in a call beyond making it: steps after the answer, withheld ACKs, PRACK, reactions."""

from __future__ import annotations

import asyncio
import time

import pytest
from on_loop import on_loop
from wire_stage import FAST, Peer, Stage, peer, relay_acked, stage

from sip_harness.agents.wire import WireAgent
from sip_harness.model.pattern import Event, RequestPattern, ResponsePattern, Trigger
from sip_harness.model.scenario import Call
from sip_harness.model.script import Loss, Reaction, Script
from sip_harness.model.steps import After, Disconnect, HangUp, Raw, Request, Send, Step, Wait  # fmt: skip
from sip_harness.script.machine import ACKED
from sip_harness.sip.message import Message, parse

URI = "sip:bob@x.test"
RINGING, OK, BUSY = Send(180, "Ringing"), Send(200, "OK"), Send(486, "Busy Here")
REINVITE, INFO = Request("INVITE"), Request("INFO")


def call(*then: Step, **more: object) -> Call:
    return Call("c1", "alice", "bob", then=then, **more)  # type: ignore[arg-type]


def made(here: Stage, agent: str = "alice") -> list[str]:
    """What an agent sent, without names of agents."""
    return [line.removeprefix(f"{agent} sends ") for line in here.ladder(agent) if " sends " in line]


def gap(here: Stage, first: str, second: str, index: int = 0) -> float:
    """Seconds from one line of the ladder to another."""
    return (here.entry(second, index).time - here.entry(first).time) / 1e9


async def pair(here: Stage, *steps: Step, patience: float = 20.0, fast: bool = False) -> WireAgent:
    """A caller that reaches a device with these steps directly; `fast` is how it sends things again."""
    desk = here.device("desk", steps, timers=FAST if fast else None)
    await desk.start()
    alice = here.caller(desk.local, patience=patience)
    await alice.start()
    return alice


async def to_peer(here: Stage, far: Peer, of: Call, password: str = "") -> tuple[WireAgent, Message]:
    """A caller that has called a raw peer, and its INVITE."""
    alice = here.caller(far.address, password=password)
    await alice.start()
    alice.call(of, URI)
    return alice, await far.get("INVITE")


def at(far: Peer, user: str = "desk") -> tuple[str, str]:
    """A Contact of the peer."""
    return "Contact", f"<sip:{user}@{far.address[0]}:{far.address[1]}>"


def ask(far: Peer, invite: Message, method: str, seq: int = 1, *headers: tuple[str, str], tag: str = "peer") -> None:
    """The peer sends a request within the call."""
    far.ask(far.source, method, *headers, to_tag=invite.from_tag, seq=seq, call_id=invite.call_id, from_tag=tag)


class TestThen:
    @on_loop
    async def test_re_invite_and_hang_up(self) -> None:
        async with stage() as here:
            relay_acked(here, "desk")
            alice = await pair(here, RINGING, OK)
            alice.call(call(Wait(0.1), REINVITE, Wait(0.1), HangUp()), URI)
            await here.see("alice gets 200 to BYE")
            assert here.ladder("alice") == [
                "alice sends INVITE", "alice gets 180", "alice gets 200", "alice sends ACK",
                "alice sends INVITE", "alice gets 200", "alice sends ACK",
                "alice sends BYE", "alice gets 200 to BYE",
            ]  # fmt: skip
            assert gap(here, "alice gets 200", "alice sends INVITE", 1) >= 0.0999
            assert gap(here, "alice gets 200", "alice sends BYE") >= 0.1999
            assert [m.origin for m in here.messages("alice") if m.direction == "sent"] == [
                "script", "protocol", "script", "protocol", "script",
            ]  # fmt: skip
            notes = [n for n in here.notes("step") if n.agent == "alice"]
            assert [n.text for n in notes] == ["send re-INVITE", "hang up"]
            assert {n.data["call_id"] for n in notes} == {here.message("alice sends INVITE").call_id}

    @on_loop
    async def test_without_an_end_it_is_hung_up_once_all_is_answered(self) -> None:
        async with stage() as here:
            relay_acked(here, "desk")
            alice = await pair(here, OK)
            alice.call(call(REINVITE, Request("OPTIONS"), Request("FROBNICATE")), URI)
            await here.see("alice gets 200 to BYE")
            lines = here.ladder("alice")
            for answer in ("alice gets 200 to OPTIONS", "alice gets 405 to FROBNICATE"):
                assert lines.index(answer) < lines.index("alice sends BYE")
            assert made(here).count("INVITE") == 2
            assert here.entry("alice sends BYE").origin == "script"

    @on_loop
    async def test_steps_wait_for_events(self) -> None:
        event = Event("alice", "gets", ResponsePattern(frozenset({200}), "INFO"))
        async with stage() as here, peer() as far:
            here.relays["alice gets 200 to INFO"] = str(event)
            _, invite = await to_peer(here, far, call(INFO, After(event), Request("UPDATE"), HangUp()))
            far.answer(invite, 200, at(far))
            await far.get("ACK")
            info = await far.get("INFO")
            far.answer(info, 100)
            await here.see("alice gets 100 to INFO")
            assert "alice sends UPDATE" not in here.ladder()
            far.answer(info, 200)
            far.answer(await far.get("UPDATE"), 200)
            far.answer(await far.get("BYE"), 200)
            await here.see("alice gets 200 to BYE")

    @on_loop
    async def test_headers_body_and_credentials(self) -> None:
        step = Request("REFER", (("Refer-To", "<sip:carol@x.test>"), ("X-A", "1")), "hello", "text/plain")
        async with stage() as here, peer() as far:
            _, invite = await to_peer(here, far, call(step), password="secret")
            far.answer(invite, 200, at(far))
            await far.get("ACK")
            refer = await far.get("REFER")
            assert (refer.get("refer-to"), refer.get("x-a"), refer.body) == ("<sip:carol@x.test>", "1", b"hello")
            far.answer(refer, 407, ("Proxy-Authenticate", 'Digest realm="x.test", nonce="abc"'))
            again = await far.get("REFER")
            assert again.cseq[0] == refer.cseq[0] + 1
            assert 'username="alice"' in (again.get("proxy-authorization") or "")
            far.answer(again, 202)
            ask(far, invite, "NOTIFY", 1, ("Event", "refer"), ("Subscription-State", "terminated"))
            assert (await far.get()).start == "SIP/2.0 200 OK"
            assert "alice sends BYE" not in here.ladder()
            here.agents[0].happened(ACKED)
            far.answer(await far.get("BYE"), 200)
            await here.see("alice gets 200 to BYE")

    @on_loop
    async def test_patience_counts_from_its_end(self) -> None:
        async with stage() as here:
            alice = await pair(here, OK, patience=0.1)
            alice.call(call(Wait(0.2), Request("OPTIONS")), URI)
            await here.see("alice gets 200 to BYE")
            assert gap(here, "alice gets 200 to OPTIONS", "alice sends BYE") >= 0.0999

    @on_loop
    async def test_a_stated_end_waits_for_it(self) -> None:
        async with stage() as here:
            alice = await pair(here, OK)
            alice.call(call(Wait(0.15), Request("OPTIONS"), hang_up=Trigger(delay=0.05)), URI)
            await here.see("alice gets 200 to BYE")
            lines = here.ladder("alice")
            assert lines.index("alice gets 200 to OPTIONS") < lines.index("alice sends BYE")

    @on_loop
    async def test_it_never_begins_where_nobody_answers(self) -> None:
        async with stage() as here:
            alice = await pair(here, BUSY)
            alice.call(call(INFO, HangUp()), URI)
            await here.see("desk gets ACK")
            await alice.stop()
            assert made(here) == ["INVITE", "ACK"]

    @on_loop
    async def test_it_ends_when_the_device_hangs_up(self) -> None:
        async with stage() as here:
            alice = await pair(here, OK, Wait(0.02), HangUp())
            alice.call(call(Wait(0.2), INFO, HangUp()), URI)
            await here.see("desk gets 200 to BYE")
            await alice.stop()
            assert made(here) == ["INVITE", "ACK", "200 to BYE"]

    @on_loop
    async def test_a_bye_of_its_own_making(self) -> None:
        async with stage() as here:
            relay_acked(here, "desk")
            alice = await pair(here, OK)
            alice.call(call(Request("BYE", (("Reason", "Q.850;cause=16"),))), URI)
            await here.see("alice gets 200 to BYE")
            assert here.message("desk gets BYE").get("reason") == "Q.850;cause=16"
            assert made(here) == ["INVITE", "ACK", "BYE"]

    @on_loop
    async def test_exact_bytes_and_what_follows_hanging_up(self) -> None:
        head = (
            b"INFO sip:x@y SIP/2.0\r\nVia: {via}\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call-id}\r\nCSeq: {cseq}\r\n"
        )
        async with stage() as here, peer() as far:
            first, second = Raw(head + b"\r\n", "i.sip"), Raw(head + b"X: 1\r\n\r\n", "j.sip")
            _, invite = await to_peer(here, far, call(first, HangUp(), Wait(0.1), second))
            far.answer(invite, 200, at(far))
            await far.get("ACK")
            info = await far.get("INFO")
            assert (info.call_id, info.cseq, info.to_tag) == (invite.call_id, (2, "INFO"), "peer")
            bye = await far.get("BYE")
            assert bye.cseq == (3, "BYE")
            far.answer(bye, 200)
            late = await far.get("INFO")
            assert late.get("x") == "1"
            await here.until(lambda: [n.text for n in here.notes("step")][-1] == "bytes of j.sip")

    @on_loop
    async def test_breaking_the_transport(self) -> None:
        async with stage() as here:
            alice = await pair(here, OK)
            alice.call(call(Wait(0.05), Disconnect("close")), URI)
            await here.until(lambda: "close" in [n.text for n in here.notes("step")])
            assert [n.data.get("disconnect") for n in here.notes("step") if n.agent == "alice"] == ["close"]


class TestAck:
    @on_loop
    async def test_after_a_time(self) -> None:
        async with stage() as here, peer() as far:
            _, invite = await to_peer(here, far, call(ack=Trigger(delay=0.2)))
            begin = time.monotonic()
            for _ in range(2):
                far.answer(invite, 200, at(far))
            ack = await far.get("ACK")
            assert time.monotonic() - begin >= 0.199
            assert ack.cseq == (1, "ACK")
            assert here.ladder("alice") == ["alice sends INVITE", "alice gets 200", "alice gets 200", "alice sends ACK"]
            assert here.entry("alice sends ACK").origin == "script"
            assert [n.text for n in here.notes("step")] == ["ACK"]
            far.answer(invite, 200, at(far))
            assert (await far.get("ACK")).data == ack.data
            here.agents[0].happened(ACKED)
            far.answer(await far.get("BYE"), 200)

    @on_loop
    async def test_after_an_event(self) -> None:
        event = Event("alice", "gets", RequestPattern("OPTIONS"))
        async with stage() as here, peer() as far:
            here.relays["alice gets OPTIONS"] = str(event)
            _, invite = await to_peer(here, far, call(ack=Trigger(event)))
            far.answer(invite, 200, at(far))
            await here.see("alice gets 200")
            ask(far, invite, "OPTIONS")
            assert {(await far.get()).start[:7] for _ in range(2)} == {"SIP/2.0", "ACK sip"}

    @on_loop
    async def test_never_and_the_device_sends_its_2xx_again(self) -> None:
        async with stage() as here:
            alice = await pair(here, OK, fast=True)
            alice.call(call(ack="never", hang_up=Trigger(delay=0.4)), URI)
            await here.see("alice gets 200 to BYE")
            assert here.ladder("alice").count("alice gets 200") >= 3
            assert made(here) == ["INVITE", "BYE"]

    @on_loop
    async def test_a_failure_after_a_time(self) -> None:
        async with stage() as here:
            alice = await pair(here, BUSY, fast=True)
            alice.call(call(ack=Trigger(delay=0.3)), URI)
            await here.see("desk gets ACK")
            assert here.ladder("desk").count("desk sends 486") >= 3, "sent again until it is acknowledged"
            assert gap(here, "alice gets 486", "alice sends ACK") >= 0.299
            assert here.entry("alice sends ACK").origin == "script"
            assert here.message("alice sends ACK").branch == here.message("alice sends INVITE").branch

    @on_loop
    async def test_a_failure_never(self) -> None:
        async with stage() as here:
            alice = await pair(here, BUSY, fast=True)
            alice.call(call(ack="never"), URI)
            await here.see(*["alice gets 486"] * 4)
            await alice.stop()
            assert made(here) == ["INVITE"]


class TestPrack:
    @on_loop
    async def test_a_reliable_provisional(self) -> None:
        async with stage() as here, peer() as far:
            _, invite = await to_peer(here, far, call())
            far.answer(invite, 183, at(far), ("Require", "100rel"), ("RSeq", "5"))
            prack = await far.get("PRACK")
            assert prack.get("rack") == "5 1 INVITE"
            assert here.entry("alice sends PRACK").origin == "protocol"
            far.answer(prack, 200)
            far.answer(invite, 486)
            await far.get("ACK")

    @on_loop
    async def test_never(self) -> None:
        async with stage() as here, peer() as far:
            alice, invite = await to_peer(here, far, call(prack="never"))
            assert "100rel" in (invite.get("supported") or "")
            far.answer(invite, 183, at(far), ("Require", "100rel"), ("RSeq", "5"))
            far.answer(invite, 486)
            await far.get("ACK")
            await alice.stop()
            assert made(here) == ["INVITE", "ACK"]


class TestReactions:
    @on_loop
    async def test_requests_in_the_call_are_answered_by_script(self) -> None:
        reactions = (
            Reaction("INFO", ((Send(488, "Not Acceptable Here"),), (Send(200, "OK"),))),
            Reaction("re-INVITE", ((Send(491, "Request Pending"),),)),
        )
        async with stage() as here, peer() as far:
            _, invite = await to_peer(here, far, call(script=Script((), reactions), hang_up=Trigger(delay=9)))
            far.answer(invite, 200, at(far))
            await far.get("ACK")
            codes = []
            for seq, method in enumerate(("INFO", "INFO", "INFO", "INVITE", "OPTIONS"), 1):
                ask(far, invite, method, seq)
                codes.append((await far.get()).code)
                if method == "INVITE":
                    ask(far, invite, "ACK", seq)
            assert codes == [488, 200, 200, 491, 200]
            assert here.entry("alice sends 488 to INFO").origin == "script"
            assert here.entry("alice sends 200 to OPTIONS").origin == "protocol"

    @on_loop
    @pytest.mark.parametrize(("code", "ends"), [(200, True), (481, True), (500, False)])
    async def test_a_bye_answered_by_script(self, code: int, ends: bool) -> None:
        script = Script((), (Reaction("BYE", ((Send(code, "Word"),),)),))
        async with stage() as here, peer() as far:
            _, invite = await to_peer(here, far, call(script=script, hang_up=Trigger(delay=0.1)))
            far.answer(invite, 200, at(far))
            await far.get("ACK")
            ask(far, invite, "BYE")
            assert (await far.get()).code == code
            if not ends:
                far.answer(await far.get("BYE"), 200)
                await here.see("alice gets 200 to BYE")
            await here.agents[0].stop()
            assert made(here).count("BYE") == (0 if ends else 1)

    @on_loop
    async def test_a_reaction_may_hang_up(self) -> None:
        script = Script((), (Reaction("INFO", ((Send(200, "OK"), Wait(0.02), HangUp()),)),))
        async with stage() as here, peer() as far:
            _, invite = await to_peer(here, far, call(script=script))
            far.answer(invite, 200, at(far))
            await far.get("ACK")
            ask(far, invite, "INFO")
            assert (await far.get()).code == 200
            far.answer(await far.get("BYE"), 200)
            await here.see("alice gets 200 to BYE")

    @on_loop
    async def test_what_it_is_deaf_to(self) -> None:
        losses = (Loss(ResponsePattern(frozenset({200})), 2),)
        async with stage() as here, peer() as far:
            _, invite = await to_peer(here, far, call(script=Script((), (), losses)))
            for _ in range(3):
                far.answer(invite, 200, at(far))
            await far.get("ACK")
            assert here.ladder("alice") == ["alice sends INVITE", *["alice gets 200"] * 3, "alice sends ACK"]

    @on_loop
    async def test_they_are_those_of_the_present_call(self) -> None:
        script = Script((), (Reaction("OPTIONS", ((Send(503, "Word"),),)),), (Loss(ResponsePattern(frozenset({486}))),))
        async with stage() as here, peer() as far:
            alice, invite = await to_peer(here, far, call(script=script))
            far.answer(invite, 600)
            await far.get("ACK")
            alice.call(call(hang_up=Trigger(delay=9)), URI)
            second = await far.get("INVITE")
            far.answer(second, 200, at(far))
            await far.get("ACK")
            ask(far, second, "OPTIONS")
            assert (await far.get()).code == 200
            alice.call(call(), URI)
            third = await far.get("INVITE")
            far.answer(third, 486)
            await far.get("ACK")


@on_loop
async def test_it_is_busy_while_something_is_due_at_a_known_time() -> None:
    async with stage() as here, peer() as far:
        alice, invite = await to_peer(here, far, call(ack=Trigger(delay=0.1)))
        assert not alice.busy
        far.answer(invite, 486)
        await here.see("alice gets 486")
        assert alice.busy
        await far.get("ACK")
        assert not alice.busy


@on_loop
async def test_two_thousand_calls_leave_nothing_behind() -> None:
    async with stage() as here, peer() as far:
        alice = here.caller(far.address, timers=FAST)
        await alice.start()
        for number in range(2000):
            alice.call(call(), URI)
            far.answer(await far.find("INVITE"), 600 if number % 2 else 486)
            await far.find("ACK")
        assert len({parse(m.data).call_id for m in here.messages("alice")}) == 2000
        assert not alice._calls
        assert not alice._calls.open
        ua = alice._ua
        assert ua is not None
        assert ua.legs == {}
        async with asyncio.timeout(10):
            while ua.layer.clients:  # until timer D has gone off
                await asyncio.sleep(0.05)
