"""The pulse: a loop that is blocked and a process that gets no processor are noticed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sip_harness.model.entry import Lag
from sip_harness.run.pulse import BEAT, Pulse, Waits

BUSY = "import os\nos.sched_setaffinity(0, {%d})\nprint(flush=True)\nwhile True: pass"
tells_waits = pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this kernel tells no waiting times")


async def stalls_of(block: float, pulse: Pulse) -> list[Lag]:
    """What is told while the loop is blocked once, until the beat after it."""
    told: list[Lag] = []
    ended = asyncio.Event()

    def take(lag: Lag) -> None:
        told.append(lag)
        if lag.lag >= block * 0.5e9:
            ended.set()

    leave = pulse.watch(take)
    await asyncio.sleep(0)
    threading.Event().wait(block)
    async with asyncio.timeout(20):
        await ended.wait()
    leave()
    return told


def test_a_blocked_loop_is_told_once_with_its_length() -> None:
    async def work() -> None:
        pulse = Pulse()
        begin = time.time_ns()
        told = await stalls_of(0.3, pulse)
        pulse.close()
        worst = max(told, key=lambda lag: lag.lag)
        assert 0.3 - BEAT <= worst.lag / 1e9 <= (worst.time - begin) / 1e9
        assert worst.agent == ""

    asyncio.run(work())


def test_who_begins_to_watch_is_told_of_the_latest_stalls_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system may have missed ticks of its clock in them."""

    async def work() -> None:
        pulse, later = Pulse(), list[Lag]()
        told = await stalls_of(0.2, pulse)
        pulse.watch(later.append)
        assert later == told
        monkeypatch.setattr("sip_harness.run.pulse.MEMORY", 0)
        forgotten = list[Lag]()
        pulse.watch(forgotten.append)
        assert forgotten == []
        pulse.close()

    asyncio.run(work())


def test_after_leaving_nothing_more_is_told_and_a_closed_pulse_beats_no_more() -> None:
    async def work() -> None:
        pulse, told = Pulse(), list[Lag]()
        leave = pulse.watch(told.append)
        leave()
        await stalls_of(0.1, pulse)
        assert told == []
        pulse.close()
        pulse.watch(told.append)
        threading.Event().wait(3 * BEAT)
        await asyncio.sleep(0)
        assert told == []

    asyncio.run(work())


@tells_waits
def test_a_process_that_shares_a_processor_with_another_is_seen_waiting() -> None:
    processor = min(os.sched_getaffinity(0))
    pair = [subprocess.Popen([sys.executable, "-c", BUSY % processor], stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for one in pair:
            assert one.stdout is not None
            one.stdout.readline()
        waits, waited, deadline = Waits([pair[0].pid]), 0.0, time.monotonic() + 30
        while waited < 0.05 and time.monotonic() < deadline:
            threading.Event().wait(BEAT)
            waited += waits.longest()
        assert waited >= 0.05
        waits.close()
        assert waits.longest() == 0
    finally:
        for one in pair:
            one.kill()
            one.communicate()


def test_processes_that_have_ended_or_never_were_wait_for_nothing() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    waits = Waits([child.pid, 2**22 + 1])
    child.communicate(b"\n")
    waits.longest()
    assert waits.longest() == 0
    waits.close()
