"""The shipped scenarios, unchanged, on a PBX that others have started: everything that a profile can say about it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from sip_harness.cli.main import main
from sip_harness.language import load
from sip_harness.language.loading import load_text
from sip_harness.model.entry import Record
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome
from sip_harness.net.authority import Authority
from sip_harness.report import deviations
from sip_harness.run.session import Options, open_session
from sip_harness.run.systems import find_system
from sip_harness.systems.base import SystemFailed
from support.staging import HOST, PASSWORD, Staging, staging

pytestmark = pytest.mark.needs_kamailio

LIBRARY = {
    "FK-01": "busy/600-stops-the-other-phones",
    "FK-02": "busy/486-lets-the-other-phones-ring",
    "FK-03": "busy/all-phones-busy",
    "SH-01": "hunting/486-moves-the-hunt-on",
    "SH-02": "hunting/600-ends-the-hunt",
    "CN-01": "cancel/caller-gives-up",
    "GW-01": "carriers/503-moves-the-call-on",
}
"""A ring group of two, one of three, a hunt group, one phone alone, carriers."""
RINGS_OUT = """\
title: Nobody takes the call
id: RINGS-OUT
targets: {bob: {ring: [desk]}}
devices: {desk: {answer: [ringing]}}
calls: [{from: alice, to: bob}]
expect: {alice: [EXPECTED], desk: [INVITE, CANCEL, ACK to 487]}
"""


@pytest.fixture(scope="module")
def pbx() -> Iterator[Staging]:
    with staging() as running:
        yield running


@pytest.fixture(scope="module")
def secure_pbx() -> Iterator[Staging]:
    with staging(tls=True) as running:
        yield running


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGING_PASSWORD", PASSWORD)


def shipped(checkout: Path, *ids: str) -> list[Scenario]:
    found = {s.id: s for s in load([checkout / "scenarios" / f"{LIBRARY[i]}.sip.yaml" for i in ids])}
    return [found[i] for i in ids]


async def perform(profile: Path, scenarios: list[Scenario], stack: str = "wire") -> list[Result]:
    system = find_system(str(profile))
    options = Options("pjsua2" if stack == "pjsua2" else "wire", 2)
    async with open_session(system, options, scenarios) as session:
        return list(await asyncio.gather(*(session.run(scenario) for scenario in scenarios)))


def one(profile: Path, scenario: Scenario, stack: str = "wire") -> Result:
    return asyncio.run(perform(profile, [scenario], stack))[0]


def changed(profile: Path, old: str, new: str) -> Path:
    text = profile.read_text()
    assert old in text
    profile.write_text(text.replace(old, new, 1))
    return profile


def everything(results: list[Result]) -> dict[str, tuple[Outcome, str]]:
    return {r.scenario.id: (r.verdict.outcome, r.verdict.reason) for r in results}


@pytest.mark.parametrize("stack", ["wire", pytest.param("pjsua2", marks=pytest.mark.needs_pjsua2)])
def test_ring_groups_hunt_groups_and_carriers_are_bound_to_numbers(
    pbx: Staging, tmp_path: Path, checkout: Path, stack: str
) -> None:
    # CN-01 holds a response back as only the wire stack can.
    wanted = [i for i in LIBRARY if stack == "wire" or i != "CN-01"]
    results = asyncio.run(perform(pbx.profile(tmp_path), shipped(checkout, *wanted), stack))
    assert everything(results) == dict.fromkeys(wanted, (Outcome.PASS, ""))
    dialled = {r.scenario.id: _first_uri(r) for r in results}
    assert dialled["FK-01"] == f"sip:600@{HOST}:{pbx.port}"
    assert dialled["FK-03"] == f"sip:603@{HOST}:{pbx.port}"
    assert dialled["SH-01"] == f"sip:700@{HOST}:{pbx.port}"
    assert dialled["GW-01"] == f"sip:+493012345@{HOST}:{pbx.port}"


def _first_uri(result: Result) -> str:
    assert result.record is not None
    sent = (m.data for m in result.record.messages if m.agent == "alice" and m.direction == "sent")
    return next(data for data in sent if data.startswith(b"INVITE")).split(b" ")[1].decode()


@pytest.mark.needs_kamailio_tls
@pytest.mark.needs_openssl
def test_all_of_it_over_tls(secure_pbx: Staging, tmp_path: Path, checkout: Path) -> None:
    results = asyncio.run(perform(secure_pbx.profile(tmp_path), shipped(checkout, *LIBRARY)))
    assert everything(results) == dict.fromkeys(LIBRARY, (Outcome.PASS, ""))
    assert {m.transport for r in results if r.record is not None for m in r.record.messages} == {"tls"}


@pytest.mark.needs_kamailio_tls
@pytest.mark.needs_openssl
def test_another_authority_is_not_believed(secure_pbx: Staging, tmp_path: Path, checkout: Path) -> None:
    other = Authority(tmp_path)
    profile = changed(secure_pbx.profile(tmp_path), f"trust: {secure_pbx.trust}", f"trust: {other.certificate}")
    file = str(checkout / "scenarios" / f"{LIBRARY['FK-01']}.sip.yaml")
    done = CliRunner().invoke(main, ["run", file, "--system", str(profile)])
    assert done.exit_code == 3
    assert (
        f"staging is not there: connection to {HOST}:{secure_pbx.port}: TLS handshake: certificate verify failed: "
        in (done.output)
    )
    machine = changed(profile, f"trust: {other.certificate}\n", "")
    with pytest.raises(SystemFailed, match="TLS handshake: certificate verify failed: "):
        one(machine, *shipped(checkout, "FK-01"))


def test_a_variable_that_is_not_set_is_said_where_it_is_asked_for(
    pbx: Staging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STAGING_PASSWORD")
    done = CliRunner().invoke(main, ["run", "--system", str(pbx.profile(tmp_path))])
    assert done.exit_code == 2
    assert "staging.system.yaml:5:34: the environment variable STAGING_PASSWORD is not set" in done.output
    assert "export STAGING_PASSWORD=... before the run" in done.output


def test_a_wrong_password_blocks_and_is_not_shown(
    pbx: Staging, tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGING_PASSWORD", "not-the-password")
    [scenario] = shipped(checkout, "FK-01")
    result = one(pbx.profile(tmp_path), scenario)
    assert result.verdict.outcome is Outcome.BLOCKED
    assert result.verdict.reason.endswith(f"REGISTER for sip:111@{HOST}:{pbx.port} refused: 401 Unauthorized")
    assert "not-the-password" not in repr(result)


def test_everything_goes_to_the_outbound_proxy(pbx: Staging, tmp_path: Path, checkout: Path) -> None:
    """The address itself leads nowhere: nobody may try it."""
    profile = changed(
        pbx.profile(tmp_path, f"domain: {HOST}:{pbx.port}\noutbound proxy: {HOST}:{pbx.port}\n"),
        f"address: {HOST}:{pbx.port}",
        "address: 127.0.0.9:9",
    )
    result = one(profile, *shipped(checkout, "FK-01"))
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert {m.remote for m in _record(result).messages} == {(HOST, pbx.port)}


def _record(result: Result) -> Record:
    assert result.record is not None
    return result.record


@pytest.mark.parametrize("stack", ["wire", pytest.param("pjsua2", marks=pytest.mark.needs_pjsua2)])
def test_agents_are_bound_where_the_profile_says(pbx: Staging, tmp_path: Path, checkout: Path, stack: str) -> None:
    result = one(pbx.profile(tmp_path, "bind: 127.0.0.5\n"), *shipped(checkout, "FK-01"), stack=stack)
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert {m.local[0] for m in _record(result).messages} == {"127.0.0.5"}
    contacts = b"".join(m.data for m in _record(result).messages if m.direction == "sent")
    assert b"@127.0.0.5:" in contacts


DEVIATION = """\
  deviations:
    - scenario: FK-17
      expectation: "alice: 486 from mobile"
      observed: "408 Request Timeout made by the system itself"
      reason: it takes a time-out for an answer
