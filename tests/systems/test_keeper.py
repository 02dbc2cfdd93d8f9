"""The keeper leaves nothing behind, whatever becomes of its runner, its command or itself."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import pytest
from udp_phone import PATIENCE, eventually, run

from sip_harness.model.entry import Log
from sip_harness.systems import keeper, kept
from sip_harness.systems.kept import Kept, printable

# A child, a grandchild, and one that made a session of its own; says its pids, then waits for ever.
FAMILY = "sleep 300 & echo pid $!; setsid sleep 300 & echo pid $!; echo pid $$; echo dir $PWD; touch file; wait"

RUNNER = """
import asyncio, os, signal, sys
from sip_harness.systems.kept import Kept

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, and children inherit that

def say(text):
    os.write(1, f"{text}\\n".encode())

async def main():
    kept = Kept(lambda log: say(log.text))
    await kept.start(["sh", "-c", sys.argv[1]])
    if "fork" in sys.argv and os.fork() == 0:  # a child that holds every descriptor of its parent
        os.setsid()
        signal.alarm(60)  # should the test fail to end it
        say(f"forked {os.getpid()}")
        os.execv("/bin/sleep", ["sleep", "300"]) if "exec" in sys.argv else signal.pause()
    await asyncio.Event().wait()

asyncio.run(main())
"""

TEST_UNDER_XDIST = """
import asyncio
from pathlib import Path
from sip_harness.systems.kept import Kept

def test_waits():
    async def main():
        out = Path(__file__).with_name("said")
        kept = Kept(lambda log: out.open("a").write(log.text + "\\n"))
        await kept.start(["sh", "-c", {family!r}])
        await asyncio.Event().wait()
    asyncio.run(main())
"""


def gone(pid: int) -> bool:
    """Whether a process has ended; one that only waits to be collected has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class Family:
    """What a runner printed about the processes that it caused."""

    def __init__(self, lines: list[str]) -> None:
        self.pids = [int(line.split()[1]) for line in lines if line.startswith("pid ")]
        self.directory = next(Path(line.split()[1]) for line in lines if line.startswith("dir "))
        self.shell = self.pids[-1]
        assert len(self.pids) == 3
        assert not any(gone(pid) for pid in self.pids)
        self.keeper = parent(self.shell)

    def all_gone(self) -> bool:
        return all(gone(pid) for pid in (*self.pids, self.keeper)) and not self.directory.exists()


