"""Expectations that cannot fail, and misbehaviour that goes unnoticed: neither may be in the shipped scenarios.

Every scenario is run once on the reference; then its record is judged by the scenario with one expectation changed,
and the scenario judges its record with one thing changed that the system did.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import mutants
import pytest
import record_mutants

from sip_harness.language import load
from sip_harness.model.entry import Record
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.systems.registry import create
from sip_harness.verdict import choose, judge

LIBRARY = Path(__file__).parents[2] / "scenarios"
TOPICS = sorted(path.name for path in LIBRARY.iterdir() if path.is_dir())
SYSTEMS = ("reference", "reference-digest", "reference-trunk", "reference-b2bua")


@dataclass(frozen=True)
class Held:
    """A scenario that held, as it reads for the system that it ran on."""

    scenario: Scenario
    record: Record


@cache
def held(topic: str) -> tuple[Held, ...]:
    """The scenarios of a topic, of a matrix the first case for each of its proofs, with a record of each on the
    first system that can run it."""
    found: list[Held] = []
    rest = list({(s.place.file, s.proof): s for s in load([LIBRARY / topic])}.values())
    for system in SYSTEMS:
        held_here = asyncio.run(run(system, rest))
        found += held_here
        rest = [s for s in rest if s.id not in {one.scenario.id for one in held_here}]
    assert not rest, f"of {topic} these passed nowhere: {', '.join(s.id for s in rest)}"
    return tuple(found)


async def run(system: str, scenarios: list[Scenario]) -> list[Held]:
    """Those of the scenarios that hold on a system."""
    async with open_session(create(system), Options("wire", 4), []) as session:
        results = await asyncio.gather(*(session.run(s) for s in scenarios))
    says = choose.Says(session.system.info.name, session.system.info.kind, session.system.info.policy)
    return [
        Held(choose.resolved(r.scenario, says), r.record)
        for r in results
        if r.verdict.outcome is Outcome.PASS and r.record is not None
    ]


@pytest.mark.parametrize("topic", TOPICS)
def test_a_changed_expectation_does_not_hold(topic: str) -> None:
    tried: Counter[str] = Counter()
    survivors = []
    for one in held(topic):
        for mutant in mutants.mutants(one.scenario):
            tried[mutant.kind] += 1
            if judge(mutant.scenario, one.record).outcome is Outcome.PASS:
                survivors.append(f"{one.scenario.id}: {mutant.kind}: {mutant.about}")
    assert not survivors, "\n".join(survivors)
    assert tried.total() > 10


@pytest.mark.parametrize("topic", TOPICS)
def test_what_the_system_did_otherwise_is_noticed(topic: str) -> None:
    tried: Counter[str] = Counter()
    survivors = []
    for one in held(topic):
        rules = record_mutants.Rules(one.scenario, one.record)
        for change in record_mutants.changes(one.record):
            if rules.excuse(change):
                continue
            tried[change.kind] += 1
            if judge(one.scenario, change.record).outcome is Outcome.PASS:
                what = f"{change.item.seen.agent} got {change.item.seen.name}"
                survivors.append(f"{one.scenario.id}: {change.kind}: {what}")
    assert not survivors, "\n".join(survivors)
    assert tried.total() > 10
