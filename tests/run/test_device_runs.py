"""What only a wire device does, in whole runs through a real Kamailio: each ends by itself, in bounded time, and what a
script leaves open on purpose is never the reason of a failure."""

from __future__ import annotations

import asyncio
from functools import cache

import pytest
from ladders import scenario

from sip_harness.model.entry import Note
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.sip.message import parse
from sip_harness.systems.kamailio import Kamailio

pytestmark = pytest.mark.needs_kamailio

TRANSACTION, RING = 1.0, 3.0
"""Kamailio's timers, seconds."""


def of(desk: str, expect: str, call: str = "name: c") -> Scenario:
    return scenario(f"desk: {desk}", expect, calls=f"[{{from: alice, to: bob, {call}}}]")


SCENARIOS = {
    "silence": of("{answer: [silence]}", "alice: [408]\ndesk: [INVITE]"),
    "no 100, late": of(
        "{answer: [no 100, wait 300ms, 486]}", "alice: [486 from desk]\ndesk: [INVITE, ACK to 486]"
    ),
    "only 100": of("{answer: [100]}", "alice: [408]\ndesk: [INVITE, CANCEL, ACK to 487]"),
    "late answer": of(
        "{answer: [no 100, wait 1500ms, 486]}", "alice: [408]\ndesk: [INVITE, maybe ACK to 486]"
    ),
    "two finals": of(
        "{answer: [486, wait 500ms, 603]}", "alice: [486]\ndesk: [INVITE, ACK to 486, maybe ACK to 603]"
    ),
    "503 then 200": of(
        "{answer: [503, wait 300ms, 200, wait 300ms, hang up]}",
        "alice: [503]\ndesk: reached",
    ),
    "resent": of(
        "{answer: [{486: {resend: [300ms, 600ms]}}]}",
        "alice: [486]\ndesk: [INVITE, {ACK to 486: {resent: [300ms, 600ms]}}]",
    ),
    "reliable": of(
        "{answer: [{183: {reliable: yes}}, wait 200ms, 486]}",
        "alice: [183, 486 from desk]\ndesk: [INVITE, PRACK, ACK to 486]",
    ),
    "cancel ignored": of(
        "{answer: [ringing], on: {CANCEL: [silence]}}",
        "alice: [180, maybe 408 or 487]\ndesk: [INVITE, CANCEL]",
        "cancel: 200ms",
    ),
    "cancel answered alone": of(
        "{answer: [ringing], on: {CANCEL: [200]}}",
        "alice: [180, maybe 408 or 487]\ndesk: [INVITE, CANCEL]",
        "cancel: 200ms",
    ),
    "487 later": of(
        "{answer: [ringing], on: {CANCEL: [200, wait 200ms, 487 to INVITE]}}",
        "alice: [180, 487]\ndesk: [INVITE, CANCEL, ACK to 487]",
        "cancel: 200ms",
    ),
    "bye refused": of("{answer: [200], on: {BYE: [481]}}", "alice: [200]\ndesk: [INVITE, ACK to 200, BYE]"),
    "bye unanswered": of("{answer: [200], on: {BYE: [silence]}}", "alice: [200]\ndesk: [INVITE, ACK to 200, BYE]"),
    "deaf to bye": of("{answer: [200], lose: [BYE]}", "alice: [200]\ndesk: [INVITE, ACK to 200, BYE]"),
    "deaf to two acks": of(
        "{answer: [486], lose: [first 2 ACK]}", "alice: [486]\ndesk: [INVITE, {ACK to 486: {resent: [500ms, 1.5s]}}]"
    ),
    "deaf to every ack": of("{answer: [486], lose: [ACK]}", "alice: [486]\ndesk: [INVITE, ACK to 486]"),
    "deaf to cancel": of(
        "{answer: [ringing], lose: [CANCEL]}", "alice: [180, maybe 408 or 487]\ndesk: [INVITE, CANCEL]", "cancel: 200ms"
    ),
    "closed": of("{answer: [ringing, close]}", "alice: [180, 408 or 487]\ndesk: [INVITE]"),
    "no tag": of("{answer: [{486: {to tag: none}}]}", "alice: [486]\ndesk: [INVITE, ACK to 486]"),
    "foreign branch": of("{answer: [{486: {branch: other, resend: never}}]}", "alice: [408]\ndesk: [INVITE]"),
    "damaged": of("{answer: [no 100, {486: {strip: Via, resend: never}}]}", "alice: [408]\ndesk: [INVITE]"),
    "cut short": of("{answer: [no 100, {486: {truncate: 8, resend: never}}]}", "alice: [408]\ndesk: [INVITE]"),
    "own requests": of(
        "{answer: [200, wait 50ms, send: re-INVITE, wait 300ms, send: INFO, wait 300ms, hang up]}",
        "alice: [200, INVITE, ACK to 200, INFO, BYE]\ndesk: [INVITE, ACK to 200]",
        "hang up: 5s",
    ),
}  # fmt: skip


@cache
def results() -> dict[str, Result]:
    """All of them, one after the other on one system, so that their times are their own."""

    async def whole() -> dict[str, Result]:
        options = Options(stack="wire")
        system = Kamailio(transaction=TRANSACTION, ring=RING)
        async with open_session(system, options, list(SCENARIOS.values())) as session:
            return {name: await session.run(scenario) for name, scenario in SCENARIOS.items()}

    return asyncio.run(whole())


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_passes_and_ends_by_itself(name: str) -> None:
    result = results()[name]
    assert result.record is not None
    ends = [e for e in result.record.entries if isinstance(e, Note) and e.kind in ("closed", "limit")]
    assert [e.kind for e in ends] == ["closed"], ends
    assert result.verdict.outcome is Outcome.PASS, (result.verdict, ladder(name))


def ladder(name: str) -> list[str]:
    record = results()[name].record
    assert record is not None
    begin = record.messages[0].time
    return [f"{(m.time - begin) / 1e9:.3f} {m.agent} {m.direction} {parse(m.data).summary}" for m in record.messages]
