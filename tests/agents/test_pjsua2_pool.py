"""Worker processes: made ahead, leased, replaced, and gone when nobody needs them any more."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
import time
from pathlib import Path

import pytest
from on_loop import on_loop
from pjsua2_peer import BUSY, RINGING, Desk, Dialling, a_desk, a_peer, a_pool, desk, device, reply

from sip_harness.agents.base import SetupRefused
from sip_harness.agents.pjsua2 import child as child_module
from sip_harness.agents.pjsua2 import ipc
from sip_harness.agents.pjsua2.child import Child, WorkerFailed, describe, end_of
from sip_harness.agents.pjsua2.pool import Pool, PoolClosed
from sip_harness.model.entry import Exit

pytestmark = pytest.mark.needs_pjsua2

DEADLINE = 20.0


async def gone(pid: int) -> bool:
    """Whether the process ends within the deadline; a zombie whose parent is not us has ended too."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if state(pid) in ("", "Z"):
            return True
        await asyncio.sleep(0.005)
    return False


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def pid_of(d: Desk) -> int:
    assert d.agent._child is not None
    return d.agent._child.pid


@on_loop
async def test_a_pool_that_is_closed_while_it_warms_up_ends_what_is_coming_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the system does not come up beside it: nothing waits for a worker that nobody ends."""
    begun: list[Child] = []
    start = Child._start

    async def noted(child: Child, trace: child_module.TraceWay) -> None:
        await start(child, trace)
        begun.append(child)

    monkeypatch.setattr(Child, "_start", noted)
    pool = Pool(2)
    warming = asyncio.create_task(pool.prewarm())
    async with asyncio.timeout(DEADLINE):
        while not begun:
            await asyncio.sleep(0.005)
        await pool.close()
        assert [await gone(child.pid) for child in begun] == [True, True]
        await warming
    assert pool.workers == 0


@on_loop
async def test_workers_are_made_ahead_and_used_again() -> None:
    async with a_pool(2) as pool, a_peer() as peer:
        await pool.prewarm()
        ahead = {c.pid for c in pool._idle}
        assert len(ahead) == 2
        used = set()
        for _ in range(6):
            async with a_desk(pool, device(peer.local, (BUSY,))) as d:
                used.add(pid_of(d))
        assert used == ahead
        assert pool.workers == 2


@on_loop
async def test_as_many_workers_as_are_leased_at_once() -> None:
    async with a_pool(1) as pool, a_peer() as peer:
        async with (
            a_desk(pool, device(peer.local, (BUSY,))) as first,
            a_desk(pool, device(peer.local, (BUSY,))) as second,
        ):
            assert pid_of(first) != pid_of(second)
            assert first.agent.local != second.agent.local
        assert pool.workers == 2


@on_loop
async def test_a_killed_worker_is_on_record_and_replaced() -> None:
    async with a_pool() as pool, a_peer() as peer:
        d = desk(pool, device(peer.local, (RINGING,)))
        await d.agent.start()
        await peer.response(Dialling(peer, d.agent.local).invite(), 180)
        killed = pid_of(d)
        os.kill(killed, signal.SIGKILL)
        entry = await d.until(lambda e: isinstance(e, Exit))
        assert isinstance(entry, Exit)
        assert (entry.agent, entry.status) == ("desk", -signal.SIGKILL)
        before = len(d.entries)
        d.agent.happened("whatever")
        await d.agent.stop()
        assert len(d.entries) == before, "a dead agent says nothing more"
        async with a_desk(pool, device(peer.local, (BUSY,))) as second:
            assert pid_of(second) != killed
            call = Dialling(peer, second.agent.local).invite()
            call.ack(await peer.final(call))
            assert not [e for e in second.entries if isinstance(e, Exit)]


@on_loop
async def test_an_abort_is_on_record_with_what_the_worker_said_last() -> None:
    async with a_pool() as pool, a_peer() as peer:
        d = desk(pool, device(peer.local, (RINGING,)))
        await d.agent.start()
        os.kill(pid_of(d), signal.SIGABRT)
        entry = await d.until(lambda e: isinstance(e, Exit))
        await d.agent.stop()
        assert isinstance(entry, Exit)
        assert entry.status == -signal.SIGABRT
        assert entry.stderr[0].startswith("Fatal Python error: Aborted")
        assert all(len(line) <= child_module.MAX_LINE for line in entry.stderr)


@on_loop
async def test_a_worker_that_dies_while_an_agent_starts_refuses_it() -> None:
    async with a_pool() as pool, a_peer() as peer:
        d = desk(pool, device(peer.local, (RINGING,), register=True))
        starting = asyncio.create_task(d.agent.start())
        await peer.request("REGISTER")
        os.kill(pid_of(d), signal.SIGKILL)
        with pytest.raises(SetupRefused, match="its pjsua2 worker died \\(killed by SIGKILL\\)"):
            await starting
        assert [e.status for e in d.entries if isinstance(e, Exit)] == [-signal.SIGKILL]


@on_loop
async def test_an_idle_worker_that_dies_is_replaced() -> None:
    async with a_pool(1) as pool, a_peer() as peer:
        await pool.prewarm()
        dead = pool._idle[0].pid
        os.kill(dead, signal.SIGKILL)
        async with asyncio.timeout(DEADLINE):
            while not pool._idle or pool._idle[0].pid == dead:
                await asyncio.sleep(0.005)
        async with a_desk(pool, device(peer.local, (BUSY,))) as d:
            assert pid_of(d) != dead


@on_loop
async def test_a_stopped_worker_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sip_harness.agents.pjsua2.client.STOP_LIMIT", 0.3)
    async with a_pool() as pool, a_peer() as peer:
        d = desk(pool, device(peer.local, (RINGING,)))
        await d.agent.start()
        pid = pid_of(d)
        os.kill(pid, signal.SIGSTOP)
        await d.agent.stop()
        assert [e.status for e in d.entries if isinstance(e, Exit)] == [-signal.SIGKILL]
        assert await gone(pid)
        async with a_desk(pool, device(peer.local, (BUSY,))) as second:
            assert pid_of(second) != pid


@on_loop
async def test_closing_the_pool_ends_every_worker() -> None:
    pool = Pool(2)
    async with a_peer() as peer:
        await pool.prewarm(3)
        d = desk(pool, device(peer.local, (BUSY,)))
        await d.agent.start()
        pids = [c.pid for c in (*pool._idle, *pool._leased)]
        await pool.close()
        assert len(pids) == 3
        assert [await gone(pid) for pid in pids] == [True] * 3
        with pytest.raises(SetupRefused, match="closed"):
            await desk(pool, device(peer.local, (BUSY,))).agent.start()
        with pytest.raises(PoolClosed):
            await pool.prewarm()
        await d.agent.stop()
        await pool.close()


@on_loop
async def test_a_worker_ends_by_itself_when_its_pipe_closes() -> None:
    child = await Child.spawn("tap")
    assert child._transport is not None
    child._transport.close()
    await asyncio.wait_for(child._ended.wait(), DEADLINE)
    assert (child.status, child.stderr) == (0, ())


@on_loop
async def test_a_worker_ignores_an_interrupt_and_is_in_a_session_of_its_own() -> None:
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, (BUSY,))) as d:
        pid = pid_of(d)
        assert os.getsid(pid) == pid
        os.kill(pid, signal.SIGINT)
        call = Dialling(peer, d.agent.local).invite()
        call.ack(await peer.final(call))


RUNNER = """
    import asyncio, os, signal, sys
    from sip_harness.agents.base import Assignment
    from sip_harness.agents.pjsua2.client import Pjsua2Agent
    from sip_harness.agents.pjsua2.pool import Pool
    from sip_harness.model.script import Script
    from sip_harness.model.steps import Send
    from sip_harness.model.system import User

    async def main():
        pool = Pool(2)
        await pool.prewarm(2)
        system = ("127.0.0.1", int(sys.argv[1]))
        script = Script(((Send(180, "Ringing"),),))
        assignment = Assignment("desk", "device", User("desk", "x.test"), "desk-t", system, "t", script, register=True)
        agent = Pjsua2Agent(assignment, lambda entry: None, pool)
        await agent.start()
        print(agent.local[1], *(c.pid for c in (*pool._idle, *pool._leased)), flush=True)
        await asyncio.sleep(60)

    asyncio.run(main())
