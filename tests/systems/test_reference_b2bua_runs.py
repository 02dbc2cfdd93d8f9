"""Whole runs on the embedded PBX: legs with Call-IDs of their own are attributed and judged."""

from __future__ import annotations

import asyncio
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from sip_harness.language import load, load_text
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.sip.message import parse
from sip_harness.sip.uri import parse_uri
from sip_harness.systems.reference.b2bua import ReferenceB2bua
from sip_harness.systems.reference.b2bua_announcement import is_announced
from sip_harness.systems.reference.b2bua_core import Settings
from sip_harness.systems.reference.voicemail import cause_of, mailbox_uri

LIBRARY = Path(__file__).parents[2] / "scenarios"
CANCELLED = """
title: The caller gives up while the phones ring
id: CN-01
cite: RFC 3261 9.2
needs: [ring]
targets: {bob: {ring: [desk, mobile]}}
devices:
  desk:   {answer: [ringing], transport: tcp}
  mobile: {answer: [ringing]}
calls:
  - {from: alice, to: bob, transport: tcp, cancel: 20ms after mobile sends 180}
expect:
  alice:  [200 to CANCEL, 487 from system]
  desk:   [INVITE, CANCEL, ACK to 487]
  mobile: [INVITE, CANCEL, ACK to 487]
"""


@cache
def library() -> dict[str, Scenario]:
    return {s.id: s for s in load([LIBRARY])}


def shipped(name: str) -> Scenario:
    return library()[name]


def own(text: str) -> Scenario:
    return load_text(text, "own.sip.yaml")


def run(scenario: Scenario, *faults: str) -> Result:
    async def whole() -> Result:
        system = ReferenceB2bua(settings=Settings(ring=1.0), faults=faults)
        async with open_session(system, Options(stack="wire"), [scenario]) as session:
            return await session.run(scenario)

    return asyncio.run(whole())


@pytest.mark.parametrize(("name", "legs"), [("FK-01", 2), ("FK-02", 2), ("SH-01", 2), ("SH-02", 1), ("CN-01", 1)])
def test_shipped_scenarios_pass_although_every_leg_is_a_call_of_its_own(name: str, legs: int) -> None:
    result = run(shipped(name))
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert result.record is not None
    invites = [m for m in result.record.messages if m.data.startswith(b"INVITE")]
    assert len({parse(m.data).call_id for m in invites}) == len(invites) == 1 + legs


def test_a_cancelled_ring_over_two_transports_passes() -> None:
    result = run(own(CANCELLED))
    assert result.verdict.outcome is Outcome.PASS, result.verdict


@pytest.mark.parametrize("codes", [{}, {600: 486, 603: 403, 604: 404, 606: 488, 503: 500, 483: 480, 410: 404}])
def test_every_code_becomes_what_the_map_of_codes_says(codes: dict[int, int]) -> None:
    """The maps that PBXs have (Asterisk makes 486 of 600): the policy says so, and the scenarios ask it."""
    matrix = [s for s in load([LIBRARY / "details"]) if s.id.startswith("QM-02-")]
    assert len(matrix) > 60

    async def whole() -> dict[str, Outcome]:
        async with open_session(ReferenceB2bua(settings=Settings(codes=codes)), Options("wire", 8), []) as session:
            results = await asyncio.gather(*(session.run(s) for s in matrix))
        return {result.scenario.id: result.verdict.outcome for result in results}

    assert asyncio.run(whole()) == dict.fromkeys((s.id for s in matrix), Outcome.PASS)


GIVEN_UP = """
title: The caller gives up while he hears why his call has failed
id: A-01
needs: [ring, announcements]
targets: {bob: {ring: [desk]}}
devices: {desk: {answer: [488: {headers: {Warning: '304 x "No codec"'}}]}}
calls: [{from: alice, to: bob, cancel: 100ms after alice gets 183}]
expect:
  alice: {gets: [183, 200 to CANCEL, 487], hears: tone at most 15 packets}
  desk: [INVITE, ACK to 488]
"""


def test_an_announcement_ends_with_the_call() -> None:
    assert run(own(GIVEN_UP)).verdict.outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("warning", "announced"),
    [("370 x", True), ("304 x, 399 y", True), ("399 x", False), ("1370 x", False), ("370", False), (None, False)],
)
def test_which_warnings_are_announced(warning: str | None, announced: bool) -> None:
    more = f"Warning: {warning}\r\n" if warning is not None else ""
    assert is_announced(parse(f"SIP/2.0 488 No\r\n{more}\r\n".encode())) is announced
    assert not is_announced(None)


@pytest.mark.parametrize(
    ("code", "answered", "cause"),
    [(486, True, 486), (600, True, 486), (480, True, 480), (480, False, 408), (408, True, 408), (404, True, 404),
     (503, True, 503), (603, True, 480)],
)  # fmt: skip
def test_why_a_call_comes_to_the_mailbox(code: int, answered: bool, cause: int) -> None:
    assert cause_of(code, answered=answered, faults=frozenset()) == cause
    found = parse_uri(mailbox_uri("sip:vm@x:5070;a=b", "sip:bob@x;c=d", cause))
    assert (found.user, found.param("cause"), found.param("a")) == ("vm", str(cause), "b")
    assert unquote(found.param("target") or "") == "sip:bob@x;c=d"


@pytest.mark.parametrize(
    ("scenario", "fault", "expectation"),
    [
        (shipped("SH-02"), "hunts-on-after-6xx", "mobile: never"),
        (shipped("FK-01"), "forks-on-after-6xx", "mobile: CANCEL"),
        (shipped("FK-02"), "one-486-ends-the-fork", "alice: 200 from mobile"),
    ],
    ids=lambda value: value.id if isinstance(value, Scenario) else value,
)
def test_a_fault_makes_the_scenario_fail_where_the_rule_is_broken(
    scenario: Scenario, fault: str, expectation: str
) -> None:
    verdict = run(scenario, fault).verdict
    assert verdict.outcome is Outcome.FAIL
    assert expectation in {finding.expected for finding in verdict.findings}


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("acknowledges-once", "TO-05-486"),
        ("acknowledges-answers-once", "TO-07"),
        ("ignores-lost-connections", "TO-15-AT-ONCE"),
        ("gives-up-with-the-connection", "TO-15-AGAIN"),
        ("reads-one-message-a-segment", "TO-18"),
        ("takes-short-messages", "RB-08"),
        ("tells-voicemail-nothing", "QM-12-486"),
        ("tells-voicemail-no-answer", "QM-12-480"),
        ("announces-nothing", "QM-10"),
        ("loses-code-after-announcement", "QM-10"),
        ("takes-305-for-302", "RD-09-followed"),
        ("follows-redirects-to-premium-numbers", "RD-10-plain"),
        ("tells-nobody-of-diversions", "RD-14"),
        ("forgets-older-diversions", "RD-14-twice"),
        ("fails-over-on-484", "OV-02"),
        ("cuts-overlap-digits", "OV-01"),
        ("keeps-any-number-of-contacts", "RG-14"),
        ("refuses-refreshes-when-full", "RG-14"),
        ("takes-anonymous-calls", "NW-03-id"),
        ("takes-any-privacy-for-anonymous", "NW-03-id"),
        ("says-603-to-anonymous-calls", "NW-03-nobody"),
    ],
)
def test_a_fault_shows_and_without_it_the_rule_holds(fault: str, name: str) -> None:
    scenario = shipped(name)
    assert run(scenario).verdict.outcome is Outcome.PASS
    assert run(scenario, fault).verdict.outcome is Outcome.FAIL
