"""A device on the pjsua2 stack: registration, scripts, and the ends of calls."""

from __future__ import annotations

import asyncio
import re
import time

import pytest
from on_loop import on_loop
from pjsua2_peer import BUSY, OK, RINGING, Desk, Dialling, Peer, a_desk, a_peer, a_pool, code_of, desk, device, reply

from sip_harness.agents.base import SetupRefused
from sip_harness.model.entry import Message
from sip_harness.model.pattern import Event, ResponsePattern
from sip_harness.model.steps import After, HangUp, Send, Silence, Step, Wait
from sip_harness.model.system import User
from sip_harness.sip import message as sip

pytestmark = pytest.mark.needs_pjsua2

EVENT = Event("mobile", "sends", ResponsePattern(frozenset({180})))


def registrar(peer: Peer, *finals: tuple[int, str, tuple[str, ...]]) -> None:
    """Answer REGISTER so, the last answer for all further ones."""
    left = list(finals)

    def answer(message: sip.Message) -> list[bytes]:
        if message.method != "REGISTER":
            return []
        code, reason, headers = left.pop(0) if len(left) > 1 else left[0]
        contact = f"Contact: {message.get('contact')};expires={message.get('expires')}"
        return [reply(message, code, reason, contact, *headers)]

    peer.answer = answer


@on_loop
async def test_registration_and_its_end() -> None:
    challenge = 'WWW-Authenticate: Digest realm="r", nonce="n", algorithm=MD5, qop="auth"'
    async with a_pool() as pool, a_peer() as peer:
        registrar(peer, (401, "Unauthorized", (challenge,)), (200, "OK", ()))
        user = User("desk", "test.example", "secret")
        async with a_desk(pool, device(peer.local, (BUSY,), user=user, register=True, expires=77)) as d:
            host, port = d.agent.local
            [note] = d.notes("registered")
            assert note.data == {"aor": "sip:desk@test.example", "expires": "77"}
            first, second = (m for m in peer.seen if m.method == "REGISTER")
        last = [m for m in peer.seen if m.method == "REGISTER"][-1]
    assert first.uri == "sip:test.example"
    for name in ("from", "to"):
        assert re.match("<sip:desk@test.example>(;|$)", first.get(name) or "")
    for request in (first, second, last):
        assert request.get("contact") == f"<sip:desk-tx1@{host}:{port}>"
        assert request.get("route") is None
    assert first.get("expires") == "77"
    assert 'username="desk"' in (second.get("authorization") or "")
    assert last.get("expires") == "0"
    assert {m.origin for m in d.sent(method="REGISTER")} == {"protocol"}
    assert len(d.sent(method="REGISTER")) == len([m for m in peer.seen if m.method == "REGISTER"])


@on_loop
async def test_a_refused_registration_blocks_and_leaves_the_worker_usable() -> None:
    async with a_pool() as pool, a_peer() as peer:
        registrar(peer, (403, "Not You", ()))
        refused = desk(pool, device(peer.local, (BUSY,), register=True))
        with pytest.raises(SetupRefused, match="desk: REGISTER refused: 403 Not You"):
            await refused.agent.start()
        assert refused.notes("refused")
        [child] = pool._idle
        registrar(peer, (200, "OK", ()))
        async with a_desk(pool, device(peer.local, (BUSY,), register=True)) as d:
            assert d.notes("registered")
            assert d.agent._child is child


@on_loop
async def test_a_silent_registrar_blocks() -> None:
    async with a_pool() as pool, a_peer() as peer:
        refused = desk(pool, device(peer.local, (BUSY,), register=True))
        with pytest.raises(SetupRefused, match=r"no answer to REGISTER from 127\.0\.0\.1:"):
            await refused.agent.start()


@on_loop
async def test_a_script_that_the_stack_cannot_carry_out_is_refused_with_the_reason() -> None:
    async with a_pool() as pool, a_peer() as peer:
        for step, why in ((Silence(), "always answers an INVITE with 100"), (Send(700, "x"), "no response 700")):
            refused = desk(pool, device(peer.local, (step,)))
            with pytest.raises(SetupRefused, match=why):
                await refused.agent.start()
            await refused.agent.stop()
        assert pool.workers == 1


@on_loop
async def test_steps_wait_for_time_and_events() -> None:
    steps: tuple[Step, ...] = (RINGING, After(EVENT), Wait(0.2), Send(183, "Progress"), Wait(0.1), BUSY)
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, steps)) as d:
        call = Dialling(peer, d.agent.local).invite()
        await peer.response(call, 180)
        told = time.time_ns()
        d.agent.happened(str(EVENT))
        call.ack(await peer.final(call))
        await d.until(is_ack)
        progress, busy = d.sent(183)[0].time, d.sent(486)[0].time
        assert progress - told >= 200_000_000
        assert busy - told >= 300_000_000  # a step that leaves late takes none of the wait after it
        assert [n.text for n in d.notes("step")] == ["180 Ringing", "183 Progress", "486 Busy Here"]


