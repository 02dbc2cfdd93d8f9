"""No packet leaves this machine: whole tests in a network whose way out is watched, with both stacks and every command.

`ci/quiet` without arguments does the same with all tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.needs_tshark, pytest.mark.timeout(900)]

REPRESENTATIVE = (
    "tests/agents/test_guard_stacks.py",
    "tests/systems/test_nat.py",
    "tests/cli/test_by_hand.py",
    "tests/systems/test_staging.py::test_another_authority_is_not_believed",
    "tests/systems/test_reference_b2bua_runs.py",
    "tests/systems/test_kamailio_carriers.py",
)
"""Runs on built-in and on external systems, `respond` and `call`, peers that name hosts which do not exist."""
LOUD = """\
import socket

def test_a_datagram():
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("203.0.113.9", 5060))

def test_a_connection():
    with socket.socket() as sock:
        sock.setblocking(False)
        sock.connect_ex(("203.0.113.10", 5061))

def test_a_name():
    try:
        socket.getaddrinfo("leak.elsewhere.example", 5060)
    except OSError:
        pass
"""


def quiet(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Tests in a network of their own; skips where that cannot be had."""
    if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin"):
        pytest.skip("a network of one's own needs root, unshare and ip")
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine gives nobody a network of his own")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [checkout / "ci" / "quiet", "-q", "-p", "no:cacheprovider", *arguments],
        capture_output=True, text=True, cwd=checkout, check=False, env=environment | {"PYTHON": sys.executable},
    )  # fmt: skip


def test_what_leaves_is_seen(checkout: Path, tmp_path: Path) -> None:
    """Else the other test would prove nothing."""
    (tmp_path / "test_loud.py").write_text(LOUD)
    done = quiet(checkout, str(tmp_path / "test_loud.py"), "-c", os.devnull)
    assert done.returncode == 1, done.stderr
    assert "3 passed" in done.stdout
    for sign in ("203.0.113.9", "203.0.113.10", "leak.elsewhere.example"):
        assert sign in done.stderr


def test_nothing_leaves(checkout: Path) -> None:
    done = quiet(checkout, *REPRESENTATIVE)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "ci/quiet: no packet outside loopback" in done.stdout
