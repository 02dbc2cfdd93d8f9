"""Whole runs on the embedded PBX: legs with Call-IDs of their own are attributed and judged."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sip_harness.language import load, load_text
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.sip.message import parse
from sip_harness.systems.reference.b2bua import ReferenceB2bua
from sip_harness.systems.reference.b2bua_core import Settings

LIBRARY = Path(__file__).parents[2] / "scenarios"
HUNTS_ON = """
title: A busy phone sends the hunt on to the next one
id: SH-01
cite: RFC 3261 16.7 step 6
needs: [hunt]
targets: {bob: {hunt: [desk, mobile]}}
devices:
  desk:   {answer: [ringing, wait 20ms, busy-here]}
  mobile: {answer: [ringing, wait 20ms, ok]}
calls:
  - {from: alice, to: bob}
expect:
  alice:  [200 from mobile]
  desk:   [INVITE, ACK to 486]
  mobile: [INVITE, ACK to 200, BYE]
order: [desk sends 486, mobile gets INVITE]
"""
HUNT_ENDS = """
title: A phone that is busy everywhere ends the hunt
id: SH-02
cite: RFC 3261 16.7 step 5
needs: [hunt]
targets: {bob: {hunt: [desk, mobile]}}
devices:
  desk:   {answer: [ringing, wait 20ms, busy-everywhere]}
  mobile: {answer: [ok]}
calls:
  - {from: alice, to: bob}
expect:
  alice:  [600 from desk]
  desk:   [INVITE, ACK to 600]
  mobile: never
"""
CANCELLED = """
title: The caller gives up while the phones ring
id: CN-01
cite: RFC 3261 9.2
needs: [ring]
targets: {bob: {ring: [desk, mobile]}}
devices:
  desk:   {answer: [ringing], transport: tcp}
  mobile: {answer: [ringing]}
calls:
  - {from: alice, to: bob, transport: tcp, cancel: 20ms after mobile sends 180}
expect:
  alice:  [200 to CANCEL, 487 from system]
  desk:   [INVITE, CANCEL, ACK to 487]
  mobile: [INVITE, CANCEL, ACK to 487]
"""


def shipped(name: str) -> Scenario:
    [found] = [s for s in load([LIBRARY]) if s.id == name]
    return found


def own(text: str) -> Scenario:
    return load_text(text, "own.sip.yaml")


def run(scenario: Scenario, *faults: str) -> Result:
    async def whole() -> Result:
        system = ReferenceB2bua(settings=Settings(ring=1.0), faults=faults)
        async with open_session(system, Options(stack="wire"), [scenario]) as session:
            return await session.run(scenario)

    return asyncio.run(whole())


@pytest.mark.parametrize("name", ["FK-01", "FK-02"])
def test_shipped_scenarios_pass(name: str) -> None:
    result = run(shipped(name))
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert result.record is not None
    invites = [m for m in result.record.messages if m.data.startswith(b"INVITE")]
    assert len({parse(m.data).call_id for m in invites}) == len(invites) == 3


@pytest.mark.parametrize("text", [HUNTS_ON, HUNT_ENDS, CANCELLED], ids=["SH-01", "SH-02", "CN-01"])
def test_hunts_and_a_cancelled_ring_pass(text: str) -> None:
    result = run(own(text))
    assert result.verdict.outcome is Outcome.PASS, result.verdict


@pytest.mark.parametrize(
    ("scenario", "fault", "expectation"),
    [
        (own(HUNT_ENDS), "hunts-on-after-6xx", "mobile: never"),
        (shipped("FK-01"), "forks-on-after-6xx", "mobile: CANCEL"),
        (shipped("FK-02"), "one-486-ends-the-fork", "alice: 200 from mobile"),
    ],
    ids=lambda value: value.id if isinstance(value, Scenario) else value,
)
def test_a_fault_makes_the_scenario_fail_where_the_rule_is_broken(
    scenario: Scenario, fault: str, expectation: str
) -> None:
    verdict = run(scenario, fault).verdict
    assert verdict.outcome is Outcome.FAIL
    assert expectation in {finding.expected for finding in verdict.findings}
