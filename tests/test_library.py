"""The shipped scenarios: they pass on every stack, and every one is proved able to fail."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from kills import Matrix, able, built_in, cell, complaints, judge_again, samples, seen

from sip_harness.language import load
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome
from sip_harness.model.wanted import Conforms
from sip_harness.run.plan import CannotCarryOut, Stacks, choose_stacks
from sip_harness.run.session import Options, open_session
from sip_harness.sip.codes import CODES as KNOWN
from sip_harness.systems import kamailio
from sip_harness.systems.kamailio_settings import DEVIATIONS
from sip_harness.systems.reference.auth import OF_DIGEST
from sip_harness.systems.reference.settings import Settings
from sip_harness.systems.reference.system import Reference
from sip_harness.systems.registry import create

LIBRARY = Path(__file__).parent.parent / "scenarios"
ALL = load([LIBRARY])
CODES = [s for s in ALL if "codes" in s.tags]
"""The matrix of all codes: hundreds of cases, of which a few stand for the others wherever a run of all takes long."""
SCENARIOS = [s for s in ALL if s not in CODES]
SAMPLES = samples(CODES)
"""A case of every file of codes for all that its cases have as proof."""
LINE = re.compile(r"^(pass|warn|deviation|fail|skip|blocked|inconclusive|error)\s+(\S+)", re.MULTILINE)


def run(*args: str) -> dict[str, str]:
    """Verdicts of one `sip-harness run`, by id."""
    command = [sys.executable, "-m", "sip_harness", "run", *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    verdicts = {name: verdict for verdict, name in LINE.findall(done.stdout)}
    assert verdicts, done.stdout + done.stderr
    return verdicts


def single_stack(scenarios: list[Scenario]) -> dict[str, str]:
    """Why a scenario is for the wire stack alone, by id."""
    reasons: dict[str, str] = {}
    for scenario in scenarios:
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
    alone = single_stack(SCENARIOS)
    ran = able(system, SCENARIOS)
    both = [s for s in ran if s.id not in alone]
    on_wire = run(*files(SCENARIOS), "--system", system, "--stack", "wire", "-j", "4")
    on_pjsua2 = run(*files(both), "--system", system, "--stack", "pjsua2", "-j", "4")
    with capsys.disabled():
        print(f"\n{system}: {len(both)} of {len(SCENARIOS)} scenarios ran on both stacks")
        for name, reason in alone.items():
            print(f"  {name} on wire only: {reason}")
    assert {s.id: on_pjsua2[s.id] for s in both} == {s.id: on_wire[s.id] for s in both}
    assert {on_wire[s.id] for s in ran} <= {"pass", "deviation"}, on_wire
    rest = {s.id for s in SCENARIOS} - {s.id for s in ran}
    assert {on_wire[name] for name in rest} <= {"skip"}, on_wire


def test_every_scenario_runs_on_some_embedded_system() -> None:
    systems = ("reference", "reference-digest", "reference-b2bua", "reference-trunk")
    ran = {s.id for system in systems for s in able(system, ALL)}
    assert ran == {s.id for s in ALL}


def files(scenarios: list[Scenario]) -> list[str]:
    """Where these scenarios stand."""
    return [s.place.file for s in scenarios]


@pytest.mark.needs_kamailio
@pytest.mark.parametrize("fault", sorted(kamailio.FAULTS))
def test_every_proof_fault_of_kamailio_makes_its_scenarios_fail_at_its_rule_and_no_others(fault: str) -> None:
    """A scenario that fails under a fault that it does not name has a proof that its author did not know of."""
    ran = able("kamailio", SCENARIOS)
    found = asyncio.run(seen("kamailio", fault, ran, jobs=12))
    failed = {one.scenario for one in found if one.outcome is Outcome.FAIL}
    proved = {s.id for s in ran if fault in s.proof}
    # Where it deviates anyhow a fault may take just that away, which is a failure as well and proves nothing.
    may = proved | {known.scenario for known in DEVIATIONS}
    assert proved <= failed
    assert failed <= may, [line for one in found if one.scenario in failed - may for line in one.told]
    assert {cell(fault, Outcome.PASS, one) for one in found if one.scenario in proved} <= {"rule"}


async def outcomes(system: str, fault: str, stack: str, scenarios: list[Scenario]) -> list[tuple[str, str, Outcome]]:
    """Fault, id and verdict of every scenario, run in this process; `fault` may be empty for none."""
    under_test = create(system, faults=(fault,) if fault else ())
    async with open_session(under_test, Options(stack, 4), []) as session:
        results = await asyncio.gather(*(session.run(s) for s in scenarios))
    return [(fault, result.scenario.id, result.verdict.outcome) for result in results]


@pytest.mark.timeout(400)  # many faults, each of which lets scenarios wait for what never comes
@pytest.mark.parametrize("system", ["reference", "reference-digest", "reference-b2bua", "reference-trunk"])
def test_scenarios_pass_on_an_embedded_system_and_every_proof_fault_makes_them_fail_at_its_rule(system: str) -> None:
    """Side by side in this process: most of it is waiting for timers."""
    faults = [fault.name for fault in built_in(system).faults]
    if system == "reference-digest":  # the others are those of the reference
        faults = sorted(OF_DIGEST)
    ran = [s for s in able(system, [*SCENARIOS, *SAMPLES]) if set(s.proof) & set(faults)]
    matrix, slots = Matrix(system), asyncio.Semaphore(6)

    async def prove(fault: str) -> None:
        async with slots:
            matrix.enter(fault, await seen(system, fault, [s for s in ran if not fault or fault in s.proof], jobs=4))

    async def work() -> None:
        await asyncio.gather(*map(prove, ["", *faults]))
        await judge_again(matrix, ran)

    asyncio.run(work())
    assert set(matrix.without) == {s.id for s in ran}
    assert complaints([matrix], ran, whole=True) == []
    owed_by_proxies = {s.id for s in ran if any(isinstance(e, Conforms) for e in s.expectations)}
    skipped = {name for name, outcome in matrix.without.items() if outcome is Outcome.SKIP}
    assert skipped == (owed_by_proxies if built_in(system).kind == "b2bua" else set())
    assert set(matrix.without.values()) <= {Outcome.PASS, Outcome.SKIP}
    assert matrix.empty_columns() == []


@pytest.mark.parametrize("system", ["reference", pytest.param("kamailio", marks=pytest.mark.needs_kamailio)])
def test_every_code_passes_on_the_wire(system: str) -> None:
    verdicts = run(*sorted(set(files(CODES))), "--system", system, "--stack", "wire", "-j", "8", "--strict")
    known = {known.scenario for known in DEVIATIONS} if system == "kamailio" else set()
    assert verdicts == {s.id: "deviation" if s.id in known else "pass" for s in CODES}


@pytest.mark.needs_pjsua2
def test_a_case_of_every_file_of_codes_passes_on_pjsua2() -> None:
    alone = single_stack(SAMPLES)
    both = [s for s in SAMPLES if s.id not in alone]
    assert len(both) > len(SAMPLES) // 2, alone
    found = asyncio.run(outcomes("reference", "", "pjsua2", both))
    assert found == [("", s.id, Outcome.PASS) for s in both]


@pytest.mark.needs_kamailio
def test_proof_faults_of_kamailio_make_their_codes_fail_and_no_others() -> None:
    faults = sorted({fault for s in SAMPLES for fault in s.proof} & set(kamailio.FAULTS))
    assert len(faults) > 7
    matrix = Matrix("kamailio", dict.fromkeys((s.id for s in SAMPLES), Outcome.PASS))

    async def work() -> None:
        for fault in faults:
            matrix.enter(fault, await seen("kamailio", fault, SAMPLES))

    asyncio.run(work())
    failed = {(fault, s.id) for s in SAMPLES for fault in faults if matrix.cell(s.id, fault) != "alive"}
    assert failed == {(fault, s.id) for s in SAMPLES for fault in s.proof if fault in faults}
    assert list(matrix.wrong_proofs(SAMPLES)) == []


@pytest.mark.parametrize("failover", [{408, 503}, {302, 404, 408, 480, 486, 503}])
def test_carriers_are_judged_by_the_failover_that_the_policy_has(failover: set[int]) -> None:
    """Whoever has another one than the systems that come with the harness can use these scenarios as they are."""
    ran = [s for s in (*SCENARIOS, *SAMPLES) if "carriers" in s.needs]
    assert len(ran) > 40

    async def work() -> dict[str, Outcome]:
        system = Reference(settings=Settings(failover=frozenset(failover)))
        async with open_session(system, Options("wire", 8), []) as session:
            results = await asyncio.gather(*(session.run(s) for s in ran))
        return {result.scenario.id: result.verdict.outcome for result in results}

    assert asyncio.run(work()) == dict.fromkeys((s.id for s in ran), Outcome.PASS)


def test_codes_hold_every_final_response_in_every_shape() -> None:
    ids = {s.id for s in CODES}
    finals = [code for code in KNOWN if code >= 300]
    shapes = ("ONE", "FORK", "HUNT", "GW")
    assert {f"CODE-{shape}-{code}" for shape in shapes for code in finals} <= ids
    assert {"CODE-ONE-189", "CODE-FORK-299", *(f"CODE-ONE-{c}99" for c in range(3, 7))} <= ids


@pytest.mark.parametrize("scenario", [*SCENARIOS, *SAMPLES], ids=lambda s: s.id)
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
