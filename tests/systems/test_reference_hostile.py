"""Hostile input at the port of an embedded system while a scenario runs: no other verdict, and bounded memory."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hostile import HALF, datagrams
from ladders import scenario
from proxy_stage import Stage
from udp_phone import run

from sip_harness.endpoint import layer as layer_module
from sip_harness.model.entry import Address
from sip_harness.model.result import Result
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.sip.message import build
from sip_harness.systems.base import System
from sip_harness.systems.reference import core, registrar
from sip_harness.systems.reference.b2bua import ReferenceB2bua
from sip_harness.systems.reference.system import Reference

BURST, MOST = 8, 100
"""Datagrams sent in one go; more where a busy machine lets nobody have many turns."""
PER_SECOND = 1500
ENOUGH = 400
"""Datagrams, at least, that come in while the call is up."""
RINGS = scenario(
    "desk: {answer: [ringing, after: alice gets 180, wait 1s, 486]}\n"
    "mobile: {transport: tcp, answer: [ringing, wait 100ms, 404]}",
    "alice: [404 from mobile]\ndesk: [INVITE, ACK to 486]\nmobile: [INVITE, ACK to 404]",
)


def addressed(system: Address, port: int) -> Iterator[bytes]:
    """The flood, and among it requests that this very system is responsible for."""
    here, rubbish = "{}:{}".format(*system), datagrams(4475, port)
    for number, data in enumerate(rubbish):
        yield data
        method = ("INVITE", "REGISTER", "OPTIONS", "MESSAGE", "SUBSCRIBE")[number % 5]
        headers = [
            ("Via", f"SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKf{number}"),
            ("From", f"<sip:x@h>;tag={number}"),
            ("To", f"<sip:u{number}@{here}>"),
            ("Call-ID", str(number)),
            ("CSeq", f"1 {method}"),
            ("Contact", f"<sip:u@127.0.0.1:{port}>"),
        ]
        yield build(f"{method} sip:{'' if method == 'REGISTER' else 'nobody@'}{here} SIP/2.0", headers)


async def flood(system: Address) -> int:
    """Send until cancelled, in bursts between which everybody else has a turn; how many datagrams."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        made = addressed(system, sock.getsockname()[1])
        begun, sent, turns = time.monotonic(), 0, 0
        with suppress(asyncio.CancelledError):
            while True:
                behind = int((time.monotonic() - begun) * PER_SECOND) - sent
                for _ in range(min(max(BURST, behind), MOST)):
                    sock.sendto(next(made), system)
                    sent += 1
                turns += 1
                with suppress(BlockingIOError):
                    while True:
                        sock.recv(65_535)
                for cut in (9, 40, len(HALF)) if turns % 10 == 0 else ():
                    _, writer = await asyncio.open_connection(*system)
                    writer.write(HALF[:cut])
                    writer.close()
                await asyncio.sleep(0.002)
    return sent


@pytest.mark.parametrize("make", [Reference, ReferenceB2bua])
def test_a_flood_at_the_system_changes_no_verdict(make: Callable[[], System]) -> None:
    async def work() -> tuple[Result, int, Any]:
        system = make()
        async with open_session(system, Options("wire"), [RINGS]) as session:
            flooding = asyncio.create_task(flood(system.info.address))
            result = await session.run(RINGS)
            flooding.cancel()
            sent = await flooding
            again = await session.run(RINGS)  # and it is as well as before
            assert again.verdict.outcome is Outcome.PASS, again.verdict
        return result, sent, system

    result, sent, _ = run(work())
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert sent > ENOUGH


def test_what_it_keeps_of_requests_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Stage().proxy.core.layer.most_servers == core.MAX_TRANSACTIONS <= layer_module.MAX_SERVERS
    monkeypatch.setattr(core, "MAX_TRANSACTIONS", 5)
    stage = Stage()
    for _ in range(9):
        stage.alice.request("OPTIONS", stage.bob)
    stage.run(1)
    assert stage.alice.got == ["480"] * 5
    stage.run(100)  # they have been forgotten
    stage.alice.request("OPTIONS", stage.bob)
    stage.run(1)
    assert stage.alice.got == ["480"] * 6


def test_what_it_keeps_of_their_bytes_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_module, "MAX_REQUEST_BYTES", 50_000)
    stage = Stage()
    for _ in range(9):
        stage.alice.request("OPTIONS", stage.bob, Subject="x" * 20_000)
    stage.run(1)
    assert stage.alice.got == ["480"] * 3
    stage.run(100)
    assert stage.proxy.core.layer.request_bytes == 0
    stage.alice.request("OPTIONS", stage.bob)
    stage.run(1)
    assert stage.alice.got == ["480"] * 4


def test_registrations_of_strangers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registrar, "MAX_USERS", 3)
    stage = Stage()
    for number in range(5):
        contact = f"<sip:u{number}@127.0.0.1:7000>"
        stage.alice.request("REGISTER", "sip:127.0.0.1:5060", to=f"<sip:u{number}@127.0.0.1:5060>", Contact=contact)
    stage.run(1)
    assert stage.alice.got == ["200"] * 3 + ["403"] * 2
