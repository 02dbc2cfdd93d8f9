"""Devices that are deaf to some messages, and devices that cut their own wire."""

from __future__ import annotations

import asyncio
import socket

import pytest
from on_loop import on_loop
from wire_stage import FAST, LIMIT, peer, stage

from sip_harness.endpoint.deafness import Deafness
from sip_harness.model.entry import Message as Entry
from sip_harness.model.pattern import Pattern, RequestPattern, ResponsePattern
from sip_harness.model.script import Loss
from sip_harness.model.steps import Disconnect, HangUp, Send, Wait
from sip_harness.record.seen import Reader
from sip_harness.sip.message import build, parse

RINGING, OK, BUSY = Send(180, "Ringing"), Send(200, "OK"), Send(486, "Busy Here")


def ack(*codes: int) -> RequestPattern:
    return RequestPattern("ACK", frozenset(codes))


class TestPattern:
    """Which messages are lost, one after the other."""

    @staticmethod
    def heard(losses: tuple[Loss, ...], *messages: str) -> list[bool]:
        """Whether each is heard: `< INVITE`, `> 486`, `< ACK`."""
        deafness, reader, found = Deafness(losses), Reader(), []
        for text in messages:
            way, what = text.split()
            method = what if what.isalpha() else "INVITE"
            start = f"{what} sip:a@h SIP/2.0" if what.isalpha() else f"SIP/2.0 {what} Word"
            headers = [("Call-ID", "c"), ("CSeq", f"1 {method}"), ("To", "<sip:a@h>;tag=t")]
            way = "received" if way == "<" else "sent"
            address = ("127.0.0.1", 1)
            entry = Entry(0, 0, "desk", way, address, address, build(start, headers), "system")  # type: ignore[arg-type]
            found.append(not deafness.misses(reader.read(entry)))
        return found

    @pytest.mark.parametrize(
        ("losses", "heard"),
        [
            ((), [True] * 5),
            ((Loss(RequestPattern("ACK")),), [True, True, False, False, False]),
            ((Loss(ack(), first=2),), [True, True, False, False, True]),
            ((Loss(ack(486)),), [True, True, False, False, False]),
            ((Loss(ack(603)),), [True] * 5),
            ((Loss(RequestPattern("INVITE"), first=1),), [False, True, True, True, True]),
            ((Loss(ResponsePattern(frozenset({486}))),), [True] * 5),
            ((Loss(ack(), first=1), Loss(ack(486), first=2)), [True, True, False, False, True]),
        ],
    )
    def test_of_requests(self, losses: tuple[Loss, ...], heard: list[bool]) -> None:
        assert self.heard(losses, "< INVITE", "> 486", "< ACK", "< ACK", "< ACK") == heard

    def test_of_responses(self) -> None:
        pattern: Pattern = ResponsePattern(frozenset({180, 183}))
        assert self.heard((Loss(pattern, first=2),), "> INVITE", "< 180", "< 200", "< 183", "< 180") == [
            True, False, True, False, True
        ]  # fmt: skip


