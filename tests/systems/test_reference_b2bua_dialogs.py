"""What the embedded PBX does within a call, on the wire, and what each fault makes of it; in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from b2bua_desk import Desk, InCall, answered, call, in_call, on_desk
from on_loop import in_virtual_time
from udp_phone import Phone

from sip_harness.sip.message import Message, build
from sip_harness.systems.reference.b2bua_effects import ends_the_call

ONE = (1.0,)
Scene = Callable[[InCall], Awaitable[None]]


async def within(scene: Scene, fault: str = "") -> None:
    """Play a scene within a call that is up."""

    async def play(desk: Desk) -> None:
        await scene(await call(desk))

    await on_desk(play, *filter(None, [fault]), preferences=ONE)


async def ended(now: InCall, code: int) -> None:
    """Both sides get BYE with the code as its reason."""
    for phone in (now.alice, now.phone):
        bye = await phone.expect("BYE")
        assert (bye.get("reason") or "").startswith(f"SIP;cause={code};")
        phone.answer(bye, 481)
    for phone in (now.alice, now.phone):
        await phone.quiet(40)


@pytest.mark.parametrize(
    ("method", "code", "ends"),
    [
        ("INVITE", 481, True),
        ("UPDATE", 408, True),
        ("INFO", 481, True),
        ("NOTIFY", 481, False),
        ("REFER", 404, True),
        ("INVITE", 488, False),
        ("INVITE", 600, False),
        ("INVITE", 604, True),
    ],
)
def test_what_a_failure_means_to_the_call(method: str, code: int, ends: bool) -> None:
    assert ends_the_call(method, code, frozenset()) == ends
    assert ends_the_call(method, code, frozenset({"hangs-up-after-refusal"}))
    assert not ends_the_call(method, code, frozenset({"keeps-dead-calls"}))


@in_virtual_time
@pytest.mark.parametrize("method", ["INVITE", "INFO"])
@pytest.mark.parametrize("fault", ["", "keeps-dead-calls"])
async def test_a_side_that_knows_nothing_of_the_call_ends_it(method: str, fault: str) -> None:
    async def scene(now: InCall) -> None:
        sent = now.from_alice(method)
        now.phone.answer(await now.phone.expect(method), 481)
        await now.alice.expect(481)
        if method == "INVITE":
            now.alice.again("ACK", sent)
            await now.phone.expect("ACK")
        if fault:
            await now.alice.quiet(5)
            await now.phone.quiet(5)
        else:
            await ended(now, 481)

    await within(scene, fault)


@in_virtual_time
@pytest.mark.parametrize(("method", "told"), [("INVITE", 408), ("INFO", 504)])
async def test_a_side_that_says_nothing_ends_the_call(method: str, told: int) -> None:
    async def scene(now: InCall) -> None:
        sent = now.from_alice(method)
        for _ in range(2):  # once more after T1
            await now.phone.expect(method)
        assert (await now.alice.expect(told)).cseq == (2, method)
        if method == "INVITE":
            now.alice.again("ACK", sent)
        await ended(now, 408)

    await within(scene)


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "hangs-up-after-refusal"])
async def test_a_refusal_leaves_the_call_alone(fault: str) -> None:
    async def scene(now: InCall) -> None:
        now.from_alice("UPDATE")
        now.phone.answer(await now.phone.expect("UPDATE"), 488)
        await now.alice.expect(488)
        if fault:
            await ended(now, 488)
        else:
            await now.phone.quiet(5)

    await within(scene, fault)


@in_virtual_time
@pytest.mark.parametrize(("fault", "byes"), [("", 1), ("repeats-refused-bye", 10)])
async def test_a_bye_that_is_refused_is_not_sent_again(fault: str, byes: int) -> None:
    async def scene(now: InCall) -> None:
        now.from_alice("BYE")
        await now.alice.expect(200)
        for _ in range(byes):
            now.phone.answer(await now.phone.expect("BYE"), 481)
        await now.phone.quiet(60)

    await within(scene, fault)


@in_virtual_time
@pytest.mark.parametrize(("fault", "code"), [("", 500), ("answers-overlap-with-491", 491)])
async def test_an_invite_that_overlaps_another_of_its_side(fault: str, code: int) -> None:
    async def scene(now: InCall) -> None:
        now.from_alice("INVITE")
        await now.phone.expect("INVITE")
        now.from_alice("INVITE", 3)
        refused = await now.alice.expect(code)
        assert (refused.get("retry-after") is None) == bool(fault)
        assert fault or 0 <= int(refused.get("retry-after") or "") <= 10

    await within(scene, fault)


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "ignores-glare"])
async def test_an_invite_that_meets_one_of_the_other_side(fault: str) -> None:
    async def scene(now: InCall) -> None:
        now.from_alice("INVITE")
        now.phone.answer(await now.phone.expect("INVITE"), 180)
        await now.alice.expect(180)
        now.from_phone("INVITE")
        if fault:
            await now.alice.expect("INVITE")
        else:
            await now.phone.expect(491)

    await within(scene, fault)


@in_virtual_time
async def test_what_makes_no_offer_meets_nothing() -> None:
    async def scene(now: InCall) -> None:
        now.from_alice("INVITE")
        now.phone.answer(await now.phone.expect("INVITE"), 180)
        await now.alice.expect(180)
        now.from_phone("UPDATE")
        await now.alice.expect("UPDATE")
        now.from_phone("INFO", 2)
        await now.alice.expect("INFO")

    await within(scene)


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "takes-old-requests"])
async def test_a_request_that_was_overtaken(fault: str) -> None:
    async def scene(now: InCall) -> None:
        now.from_alice("INFO", 7)
        now.phone.answer(await now.phone.expect("INFO"), 200)
        await now.alice.expect(200)
        now.from_alice("INFO", 3)
        if fault:
            await now.phone.expect("INFO")
        else:
            await now.alice.expect(500)

    await within(scene, fault)


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "leaves-re-invite-open"])
@pytest.mark.parametrize("by", ["alice", "phone"])
async def test_a_bye_ends_what_is_open(by: str, fault: str) -> None:
    async def scene(now: InCall) -> None:
        invite = now.from_alice("INVITE")
        now.phone.answer(await now.phone.expect("INVITE"), 180)
        await now.alice.expect(180)
        if by == "alice":
            now.from_alice("BYE", 3)
            assert (await now.alice.expect(200)).cseq[1] == "BYE"
        else:
            now.from_phone("BYE")
            await now.phone.expect(200)
        if not fault:
            assert (await now.alice.expect(487)).cseq == (2, "INVITE")
            now.alice.again("ACK", invite)
        other = now.phone if by == "alice" else now.alice
        other.answer(await other.expect("BYE"), 200)
        await now.alice.quiet(0.4)

    await within(scene, fault)


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "hangs-up-before-ack"])
async def test_a_bye_waits_for_the_callers_ack(fault: str) -> None:
    async def play(desk: Desk) -> None:
        [phone], alice = desk.phones, desk.alice
        sent = desk.dial()
        leg = await phone.expect("INVITE")
        phone.answer(leg, 200)
        final = await alice.expect(200)
        await phone.expect("ACK")
        now = InCall(desk, sent, leg, final)
        now.from_phone("BYE")
        await phone.expect(200)
        if fault:
            await alice.expect("BYE")
            return
        assert await alice.expect(200) == final  # again, for want of its ACK
        now.from_alice("INFO")
        await alice.expect(481)
        now.from_alice("ACK", 1)
        alice.answer(await alice.expect("BYE"), 200)
        await alice.quiet(60)

    await on_desk(play, *filter(None, [fault]), preferences=ONE)


@in_virtual_time
@pytest.mark.parametrize("leaves", [False, True])
async def test_a_caller_who_never_acknowledges_gets_the_bye_in_the_end(leaves: bool) -> None:
    async def play(desk: Desk) -> None:
        [phone], alice = desk.phones, desk.alice
        sent = desk.dial()
        leg = await phone.expect("INVITE")
        phone.answer(leg, 200)
        final = await alice.expect(200)
        await phone.expect("ACK")
        now = InCall(desk, sent, leg, final)
        if leaves:
            now.from_phone("BYE")
            await phone.expect(200)
        while (got := await alice.receive(40)).code == 200:
            pass
        assert got.method == "BYE"
        alice.answer(got, 200)
        if not leaves:
            phone.answer(await phone.expect("BYE"), 200)
        now.from_alice("BYE")
        await alice.expect(481)

    await on_desk(play, preferences=ONE)


@in_virtual_time
async def test_a_caller_may_leave_before_the_bye_that_waits_for_him() -> None:
    async def play(desk: Desk) -> None:
        [phone], alice = desk.phones, desk.alice
        sent = desk.dial()
        leg = await phone.expect("INVITE")
        phone.answer(leg, 200)
        final = await alice.expect(200)
        await phone.expect("ACK")
        now = InCall(desk, sent, leg, final)
        now.from_phone("BYE")
        await phone.expect(200)
        now.from_alice("BYE")
        await alice.expect(200)
        await alice.quiet(60)
        await phone.quiet(60)

    await on_desk(play, preferences=ONE)


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "rings-on-after-early-bye"])
async def test_a_bye_before_the_answer(fault: str) -> None:
    async def play(desk: Desk) -> None:
        [phone], alice = desk.phones, desk.alice
        sent = desk.dial()
        leg = await phone.expect("INVITE")
        phone.answer(leg, 180)
        ringing = await alice.expect(180)
        alice.request(**in_call(sent, ringing, "BYE"))  # type: ignore[arg-type]
        assert (await alice.expect(200)).cseq[1] == "BYE"
        if fault:
            await phone.quiet(1)
        else:
            await alice.expect(487)
            await phone.cancelled(leg)

    await on_desk(play, *filter(None, [fault]), preferences=ONE)


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "acknowledges-re-invite-once"])
async def test_the_answer_to_a_re_invite_that_comes_again_is_acknowledged_again(fault: str) -> None:
    async def scene(now: InCall) -> None:
        now.from_alice("INVITE")
        invite = await now.phone.expect("INVITE")
        now.phone.answer(invite, 200)
        await now.alice.expect(200)
        now.from_alice("ACK", 2)
        await now.phone.expect("ACK")
        now.phone.answer(invite, 200)
        if fault:
            await now.phone.quiet(1)
        else:
            await now.phone.expect("ACK")

    await within(scene, fault)


@in_virtual_time
@pytest.mark.parametrize(("fault", "code"), [("", 481), ("takes-any-prack", 200)])
async def test_a_prack_for_nothing(fault: str, code: int) -> None:
    async def scene(now: InCall) -> None:
        now.from_alice("PRACK", headers=(("RAck", "1 1 INVITE"),))
        await now.alice.expect(code)

    await within(scene, fault)


def progress(phone: Phone, leg: Message, number: int, tag: str = "p") -> None:
    """A reliable 183 of the phone's."""
    phone.answer(leg, 183, tag=tag, Require="100rel", RSeq=str(number))