@pytest.fixture
def runner():
    """Starts runners in sessions of their own; ends what a failed test leaves."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> tuple[subprocess.Popen[str], Family, list[str]]:
        process = subprocess.Popen(
            [sys.executable, "-c", RUNNER, FAMILY, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        wanted = 5 if "fork" in arguments else 4
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(wanted)]
        return process, Family(lines), lines

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def wait_gone(family: Family) -> None:
    run(eventually(family.all_gone, f"end of {family.pids}, {family.keeper} and {family.directory}"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_runner_that_is_ended_leaves_nothing(runner, number):
    process, family, _ = runner()
    os.killpg(process.pid, number)  # as a terminal does it: everything in the session hears it
    wait_gone(family)


def test_a_runner_that_ends_without_stopping_leaves_nothing(runner):
    process, family, _ = runner()
    process.send_signal(signal.SIGINT)
    process.wait(PATIENCE)
    wait_gone(family)


@pytest.mark.parametrize("how", ["pause", "exec"])
def test_a_fork_of_the_runner_does_not_keep_the_command_alive(runner, how):
    process, family, lines = runner("fork", how)
    forked = next(int(line.split()[1]) for line in lines if line.startswith("forked"))
    try:
        process.kill()
        wait_gone(family)
        assert not gone(forked)
    finally:
        os.kill(forked, signal.SIGKILL)


def test_a_killed_keeper_takes_the_command_along_even_if_the_runner_sees_nothing(runner):
    process, family, _ = runner()
    process.send_signal(signal.SIGSTOP)
    os.kill(family.keeper, signal.SIGKILL)
    run(eventually(lambda: gone(family.shell), "end of the command"))
    process.send_signal(signal.SIGCONT)
    for pid in family.pids[:1]:  # the runner ends the process group as soon as it can
        run(eventually(lambda pid=pid: gone(pid), "end of the group"))
    run(eventually(lambda: not family.directory.exists(), "removal of the directory"))
    os.kill(family.pids[1], signal.SIGKILL)  # out of everybody's reach: a session of its own, and no keeper


def test_under_xdist_nothing_stays_either(tmp_path):
    pytest.importorskip("xdist")
    (tmp_path / "test_it.py").write_text(TEST_UNDER_XDIST.format(family=FAMILY))
    command = [sys.executable, "-m", "pytest", "-q", "-n1", "-p", "no:cacheprovider", "-c", os.devnull, "test_it.py"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    said = tmp_path / "said"
    try:
        run(eventually(lambda: said.exists() and said.read_text().count("\n") == 4, "start of the command", 30))
        family = Family(said.read_text().splitlines())
        process.kill()  # the worker notices by itself, after some seconds
        wait_gone(family)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


async def started(script: str, *, grace: float = 1.0) -> tuple[Kept, list[Log]]:
    logs: list[Log] = []
    kept = Kept(logs.append, grace=grace)
    await kept.start(["sh", "-c", script])
    return kept, logs


async def said(logs: list[Log], text: str) -> None:
    await eventually(lambda: any(text in log.text for log in logs), f"a line with {text!r}")


def test_stop_ends_all_and_removes_the_directory():
    async def main() -> None:
        kept, logs = await started(FAMILY)
        await said(logs, "dir ")
        family = Family([log.text for log in logs])
        assert kept.directory == family.directory
        assert kept.pid == family.shell
        await kept.stop()
        assert family.all_gone()
        assert kept.status == -signal.SIGTERM
        await kept.stop()

    run(main())


def test_the_directory_is_private_and_goes_with_all_that_is_in_it(tmp_path):
    (tmp_path / "precious").write_text("stays")

    async def main() -> None:
        kept, logs = await started(
            f"mkdir -p a/b; touch a/b/c; ln -s {tmp_path} link; ln -s nowhere a/d; echo ok; sleep 300"
        )
        await said(logs, "ok")
        assert kept.directory is not None
        assert kept.directory.stat().st_mode & 0o777 == 0o700
        assert (kept.directory / "a/b/c").exists()
        await kept.stop()
        assert not kept.directory.exists()

    run(main())
    assert (tmp_path / "precious").read_text() == "stays"


def test_dir_stands_for_the_directory_in_every_argument():
    async def main() -> None:
        kept = Kept(grace=1)
        await kept.start(["echo", "-w{dir}/x", "{dir}"])
        await kept.ended()
        assert kept.tail == (f"-w{kept.directory}/x {kept.directory}",)
        await kept.stop()

    run(main())


@pytest.mark.parametrize(
    ("script", "status"),
    [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", -9), ("kill -TERM $$", -15), ("nosuchthing", 127)],
)
def test_a_command_that_ends_by_itself_is_reported(script, status):
    async def main() -> None:
        kept, _ = await started(script)
        await kept.ended()
        assert kept.status == status
        assert kept.directory is not None
        assert not kept.directory.exists()

    run(main())


def test_what_a_command_leaves_behind_when_it_ends_is_ended_too():
    async def main() -> None:
        kept, logs = await started("sleep 300 & echo pid $!; setsid sleep 300 & echo pid $!; exit 4")
        await kept.ended()
        pids = [int(log.text.split()[1]) for log in logs]
        assert len(pids) == 2
        assert all(gone(pid) for pid in pids)
        assert kept.status == 4

    run(main())


def test_a_program_that_is_not_there_is_explained():
    async def main() -> None:
        kept = Kept()
        await kept.start(["/nowhere/program"])
        await kept.ended()
        assert kept.status == 127
        assert kept.tail == ("cannot run /nowhere/program: No such file or directory",)

    run(main())


def test_a_command_may_end_in_its_own_way():
    async def main() -> None:
        kept, logs = await started("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done")
        await said(logs, "ready")
        await kept.stop()
        assert kept.status == 7
        assert logs[-1].text == "bye"

    run(main())


def test_the_command_hears_of_its_end_before_its_children():
    worker = "trap 'echo worker' TERM; echo up; while :; do sleep 0.01; done"
    script = f"trap 'echo main; exit 0' TERM; sh -c \"{worker}\" & while :; do wait; done"

    async def main() -> None:
        kept, logs = await started(script, grace=0.3)
        await said(logs, "up")
        await kept.stop()
        texts = [log.text for log in logs]
        assert texts.index("main") < texts.index("worker")

    run(main())


def test_who_will_not_end_is_killed_after_the_grace():
    async def main() -> None:
        kept, logs = await started("trap '' TERM; echo ready; while :; do sleep 300; done", grace=0.2)
        await said(logs, "ready")
        begin = time.monotonic()
        await kept.stop()
        assert time.monotonic() - begin >= 0.2
        assert kept.status == -signal.SIGKILL

    run(main())


def test_signals_do_not_end_the_keeper_and_reach_the_command_unmasked():
    async def main() -> None:
        kept, logs = await started("trap 'echo heard' HUP; echo ready; while :; do sleep 0.01; done")
        await said(logs, "ready")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(parent(kept.pid), number)
        os.kill(kept.pid, signal.SIGHUP)  # not ignored just because the keeper ignores it
        await said(logs, "heard")
        await kept.stop()
        assert kept.status == -signal.SIGTERM

    run(main())


def test_a_killed_keeper_is_noticed_and_replaced_by_the_runner():
    async def main() -> None:
        kept, logs = await started("sleep 300 & echo pid $!; wait")
        await said(logs, "pid ")
        grandchild = int(logs[0].text.split()[1])
        os.kill(parent(kept.pid), signal.SIGKILL)
        await kept.ended()
        await eventually(lambda: gone(kept.pid) and gone(grandchild), "end of the group")
        assert kept.status is None
        assert kept.directory is not None
        assert not kept.directory.exists()
        await kept.stop()

    run(main())


def test_a_keeper_that_hangs_is_ended_by_stop(monkeypatch):
    monkeypatch.setattr(kept, "_PATIENCE", 0.1)

    async def main() -> None:
        mine, logs = await started("echo up; sleep 300", grace=0.1)
        await said(logs, "up")
        os.kill(parent(mine.pid), signal.SIGSTOP)
        await mine.stop()
        await eventually(lambda: gone(mine.pid), "end of the command")
        assert mine.directory is not None
        assert not mine.directory.exists()

    run(main())


def test_a_start_that_is_cancelled_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(kept.tempfile, "tempdir", str(tmp_path))

    async def main() -> None:
        mine = Kept()
        task = asyncio.create_task(mine.start(["sleep", "300"]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await mine.ended()
        await mine.stop()

    run(main())
    assert list(tmp_path.iterdir()) == []


def test_stop_without_start_does_nothing():
    mine = Kept()
    run(mine.stop())
    assert mine.status is None


def test_descriptors_of_the_runner_are_given_back():
    async def main() -> None:
        for _ in range(3):
            mine, _ = await started("exit 0")
            await mine.stop()
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(5):
            mine, _ = await started("exit 0")
            await mine.stop()
        assert len(list(Path("/proc/self/fd").iterdir())) == before

    run(main())


def test_lines_carry_the_time_at_which_they_were_written():
    async def main() -> None:
        begin = time.time_ns()
        mine, logs = await started("echo one; echo two")
        await mine.ended()
        assert [log.text for log in logs] == ["one", "two"]
        assert begin < logs[0].time <= logs[1].time < time.time_ns()

    run(main())


def test_a_line_without_an_end_and_stderr_come_too():
    async def main() -> None:
        mine, logs = await started("echo err >&2; printf 'no end'")
        await mine.ended()
        assert [log.text for log in logs] == ["err", "no end"]

    run(main())


def test_only_the_last_lines_are_kept_for_explanations():
    async def main() -> None:
        mine, logs = await started("seq 1 100")
        await mine.ended()
        assert mine.tail == tuple(str(n) for n in range(101 - kept.TAIL, 101))
        assert len(logs) == 100

    run(main())


def test_a_reader_that_does_not_read_never_blocks_the_command(tmp_path):
    lines, done = 50_000, tmp_path / "done"
    script = (
        f"seq -f 'line %.0f of a command that says more than anybody wants to read' {lines}; touch {done}; sleep 300"
    )
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", keeper.__file__, str(os.getpid()), str(tmp_path), "1", "sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        run(eventually(done.exists, "end of the output", 30))
        process.stdin.close()
        reports = [line.split(b" ", 2) for line in process.stdout.read().splitlines()]
    dropped = sum(int(report[1]) for report in reports if report[0] == b"d")
    passed = [int(report[2].split()[1]) for report in reports if report[0] == b"l"]
    assert passed == sorted(passed)
    assert passed[:1000] == list(range(1, 1001))
    assert len(passed) + dropped == lines
    assert len(passed) < 4 * keeper.QUEUE_LIMIT
    assert reports[-1] == [b"x", b"-15"]


def test_dropped_lines_are_told_to_whoever_reads_the_log():
    mine, logs = Kept(), []
    mine._on_log = logs.append
    mine._report(b"d 12")
    assert logs[0].text == "(12 lines dropped: they came faster than they were read)"


def test_an_interpreter_without_the_runner_as_parent_starts_nothing(tmp_path):
    """The number of the runner may have passed to another process by the time the keeper looks."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", keeper.__file__, "1", str(tmp_path), "1", "touch", str(tmp_path / "ran")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (0, b"")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_explained(tmp_path, monkeypatch):
    monkeypatch.setattr(kept.tempfile, "tempdir", str(tmp_path / "nowhere"))

    async def main() -> None:
        mine = Kept()
        await mine.start(["true"])
        await mine.ended()
        assert mine.status is None
        assert any("No such file or directory" in line for line in mine.tail)

    run(main())


