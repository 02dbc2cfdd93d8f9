"""The runner's end of a keeper: starts one, hears what the command writes, ends both."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from sip_harness.model.entry import Log

TAIL = 20
"""Last lines of the command that are kept for explanations."""
# An isolated interpreter without site packages starts fast. Imported as a module, unlike run as a file, the keeper has
# its bytecode cached. Its directory comes last on the path, so that no module here can shadow one of Python's.
_BOOT = f"import sys; sys.path.append({str(Path(__file__).parent)!r}); import keeper; keeper.main(sys.argv[1:])"
_PATIENCE = 4.0  # what a keeper may need beyond the grace: killing, removing, flushing
_CHUNK = 65_536
_LINE_LIMIT = 8_192


class Kept:
    """A command under a keeper. Belongs to the event loop on which `start` ran; every method is called there."""

    def __init__(self, on_log: Callable[[Log], None] | None = None, *, grace: float = 1.0) -> None:
        """`grace` is the time between SIGTERM and SIGKILL, seconds; `on_log` takes every line that it writes."""
        self._on_log = on_log
        self._grace = grace
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._rest = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._life = self._reports = -1
        self.pid = 0
        """Process, and process group, of the command."""
        self.directory: Path | None = None
        """Its fresh working directory, removed when it ends."""
        self.status: int | None = None
        """Exit status of the command, or minus the number of the signal that ended it; None while it runs, or if the
        keeper itself was killed and could not tell."""

    @property
    def tail(self) -> tuple[str, ...]:
        """Last lines that the command wrote."""
        return tuple(self._tail)

    async def start(self, command: Sequence[str]) -> None:
        """Start the command; `{dir}` in an argument stands for its directory. Returns once it was started (not more).

        Raises OSError if no process can be started.
        """
        loop = asyncio.get_running_loop()
        self._started: asyncio.Future[None] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        self._spawn(command)
        loop.add_reader(self._reports, self._read)
        try:
            await asyncio.wait((self._started, self._ended), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._close_life()
            raise

    def _spawn(self, command: Sequence[str]) -> None:
        life, self._life = os.pipe()
        self._reports, reports = os.pipe()
        arguments = [str(os.getpid()), tempfile.gettempdir(), str(self._grace), *command]
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _BOOT, *arguments],
                stdin=life,
                stdout=reports,
                stderr=reports,
                start_new_session=True,
            )
        except BaseException:
            os.close(self._reports)
            self._close_life()
            raise
        finally:
            os.close(life)
            os.close(reports)
        os.set_blocking(self._reports, False)

    def processes(self) -> list[int]:
        """The command and what it has forked into its process group, where the kernel tells (Linux)."""
        return _of_group(self.pid) if self.pid else []

    async def ended(self) -> None:
        """Wait until the command, all that it forked and its directory are gone."""
        await asyncio.shield(self._ended)

    async def stop(self) -> None:
        """End the command and wait until nothing of it is left. Bounded in time, never raises, may be repeated."""
        if self._process is None:
            return
        self._close_life()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace + _PATIENCE):
                await self.ended()
        if not self._ended.done():  # a keeper that was stopped or hangs
            self._process.kill()
            await self.ended()

    def _close_life(self) -> None:
        if self._life >= 0:
            # Saying so ends the keeper even if a fork of this process still holds the pipe open.
            with suppress(OSError):
                os.write(self._life, b"\n")
            os.close(self._life)
            self._life = -1

    def _read(self) -> None:
        try:
            data = os.read(self._reports, _CHUNK)
        except BlockingIOError:
            return
        if not data:
            self._over()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[:_LINE_LIMIT]
        for line in lines:
            self._report(line)

    def _report(self, line: bytes) -> None:
        kind, _, rest = line.partition(b" ")
        first, _, text = rest.partition(b" ")
        match kind:
            case b"l":
                self._log(int(first), text)
            case b"p":
                self.pid, self.directory = int(first), Path(os.fsdecode(text))
                _resolve(self._started)
            case b"d":
                self._log(time.time_ns(), b"(%s lines dropped: they came faster than they were read)" % first)
            case b"x":
                self.status = int(first)
            case _:  # the keeper's own last words
                self._log(time.time_ns(), b"keeper: " + line)

    def _log(self, now: int, data: bytes) -> None:
        text = printable(data)
        self._tail.append(text)
        if self._on_log is not None:
            self._on_log(Log(now, text))

    def _over(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._reports)
        os.close(self._reports)
        self._close_life()
        loop.run_in_executor(None, self._bury).add_done_callback(lambda _: _resolve(self._ended))

    def _bury(self) -> None:
        assert self._process is not None
        self._process.wait()
        if self.status is None and self.pid:  # the keeper was killed: do what it can do no more
            _kill_group(self.pid)
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)


def _of_group(group: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError, ValueError):  # it has ended meanwhile
            if int(entry.read_text().rpartition(")")[2].split()[2]) == group:
                found.append(int(entry.parent.name))
    return found


def _kill_group(group: int) -> None:
    pause, tries = threading.Event(), 200
    with suppress(OSError):  # there is no such group any more
        while tries:
            os.killpg(group, signal.SIGKILL)
            pause.wait(0.005)
            tries -= 1


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def printable(data: bytes) -> str:
    """Text of a log line with everything that a terminal could act on written as an escape."""
    text = data.decode("utf-8", "backslashreplace").rstrip()
    return "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in text)
