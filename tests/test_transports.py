"""Scenarios over TCP, TLS and WebSocket through Kamailio: verdicts, what is recorded, what tshark makes of it."""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from on_loop import on_loop
from outside import HARNESS, Command
from parts import CALL, part
from wire_stage import Stage, stage

from sip_harness.agents.wire import WireAgent
from sip_harness.model.entry import Record
from sip_harness.model.scenario import Transport
from sip_harness.model.steps import Send, Wait
from sip_harness.model.system import SystemInfo, User
from sip_harness.net.stream import StreamTransport
from sip_harness.record.jsonl import read
from sip_harness.systems.kamailio import Kamailio

pytestmark = [pytest.mark.needs_kamailio, pytest.mark.needs_kamailio_tls, pytest.mark.needs_openssl]

FORK = """
title: A phone that is busy everywhere stops the other phones
id: FK-{name}
cite: RFC 3261 16.7 step 5
targets: {{bob: {{ring: [desk, mobile]}}}}
devices:
  desk:   {{transport: {desk}, answer: [ringing, after: mobile sends 180, wait 100ms, busy-everywhere]}}
  mobile: {{transport: {mobile}, answer: [ringing]}}
calls:
  - {{from: alice, to: bob, transport: {alice}}}
expect:
  alice:  [600 from desk]
  desk:   [INVITE, ACK to 600]
  mobile: [INVITE, CANCEL, ACK to 487]
order: [desk sends 600, mobile gets CANCEL, mobile sends 487, alice gets 600]
proof: [forks-on-after-6xx, maps-600-to-486]
"""
ANSWERED = """
title: An answered call
id: OK-{name}
cite: RFC 3261 13
targets: {{bob: {{ring: [desk]}}}}
devices: {{desk: {{transport: {desk}, answer: [ringing, 200]}}}}
calls: [{{from: alice, to: bob, transport: {alice}}}]
expect: {{alice: [180, 200 from desk, maybe 200 to BYE], desk: [INVITE, ACK to 200, BYE]}}
"""
MIXES = {
    "kamailio-tls": {"tcp": ("tcp", "tcp", "tcp"), "tls": ("tls", "tls", "tls"), "all": ("udp", "tcp", "tls")},
    "kamailio-ws": {"ws": ("ws", "ws", "ws"), "wss": ("wss", "wss", "wss"), "mixed": ("tls", "ws", "wss")},
}
"""Transports of alice, desk and mobile, by system and name."""
CASES = [
    pytest.param(system, f"{kind}-{name}", marks=pytest.mark.needs_kamailio_ws if system.endswith("ws") else ())
    for system, mixes in MIXES.items()
    for kind in ("FK", "OK")
    for name in mixes
]
every_case = pytest.mark.parametrize(("system", "case"), CASES)


