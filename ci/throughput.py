"""How many calls a wire device holds, beside sipp's own UAS in the same minute. See `ci/bench --help`.

sipp calls at a fixed rate: INVITE, 486, ACK. The device answers as it does in any run, with its record streamed to
disk, on one processor; sipp calls from another one where there is one. A rate is held if nothing was retransmitted.
"""

from __future__ import annotations

import asyncio
import csv
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_sipp import UAC, UAS, free_port, wait_for_port

from sip_harness.agents.base import Agent, Assignment
from sip_harness.agents.wire import WireAgent
from sip_harness.language import load_text
from sip_harness.model.entry import Header
from sip_harness.model.policy import Policy
from sip_harness.model.system import User
from sip_harness.run.execute import Run
from sip_harness.run.memory import calm
from sip_harness.run.tape import Tape

TOKEN = "benchx1"
CONTACT = f"desk-{TOKEN}"
SIPP: Any = {
    "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True,
}  # fmt: skip
"""It would stop itself where it may not use the terminal."""
RATES = (1000, 2000, 3000, 4000)
SECONDS = 5
BUSY = """
title: One phone, busy
id: bench-device
targets: {bob: {ring: [desk]}}
devices: {desk: {answer: [busy-here]}}
calls: [{from: alice, to: bob}]
expect: {alice: [486 from desk], desk: [INVITE, ACK to 486]}
"""


@dataclass(frozen=True)
class Held:
    """What became of one rate."""

    calls: int
    ok: int
    again: int
    """INVITEs that sipp had to send again."""
    cpu: float
    """Seconds of a processor that the answering side used for it."""

    @property
    def per_call(self) -> float:
        """Seconds of a processor for one call."""
        return self.cpu / max(self.ok, 1)


def processors() -> tuple[int, int]:
    """One for the answering side, one for sipp; the same if there is only one."""
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[-1]


async def serve(folder: Path, caller: int) -> None:
    """Be a device until stdin closes: its port goes to stdout, and each byte that comes in asks for the CPU time. Calls
    come from the port `caller`, which stands for the system."""
    os.sched_setaffinity(0, {processors()[0]})
    scenario = load_text(BUSY, "bench")
    system, script = ("127.0.0.1", caller), scenario.devices[0].script
    user = User("desk", "x.test")
    part = Assignment("desk", "device", user, CONTACT, system, TOKEN, script, open_to_all=False)
    tape, agents = Tape(path=folder / "record.jsonl"), dict[str, Agent]()
    run = Run(scenario, agents, [part], tape)
    desk = agents["desk"] = WireAgent(part, run.take)
    await run.start()
    tape.open(Header("", "", "", "", "proxy", system, Policy(), "bench", 1, ()))
    print(desk.local[1], flush=True)
    loop = asyncio.get_running_loop()
    over = asyncio.Event()

    def asked() -> None:
        if not sys.stdin.buffer.raw.read(1):  # type: ignore[attr-defined]
            loop.remove_reader(0)
            over.set()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        print(usage.ru_utime + usage.ru_stime, flush=True)

    loop.add_reader(0, asked)
    with calm():
        await over.wait()
    await desk.stop()


@contextmanager
def device(folder: Path, caller: int) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A wire device in a process of its own, and its port."""
    command = [sys.executable, __file__, str(folder), str(caller)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline()), process
    finally:
        process.stdin.close()
        process.wait(timeout=30)


def cpu_of(process: subprocess.Popen[str]) -> float:
    """Seconds of a processor that the device has used so far."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("?")
    process.stdin.flush()
    return float(process.stdout.readline())


def call(folder: Path, caller: int, port: int, rate: int) -> tuple[int, int, int]:
    """Let sipp call at this rate from this port; calls made, calls that went as they should, retransmissions."""
    statistics, calls = folder / "uac.csv", rate * SECONDS
    statistics.unlink(missing_ok=True)
    (folder / "uac.xml").write_text(UAC)
    command = ["taskset", "-c", str(processors()[1]), "sipp", "-sf", "uac.xml", "-i", "127.0.0.1", f"127.0.0.1:{port}"]
    command += [
        "-p",
        str(caller),
        "-s",
        CONTACT,
        "-r",
        str(rate),
        "-m",
        str(calls),
        "-l",
        "100000",
        "-nostdin",
        "-trace_stat",
        "-stf",
        str(statistics),
    ]
    command += ["-timeout", f"{8 * SECONDS}s", "-buff_size", "4194304"]
    subprocess.run(command, cwd=folder, check=False, **SIPP)
    last = list(csv.DictReader(statistics.read_text().splitlines(), delimiter=";"))[-1]
    return calls, int(last["SuccessfulCall(C)"]), int(last["Retransmissions(C)"])


def held_by_device(folder: Path, rate: int) -> Held:
    """One rate against a new device."""
    caller = free_port()
    with device(folder, caller) as (port, process):
        before = cpu_of(process)
        counted = call(folder, caller, port, rate)
        return Held(*counted, cpu_of(process) - before)


def held_by_sipp(folder: Path, rate: int) -> Held:
    """One rate against sipp's own UAS."""
    port = free_port()
    (folder / "uas.xml").write_text(UAS)
    command = ["taskset", "-c", str(processors()[0]), "sipp", "-sf", "uas.xml", "-i", "127.0.0.1", "-p", str(port)]
    uas = subprocess.Popen(
        [*command, "-nostdin", "-buff_size", "4194304"],
        cwd=folder,
        **SIPP,
    )
    try:
        wait_for_port(port)
        counted = call(folder, free_port(), port, rate)
        cpu = sum(map(float, Path(f"/proc/{uas.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
    finally:
        uas.kill()
        uas.wait()
    return Held(*counted, cpu / os.sysconf("SC_CLK_TCK"))


def compare() -> None:
    """Print what each side holds at each rate."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rate in RATES:
            ours, theirs = held_by_device(folder, rate), held_by_sipp(folder, rate)
            print(f"{rate} INVITE/s for {SECONDS} s")
            for who, held in (("wire device, record on", ours), ("sipp's own UAS", theirs)):
                print(
                    f"  {who:24} ok {held.ok:6} of {held.calls:6}   retransmissions {held.again:6}"
                    f"   {held.per_call * 1e6:6.1f} us of a processor per call"
                )
            print(f"  ratio of processor time  {ours.per_call / theirs.per_call:6.2f} of sipp's", flush=True)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
