"""Devices that answer requests by script instead of as any user agent would, seen by a raw peer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from on_loop import on_loop
from wire_stage import FAST, TOKEN, Peer, Stage, peer, script, stage

from sip_harness.agents.base import Assignment
from sip_harness.agents.wire import WireAgent
from sip_harness.model.steps import Delivery, HangUp, NoTrying, Raw, Request, Send, Silence, Step, Wait
from sip_harness.model.system import User

RINGING, OK, BUSY, ENDED = (
    Send(180, "Ringing"),
    Send(200, "OK"),
    Send(486, "Busy Here"),
    Send(487, "Request Terminated"),
)
GONE = Send(481, "Call/Transaction Does Not Exist")


def to_invite(step: Send) -> Send:
    return Send(step.code, step.reason, to="INVITE")


def reacting(here: Stage, method: str, *reactions: tuple[Step, ...], answer: Sequence[Step] = (RINGING,)) -> WireAgent:
    """A device that answers like this and reacts to this method like that."""
    return here.device("desk", tuple(answer), timers=FAST, on={method: reactions})


async def ringing(here: Stage, far: Peer, method: str, *reactions: tuple[Step, ...]) -> WireAgent:
    """A device that rings."""
    desk = reacting(here, method, *reactions)
    await desk.start()
    far.ask(desk.local, "INVITE", branch="z9hG4bKinv")
    assert (await far.get()).code == 180
    return desk


async def answered(here: Stage, far: Peer, method: str, *reactions: tuple[Step, ...]) -> tuple[WireAgent, str]:
    """A device in a call, and its tag."""
    desk = reacting(here, method, *reactions, answer=(OK,))
    await desk.start()
    far.ask(desk.local, "INVITE", branch="z9hG4bKinv")
    tag = (await far.get()).to_tag
    far.ask(desk.local, "ACK", to_tag=tag)
    await here.see("desk gets ACK")
    return desk, tag


async def codes(far: Peer, count: int) -> list[str]:
    """The next responses, as a ladder names them."""
    found = [await far.get() for _ in range(count)]
    return [str(m.code) if m.cseq[1] == "INVITE" else f"{m.code} to {m.cseq[1]}" for m in found]


class TestCancel:
    @on_loop
    async def test_487_later(self) -> None:
        async with stage() as here, peer() as far:
            desk = await ringing(here, far, "CANCEL", (OK, Wait(0.2), to_invite(ENDED)))
            far.ask(desk.local, "CANCEL", branch="z9hG4bKinv")
            assert await codes(far, 2) == ["200 to CANCEL", "487"]
            ok, ended = here.entry("desk sends 200 to CANCEL"), here.entry("desk sends 487")
            assert (ended.time - ok.time) / 1e9 > 0.199
            assert [ok.origin, ended.origin] == ["script", "script"]
            tags = {here.message(f"desk sends {line}").to_tag for line in ("180", "200 to CANCEL", "487")}
            assert len(tags) == 1, "RFC 3261 9.2: the response to CANCEL has the tag of that to its INVITE"
            far.ask(desk.local, "ACK", branch="z9hG4bKinv", to_tag=tags.pop())
            assert [n.text for n in here.notes("step")] == ["180 Ringing", "200 OK", "487 Request Terminated to INVITE"]

    @on_loop
    @pytest.mark.parametrize("reversed_", [False, True])
    async def test_a_late_200_before_or_after_the_200_to_cancel(self, reversed_: bool) -> None:
        async with stage() as here, peer() as far:
            steps = (to_invite(OK), OK) if reversed_ else (OK, to_invite(OK))
            desk = await ringing(here, far, "CANCEL", steps)
            far.ask(desk.local, "CANCEL", branch="z9hG4bKinv")
            assert await codes(far, 2) == (["200", "200 to CANCEL"] if reversed_ else ["200 to CANCEL", "200"])
            tag = here.message("desk sends 200").to_tag
            far.ask(desk.local, "ACK", to_tag=tag)
            far.ask(desk.local, "BYE", to_tag=tag, seq=2)
            await here.see("desk sends 200 to BYE")

    @on_loop
    @pytest.mark.parametrize(
        ("steps", "lines"), [((OK,), ["200 to CANCEL"]), ((GONE,), ["481 to CANCEL"]), ((Silence(),), [])]
    )
    async def test_without_an_end_to_the_invite(self, steps: tuple[Step, ...], lines: list[str]) -> None:
        async with stage() as here, peer() as far:
            desk = await ringing(here, far, "CANCEL", steps)
            for _ in range(2):
                far.ask(desk.local, "CANCEL", branch="z9hG4bKinv")
            await here.see("desk gets CANCEL", "desk gets CANCEL")
            far.ask(desk.local, "OPTIONS", call_id="witness")
            assert await codes(far, 2 * len(lines) + 1) == [*lines, *lines, "200 to OPTIONS"], "a retransmission is one"

    @on_loop
    async def test_another_final(self) -> None:
        async with stage() as here, peer() as far:
            desk = await ringing(here, far, "CANCEL", (OK, to_invite(Send(486, "Busy"))))
            far.ask(desk.local, "CANCEL", branch="z9hG4bKinv")
            assert await codes(far, 2) == ["200 to CANCEL", "486"]

    @on_loop
    async def test_a_final_in_reaction_ends_the_script(self) -> None:
        async with stage() as here, peer() as far:
            desk = reacting(here, "CANCEL", (OK, to_invite(ENDED)), answer=(RINGING, Wait(0.3), OK))
            await desk.start()
            far.ask(desk.local, "INVITE", branch="z9hG4bKinv")
            far.ask(desk.local, "CANCEL", branch="z9hG4bKinv")
            assert await codes(far, 3) == ["180", "200 to CANCEL", "487"]
            assert not desk.busy
            far.ask(desk.local, "ACK", branch="z9hG4bKinv", to_tag=here.message("desk sends 487").to_tag)

    @on_loop
    async def test_the_script_goes_on_where_the_cancel_is_ignored(self) -> None:
        async with stage() as here, peer() as far:
            desk = reacting(here, "CANCEL", (Silence(),), answer=(RINGING, Wait(0.3), OK))
            await desk.start()
            far.ask(desk.local, "INVITE", branch="z9hG4bKinv")
            far.ask(desk.local, "CANCEL", branch="z9hG4bKinv")
            assert await codes(far, 2) == ["180", "200"]
            assert here.entry("desk gets CANCEL").time < here.entry("desk sends 200").time

    @on_loop
    async def test_of_nothing(self) -> None:
        async with stage() as here, peer() as far:
            desk = reacting(here, "CANCEL", (OK, to_invite(ENDED)))
            await desk.start()
            far.ask(desk.local, "CANCEL", branch="z9hG4bKnone")
            assert await codes(far, 1) == ["200 to CANCEL"]
            await here.until(lambda: bool(here.notes("engine")))
            assert here.notes("engine")[0].text == "no INVITE is pending: 487 was not sent"

    @on_loop
    async def test_of_the_right_call_among_several(self) -> None:
        async with stage() as here, peer() as far:
            desk = reacting(here, "CANCEL", (OK, to_invite(ENDED)))
            await desk.start()
            for name in ("one", "two", "three"):
                far.ask(desk.local, "INVITE", branch=f"z9hG4bK{name}", call_id=name)
                assert (await far.get()).call_id == name
            far.ask(desk.local, "CANCEL", branch="z9hG4bKtwo", call_id="two")
            assert await codes(far, 2) == ["200 to CANCEL", "487"]
            assert here.message("desk sends 487").call_id == "two"

    @on_loop
    async def test_a_device_without_a_reaction_does_as_any(self) -> None:
        async with stage() as here, peer() as far:
            desk = await ringing(here, far, "BYE", (GONE,))
            far.ask(desk.local, "CANCEL", branch="z9hG4bKinv")
            assert await codes(far, 2) == ["200 to CANCEL", "487"]
            assert here.entry("desk sends 487").origin == "protocol"


class TestBye:
    @on_loop
    @pytest.mark.parametrize("code", [200, 408, 481])
    async def test_what_ends_the_dialog(self, code: int) -> None:
        async with stage() as here, peer() as far:
            desk, tag = await answered(here, far, "BYE", (Send(code, "Word"),))
            far.ask(desk.local, "BYE", to_tag=tag, seq=2)
            assert await codes(far, 1) == [f"{code} to BYE"]
            far.ask(desk.local, "OPTIONS", to_tag=tag, seq=3)
            assert await codes(far, 1) == ["481 to OPTIONS"], "there is no such dialog any more"

    @on_loop
    @pytest.mark.parametrize("code", [401, 500])
    async def test_what_does_not(self, code: int) -> None:
        async with stage() as here, peer() as far:
            desk, tag = await answered(here, far, "BYE", (Send(code, "Word"),), (OK,))
            far.ask(desk.local, "BYE", to_tag=tag, seq=2)
            far.ask(desk.local, "OPTIONS", to_tag=tag, seq=3)
            far.ask(desk.local, "BYE", to_tag=tag, seq=4)
            assert await codes(far, 3) == [f"{code} to BYE", "200 to OPTIONS", "200 to BYE"]

    @on_loop
    async def test_silence(self) -> None:
        async with stage() as here, peer() as far:
            desk, tag = await answered(here, far, "BYE", (Silence(),))
            far.ask(desk.local, "BYE", to_tag=tag, seq=2)
            await here.see("desk gets BYE")
            await desk.stop()
            assert here.ladder()[-1] == "desk gets BYE", "nor does it hang up itself when it is stopped"

    @on_loop
    async def test_the_script_may_still_hang_up(self) -> None:
        async with stage() as here, peer() as far:
            desk = reacting(here, "BYE", (Silence(),), answer=(OK, Wait(0.2), HangUp()))
            await desk.start()
            far.ask(desk.local, "INVITE", branch="z9hG4bKinv")
            tag = (await far.get()).to_tag
            far.ask(desk.local, "ACK", to_tag=tag)
            far.ask(desk.local, "BYE", to_tag=tag, seq=2)
            bye = await far.get("BYE")
            far.answer(bye, 200)
            assert here.entry("desk gets BYE").time < here.entry("desk sends BYE").time
            assert here.entry("desk sends BYE").origin == "script"

    @on_loop
    async def test_outside_of_a_dialog(self) -> None:
        async with stage() as here, peer() as far:
            desk = reacting(here, "BYE", (Send(603, "Decline"),))
            await desk.start()
            far.ask(desk.local, "BYE", to_tag="gone")
            far.ask(desk.local, "BYE", call_id="none")
            assert await codes(far, 2) == ["603 to BYE"] * 2


class TestReInvite:
    @on_loop
    async def test_refused(self) -> None:
        async with stage() as here, peer() as far:
            desk, tag = await answered(here, far, "re-INVITE", (Send(488, "Not Acceptable Here"),))
            far.ask(desk.local, "INVITE", to_tag=tag, seq=2, branch="z9hG4bKre")
            assert await codes(far, 1) == ["488"]
            far.ask(desk.local, "ACK", to_tag=tag, seq=2, branch="z9hG4bKre")
            far.ask(desk.local, "BYE", to_tag=tag, seq=3)
            await here.see("desk sends 200 to BYE")
            assert here.message("desk sends 488").to_tag == tag
            assert here.entry("desk sends 488").origin == "script"

    @on_loop
    async def test_accepted_until_its_ack_with_100_before(self) -> None:
        async with stage() as here, peer() as far:
            desk, tag = await answered(here, far, "re-INVITE", (Wait(0.1), OK))
            far.ask(desk.local, "INVITE", to_tag=tag, seq=2)
            assert await codes(far, 3) == ["100", "200", "200"]
            ok = here.message("desk sends 200", 1)
            assert (ok.cseq[0], ok.to_tag, b"m=audio" in ok.body) == (2, tag, True)
            far.ask(desk.local, "ACK", to_tag=tag, seq=2)
            far.ask(desk.local, "BYE", to_tag=tag, seq=3)
            await here.see("desk sends 200 to BYE")
            assert here.entry("desk sends 100").origin == "protocol"

    @on_loop
    @pytest.mark.parametrize("first", [NoTrying(), Silence()])
    async def test_silence(self, first: Step) -> None:
        async with stage() as here, peer() as far:
            desk, tag = await answered(here, far, "re-INVITE", (first,))
            far.ask(desk.local, "INVITE", to_tag=tag, seq=2)
            far.ask(desk.local, "OPTIONS", to_tag=tag, seq=3)
            assert await codes(far, 1) == ["200 to OPTIONS"]

    @on_loop
    async def test_cancelled_as_by_any(self) -> None:
        async with stage() as here, peer() as far:
            desk, tag = await answered(here, far, "re-INVITE", (RINGING, Wait(5), OK))
            far.ask(desk.local, "INVITE", to_tag=tag, seq=2, branch="z9hG4bKre")
            far.ask(desk.local, "CANCEL", to_tag=tag, seq=2, branch="z9hG4bKre")
            assert await codes(far, 3) == ["180", "200 to CANCEL", "487"]
            far.ask(desk.local, "ACK", to_tag=tag, seq=2, branch="z9hG4bKre")
            far.ask(desk.local, "BYE", to_tag=tag, seq=3)
            assert await codes(far, 1) == ["200 to BYE"]

    @on_loop
    async def test_cancelled_by_script(self) -> None:
        async with stage() as here, peer() as far:
            on = {"re-INVITE": [(RINGING,)], "CANCEL": [(OK, Wait(0.1), to_invite(Send(491, "Pending")))]}
            desk = here.device("desk", (OK,), timers=FAST, on=on)
            await desk.start()
            far.ask(desk.local, "INVITE")
            tag = (await far.get()).to_tag
            far.ask(desk.local, "ACK", to_tag=tag)
            far.ask(desk.local, "INVITE", to_tag=tag, seq=2, branch="z9hG4bKre")
            far.ask(desk.local, "CANCEL", to_tag=tag, seq=2, branch="z9hG4bKre")
            assert await codes(far, 3) == ["180", "200 to CANCEL", "491"]
            assert here.message("desk sends 491").cseq == (2, "INVITE")

    @on_loop
    async def test_a_reliable_provisional(self) -> None:
        async with stage() as here, peer() as far:
            step = Send(183, "Session Progress", how=Delivery(reliable=True))
            desk, tag = await answered(here, far, "re-INVITE", (step, Wait(0.4), BUSY))
            far.ask(desk.local, "INVITE", to_tag=tag, seq=2, branch="z9hG4bKre")
            progress = [await far.get() for _ in range(2)]
            assert progress[0].data == progress[1].data
            far.ask(desk.local, "PRACK", ("RAck", f"{progress[0].get('rseq')} 2 INVITE"), to_tag=tag, seq=3)
            await here.see("desk sends 200 to PRACK", "desk sends 486")
            acked = here.entry("desk sends 200 to PRACK").time
            assert all(m.time < acked for m in here.messages("desk") if b"183 Session" in m.data)

    @on_loop
    async def test_with_an_unknown_tag(self) -> None:
        async with stage() as here, peer() as far:
            desk = reacting(here, "re-INVITE", (Send(606, "Not Acceptable"),))
            await desk.start()
            far.ask(desk.local, "INVITE", to_tag="gone", branch="z9hG4bKre")
            assert await codes(far, 1) == ["606"]
            far.ask(desk.local, "ACK", to_tag="gone", branch="z9hG4bKre")


METHODS = ("UPDATE", "INFO", "REFER", "MESSAGE", "SUBSCRIBE", "NOTIFY", "OPTIONS", "PUBLISH", "PRACK", "FOO")


class TestOthers:
    @on_loop
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("inside", [True, False])
    async def test_any_method_any_code_any_header(self, method: str, inside: bool) -> None:
        async with stage() as here, peer() as far:
            step = Send(493, "Undecipherable", (("X-A", "1"), ("X-A", "2")), body="why", content_type="text/plain")
            desk, tag = await answered(here, far, method, (step,))
            far.ask(desk.local, method, to_tag=tag if inside else "", seq=2)
            got = await far.get()
            assert (got.start, got.cseq) == ("SIP/2.0 493 Undecipherable", (2, method))
            assert (got.all("x-a"), got.body, got.get("content-type")) == (["1", "2"], b"why", "text/plain")
            assert (got.to_tag == tag) is inside
            assert got.to_tag
            assert here.entry(f"desk sends 493 to {method}").origin == "script"

    @on_loop
    async def test_by_number_of_the_request(self) -> None:
        async with stage() as here, peer() as far:
            desk = reacting(here, "OPTIONS", (Silence(),), (Send(503, "No"),), (OK,))
            await desk.start()
            for branch in ("z9hG4bK1", "z9hG4bK1", "z9hG4bK2", "z9hG4bK2", "z9hG4bK3", "z9hG4bK4"):
                far.ask(desk.local, "OPTIONS", branch=branch)
            assert await codes(far, 4) == ["503 to OPTIONS", "503 to OPTIONS", "200 to OPTIONS", "200 to OPTIONS"]
            assert [n.data["number"] for n in here.notes("step")] == ["0", "1", "2", "3"]

    @on_loop
    async def test_methods_are_counted_apart(self) -> None:
        async with stage() as here, peer() as far:
            on = {"INFO": [(OK,), (BUSY,)], "MESSAGE": [(Send(202, "Accepted"),), (BUSY,)]}
            desk = here.device("desk", (BUSY,), on=on)
            await desk.start()
            far.ask(desk.local, "INFO")
            far.ask(desk.local, "MESSAGE")
            assert await codes(far, 2) == ["200 to INFO", "202 to MESSAGE"]

    @on_loop
    async def test_later_and_several(self) -> None:
        async with stage() as here, peer() as far:
            desk = reacting(here, "MESSAGE", (Send(100, "Trying"), Wait(0.1), OK, Send(603, "Decline")))
            await desk.start()
            far.ask(desk.local, "MESSAGE")
            assert await codes(far, 3) == ["100 to MESSAGE", "200 to MESSAGE", "603 to MESSAGE"]
            assert desk.busy is False

    @on_loop
    async def test_damaged_and_exact(self) -> None:
        async with stage() as here, peer() as far:
            raw = Raw(b"SIP/2.0 299 Raw\r\nVia: {via}\r\nCSeq: {cseq}\r\n\r\n", "raw.sip")
            desk = reacting(here, "MESSAGE", (Send(200, "OK", how=Delivery(branch="other", copies=2)), raw))
            await desk.start()
            far.ask(desk.local, "MESSAGE", branch="z9hG4bKm")
            first, second, third = [await far.get() for _ in range(3)]
            assert first.data == second.data
            assert first.branch != "z9hG4bKm"
            assert (third.code, third.branch) == (299, "z9hG4bKm")

    @on_loop
    async def test_a_request_in_reaction(self) -> None:
        """A subscription in a dialog of its own: 200, then its NOTIFY (RFC 6665 4.2.1.2)."""
        async with stage() as here, peer() as far:
            notify = Request("NOTIFY", (("Event", "presence"), ("Subscription-State", "active")))
            desk = reacting(here, "SUBSCRIBE", (OK, notify))
            await desk.start()
            far.ask(desk.local, "SUBSCRIBE", ("Expires", "60"))
            ok, told = await far.get(), await far.get("NOTIFY")
            far.answer(told, 200)
            assert (ok.get("expires"), told.from_tag, told.to_tag) == ("60", ok.to_tag, "peer")

    @on_loop
    async def test_a_request_in_the_call(self) -> None:
        async with stage() as here, peer() as far:
            desk, tag = await answered(here, far, "INFO", (OK, Request("UPDATE"), HangUp()))
            far.ask(desk.local, "INFO", to_tag=tag, seq=2)
            assert (await far.get()).code == 200
            far.answer(await far.get("UPDATE"), 200)
            far.answer(await far.get("BYE"), 200)
            await here.see("desk gets 200 to BYE")

    @on_loop
    async def test_prack_by_script(self) -> None:
        async with stage() as here, peer() as far:
            progress = Send(183, "Session Progress", how=Delivery(reliable=True))
            desk = reacting(here, "PRACK", (GONE,), (OK,), answer=(progress,))
            await desk.start()
            far.ask(desk.local, "INVITE", branch="z9hG4bKinv")
            first = await far.get()
            rack = ("RAck", f"{first.get('rseq')} 1 INVITE")
            far.ask(desk.local, "PRACK", rack, to_tag=first.to_tag, seq=2)
            await here.see("desk sends 481 to PRACK")
            before = here.ladder().count("desk sends 183")
            await here.see(*["desk sends 183"] * (before + 1))
            far.ask(desk.local, "PRACK", rack, to_tag=first.to_tag, seq=3)
            await here.see("desk sends 200 to PRACK")
            far.ask(desk.local, "CANCEL", branch="z9hG4bKinv")
            await here.see("desk sends 487")
            acked = here.entry("desk sends 200 to PRACK").time
            assert all(m.time < acked for m in here.messages("desk") if b"183 Session" in m.data)

    @on_loop
    async def test_a_silent_call_still_reacts_by_script(self) -> None:
        async with stage() as here, peer() as far:
            desk = reacting(here, "CANCEL", (OK,), answer=(Silence(),))
            await desk.start()
            far.ask(desk.local, "INVITE", branch="z9hG4bKinv")
            far.ask(desk.local, "CANCEL", branch="z9hG4bKinv")
            assert await codes(far, 1) == ["200 to CANCEL"]


class TestRegistrar:
    @on_loop
    async def test_contacts_come_back_with_their_lifetime(self) -> None:
        async with stage() as here, peer() as far:
            desk = reacting(here, "REGISTER", (OK,))
            await desk.start()
            far.ask(desk.local, "REGISTER", ("Expires", "60"))
            ok = await far.get()
            assert ok.all("contact") == [f"<sip:peer@127.0.0.1:{far.address[1]}>;expires=60"]

    @on_loop
    async def test_what_the_author_gives_replaces_it(self) -> None:
        async with stage() as here, peer() as far:
            desk = reacting(here, "REGISTER", (Send(200, "OK", (("Contact", "<sip:x@y>;expires=1"),)),))
            await desk.start()
            far.ask(desk.local, "REGISTER")
            assert (await far.get()).all("contact") == ["<sip:x@y>;expires=1"]

    @on_loop
    async def test_an_agent_of_ours_registers_there(self) -> None:
        """Refused with a longer lifetime first: it asks for that and is registered, then unregisters."""
        async with stage() as here:
            brief = Send(423, "Interval Too Brief", (("Min-Expires", "120"),))
            registrar = here.device("registrar", (BUSY,), on={"REGISTER": [(brief,), (OK,)]})
            await registrar.start()
            user, contact = User("bob", "x.test"), f"{TOKEN}bob"
            bob = Assignment("bob", "device", user, contact, registrar.local, TOKEN, script((BUSY,)), register=True)
            phone = here.add(bob)
            await phone.start()
            assert [n.data["expires"] for n in here.notes("registered")] == ["120"]
            await phone.stop()
            await here.see(*["bob sends REGISTER"] * 3)
            assert here.message("bob sends REGISTER", 2).get("expires") == "0"
            assert here.message("bob gets 200 to REGISTER", 1).all("contact") == []
