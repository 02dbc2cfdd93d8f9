"""What only a wire caller does, in whole runs through a real Kamailio: each ends by itself and is judged right."""

from __future__ import annotations

import asyncio
from functools import cache

import pytest
from ladders import scenario

from sip_harness.model.entry import Message, Note
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.systems.kamailio import Kamailio

pytestmark = pytest.mark.needs_kamailio


def of(call: str, expect: str, desk: str = "{answer: [200]}", more: str = "") -> Scenario:
    return scenario(f"desk: {desk}", expect, calls=f"[{{from: alice, to: bob, {call}}}{more}]")


SCENARIOS = {
    "options": of("method: OPTIONS", "alice: [200 to OPTIONS from desk]\ndesk: [OPTIONS]"),
    "message": of(
        "method: MESSAGE",
        "alice: [202 to MESSAGE from desk]\ndesk: [MESSAGE]",
        "{answer: [486], on: {MESSAGE: [wait 50ms, 202]}}",
    ),
    "single, then a call": of(
        "method: OPTIONS",
        "alice: [200 to OPTIONS, 486]\ndesk: [OPTIONS, INVITE, ACK to 486]",
        "{answer: [486]}",
        ", {from: alice, to: bob}",
    ),
    "a method that nobody knows": of("method: TELEPORT", "alice: [405 to TELEPORT from desk]\ndesk: [TELEPORT]"),
    "a header left out": of(
        "headers: {Max-Forwards: null}", "alice: [200]\ndesk: [INVITE: {headers: {Max-Forwards: present}}, ACK, BYE]"
    ),
    "another address in Via": of(
        "headers: {Via: 'SIP/2.0/UDP 127.0.0.9:5999;rport;branch={branch}'}, cancel: after desk sends 180",
        "alice: [487]\ndesk: [INVITE, CANCEL, ACK to 487]",
        "{answer: [180]}",
    ),
    "as somebody else": of(
        "as: desk, method: REGISTER, headers: {Contact: '*', Expires: 0}",
        "alice: [200 to REGISTER, 480]\ndesk: never",
        more=", {from: alice, to: bob}",
    ),
    "said again": of(
        "meanwhile: [wait 50ms, again, after alice gets 486, again]",
        "alice: [486]\ndesk: [{INVITE: {resent: never}}, ACK to 486]",
        "{answer: [180, wait 200ms, 486]}",
    ),
    "merged": of(
        "meanwhile: [again: {branch: other}]",
        "alice: [486, 486]\ndesk: [INVITE, INVITE, any order: [ACK to 486, ACK to 486]]",
        "{answer: [180, wait 200ms, 486]}",
    ),
    "cancelled too late": of(
        "meanwhile: [after alice gets 486, send CANCEL]",
        "alice: [486, 200 to CANCEL]\ndesk: [INVITE, ACK to 486]",
        "{answer: [486]}",
    ),
    "cancelled too early": of(
        "meanwhile: [send CANCEL]",
        "alice: [any order: [200 to CANCEL, 487]]\ndesk: [maybe INVITE, maybe CANCEL, maybe ACK]",
        "{answer: [180]}",
    ),
    "cancelled for nothing": of("method: CANCEL", "alice: [481 to CANCEL]\ndesk: never"),
    "damaged": of("strip: Call-ID, resend: never", "alice: [maybe 400]\ndesk: never"),
    "cut off": of("truncate: 40, resend: never", "alice: [maybe 400]\ndesk: never"),
    "then": of(
        "then: [send: INFO, after: alice gets 500 to INFO, send: UPDATE, after: alice gets 488 to UPDATE, "
        "send: re-INVITE, wait 300ms]",
        "alice: [200, 500 to INFO, 488 to UPDATE, 200]\n"
        "desk: [INVITE, ACK to 200, INFO, UPDATE, INVITE, ACK to 200, BYE]",
        "{answer: [200], on: {INFO: [500], UPDATE: [488]}}",
    ),
    "then that hangs up": of(
        "then: [send: OPTIONS, after: alice gets 200 to OPTIONS, hang up]",
        "alice: [200]\ndesk: [INVITE, ACK to 200, OPTIONS, BYE]",
    ),
    "reliable": of(
        "name: c",
        "alice: [183, 200]\ndesk: [INVITE, PRACK, ACK to 200, BYE]",
        "{answer: [{183: {reliable: yes}}, after: desk gets PRACK, 200]}",
    ),
    "without prack": of(
        "prack: never",
        "alice: [{183: {resent: [500ms]}}, 486]\ndesk: [INVITE, ACK to 486]",
        "{answer: [{183: {reliable: yes}}, wait 800ms, 486]}",
    ),
    "late ack": of("ack: after 700ms", "alice: [{200: {resent: [500ms]}}]\ndesk: [INVITE, ACK to 200, BYE]"),
    "late ack to a failure": of(
        "ack: after 700ms", "alice: [{486: {resent: [500ms]}}]\ndesk: [INVITE, ACK to 486]", "{answer: [486]}"
    ),
    "no ack": of(
        "ack: never, hang up: 700ms", "alice: [{200: {resent: [500ms]}}]\ndesk: [INVITE, BYE]"
    ),
    "no ack to a failure": of(
        "ack: never", "alice: [{486: {resent: [500ms]}}]\ndesk: [INVITE, ACK to 486]", "{answer: [486]}"
    ),
    "a reaction": of(
        "on: {BYE: [481]}, hang up: 1s",
        "alice: [200, BYE]\ndesk: [INVITE, ACK to 200, 481 to BYE]",
        "{answer: [200, wait 50ms, hang up]}",
    ),
    "a loss": of(
        "lose: [first 1 486]", "alice: [{486: {resent: [500ms]}}]\ndesk: [INVITE, ACK to 486]", "{answer: [486]}"
    ),
}  # fmt: skip


