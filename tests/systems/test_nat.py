"""A laptop behind a NAT, and a PBX on the other side that rewrites nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sip_harness.language.loading import load_text
from sip_harness.model.entry import Message, Record
from sip_harness.model.result import Result
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.run.systems import find_system
from sip_harness.sip.message import parse
from support.nat import INNER, OUTER, Nat, nat
from support.staging import HOST, PASSWORD, Staging, staging

pytestmark = pytest.mark.needs_kamailio

RING = """\
title: A ring group of two
id: RING
targets: {bob: {ring: [desk, mobile]}}
devices:
  desk:   {answer: [ringing, after: mobile sends 180, wait 50ms, ok]}
  mobile: {answer: [ringing]}
calls: [{from: alice, to: bob}]
expect:
  alice:  [200 from desk]
  desk:   [INVITE, ACK, BYE]
  mobile: [INVITE, CANCEL, ACK to 487]
"""
HUNG_UP = """\
title: The phone hangs up, so the caller has to be reached
id: HUNG-UP
targets: {bob: {ring: [phone]}}
devices: {phone: {answer: [ringing, ok, after: alice sends ACK, hang up]}}
calls: [{from: alice, to: bob, hang up: 30s}]
expect: {alice: [200 from phone, BYE], phone: [INVITE, ACK]}
"""
CARRIER = """\
title: One carrier
id: CARRIER
targets: {pstn: {hunt: [g1]}}
carriers: {g1: {answer: [486]}}
calls: [{from: alice, to: pstn}]
expect: {alice: [486 from g1]}
"""


@pytest.fixture(scope="module")
def pbx() -> Iterator[Staging]:
    with staging() as running:
        yield running


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGING_PASSWORD", PASSWORD)


async def perform(pbx: Staging, directory: Path, text: str, *, stack: str = "wire", more: str = "") -> Result:
    async with nat((HOST, pbx.port)) as box:
        return await through(box, pbx, directory, text, stack=stack, more=more)


async def through(box: Nat, pbx: Staging, directory: Path, text: str, *, stack: str = "wire", more: str = "") -> Result:
    file = pbx.profile(directory, f"domain: {HOST}:{pbx.port}\nbind: {HOST}\n{more}")
    file.write_text(file.read_text().replace(f"address: {HOST}:{pbx.port}", f"address: {INNER}:{box.address[1]}"))
    system, scenario = find_system(str(file)), load_text(text, "one.sip.yaml")
    async with open_session(system, Options("pjsua2" if stack == "pjsua2" else "wire"), [scenario]) as session:
        return await session.run(scenario)


def passed(result: Result) -> Record:
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert result.record is not None
    return result.record


def contacts(record: Record, agent: str) -> list[str]:
    """Hosts of the contacts that the last REGISTER of its start has asked for."""
    sent = [parse(m.data) for m in record.messages if m.agent == agent and m.direction == "sent"]
    asking = [m for m in sent if m.method == "REGISTER" and m.get("expires") != "0"]
    return re.findall(r"@([0-9.]+)", " ".join(v for v in asking[-1].all("contact") if "expires=0" not in v))


@pytest.mark.parametrize("stack", ["wire", pytest.param("pjsua2", marks=pytest.mark.needs_pjsua2)])
def test_phones_are_called_where_they_are_seen(pbx: Staging, tmp_path: Path, stack: str) -> None:
    record = passed(asyncio.run(perform(pbx, tmp_path, RING, stack=stack)))
    assert {m.remote[0] for m in record.messages} == {INNER}, "nothing has gone past the NAT, in neither direction"
    for agent in ("desk", "mobile"):
        assert contacts(record, agent) == [OUTER]
    assert _hosts_of_invites(record) == {OUTER}


def _hosts_of_invites(record: Record) -> set[str]:
    got = [m for m in record.messages if m.agent != "alice" and m.direction == "received"]
    return {parse(m.data).uri.partition("@")[2].partition(":")[0] for m in got if m.data.startswith(b"INVITE")}


def test_by_tcp_calls_come_on_the_connection_that_there_is(pbx: Staging, tmp_path: Path) -> None:
    record = passed(asyncio.run(perform(pbx, tmp_path, RING, more="transport: tcp\n")))
    assert {m.remote for m in record.messages if m.agent == "desk"} == {next(_remotes(record, "desk"))}
    assert contacts(record, "desk") == [OUTER]


def _remotes(record: Record, agent: str) -> Iterator[tuple[str, int]]:
    return (m.remote for m in record.messages if m.agent == agent)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_caller_is_reached_within_its_call(pbx: Staging, tmp_path: Path, transport: str) -> None:
    record = passed(asyncio.run(perform(pbx, tmp_path, HUNG_UP, more=f"transport: {transport}\n")))
    [bye] = [m for m in _received(record, "alice") if m.data.startswith(b"BYE")]
    assert bye.remote[0] == INNER
    assert f"@{OUTER}:" in parse(bye.data).uri


def _received(record: Record, agent: str) -> list[Message]:
    return [m for m in record.messages if m.agent == agent and m.direction == "received"]


def test_a_carrier_that_the_system_has_to_reach_is_blocked(pbx: Staging, tmp_path: Path) -> None:
    def with_carrier(more: str) -> Result:
        text = 'shapes: {hunt: [{dial: "900", carriers: [first]}]}\ncarriers: {first: "127.0.0.1:9"}\n'
        profile = tmp_path / "x"
        profile.mkdir(exist_ok=True)

        async def work() -> Result:
            async with nat((HOST, pbx.port)) as box:
                file = profile / "staging.system.yaml"
                file.write_text(
                    f"name: staging\nkind: proxy\naddress: {INNER}:{box.address[1]}\ndomain: {HOST}:{pbx.port}\n"
                    f'bind: {HOST}\nroles: {{alice: {{user: "100", password: $STAGING_PASSWORD}}}}\n{text}{more}'
                )
                scenario = load_text(CARRIER, "one.sip.yaml")
                async with open_session(find_system(str(file)), Options("wire"), [scenario]) as session:
                    return await session.run(scenario)

        return asyncio.run(work())

    behind = with_carrier("").verdict
    assert behind.outcome is Outcome.BLOCKED
    assert f"a NAT stands between, which shows us as {OUTER}; forward a port" in behind.reason
    assert "cannot reach it" not in with_carrier(f"advertise: {OUTER}\n").verdict.reason
