"""Carriers as systems meet them, written in the language and run: silent ones, ones that come and go, ones that refuse.

The device side is what counts here: each scenario is carried out as it is written, and a system that misbehaves fails.
"""

from __future__ import annotations

import asyncio

import pytest

from sip_harness.language import load_text
from sip_harness.model.result import Result
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.systems.base import System
from sip_harness.systems.registry import create

SILENT_CARRIER = """\
title: A carrier that is silent is passed over, and its late answer changes nothing
id: GW-05
cite: [RFC 3263 4.3, RFC 6026 7.1]
needs: [carriers]
targets: {pstn: {hunt: [g1, g2]}}
carriers:
  g1: {answer: [no 100, wait 1200ms, 200: {resend: never}]}
  g2: {answer: [ringing, ok]}
calls:
  - {from: alice, to: pstn, hang up: 1s}
expect:
  alice: [180, 200 from g2]
  g1: [INVITE: {resent: [500ms]}]
  g2: [INVITE, ACK to 200, BYE]
order: [g1 gets INVITE, g2 sends 200, g1 sends 200, g2 gets BYE]
"""
DOWN_AND_UP = """\
title: A carrier that stops answering OPTIONS gets no calls until it answers again
id: OP-02
cite: RFC 3261 11
needs: [carriers, probing]
targets: {pstn: {hunt: [g1, g2]}}
carriers:
  g1: {answer: [ok], on: {OPTIONS: [[200], [silence], always: [200]]}}
  g2: {answer: [ok]}
calls:
  - {from: alice, to: pstn, name: up}
  - {from: alice, to: pstn, name: down, at: 1s after g1 gets 2 OPTIONS}
  - {from: alice, to: pstn, name: up-again, at: 100ms after g1 sends 2 200 to OPTIONS}
expect:
  alice: [200 from g1, 200 from g2, 200 from g1]
  g1: [INVITE, ACK to 200, BYE, INVITE, ACK to 200, BYE]
  g2: [INVITE, ACK to 200, BYE]
"""
REFUSED = """\
title: A registration that is refused is not repeated
id: RC-03
cite: RFC 3261 21.4.4
carriers:
  g1: {on: {REGISTER: %s}}
watch: 600ms
expect:
  g1: [%s]
"""


def run(text: str, system: System) -> Result:
    scenario = load_text(text, "t.sip.yaml")

    async def whole() -> Result:
        async with open_session(system, Options(stack="wire"), [scenario]) as session:
            return await session.run(scenario)

    return asyncio.run(whole())


@pytest.mark.parametrize("text", [SILENT_CARRIER, DOWN_AND_UP], ids=["GW-05", "OP-02"])
def test_a_proxy_does_what_is_due(text: str) -> None:
    result = run(text, create("reference"))
    assert result.verdict.outcome is Outcome.PASS, result.verdict


def test_a_proxy_that_never_fails_over_is_caught() -> None:
    result = run(SILENT_CARRIER, create("reference", faults=("never-fails-over",)))
    assert result.verdict.outcome is Outcome.FAIL
    assert "alice" in {finding.agent for finding in result.verdict.findings}


REFUSALS = {
    "[403]": 1,
    "[{503: {headers: {Retry-After: 30}}}]": 1,
    "[604]": 1,
    "[401]": 2,
    "[{423: {headers: {Min-Expires: 90}}}]": 2,
    "[[challenge, 403], [200]]": 2,
    "[challenge, 200]": 2,
}


def refused(answers: str) -> str:
    return REFUSED % (answers, ", ".join(["REGISTER"] * REFUSALS[answers]))


def test_registrations_that_are_refused() -> None:
    scenarios = [load_text(refused(answers), "t.sip.yaml") for answers in REFUSALS]

    async def whole() -> list[Result]:
        async with open_session(create("reference-trunk"), Options(stack="wire", jobs=9), scenarios) as session:
            return list(await asyncio.gather(*map(session.run, scenarios)))

    outcomes = {answers: result.verdict.outcome for answers, result in zip(REFUSALS, asyncio.run(whole()), strict=True)}
    assert outcomes == dict.fromkeys(REFUSALS, Outcome.PASS)


@pytest.mark.parametrize(
    ("fault", "answers"),
    [
        ("hammers-after-403", "[403]"),
        ("ignores-min-expires", "[{423: {headers: {Min-Expires: 90}}}]"),
        ("answers-challenge-for-ever", "[401]"),
    ],
)
def test_a_client_that_does_not_take_no_for_an_answer_is_caught(fault: str, answers: str) -> None:
    once_more = f"watch: until g1 gets {REFUSALS[answers] + 1} REGISTER"  # however long that takes on a busy machine
    text = refused(answers).replace("watch: 600ms", once_more)
    result = run(text, create("reference-trunk", faults=(fault,)))
    assert {finding.observed for finding in result.verdict.findings} == {"also REGISTER"}
