"""SIPp, an independent implementation, calls a wire device."""

from __future__ import annotations

from pathlib import Path

import pytest
from on_loop import on_loop
from sipp_caller import ANSWERED, REFUSED, run_sipp
from wire_stage import stage

from sip_harness.model.steps import Send

pytestmark = pytest.mark.needs_sipp

RINGING, OK, BUSY = Send(180, "Ringing"), Send(200, "OK"), Send(486, "Busy Here")


@on_loop
async def test_refused(tmp_path: Path) -> None:
    async with stage() as here:
        desk = here.device("desk", (BUSY,))
        await desk.start()
        counted = await run_sipp(tmp_path, REFUSED, desk.local)
        assert counted.status == 0, counted.output
        await here.see("desk gets ACK")
        assert here.ladder() == ["desk gets INVITE", "desk sends 486", "desk gets ACK"]
        assert here.message("desk gets ACK").branch == here.message("desk gets INVITE").branch


@on_loop
async def test_answered_acknowledged_ended(tmp_path: Path) -> None:
    async with stage() as here:
        desk = here.device("desk", (RINGING, OK))
        await desk.start()
        counted = await run_sipp(tmp_path, ANSWERED, desk.local)
        assert counted.status == 0, counted.output
        await here.see("desk sends 200 to BYE")
        assert here.ladder() == [
            "desk gets INVITE", "desk sends 180", "desk sends 200", "desk gets ACK",
            "desk gets BYE", "desk sends 200 to BYE",
        ]  # fmt: skip


@on_loop
async def test_a_wrong_answer_fails_the_witness(tmp_path: Path) -> None:
    async with stage() as here:
        desk = here.device("desk", (Send(600, "Busy Everywhere"),))
        await desk.start()
        counted = await run_sipp(tmp_path, REFUSED, desk.local, seconds=5)
        assert counted.status == 1
        assert counted.failed == 1


@on_loop
async def test_a_hundred_calls_without_a_retransmission(tmp_path: Path) -> None:
    async with stage() as here:
        desk = here.device("desk", (BUSY,))
        await desk.start()
        counted = await run_sipp(tmp_path, REFUSED, desk.local, calls=100, rate=100)
        assert counted.status == 0, counted.output
        await here.see(*["desk gets ACK"] * 100)
        assert (counted.successful, counted.failed, counted.retransmissions) == (100, 0, 0)
        assert len(here.notes("step")) == 100
