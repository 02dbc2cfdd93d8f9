"""Whole runs without calls: a system that registers with carriers and probes them, and is judged by what they get."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from trunk_client import TrunkClient

from sip_harness.language import load_text
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario
from sip_harness.model.system import User
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.sip.message import parse
from sip_harness.systems.base import Binding, Lease


def run(carrier: str, watch: str, expect: str, system: TrunkClient | None = None) -> Result:
    text = f"title: t\nid: T-1\ncarriers: {{g1: {carrier}}}\nwatch: {watch}\nexpect: {{g1: {expect}}}\n"
    scenario = load_text(text, "t.sip.yaml")

    async def whole() -> Result:
        async with open_session(system or TrunkClient(), Options(stack="wire"), [scenario]) as session:
            return await session.run(scenario)

    return asyncio.run(whole())


def assert_fails(result: Result, *seen: str) -> None:
    assert result.verdict.outcome is Outcome.FAIL
    assert [finding.seen.split(",")[0] for finding in result.verdict.findings] == list(seen)


def test_probes_that_are_never_answered_keep_no_run_open() -> None:
    silent = "{on: {REGISTER: [200], OPTIONS: [[200], [silence]]}}"
    result = run(silent, "500ms", "[REGISTER, OPTIONS, OPTIONS]", TrunkClient(probes=2))
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert result.seconds < 2


def test_the_event_ends_the_watch() -> None:
    result = run("{on: {REGISTER: [[503], [200]]}}", "until g1 gets 2 REGISTER", "[REGISTER, REGISTER]")
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert result.seconds < 2


def test_an_event_that_never_happens_fails() -> None:
    result = run("{on: {REGISTER: [200]}}", "{until: g1 gets 2 REGISTER, at most: 500ms}", "reached")
    assert_fails(result, "in 0.5 s it did not come about that g1 gets 2 REGISTER")


def test_a_method_that_is_named_is_closed_and_one_that_is_not_is_open() -> None:
    hammered = "{on: {REGISTER: [503]}}"
    assert_fails(run(hammered, "500ms", "[REGISTER, REGISTER]"), "g1 also got REGISTER")
    missing = run("{on: {REGISTER: [200]}}", "300ms", "[REGISTER, OPTIONS]")
    assert_fails(missing, "g1 never got OPTIONS")
    assert run(hammered, "500ms", "[maybe OPTIONS]").verdict.outcome is Outcome.PASS


def test_a_carrier_that_nobody_asks_fails() -> None:
    quiet = run("{on: {REGISTER: [200]}}", "200ms", "reached", TrunkClient(tries=0))
    assert_fails(quiet, "g1 never got any request")


def test_a_registrar_challenges_until_the_credentials_are_right() -> None:
    right = run("{registrar: {challenge: yes, algorithm: [SHA-256, MD5]}}", "500ms", "[REGISTER, REGISTER]")
    assert right.verdict.outcome is Outcome.PASS, right.verdict
    assert codes(right) == [401, 200]
    wrong = run("{registrar: challenge}", "300ms", "[REGISTER, REGISTER]", TrunkClient(password="another", tries=1))
    assert codes(wrong) == [401, 401]


def test_a_registrar_asks_for_longer_lifetimes_and_grants_shorter_ones() -> None:
    result = run("{registrar: {min expires: 90s, expires: 100s}}", "500ms", "[REGISTER, REGISTER]")
    assert codes(result) == [423, 200]


def test_a_registrar_without_an_account_blocks_the_run() -> None:
    class Stranger(TrunkClient):
        def bind(self, scenario: Scenario, lease: Lease) -> Binding:
            bound = super().bind(scenario, lease)
            return replace(bound, users={"g1": User("line", "trunk.test")})

    result = run("{registrar: challenge}", "200ms", "reached", Stranger())
    assert result.verdict.outcome is Outcome.BLOCKED
    assert "no account here with a password" in result.verdict.reason


def test_reactions_by_what_a_request_says_and_by_its_number() -> None:
    carrier = (
        "{on: {REGISTER: [[503], [challenge, 200]], "
        "OPTIONS: [{when: {headers: {Contact: absent}}, answer: [500]}, [challenge 407, 404], always: [200]]}}"
    )
    expect = "[REGISTER, REGISTER, REGISTER, OPTIONS, OPTIONS, OPTIONS]"
    result = run(carrier, "1s", expect, TrunkClient(probes=2))
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert codes(result) == [503, 401, 200, 407, 404, 200]


def codes(result: Result) -> list[int]:
    """What the carrier has answered."""
    assert result.record is not None
    return [parse(m.data).code for m in result.record.messages if m.direction == "sent"]
