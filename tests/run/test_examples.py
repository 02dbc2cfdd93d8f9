"""The reference page is true: each of its examples is run, and holds on one of the embedded systems."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sip_harness.language import load
from sip_harness.language.entries import Entry
from sip_harness.language.reference import sections, whole
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario, Stack
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.systems.registry import create

SYSTEMS = ("reference-trunk", "reference", "reference-digest")
EXAMPLES = {f"{title}: {name}": entry for title, entries in sections() for name, entry in entries.items()}


def loaded(entry: Entry, directory: Path) -> list[Scenario]:
    """The example as scenarios, with its other files beside it; of a matrix the first and the last case."""
    directory.mkdir()
    for file, text in entry.files.items():
        (directory / file).write_text(text, encoding="utf-8")
    (directory / "example.sip.yaml").write_text(whole(entry), encoding="utf-8")
    cases = load([directory / "example.sip.yaml"])
    return list({case.id: case for case in (cases[0], cases[-1])}.values())


def runs_on(system: str, scenario: Scenario) -> bool:
    """A trunk client acts by itself and is watched; it takes no calls."""
    return (system == "reference-trunk") == (scenario.watch is not None)


async def results(system: str, stack: Stack, scenarios: list[Scenario]) -> list[Result]:
    async with open_session(create(system), Options(stack, 8), []) as session:
        return list(await asyncio.gather(*(session.run(one) for one in scenarios)))


@pytest.mark.parametrize("stack", ["auto", "wire"])
def test_every_example_of_the_reference_page_holds(stack: Stack, tmp_path: Path) -> None:
    """Those that name another stack than the option keep it."""
    left = {name: loaded(entry, tmp_path / str(n)) for n, (name, entry) in enumerate(EXAMPLES.items())}
    said: dict[str, list[str]] = {}
    for system in SYSTEMS:
        flat = [(name, one) for name, some in left.items() for one in some if runs_on(system, one)]
        done = asyncio.run(results(system, stack, [scenario for _, scenario in flat]))
        for (name, scenario), result in zip(flat, done, strict=True):
            if result.verdict.outcome in (Outcome.PASS, Outcome.WARN):
                left[name].remove(scenario)
            else:
                why = [result.verdict.reason, *(f"{f.expected}: {f.seen}" for f in result.verdict.findings)]
                said.setdefault(name, []).append(f"{system}: {result.verdict.outcome.value} {'; '.join(why)}")
    broken = [name for name, scenarios in left.items() if scenarios]
    assert not broken, "\n".join(f"{name}\n  " + "\n  ".join(said[name]) for name in broken)
