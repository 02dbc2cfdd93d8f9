"""The session timers of the embedded PBX (RFC 4028), on the wire; in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from b2bua_desk import Desk, InCall
from on_loop import in_virtual_time
from udp_phone import Phone, Stage

from sip_harness.language import load_text
from sip_harness.sip.message import Message
from sip_harness.sip.uri import parse_uri
from sip_harness.systems.base import Lease
from sip_harness.systems.reference.b2bua import ReferenceB2bua
from sip_harness.systems.reference.b2bua_core import Settings

RUN = load_text(
    "title: t\nid: T-1\ncite: RFC 4028 7\nneeds: [ring, session-timers]\ntargets: {bob: {ring: [desk]}}\n"
    "devices: {desk: {answer: [ok]}}\ncalls: [{from: alice, to: bob}]\nexpect: {alice: [200]}\n",
    "t.sip.yaml",
)
LEASE = Lease("abc", 7)
Scene = Callable[[Desk], Awaitable[None]]


async def on_timed_desk(scene: Scene, fault: str = "") -> None:
    """Alice and a phone whose calls have session timers, of nine seconds."""
    async with Stage(ReferenceB2bua(settings=Settings(session=9), faults=[fault] if fault else [])) as stage:
        binding = stage.system.bind(RUN, LEASE)
        await stage.system.admit(RUN, LEASE, binding)
        phone = stage.phone(parse_uri(binding.uris["bob"]).user)
        assert (await phone.register()).code == 200
        await scene(Desk(stage, stage.phone("alice"), [phone]))


def dial(desk: Desk) -> Message:
    return desk.alice.request("INVITE", "sip:{}@{}:{}".format(desk.phones[0].user, *desk.alice.system))


async def agreed(desk: Desk, refresher: str) -> InCall:
    """A call whose session this side has to refresh."""
    [phone], alice = desk.phones, desk.alice
    sent = dial(desk)
    leg = await phone.expect("INVITE")
    assert (leg.get("supported"), leg.get("session-expires")) == ("timer", "9")
    phone.answer(leg, 200, Require="timer", Session_Expires=f"9;refresher={refresher}")
    final = await alice.expect(200)
    assert final.get("session-expires") is None  # she has not asked for it
    await phone.expect("ACK")
    now = InCall(desk, sent, leg, final)
    now.from_alice("ACK", 1)
    return now


async def over(*phones: Phone) -> None:
    for phone in phones:
        bye = await phone.expect("BYE")
        assert (bye.get("reason") or "").endswith('text="Session Expired"')
        phone.answer(bye, 200)
    for phone in phones:
        await phone.quiet(60)


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "gives-up-at-422"])
async def test_a_422_is_answered_with_a_longer_session(fault: str) -> None:
    async def scene(desk: Desk) -> None:
        [phone] = desk.phones
        dial(desk)
        first = await phone.expect("INVITE")
        phone.answer(first, 422, Min_SE="1800")
        await phone.expect("ACK")
        if fault:
            await desk.alice.expect(422)
            return
        second = await phone.expect("INVITE")
        assert (second.get("session-expires"), second.get("min-se")) == ("1800", "1800")
        same = (first.call_id, first.from_tag, first.cseq[0] + 1)
        assert (second.call_id, second.from_tag, second.cseq[0]) == same
        phone.answer(second, 422, Min_SE="1800")  # it has what it wants, and says so again
        await phone.expect("ACK")
        await desk.alice.expect(422)

    await on_timed_desk(scene, fault)


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "refreshes-no-session"])
async def test_the_session_is_refreshed_in_the_middle(fault: str) -> None:
    async def scene(desk: Desk) -> None:
        now = await agreed(desk, "uac")
        phone = now.phone
        if fault:
            await phone.quiet(5.9)
            await over(now.alice)
            return
        for _ in range(3):
            await phone.quiet(4.4)
            update = await phone.receive(0.2)
            assert (update.method, update.get("session-expires")) == ("UPDATE", "9;refresher=uac")
            phone.answer(update, 200)
        now.from_phone("BYE")
        await phone.expect(200)
        await now.alice.expect("BYE")
        await phone.quiet(60)

    await on_timed_desk(scene, fault)


@in_virtual_time
@pytest.mark.parametrize("code", [481, 500])
async def test_a_refresh_that_is_refused(code: int) -> None:
    async def scene(desk: Desk) -> None:
        now = await agreed(desk, "uac")
        now.phone.answer(await now.phone.expect("UPDATE"), code)
        if code == 500:
            await now.alice.quiet(1.4)
        await over(now.alice, now.phone)

    await on_timed_desk(scene)


@in_virtual_time
async def test_a_refresh_that_nobody_answers() -> None:
    async def scene(desk: Desk) -> None:
        now = await agreed(desk, "uac")
        await over(now.alice)

    await on_timed_desk(scene)


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "outlives-session"])
async def test_a_phone_that_forgets_to_refresh(fault: str) -> None:
    async def scene(desk: Desk) -> None:
        now = await agreed(desk, "uas")
        await now.phone.quiet(5.9)
        if fault:
            await now.phone.quiet(60)
        else:
            await over(now.phone, now.alice)

    await on_timed_desk(scene, fault)


@in_virtual_time
async def test_a_phone_that_refreshes() -> None:
    async def scene(desk: Desk) -> None:
        now = await agreed(desk, "uas")
        for seq in range(1, 4):
            await now.phone.quiet(5)
            now.from_phone("UPDATE", seq, headers=(("Session-Expires", "9;refresher=uac"),))
            asked = await now.alice.expect("UPDATE")
            assert asked.get("session-expires") is None
            now.alice.answer(asked, 200)
            told = await now.phone.expect(200)
            assert (told.get("require"), told.get("session-expires")) == ("timer", "9;refresher=uac")
        now.from_alice("UPDATE")
        passed = await now.phone.expect("UPDATE")
        assert (passed.get("supported"), passed.get("session-expires")) == ("timer", "9;refresher=uas")

    await on_timed_desk(scene)


@in_virtual_time
async def test_without_agreement_there_is_no_timer() -> None:
    async def scene(desk: Desk) -> None:
        [phone] = desk.phones
        sent = dial(desk)
        leg = await phone.expect("INVITE")
        phone.answer(leg, 200, Session_Expires="soon")
        final = await desk.alice.expect(200)
        await phone.expect("ACK")
        InCall(desk, sent, leg, final).from_alice("ACK", 1)
        await phone.quiet(60)

    await on_timed_desk(scene)
