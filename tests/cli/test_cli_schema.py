"""`sip-harness schema`."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from sip_harness.cli.main import main


def test_it_prints_or_writes_the_schema(tmp_path: Path) -> None:
    printed = CliRunner().invoke(main, ["schema"])
    assert printed.exit_code == 0
    assert json.loads(printed.output)["properties"]["title"]["description"]
    out = tmp_path / "sip.schema.json"
    written = CliRunner().invoke(main, ["schema", "--out", str(out)])
    assert (written.exit_code, written.output) == (0, "")
    assert out.read_text(encoding="utf-8") == printed.output


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["schema", "--out", str(tmp_path / "no" / "x.json")])
    assert result.exit_code == 1
    assert "No such file or directory" in result.output


def test_help_says_how_an_editor_gets_it() -> None:
    assert "# yaml-language-server: $schema=" in CliRunner().invoke(main, ["schema", "--help"]).output


def test_there_is_one_for_profiles_too() -> None:
    printed = CliRunner().invoke(main, ["schema", "--profile"])
    assert printed.exit_code == 0
    assert json.loads(printed.output)["$defs"]["ProfileDoc"]["properties"]["guard"]["description"]