"""


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@on_loop
async def test_when_the_runner_is_killed_its_workers_say_goodbye_and_end(ending: signal.Signals) -> None:
    async with a_peer() as peer:
        peer.answer = lambda m: [reply(m, 200, "OK", f"Contact: {m.get('contact')}")] if m.method == "REGISTER" else []
        command = (sys.executable, "-c", textwrap.dedent(RUNNER), str(peer.local[1]))
        runner = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=-3)
        assert runner.stdout is not None
        port, *pids = map(int, (await runner.stdout.readline()).split())
        call = Dialling(peer, ("127.0.0.1", port)).invite()
        await peer.response(call, 180)
        runner.send_signal(ending)
        await runner.wait()
        assert len(pids) == 2
        assert [await gone(pid) for pid in pids] == [True, True]
        await peer.response(call, 480)
        registers = [m for m in peer.seen if m.method == "REGISTER"]
        assert [m.get("expires") for m in registers] == ["60", "0"]


@on_loop
async def test_a_worker_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "MODULE", "no.such.module")
    async with a_pool() as pool, a_peer() as peer:
        with pytest.raises(WorkerFailed, match="No module named 'no'"):
            await pool.prewarm()
        with pytest.raises(SetupRefused, match="No module named 'no'"):
            await desk(pool, device(peer.local, (BUSY,))).agent.start()


CRASHING = """
    import os, signal, sys, time
    if sys.argv[2] == "tap":
        print("what the tap reads is not there", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    import runpy
    runpy.run_module("sip_harness.agents.pjsua2.worker", run_name="__main__")
"""


@on_loop
async def test_a_worker_that_the_tap_brings_down_is_started_without_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "crashing_worker.py").write_text(textwrap.dedent(CRASHING))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(child_module, "MODULE", "crashing_worker")
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, (BUSY,))) as d:
        assert d.agent.trace == "partial"
        assert d.agent._child is not None
        assert "what the tap reads is not there" in d.agent._child.hello.why
        call = Dialling(peer, d.agent.local).invite()
        call.ack(await peer.final(call))


PATCHED = """
    import runpy
    from sip_harness.agents.pjsua2 import library, tap
    {patch}
    runpy.run_module("sip_harness.agents.pjsua2.worker", run_name="__main__")
"""


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        ('library.LAYOUT_VERSION = "2.99"', "the structures of pjproject 2.15.1 on x86_64 are not known"),
        ('library.LAYOUT_MACHINE = "riscv64"', "the structures of pjproject 2.15.1 on x86_64 are not known"),
        ('tap._packet = lambda packet: b"lies"', "the tap shows other bytes or addresses than those on the wire"),
        ('tap._source = lambda packet: ("127.0.0.1", 1)', "the tap shows other bytes or addresses"),
        ("tap._source = lambda packet: 1 / 0", "the tap fails: division by zero"),
        ("tap.Tap._tx = lambda self, address: None", "the tap shows no answer to OPTIONS within"),
        ("tap.Tap._drop = lambda self, pointer: None", "the tap shows other bytes or addresses"),
    ],
)
@on_loop
async def test_a_tap_that_does_not_show_the_truth_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, patch: str, why: str
) -> None:
    (tmp_path / "patched_worker.py").write_text(textwrap.dedent(PATCHED).format(patch=patch))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(child_module, "MODULE", "patched_worker")
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, (BUSY,))) as d:
        assert d.agent._child is not None
        assert d.agent._child.hello.why.startswith(why)
        assert d.agent.trace == "partial"
        call = Dialling(peer, d.agent.local).invite()
        call.ack(await peer.final(call))
        await d.has_sent(486)
        assert d.sent(486)[0].data in {m.data for m in peer.seen}


LOUD = """
    import sys
    for number in range(5000):
        print(f"line {number} " + "x" * 2000 + "\\x1b[31m", file=sys.stderr)
    sys.exit(3)
"""


@on_loop
async def test_a_loud_worker_is_drained_and_its_last_lines_are_kept_bounded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "loud_worker.py").write_text(textwrap.dedent(LOUD))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(child_module, "MODULE", "loud_worker")
    with pytest.raises(WorkerFailed) as failed:
        await Child.spawn("tap")
    assert failed.value.status == 3
    assert len(failed.value.stderr) == child_module.MAX_LINES
    assert failed.value.stderr[-1].startswith("line 4999 x")
    assert all(len(line) <= child_module.MAX_LINE and "\x1b" not in line for line in failed.value.stderr)


BABBLING = """
    import socket, sys
    from sip_harness.agents.pjsua2 import ipc
    pipe = socket.socket(fileno=int(sys.argv[1]))
    pipe.sendall(ipc.encode(ipc.Hello("full", "")))
    pipe.recv(100)
    pipe.sendall(b"no JSON\\n")
    pipe.recv(100)
"""


@on_loop
async def test_a_worker_that_talks_nonsense_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "babbling_worker.py").write_text(textwrap.dedent(BABBLING))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(child_module, "MODULE", "babbling_worker")
    async with a_pool(0) as pool, a_peer() as peer:
        d = desk(pool, device(peer.local, (BUSY,)))
        with pytest.raises(SetupRefused, match="worker died"):
            await d.agent.start()
        [entry] = [e for e in d.entries if isinstance(e, Exit)]
        assert "cannot read what the worker says: not understood: b'no JSON'" in entry.stderr[-1]


def test_statuses_in_words() -> None:
    assert describe(1) == "exit status 1"
    assert describe(-6) == "killed by SIGABRT"
    assert describe(-200) == "killed by signal 200"


def test_how_a_worker_ended_in_one_line() -> None:
    assertion = "python: ../src/pj/ioqueue_select.c:386: pj_ioqueue_register_sock2: Assertion `0' failed."
    dump = ("Fatal Python error: Aborted", "Current thread", '  File "x"')
    assert end_of(-6, (assertion, *dump)) == f"killed by SIGABRT: {assertion}"
    assert end_of(-11, dump) == "killed by SIGSEGV: Fatal Python error: Aborted"
    assert end_of(1, ("Traceback", "ValueError: bad")) == "exit status 1: ValueError: bad"
    assert end_of(-9, ()) == "killed by SIGKILL"


@on_loop
async def test_the_socket_of_a_worker_is_its_own() -> None:
    """Another worker must not keep the pipe of the first one open."""
    first, second = await asyncio.gather(Child.spawn("tap"), Child.spawn("tap"))
    try:
        assert first._transport is not None
        first._transport.close()
        await asyncio.wait_for(first._ended.wait(), DEADLINE)
        assert second.alive
        second.send(ipc.Quit())
        await asyncio.wait_for(second._ended.wait(), DEADLINE)
        assert second.status == 0
    finally:
        await first.kill()
        await second.kill()


def test_no_socket_is_left_behind() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))

    async def several() -> None:
        async with a_pool() as pool, a_peer() as peer:
            for _ in range(3):
                async with a_desk(pool, device(peer.local, (BUSY,))):
                    pass

    asyncio.run(several())
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
