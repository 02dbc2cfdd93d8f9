"""The reference as a system: started on real sockets, whole runs through it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from sip_harness.language import load, load_text
from sip_harness.model.entry import Log
from sip_harness.model.result import Result
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.systems.base import Lease, SystemFailed
from sip_harness.systems.probe import until_answer_on_tcp
from sip_harness.systems.reference.settings import Settings
from sip_harness.systems.reference.system import Reference

LIBRARY = Path(__file__).parents[2] / "scenarios"

HEAD = "cite: RFC 3261 16\ntitle: t\ntags: [t]\nproof: [never-fails-over]\n"
HUNT = """id: HUNT
needs: [hunt]
targets: {bob: {hunt: [desk, mobile, tablet]}}
devices:
  desk:   {answer: [ringing, busy-here]}
  mobile: {answer: [ringing, wait 50ms, 404], transport: tcp}
  tablet: {answer: [ringing, ok]}
calls: [{from: alice, to: bob}]
expect:
  alice:  [200 from tablet]
  desk:   [INVITE, ACK to 486]
  mobile: [INVITE, ACK to 404]
  tablet: [INVITE, ACK, BYE]
order: [desk sends 486, mobile gets INVITE, mobile sends 404, tablet gets INVITE]
"""
CARRIERS = """id: CARRIERS
needs: [carriers]
targets: {pstn: {hunt: [g1, g2]}}
carriers:
  g1: {answers: [[{503: {headers: {Retry-After: 30}}}], [ok]]}
  g2: {answer: [ringing, ok]}
calls: [{from: alice, to: pstn, transport: tcp}, {from: carol, to: pstn}]
expect:
  alice: [200 from g2]
  carol: [200 from g2]
  g1: [INVITE, ACK to 503]
  g2: [INVITE, ACK, BYE, INVITE, ACK, BYE]
"""
PROBING = """id: PROBING
needs: [carriers, probing]
targets: {bob: {ring: [desk]}, pstn: {hunt: [g1, g2]}}
devices: {desk: {answer: [ringing, wait 700ms, 486]}}
carriers:
  g1: {answer: [ok], on: {OPTIONS: [silence]}}
  g2: {answer: [ringing, ok], on: {OPTIONS: [404]}}
calls: [{from: carol, to: bob}, {from: alice, to: pstn}]
expect: {alice: [200 from g2], carol: [486 from desk], g1: reached}
"""


def on_loop(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def test_it_answers_once_started_and_leaves_no_port_open() -> None:
    async def work() -> None:
        system = Reference()
        await system.start()
        with pytest.raises(SystemFailed, match="already"):
            await system.start()
        with pytest.raises(OSError, match="somebody else answers"):  # it answers, and is no Kamailio
            await until_answer_on_tcp(system.info.address, "another instance")
        await system.stop()
        await system.stop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(system.info.address)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*system.info.address)
        await system.start()
        await system.stop()

    on_loop(work())


def test_before_its_start_nothing_is_known() -> None:
    with pytest.raises(SystemFailed, match="has not been started"):
        _ = Reference().info


@pytest.mark.parametrize("name", ["transaction", "ring", "probe"])
def test_a_timer_must_mean_something(name: str) -> None:
    with pytest.raises(ValueError, match=f"timer {name} is 0s"):
        Settings(**{name: 0.0})


@pytest.mark.parametrize("code", [200, 302, 603])
def test_a_registrar_refuses_with_a_failure_of_its_own(code: int) -> None:
    with pytest.raises(ValueError, match=f"too-many-contacts is {code}"):
        Settings(too_many_contacts=code)


def test_a_phone_too_many_may_also_be_told_503() -> None:
    [shipped] = [s for s in load([LIBRARY / "registrar"]) if s.id == "RG-14"]

    async def main() -> Result:
        async with open_session(Reference(settings=Settings(too_many_contacts=503)), Options("wire"), []) as session:
            return await session.run(shipped)

    result = asyncio.run(main())
    assert result.verdict.outcome is Outcome.PASS
    assert result.record is not None
    assert any(m.data.startswith(b"SIP/2.0 503 ") for m in result.record.messages)


def test_a_released_run_leaves_nothing_behind() -> None:
    async def work() -> None:
        system = Reference()
        await system.start()
        lines: list[Log] = []
        leave = system.watch(lines.append)  # type: ignore[arg-type]
        scenario, lease = load_text(HEAD + PROBING, "t.sip.yaml"), Lease("abcd", 1)
        binding = system.bind(scenario, lease)
        assert set(binding.listens) == {"g1", "g2"}
        assert binding.registers == {"desk"}
        await system.admit(scenario, lease, binding)
        core = system._proxy.core  # type: ignore[union-attr]
        assert [len(group) for group in core.router.groups("pstn-abcdx1", 0)] == [1, 1]
        await system.release(lease)
        await system.release(lease)
        assert core.router.groups("pstn-abcdx1", 0) == []
        assert not system._probers
        leave()
        await system.stop()
        with pytest.raises(SystemFailed, match="is not running"):
            await system.admit(scenario, lease, binding)

    on_loop(work())


@pytest.mark.parametrize("digest", [False, True])
def test_whole_runs(digest: bool) -> None:
    settings = Settings(transaction=0.4, probe=0.2, digest=digest, password="secret")
    scenarios = [load_text(HEAD + text, "t.sip.yaml") for text in (HUNT, CARRIERS, PROBING)]

    async def work() -> None:
        async with open_session(Reference(settings=settings), Options("wire", 4), scenarios) as session:
            hunt, carriers, probing = await asyncio.gather(*(session.run(one) for one in scenarios))
        for result in (hunt, carriers):
            assert result.verdict.outcome is Outcome.PASS, result.verdict
            assert result.record is not None
            assert any(isinstance(entry, Log) for entry in result.record.entries)
        # The dead carrier was passed over: that it was not reached is all there is to say against this run.
        [finding] = probing.verdict.findings
        assert "g1" in finding.expected

    on_loop(work())
