"""Whole runs through a session, on a real Kamailio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ladders import scenario

from sip_harness.model.entry import Message, Note
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome
from sip_harness.record import jsonl
from sip_harness.run.background import Background
from sip_harness.run.session import Options, Session, open_session
from sip_harness.sip.message import parse
from sip_harness.systems.base import Binding, Lease
from sip_harness.systems.kamailio import Kamailio
from sip_harness.verdict import judge

pytestmark = pytest.mark.needs_kamailio
WIRE = Options(stack="wire")
BUSY = scenario("desk: {answer: [486]}", "alice: [486 from desk]\ndesk: [INVITE, ACK to 486]")
ANSWERED = scenario("desk: {answer: [ringing, ok]}", "alice: [200 from desk]\ndesk: [INVITE, ACK to 200, BYE]")
CANCELLED = scenario(
    "desk: {answer: [ringing]}",
    "alice: [487]\ndesk: [INVITE, CANCEL, ACK to 487]",
    calls="[{from: alice, to: bob, cancel: after desk sends 180}]",
)


def in_session(
    work: Callable[[Session], Awaitable[list[Result]]], system: Kamailio | None = None, options: Options = WIRE
) -> list[Result]:
    async def whole() -> list[Result]:
        async with open_session(system or Kamailio(), options, [BUSY]) as session:
            return await work(session)

    return asyncio.run(whole())


def run_all(*scenarios: Scenario, system: Kamailio | None = None, options: Options = WIRE) -> list[Result]:
    async def work(session: Session) -> list[Result]:
        return await asyncio.gather(*(session.run(s) for s in scenarios))

    return in_session(work, system, options)


@pytest.mark.parametrize("of", [BUSY, ANSWERED, CANCELLED], ids=["busy", "answered", "cancelled"])
def test_a_call_of_each_kind_ends_by_itself(of: Scenario) -> None:
    [result] = run_all(of)
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert result.record is not None
    kinds = [e.kind for e in result.record.entries if isinstance(e, Note)]
    assert kinds.count("closed") == 1
    assert "limit" not in kinds
    assert kinds[-1] == "end"


def test_every_device_is_unregistered_at_the_end() -> None:
    [result] = run_all(BUSY)
    assert result.record is not None
    last = [m for m in result.record.messages if b"REGISTER" in m.data][-2:]
    assert b"expires=0" in last[0].data.lower() or b"\r\nexpires: 0" in last[0].data.lower()
    assert last[1].data.startswith(b"SIP/2.0 200")


def test_runs_side_by_side_keep_apart() -> None:
    scenarios = [replace(s, id=f"T-{n}") for n, s in enumerate([BUSY, ANSWERED, CANCELLED] * 4)]
    results = run_all(*scenarios, options=Options(stack="wire", jobs=6))
    assert {r.verdict.outcome for r in results} == {Outcome.PASS}
    tokens = {r.record.header.token for r in results if r.record}
    assert len(tokens) == len(results)


def test_what_disturbs_others_runs_beside_none() -> None:
    slow = scenario("desk: {answer: [ringing, wait 100ms, 486]}", "alice: [486 from desk]\ndesk: [INVITE, ACK to 486]")
    results = run_all(*[slow] * 3, replace(slow, disruptive=True), *[slow] * 3, options=replace(WIRE, jobs=6))
    spans = []
    for result in results:
        assert result.verdict.outcome is Outcome.PASS
        assert result.record is not None
        times = [m.time for m in result.record.messages if parse(m.data).cseq[1] == "INVITE"]
        spans.append((min(times), max(times)))
    begin, end = spans.pop(3)
    assert all(last < begin or end < first for first, last in spans)
    assert any(a < d and c < b for a, b in spans for c, d in spans if (a, b) != (c, d)), "the others run side by side"


def test_settle_time_overlaps_the_next_run() -> None:
    """With one job, a run begins while the one before it is still watched."""
    first, second = run_all(replace(BUSY, id="T-1"), replace(BUSY, id="T-2"))
    assert first.record is not None
    assert second.record is not None
    end_of_first = next(e.time for e in first.record.entries if isinstance(e, Note) and e.kind == "end")
    begin_of_second = next(e.time for e in second.record.entries if isinstance(e, Message))
    assert begin_of_second < end_of_first


def test_a_record_is_streamed_and_judged_again_to_the_same_verdict(tmp_path: Path) -> None:
    wrong = replace(BUSY, expectations=ANSWERED.expectations)
    [result] = run_all(wrong, options=Options(stack="wire", records=tmp_path))
    assert result.verdict.outcome is Outcome.FAIL
    stored = jsonl.read(Path(result.record_file))
    assert judge(wrong, stored) == result.verdict


def test_a_missing_capability_is_a_skip() -> None:
    [result] = run_all(replace(BUSY, needs=frozenset({"digest"})))
    assert result.verdict.outcome is Outcome.SKIP
    assert "digest" in result.verdict.reason
    assert result.record is None


def test_a_script_that_the_named_stack_cannot_do_is_an_error() -> None:
    silent = scenario("desk: {answer: [silence], stack: pjsua2}", "desk: [INVITE]")
    [result] = run_all(silent)
    assert result.verdict.outcome is Outcome.ERROR
    assert "pjsua2" in result.verdict.reason


class WrongPasswords(Kamailio):
    """A Kamailio that challenges, and accounts whose passwords are not its own."""

    def bind(self, scenario: Scenario, lease: Lease) -> Binding:
        binding = super().bind(scenario, lease)
        return replace(binding, users={n: replace(u, password="wrong") for n, u in binding.users.items()})


@pytest.mark.parametrize("stack", ["wire", pytest.param("pjsua2", marks=pytest.mark.needs_pjsua2)])
def test_a_refused_registration_blocks_and_the_next_run_is_none_the_worse(stack: str) -> None:
    options = Options(stack=stack)  # type: ignore[arg-type]
    results = run_all(BUSY, replace(BUSY, id="T-2"), system=WrongPasswords(digest=True), options=options)
    assert [r.verdict.outcome for r in results] == [Outcome.BLOCKED, Outcome.BLOCKED]
    assert "desk" in results[0].verdict.reason
    assert "401" in results[0].verdict.reason


def test_a_background_session_serves_callers_that_are_not_asynchronous() -> None:
    background = Background(Kamailio(), WIRE, [BUSY])
    try:
        futures = [background.submit(replace(BUSY, id=f"T-{n}")) for n in range(3)]
        assert [f.result(timeout=30).verdict.outcome for f in futures] == [Outcome.PASS] * 3
    finally:
        background.close()


def test_closing_in_the_middle_of_a_run_ends_it() -> None:
    background = Background(Kamailio(), WIRE, [BUSY])
    future = background.submit(scenario("desk: {answer: [ringing, wait 60s, 486]}", "desk: reached"))
    background.close()
    assert future.cancelled() or future.done()