async def early(desk: Desk) -> tuple[Phone, Message]:
    """The only phone, and the INVITE that it has got."""
    desk.alice.request(
        "INVITE",
        "sip:bob@{}:{}".format(*desk.alice.system),
        headers=(("Content-Type", "application/sdp"),),
        body=b"v=0",
    )
    return desk.phones[0], await desk.phones[0].expect("INVITE")


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "sends-no-prack"])
async def test_a_reliable_response_is_acknowledged_on_its_leg_alone(fault: str) -> None:
    async def play(desk: Desk) -> None:
        phone, leg = await early(desk)
        assert leg.get("supported") == "100rel"
        progress(phone, leg, 7)
        told = await desk.alice.expect(183)
        assert (told.get("require"), told.get("rseq")) == (None, None)
        if fault:
            await phone.quiet(1)
            return
        prack = await phone.expect("PRACK")
        assert (prack.get("rack"), prack.to_tag, prack.cseq[0]) == ("7 1 INVITE", "p", 2)
        phone.answer(prack, 200)
        progress(phone, leg, 7)
        await desk.alice.expect(183)
        await phone.quiet(1)
        phone.answer(leg, 200, tag="p")
        assert (await phone.expect("ACK")).cseq[0] == 1
        await desk.alice.expect(200)

    await on_desk(play, *filter(None, [fault]), preferences=ONE)


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "pracks-out-of-order"])
async def test_a_reliable_response_that_comes_too_soon(fault: str) -> None:
    async def play(desk: Desk) -> None:
        phone, leg = await early(desk)
        progress(phone, leg, 7)
        phone.answer(await phone.expect("PRACK"), 200)
        progress(phone, leg, 9)
        if fault:
            assert (await phone.expect("PRACK")).get("rack") == "9 1 INVITE"
            return
        await phone.quiet(1)
        progress(phone, leg, 8)
        assert (await phone.expect("PRACK")).get("rack") == "8 1 INVITE"

    await on_desk(play, *filter(None, [fault]), preferences=ONE)


