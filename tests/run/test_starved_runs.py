"""A machine that stands still in the middle of a run: the run decides nothing, and another one does."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from ladders import scenario

from sip_harness.model.entry import Entry, Lag, Message
from sip_harness.model.result import Result
from sip_harness.model.verdict import Outcome
from sip_harness.record import jsonl
from sip_harness.report import summary
from sip_harness.run.session import TRIES, Options, open_session
from sip_harness.run.tape import Tape
from sip_harness.systems.registry import create

BUSY = scenario("desk: {answer: [486]}", "alice: [486 from desk]\ndesk: [INVITE, ACK to 486]")
STALL = 0.6


@pytest.fixture
def stalls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Blocks the loop, and with it the embedded system, when alice has sent her INVITE; the item is for how many
    runs."""
    left, add = [0], Tape.add

    def slow(tape: Tape, entry: Entry) -> None:
        add(tape, entry)
        if left[0] and isinstance(entry, Message) and entry.agent == "alice" and entry.data.startswith(b"INVITE"):
            left[0] -= 1
            threading.Event().wait(STALL)

    monkeypatch.setattr(Tape, "add", slow)
    return left


def run(records: Path | None = None) -> Result:
    async def work() -> Result:
        async with open_session(create("reference"), Options("wire", records=records), [BUSY]) as session:
            return await session.run(BUSY)

    return asyncio.run(work())


def test_it_is_run_again_and_both_records_are_kept(stalls: list[int], tmp_path: Path) -> None:
    stalls[0] = 1
    result = run(tmp_path)
    assert (result.verdict.outcome, result.tries) == (Outcome.PASS, 2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["T-1-undecided-1.jsonl", "T-1.jsonl"]
    undecided = jsonl.read(tmp_path / "T-1-undecided-1.jsonl")
    assert max(e.lag for e in undecided.entries if isinstance(e, Lag)) >= STALL * 0.9e9
    assert "run 2 times" in summary.line(result)


def test_a_machine_that_goes_on_standing_still_leaves_it_undecided(stalls: list[int]) -> None:
    stalls[0] = 99
    result = run()
    assert (result.verdict.outcome, result.tries) == (Outcome.INCONCLUSIVE, TRIES)
    assert result.verdict.starved


def test_where_nothing_stalls_it_is_run_once(stalls: list[int]) -> None:
    assert stalls == [0]
    result = run()
    assert result.verdict.outcome is Outcome.PASS
    assert "stood still" not in summary.line(result) or result.tries > 1
