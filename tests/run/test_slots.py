"""Slots: as many at once as were asked for, fewer while the machine cannot keep up."""

from __future__ import annotations

import asyncio

import pytest

from sip_harness.run.slots import Slots


async def most_at_once(slots: Slots, number: int) -> int:
    """How many of these tasks were inside together; all of them end."""
    inside = most = 0

    async def one() -> None:
        nonlocal inside, most
        async with slots.take():
            inside += 1
            most = max(most, inside)
            for _ in range(3):
                await asyncio.sleep(0)
            inside -= 1

    async with asyncio.timeout(20):
        await asyncio.gather(*(one() for _ in range(number)))
    return most


@pytest.mark.parametrize(("narrowed", "at_once"), [(0, 8), (1, 4), (2, 2), (3, 1), (9, 1)])
def test_each_stall_halves_what_may_perform_down_to_one(narrowed: int, at_once: int) -> None:
    async def work() -> None:
        slots = Slots(8)
        for _ in range(narrowed):
            slots.narrow()
        assert await most_at_once(slots, 20) == at_once

    asyncio.run(work())


def test_who_wants_to_be_alone_is_alone_and_waits_for_nobody_who_comes_later() -> None:
    async def work() -> None:
        slots, inside, seen = Slots(4), list[str](), list[str]()

        async def one(name: str, *, alone: bool = False) -> None:
            async with slots.take(alone=alone):
                inside.append(name)
                for _ in range(3):
                    await asyncio.sleep(0)
                    seen.append("+".join(sorted(inside)))
                inside.remove(name)

        early = [one(name) for name in "ab"]
        later = [one(name) for name in "cd"]
        async with asyncio.timeout(20):
            await asyncio.gather(*early, one("X", alone=True), one("Y", alone=True), *later)
        assert {who for who in seen if "X" in who or "Y" in who} == {"X", "Y"}
        begun = list(dict.fromkeys(seen))
        assert begun.index("a+b") < begun.index("X") < begun.index("Y") < begun.index("c+d")

    asyncio.run(work())


def test_who_gives_up_waiting_to_be_alone_keeps_nobody_out() -> None:
    async def work() -> None:
        slots = Slots(2)
        async with slots.take():
            waiting = asyncio.create_task(enter(slots))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            async with asyncio.timeout(20), slots.take():
                pass

    async def enter(slots: Slots) -> None:
        async with slots.take(alone=True):
            pass

    asyncio.run(work())


def test_runs_that_go_well_open_it_again_up_to_what_was_asked_for() -> None:
    async def work() -> None:
        slots = Slots(3)
        slots.narrow()
        opened = []
        for _ in range(20):
            slots.went_well()
            opened.append(slots.open)
        assert opened == sorted(opened)
        assert (opened[0], opened[-1]) == (1, 3)
        assert await most_at_once(slots, 10) == 3

    asyncio.run(work())


def test_a_task_that_is_cancelled_inside_or_waiting_leaves_its_slot() -> None:
    async def work() -> None:
        slots, entered = Slots(1), asyncio.Event()

        async def stay() -> None:
            async with slots.take():
                entered.set()
                await asyncio.Event().wait()

        inside, waiting = asyncio.create_task(stay()), asyncio.create_task(stay())
        await entered.wait()
        waiting.cancel()
        inside.cancel()
        await asyncio.gather(inside, waiting, return_exceptions=True)
        assert await most_at_once(slots, 2) == 1

    asyncio.run(work())
