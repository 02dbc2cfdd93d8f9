"""The shipped scenarios: they pass on every stack, and every one is proved able to fail."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sip_harness.language import load
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome
from sip_harness.run.plan import CannotCarryOut, Stacks, choose_stacks
from sip_harness.run.session import Options, open_session
from sip_harness.systems import kamailio
from sip_harness.systems.reference.system import OF_DIGEST, faults_of
from sip_harness.systems.registry import create

LIBRARY = Path(__file__).parent.parent / "scenarios"
SCENARIOS = load([LIBRARY])
LINE = re.compile(r"^(pass|warn|deviation|fail|skip|blocked|inconclusive|error)\s+(\S+)", re.MULTILINE)


def run(*args: str) -> dict[str, str]:
    """Verdicts of one `sip-harness run`, by id."""
    command = [sys.executable, "-m", "sip_harness", "run", *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    verdicts = {name: verdict for verdict, name in LINE.findall(done.stdout)}
    assert verdicts, done.stdout + done.stderr
    return verdicts


def single_stack() -> dict[str, str]:
    """Why a scenario is for the wire stack alone, by id."""
    reasons: dict[str, str] = {}
    for scenario in SCENARIOS:
        try:
            choose_stacks(scenario, Stacks("pjsua2"))
        except CannotCarryOut as error:
            reasons[scenario.id] = error.reason
    return reasons


@pytest.mark.needs_pjsua2
@pytest.mark.parametrize(
    "system",
    ["reference", *(pytest.param(name, marks=pytest.mark.needs_kamailio) for name in ("kamailio", "kamailio-digest"))],
)
def test_both_stacks_give_the_same_verdict(system: str, capsys: pytest.CaptureFixture[str]) -> None:
    alone = single_stack()
    both = [s for s in SCENARIOS if s.id not in alone]
    on_wire = run(*files(SCENARIOS), "--system", system, "--stack", "wire", "-j", "4")
    on_pjsua2 = run(*files(both), "--system", system, "--stack", "pjsua2", "-j", "4")
    with capsys.disabled():
        print(f"\n{system}: {len(both)} of {len(SCENARIOS)} scenarios ran on both stacks")
        for name, reason in alone.items():
            print(f"  {name} on wire only: {reason}")
    assert on_pjsua2 == {s.id: on_wire[s.id] for s in both}
    assert set(on_wire.values()) <= {"pass", "deviation"}, on_wire


def files(scenarios: list[Scenario]) -> list[str]:
    """Where these scenarios stand."""
    return [s.place.file for s in scenarios]


@pytest.mark.needs_kamailio
@pytest.mark.parametrize("fault", sorted(kamailio.FAULTS))
def test_every_proof_fault_of_kamailio_makes_its_scenarios_fail_and_no_others(fault: str) -> None:
    """A scenario that fails under a fault that it does not name has a proof that its author did not know of."""
    verdicts = run(str(LIBRARY), "--system", "kamailio", "--fault", fault, "-j", "12", "--stack", "wire")
    proved = {s.id for s in SCENARIOS if fault in s.proof}
    assert {name for name, verdict in verdicts.items() if verdict == "fail"} == proved, verdicts


def test_every_proof_fault_of_the_reference_makes_its_scenarios_fail() -> None:
    """All at once in this process: most of it is waiting for timers."""
    slots = asyncio.Semaphore(6)
    proofs = {fault: [s for s in SCENARIOS if fault in s.proof] for fault in faults_of(digest=True)}

    async def prove(fault: str) -> list[tuple[str, str, Outcome]]:
        system = create("reference-digest" if fault in OF_DIGEST else "reference", faults=(fault,))
        async with slots, open_session(system, Options("wire", 3), []) as session:
            results = await asyncio.gather(*(session.run(s) for s in proofs[fault]))
        return [(fault, result.scenario.id, result.verdict.outcome) for result in results]

    async def work() -> list[list[tuple[str, str, Outcome]]]:
        return await asyncio.gather(*(prove(fault) for fault, proved in proofs.items() if proved))

    found = [one for some in asyncio.run(work()) for one in some]
    assert len(found) > 20
    assert [one for one in found if one[2] not in (Outcome.FAIL, Outcome.SKIP)] == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.id)
def test_a_shipped_scenario_is_short_cited_tagged_and_proved(scenario: Scenario) -> None:
    assert scenario.proof, "no scenario ships without a fault that makes it fail"
    assert scenario.cite
    assert scenario.tags
    assert scenario.needs
    lines = Path(scenario.place.file).read_text().splitlines()
    assert len(lines) <= 24


@pytest.mark.needs_kamailio
def test_fk_01_under_its_fault_names_the_late_cancel_to_the_other_phone(tmp_path: Path) -> None:
    file = LIBRARY / "busy" / "600-stops-the-other-phones.sip.yaml"
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "sip_harness",
        "run",
        str(file),
        "--system",
        "kamailio",
        "--fault",
        "forks-on-after-6xx",
        "--out",
        str(out),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert re.search(r"CANCEL reached mobile \d\.\d\d s after desk sent 600 Busy Everywhere", done.stdout), done.stdout
    assert "left ringing" in done.stdout
    assert "RFC 3261 16.7 step 5" in done.stdout
    assert f"{file.name}:15:" in done.stdout
    again = subprocess.run(
        [sys.executable, "-m", "sip_harness", "judge", str(file), str(out / "FK-01.jsonl")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert again.returncode == 1
    first = json.loads((out / "FK-01.jsonl").read_text().splitlines()[0])
    assert first["faults"] == ["forks-on-after-6xx"]