@on_loop
async def test_forgotten_events_are_waited_for_again() -> None:
    steps = (RINGING, After(EVENT), BUSY)
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, steps)) as d:
        d.agent.happened(str(EVENT))
        call = Dialling(peer, d.agent.local).invite()
        call.ack(await peer.final(call))
        d.agent.forget()
        second = Dialling(peer, d.agent.local).invite()
        await peer.response(second, 180)
        assert not [m for m in peer.responses(second) if m.code == 486]
        d.agent.happened(str(EVENT))
        second.ack(await peer.final(second))


@on_loop
async def test_attempts_are_counted_without_retries_with_credentials() -> None:
    attempts = ((Send(401, "Who"),), (Send(486, "Second"),), (Send(603, "Rest"),))
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, *attempts)) as d:
        first = Dialling(peer, d.agent.local).invite()
        challenged = await peer.final(first)
        first.ack(challenged)
        first.headers = ('Authorization: Digest username="x"',)
        peer.send(first.request("INVITE", cseq=2, branch="again", body=first.body), d.agent.local)
        again = await peer.get(lambda m: m.code >= 200 and m.cseq == (2, "INVITE"))
        peer.send(first.request("ACK", cseq=2, branch="again", to_tag=again.to_tag), d.agent.local)
        codes = [again.code]
        for _ in range(3):
            call = Dialling(peer, d.agent.local).invite()
            final = await peer.final(call)
            call.ack(final)
            codes.append(final.code)
    assert codes == [401, 486, 603, 603]


@on_loop
async def test_a_device_hangs_up_once_its_answer_is_acknowledged() -> None:
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, (OK, HangUp()))) as d:
        call = Dialling(peer, d.agent.local).invite()
        final = await peer.final(call)
        assert not [m for m in peer.seen if m.method == "BYE"]
        call.ack(final)
        bye = await peer.request("BYE", call.call_id)
        peer.send(reply(bye, 200, "OK"), d.agent.local)
        await d.until(lambda e: code_of(e) == 200 and isinstance(e, Message) and e.direction == "received")
    assert [m.origin for m in d.sent(method="BYE")] == ["script"]


def is_ack(entry: object) -> bool:
    return isinstance(entry, Message) and entry.direction == "received" and entry.data.startswith(b"ACK ")


async def busy_without_ack(peer: Peer, d: Desk) -> None:
    await peer.final(Dialling(peer, d.agent.local).invite())


async def answered_without_ack(peer: Peer, d: Desk) -> None:
    await peer.final(Dialling(peer, d.agent.local).invite())


async def abandoned(peer: Peer, d: Desk) -> None:
    await peer.response(Dialling(peer, d.agent.local).invite(), 180)


async def bye_without_answer(peer: Peer, d: Desk) -> None:
    call = Dialling(peer, d.agent.local).invite()
    call.ack(await peer.final(call))
    await peer.request("BYE", call.call_id)


async def cancelled(peer: Peer, d: Desk) -> None:
    call = Dialling(peer, d.agent.local).invite()
    await peer.response(call, 180)
    call.cancel()
    call.ack(await peer.final(call))
    await d.until(is_ack)


async def in_order(peer: Peer, d: Desk) -> None:
    call = Dialling(peer, d.agent.local).invite()
    final = await peer.final(call)
    call.ack(final)
    call.bye(final)
    await peer.response(call, 200, "BYE")


ENDS = (
    (busy_without_ack, (BUSY,)),
    (answered_without_ack, (OK,)),
    (abandoned, (RINGING,)),
    (bye_without_answer, (OK, HangUp())),
    (cancelled, (RINGING,)),
    (in_order, (OK,)),
)


async def many_leases(first: int, count: int) -> None:
    """One worker, every end in turn; each lease has a peer of its own, so whatever an old one sends is seen."""
    pids = set()
    async with a_pool() as pool:
        for number in range(first, first + count):
            act, steps = ENDS[number % len(ENDS)]
            async with a_peer() as peer:
                async with a_desk(pool, device(peer.local, steps)) as d:
                    assert d.agent._child is not None
                    pids.add(d.agent._child.pid)
                    await act(peer, d)
                await peer.read_all()
                assert {m.local for m in d.messages} == {d.agent.local}
                assert {m.remote for m in d.messages} == {peer.local}
                assert {m.origin for m in d.messages} == {"script", "protocol", "system"}, act
                assert [sip.parse(m.data) for m in d.sent()] == peer.seen, f"{act}: not all that was sent is on record"
    assert len(pids) == 1


@on_loop
async def test_a_hundred_leases_leave_nothing_behind_however_their_calls_end() -> None:
    await asyncio.gather(*(many_leases(first, 36) for first in (0, 1, 2)))


