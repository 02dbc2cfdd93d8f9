"""A MESSAGE through the embedded PBX, on the wire; in virtual time."""

from __future__ import annotations

import pytest
from b2bua_desk import Desk, on_desk
from on_loop import in_virtual_time

from sip_harness.sip.message import Message
from sip_harness.sip.uri import uri_text

TEXT = ("Content-Type", "text/plain")


def write(desk: Desk, user: str = "bob", hops: str = "70") -> Message:
    here = "{}:{}".format(*desk.alice.system)
    more = (TEXT, ("Subject", "lunch"))
    return desk.alice.request("MESSAGE", f"sip:{user}@{here}", headers=more, body=b"hello", hops=hops, contact="")


@in_virtual_time
async def test_every_device_gets_a_request_of_its_own_and_the_first_2xx_counts() -> None:
    async def play(desk: Desk) -> None:
        sent = write(desk)
        copies = [await phone.expect("MESSAGE") for phone in desk.phones]
        assert len({m.call_id for m in (sent, *copies)}) == 3
        for copy, phone in zip(copies, desk.phones, strict=True):
            assert (copy.uri, copy.body, copy.get("content-type")) == (phone.contact, b"hello", TEXT[1])
            assert (copy.get("max-forwards"), copy.get("subject"), copy.get("contact")) == ("69", "lunch", None)
            assert uri_text(copy.get("from") or "") == uri_text(sent.get("from") or "")
        desk.phones[1].answer(copies[1], 202)
        assert (await desk.alice.expect(202)).cseq == (1, "MESSAGE")
        desk.phones[0].answer(copies[0], 200)
        await desk.alice.quiet(60)

    await on_desk(play)


@in_virtual_time
@pytest.mark.parametrize(
    ("codes", "told", "fault"),
    [
        ((404, 480), 404, ""),
        ((404, 0), 404, ""),
        ((0, 0), 504, ""),
        ((607,), 607, ""),
        ((600,), 600, ""),
        ((600,), 486, "maps-600-to-486"),
    ],
)
async def test_what_the_sender_hears_of_refusals(codes: tuple[int, ...], told: int, fault: str) -> None:
    async def play(desk: Desk) -> None:
        write(desk)
        copies = [await phone.expect("MESSAGE") for phone in desk.phones]
        for copy, phone, code in zip(copies, desk.phones, codes, strict=False):
            if code:
                phone.answer(copy, code)
        assert (await desk.alice.receive(2)).code == told
        await desk.alice.quiet(60)

    await on_desk(play, *filter(None, [fault]))


@in_virtual_time
@pytest.mark.parametrize(("user", "hops", "told"), [("nobody", "70", 480), ("bob", "0", 483)])
async def test_a_message_that_goes_nowhere(user: str, hops: str, told: int) -> None:
    async def play(desk: Desk) -> None:
        write(desk, user, hops)
        await desk.alice.expect(told)

    await on_desk(play)


@in_virtual_time
async def test_a_device_that_cannot_be_reached_has_refused() -> None:
    async def play(desk: Desk) -> None:
        [phone] = desk.phones
        await phone.register(contact="<sip:bob@elsewhere.test>;expires=60")
        write(desk)
        phone.answer(await phone.expect("MESSAGE"), 486)
        await desk.alice.expect(480)

    await on_desk(play, preferences=(1.0,))


@in_virtual_time
async def test_what_is_under_way_when_a_run_ends_is_forgotten() -> None:
    async def play(desk: Desk) -> None:
        write(desk)
        copy = await desk.phones[0].expect("MESSAGE")
        await desk.stage.system.stop()
        desk.phones[0].answer(copy, 200)
        await desk.alice.quiet(60)

    await on_desk(play)
