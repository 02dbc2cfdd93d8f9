"""A loop that stands still is no reason for the reference to give anybody up."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from on_loop import on_loop

from sip_harness.net.clock import Clock
from sip_harness.systems.reference.patience import PASSES, PatientClock


def hold_up(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@on_loop
@pytest.mark.parametrize(("kind", "said"), [(Clock, ["timer", "answer"]), (PatientClock, ["answer", "timer"])])
async def test_what_was_answered_in_the_meantime_comes_first(kind: type[Clock], said: list[str]) -> None:
    """As an agent does it: reads the request, answers in the next pass; the answer is read in the one after that."""
    loop = asyncio.get_running_loop()
    got: list[str] = []
    system, agent = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    over = asyncio.Event()

    def note(what: str) -> None:
        got.append(what)
        if len(got) == 2:
            over.set()

    def answers() -> None:
        agent.recv(100)
        loop.call_soon(agent.send, b"answer")

    with system, agent:
        loop.add_reader(agent, answers)
        loop.add_reader(system, lambda: note(system.recv(100).decode()))
        kind(loop).after(0.02, lambda: note("timer"))
        system.send(b"request")
        hold_up(0.05)
        async with asyncio.timeout(10):
            await over.wait()
        loop.remove_reader(agent)
        loop.remove_reader(system)
    assert got == said


@on_loop
@pytest.mark.parametrize("passes", range(PASSES + 1))
async def test_it_can_be_cancelled_until_it_fires(passes: int) -> None:
    loop = asyncio.get_running_loop()
    fired: list[str] = []
    timer = PatientClock(loop).after(0, lambda: fired.append("timer"))
    assert not timer.cancelled
    for _ in range(passes):
        await asyncio.sleep(0)
    timer.cancel()
    assert timer.cancelled
    for _ in range(3 * PASSES):
        await asyncio.sleep(0)
    assert fired == []