@in_virtual_time
async def test_no_prack_is_offered_where_an_offer_might_come() -> None:
    async def play(desk: Desk) -> None:
        desk.dial()
        assert (await desk.phones[0].expect("INVITE")).get("supported") is None

    await on_desk(play, preferences=ONE)


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "answers-within-the-call"])
async def test_requests_within_the_call_are_for_the_other_side(fault: str) -> None:
    async def scene(now: InCall) -> None:
        now.from_alice("INFO")
        if fault:
            await now.alice.expect(200)
            now.from_alice("INVITE", 3)
            await now.alice.expect(200)
            now.from_alice("ACK", 3)
            await now.alice.quiet(40)
        else:
            await now.phone.expect("INFO")

    await within(scene, fault)


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "drops-reason-of-bye"])
async def test_why_a_side_hangs_up(fault: str) -> None:
    async def scene(now: InCall) -> None:
        now.from_phone("BYE", headers=(("Reason", "Q.850;cause=41"),))
        await now.phone.expect(200)
        assert (await now.alice.expect("BYE")).get("reason") == (None if fault else "Q.850;cause=41")

    await within(scene, fault)


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "repeats-early-sdp"])
async def test_the_session_of_the_answer_is_its_own(fault: str) -> None:
    async def play(desk: Desk) -> None:
        [phone], alice = desk.phones, desk.alice
        desk.dial()
        leg = await phone.expect("INVITE")
        copied = [(f.name, f.value) for f in leg.fields if f.key in ("via", "from", "call-id", "cseq")]
        more = [
            ("To", f"{leg.get('to')};tag=p"),
            ("Contact", f"<{phone.contact}>"),
            ("Content-Type", "application/sdp"),
        ]
        for code, body in ((183, b"s=early"), (200, b"s=answer")):
            phone.send(build(f"SIP/2.0 {code} Said", [*copied, *more], body))
            told = await alice.expect(code)
        assert told.body == (b"s=early" if fault else b"s=answer")

    await on_desk(play, *filter(None, [fault]), preferences=ONE)


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "drops-unknown-headers"])
async def test_headers_that_nobody_knows(fault: str) -> None:
    async def play(desk: Desk) -> None:
        desk.dial()
        phone = desk.phones[0]
        phone.answer(await phone.expect("INVITE"), 486, P_Early_Media="inactive", Reason="Q.850;cause=17")
        told = await desk.alice.expect(486)
        assert told.get("reason") == "Q.850;cause=17"
        assert told.get("p-early-media") == (None if fault else "inactive")

    await on_desk(play, *filter(None, [fault]), preferences=ONE)


@in_virtual_time
async def test_a_run_that_is_over_leaves_nothing_under_way() -> None:
    async def play(desk: Desk) -> None:
        sent, _, final = await answered(desk)
        desk.alice.request(**in_call(sent, final, "INVITE"))  # type: ignore[arg-type]
        await desk.phones[0].expect("INVITE")
        await desk.stage.system.stop()
        await desk.alice.quiet(5)

    await on_desk(play, preferences=ONE)
