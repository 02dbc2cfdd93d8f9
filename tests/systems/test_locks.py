"""Locks on accounts, across processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sip_harness.systems import locks
from sip_harness.systems.locks import Locks, LocksUnusable

HOLD = """\
import sys
from sip_harness.systems.locks import Locks
held = Locks("192.0.2.1:5060")
print(held.take(sys.argv[1:]) or "has them", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def test_who_has_an_account_has_it_alone_until_it_ends_however_it_ends() -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, "101", "102"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline() == "has them\n"
    mine = Locks("192.0.2.1:5060")
    assert mine.take(["102", "100"]) == f"account 102 is in use by process {other.pid}"
    third = Locks("192.0.2.1:5060")
    assert not third.take(["100"]), "what was taken before the refusal is given back"
    assert not Locks("192.0.2.2:5060").take(["102"]), "another system has accounts of its own"
    other.kill()
    other.communicate()
    assert not mine.take(["101", "102"])
    assert third.take(["101"])
    mine.free()
    assert not third.take(["101"])
    third.free()


def test_a_directory_of_somebody_else_is_not_used(runtime: Path) -> None:
    path = locks.directory()
    path.rmdir()
    (runtime / "elsewhere").mkdir()
    path.symlink_to(runtime / "elsewhere")
    with pytest.raises(LocksUnusable, match="not a directory of this user"):
        Locks("x").take(["1"])