def write(place: Path, system: str = "kamailio-tls") -> Path:
    folder = place / "scenarios"
    folder.mkdir()
    for name, (alice, desk, mobile) in MIXES[system].items():
        for kind, text in (("fork", FORK), ("answered", ANSWERED)):
            made = text.format(name=name, alice=alice, desk=desk, mobile=mobile)
            (folder / f"{kind}-{name}.sip.yaml").write_text(made)
    return folder


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Runs all scenarios of a system, once; gives where the command wrote what it saw."""

    @functools.cache
    def run(system: str) -> Path:
        place = tmp_path_factory.mktemp("ran")
        folder, out = write(place, system), place / "artefacts"
        with Command(place, *HARNESS, "run", str(folder), "--system", system, "--out", str(out)) as command:
            assert command.end(60.0) == 0, command.said
            assert "6 runs: 6 pass" in command.said
        return out

    return run


@pytest.fixture
def record(ran: Callable[[str], Path], system: str, case: str) -> Record:
    return read(ran(system) / f"{case}.jsonl")


@every_case
def test_every_agent_spoke_its_transport(record: Record, system: str, case: str) -> None:
    wanted = dict(zip(("alice", "desk", "mobile"), MIXES[system][case.partition("-")[2]], strict=True))
    spoken = {message.agent: message.transport for message in record.messages}
    assert spoken == {agent: wanted[agent] for agent in spoken}
    assert set(spoken) >= {"alice", "desk"}
    for message in record.messages:
        via = f"SIP/2.0/{message.transport.upper()} ".encode()
        assert via in message.data


@every_case
def test_times_are_exact_and_in_order_of_cause(record: Record, system: str, case: str) -> None:
    assert all(role.trace == "full" for role in record.header.roles)
    received = [m for m in record.messages if m.direction == "received"]
    assert sum(m.slack == 0 for m in received) >= len(received) / 2
    first = {m.data.split(b"\r\n")[0]: m for m in reversed(record.messages) if m.direction == "sent"}
    for message in received:
        cause = first.get(message.data.split(b"\r\n")[0])
        if message.data.startswith(b"SIP/2.0 ") and b"CSeq: 1 INVITE" in message.data and cause is not None:
            assert message.time >= cause.time


@pytest.mark.needs_tshark
@every_case
def test_tshark_finds_nothing_malformed_in_the_capture(
    ran: Callable[[str], Path], record: Record, system: str, case: str
) -> None:
    fields = ["_ws.malformed", "sip.Method", "sip.Status-Code", "_ws.expert.severity"]
    arguments = [word for field in fields for word in ("-e", field)]
    ports = {m.local[1] for m in record.messages if m.transport == "udp"}
    arguments += [word for port in ports for word in ("-d", f"udp.port=={port},sip")]  # any of them may be known to it
    command = ["tshark", "-r", ran(system) / f"{case}.pcapng", "-n", "-Tjson", *arguments]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    layers = [row["_source"]["layers"] for row in rows]
    assert len(layers) >= len(record.messages) - 4  # two agents may have recorded one message
    for layer in layers:
        assert "_ws.malformed" not in layer
        assert "sip.Method" in layer or "sip.Status-Code" in layer
        error = 8_388_608  # PI_ERROR
        assert all(int(severity) < error for severity in layer.get("_ws.expert.severity", []))


def test_a_transport_that_the_system_has_not_is_a_skip_with_the_reason(tmp_path: Path) -> None:
    folder = write(tmp_path)
    with Command(tmp_path, *HARNESS, "run", str(folder / "fork-tls.sip.yaml"), "--system", "kamailio") as command:
        assert command.end() == 5, command.said
        assert "kamailio does not listen by tls" in command.said
        assert "1 skip" in command.said


def test_faults_are_caught_over_tls_as_well(tmp_path: Path) -> None:
    folder = write(tmp_path)
    faulty = ["--system", "kamailio-tls", "--fault", "forks-on-after-6xx"]
    with Command(tmp_path, *HARNESS, "run", str(folder / "fork-tls.sip.yaml"), *faulty) as command:
        assert command.end() == 1, command.said


@pytest.mark.parametrize("kind", ["tcp", "tls"])
@on_loop
async def test_kamailio_connects_to_a_device_whose_connection_is_gone(kind: Transport) -> None:
    """It finds the port by the Contact, and believes the certificate."""
    system = Kamailio(tls=True)
    await system.start()
    try:
        async with stage() as here:
            desk = at(here, system.info, kind, "desk")
            await desk.start()
            assert desk._ua is not None
            transport = desk._ua.transport
            assert isinstance(transport, StreamTransport)
            transport.disconnect("close", system.info.address_of(kind))
            assert transport.connections == 0
            alice = at(here, system.info, kind, "alice")
            await alice.start()
            alice.call(CALL, f"sip:desk-u@{system.info.domain}")
            await here.see("alice gets 486", "desk gets ACK")
            came = here.entry("desk gets INVITE")
            assert came.local == desk.local
            assert came.remote != system.info.address_of(kind)
    finally:
        await system.stop()


def at(here: Stage, info: SystemInfo, kind: Transport, name: str) -> WireAgent:
    """An agent of this system."""
    made = part(None, kind, info.address_of(kind), name=name, steps=(Wait(0.02), Send(486, "Busy Here")))
    user = User(f"{name}-u", info.domain)
    files = {"trust": info.trust, "certificate": info.certificate}
    return here.add(replace(made, user=user, register=name != "alice", **files))
