"""Commands of ours watched from outside: what they start, what they record while they run, what they leave behind."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from sip_harness.model.entry import Address, Message, Record
from sip_harness.record.jsonl import BadRecord, read
from sip_harness.sip.message import Message as SipMessage
from sip_harness.sip.message import parse

PATIENCE = 60.0
"""Seconds after which a test gives up waiting; only what is broken ever takes so long."""
WORKER = "sip_harness.agents.pjsua2.worker"
HARNESS = (sys.executable, "-m", "sip_harness")
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
_PAUSE = threading.Event()

T = TypeVar("T")


def until(look: Callable[[], T | None], what: str | Callable[[], str], within: float = PATIENCE) -> T:
    """The first true value of `look`; for what tells nobody when it happens."""
    deadline = time.monotonic() + within
    while not (found := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what if isinstance(what, str) else what()}")
        _PAUSE.wait(0.005)
    return found


class Command:
    """A command in a session of its own, with a temporary directory of its own. Ends with all it started."""

    def __init__(self, place: Path, *command: str) -> None:
        """Start it in the directory `place`."""
        self.words = shlex.join(command)
        self.out = place / "out"
        self.temporary = place / "t"
        self.temporary.mkdir(parents=True)
        self._said = place / "said"
        with self._said.open("wb") as said:
            self.process = subprocess.Popen(
                command,
                cwd=place,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(self.temporary)},
                start_new_session=True,
            )

    def __enter__(self) -> Command:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        self._patient_until = time.monotonic() + PATIENCE / 4
        until(self._is_gone, lambda: f"the end of {self.family()}")

    @property
    def said(self) -> str:
        """Its output so far."""
        return self._said.read_text(errors="replace")

    def end(self, within: float = PATIENCE) -> int:
        """Wait for its end; the exit status, negative for a signal."""
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {within:g} s; it said: {self.said}") from None

    def family(self) -> set[int]:
        """Every process that has, however remotely, come from this command, itself included, and still runs.

        Children inherit the name of the temporary directory, so those that were orphaned are found as well.
        """
        mark = f"TMPDIR={self.temporary}\0".encode()
        marked = {pid for pid in _pids() if mark in _read(f"/proc/{pid}/environ")}
        return {pid for pid in marked | descendants(self.process.pid) if runs(pid)}

    def _is_gone(self) -> bool:
        """Whether nothing of it runs any more; what ought to have ended by itself is killed."""
        family = self.family()
        if time.monotonic() > self._patient_until:
            for pid in family:
                _kill(pid)
        return not family

    def record(self, name: str) -> Record | None:
        """What is on disk of the record of that file name; None if there is nothing yet."""
        try:
            return read(self.out / name)
        except BadRecord:
            return None

    def seen(self, name: str, agent: str, what: Callable[[Message, SipMessage], bool]) -> Record:
        """Wait until the record shows such a message at an agent. Returns the record."""

        def look() -> Record | None:
            record = self.record(name)
            found = record and any(what(m, parse(m.data)) for m in record.messages if m.agent == agent)
            return record if found else None

        try:
            return until(look, f"{agent} in {name}")
        except AssertionError as error:
            raise AssertionError(f"{error}; {self.words} said: {self.said}") from None


def invited(message: Message, sip: SipMessage) -> bool:
    """Whether an INVITE has come in."""
    return message.direction == "received" and sip.method == "INVITE"


def acknowledged(message: Message, sip: SipMessage) -> bool:
    """Whether an ACK has been sent."""
    return message.direction == "sent" and sip.method == "ACK"


def cancelled(message: Message, sip: SipMessage) -> bool:
    """Whether a CANCEL has been sent."""
    return message.direction == "sent" and sip.method == "CANCEL"


def runs(pid: int) -> bool:
    """Whether a process has not ended; one that only waits to be collected has."""
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return bool(fields) and fields[0] != b"Z"


def descendants(pid: int) -> set[int]:
    """All processes below this one, and itself."""
    parents = {p: parent(p) for p in _pids()}
    found = {pid}
    while more := {p for p, above in parents.items() if above in found} - found:
        found |= more
    return found


def parent(pid: int) -> int:
    """The process that it is a child of; 0 if it is gone."""
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def command_line(pid: int) -> list[str]:
    """Arguments of a process; empty if it is gone."""
    return os.fsdecode(_read(f"/proc/{pid}/cmdline")).split("\0")[:-1]


def name(pid: int) -> str:
    """Name of the program that a process runs; empty if it is gone."""
    return os.fsdecode(_read(f"/proc/{pid}/comm")).strip()


def holder(family: set[int], address: Address) -> int:
    """The process of a family that has this UDP port open."""
    socket_name = f"socket:[{_inode(address)}]"
    for pid in family:
        if any(_target(fd) == socket_name for fd in _descriptors(pid)):
            return pid
    raise AssertionError(f"nobody of {family} has UDP port {address} open")


def is_free(address: Address) -> bool:
    """Whether UDP and TCP can both be bound."""
    try:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            with socket.socket(socket.AF_INET, kind) as sock:
                sock.bind(address)
    except OSError:
        return False
    return True


def _inode(address: Address) -> str:
    host = socket.inet_aton(address[0])[::-1].hex().upper()
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] == f"{host}:{address[1]:04X}":
            return fields[9]
    raise AssertionError(f"no UDP socket is bound to {address}")


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]  # noqa: PTH208 - names only, and fast


def _descriptors(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return []


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
