"""Keeps one command running for exactly as long as its runner wants it, then leaves nothing behind.

Runs as a process of its own, `python -I -S keeper.py RUNNER BASE GRACE COMMAND...` or the like: it makes a fresh
directory in BASE, starts COMMAND there (`{dir}` in an argument stands for that directory) in a session of its own, and
ends it with all its descendants, directory included, when stdin closes or says anything, or when process RUNNER, its
parent, is gone. So a runner that is killed needs no chance to clean up. GRACE is the time between SIGTERM and SIGKILL
in seconds.

What the command writes to stdout and stderr comes out on the keeper's stdout. A slow or stopped reader never blocks
the command: lines wait in a bounded queue and are counted once they have to be dropped. One report per line:

    p PID DIRECTORY       the command was started
    l NANOSECONDS TEXT    it wrote this (bytes as they came, cut where too long) at this Unix time
    d COUNT               so many lines were dropped here
    x STATUS              it ended with this status (or minus the signal's number); nothing of it is left

This file starts without the package and imports only the little that it needs, to start fast.
"""

# pathlib would cost a third of the start:
# ruff: noqa: PTH102, PTH106, PTH108, PTH114, PTH118, PTH123

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Callable

LINE_LIMIT = 2_000
"""Longest line that is passed on, bytes."""
QUEUE_LIMIT = 2_000
"""Most lines that wait for the runner, besides those that are being written."""
CUT = b" [cut]"
_CHUNK = 65_536
_KILL_PATIENCE = 2.0
_FLUSH_PATIENCE = 1.0
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2)
_DEAF_TO = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STDIN, _STDOUT, _STDERR = 0, 1, 2


class Lines:
    """Cuts a byte stream into lines of bounded length."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """Lines that have come in; the beginning of an over-long one as soon as it is too long, never its rest."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        lines = []
        for line in whole:
            if not self._skipping:
                lines.append(_cut(line))
            self._skipping = False
        if self._skipping:
            self._rest = b""
        elif len(self._rest) > LINE_LIMIT:
            lines.append(_cut(self._rest))
            self._rest, self._skipping = b"", True
        return lines

    def end(self) -> list[bytes]:
        """What came last without a line end."""
        rest, self._rest = self._rest, b""
        return [_cut(rest)] if rest else []


def _cut(line: bytes) -> bytes:
    return line if len(line) <= LINE_LIMIT else line[:LINE_LIMIT] + CUT


