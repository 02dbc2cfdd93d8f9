"""Whole runs over IPv6: the systems that we start stand on ::1, and so do all agents."""

from __future__ import annotations

import asyncio

import pytest
from ladders import scenario

from sip_harness.language import load_text
from sip_harness.model.entry import Message
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario, Stack
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.systems.registry import create

KAMAILIO = pytest.mark.needs_kamailio
SYSTEMS = [
    ("reference", "udp"),
    ("reference", "tcp"),
    pytest.param(("kamailio", "udp"), marks=KAMAILIO),
    pytest.param(("kamailio", "tcp"), marks=KAMAILIO),
    pytest.param(("kamailio-tls", "tls"), marks=pytest.mark.needs_kamailio_tls),
]
EXPECT = "alice: [180, 200 from mobile]\ndesk: [INVITE, CANCEL, ACK to 487]\nmobile: [INVITE, ACK to 200, BYE]"


def fork(transport: str) -> Scenario:
    devices = f"desk: {{answer: [180], transport: {transport}}}\n"
    devices += f"mobile: {{answer: [180, wait 100ms, 200], transport: {transport}}}"
    calls = f"[{{from: alice, to: bob, transport: {transport}, hang up: 100ms}}]"
    return scenario(devices, EXPECT, calls=calls)


def run(system: str, one: Scenario, stack: Stack = "wire") -> Result:
    async def work() -> Result:
        under_test = create(system, settings={"ipv6": "yes"})
        async with open_session(under_test, Options(stack), [one]) as session:
            return await session.run(one)

    return asyncio.run(work())


@pytest.mark.parametrize("system", SYSTEMS, ids=str)
def test_a_fork_over_ipv6(system: tuple[str, str]) -> None:
    name, transport = system
    result = run(name, fork(transport))
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert result.record is not None
    messages = [entry for entry in result.record.entries if isinstance(entry, Message)]
    assert {host for entry in messages for host in (entry.local[0], entry.remote[0])} == {"::1"}
    assert not [entry for entry in messages if b"127.0.0.1" in entry.data]
    assert any(b"c=IN IP6 ::1\r\n" in entry.data for entry in messages)


def test_there_are_no_carriers_and_it_says_so() -> None:
    text = (
        "title: t\nid: T-1\ntargets: {pstn: {hunt: [g1]}}\ncarriers: {g1: {answer: [200]}}\n"
        "calls: [{from: alice, to: pstn}]\nexpect: {alice: [200 from g1]}\n"
    )
    result = run("reference", load_text(text, "t.sip.yaml"))
    assert result.verdict.outcome is Outcome.SKIP
    assert "carriers" in result.verdict.reason


@pytest.mark.parametrize(("stack", "outcome"), [("auto", Outcome.PASS), ("pjsua2", Outcome.SKIP)])
def test_telephones_of_the_other_stack_stay_out_of_it(stack: Stack, outcome: Outcome) -> None:
    result = run("reference", fork("udp"), stack)
    assert result.verdict.outcome is outcome, result.verdict
    if outcome is Outcome.SKIP:
        assert result.verdict.reason == "pjsua2 is used over IPv4 alone, and this system is on IPv6"
