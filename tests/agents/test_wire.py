"""Wire agents on real sockets: calling each other, and against raw peers."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter

import pytest
from on_loop import on_loop
from wire_stage import FAST, TOKEN, Peer, Stage, peer, relay_acked, script, stage

from sip_harness.agents import wire, wire_registration
from sip_harness.agents.base import Agent, Assignment, SetupRefused
from sip_harness.agents.wire import WireAgent
from sip_harness.model.entry import Lag
from sip_harness.model.entry import Message as MessageEntry
from sip_harness.model.pattern import Event, ResponsePattern, Trigger
from sip_harness.model.scenario import Call
from sip_harness.model.steps import After, HangUp, Send, Silence, Step, Wait
from sip_harness.model.system import User

RINGING = Send(180, "Ringing")
OK = Send(200, "OK")
BUSY = Send(486, "Busy Here")
URI = "sip:bob@x.test"
CALL = Call("c1", "alice", "bob")


async def pair(here: Stage, *attempts: tuple[Step, ...], patience: float = 20.0) -> tuple[WireAgent, WireAgent]:
    """A device with these attempts and a caller that reaches it directly."""
    desk = here.device("desk", *attempts, timers=FAST)
    await desk.start()
    alice = here.caller(desk.local, timers=FAST, patience=patience)
    await alice.start()
    return desk, alice


@on_loop
async def test_busy() -> None:
    async with stage() as here:
        _, alice = await pair(here, (BUSY,))
        alice.call(CALL, URI)
        await here.see("desk gets ACK")
        assert here.ladder() == [
            "alice sends INVITE", "desk gets INVITE", "desk sends 486", "alice gets 486",
            "alice sends ACK", "desk gets ACK",
        ]  # fmt: skip
        origins = [m.origin for m in here.messages()]
        assert origins == ["script", "system", "script", "system", "protocol", "system"]
        times = [m.time for m in here.messages()]
        assert times == sorted(times)
        assert len(set(times)) == 6


@on_loop
async def test_what_is_noted() -> None:
    async with stage() as here:
        _, alice = await pair(here, (BUSY,))
        before = time.time_ns()
        alice.call(CALL, URI)
        call = here.notes("call")[0]
        await here.see("desk gets ACK")
        invite = here.message("alice sends INVITE")
        assert call.agent == "alice"
        assert call.data == {"call": "c1", "call_id": invite.call_id}
        assert TOKEN in invite.call_id
        step = here.notes("step")[0]
        assert (step.agent, step.text) == ("desk", "486 Busy Here")
        assert step.data == {"attempt": "0", "call_id": invite.call_id}
        assert before <= call.time <= step.time <= time.time_ns()


@on_loop
async def test_600_with_headers() -> None:
    given = (("Retry-After", "3600"), ("X-Seen", "one"), ("X-Seen", "two, three"), ("Warning", '399 desk "out"'))
    async with stage() as here:
        _, alice = await pair(here, (Send(600, "Busy Everywhere", given),))
        alice.call(Call("c1", "alice", "bob", headers=(("Subject", "lunch"), ("X-A", "1"))), URI)
        await here.see("desk gets ACK")
        final = here.message("alice gets 600")
        assert final.start == "SIP/2.0 600 Busy Everywhere"
        assert [(f.name, f.value) for f in final.fields if f.name in dict(given)] == list(given)
        invite = here.message("desk gets INVITE")
        assert (invite.get("subject"), invite.get("x-a")) == ("lunch", "1")
        assert here.entry("alice gets 600").data == here.entry("desk sends 600").data


@on_loop
async def test_answered_and_hung_up_once_acknowledged() -> None:
    async with stage() as here:
        relay_acked(here, "desk")
        _, alice = await pair(here, (RINGING, OK))
        alice.call(CALL, URI)
        await here.see("alice gets 200 to BYE")
        assert here.ladder("alice") == [
            "alice sends INVITE", "alice gets 180", "alice gets 200", "alice sends ACK",
            "alice sends BYE", "alice gets 200 to BYE",
        ]  # fmt: skip
        assert here.entry("alice sends BYE").origin == "script"
        assert here.entry("desk sends 200 to BYE").origin == "protocol"
        assert here.entry("desk gets ACK").time < here.entry("alice sends BYE").time


@on_loop
async def test_patience_ends_an_answered_call() -> None:
    async with stage() as here:
        _, alice = await pair(here, (OK,), patience=0.1)
        alice.call(CALL, URI)
        await here.see("alice gets 200 to BYE")
        answered, bye = here.entry("alice gets 200"), here.entry("alice sends BYE")
        assert bye.time - answered.time >= 99_000_000


@on_loop
async def test_hanging_up_after_a_time() -> None:
    async with stage() as here:
        relay_acked(here, "desk")
        _, alice = await pair(here, (OK,))
        alice.call(Call("c1", "alice", "bob", hang_up=Trigger(delay=0.15)), URI)
        await here.see("alice gets 200 to BYE")
        assert here.entry("alice sends BYE").time - here.entry("alice gets 200").time >= 149_000_000


@on_loop
async def test_the_device_hangs_up() -> None:
    async with stage() as here:
        _, alice = await pair(here, (OK, Wait(0.02), HangUp()))
        alice.call(CALL, URI)
        await here.see("desk gets 200 to BYE")
        assert here.ladder("desk")[-2:] == ["desk sends BYE", "desk gets 200 to BYE"]
        assert here.entry("desk sends BYE").origin == "script"
        assert here.entry("alice sends 200 to BYE").origin == "protocol"
        assert [n.text for n in here.notes("step")] == ["200 OK", "hang up"]


@on_loop
async def test_cancel_while_ringing() -> None:
    async with stage() as here:
        event = Event("desk", "sends", ResponsePattern(frozenset({180})))
        here.relays["desk sends 180"] = str(event)
        _, alice = await pair(here, (RINGING,))
        alice.call(Call("c1", "alice", "bob", cancel=Trigger(event, 0.02)), URI)
        await here.see("desk gets ACK", "alice gets 200 to CANCEL")
        assert here.ladder("desk") == [
            "desk gets INVITE", "desk sends 180", "desk gets CANCEL", "desk sends 200 to CANCEL",
            "desk sends 487", "desk gets ACK",
        ]  # fmt: skip
        assert [m.origin for m in here.messages("desk") if m.direction == "sent"] == ["script", "protocol", "protocol"]
        assert here.entry("alice sends CANCEL").origin == "script"
        assert here.message("desk gets CANCEL").branch == here.message("desk gets INVITE").branch


@on_loop
async def test_cancel_before_a_provisional_waits_for_it() -> None:
    async with stage() as here, peer() as far:
        alice = here.caller(far.address, timers=FAST)
        await alice.start()
        alice.call(Call("c1", "alice", "bob", cancel=Trigger()), URI)
        invite = await far.get("INVITE")
        again = await far.get("INVITE")
        assert again.data == invite.data
        assert "alice sends CANCEL" not in here.ladder()
        far.answer(invite, 100)
        cancel = await far.get("CANCEL")
        far.answer(cancel, 200)
        far.answer(invite, 487)
        assert (await far.get("ACK")).branch == invite.branch


@on_loop
async def test_cancel_before_a_final_is_never_sent() -> None:
    async with stage() as here, peer() as far:
        alice = here.caller(far.address, timers=FAST)
        await alice.start()
        alice.call(Call("c1", "alice", "bob", cancel=Trigger()), URI)
        invite = await far.get("INVITE")
        far.answer(invite, 486)
        await far.get("ACK")
        await alice.stop()
        assert here.ladder() == ["alice sends INVITE", "alice gets 486", "alice sends ACK"]


@on_loop
async def test_silence() -> None:
    async with stage() as here:
        desk, alice = await pair(here, (Silence(),))
        alice.call(CALL, URI)
        await here.see(*["desk gets INVITE"] * 4)
        sent = [m for m in here.messages("alice") if m.direction == "sent"]
        assert len({m.data for m in sent}) == 1
        gaps = [later.time - earlier.time for earlier, later in itertools.pairwise(sent)]
        assert all(gap >= nominal * 0.99 for gap, nominal in zip(gaps, (50e6, 100e6, 200e6), strict=False))
        await alice.stop()
        await desk.stop()
        assert "desk" not in {m.agent for m in here.messages() if m.direction == "sent"}
        assert [n.text for n in here.notes("step")] == ["silence"]


@on_loop
async def test_silence_even_towards_cancel() -> None:
    async with stage() as here, peer() as far:
        desk = here.device("desk", (Silence(),), (BUSY,), timers=FAST)
        await desk.start()
        far.ask(desk.local, "INVITE", branch="z9hG4bKone")
        far.ask(desk.local, "CANCEL", branch="z9hG4bKone")
        far.ask(desk.local, "INVITE", branch="z9hG4bKtwo")
        assert (await far.get()).code == 486
        assert here.ladder()[:4] == ["desk gets INVITE", "desk gets CANCEL", "desk gets INVITE", "desk sends 486"]


@on_loop
async def test_a_lost_ack_brings_the_final_again() -> None:
    async with stage() as here, peer() as far:
        desk = here.device("desk", (Send(600, "Busy Everywhere"),), timers=FAST)
        await desk.start()
        far.ask(desk.local, "INVITE", branch="z9hG4bKone")
        finals = [await far.get() for _ in range(3)]
        assert len({f.data for f in finals}) == 1
        far.ask(desk.local, "ACK", branch="z9hG4bKone", to_tag=finals[0].to_tag)
        await here.see("desk gets ACK")
        sent = [m for m in here.messages("desk") if m.direction == "sent"]
        assert {m.origin for m in sent} == {"script"}
        assert sent[1].time - sent[0].time >= 49_000_000
        assert [n.text for n in here.notes("step")] == ["600 Busy Everywhere"]


@on_loop
async def test_a_lost_ack_brings_the_2xx_again_and_at_last_bye() -> None:
    async with stage() as here, peer() as far:
        desk = here.device("desk", (OK,), timers=FAST)
        await desk.start()
        far.ask(desk.local, "INVITE")
        first = await far.get()
        while not (message := await far.get()).method:
            assert message.data == first.data
        assert message.method == "BYE"
        far.answer(message, 200)
        await here.see("desk gets 200 to BYE")
        assert here.entry("desk sends BYE").origin == "protocol"


@on_loop
async def test_two_2xx_from_a_fork() -> None:
    async with stage() as here, peer() as far:
        alice = here.caller(far.address, timers=FAST)
        await alice.start()
        alice.call(CALL, URI)
        invite = await far.get("INVITE")
        host, port = far.address
        far.answer(invite, 180, tag="one")
        far.answer(invite, 180, tag="two")
        far.answer(invite, 200, ("Contact", f"<sip:two@{host}:{port}>"), tag="two")
        ack = await far.get("ACK")
        assert (ack.to_tag, ack.uri) == ("two", f"sip:two@{host}:{port}")
        far.answer(invite, 200, ("Contact", f"<sip:one@{host}:{port}>"), tag="one")
        ack, bye = await far.get("ACK"), await far.get("BYE")
        assert (ack.to_tag, bye.to_tag) == ("one", "one")
        far.answer(bye, 200)
        far.answer(invite, 200, ("Contact", f"<sip:one@{host}:{port}>"), tag="one")
        assert (await far.get("ACK")).data == ack.data
        await here.see("alice gets 200 to BYE")
        assert here.entry("alice sends BYE").origin == "protocol"
        stopping = asyncio.create_task(alice.stop())
        last = await far.get("BYE")
        assert last.to_tag == "two"
        far.answer(last, 200)
        await stopping


@on_loop
async def test_a_2xx_after_a_6xx_is_seen_and_ended() -> None:
    async with stage() as here, peer() as far:
        alice = here.caller(far.address, timers=FAST)
        await alice.start()
        alice.call(CALL, URI)
        invite = await far.get("INVITE")
        far.answer(invite, 600, tag="one")
        await far.get("ACK")
        host, port = far.address
        far.answer(invite, 200, ("Contact", f"<sip:late@{host}:{port}>"), tag="two")
        assert (await far.get("ACK")).to_tag == "two"
        bye = await far.get("BYE")
        far.answer(bye, 200)
        await here.see("alice gets 200 to BYE")
        assert [line for line in here.ladder() if "gets" in line] == [
            "alice gets 600",
            "alice gets 200",
            "alice gets 200 to BYE",
        ]


@on_loop
async def test_digest() -> None:
    async with stage() as here, peer() as far:
        alice = here.caller(far.address, password="secret", timers=FAST)
        await alice.start()
        alice.call(CALL, URI)
        invite = await far.get("INVITE")
        far.answer(invite, 407, ("Proxy-Authenticate", 'Digest realm="x.test", nonce="abc", qop="auth", algorithm=MD5'))
        await far.get("ACK")
        retry = await far.get("INVITE")
        given = retry.get("proxy-authorization") or ""
        assert 'username="alice"' in given
        assert 'nonce="abc"' in given
        assert "secret" not in given
        assert (retry.call_id, retry.cseq[0]) == (invite.call_id, invite.cseq[0] + 1)
        far.answer(retry, 486)
        await far.get("ACK")
        assert len(here.notes("call")) == 1


@on_loop
async def test_attempts_are_counted_over_the_run() -> None:
    async with stage() as here, peer() as far:
        desk = here.device("desk", (BUSY,), (Send(404, "Not Found"),), (Send(603, "Decline"),), timers=FAST)
        await desk.start()
        codes = []
        for number in range(4):
            branch = f"z9hG4bK{number}"
            far.ask(desk.local, "INVITE", branch=branch)
            far.ask(desk.local, "INVITE", branch=branch)  # a retransmission is no attempt
            final, again = await far.get(), await far.get()
            assert final.data == again.data
            far.ask(desk.local, "ACK", branch=branch, to_tag=final.to_tag)
            codes.append(final.code)
        await here.see(*["desk gets ACK"] * 4)
        assert codes == [486, 404, 603, 603]
        assert [n.data["attempt"] for n in here.notes("step")] == ["0", "1", "2", "3"]


@on_loop
@pytest.mark.parametrize(
    ("steps", "first"),
    [
        ((Wait(0.3), BUSY), 100),
        ((After(Event("x", "sends", ResponsePattern(frozenset({180})))),), 100),
        ((), 100),
        ((RINGING,), 180),
        ((Send(100, "Trying"), RINGING), 100),
        ((BUSY,), 486),
    ],
)
async def test_when_100_is_sent_by_itself(steps: tuple[Step, ...], first: int) -> None:
    async with stage() as here, peer() as far:
        desk = here.device("desk", steps)
        await desk.start()
        far.ask(desk.local, "INVITE")
        assert (await far.get()).code == first
        scripted = any(isinstance(s, Send) for s in steps[:1])
        origin = next(m.origin for m in here.messages() if m.direction == "sent")
        assert origin == ("script" if scripted else "protocol")


@on_loop
async def test_no_100_where_silence_comes_first() -> None:
    async with stage() as here, peer() as far:
        desk = here.device("desk", (Wait(0.05), Silence()), timers=FAST)
        await desk.start()
        far.ask(desk.local, "INVITE")
        await here.until(lambda: bool(here.notes("step")))
        assert here.ladder() == ["desk gets INVITE"]


@on_loop
async def test_waits_and_events_pace_a_script() -> None:
    async with stage() as here:
        event = Event("mobile", "sends", ResponsePattern(frozenset({180})))
        here.relays["mobile sends 180"] = str(event)
        desk, alice = await pair(here, (RINGING, After(event), Wait(0.1), BUSY))
        mobile = here.device("mobile", (RINGING,))
        await mobile.start()
        alice.call(CALL, URI)
        await here.see("alice gets 180")
        bob = here.caller(mobile.local, name="bob")
        await bob.start()
        bob.call(Call("c2", "bob", "bob"), URI)
        await here.see("desk gets ACK")
        assert here.entry("desk sends 486").time - here.entry("mobile sends 180").time >= 99_000_000
        assert desk.local != mobile.local


@on_loop
async def test_an_event_of_ones_own_does_not_overtake() -> None:
    async with stage() as here:
        event = Event("desk", "sends", ResponsePattern(frozenset({180})))
        here.relays["desk sends 180"] = str(event)
        _, alice = await pair(here, (RINGING, Send(183, "Session Progress"), After(event), BUSY))
        alice.call(CALL, URI)
        await here.see("desk gets ACK")
        sent = [line for line in here.ladder("desk") if "sends" in line]
        assert sent == ["desk sends 180", "desk sends 183", "desk sends 486"]


@on_loop
async def test_a_late_response_goes_out_after_the_end() -> None:
    async with stage() as here:
        _, alice = await pair(here, (BUSY, Wait(0.05), OK, Wait(30.0), RINGING))
        alice.call(CALL, URI)
        await here.see("alice gets 200")
        assert [line for line in here.ladder("desk") if "sends" in line] == ["desk sends 486", "desk sends 200"]
        await here.see("alice sends BYE", "alice gets 200 to BYE")
        assert here.entry("alice gets 486").time < here.entry("desk gets ACK").time < here.entry("desk sends 200").time
    assert here.notes("refused") == []
    assert here.ladder()[-1] == "alice gets 200 to BYE"


@on_loop
async def test_forgetting_lets_an_event_happen_again() -> None:
    async with stage() as here:
        relay_acked(here, "desk")
        _, alice = await pair(here, (OK,))
        for name in ("c1", "c2"):
            for agent in here.agents:
                agent.forget()
            alice.call(Call(name, "alice", "bob"), URI)
            await here.see(*["alice gets 200 to BYE"] * int(name[1]))
        for number in (0, 1):
            assert here.entry("desk gets ACK", number).time < here.entry("alice sends BYE", number).time


class TestRegistration:
    @staticmethod
    def assignment(far: Peer, **changes: object) -> Assignment:
        user = User("bob", "x.test", "pw")
        made = Assignment("desk", "device", user, f"{TOKEN}desk", far.address, TOKEN, script((BUSY,)), register=True)
        return Assignment(**({k: getattr(made, k) for k in made.__slots__} | changes))

    @on_loop
    async def test_registered_and_taken_back(self) -> None:
        async with stage() as here, peer() as far:
            desk = here.add(self.assignment(far, expires=30), FAST)
            starting = asyncio.create_task(desk.start())
            register = await far.get("REGISTER")
            assert register.uri == "sip:x.test"
            assert register.get("to") == "<sip:bob@x.test>"
            assert register.get("expires") == "30"
            far.answer(register, 401, ("WWW-Authenticate", 'Digest realm="x.test", nonce="n"'))
            again = await far.get("REGISTER")
            assert not starting.done()
            contact = again.get("contact") or ""
            assert contact == f"<sip:{TOKEN}desk@127.0.0.1:{desk.local[1]}>"
            far.answer(again, 200, ("Contact", f"{contact};expires=20"))
            await starting
            note = here.notes("registered")[0]
            assert (note.agent, note.data) == ("desk", {"aor": "sip:bob@x.test", "expires": "20"})
            stopping = asyncio.create_task(desk.stop())
            last = await far.get("REGISTER")
            assert last.get("expires") == "0"
            far.answer(last, 401, ("WWW-Authenticate", 'Digest realm="x.test", nonce="n2"'))
            far.answer(await far.get("REGISTER"), 200)
            await stopping
            assert {m.origin for m in here.messages() if m.direction == "sent"} == {"protocol"}

    @on_loop
    async def test_refused(self) -> None:
        async with stage() as here, peer() as far:
            desk = here.add(self.assignment(far), FAST)
            starting = asyncio.create_task(desk.start())
            far.answer(await far.get("REGISTER"), 403, reason="Forbidden")
            with pytest.raises(SetupRefused, match=r"^desk: REGISTER refused: 403 Forbidden$"):
                await starting
            await desk.stop()
            assert "refused" not in {n.kind for n in here.notes("refused")}

    @on_loop
    async def test_no_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(wire_registration, "REGISTER_LIMIT", 0.2)
        async with stage() as here, peer() as far:
            host, port = far.address
            desk = here.add(self.assignment(far))
            with pytest.raises(SetupRefused, match=rf"^desk: no answer to REGISTER from {host}:{port} within 0\.2 s$"):
                await desk.start()
            assert here.ladder()[0] == "desk sends REGISTER"

    @on_loop
    async def test_nowhere_to_send(self) -> None:
        async with stage() as here, peer() as far:
            desk = here.add(self.assignment(far, system=("127.0.0.1", 0)))
            with pytest.raises(SetupRefused, match="REGISTER could not be sent to"):
                await desk.start()

    @on_loop
    async def test_a_refresh_that_fails_is_noted(self) -> None:
        async with stage() as here, peer() as far:
            desk = here.add(self.assignment(far), FAST)
            starting = asyncio.create_task(desk.start())
            register = await far.get("REGISTER")
            far.answer(register, 200, ("Contact", f"{register.get('contact')};expires=1"))
            await starting
            far.answer(await far.get("REGISTER"), 500, reason="Broken")
            await here.until(lambda: bool(here.notes("refused")))
            assert here.notes("refused")[0].text == "REGISTER refused: 500 Broken"
            stopping = asyncio.create_task(desk.stop())
            far.answer(await far.get("REGISTER"), 200)
            await stopping


class TestStop:
    @on_loop
    async def test_it_ends_what_is_open(self) -> None:
        async with stage() as here, peer() as far:
            desk, alice = await pair(here, (RINGING,), (OK,))
            bob = here.caller(desk.local, name="bob", timers=FAST)
            await bob.start()
            alice.call(CALL, URI)
            await here.see("alice gets 180")
            bob.call(Call("c2", "bob", "bob"), URI)
            await here.see("bob sends ACK")
            far.ask(desk.local, "OPTIONS")
            await far.get()
            await asyncio.gather(alice.stop(), bob.stop())
            assert "alice sends CANCEL" in here.ladder()
            assert "bob gets 200 to BYE" in here.ladder()
            assert here.entry("alice sends CANCEL").origin == here.entry("bob sends BYE").origin == "protocol"

    @on_loop
    async def test_a_device_refuses_what_it_has_not_answered(self) -> None:
        async with stage() as here:
            desk, alice = await pair(here, (RINGING,), (OK,))
            alice.call(CALL, URI)
            await here.see("alice gets 180")
            await desk.stop()
            assert here.ladder("desk")[-2:] == ["desk sends 480", "desk gets ACK"]
            assert here.entry("desk sends 480").origin == "protocol"

    @on_loop
    async def test_it_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(wire, "STOP_LIMIT", 0.1)
        async with stage() as here, peer() as far:
            alice = here.caller(far.address)
            await alice.start()
            alice.call(CALL, URI)
            await far.get("INVITE")
            await alice.stop()
            await alice.stop()
            assert "alice sends CANCEL" not in here.ladder()

    @on_loop
    async def test_the_port_is_free_afterwards(self) -> None:
        async with stage() as here:
            desk, _ = await pair(here, (BUSY,))
            local = desk.local
            await desk.stop()
            assert desk.local == local
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=local)
            transport.close()

    @on_loop
    async def test_before_the_start(self) -> None:
        async with stage() as here:
            desk = here.device("desk", (BUSY,))
            await desk.stop()
            with pytest.raises(RuntimeError, match="desk is not started"):
                _ = desk.local
            with pytest.raises(RuntimeError, match="desk is not started"):
                desk.call(CALL, URI)
            desk.happened("anything")


@on_loop
async def test_a_contact_elsewhere_is_not_contacted_and_no_call_left_behind() -> None:
    async with stage() as here, peer() as far:
        alice = here.caller(far.address, timers=FAST)
        await alice.start()
        alice.call(CALL, URI)
        far.answer(await far.get("INVITE"), 200, ("Contact", "<sip:x@192.0.2.66:5060>"))
        ack = await far.get("ACK")
        end = asyncio.ensure_future(alice.stop())
        far.answer(await far.get("BYE"), 200)
        await end
        assert ack.uri == "sip:x@192.0.2.66:5060"
        assert {e.remote for e in here.entries if isinstance(e, MessageEntry)} == {far.address}


@on_loop
async def test_rubbish_hurts_nobody() -> None:
    here = Stage()
    desk, alice = await pair(here, (BUSY,))
    async with peer() as far:
        for data in (
            b"\x00\xff" * 400,
            b"INVITE",
            b"INVITE sip:x SIP/2.0\r\n\r\n",
            b"SIP/2.0 200 OK\r\n\r\n",
            b"\r\n\r\n",
        ):
            far.transport.sendto(data, desk.local)
            far.transport.sendto(data, alice.local)
        alice.call(CALL, URI)
        await here.see("desk gets ACK")
        await asyncio.gather(alice.stop(), desk.stop())
    assert len(here.others()) == 4


@on_loop
async def test_a_stall_is_recorded() -> None:
    async with stage() as here:
        _, alice = await pair(here, (Wait(0.02), BUSY))
        alice.call(CALL, URI)
        await here.see("desk sends 100")
        end = time.monotonic() + 0.1
        while time.monotonic() < end:  # the loop is held up
            pass
        await here.see("desk gets ACK")
        lags = [e for e in here.entries if isinstance(e, Lag) and e.agent == "desk"]
        assert lags
        assert lags[0].lag >= 70_000_000


@on_loop
async def test_many_calls_at_once() -> None:
    total = 500
    async with stage() as here:
        desk = here.device("desk", (BUSY,))
        await desk.start()
        alice = here.caller(desk.local)
        await alice.start()
        for number in range(total):
            alice.call(Call(f"c{number}", "alice", "bob"), URI)
            await here.see(*["desk gets ACK"] * (number - 50))
        await here.see(*["desk gets ACK"] * total)
        assert len({n.data["call_id"] for n in here.notes("call")}) == total
        # On a machine that stands still a call may be retransmitted; none may be lost.
        assert Counter(here.ladder("desk"))["desk sends 486"] >= total
        assert desk.trace == alice.trace == "full"


def test_it_is_an_agent() -> None:
    agent: Agent = WireAgent(Assignment("a", "caller", User("a", "x"), "c", ("127.0.0.1", 9), "t"), lambda entry: None)
    assert agent.trace == "full"