class Reports:
    """Bounded queue of report lines for a descriptor that is never waited for."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._queue: deque[bytes] = deque()
        self._dropped = 0
        self._partial = b""
        self._closed = False
        os.set_blocking(fd, False)

    @property
    def pending(self) -> bool:
        """Whether there is something to write and somebody to read it."""
        return bool(self._partial or self._queue or self._dropped) and not self._closed

    def line(self, now: int, text: bytes) -> None:
        """Queue a line of the command, or count it if the queue is full."""
        if len(self._queue) >= QUEUE_LIMIT:
            self._dropped += 1
        else:
            self._queue.append(b"l %d %s\n" % (now, text))

    def event(self, text: str) -> None:
        """Queue a report of the keeper itself: there are few, none is dropped."""
        self._note_dropped()
        self._queue.append(os.fsencode(text) + b"\n")

    def write(self) -> None:
        """Write as much as the reader takes now."""
        try:
            while self.pending:
                if not self._partial:
                    self._note_dropped()  # nothing was queued since: this is its place among the lines
                    self._partial = b"".join(self._queue)
                    self._queue.clear()
                self._partial = self._partial[os.write(self._fd, self._partial) :]
        except BlockingIOError:
            return
        except OSError:  # the runner is gone: nobody will ever read
            self._closed = True

    def _note_dropped(self) -> None:
        if self._dropped:
            self._queue.append(b"d %d\n" % self._dropped)
            self._dropped = 0


class Keeper:
    """Runs the command and sees to the end of everything that it forks."""

    def __init__(self, runner: int, directory: str, grace: float) -> None:
        self._runner = runner
        self._directory = directory
        self._grace = grace
        self._reports = Reports(_STDOUT)
        self._lines = Lines()
        self._poll = select.poll()
        self._pid = 0
        self._status: int | None = None
        self._output = -1
        self._told = False
        self._wake = _wake_on_child()

    def keep(self, command: list[str]) -> None:
        """Run the command until it ends or its time is over, then clean up behind it and report."""
        runner = self._watch_runner()
        if runner is None and os.getppid() != self._runner:
            return
        os.mkdir(self._directory, 0o700)
        try:
            self._output = self._start([arg.replace("{dir}", self._directory) for arg in command])
            self._reports.event(f"p {self._pid} {self._directory}")
            for fd in (_STDIN, self._wake, self._output, runner):
                if fd is not None:
                    self._poll.register(fd, select.POLLIN)
            while not self._told and self._status is None:
                self._turn(None)
        finally:
            self._end()
            _remove(self._directory)
        self._reports.event(f"x {-signal.SIGKILL if self._status is None else self._status}")
        self._flush()

    def _watch_runner(self) -> int | None:
        """The pipe alone would not do: a process that the runner forks without exec keeps its write end open."""
        try:
            fd = os.pidfd_open(self._runner)
        except OSError:
            return None
        if os.getppid() == self._runner:
            return fd
        os.close(fd)  # the runner was gone before we looked, the number is somebody else's
        return None

    def _start(self, command: list[str]) -> int:
        keeper = os.getpid()
        output, write_end = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                _become(command, self._directory, write_end, keeper)
            finally:
                os._exit(127)
        os.close(write_end)
        os.set_blocking(output, False)
        return output

    def _turn(self, patience: float | None) -> None:
        """Wait for something to happen, `patience` seconds at most, and see to it."""
        if self._reports.pending:
            self._poll.register(_STDOUT, select.POLLOUT)
        for fd, _ in self._poll.poll(None if patience is None else max(0.0, patience) * 1000):
            if fd == _STDOUT:
                self._poll.unregister(_STDOUT)
                self._reports.write()
            elif fd == self._output:
                self._read_output()
            elif fd == self._wake:
                os.read(self._wake, _CHUNK)
                self._reap()
            else:  # stdin, or the runner's pidfd
                self._poll.unregister(fd)
                self._told = True

    def _read_output(self) -> bool:
        try:
            data = os.read(self._output, _CHUNK)
        except BlockingIOError:
            return False
        now = time.time_ns()
        for line in self._lines.feed(data) if data else self._lines.end():
            self._reports.line(now, line)
        self._reports.write()
        if not data:
            self._poll.unregister(self._output)
            self._output = -1
        return bool(data)

    def _reap(self) -> bool:
        """Collect whoever has ended. False once no descendant is left."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return True
                if pid == self._pid:
                    self._status = os.waitstatus_to_exitcode(status)
        except ChildProcessError:
            return False

    def _end(self) -> None:
        if self._pid and self._status is None:
            deadline = time.monotonic() + self._grace
            # The command first: a main process should not find its workers gone before it hears that it is to end them.
            _signal(os.kill, self._pid, signal.SIGTERM)
            while self._reap() and self._status is None and time.monotonic() < deadline:
                self._turn(0.02)
            _signal(os.killpg, self._pid, signal.SIGTERM)
            while self._reap() and _signal(os.killpg, self._pid, 0) and time.monotonic() < deadline:
                self._turn(0.02)
        # Whoever is left outlived the command: workers of a killed main process, or processes in sessions of their own.
        # As orphans they become children of this subreaper, so no children means that nothing is left.
        deadline = time.monotonic() + _KILL_PATIENCE
        while self._reap() and time.monotonic() < deadline:
            _signal(os.killpg, self._pid, signal.SIGKILL)
            for pid in _children():
                _signal(os.kill, pid, signal.SIGKILL)
            self._turn(0.02)
        while self._output >= 0 and self._read_output():
            pass

    def _flush(self) -> None:
        deadline = time.monotonic() + _FLUSH_PATIENCE
        poll = select.poll()
        poll.register(_STDOUT, select.POLLOUT)
        while self._reports.pending and (left := deadline - time.monotonic()) > 0:
            poll.poll(left * 1000)
            self._reports.write()


def _become(command: list[str], directory: str, output: int, keeper: int) -> None:
    """Turn this fresh child into the command; returns only if that cannot be done."""
    os.setsid()
    # Should the keeper itself be killed, the command still hears of it. SIGTERM, because a main process that is killed
    # outright leaves its workers behind.
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != keeper:
        return
    for number in (*_DEAF_TO, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.dup2(os.open(os.devnull, os.O_RDONLY), _STDIN)
    os.dup2(output, _STDOUT)
    os.dup2(output, _STDERR)
    try:
        os.chdir(directory)
        os.execvp(command[0], command)  # noqa: S606 - no shell on purpose
    except OSError as error:
        os.write(_STDERR, os.fsencode(f"cannot run {command[0]}: {error.strerror}\n"))


def _wake_on_child() -> int:
    """Descriptor that becomes readable when a child ends."""
    wake, write_end = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return wake


def _signal(send: Callable[[int, int], None], target: int, number: int) -> bool:
    """Signal a process or a group (0 only asks whether it is there). False if there is none."""
    try:
        send(target, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []  # a kernel without CONFIG_PROC_CHILDREN: the process group has to do


def _remove(directory: str) -> None:
    try:
        for base, directories, files in os.walk(directory, topdown=False):
            for name in files:
                os.unlink(os.path.join(base, name))
            for name in directories:
                path = os.path.join(base, name)
                os.unlink(path) if os.path.islink(path) else os.rmdir(path)
        os.rmdir(directory)
    except OSError as error:
        print(f"cannot remove {directory}: {error}", file=sys.stderr)  # noqa: T201 - the runner takes it as a log line


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def main(arguments: list[str]) -> None:
    """Entry point of the keeper process."""
    runner, base, grace, *command = arguments
    # Its time is over when the runner says so or is gone, not before. Blocked, not ignored: a SIGTERM that reaches the
    # command between fork and exec waits there instead of being lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, _DEAF_TO)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    directory = os.path.join(base, f"sip-harness-{os.getpid()}-{os.urandom(6).hex()}")
    Keeper(int(runner), directory, float(grace)).keep(command)


if __name__ == "__main__":
    main(sys.argv[1:])
