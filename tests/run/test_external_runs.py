"""Whole runs against a system that only listens: what must not be sent is not, and the verdict says why."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from sip_harness.cli.main import main
from sip_harness.language.loading import load, load_text
from sip_harness.model.entry import Address, Record
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome, Verdict
from sip_harness.report import explain
from sip_harness.run import pace, session
from sip_harness.run.session import Options, open_session
from sip_harness.run.systems import create, find_system
from sip_harness.sip.message import Message
from sip_harness.systems.external import is_unreachable
from sip_harness.systems.locks import reserve
from support.quiet import Answer, Ear, ear

SCENARIO = """\
title: One phone
id: ONE
targets: {bob: {ring: [phone]}}
devices: {phone: {answer: [ANSWER]}}
calls: [{from: alice, to: bob MORE}]
expect: {alice: [486]}
"""
STACKS = ["wire", pytest.param("pjsua2", marks=pytest.mark.needs_pjsua2)]


def profile(directory: Path, port: int, bob: str = "103", more: str = "") -> str:
    file = directory / "quiet.system.yaml"
    roles = f'roles: {{alice: {{user: "101"}}, bob: {{user: "{bob}"}}}}'
    file.write_text(f"name: quiet\nkind: b2bua\naddress: 127.0.0.1:{port}\n{roles}\n{more}")
    return str(file)


def scenario(answer: str = "busy-here", more: str = "", impact: str = "") -> str:
    return SCENARIO.replace("ANSWER", answer).replace(" MORE", more) + impact


def obliging(request: Message, _source: Address) -> tuple[int, list[tuple[str, str]]] | None:
    """Answers OPTIONS and takes registrations."""
    if request.method == "OPTIONS":
        return 404, []
    contacts = [("Contact", value) for value in request.all("contact")]
    return (200, contacts) if request.method == "REGISTER" else None


async def perform(
    directory: Path, text: str, stack: str = "wire", bob: str = "103", more: str = "", answer: Answer = obliging
) -> tuple[Result, Ear]:
    async with ear("127.0.0.1", answer) as system:
        found = find_system(profile(directory, system.address[1], bob, more))
        one = load_text(text, "one.sip.yaml")
        options = Options("pjsua2" if stack == "pjsua2" else "wire")
        async with open_session(found, options, [one]) as opened:
            return await opened.run(one), system


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize(
    ("text", "bob", "why"),
    [
        (scenario(), "112", "the guard refuses to call bob: 112 is an emergency number"),
        (scenario("302: {headers: {Contact: '<sip:911@127.0.0.1>'}}"), "103", "911 is an emergency number"),
        (scenario("302: {headers: {Contact: '<sip:x@192.0.2.66>'}}"), "103", "192.0.2.66 is no host"),
        (scenario(more=", headers: {Route: '<sip:192.0.2.66;lr>'}"), "103", "192.0.2.66 is no host"),
    ],
    ids=["dialled", "redirected", "redirected-elsewhere", "routed"],
)
def test_it_is_refused_before_a_packet_leaves(tmp_path: Path, stack: str, text: str, bob: str, why: str) -> None:
    result, system = asyncio.run(perform(tmp_path, text, stack, bob))
    assert result.verdict.outcome is Outcome.BLOCKED
    assert why in result.verdict.reason
    assert set(system.methods) == {"OPTIONS"}, "which asked whether it is there, and is all"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (
            b"INVITE sip:112@127.0.0.1 SIP/2.0\r\nTo: <{uri}>\r\n\r\n",
            "leads it to sip:112@127.0.0.1: 112 is an emergency",
        ),
        (b"INVITE sip:1@192.0.2.66 SIP/2.0\r\nTo: <{uri}>;tag=x\r\n\r\n", "192.0.2.66 is no host that the profile"),
        (b"INVITE {uri} SIP/2.0\r\nRoute: <sip:192.0.2.66;lr>\r\n\r\n", "192.0.2.66 is no host that the profile"),
        (
            b"INVITE  \x00 sip:112",
            "one.sip.yaml:5:16: alice would send bytes of odd.sip, which are no SIP message: nobody",
        ),
    ],
    ids=["number", "within a dialog", "route", "garbage"],
)
def test_bytes_are_looked_at_before_a_packet_leaves(tmp_path: Path, data: bytes, why: str) -> None:
    file = tmp_path / "one.sip.yaml"
    file.write_text(scenario(more=", bytes: odd.sip"))
    (tmp_path / "odd.sip").write_bytes(data)

    async def work() -> tuple[Result, Ear]:
        async with ear("127.0.0.1", obliging) as system:
            found = find_system(profile(tmp_path, system.address[1]))
            [one] = load([file])
            async with open_session(found, Options("wire"), [one]) as session:
                return await session.run(one), system

    result, system = asyncio.run(work())
    assert result.verdict.outcome is Outcome.BLOCKED
    assert why in result.verdict.reason
    assert set(system.methods) == {"OPTIONS"}


def test_a_disruptive_scenario_is_for_those_who_ask(tmp_path: Path) -> None:
    text = scenario(impact="impact: disruptive\n")
    result, system = asyncio.run(perform(tmp_path, text))
    assert result.verdict.outcome is Outcome.SKIP
    assert "quiet gets it with --disruptive only" in result.verdict.reason
    assert set(system.methods) == {"OPTIONS"}
    never = asyncio.run(perform(tmp_path, text, more="impact: harmless\n"))[0]
    assert "takes no disruptive scenarios" in never.verdict.reason


@pytest.mark.parametrize(
    ("host", "system", "unreachable"),
    [
        ("192.168.1.20", "9.9.9.9", True),
        ("192.168.1.20", "10.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", False),
        ("9.9.9.8", "9.9.9.9", False),
        ("fd00::1", "2620:fe::fe", True),
    ],
)
def test_a_carrier_behind_a_nat_cannot_be_reached(host: str, system: str, unreachable: bool) -> None:
    assert is_unreachable(host, system) is unreachable


@pytest.mark.parametrize("timed", ["", ", at: 0ms"], ids=["in-turn", "timed"])
def test_calls_keep_the_pace_of_the_guard(tmp_path: Path, timed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = ", ".join([f"{{from: alice, to: bob{timed}}}"] * 3)
    text = scenario().replace("{from: alice, to: bob}", calls).replace("{alice: [486]}", "{alice: reached}")
    text = text.replace("expect:", "expect: {phone: never}\n#")

    def busy(request: Message, source: Address) -> tuple[int, list[tuple[str, str]]] | None:
        return (486, []) if request.method == "INVITE" else obliging(request, source)

    turns: list[float] = []

    def noted(system: str, gap: float, now: float) -> float:
        turns.append(reserve(system, gap, now))
        return turns[-1]

    monkeypatch.setattr(pace, "reserve", noted)
    result, _ = asyncio.run(perform(tmp_path, text, more="guard: {calls per second: 10}\n", answer=busy))
    assert result.record is not None
    sent = [m.time for m in result.record.messages if m.direction == "sent" and m.data.startswith(b"INVITE")]
    assert (len(sent), len(turns)) == (3, 3), result.verdict
    assert all(b - a >= 0.0999 for a, b in pairwise(turns))
    offset = time.time_ns() - time.monotonic_ns()
    assert all(s >= turn * 1e9 + offset - 1e6 for s, turn in zip(sent, turns, strict=True))


def test_a_dry_run_sends_nothing_and_says_what_it_would(tmp_path: Path) -> None:
    file = tmp_path / "one.sip.yaml"
    file.write_text(scenario())

    async def work() -> tuple[str, list[str]]:
        async with ear("127.0.0.1", obliging) as system:
            arguments = ["run", str(file), "--dry-run", "--system", profile(tmp_path, system.address[1])]
            done = await asyncio.to_thread(CliRunner().invoke, main, arguments)
            assert done.exit_code == 0, done.output
            return done.output.replace(str(system.address[1]), "PORT"), system.methods

    output, methods = asyncio.run(work())
    assert "refused" not in output
    assert "ONE: phone registers as sip:103@127.0.0.1:PORT" in output
    assert "ONE: INVITE sip:103@127.0.0.1:PORT from sip:101@127.0.0.1:PORT" in output
    assert "in all: 1 calls, at most 5 per second; accounts 101, 103" in output
    assert methods == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            scenario("302: {headers: {Contact: '<sip:911@127.0.0.1>'}}"),
            "ONE: blocked, the guard refuses that phone leads",
        ),
        (
            scenario(more=", uri: 'tel:112'"),
            "ONE: INVITE tel:112 from sip:101@127.0.0.1:9 (refused: 112 is an emergency",
        ),
        (scenario(more=", headers: {Route: '<sip:192.0.2.66>'}"), "ONE: blocked, the guard refuses that alice leads"),
    ],
)
def test_a_dry_run_says_what_the_guard_would_refuse(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "one.sip.yaml").write_text(text)
    arguments = ["run", str(tmp_path / "one.sip.yaml"), "--dry-run", "--system", profile(tmp_path, 9)]
    assert why in CliRunner().invoke(main, arguments).output


def test_mistakes_in_a_profile_end_the_command(tmp_path: Path) -> None:
    file = tmp_path / "x.system.yaml"
    file.write_text("name: x\nkind: proxi\naddress: 192.0.2.1\n")
    done = CliRunner().invoke(main, ["run", "--system", str(file)])
    assert done.exit_code == 2
    assert "x.system.yaml:2:7: unknown kind 'proxi'; did you mean 'proxy'?" in done.output


def test_a_connection_that_the_system_closes_ends_the_call_at_once(tmp_path: Path) -> None:
    """It is no message that is late, and not for its limit that the run ends."""

    async def work() -> Result:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(30)  # the keep-alive, and a part of the request
            writer.close()

        async with await asyncio.start_server(hang_up, "127.0.0.1") as server:
            port = server.sockets[0].getsockname()[1]
            text = scenario(more=", transport: tcp, pieces: [1, 2, 40, 80, 100]")
            result, _ = await perform(tmp_path, text, more=f"other transports: {{tcp: '127.0.0.1:{port}'}}")
            return result

    result = asyncio.run(work())
    assert result.verdict.outcome is Outcome.FAIL
    finding, uncalled = sorted(result.verdict.findings, key=lambda found: found.agent)
    assert uncalled.agent == "phone"
    assert "alice never got 486 (alice sent no INVITE: connection to 127.0.0.1:" in finding.seen
    assert "closed by the peer" in explain.text(result).partition("notes ")[2].partition("\n")[0]


def test_a_fault_of_the_harness_itself_costs_no_other_result(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [scenario().replace("ONE", name) for name in ("GOOD", "BAD", "FINE")]
    scenarios = [load_text(text, "one.sip.yaml") for text in texts]
    judge = session.judge

    def faulty(one: Scenario, record: Record) -> Verdict:
        return judge(one, record) if one.id != "BAD" else Verdict(Outcome(one.id))

    monkeypatch.setattr(session, "judge", faulty)

    async def work() -> list[Result]:
        async with open_session(create("reference"), Options("wire"), scenarios) as opened:
            return await asyncio.gather(*(opened.run(one) for one in scenarios))

    good, bad, fine = asyncio.run(work())
    assert (good.verdict.outcome, fine.verdict.outcome) == (Outcome.PASS, Outcome.PASS)
    assert bad.verdict.outcome is Outcome.INCONCLUSIVE
    assert "a fault of the harness itself, please report it:" in bad.verdict.reason
    assert "ValueError: 'BAD' is not a valid Outcome" in bad.verdict.reason
