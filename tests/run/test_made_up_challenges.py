"""Challenges that a script makes up are not the system's: a caller with an account there leaves them alone."""

from __future__ import annotations

import asyncio

import pytest
from ladders import scenario

from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.script.everything import made_up_realms
from sip_harness.systems.registry import create

PLAIN = scenario("desk: {answer: [ringing, 401]}", "alice: [401 from desk]\ndesk: [INVITE, ACK to 401]")
OWN = scenario(
    'desk: {answer: [ringing, 407: {headers: {Proxy-Authenticate: \'Digest realm="desk", nonce="n"\'}}]}',
    "alice: [407 from desk]\ndesk: [INVITE, ACK to 407]",
)
ASKS = scenario(
    "desk: {answer: [challenge: {user: joe, password: secret}, ringing, ok]}",
    "alice: [200 from desk]\ndesk: reached",
    calls="[{from: alice, to: bob, as: {user: joe, password: secret}}]",
)
AS = scenario(
    "desk: {answer: [ringing, 401]}",
    "alice: [401 from desk]\ndesk: [INVITE, ACK to 401, INVITE, ACK to 401]",
    calls="[{from: alice, to: bob, as: {password: wrong}}]",
)


def outcome(system: str, wanted: Scenario) -> Outcome:
    async def work() -> Outcome:
        async with open_session(create(system), Options("wire"), []) as session:
            return (await session.run(wanted)).verdict.outcome

    return asyncio.run(work())


def test_which_realms_are_made_up() -> None:
    assert made_up_realms(PLAIN) == {"phone.invalid"}
    assert made_up_realms(OWN) == {"desk"}
    assert made_up_realms(ASKS) == frozenset()


@pytest.mark.parametrize(
    "system",
    [
        "reference",
        "reference-digest",
        "reference-b2bua-digest",
        pytest.param("kamailio-digest", marks=pytest.mark.needs_kamailio),
    ],
)
@pytest.mark.parametrize("wanted", [PLAIN, OWN], ids=["plain", "own-realm"])
def test_the_account_at_the_system_is_for_nobody_else(system: str, wanted: Scenario) -> None:
    assert outcome(system, wanted) is Outcome.PASS


def test_a_caller_that_is_told_what_to_show_shows_it_to_whoever_asks() -> None:
    assert outcome("reference", AS) is Outcome.PASS
    assert outcome("reference", ASKS) is Outcome.PASS
