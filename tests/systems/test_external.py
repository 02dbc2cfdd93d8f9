"""A Kamailio that was started by hand, known by a profile only."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sip_harness.cli.main import main
from sip_harness.endpoint import request
from sip_harness.language import load
from sip_harness.language.loading import load_text
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario
from sip_harness.model.system import User
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.run.systems import find_system
from sip_harness.sip.digest import authorization
from sip_harness.systems import visitor
from sip_harness.systems.base import SystemFailed
from sip_harness.systems.external import External
from sip_harness.systems.visitor import Visitor
from support.staging import HOST, PASSWORD, Staging, staging

pytestmark = pytest.mark.needs_kamailio

RING = """\
title: A ring group of two
id: RING
cite: RFC 3261 16.7
targets: {bob: {ring: [desk, mobile]}}
devices:
  desk:   {answer: [ringing, after: mobile sends 180, busy-everywhere]}
  mobile: {answer: [ringing]}
calls: [{from: alice, to: bob}]
expect:
  alice:  [600 from desk]
  desk:   [INVITE, ACK to 600]
  mobile: [INVITE, CANCEL, ACK to 487]
"""
SINGLE = """\
title: One phone
id: SINGLE
targets: {NAME: {ring: [phone]}}
devices: {phone: {answer: [ringing, ok]}}
calls: [{from: CALLER, to: NAME}]
expect: {CALLER: [200 from phone], phone: [INVITE, ACK, BYE]}
"""


@pytest.fixture(scope="module")
def pbx() -> Iterator[Staging]:
    with staging() as running:
        yield running


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGING_PASSWORD", PASSWORD)


def external(profile: Path) -> External:
    system = find_system(str(profile))
    assert isinstance(system, External)
    return system


def single(name: str = "bob", caller: str = "alice") -> Scenario:
    text = SINGLE.replace("NAME", name).replace("CALLER", caller).replace("SINGLE", f"ONE-{name}")
    return load_text(text, f"{name}.sip.yaml")


async def perform(system: External, *scenarios: Scenario, stack: str = "wire", out: Path | None = None) -> list[Result]:
    options = Options("pjsua2" if stack == "pjsua2" else "wire", len(scenarios), out)
    async with open_session(system, options, scenarios) as session:
        return list(await asyncio.gather(*(session.run(scenario) for scenario in scenarios)))


@pytest.mark.parametrize("stack", ["wire", pytest.param("pjsua2", marks=pytest.mark.needs_pjsua2)])
def test_a_ring_group_rings_and_nothing_is_left(pbx: Staging, tmp_path: Path, stack: str) -> None:
    system = external(pbx.profile(tmp_path))
    [result] = asyncio.run(perform(system, load_text(RING, "ring.sip.yaml"), stack=stack, out=tmp_path))
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert result.system == "staging"
    assert PASSWORD.encode() not in (tmp_path / "RING.jsonl").read_bytes()
    assert asyncio.run(registered(system, "111")) == ()


def test_agents_speak_the_transports_that_the_profile_has_addresses_for(pbx: Staging, tmp_path: Path) -> None:
    mixed = load_text(RING.replace("mobile: {", "mobile: {transport: tcp, ", 1), "ring.sip.yaml")
    [result] = asyncio.run(perform(external(pbx.profile(tmp_path)), mixed))
    assert result.verdict.outcome is Outcome.SKIP
    assert "does not listen by tcp" in result.verdict.reason
    [result] = asyncio.run(perform(external(pbx.profile(tmp_path, "capabilities: [tcp]")), mixed, out=tmp_path))
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert '"transport":"tcp"' in (tmp_path / "RING.jsonl").read_text().replace(" ", "")


async def registered(system: External, user: str) -> tuple[str, ...]:
    account = User(user, system.info.domain, PASSWORD)
    async with Visitor(system.info, account) as guest:
        found = await guest.bindings()
        return (*found.own, *found.foreign)


def test_scenarios_side_by_side_have_accounts_of_their_own_or_wait(pbx: Staging, tmp_path: Path) -> None:
    system = external(pbx.profile(tmp_path))
    scenarios = [single(), single("dora", "carol"), single()]
    results = asyncio.run(perform(system, *scenarios))
    assert [r.verdict.outcome for r in results] == [Outcome.PASS] * 3, results


async def leave(system: External, user: str, contact: str, seconds: int = 60) -> None:
    async with Visitor(system.info, User(user, system.info.domain, PASSWORD)) as guest:
        await guest._register([("Contact", f"<{contact}>;expires={seconds}")])


def test_a_foreign_binding_blocks_and_one_of_a_crashed_run_goes(pbx: Staging, tmp_path: Path) -> None:
    system = external(pbx.profile(tmp_path))

    async def scenario(contact: str) -> Result:
        await system.start()
        await leave(system, "101", contact)
        [result] = await perform(system, single())
        async with Visitor(system.info, User("101", system.info.domain, PASSWORD)) as guest:
            await guest.remove((contact,))
        return result

    foreign = asyncio.run(scenario(f"sip:somebody@{HOST}:9"))
    assert foreign.verdict.outcome is Outcome.BLOCKED
    assert "somebody@127.0.0.1:9 is registered there" in foreign.verdict.reason
    assert asyncio.run(scenario(f"sip:phone-abcdx7@{HOST}:9")).verdict.outcome is Outcome.PASS


REGISTERS = """\
title: A caller registers for a phone
id: REGISTERS
targets: {bob: {ring: [phone]}}
devices: {phone: {answer: [486]}}
calls:
  - {from: alice, to: bob, as: phone, method: REGISTER, headers: {Contact: '*', Expires: 0}}
  - {from: alice, to: bob, as: phone, method: REGISTER, headers: {Contact: '<sip:left@127.0.0.1:9>'}}
  - {from: alice, to: bob, method: REGISTER, headers: {Contact: '<sip:own@127.0.0.1:9>'}}
