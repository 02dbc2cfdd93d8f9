"""The embedded PBX, on the wire: phones that a test plays, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping

import pytest
from b2bua_desk import Desk, answered, in_call, on_desk
from ladders import scenario
from on_loop import in_virtual_time
from sip_fuzz import mutate
from udp_phone import Phone, Stage, authorization

from sip_harness.model.vocabulary import CAPABILITIES
from sip_harness.sip.message import build
from sip_harness.sip.uri import uri_text
from sip_harness.systems.base import Lease, SystemFailed
from sip_harness.systems.reference.b2bua import FAULTS, ReferenceB2bua
from sip_harness.systems.reference.b2bua_core import Settings

OFFER, ANSWER = b"v=0\r\ns=offer\r\n", b"v=0\r\ns=answer\r\n"
SDP = ("Content-Type", "application/sdp")


@in_virtual_time
async def test_every_leg_is_a_call_of_its_own() -> None:
    async def play(desk: Desk) -> None:
        sent = desk.dial(("Subject", "lunch"))
        legs = [await phone.expect("INVITE") for phone in desk.phones]
        assert len({m.call_id for m in (sent, *legs)}) == 3
        assert len({m.from_tag for m in (sent, *legs)}) == 3
        for leg, phone in zip(legs, desk.phones, strict=True):
            assert leg.uri == phone.contact
            assert uri_text(leg.get("from") or "") == uri_text(sent.get("from") or "")
            assert uri_text(leg.get("to") or "") == uri_text(sent.get("to") or "")
            assert leg.get("contact") == "<sip:alice@{}:{}>".format(*phone.system)
            assert len(leg.all("via")) == 1
            assert (leg.get("max-forwards"), leg.get("subject")) == ("69", "lunch")

    await on_desk(play)


@in_virtual_time
async def test_sessions_are_passed_through_under_one_tag() -> None:
    async def play(desk: Desk) -> None:
        here = "{}:{}".format(*desk.alice.system)
        sent = desk.alice.request("INVITE", f"sip:bob@{here}", headers=(SDP,), hops="9")
        leg = await desk.phones[0].expect("INVITE")
        desk.phones[0].answer(leg, 183, reason="Progress")
        early = await desk.alice.expect(183)
        assert early.reason == "Progress"
        desk.phones[0].answer(leg, 200, tag="other")
        final = await desk.alice.expect(200)
        assert final.to_tag == early.to_tag not in ("", "other")
        assert (await desk.phones[0].expect("ACK")).to_tag == "other"
        desk.alice.request(**in_call(sent, final, "ACK", seq=1))  # type: ignore[arg-type]

    await on_desk(play, preferences=(1.0,))


@in_virtual_time
@pytest.mark.parametrize("ack", ["at-once", "with-caller"])
async def test_the_answer_and_who_acknowledges_it(ack: str) -> None:
    async def play(desk: Desk) -> None:
        [phone], alice = desk.phones, desk.alice
        sent = desk.dial()
        leg = await phone.expect("INVITE")
        phone.answer(leg, 200)
        final = await alice.expect(200)
        if ack == "at-once":
            await phone.expect("ACK")
            await phone.quiet(0.1)
            phone.answer(leg, 200)
            await phone.expect("ACK")
        else:
            await phone.quiet(0.1)
        assert await alice.expect(200) == final  # again until its ACK
        alice.request(**in_call(sent, final, "ACK", seq=1))  # type: ignore[arg-type]
        if ack == "with-caller":
            await phone.expect("ACK")
        await alice.quiet(5)
        assert leg.cseq == (1, "INVITE")

    await on_desk(play, preferences=(1.0,), settings=Settings(ack=ack))  # type: ignore[arg-type]


@in_virtual_time
async def test_an_offer_in_the_answer_waits_for_the_callers() -> None:
    async def play(desk: Desk) -> None:
        [phone], alice = desk.phones, desk.alice
        sent = desk.dial()
        leg = await phone.expect("INVITE")
        copied = [(f.name, f.value) for f in leg.fields if f.key in ("via", "from", "call-id", "cseq")]
        more = [("To", f"{leg.get('to')};tag=p"), ("Contact", f"<{phone.contact}>"), SDP]
        phone.send(build("SIP/2.0 200 OK", [*copied, *more], OFFER))
        final = await alice.expect(200)
        assert final.body == OFFER
        await phone.quiet(0.1)
        ack = alice.request(**in_call(sent, final, "ACK", seq=1), headers=(("X-No", "1"),))  # type: ignore[arg-type]
        assert ack.method == "ACK"
        assert (await phone.expect("ACK")).to_tag == "p"

    await on_desk(play, preferences=(1.0,))


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "leaves-leg-up-after-bye"])
async def test_bye_ends_both_sides(fault: str) -> None:
    async def play(desk: Desk) -> None:
        [phone], alice = desk.phones, desk.alice
        sent, _, final = await answered(desk)
        reason = ("Reason", "Q.850;cause=16")
        alice.request(**in_call(sent, final, "BYE"), headers=(reason,))  # type: ignore[arg-type]
        assert (await alice.expect(200)).cseq[1] == "BYE"
        if fault:
            await phone.quiet(60)
            return
        bye = await phone.expect("BYE")
        assert bye.get("reason") == reason[1]
        phone.answer(bye, 200)
        alice.request(**in_call(sent, final, "BYE", seq=3))  # type: ignore[arg-type]
        await alice.expect(481)

    await on_desk(play, *filter(None, [fault]), preferences=(1.0,))


@in_virtual_time
@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO"])
async def test_requests_within_the_call_go_over(method: str) -> None:
    async def play(desk: Desk) -> None:
        [phone], alice = desk.phones, desk.alice
        _, leg, _ = await answered(desk)
        caller_uri = uri_text(leg.get("contact") or "")
        mine = {
            "to": leg.get("from") or "",
            "from_": f"{leg.get('to')};tag={phone.host.partition(':')[2]}",
            "call_id": leg.call_id,
        }
        phone.request(method, caller_uri, cseq=7, headers=(("X-Why", "hold"),), **mine)
        got = await alice.expect(method)
        assert got.get("x-why") == "hold"
        assert got.call_id != leg.call_id
        alice.answer(got, 200)
        back = await phone.expect(200)
        assert back.cseq == (7, method)
        if method == "INVITE":
            alice.answer(got, 200)  # no ACK has gone yet: nothing to repeat
            phone.request("ACK", caller_uri, cseq=7, **mine)
            assert (await alice.expect("ACK")).cseq == (got.cseq[0], "ACK")
            alice.answer(got, 200)
            await alice.expect("ACK")
        phone.request("INFO", caller_uri, cseq=3, **mine)
        await phone.expect(500)  # overtaken, RFC 3261 12.2.2

    await on_desk(play, preferences=(1.0,))


@in_virtual_time
async def test_two_re_invites_at_once_and_a_cancelled_one() -> None:
    async def play(desk: Desk) -> None:
        [phone], alice = desk.phones, desk.alice
        sent, leg, final = await answered(desk)
        again = alice.request(**in_call(sent, final, "INVITE"))  # type: ignore[arg-type]
        passed = await phone.expect("INVITE")
        phone.answer(passed, 100)
        mine = {
            "to": leg.get("from") or "",
            "from_": f"{leg.get('to')};tag={phone.host.partition(':')[2]}",
            "call_id": leg.call_id,
        }
        phone.request("INVITE", uri_text(leg.get("contact") or ""), cseq=7, **mine)
        await phone.expect(491)
        alice.again("CANCEL", again)
        await alice.expect(200)
        await phone.expect("CANCEL")
        phone.answer(passed, 487)
        assert (await alice.expect(487)).cseq == (2, "INVITE")

    await on_desk(play, preferences=(1.0,))


async def six_hundred(desk: Desk) -> None:
    """The first of two phones says 600."""
    desk.dial()
    desk.invites = await desk.rung()
    await desk.phones[0].decline(desk.invites[0], 600)


@in_virtual_time
async def test_a_6xx_stops_the_ring_and_waits_for_the_last_phone() -> None:
    async def play(desk: Desk) -> None:
        await six_hundred(desk)
        cancel = await desk.phones[1].expect("CANCEL")
        assert cancel.get("reason") == "SIP;cause=600"
        await desk.alice.quiet(0.5)
        desk.phones[1].answer(desk.invites[1], 487)
        await desk.alice.expect(600)

    await on_desk(play)


@in_virtual_time
async def test_a_ring_that_goes_on_after_6xx() -> None:
    async def play(desk: Desk) -> None:
        await six_hundred(desk)
        await desk.phones[1].quiet(2)
        desk.phones[1].answer(desk.invites[1], 200)
        await desk.alice.expect(200)

    await on_desk(play, "forks-on-after-6xx")


@in_virtual_time
async def test_a_6xx_that_is_told_at_once() -> None:
    async def play(desk: Desk) -> None:
        await six_hundred(desk)
        await desk.alice.expect(600)

    await on_desk(play, "sends-6xx-at-once")


@in_virtual_time
@pytest.mark.parametrize(
    ("code", "fault", "told", "next_rings"),
    [
        (486, "", 0, True),
        (603, "", 603, False),
        (603, "hunts-on-after-6xx", 0, True),
        (486, "stops-hunting-at-486", 486, False),
        (600, "maps-600-to-486", 486, False),
    ],
)
async def test_a_hunt(code: int, fault: str, told: int, next_rings: bool) -> None:
    async def play(desk: Desk) -> None:
        first, second = desk.phones
        desk.dial()
        await first.decline(await first.expect("INVITE"), code)
        if next_rings:
            await second.expect("INVITE")
        if told:
            assert (await desk.alice.expect(told)).code == told
            await second.quiet(10)

    await on_desk(play, *filter(None, [fault]), preferences=(1.0, 0.5))


@in_virtual_time
async def test_groups_in_turn() -> None:
    async def play(desk: Desk) -> None:
        one, two, last = desk.phones
        desk.dial()
        invites = [await one.expect("INVITE"), await two.expect("INVITE")]
        await one.decline(invites[0], 404)
        await last.quiet(0.3)
        await two.decline(invites[1], 486)
        await last.decline(await last.expect("INVITE"), 503)
        assert (await desk.alice.expect(404)).code == 404

    await on_desk(play, preferences=(0.8, 0.8, 0.3))


@in_virtual_time
async def test_the_first_failure_or_the_first_486_of_a_ring() -> None:
    async def wins(desk: Desk) -> None:
        desk.dial()
        invites = await desk.rung()
        await desk.phones[0].decline(invites[0], 404)
        await desk.alice.expect(404)

    async def ends(desk: Desk) -> None:
        desk.dial()
        invites = await desk.rung()
        await desk.phones[0].decline(invites[0], 486)
        await desk.phones[1].expect("CANCEL")

    async def neither(desk: Desk) -> None:
        desk.dial()
        invites = await desk.rung()
        await desk.phones[0].decline(invites[0], 486)
        await desk.phones[1].quiet(2)
        await desk.alice.quiet(0)

    await on_desk(neither)
    await on_desk(wins, "first-failure-wins")
    await on_desk(ends, "one-486-ends-the-fork")


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "forgets-cancel", "acknowledges-no-2xx"])
async def test_the_first_answer_wins_and_a_second_is_hung_up(fault: str) -> None:
    async def play(desk: Desk) -> None:
        one, two = desk.phones
        desk.dial()
        invites = await desk.rung()
        one.answer(invites[0], 200)
        await desk.alice.expect(200)
        if fault == "acknowledges-no-2xx":
            await one.quiet(0.4)
            return
        await one.expect("ACK")
        if fault:
            await two.quiet(2)
            return
        assert "Call completed elsewhere" in ((await two.expect("CANCEL")).get("reason") or "")
        two.answer(invites[1], 200)
        assert (await two.expect("ACK")).to_tag
        await two.expect("BYE")

    await on_desk(play, *filter(None, [fault]))


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "ignores-callers-cancel", "swallows-2xx-after-cancel", "drops-callers-reason"])
async def test_the_caller_gives_up(fault: str) -> None:
    async def play(desk: Desk) -> None:
        [phone], alice = desk.phones, desk.alice
        sent = desk.dial()
        [invite] = await desk.rung()
        alice.again("CANCEL", sent, ("Reason", "SIP;cause=487"))
        assert (await alice.expect(200)).cseq[1] == "CANCEL"
        assert (await alice.expect(487)).cseq[1] == "INVITE"
        alice.again("ACK", sent)
        if fault == "ignores-callers-cancel":
            await phone.quiet(30)
            return
        cancel = await phone.expect("CANCEL")
        assert cancel.get("reason") == (None if fault == "drops-callers-reason" else "SIP;cause=487")
        phone.answer(cancel, 200)
        phone.answer(invite, 200)  # it had been picked up
        if fault == "swallows-2xx-after-cancel":
            await phone.quiet(30)
        else:
            await phone.expect("ACK")
            await phone.expect("BYE")

    await on_desk(play, *filter(None, [fault]), preferences=(1.0,))


@in_virtual_time
async def test_a_cancel_waits_until_the_phone_has_said_something() -> None:
    async def play(desk: Desk) -> None:
        [phone], alice = desk.phones, desk.alice
        sent = desk.dial()
        invite = await phone.expect("INVITE")
        alice.again("CANCEL", sent)
        await alice.expect(200)
        await alice.expect(487)
        await phone.quiet(0.2)
        phone.answer(invite, 180)
        await phone.expect("CANCEL")

    await on_desk(play, preferences=(1.0,))


@in_virtual_time
@pytest.mark.parametrize(("expires", "ends"), [("2", 2.0), ("600", 3.0), ("soon", 3.0)])
async def test_an_invitation_that_expires_is_over(expires: str, ends: float) -> None:
    async def play(desk: Desk) -> None:
        loop, [phone] = asyncio.get_running_loop(), desk.phones
        desk.dial(("Expires", expires))
        begin = loop.time()
        await desk.rung()
        await phone.expect("CANCEL")
        assert loop.time() - begin == pytest.approx(ends, abs=0.05)
        await desk.alice.expect(487 if ends < 3 else 480)

    async def rings_on(desk: Desk) -> None:
        desk.dial(("Expires", expires))
        await desk.rung()
        await desk.alice.expect(480)

    await on_desk(play, preferences=(1.0,))
    await on_desk(rings_on, "ignores-expires", preferences=(1.0,))


@in_virtual_time
async def test_an_invitation_that_was_answered_expires_no_more() -> None:
    async def play(desk: Desk) -> None:
        sent, [phone] = desk.dial(("Expires", "2")), desk.phones
        [invite] = await desk.rung()
        phone.answer(invite, 200)
        answer = await desk.alice.expect(200)
        desk.alice.again("ACK", sent, to=answer.get("to") or "")
        await phone.expect("ACK")
        await phone.quiet(10)

    await on_desk(play, preferences=(1.0,))


@in_virtual_time
async def test_a_phone_that_has_refused_cannot_answer_any_more() -> None:
    """RFC 3261 17.1.1.2: what comes after a final response is not for the transaction user."""

    async def play(desk: Desk) -> None:
        desk.dial()
        one, other = await desk.rung()
        desk.phones[0].answer(one, 503)
        await desk.phones[0].expect("ACK")
        desk.phones[0].answer(one, 200)
        await desk.phones[0].quiet(0.5)
        await desk.phones[1].quiet(0)
        desk.phones[1].answer(other, 486)
        await desk.alice.expect(486)

    await on_desk(play)


@in_virtual_time
async def test_a_bye_before_the_answer_ends_the_call() -> None:
    async def play(desk: Desk) -> None:
        alice = desk.alice
        sent = desk.dial()
        invite = await desk.phones[0].expect("INVITE")
        desk.phones[0].answer(invite, 180)
        ringing = await alice.expect(180)
        alice.request(**in_call(sent, ringing, "INFO"))  # type: ignore[arg-type]
        assert (await alice.expect(500)).get("retry-after")
        alice.request(**in_call(sent, ringing, "BYE", seq=3))  # type: ignore[arg-type]
        assert {(await alice.receive()).code, (await alice.receive()).code} == {200, 487}
        await desk.phones[0].expect("CANCEL")

    await on_desk(play, preferences=(1.0,))


@pytest.mark.parametrize(("faults", "due", "code"), [((), 0.0, 503), (("ignores-icmp",), Settings().transaction, 408)])
@in_virtual_time
async def test_a_device_whose_port_is_closed(faults: tuple[str, ...], due: float, code: int) -> None:
    """ICMP says so at once (RFC 3261 16.9, 18.4)."""
    loop = asyncio.get_running_loop()

    async def hunts_on(desk: Desk) -> None:
        desk.phones[0].socket.close()
        begin = loop.time()
        desk.dial()
        await desk.phones[1].expect("INVITE")
        assert loop.time() - begin == pytest.approx(due, abs=0.05)

    async def tells(desk: Desk) -> None:
        desk.phones[0].socket.close()
        begin = loop.time()
        desk.dial()
        await desk.alice.expect(code)
        assert loop.time() - begin == pytest.approx(due, abs=0.05)

    await on_desk(hunts_on, *faults, preferences=(1.0, 0.5))
    await on_desk(tells, *faults, preferences=(1.0,))


@in_virtual_time
async def test_the_ring_timer() -> None:
    async def play(desk: Desk) -> None:
        loop = asyncio.get_running_loop()
        desk.dial()
        begin = loop.time()
        [invite] = await desk.rung()
        assert (await desk.alice.expect(408)).get("retry-after") is None
        assert loop.time() - begin == pytest.approx(5, abs=0.01)
        await desk.phones[0].expect("CANCEL")
        desk.phones[0].answer(invite, 200)  # too late
        await desk.phones[0].expect("ACK")
        await desk.phones[0].expect("BYE")

    async def for_ever(desk: Desk) -> None:
        desk.dial()
        await desk.rung()
        await desk.alice.quiet(3600)

    await on_desk(play, preferences=(1.0,), settings=Settings(ring=5.0, ring_timeout=408))
    await on_desk(for_ever, "rings-for-ever", preferences=(1.0,))


@in_virtual_time
@pytest.mark.parametrize("late", [180, 200, 486])
async def test_a_phone_that_says_nothing_is_given_up(late: int) -> None:
    async def play(desk: Desk) -> None:
        [phone] = desk.phones
        desk.dial()
        invite = await phone.expect("INVITE")
        await desk.alice.expect(408)
        assert await phone.expect("INVITE") == invite
        await phone.quiet(20)
        phone.answer(invite, late)
        for method in {180: ["CANCEL"], 200: ["ACK", "BYE"], 486: ["ACK"]}[late]:
            await phone.expect(method)

    await on_desk(play, preferences=(1.0,))


@in_virtual_time
@pytest.mark.parametrize("name", ["reason", "retry-after", "warning"])
async def test_what_a_failure_says_reaches_the_caller(name: str) -> None:
    value = {"reason": "Q.850;cause=17", "retry-after": "18 (lunch)", "warning": '399 x "no"'}[name]

    async def told(desk: Desk) -> None:
        desk.dial()
        invite = await desk.phones[0].expect("INVITE")
        desk.phones[0].answer(invite, 486, "Not now", **{name.title(): value})
        answer = await desk.alice.expect(486)
        assert (answer.reason, answer.get(name)) == ("Not now", value)

    async def lost(desk: Desk) -> None:
        desk.dial()
        invite = await desk.phones[0].expect("INVITE")
        desk.phones[0].answer(invite, 486, "Not now", **{name.title(): value})
        assert (await desk.alice.expect(486)).get(name) is None

    await on_desk(told, preferences=(1.0,))
    await on_desk(lost, f"drops-{name}", preferences=(1.0,))


@in_virtual_time
async def test_the_code_map() -> None:
    async def play(desk: Desk) -> None:
        desk.dial()
        await desk.phones[0].decline(await desk.phones[0].expect("INVITE"), 603)
        answer = await desk.alice.expect(403)
        assert answer.reason == "Forbidden"

    await on_desk(play, preferences=(1.0,), settings=Settings(codes={603: 403}))


@in_virtual_time
async def test_what_the_caller_hears_of_ringing() -> None:
    async def tags(desk: Desk, *codes: int) -> list[str]:
        desk.dial()
        invite = await desk.phones[0].expect("INVITE")
        for code in (180, 183):
            desk.phones[0].answer(invite, code)
        found = [(await desk.alice.expect(code)).to_tag for code in codes]
        await desk.alice.quiet(1)
        return found

    async def each(desk: Desk) -> None:
        assert len(set(await tags(desk, 180, 183))) == 1

    async def first(desk: Desk) -> None:
        await tags(desk, 180)

    async def nothing(desk: Desk) -> None:
        await tags(desk)

    async def many(desk: Desk) -> None:
        assert len(set(await tags(desk, 180, 183))) == 2

    await on_desk(each, preferences=(1.0,))
    await on_desk(first, preferences=(1.0,), settings=Settings(progress="first"))
    await on_desk(nothing, "swallows-ringing", preferences=(1.0,))
    await on_desk(many, "new-to-tag-per-18x", preferences=(1.0,))


@in_virtual_time
async def test_a_body_of_a_failure() -> None:
    async def play(desk: Desk) -> bytes:
        desk.dial()
        invite = await desk.phones[0].expect("INVITE")
        copied = [(f.name, f.value) for f in invite.fields if f.key in ("via", "from", "call-id", "cseq")]
        desk.phones[0].send(build("SIP/2.0 488 No", [*copied, ("To", f"{invite.get('to')};tag=p"), SDP], ANSWER))
        return (await desk.alice.expect(488)).body

    async def kept(desk: Desk) -> None:
        assert await play(desk) == ANSWER

    async def lost(desk: Desk) -> None:
        assert await play(desk) == b""

    await on_desk(kept, preferences=(1.0,))
    await on_desk(lost, "drops-body", preferences=(1.0,))


@in_virtual_time
async def test_what_is_refused() -> None:
    async def play(desk: Desk) -> None:
        here, alice = "{}:{}".format(*desk.alice.system), desk.alice
        alice.request("INVITE", f"sip:nobody@{here}")
        await alice.expect(480)
        alice.request("INVITE", f"sip:bob@{here}", hops="0")
        await alice.expect(483)
        alice.request("INVITE", f"sip:bob@{here}", headers=(("Require", "100rel"),))
        assert (await alice.expect(420)).get("unsupported") == "100rel"
        alice.request("INVITE", f"sip:bob@{here}", from_="alice;tag=1")
        await alice.expect(400)
        alice.request("INVITE", f"sip:bob@{here}", to=f"<sip:bob@{here}>;tag=old")
        await alice.expect(481)
        alice.request("PUBLISH", f"sip:bob@{here}")
        await alice.expect(405)
        alice.request("OPTIONS", f"sip:{here}")
        await alice.expect(200)
        alice.request("CANCEL", f"sip:bob@{here}")
        await alice.expect(481)
        await desk.phones[0].quiet(1)

    await on_desk(play, preferences=(1.0,))


def discard(phone: Phone) -> None:
    """All that has come and was not read."""
    with contextlib.suppress(BlockingIOError):
        while True:
            phone.socket.recv(65_535)


@in_virtual_time
async def test_hostile_messages_change_nothing_for_others() -> None:
    rng = random.Random(7)

    async def play(desk: Desk) -> None:
        [phone], alice = desk.phones, desk.alice
        for round_ in range(120):
            sent = desk.dial(("Subject", f"call {round_}"))
            while (invite := await phone.receive()).get("subject") != f"call {round_}":
                pass
            phone.answer(invite, 180)
            for data in (sent.data, sent.data.replace(b"INVITE", rng.choice([b"BYE", b"CANCEL", b"REGISTER", b"ACK"]))):
                alice.send(mutate(data, rng))
            copied = [(f.name, f.value) for f in invite.fields if f.key in ("via", "from", "call-id", "cseq")]
            code = rng.choice([42, 100, 183, 200, 302, 401, 486, 600, 777])
            more = [("To", f"{invite.get('to')};tag={round_}"), ("Contact", f"<{phone.contact}>")]
            phone.send(mutate(build(f"SIP/2.0 {code} ", [*copied, *more]), rng))
            await asyncio.sleep(6)
            discard(phone)
            discard(alice)

    await on_desk(play, preferences=(1.0,))


@in_virtual_time
@pytest.mark.parametrize("code", [700, 999])
async def test_a_code_of_no_class_is_no_response(code: int) -> None:
    async def play(desk: Desk) -> None:
        desk.dial()
        [invite] = await desk.rung()
        desk.phones[0].answer(invite, code)
        await desk.phones[0].decline(invite, 486)
        await desk.alice.expect(486)

    await on_desk(play, preferences=(1.0,))


@in_virtual_time
async def test_a_contact_that_leads_away_from_here_is_not_called() -> None:
    async def play(desk: Desk) -> None:
        phone = desk.stage.phone("carol")
        await phone.register(contact="<sip:carol@192.0.2.9>")
        desk.alice.request("INVITE", "sip:carol@{}:{}".format(*desk.alice.system))
        await desk.alice.expect(503)

    await on_desk(play, preferences=(1.0,))


@in_virtual_time
async def test_a_release_forgets_all_that_is_left_of_the_run() -> None:
    run = scenario("desk: {answer: [486]}", "alice: [486]")
    async with Stage(ReferenceB2bua()) as stage:
        lease = Lease("abc", 7)
        binding = stage.system.bind(run, lease)
        await stage.system.admit(run, lease, binding)
        user = binding.users["desk"].name
        phone, alice = stage.phone(user), stage.phone("alice")
        await phone.register()
        here = "{}:{}".format(*alice.system)
        for _ in range(2):  # one that rings and one that is answered
            alice.request("INVITE", binding.uris["bob"], from_=f"<sip:alice-abcx7@{here}>;tag=1")
            invite = await phone.expect("INVITE")
        phone.answer(invite, 200)
        await alice.expect(200)
        await phone.expect("ACK")
        await stage.system.release(lease)
        await phone.quiet(60)
        await alice.quiet(60)
        alice.request("INVITE", binding.uris["bob"])
        await alice.expect(480)
        with pytest.raises(SystemFailed, match="already been started"):
            await stage.system.start()


DIGEST = Settings(digest=True, password="secret")


@in_virtual_time
async def test_with_digest_registrations_and_callers_are_asked_for_credentials() -> None:
    async with Stage(ReferenceB2bua(settings=DIGEST)) as stage:
        assert (stage.system.name, stage.system.info.password) == ("reference-b2bua-digest", "secret")
        bob, alice = stage.phone("bob"), stage.phone("alice")
        refused = await bob.register()
        assert (refused.code, refused.get("proxy-authenticate")) == (401, None)
        assert (await bob.register(password="wrong")).code == 401
        assert (await bob.register(password="secret")).code == 200
        uri = "sip:bob@{}:{}".format(*alice.system)
        first = alice.request("INVITE", uri)
        asked = await alice.expect(407)
        alice.again("ACK", first, to=asked.get("to") or "")
        for password, code in (("wrong", 407), ("secret", 486)):
            credentials = authorization(asked.get("proxy-authenticate") or "", first, "alice", password)
            invite = alice.request("INVITE", uri, headers=(("Proxy-Authorization", credentials),))
            if code == 486:
                leg = await bob.expect("INVITE")
                assert leg.get("proxy-authorization") is None
                await bob.decline(leg, 486)
            alice.again("ACK", invite, to=(await alice.expect(code)).get("to") or "")
        await bob.quiet(10)


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "keeps-one-reason"])
async def test_several_reasons(fault: str) -> None:
    async def play(desk: Desk) -> None:
        desk.dial()
        leg = await desk.phones[0].expect("INVITE")
        desk.phones[0].answer(leg, 480, Reason=["Q.850;cause=18", "SIP;cause=408"])
        told = (await desk.alice.expect(480)).all("reason")
        assert told == ["Q.850;cause=18", *([] if fault else ["SIP;cause=408"])]

    await on_desk(play, *filter(None, [fault]), preferences=(1.0,))


@contextlib.asynccontextmanager
async def forwarding(fault: str, *users: str) -> AsyncIterator[list[Phone]]:
    """Alice has called bob, whose redirections are followed: she, and a phone for each user."""
    system = ReferenceB2bua(faults=(fault,) if fault else ())
    async with Stage(system) as stage:
        phones = await stage.registered(*users)
        assert system._pbx is not None
        system._pbx.router.wish("bob", ["recursion"])
        alice = stage.phone("alice")
        alice.request("INVITE", "sip:bob@{}:{}".format(*alice.system))
        yield [alice, *phones]


async def forward(desk: Phone, *contacts: str) -> None:
    """The phone gets an INVITE and names these users of the system, or whatever is no user."""
    here = "{}:{}".format(*desk.system)
    desk.answer(await desk.expect("INVITE"), 302, contact=[contact.format(here) for contact in contacts])
    await desk.expect("ACK")


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "sends-redirected-calls-back"])
async def test_a_phone_that_forwards_the_call(fault: str) -> None:
    async with forwarding(fault, "bob", "eve") as (alice, desk, mobile):
        await forward(desk, "<sip:eve@{}>")
        if fault:
            await desk.expect("INVITE")
            await mobile.quiet()
        else:
            mobile.answer(await mobile.expect("INVITE"), 200)
            await alice.expect(200)
            await desk.quiet()


@in_virtual_time
@pytest.mark.parametrize(
    ("fault", "contact", "number"),
    [
        ("", "<sip:bob@{}>", 1),
        ("follows-redirects-in-circles", "<sip:bob@{}>", 12),
        ("", "<sips:bob@{}>", 1),
        ("follows-sips-in-the-clear", "<sips:eve@{}>", 1),
        ("", "<tel:+49301234>", 1),
    ],
)
async def test_redirections_that_are_not_followed(fault: str, contact: str, number: int) -> None:
    async with forwarding(fault, "bob", "eve") as (alice, desk, mobile):
        for _ in range(number):
            await forward(desk, contact)
        if fault == "follows-sips-in-the-clear":
            await mobile.expect("INVITE")
        else:
            await alice.expect(302)
            await mobile.quiet()


@in_virtual_time
@pytest.mark.parametrize(("fault", "late"), [("", False), ("waits-after-empty-redirect", True)])
async def test_a_redirection_to_nobody_ends_the_call(fault: str, late: bool) -> None:
    async with forwarding(fault, "bob") as (alice, desk):
        await forward(desk)
        if late:
            await alice.quiet(2)
        assert (await alice.receive(10)).code == (480 if late else 302)


@in_virtual_time
@pytest.mark.parametrize("fault", ["", "follows-first-contact-only"])
async def test_the_next_choice_of_a_redirection(fault: str) -> None:
    async with forwarding(fault, "bob", "eve", "tim") as (alice, desk, mobile, tablet):
        await forward(desk, "<sip:tim@{}>;q=0.1", "<sip:eve@{}>;q=0.9")
        mobile.answer(await mobile.expect("INVITE"), 486)
        if fault:
            await alice.expect(486)
            await tablet.quiet()
        else:
            tablet.answer(await tablet.expect("INVITE"), 200)
            await alice.expect(200)


@pytest.mark.parametrize(
    ("fault", "password", "code"), [("challenges-with-401", "wrong", 401), ("accepts-any-password", "wrong", 480)]
)
@in_virtual_time
async def test_faults_of_digest(fault: str, password: str, code: int) -> None:
    async with Stage(ReferenceB2bua(settings=DIGEST, faults=[fault])) as stage:
        alice = stage.phone("alice")
        uri = "sip:nobody@{}:{}".format(*alice.system)
        sent = alice.request("INVITE", uri)
        asked = await alice.receive()
        challenge = asked.get("www-authenticate") or asked.get("proxy-authenticate") or ""
        name = "Authorization" if asked.code == 401 else "Proxy-Authorization"
        alice.again("ACK", sent, to=asked.get("to") or "")
        alice.request("INVITE", uri, headers=((name, authorization(challenge, sent, "alice", password)),))
        assert (await alice.receive()).code == code


@in_virtual_time
async def test_nothing_happens_after_the_stop() -> None:
    async def play(desk: Desk) -> None:
        desk.dial()
        await desk.rung()
        await desk.stage.system.stop()
        await desk.phones[0].quiet(60)
        await desk.alice.quiet(60)
        await desk.stage.system.start()  # once more
        assert desk.stage.system.info.address

    await on_desk(play, preferences=(1.0,))


def test_what_it_can_is_in_the_vocabulary() -> None:
    assert ReferenceB2bua(settings=Settings(digest=True)).capabilities <= set(CAPABILITIES)
    assert len(set(FAULTS)) == len(FAULTS)
    policy = ReferenceB2bua(settings=Settings(ring_timeout=408, codes={600: 486}))._policy
    assert policy.codes == {"ring-timeout": 408, "600": 486}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"ring": 0.0}, "timer ring is 0s: it must be more"),
        ({"codes": {600: 200}}, "200 is no code of a failure"),
        ({"ring_timeout": 180}, "180 is no code of a failure"),
        ({"too_many_contacts": 200}, "200 is no code of a failure"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: Mapping[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Settings(**wrong)  # type: ignore[arg-type]
