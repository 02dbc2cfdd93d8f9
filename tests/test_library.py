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
from sip_harness.model.scenario import Conforms, Scenario
from sip_harness.model.verdict import Outcome
from sip_harness.run.plan import CannotCarryOut, Stacks, choose_stacks
from sip_harness.run.session import Options, open_session
from sip_harness.sip.codes import CODES as KNOWN
from sip_harness.systems import kamailio
from sip_harness.systems.reference import b2bua
from sip_harness.systems.reference.auth import OF_DIGEST
from sip_harness.systems.reference.system import faults_of
from sip_harness.systems.registry import create, describe

LIBRARY = Path(__file__).parent.parent / "scenarios"
ALL = load([LIBRARY])
CODES = [s for s in ALL if "codes" in s.tags]
"""The matrix of all codes: hundreds of cases, of which a few stand for the others wherever a run of all takes long."""
SCENARIOS = [s for s in ALL if s not in CODES]
SAMPLES = list({(s.place.file, s.proof): s for s in CODES}.values())
"""A case of every file of codes for all that its cases have as proof."""
ASK_THEMSELVES = frozenset({"FK-13", "FK-10-407"})
"""Their phones challenge a caller who has no credentials; where the system has digest every caller has some."""
LINE = re.compile(r"^(pass|warn|deviation|fail|skip|blocked|inconclusive|error)\s+(\S+)", re.MULTILINE)


def run(*args: str) -> dict[str, str]:
    """Verdicts of one `sip-harness run`, by id."""
    command = [sys.executable, "-m", "sip_harness", "run", *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    verdicts = {name: verdict for verdict, name in LINE.findall(done.stdout)}
    assert verdicts, done.stdout + done.stderr
    return verdicts


def able(system: str, scenarios: list[Scenario]) -> list[Scenario]:
    """Those whose needs this system meets: the others are skipped, and belong to another one."""
    [about] = [one for one in describe() if one.name == system]
    barred = ASK_THEMSELVES if "digest" in about.capabilities else frozenset()
    return [s for s in scenarios if s.needs <= set(about.capabilities) and s.id not in barred]


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
    rest = {s.id for s in SCENARIOS} - {s.id for s in ran} - ASK_THEMSELVES
    assert {on_wire[name] for name in rest} <= {"skip"}, on_wire


def test_what_a_trunk_client_owes_is_proved_on_one() -> None:
    trunks = able("reference-trunk", SCENARIOS)
    assert len(trunks) > 5
    assert {verdict for _, _, verdict in asyncio.run(outcomes("reference-trunk", "", "wire", trunks))} == {Outcome.PASS}
    faults = sorted({fault for s in trunks for fault in s.proof})
    for fault in faults:
        proved = [s for s in trunks if fault in s.proof]
        found = asyncio.run(outcomes("reference-trunk", fault, "wire", proved))
        assert [verdict for _, _, verdict in found] == [Outcome.FAIL] * len(proved), (fault, found)


@pytest.mark.parametrize("digest", [False, True])
def test_the_pbx_passes_what_it_owes_and_fails_under_every_proof_fault_that_it_has(digest: bool) -> None:
    """Its legs are calls of their own: another way through the same rules than that of the proxy."""
    system, slots = b2bua.name_of(digest), asyncio.Semaphore(6)
    owed = [s for s in able(system, [*SCENARIOS, *SAMPLES]) if not any(isinstance(e, Conforms) for e in s.expectations)]
    faults = [f for f in b2bua.faults_of(digest) if any(f in s.proof for s in owed)]
    only = set(faults) - set(b2bua.faults_of()) if digest else set(faults)

    async def prove(fault: str) -> list[tuple[str, str, Outcome]]:
        async with slots:
            return await outcomes(system, fault, "wire", [s for s in owed if not fault or fault in s.proof])

    async def work() -> list[tuple[str, str, Outcome]]:
        return [one for some in await asyncio.gather(*(prove(fault) for fault in ("", *sorted(only)))) for one in some]

    found = asyncio.run(work())
    assert len(owed) > 70
    assert len(only) == (2 if digest else 19), only
    wrong = {Outcome.FAIL, Outcome.WARN}
    assert [one for one in found if one[2] not in (wrong if one[0] else {Outcome.PASS})] == []


def test_every_scenario_runs_on_some_embedded_system() -> None:
    systems = ("reference", "reference-digest", "reference-b2bua", "reference-trunk")
    ran = {s.id for system in systems for s in able(system, ALL)}
    assert ran == {s.id for s in ALL}


def files(scenarios: list[Scenario]) -> list[str]:
    """Where these scenarios stand."""
    return [s.place.file for s in scenarios]


@pytest.mark.needs_kamailio
@pytest.mark.parametrize("fault", sorted(kamailio.FAULTS))
def test_every_proof_fault_of_kamailio_makes_its_scenarios_fail_and_no_others(fault: str) -> None:
    """A scenario that fails under a fault that it does not name has a proof that its author did not know of."""
    verdicts = run(*files(SCENARIOS), "--system", "kamailio", "--fault", fault, "-j", "12", "--stack", "wire")
    proved = {s.id for s in able("kamailio", SCENARIOS) if fault in s.proof}
    assert {name for name, verdict in verdicts.items() if verdict == "fail"} == proved, verdicts


async def outcomes(system: str, fault: str, stack: str, scenarios: list[Scenario]) -> list[tuple[str, str, Outcome]]:
    """Fault, id and verdict of every scenario, run in this process; `fault` may be empty for none."""
    under_test = create(system, faults=(fault,) if fault else ())
    async with open_session(under_test, Options(stack, 4), []) as session:
        results = await asyncio.gather(*(session.run(s) for s in scenarios))
    return [(fault, result.scenario.id, result.verdict.outcome) for result in results]


def test_every_proof_fault_of_the_reference_makes_its_scenarios_fail() -> None:
    """All at once in this process: most of it is waiting for timers."""
    slots = asyncio.Semaphore(6)
    proofs = {fault: [s for s in (*SCENARIOS, *SAMPLES) if fault in s.proof] for fault in faults_of(digest=True)}

    async def prove(fault: str) -> list[tuple[str, str, Outcome]]:
        async with slots:
            system = "reference-digest" if fault in OF_DIGEST else "reference"
            return await outcomes(system, fault, "wire", able(system, proofs[fault]))

    async def work() -> list[list[tuple[str, str, Outcome]]]:
        return await asyncio.gather(*(prove(fault) for fault, proved in proofs.items() if proved))

    found = [one for some in asyncio.run(work()) for one in some]
    assert len(found) > 20
    assert [one for one in found if one[2] not in (Outcome.FAIL, Outcome.WARN)] == []


@pytest.mark.parametrize("system", ["reference", pytest.param("kamailio", marks=pytest.mark.needs_kamailio)])
def test_every_code_passes_on_the_wire(system: str) -> None:
    verdicts = run(str(LIBRARY / "codes"), "--system", system, "--stack", "wire", "-j", "8", "--strict")
    assert verdicts == dict.fromkeys((s.id for s in CODES), "pass")


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

    async def work() -> list[tuple[str, str, Outcome]]:
        return [one for fault in faults for one in await outcomes("kamailio", fault, "wire", SAMPLES)]

    failed = {(fault, name) for fault, name, outcome in asyncio.run(work()) if outcome is not Outcome.PASS}
    assert failed == {(fault, s.id) for s in SAMPLES for fault in s.proof if fault in faults}


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
