"""Figures of this machine, now: medians of many, and ratios within this one run. See `ci/bench --help`."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import throughput
from bench_sipp import UAC, UAS, free_port, wait_for_port

from sip_harness.agents.pjsua2.wheel import available
from sip_harness.language import load_text
from sip_harness.model.entry import Message, Record
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, Session, open_session
from sip_harness.sip.message import parse
from sip_harness.systems.registry import create
from sip_harness.verdict import judge

BUSY = """
title: One phone, busy
id: bench-busy
targets: {bob: {ring: [desk]}}
devices: {desk: {answer: [busy-here]}}
calls: [{from: alice, to: bob}]
expect: {alice: [486 from desk], desk: [INVITE, ACK to 486]}
"""
FORK = """
title: Two phones, one busy everywhere
id: bench-fork
targets: {bob: {ring: [desk, mobile]}}
devices:
  desk: {answer: [ringing, after: mobile sends 180, busy-everywhere]}
  mobile: {answer: [ringing]}
calls: [{from: alice, to: bob}]
expect: {alice: [600 from desk], mobile: [INVITE, CANCEL, ACK to 487]}
"""


def row(name: str, seconds: float, per: float | None = None, of: str = "") -> None:
    """One figure, with its ratio to another one of this run."""
    ratio = f"   {seconds / per:6.3f} of {of}" if per else ""
    print(f"{name:52} {seconds * 1000:9.3f} ms{ratio}")


async def median(rounds: int, work: Callable[[], Awaitable[float]]) -> float:
    """Median of what `work` says it took, seconds."""
    return statistics.median([await work() for _ in range(rounds)])


def sipp_pair(rounds: int) -> float:
    """The smallest test that two sipp processes make: 486, nothing between them. Seconds."""
    taken = []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "uas.xml").write_text(UAS)
        (directory / "uac.xml").write_text(UAC)
        common = ["-m", "1", "-i", "127.0.0.1", "-nostdin", "-timeout", "10s"]
        for n in range(rounds):
            port = free_port()
            begin = time.perf_counter()
            uas = subprocess.Popen(
                ["sipp", "-sf", "uas.xml", *common, "-p", str(port)],
                cwd=directory,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            wait_for_port(port)
            uac = ["sipp", "-sf", "uac.xml", *common, "-p", str(free_port()), f"127.0.0.1:{port}"]
            done = subprocess.run(uac, cwd=directory, capture_output=True, check=False)
            taken.append(time.perf_counter() - begin)
            uas.wait(timeout=10)
            if done.returncode:
                raise SystemExit(f"sipp run {n} ended with status {done.returncode}")
    return statistics.median(taken)


async def scenario_cost(session: Session, scenario: Scenario, rounds: int) -> float:
    """Median of what a warm scenario takes beyond settle time, from its first agent to its verdict. Seconds."""
    settle = session.system.info.policy.settle

    async def once() -> float:
        begin = time.perf_counter()
        result = await session.run(scenario)
        taken = time.perf_counter() - begin - settle
        if result.verdict.outcome is not Outcome.PASS:
            raise SystemExit(f"{scenario.id}: {result.verdict}")
        return taken

    await once()
    return await median(rounds, once)


async def measure(rounds: int) -> None:
    """Print all figures."""
    sipp = sipp_pair(max(rounds // 5, 3))
    row("sipp UAC + sipp UAS, one 486 (no system between)", sipp)
    starts = []
    for _ in range(5):
        system = create("kamailio")
        begin = time.perf_counter()
        await system.start()
        starts.append(time.perf_counter() - begin)
        await system.stop()
    row("kamailio from nothing to its first answer", statistics.median(starts), sipp, "the sipp pair")
    for stack in ("wire", "pjsua2"):
        if stack == "pjsua2" and available():
            print(f"pjsua2: {available()}")
            continue
        await scenarios(stack, rounds, sipp)


async def scenarios(stack: str, rounds: int, sipp: float) -> None:
    """Figures of one stack."""
    loaded = [load_text(text, "bench") for text in (BUSY, FORK)]
    async with open_session(create("kamailio"), Options(stack=stack), loaded) as session:  # type: ignore[arg-type]
        for scenario in loaded:
            taken = await scenario_cost(session, scenario, rounds)
            row(f"{stack}: {scenario.title.lower()}, beyond settle time", taken, sipp, "the sipp pair")
        result = await session.run(loaded[1])
    record = result.record
    assert record is not None
    records = [renumbered(record, number) for number in range(rounds)]
    verdict = each(rounds, lambda number: judge(loaded[1], records[number]))
    row(f"{stack}: verdict on that fork ({len(record.messages)} messages)", verdict)
    data = record.messages[0].data
    messages = [distinct(data, number) for number in range(2000)]
    row(
        f"{stack}: reading one message of {len(data)} bytes", each(len(messages), lambda number: read(messages[number]))
    )


def each(rounds: int, work: Callable[[int], object]) -> float:
    """Seconds that one of these takes, on average."""
    begin = time.perf_counter()
    for number in range(rounds):
        work(number)
    return (time.perf_counter() - begin) / rounds


def distinct(data: bytes, number: int) -> bytes:
    """The same message with other bytes, so that no cache has it: a branch of as many characters."""
    head, mark, rest = data.partition(b"branch=z9hG4bK")
    return head + mark + b"%04d" % number + rest[4:]


def renumbered(record: Record, number: int) -> Record:
    """The same record with other bytes."""
    entries = (replace(e, data=distinct(e.data, number)) if isinstance(e, Message) else e for e in record.entries)
    return replace(record, entries=tuple(entries))


def read(data: bytes) -> None:
    """Parse a message and look at what a transaction layer asks for: views are made when they are asked for."""
    message = parse(data)
    assert message.branch
    assert message.call_id
    assert message.cseq
    assert message.from_tag
    assert message.faults == ()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="how often each thing is done (default 50)")
    parser.add_argument(
        "--throughput", action="store_true", help="how many calls per second a wire device holds, instead of all else"
    )
    options = parser.parse_args()
    if options.throughput:
        throughput.compare()
    else:
        asyncio.run(measure(options.rounds))
