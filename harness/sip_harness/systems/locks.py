"""Accounts of an external system, each had by one lease at a time, and the pace of calls, on this machine as a whole.

A lock is an flock(2) on a file of the user's own: the kernel drops it when its process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path


class LocksUnusable(OSError):
    """The directory for locks cannot be had, or is not safe to use."""


def directory() -> Path:
    """Where locks lie: $XDG_RUNTIME_DIR, or what that is on most machines, or /tmp. Raises LocksUnusable.

    $TMPDIR does not count: runs with different ones must find each other.
    """
    candidates = (os.environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{os.getuid()}", "/tmp", tempfile.gettempdir())  # noqa: S108
    base = next((one for one in candidates if one and os.access(one, os.W_OK | os.X_OK) and Path(one).is_dir()), "/")
    path = Path(base) / f"sip-harness-{os.getuid()}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise LocksUnusable(f"no directory for locks at {path}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise LocksUnusable(f"{path} is not a directory of this user: remove it, or set XDG_RUNTIME_DIR")
    return path


class Locks:
    """Locks that are held together."""

    def __init__(self, system: str) -> None:
        """`system` parts accounts of the same name on different systems: its host and port."""
        self._system = system
        self._held: dict[str, int] = {}

    def take(self, accounts: Iterable[str]) -> str:
        """Have all of these, or none; empty, or who has the first that is not free. Raises LocksUnusable."""
        taken: dict[str, int] = {}
        for account in sorted(set(accounts)):
            file, holder = _lock(directory() / f"{_name(self._system, account)}.lock")
            if file is None:
                _free(taken.values())
                return f"account {account} is in use{f' by process {holder}' if holder else ''}"
            taken[account] = file
        self._held |= taken
        return ""

    def free(self) -> None:
        """Give everything back. Never raises."""
        _free(self._held.values())
        self._held.clear()


def reserve(system: str, gap: float, now: float) -> float:
    """A moment for something that may follow others of its kind on this system by `gap` seconds only, whichever process
    does them; `now` and what is returned are of the machine's monotonic clock. Raises LocksUnusable."""
    path = directory() / f"{_name(system, 'pace')}.pace"
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise LocksUnusable(f"cannot use {path}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX)  # held for as long as it takes to read and write a few bytes
        at = max(now, _reserved(os.pread(file, 100, 0)))
        os.ftruncate(file, 0)
        os.pwrite(file, f"{_boot()} {at + gap:.6f}".encode(), 0)
        return at
    finally:
        os.close(file)


def _reserved(data: bytes) -> float:
    """What a file says when the next may be; it counts until the machine is started anew, as its clock does."""
    boot, _, moment = data.decode("ascii", "replace").partition(" ")
    with suppress(ValueError):
        return float(moment) if boot == _boot() else 0.0
    return 0.0


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "-"


def _name(system: str, account: str) -> str:
    return sha256(f"{system} {account}".encode()).hexdigest()[:32]


def _lock(path: Path) -> tuple[int | None, str]:
    """A descriptor that holds the lock; or None and the process that has it."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise LocksUnusable(f"cannot lock {path}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(file, 20, 0).decode("ascii", "replace").strip()
        os.close(file)
        return None, holder if holder.isdigit() else ""
    os.ftruncate(file, 0)
    os.pwrite(file, str(os.getpid()).encode(), 0)
    return file, ""


def _free(files: Iterable[int]) -> None:
    for file in files:
        with suppress(OSError):
            os.close(file)
