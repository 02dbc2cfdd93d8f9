"""A worker process as the runner's process sees it. Never imports pjsua2."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from sip_harness.agents.pjsua2 import ipc

MODULE = "sip_harness.agents.pjsua2.worker"
HELLO_LIMIT = 20.0
"""Seconds that a worker may take to load the library; it is 0.2 where the machine has time."""
CLOSE_LIMIT = 2.0
"""Seconds that a worker may take to end once its pipe is closed."""
MAX_LINES = 40
MAX_LINE = 500
"""How much of a worker's stderr is kept: its last lines, each cut to so many characters."""
_READ = 65536

Take = Callable[[object], None]
TraceWay = Literal["tap", "log"]


class WorkerFailed(Exception):
    """A worker process did not come up; the message says how it ended."""

    def __init__(self, status: int, stderr: tuple[str, ...]) -> None:
        super().__init__(status, stderr)
        self.status = status
        self.stderr = stderr

    def __str__(self) -> str:
        return f"a pjsua2 worker did not come up ({end_of(self.status, self.stderr)})"


def describe(status: int) -> str:
    """An exit status in words: `exit status 1`, `killed by SIGABRT`."""
    if status >= 0:
        return f"exit status {status}"
    with suppress(ValueError):
        return f"killed by {signal.Signals(-status).name}"
    return f"killed by signal {-status}"


def end_of(status: int, stderr: tuple[str, ...]) -> str:
    """How a worker ended, with the one line of its stderr that says most: the library's failed assertion; of a crash
    the first line, for the dump of the stack follows it; of anything else the last."""
    assertion = next((line for line in stderr if "Assertion" in line), "")
    line = assertion or (stderr[0 if status < 0 else -1] if stderr else "")
    return f"{describe(status)}: {line}" if line else describe(status)


@dataclass(frozen=True, slots=True)
class Gone:
    """To the listener, after everything else: the process has ended."""

    status: int
    """Exit status, negative for a signal."""
    stderr: tuple[str, ...]
    """Its last lines."""


class Child(asyncio.Protocol):
    """One worker process. Everything it says goes to the listener, if there is one."""

    def __init__(self) -> None:
        self.hello = ipc.Hello("partial", "not up yet")
        self.listener: Take | None = None
        """Takes every value that the worker sends, and Gone."""
        self.on_exit: Callable[[], None] | None = None
        """Called once when the process has ended; `status` and `stderr` are known then."""
        self.status: int | None = None
        """Exit status, negative for a signal; None while it runs."""
        self.stderr: tuple[str, ...] = ()
        """Its last lines on stderr, complete once it has ended."""
        self._ring: deque[str] = deque(maxlen=MAX_LINES)
        self._lines = ipc.Lines()
        loop = asyncio.get_running_loop()
        self._up: asyncio.Future[None] = loop.create_future()
        self._ended = asyncio.Event()
        self._process: Process | None = None
        self._transport: asyncio.Transport | None = None
        self._watch: asyncio.Task[None] | None = None

    @classmethod
    async def spawn(cls, trace: TraceWay) -> Child:
        """Start a worker and wait until it has loaded the library. Raises WorkerFailed."""
        child = cls()
        try:
            await child._start(trace)
            await asyncio.wait_for(child._up, HELLO_LIMIT)
        except TimeoutError:
            await child.kill()
            raise WorkerFailed(child.status or 0, (f"no word within {HELLO_LIMIT:g} s", *child.stderr)) from None
        except BaseException:
            await child.kill()
            raise
        return child

    @property
    def pid(self) -> int:
        """Process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has neither ended nor closed its pipe."""
        return self.status is None and self._transport is not None and not self._transport.is_closing()

    def send(self, value: object) -> None:
        """Tell the worker; nothing happens if it is gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(ipc.encode(value))

    async def close(self) -> None:
        """Let it end by itself, and kill it if it does not within CLOSE_LIMIT."""
        if self._transport is not None:
            self.send(ipc.Quit())
            self._transport.close()
        try:
            await asyncio.wait_for(self._ended.wait(), CLOSE_LIMIT)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End it at once."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._ended.wait()

    async def _start(self, trace: TraceWay) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                # -P: a file of the current directory must not stand in for a module.
                command = (sys.executable, "-P", "-m", MODULE, str(theirs.fileno()), trace)
                self._process = await asyncio.create_subprocess_exec(
                    *command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE,
                    pass_fds=(theirs.fileno(),), start_new_session=True,
                )  # fmt: skip
            except BaseException:
                ours.close()
                raise
        self._watch = asyncio.create_task(self._watch_process(self._process))
        ours.setblocking(False)
        self._transport, _ = await asyncio.get_running_loop().connect_accepted_socket(lambda: self, ours)

    async def _watch_process(self, process: Process) -> None:
        """Keep the last lines of stderr and learn how it ends."""
        assert process.stderr is not None
        rest = b""
        while data := await process.stderr.read(_READ):
            *lines, rest = (rest + data).split(b"\n")
            rest = rest[-MAX_LINE:]
            self._ring.extend(_readable(line) for line in lines)
        if rest:
            self._ring.append(_readable(rest))
        self.status = await process.wait()
        self.stderr = tuple(self._ring)
        if self._transport is not None:
            self._transport.close()
        if not self._up.done():
            self._up.set_exception(WorkerFailed(self.status, self.stderr))
            self._up.exception()  # whoever waits gets it; nobody may be waiting
        self._ended.set()
        if self.listener is not None:
            self.listener(Gone(self.status, self.stderr))
        if self.on_exit is not None:
            self.on_exit()

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        """Something came through the pipe."""
        try:
            for value in self._lines.feed(data):
                self._take(value)
        except ipc.BadLine as error:
            self._ring.append(f"the runner cannot read what the worker says: {error}"[:MAX_LINE])
            if self._process is not None and self.status is None:
                self._process.kill()

    def _take(self, value: object) -> None:
        if isinstance(value, ipc.Hello):
            self.hello = value
            if not self._up.done():
                self._up.set_result(None)
        elif self.listener is not None:
            self.listener(value)


def _readable(line: bytes) -> str:
    text = line[:MAX_LINE].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