"""


def test_a_known_deviation_is_told_apart_from_a_failure(pbx: Staging, tmp_path: Path, checkout: Path) -> None:
    [scenario] = [s for s in load([checkout / "scenarios" / "silence"]) if s.id == "FK-17"]
    assert one(pbx.profile(tmp_path), scenario).verdict.outcome is Outcome.FAIL
    policy = "policy: {timers: {transaction: 1s, ring: 3s}}\n"
    with_deviation = f"policy:\n  timers: {{transaction: 1s, ring: 3s}}\n{DEVIATION}"
    known = one(changed(pbx.profile(tmp_path), policy, with_deviation), scenario).verdict
    assert known.outcome is Outcome.DEVIATION
    gone = with_deviation.replace("FK-17", "FK-01").replace("486 from mobile", "600 from desk")
    surprise = one(changed(pbx.profile(tmp_path), policy, gone), *shipped(checkout, "FK-01")).verdict
    assert surprise.outcome is Outcome.FAIL, "an improvement must not go unseen"


@pytest.mark.parametrize(
    ("expected", "policy", "outcome"),
    [
        ("policy.ring-timeout from system", "codes: {ring-timeout: 408}", Outcome.PASS),
        ("policy.ring-timeout from system", "codes: {ring-timeout: 480}", Outcome.FAIL),
        ("policy.ring-timeout from system", "codes: {}", Outcome.SKIP),
        ("408 at policy.ring after desk sends 180", "codes: {}", Outcome.PASS),
        ("408 at policy.slow after desk sends 180", "codes: {}", Outcome.PASS),
        ("408 at policy.fast after desk sends 180", "codes: {}", Outcome.FAIL),
    ],
)
def test_codes_and_timers_of_the_policy_judge(
    pbx: Staging, tmp_path: Path, expected: str, policy: str, outcome: Outcome
) -> None:
    timers = "transaction: 1s, ring: {after: 3s, late: 2s}, slow: {after: 5s, early: 3s}, fast: {after: 1s, late: 1s}"
    old = "policy: {timers: {transaction: 1s, ring: 3s}}"
    profile = changed(pbx.profile(tmp_path), old, f"policy: {{timers: {{{timers}}}, {policy}}}")
    result = one(profile, load_text(RINGS_OUT.replace("EXPECTED", expected), "rings-out.sip.yaml"))
    assert result.verdict.outcome is outcome, result.verdict


def test_phones_of_one_account_ring_where_the_profile_says_that_contacts_fork(
    pbx: Staging, tmp_path: Path, checkout: Path
) -> None:
    without = pbx.profile(tmp_path, "capabilities: [ring]\n").read_text()
    begin, end = without.index("shapes:"), without.index("policy:")
    (tmp_path / "forks.system.yaml").write_text(without[:begin] + without[end:])
    result = one(tmp_path / "forks.system.yaml", *shipped(checkout, "FK-01"))
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert _first_uri(result) == f"sip:101@{HOST}:{pbx.port}"


def test_what_the_profile_cannot_bind_is_skipped_with_all_reasons(pbx: Staging, tmp_path: Path, checkout: Path) -> None:
    without = pbx.profile(tmp_path).read_text()
    begin, end = without.index("  hunt:"), without.index("policy:")
    (tmp_path / "few.system.yaml").write_text(without[:begin] + without[end:])
    results = asyncio.run(perform(tmp_path / "few.system.yaml", shipped(checkout, "SH-01", "GW-01", "FK-01")))
    assert everything(results) == {
        "SH-01": (
            Outcome.SKIP,
            "staging: it lacks hunt; no hunt group with 2 members is free for bob (desk, mobile)",
        ),
        "GW-01": (
            Outcome.SKIP,
            "staging: it lacks carriers; no hunt group with 2 carriers is free for pstn; carrier g1 is in no group "
            "that the profile has a number for; carrier g2 is in no group that the profile has a number for",
        ),
        "FK-01": (Outcome.PASS, ""),
    }


WRONG = """\
title: Not as it is - {name}
id: {name}
targets: {{bob: {{ring: [desk]}}}}
devices: {{desk: {{answer: [ringing, wait 50ms, {answer}]}}}}
calls: [{{from: alice, to: bob}}]
expect: {{{expect}}}
order: [alice gets {code}, desk sends 180]
"""


def test_what_did_not_hold_can_be_declared_as_it_stands(pbx: Staging, tmp_path: Path) -> None:
    """The file that a run leaves needs nothing but the reasons."""
    wrong = [
        {"name": "CODE", "expect": "alice: [480]", "answer": "busy-here", "code": "486"},
        {"name": "NEVER", "expect": "alice: [486], desk: never", "answer": "busy-here", "code": "486"},
        {
            "name": "HEADER",
            "expect": "alice: [486: {headers: {X-Odd: absent}}]",
            "answer": """486: {headers: {X-Odd: 'a " b: # \\ ☎'}}""",
            "code": "486",
        },
    ]
    scenarios = [load_text(WRONG.format(**one), f"{one['name']}.sip.yaml") for one in wrong]
    results = asyncio.run(perform(pbx.profile(tmp_path), scenarios))
    assert [result.verdict.outcome for result in results] == [Outcome.FAIL] * 3
    deviations.write(tmp_path / "deviations.yaml", [*results, *results])
    written = (tmp_path / "deviations.yaml").read_text()
    assert written.count("- scenario:") == 6, "each once: three orders, a code, a header, a call"
    policy = "policy: {timers: {transaction: 1s, ring: 3s}}\n"
    _, _, entries = written.replace('reason: ""', "reason: accepted").partition("deviations:\n")
    indented = "".join(f"  {line}\n" for line in entries.splitlines())
    declared = f"policy:\n  timers: {{transaction: 1s, ring: 3s}}\n  deviations:\n{indented}"
    profile = changed(pbx.profile(tmp_path), policy, declared)
    results = asyncio.run(perform(profile, scenarios))
    assert [result.verdict.outcome for result in results] == [Outcome.DEVIATION] * 3, [r.verdict for r in results]
    deviations.write(tmp_path / "deviations.yaml", results)
    assert not (tmp_path / "deviations.yaml").exists(), "nothing of an earlier run is left"
