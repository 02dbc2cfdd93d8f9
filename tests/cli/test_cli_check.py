"""`sip-harness check`: what it says of files without starting anything."""

from __future__ import annotations

import contextlib
from pathlib import Path

from click.testing import CliRunner

from sip_harness.cli.main import main
from sip_harness.sip.codes import CODES

HERE = Path(__file__).parent
SOUND = """\
title: A phone answers {code}
id: M-1
for: {code: [4xx]}
targets: {bob: {ring: [desk]}}
devices:
  desk: {answer: [ringing, {code}]}
calls: [{from: alice, to: bob}]
expect: {alice: [{code}]}
"""


def test_a_step_that_the_named_stack_cannot_do_is_a_mistake() -> None:
    golden = HERE / "mistakes" / "step-that-pjsua2-cannot-do.txt"
    with contextlib.chdir(golden.parent):
        result = CliRunner().invoke(main, ["check", "step-that-pjsua2-cannot-do.sip.yaml"])
    assert result.exit_code == 2
    assert result.output == golden.read_text(encoding="utf-8")


def test_a_matrix_counts_its_cases_and_names_an_impossible_step_once(tmp_path: Path) -> None:
    path = tmp_path / "m.sip.yaml"
    path.write_text(SOUND, encoding="utf-8")
    result = CliRunner().invoke(main, ["check", str(path)])
    assert (result.exit_code, result.output) == (
        0,
        f"{sum(400 <= code <= 499 for code in CODES)} scenarios, no mistakes\n",
    )
    path.write_text(SOUND.replace("[ringing,", "[no 100, ringing,").replace("}]}", "}], stack: pjsua2}", 1), "utf-8")
    result = CliRunner().invoke(main, ["check", str(path)])
    assert (result.exit_code, result.output.count("cannot be on the pjsua2 stack")) == (2, 1)
