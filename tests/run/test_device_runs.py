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
from sip_harness.systems.kamailio_settings import Settings

pytestmark = pytest.mark.needs_kamailio

TRANSACTION, RING = 1.0, 3.0
"""Kamailio's timers, seconds."""


def of(desk: str, expect: str, call: str = "name: c") -> Scenario:
    return scenario(f"desk: {desk}", expect, calls=f"[{{from: alice, to: bob, {call}}}]")


BYE = "desk: [INVITE, ACK to 200, BYE]"
SCENARIOS = {
    "silence": of("{answer: [silence]}", "alice: [408]\ndesk: [INVITE]"),
    "no 100, late": of(
        "{answer: [no 100, wait 300ms, 486]}", "alice: [486 from desk]\ndesk: [INVITE, ACK to 486]"
    ),
    "only 100": of("{answer: [100]}", "alice: [408]\ndesk: [INVITE, CANCEL, ACK to 487]"),
    "late answer": of(
        "{answer: [no 100, wait 1500ms, 486]}", "alice: [408, maybe 486]\ndesk: [INVITE, maybe ACK to 486]"
    ),
    "two finals": of(
        "{answer: [486, wait 2500ms, 603]}", "alice: [486, maybe 603]\ndesk: [INVITE, ACK to 486, maybe ACK to 603]"
    ),
    "503 then 200": of(
        "{answer: [503, wait 300ms, 200, wait 300ms, hang up]}",
        "alice: [500, 200]\ndesk: reached",
    ),
    "resent": of(
        "{answer: [{486: {resend: [100ms, 200ms]}}]}",
        "alice: [486]\ndesk: [INVITE, {ACK to 486: {resent: [100ms, 200ms]}}]",
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
    "bye refused": of("{answer: [200], on: {BYE: [481]}}", "alice: [200, 481 to BYE]\n" + BYE),
    "bye unanswered": of("{answer: [200], on: {BYE: [silence]}}", "alice: [200, maybe 408 to BYE]\n" + BYE),
    "deaf to bye": of("{answer: [200], lose: [BYE]}", "alice: [200, maybe 408 to BYE]\n" + BYE),
    "deaf to two acks": of(
        "{answer: [486], lose: [first 2 ACK]}", "alice: [486]\ndesk: [INVITE, maybe ACK to 486]"
    ),
    "deaf to every ack": of("{answer: [486], lose: [ACK]}", "alice: [486]\ndesk: [INVITE, ACK to 486]"),
    "deaf to cancel": of(
        "{answer: [ringing], lose: [CANCEL]}", "alice: [180, maybe 408 or 487]\ndesk: [INVITE, CANCEL]", "cancel: 200ms"
    ),
    "closed": of("{answer: [ringing, close]}", "alice: [180, 408 or 487]\ndesk: [INVITE]"),
    "no tag": of("{answer: [{486: {to tag: none}}]}", "alice: [486]\ndesk: [INVITE, ACK to 486]"),
    "foreign branch": of(
        "{answer: [{486: {branch: other, resend: never}}]}", "alice: [maybe 486, 408]\ndesk: [INVITE]"
    ),
    "damaged": of("{answer: [no 100, {486: {strip: Via, resend: never}}]}", "alice: [408]\ndesk: [INVITE]"),
    "cut short": of("{answer: [no 100, {486: {truncate: 8, resend: never}}]}", "alice: [408]\ndesk: [INVITE]"),
    "own requests": of(
        "{answer: [200, wait 50ms, send: re-INVITE, wait 300ms, send: INFO, wait 300ms, hang up]}",
        "alice: [200, INVITE, ACK to 200, INFO, BYE]\ndesk: [INVITE, ACK to 200, 200]",
        "hang up: 5s",
    ),
}  # fmt: skip


@cache
def results() -> dict[str, Result]:
    """All of them side by side on one system: most of their time they wait for its timers."""

    async def whole() -> dict[str, Result]:
        options = Options(stack="wire", jobs=len(SCENARIOS))
        system = Kamailio(settings=Settings(transaction=TRANSACTION, ring=RING))
        async with open_session(system, options, list(SCENARIOS.values())) as session:
            return dict(zip(SCENARIOS, await asyncio.gather(*map(session.run, SCENARIOS.values())), strict=True))

    return asyncio.run(whole())


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_ends_by_itself(name: str) -> None:
    result = results()[name]
    assert result.record is not None
    ends = [e for e in result.record.entries if isinstance(e, Note) and e.kind in ("closed", "limit")]
    assert [e.kind for e in ends] == ["closed"], ends
    assert not any("comes to an end" in finding.expected for finding in result.verdict.findings)


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_passes(name: str) -> None:
    verdict = results()[name].verdict
    assert verdict.outcome is Outcome.PASS, (verdict, ladder(name))


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_sent_to_clean_up_what_a_script_left_open(name: str) -> None:
    """The system has given it up; a late 480 of ours would only be passed on."""
    record = results()[name].record
    assert record is not None
    mine = [m for m in record.messages if (m.direction, m.origin) == ("sent", "protocol") and b"480 " in m.data[:12]]
    assert mine == []
    assert not any(isinstance(e, Note) and e.kind == "refused" for e in record.entries)


@pytest.mark.parametrize(
    ("name", "codes"), [("two finals", [486, 603]), ("foreign branch", [486, 408]), ("damaged", [408])]
)
def test_what_alice_gets(name: str, codes: list[int]) -> None:
    record = results()[name].record
    assert record is not None
    parsed = [parse(m.data) for m in record.messages if (m.agent, m.direction) == ("alice", "received")]
    assert [m.code for m in parsed if m.code >= 200] == codes


def test_the_late_final_was_waited_for() -> None:
    assert [line for line in ladder("two finals") if "603" in line]
    assert [line for line in ladder("late answer") if "desk sent 486" in line]


@pytest.mark.parametrize(
    ("name", "seconds"), [("silence", TRANSACTION), ("bye unanswered", TRANSACTION), ("deaf to every ack", TRANSACTION)]
)
def test_it_ends_as_soon_as_the_system_has_given_up(name: str, seconds: float) -> None:
    """And not at the limit, which is beyond the sum of all timers."""
    assert results()[name].seconds < seconds + RING


def ladder(name: str) -> list[str]:
    record = results()[name].record
    assert record is not None
    begin = record.messages[0].time
    return [f"{(m.time - begin) / 1e9:.3f} {m.agent} {m.direction} {parse(m.data).summary}" for m in record.messages]