@on_loop
async def test_stopping_refuses_what_rings_and_hangs_up_what_talks() -> None:
    async with a_pool() as pool, a_peer() as peer:

        def answer(message: sip.Message) -> list[bytes]:
            return [reply(message, 200, "OK")] if message.method == "BYE" else []

        peer.answer = answer
        d = desk(pool, device(peer.local, (RINGING,), (OK,)))
        await d.agent.start()
        ringing = Dialling(peer, d.agent.local).invite()
        await peer.response(ringing, 180)
        talking = Dialling(peer, d.agent.local).invite()
        talking.ack(await peer.final(talking))
        await d.until(is_ack)
        began = time.monotonic()
        stopping = asyncio.create_task(d.agent.stop())
        ringing.ack(await peer.response(ringing, 480))
        await stopping
        assert time.monotonic() - began < 3
    assert [m.origin for m in d.sent(480)] == ["protocol"]
    assert [m.origin for m in d.sent(method="BYE")] == ["protocol"]


@on_loop
async def test_who_calls_while_the_lease_ends_is_refused_and_not_counted_as_the_engines() -> None:
    async with a_pool() as pool, a_peer() as peer:
        d = desk(pool, device(peer.local, (RINGING,), (OK,)))
        await d.agent.start()
        ringing = Dialling(peer, d.agent.local).invite()
        await peer.response(ringing, 180)
        stopping = asyncio.create_task(d.agent.stop())
        await peer.response(ringing, 480)  # not acknowledged: the lease waits a moment for the ACK
        late = Dialling(peer, d.agent.local).invite()
        late.ack(await peer.response(late, 480))
        await stopping
    assert {m.origin for m in d.sent(480)} == {"protocol"}
    assert len(d.notes("step")) == 1


@on_loop
async def test_a_registration_that_is_not_renewed_is_noted() -> None:
    async with a_pool() as pool, a_peer() as peer:
        # The stack renews a binding of six seconds after one: it leaves itself five.
        registrar(peer, (200, "OK", ()), (503, "Gone Fishing", ()))
        async with a_desk(pool, device(peer.local, (BUSY,), register=True, expires=6)) as d:
            note = await d.has_noted("refused")
            assert note.text == "the registration was not renewed: 503 Gone Fishing"


@on_loop
async def test_stop_is_idempotent_and_works_without_a_start() -> None:
    async with a_pool() as pool, a_peer() as peer:
        d = desk(pool, device(peer.local, (BUSY,)))
        await d.agent.stop()
        with pytest.raises(RuntimeError, match="desk is not started"):
            _ = d.agent.local
        await d.agent.start()
        await d.agent.stop()
        await d.agent.stop()
        assert pool.workers == 1


@on_loop
async def test_without_the_tap_the_record_is_partial_and_still_says_the_same() -> None:
    async with a_pool(trace="log") as pool, a_peer() as peer:
        for _ in range(3):  # the log writer lives as long as its Endpoint
            async with a_desk(pool, device(peer.local, (RINGING, OK))) as d:
                assert d.agent.trace == "partial"
                call = Dialling(peer, d.agent.local).invite()
                final = await peer.final(call)
                call.ack(final)
                call.bye(final)
                await peer.response(call, 200, "BYE")
            ours = [sip.parse(m.data) for m in d.sent()]
            assert ours == [m for m in peer.seen if m.call_id == call.call_id]
            assert [(m.code, e.origin) for m, e in zip(ours, d.sent(), strict=True)] == [
                (100, "protocol"), (180, "script"), (200, "script"), (200, "protocol"),
            ]  # fmt: skip
            received = [m for m in d.messages if m.direction == "received"]
            assert [sip.parse(m.data).method for m in received] == ["INVITE", "ACK", "BYE"]
            assert all(m.data == call_bytes for m, call_bytes in zip(received[:1], [invite_of(call)], strict=True))


def invite_of(call: Dialling) -> bytes:
    return call.request("INVITE", body=call.body)


@on_loop
async def test_the_record_has_the_bytes_of_both_ways() -> None:
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, (RINGING, BUSY))) as d:
        assert d.agent.trace == "full"
        call = Dialling(peer, d.agent.local, headers=("X-Odd:  \t spaces ", "x-utf8: größer", "s: compact")).invite()
        call.ack(await peer.final(call))
        await d.until(is_ack)
        ours = [m.data for m in d.sent()]
        assert ours == [m.data for m in peer.seen]
        assert next(m.data for m in d.messages) == invite_of(call)
        assert all(m.slack > 0 for m in d.sent())
        assert all(m.slack == 0 for m in d.messages if m.direction == "received")


@on_loop
async def test_retransmissions_are_recorded_and_keep_their_origin() -> None:
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, (RINGING, Wait(0.3), BUSY))) as d:
        call = Dialling(peer, d.agent.local).invite()
        await peer.response(call, 180)
        call.invite()
        call.invite()
        await peer.final(call)
        async with asyncio.timeout(10):
            while len(d.sent(486)) < 2:  # no ACK: it is sent again after T1
                d.changed.clear()
                await d.changed.wait()
        call.ack(await peer.final(call))
    assert len(d.sent(180)) == 3
    assert {m.origin for m in (*d.sent(180), *d.sent(486))} == {"script"}