@cache
def results() -> dict[str, Result]:
    """All of them, one after the other on one system, so that their times are their own."""

    async def whole() -> dict[str, Result]:
        options = Options(stack="wire")
        async with open_session(Kamailio(), options, list(SCENARIOS.values())) as session:
            return {name: await session.run(scenario) for name, scenario in SCENARIOS.items()}

    return asyncio.run(whole())


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_passes_and_ends_by_itself(name: str) -> None:
    result = results()[name]
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert result.record is not None
    assert [e.kind for e in result.record.entries if isinstance(e, Note) and e.kind in ("closed", "limit")] == [
        "closed"
    ]


def sent(name: str, start: bytes) -> list[Message]:
    """What alice sent in a scenario that begins so."""
    record = results()[name].record
    assert record is not None
    messages = (m for m in record.messages if m.agent == "alice" and m.direction == "sent")
    return [m for m in messages if m.data.startswith(start)]


@pytest.mark.parametrize("name", ["no ack", "no ack to a failure"])
def test_what_is_never_acknowledged_is_not(name: str) -> None:
    assert sent(name, b"ACK") == []


@pytest.mark.parametrize("name", ["late ack", "late ack to a failure"])
def test_what_is_acknowledged_late_is_acknowledged_once(name: str) -> None:
    assert [m.origin for m in sent(name, b"ACK")] == ["script"]


def test_no_prack_where_none_is_wanted() -> None:
    assert sent("without prack", b"PRACK") == []
    assert len(sent("reliable", b"PRACK")) == 1


def test_wrong_expectations_of_all_this_fail() -> None:
    wrong = (
        of("method: OPTIONS", "alice: [404 to OPTIONS]\ndesk: [OPTIONS]"),
        of("method: MESSAGE", "alice: [405 to MESSAGE]\ndesk: never"),
        of("then: [send: re-INVITE]", "alice: [200]\ndesk: [INVITE, ACK to 200, INVITE, ACK to 200, BYE]"),
        of("ack: never, hang up: 700ms", "alice: [{200: {resent: never}}]\ndesk: [INVITE, BYE]"),
    )

    async def whole() -> list[Result]:
        async with open_session(Kamailio(), Options(stack="wire"), list(wrong)) as session:
            return [await session.run(scenario) for scenario in wrong]

    assert [r.verdict.outcome for r in asyncio.run(whole())] == [Outcome.FAIL] * len(wrong)