class TestLines:
    def test_lines_are_cut_out_of_any_pieces(self):
        data = b"one\ntwo\n\nthree"
        for size in range(1, len(data) + 1):
            lines = keeper.Lines()
            found = [line for i in range(0, len(data), size) for line in lines.feed(data[i : i + size])]
            assert [*found, *lines.end()] == [b"one", b"two", b"", b"three"]

    def test_nothing_is_left_after_the_end(self):
        lines = keeper.Lines()
        lines.feed(b"rest")
        assert lines.end() == [b"rest"]
        assert lines.end() == []

    @pytest.mark.parametrize("size", [1, 7, 4096, 100_000])
    def test_of_a_long_line_only_the_beginning_comes(self, size):
        data = b"a" * 50_000 + b"\nnext\n" + b"b" * 5_000
        lines = keeper.Lines()
        found = [line for i in range(0, len(data), size) for line in lines.feed(data[i : i + size])]
        assert [*found, *lines.end()] == [
            b"a" * keeper.LINE_LIMIT + keeper.CUT,
            b"next",
            b"b" * keeper.LINE_LIMIT + keeper.CUT,
        ]

    def test_a_line_of_the_longest_length_is_whole(self):
        lines = keeper.Lines()
        assert lines.feed(b"c" * keeper.LINE_LIMIT + b"\n") == [b"c" * keeper.LINE_LIMIT]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain text", "plain text"),
        ("grüße".encode(), "grüße"),
        (b"a\tb\r", "a\tb"),
        (b"\x1b[31mred", "\\x1b[31mred"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"a\x00b\x07", "a\\x00b\\x07"),
        ("\u202ereversed".encode(), "\\u202ereversed"),
        (b"", ""),
    ],
)
def test_nothing_in_a_line_can_act_on_a_terminal(data, text):
    assert printable(data) == text


def test_the_keeper_imports_nothing_of_the_package_and_little_else():
    """It is what every system's start waits for."""
    code = textwrap.dedent("""
        import sys
        sys.path.append(sys.argv[1])
        import keeper
        print(*sorted(name for name in sys.modules if name in ("asyncio", "subprocess", "pathlib", "tempfile", "re")
                                                      or name.startswith("sip_harness")))
    """)
    folder = str(Path(keeper.__file__).parent)
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code, folder], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
