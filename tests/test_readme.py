"""What the README shows is what there is."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from sip_harness.cli.main import main
from sip_harness.language import load_text

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_first_scenario_is_the_shipped_one() -> None:
    assert (ROOT / "scenarios" / "busy" / "600-stops-the-other-phones.sip.yaml").read_text() in README


def test_every_block_of_answers_loads() -> None:
    blocks = [b for b in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if not b.startswith("title:")]
    assert blocks
    for block in blocks:
        devices = [line for line in block.splitlines() if line.startswith("desk:")]
        for device in devices:
            text = textwrap.dedent(f"""
                title: t
                id: t
                targets: {{bob: {{ring: [desk, mobile]}}}}
                devices:
                  {device}
                  mobile: {{answer: [ringing]}}
                calls: [{{from: alice, to: bob}}]
                expect: {{desk: reached}}
            """)
            assert load_text(text, "README.md").devices[0].name == "desk"


def test_the_commands_exist() -> None:
    for command in re.findall(r"sip-harness ([a-z]+)", README):
        assert command in main.commands, command
    for script in re.findall(r"ci/([a-z]+)\b", README):
        assert (ROOT / "ci" / script).is_file(), script


def test_the_options_exist() -> None:
    options = {option for command in main.commands.values() for p in command.params for option in p.opts}
    shown = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", README))
    known = options | {"--sip-system", "--sip-stack", "--sip-out", "--sip-jobs", "--junitxml"}
    assert shown <= known, shown - known


def test_whole_scenarios_load() -> None:
    whole = re.findall(r"```yaml\n(title:.*?)```", README, re.DOTALL)
    assert [load_text(text, "README.md").id for text in whole] == ["FK-01", "MY-01"]


def test_links_within_the_page_lead_to_its_headings() -> None:
    headings = {line.lstrip("# ").lower().replace(" ", "-") for line in README.splitlines() if line.startswith("## ")}
    links = set(re.findall(r"\]\(#([a-z-]+)\)", README))
    assert links
    assert links <= headings
