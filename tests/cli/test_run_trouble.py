"""`sip-harness run` where the machine is in trouble: a clear message and its own exit status, no traceback."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

SCENARIO = Path(__file__).parents[2] / "scenarios" / "busy" / "600-stops-the-other-phones.sip.yaml"
DRIVE = """
import sys
from pathlib import Path
from sip_harness.systems import kamailio
config = Path(sys.argv.pop(1))
config.write_text(kamailio._CONFIG.read_text().replace(sys.argv.pop(1), sys.argv.pop(1)))
kamailio._CONFIG = config
from sip_harness.cli.main import main
main(prog_name="sip-harness")
"""


def run(
    *options: str,
    largest_file: int = -1,
    start: tuple[str, ...] = ("-m", "sip_harness"),
) -> subprocess.CompletedProcess[str]:
    """One run of the shipped scenario on the wire, with files of at most so many bytes."""

    def limit() -> None:
        if largest_file >= 0:  # Python ignores SIGXFSZ: what is too much raises OSError, as a full disk does
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    command = [sys.executable, *start, "run", str(SCENARIO), "--stack", "wire", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, preexec_fn=limit)


@pytest.mark.parametrize("largest", [0, 3000])
def test_a_full_disk_is_the_machines_fault(tmp_path: Path, largest: int) -> None:
    done = run("--out", str(tmp_path / "out"), largest_file=largest)
    assert "Traceback" not in done.stdout + done.stderr
    assert "its record could not be written: [Errno 27] File too large" in done.stdout
    assert "the reports could not be written: File too large" in done.stdout
    assert "1 inconclusive" in done.stdout
    assert done.returncode == 3


def test_a_failure_of_the_system_stays_one(tmp_path: Path) -> None:
    done = run("--fault", "forks-on-after-6xx", "--out", str(tmp_path / "out"), largest_file=3000)
    assert "the reports could not be written" in done.stdout
    assert done.returncode == 1


def test_a_place_that_is_no_directory_is_an_authors_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("--out", str(tmp_path / "file" / "out"))
    assert "Not a directory" in done.stderr
    assert done.returncode == 2


@pytest.mark.needs_kamailio
@pytest.mark.parametrize(
    ("setting", "other", "why"),
    [
        ('"transport", 4)', '"transport", 2)', "no remote control at"),
        ("request_route {", "request_route { nonsense", "ended while starting"),
    ],
)
def test_a_system_that_does_not_come_up_ends_the_command(tmp_path: Path, setting: str, other: str, why: str) -> None:
    start = ("-c", DRIVE, str(tmp_path / "k.cfg"), setting, other)
    done = run("--system", "kamailio", start=start)
    assert "Kamailio did not come up: kamailio " in done.stdout
    assert why in done.stdout
    assert "its last log lines:\n" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode == 3
