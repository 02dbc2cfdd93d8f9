"""The command as a whole: what it loads, and what it says to a name that is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sip_harness.cli.main import main

SCENARIO = Path(__file__).parents[2] / "scenarios" / "busy" / "600-stops-the-other-phones.sip.yaml"
LOADED = (
    "import sys; from sip_harness.cli.main import main; main({}, standalone_mode=False); print(*sorted(sys.modules))"
)


def loaded(*arguments: str) -> set[str]:
    """Modules that a command has loaded when it is done."""
    command = [sys.executable, "-c", LOADED.format(list(arguments))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("arguments", "never"),
    [
        (["codes", "486"], {"pydantic", "yaml", "jinja2", "asyncio", "sip_harness.systems", "sip_harness.run"}),
        (["check", str(SCENARIO)], {"jinja2", "sip_harness.report.html", "sip_harness.systems.kamailio"}),
    ],
)
def test_a_command_loads_what_it_needs_and_no_more(arguments: list[str], never: set[str]) -> None:
    """Loading is most of what a short command takes."""
    modules = loaded(*arguments)
    assert "sip_harness.cli.main" in modules
    assert never & modules == set()


def test_nothing_is_loaded_to_write_reports_where_there_is_nothing_to_write() -> None:
    code = "import sys, sip_harness.cli.run; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert {"jinja2", "sip_harness.report.html", "sip_harness.cli.call"} & set(done.stdout.split()) == set()


def test_every_command_is_on_the_help_page_and_has_one() -> None:
    page = CliRunner().invoke(main, ["--help"]).output
    for name in main.commands:
        assert f"\n  {name} " in page
        assert CliRunner().invoke(main, [name, "--help"]).exit_code == 0


def test_a_command_that_is_none_is_answered_with_a_guess() -> None:
    result = CliRunner().invoke(main, ["runn"])
    assert result.exit_code == 2
    assert "No such command 'runn'" in result.output


@pytest.mark.parametrize("arguments", [["codes"], ["systems"], ["check", str(SCENARIO)], ["run", str(SCENARIO)]])
def test_a_screen_on_a_full_disk_is_told_in_a_line(arguments: list[str]) -> None:
    """As with `sip-harness run > results.txt` where the disk is full."""
    command = [sys.executable, "-c", "from sip_harness.cli.main import main; main()", *arguments]
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=100, check=False)
    assert (done.returncode, done.stderr) == (3, "the output cannot be written: No space left on device\n")


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_missing_path_that_is_a_shipped_one_is_told_where_that_is(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, [command, "busy/"])
    assert done.exit_code == 2
    assert done.output.startswith("busy: there is no such file or directory\nthe shipped scenarios have it: ")
    assert CliRunner().invoke(main, ["check", done.output.split()[-1]]).exit_code == 0
    other = CliRunner().invoke(main, [command, "nothing-of-this-name"])
    assert other.output == "nothing-of-this-name: there is no such file or directory\n"


def test_a_selection_that_matches_nothing_says_so() -> None:
    done = CliRunner().invoke(main, ["run", str(SCENARIO), "-k", "FK-1x"])
    assert (done.exit_code, "-k 'FK-1x' matches none of 1 scenarios" in done.output) == (5, True)
    half = CliRunner().invoke(main, ["run", str(SCENARIO), "-k", "FK-01 and"])
    assert (half.exit_code, "-k 'FK-01 and': a word is missing" in half.output) == (2, True)