class TestLosses:
    @on_loop
    async def test_deaf_to_the_first_two_acks(self) -> None:
        async with stage() as here, peer() as far:
            desk = here.device("desk", (BUSY,), timers=FAST, lose=(Loss(ack(), first=2),))
            await desk.start()
            far.ask(desk.local, "INVITE", branch="z9hG4bKinv")
            for _ in range(3):
                busy = await far.get()
                far.ask(desk.local, "ACK", branch="z9hG4bKinv", to_tag=busy.to_tag)
            await here.see(*["desk gets ACK"] * 3)
            await asyncio.sleep(0.5)
            assert here.ladder().count("desk sends 486") == 3
            assert here.ladder().count("desk gets ACK") == 3, "what is lost is recorded"

    @on_loop
    async def test_deaf_to_every_ack_until_timer_h(self) -> None:
        async with stage() as here, peer() as far:
            desk = here.device("desk", (BUSY,), timers=FAST, lose=(Loss(ack(486)),))
            await desk.start()
            far.ask(desk.local, "INVITE", branch="z9hG4bKinv")
            busy = await far.get()
            far.ask(desk.local, "ACK", branch="z9hG4bKinv", to_tag=busy.to_tag)
            # Timer G from 50 ms doubling to 200 ms, for 3.2 s (Timer H): 18 times if nothing is late (RFC 3261 17.2.1).
            await here.until(lambda: here.ladder().count("desk sends 486") >= 12)
            assert here.ladder().count("desk gets ACK") == 1

    @on_loop
    async def test_deaf_to_the_ack_of_a_2xx(self) -> None:
        async with stage() as here, peer() as far:
            desk = here.device("desk", (OK,), timers=FAST, lose=(Loss(ack(200), first=1),))
            await desk.start()
            far.ask(desk.local, "INVITE", branch="z9hG4bKinv")
            for _ in range(2):
                far.ask(desk.local, "ACK", to_tag=(await far.get()).to_tag)
            await here.see("desk gets ACK", "desk gets ACK")
            far.ask(desk.local, "BYE", to_tag=here.message("desk sends 200").to_tag, seq=2)
            await here.see("desk sends 200 to BYE")
            assert here.ladder().count("desk sends 200") == 2

    @on_loop
    @pytest.mark.parametrize("method", ["CANCEL", "INVITE"])
    async def test_a_request_that_is_heard_the_second_time(self, method: str) -> None:
        async with stage() as here, peer() as far:
            desk = here.device("desk", (RINGING,), timers=FAST, lose=(Loss(RequestPattern(method), first=1),))
            await desk.start()
            for name in ("INVITE", "CANCEL"):
                for _ in range(2 if name == method else 1):
                    far.ask(desk.local, name, branch="z9hG4bKinv")
                await here.see(*[f"desk gets {name}"] * (2 if name == method else 1))
            await here.see("desk sends 200 to CANCEL", "desk sends 487")
            assert here.ladder().count("desk sends 180") == 1
            assert here.ladder().count("desk sends 200 to CANCEL") == 1

    @on_loop
    async def test_deaf_to_bye(self) -> None:
        async with stage() as here, peer() as far:
            desk = here.device("desk", (OK,), timers=FAST, lose=(Loss(RequestPattern("BYE")),))
            await desk.start()
            far.ask(desk.local, "INVITE", branch="z9hG4bKinv")
            tag = (await far.get()).to_tag
            far.ask(desk.local, "ACK", to_tag=tag)
            for _ in range(3):
                far.ask(desk.local, "BYE", to_tag=tag, seq=2, branch="z9hG4bKbye")
            far.ask(desk.local, "OPTIONS", to_tag=tag, seq=3)
            assert (await far.get()).cseq[1] == "OPTIONS"
            assert here.ladder().count("desk gets BYE") == 3

    @on_loop
    async def test_deaf_to_the_response_of_its_bye(self) -> None:
        async with stage() as here, peer() as far:
            lose = (Loss(ResponsePattern(frozenset({200}), "BYE"), first=1),)
            desk = here.device("desk", (OK, Wait(0.05), HangUp()), timers=FAST, lose=lose)
            await desk.start()
            far.ask(desk.local, "INVITE", branch="z9hG4bKinv")
            far.ask(desk.local, "ACK", to_tag=(await far.get()).to_tag)
            for _ in range(2):
                far.answer(await far.find("BYE"), 200)
            await here.see(*["desk gets 200 to BYE"] * 2)
            assert here.ladder().count("desk sends BYE") == 2


class TestDisconnect:
    @on_loop
    async def test_what_comes_after_a_close_meets_icmp(self) -> None:
        async with stage() as here, peer() as far:
            desk = here.device("desk", (RINGING, Disconnect("close"), BUSY), timers=FAST)
            await desk.start()
            far.ask(desk.local, "INVITE", branch="z9hG4bKinv")
            assert (await far.get()).code == 180
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.connect(desk.local)
                sock.settimeout(LIMIT)
                sock.send(b"OPTIONS sip:a SIP/2.0\r\n\r\n")
                with pytest.raises(ConnectionRefusedError):
                    sock.recv(1)
            assert here.ladder() == ["desk gets INVITE", "desk sends 180"]
            assert here.notes("refused") == [], "the script wanted it so"
            assert [n.data.get("disconnect") for n in here.notes("step")] == [None, "close", None]

    @on_loop
    async def test_half_open_answers_nothing_more(self) -> None:
        async with stage() as here, peer() as far:
            desk = here.device("desk", (RINGING, Disconnect("half-open"), Wait(0.2), BUSY), timers=FAST)
            await desk.start()
            far.ask(desk.local, "INVITE", branch="z9hG4bKinv")
            assert (await far.get()).code == 180
            far.ask(desk.local, "CANCEL", branch="z9hG4bKinv")
            assert (await far.get()).code == 486, "it still sends"
            assert parse(here.messages("desk")[-1].data).code == 486
            assert "desk gets CANCEL" not in here.ladder()