expect: {alice: [200 to REGISTER, 200 to REGISTER, 200 to REGISTER], phone: never}
"""


def test_what_a_scenario_registers_by_itself_does_not_stay(pbx: Staging, tmp_path: Path) -> None:
    system = external(pbx.profile(tmp_path))
    [result] = asyncio.run(perform(system, load_text(REGISTERS, "registers.sip.yaml")))
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert (asyncio.run(registered(system, "101")), asyncio.run(registered(system, "100"))) == ((), ())


def test_somebody_on_an_account_that_a_scenario_registers_for_blocks_it(pbx: Staging, tmp_path: Path) -> None:
    system = external(pbx.profile(tmp_path))

    async def work() -> Result:
        await system.start()
        await leave(system, "100", f"sip:somebody@{HOST}:9")
        [result] = await perform(system, load_text(REGISTERS, "registers.sip.yaml"))
        return result

    result = asyncio.run(work())
    assert result.verdict.outcome is Outcome.BLOCKED
    assert "account 100 is in use: sip:somebody@127.0.0.1:9" in result.verdict.reason
    assert asyncio.run(registered(system, "100")) == (f"sip:somebody@{HOST}:9",)
    asyncio.run(leave(system, "100", f"sip:somebody@{HOST}:9", 0))


def test_what_the_profile_does_not_say_is_skipped_and_what_is_misspelled_is_not(pbx: Staging, tmp_path: Path) -> None:
    text = SINGLE.replace("NAME", "bob").replace("CALLER", "alice")
    unknown = load_text(text.replace("200 from phone", "200 within policy.wrap-up of phone sends 180"), "a.sip.yaml")
    nearly = load_text(text.replace("200 from phone", "200 within policy.transactoin of phone sends 180"), "b.sip.yaml")
    results = asyncio.run(perform(external(pbx.profile(tmp_path)), unknown, nearly))
    assert [result.verdict.outcome for result in results] == [Outcome.SKIP, Outcome.ERROR]
    assert "add 'timers: {wrap-up: ...}' to the policy in its profile" in results[0].verdict.reason
    assert "did you mean 'transaction'" in results[1].verdict.reason


def test_what_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitor, "PATIENCE", 0.3)
    profile = Staging(9, None).profile(tmp_path)
    with pytest.raises(SystemFailed, match=r"staging is not there: no answer to OPTIONS from 127.0.0.1:9"):
        asyncio.run(external(profile).start())


def test_the_calls_of_a_run_are_limited(pbx: Staging, tmp_path: Path) -> None:
    system = external(pbx.profile(tmp_path, guard="max calls: 1, calls per second: 1000"))

    async def twice() -> list[Result]:
        return await perform(system, single(), single())

    outcomes = sorted(r.verdict.outcome.value for r in asyncio.run(twice()))
    assert outcomes == sorted([Outcome.PASS.value, Outcome.BLOCKED.value])


@pytest.mark.needs_kamailio_tls
@pytest.mark.needs_openssl
def test_over_tls_with_an_authority_of_its_own(tmp_path: Path) -> None:
    with staging(tls=True) as secure:
        [result] = asyncio.run(perform(external(secure.profile(tmp_path)), load_text(RING, "ring.sip.yaml")))
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert result.record is not None


def test_the_shipped_scenario_of_two_phones_passes(pbx: Staging, tmp_path: Path, checkout: Path) -> None:
    [scenario] = load([checkout / "scenarios/busy/600-stops-the-other-phones.sip.yaml"])
    [result] = asyncio.run(perform(external(pbx.profile(tmp_path)), scenario))
    assert result.verdict.outcome is Outcome.PASS, result.verdict


def test_pytest_takes_a_profile_too(pbx: Staging, pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("ring.sip.yaml").write_text(RING)
    done = pytester.runpytest_subprocess(
        "ring.sip.yaml", "--sip-system", str(pbx.profile(pytester.path)), "--sip-stack", "wire"
    )
    done.assert_outcomes(passed=1)


@pytest.mark.parametrize("stack", ["wire", pytest.param("pjsua2", marks=pytest.mark.needs_pjsua2)])
def test_no_secret_reaches_a_report_a_record_or_a_capture(
    pbx: Staging, tmp_path: Path, stack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proofs: list[str] = []

    def noted(*arguments: Any, **named: Any) -> str:
        value = authorization(*arguments, **named)
        proofs.extend(re.findall(r'response="([0-9a-f]+)"', value))
        return value

    monkeypatch.setattr(request.digest, "authorization", noted)
    (tmp_path / "ring.sip.yaml").write_text(RING)
    out = tmp_path / "out"
    arguments = [
        "run",
        str(tmp_path / "ring.sip.yaml"),
        "--system",
        str(pbx.profile(tmp_path)),
        "--out",
        str(out),
        "-v",
    ]
    done = CliRunner().invoke(main, [*arguments, "--stack", stack])
    assert done.exit_code == 0, done.output
    files = {file.name: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    assert {"report.html", "junit.xml", "RING.jsonl", "RING.pcapng"} <= files.keys()
    assert b"Digest username" in files["RING.pcapng"], "what was sent is there"
    assert b'response="' + b"0" * 32 + b'"' in files["RING.pcapng"], "without what proves the password"
    everything = b"".join([*files.values(), done.output.encode()])
    assert PASSWORD.encode() not in everything
    assert proofs
    assert [proof for proof in proofs if proof.encode() in everything] == []
    assert set(re.findall(rb"\b(?:response|rspauth)=[^0-9a-f]{0,8}([0-9a-f]{16,})", everything)) == {b"0" * 32}
