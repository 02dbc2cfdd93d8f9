"""Locks on accounts, across processes."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from sip_harness.systems import locks
from sip_harness.systems.locks import Locks, LocksUnusable, reserve

HOLD = """\
import sys
from sip_harness.systems.locks import Locks
held = Locks("192.0.2.1:5060")
print(held.take(sys.argv[1:]) or "has them", flush=True)
sys.stdin.read()
"""

RESERVE = """\
import time
from sip_harness.systems.locks import reserve
for _ in range(20):
    print(reserve("192.0.2.1:5060", 0.5, time.monotonic()))
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


def test_runs_with_different_temporary_directories_find_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    before = locks.directory()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert locks.directory() == before


def test_the_pace_is_one_for_all_processes() -> None:
    others = [subprocess.Popen([sys.executable, "-c", RESERVE], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    times = sorted(float(line) for other in others for line in other.communicate()[0].split())
    assert len(times) == 60
    assert min(b - a for a, b in pairwise(times)) >= 0.5 - 1e-5
    assert times[-1] - times[0] < 60 * 0.5, "and no slower than it may be"
    assert reserve("192.0.2.2:5060", 0.5, 7.0) == 7.0, "another system has a pace of its own"


@pytest.mark.parametrize("left", ["", "rubbish", "another-boot 1e9"])
def test_what_was_reserved_before_the_machine_started_anew_does_not_count(runtime: Path, left: str) -> None:
    assert reserve("192.0.2.1:5060", 0.5, 7.0) == 7.0
    [file] = locks.directory().glob("*.pace")
    file.write_text(left)
    assert reserve("192.0.2.1:5060", 0.5, 7.1) == 7.1
    assert reserve("192.0.2.1:5060", 0.5, 7.2) == pytest.approx(7.6)
