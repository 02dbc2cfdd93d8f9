"""Calls that overlap, in whole runs through a real Kamailio: each ends by itself and is judged right."""

from __future__ import annotations

import asyncio

import pytest
from ladders import scenario

from sip_harness.model.entry import Note
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.systems.kamailio import Kamailio

pytestmark = pytest.mark.needs_kamailio

AT_ONCE = scenario(
    "desk: {answers: [[ringing, wait 300ms, ok], [busy-here]]}",
    "alice: [180, 200]\ncarol: [486]\ndesk: [INVITE, INVITE, ACK to 486, ACK to 200, BYE]",
    calls="[{from: alice, to: bob}, {from: carol, to: bob, at: 100ms after desk sends 180}]",
    more="order: [desk sends 180, carol gets 486, desk sends 200]",
)
EACH_ITS_OWN_END = scenario(
    "desk: {answers: [[wait 200ms, ok], [ok]]}",
    "alice: [200]\ncarol: [200]\ndesk: [INVITE, INVITE, ACK to 200, BYE, ACK to 200, BYE]",
    calls="[{from: alice, to: bob}, {from: carol, to: bob, at: 50ms}]",
    more="order: [desk gets BYE, desk sends 2 200, desk gets 2 BYE]",
)
IN_TURN_AFTER = scenario(
    "desk: {answer: [busy-here]}",
    "alice: [486, 486]\ncarol: [486]\ndesk: [INVITE, ACK to 486, INVITE, ACK to 486, INVITE, ACK to 486]",
    calls="[{from: alice, to: bob}, {from: carol, to: bob, at: 100ms after alice gets 486}, {from: alice, to: bob}]",
)


def test_calls_overlap() -> None:
    async def whole(scenarios: list[Scenario]) -> None:
        async with open_session(Kamailio(), Options(stack="wire", jobs=4), scenarios) as session:
            for result in await asyncio.gather(*map(session.run, scenarios)):
                assert result.verdict.outcome is Outcome.PASS, result.verdict
                assert result.record is not None
                kinds = [e.kind for e in result.record.entries if isinstance(e, Note)]
                assert "closed" in kinds
                assert "limit" not in kinds

    asyncio.run(whole([AT_ONCE, EACH_ITS_OWN_END, IN_TURN_AFTER]))
