"""Receive times of the pjsua2 stack are the kernel's: right across processes, however busy the machine is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import cast

import pytest
from on_loop import on_loop
from pjsua2_peer import BUSY, RINGING, Desk, Dialling, Peer, a_desk, a_peer, a_pool, device

from sip_harness.model.entry import Address, Lag, Message
from sip_harness.net import kernel
from sip_harness.sip import message as sip

pytestmark = pytest.mark.needs_pjsua2

PAIRS = 1000
BATCH = 20
APART = 200_000


@contextlib.contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """So many processes that do nothing but run."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait()


def send_pair(peer: Peer, first: Desk, second: Desk) -> tuple[str, str, int, int]:
    """Two datagrams to two workers, one after the other: their Call-IDs, and when each was about to be sent."""
    one, two = (Dialling(peer, d.agent.local) for d in (first, second))
    data = one.request("OPTIONS"), two.request("OPTIONS")
    before = time.time_ns()
    peer.send(data[0], one.target)
    while time.time_ns() - before < APART:
        pass
    between = time.time_ns()
    peer.send(data[1], two.target)
    return one.call_id, two.call_id, before, between


def received(d: Desk) -> dict[str, Message]:
    return {sip.parse(m.data).call_id: m for m in d.messages if m.direction == "received"}


@on_loop
async def test_a_thousand_pairs_are_recorded_in_the_order_in_which_they_were_sent() -> None:
    async with a_pool(2) as pool, a_peer() as peer:
        async with (
            a_desk(pool, device(peer.local, (BUSY,), name="first")) as first,
            a_desk(pool, device(peer.local, (BUSY,), name="second")) as second,
        ):
            pairs = []
            with busy_loops(4):
                for _ in range(PAIRS // BATCH):
                    pairs += [send_pair(peer, first, second) for _ in range(BATCH)]
                    last = {call_id for pair in pairs[-BATCH:] for call_id in pair[:2]}
                    for call_id in last:
                        await peer.get(lambda m, i=call_id: m.call_id == i)
                    peer.seen.clear()
            await asyncio.gather(first.agent.stop(), second.agent.stop())
        ones, twos = received(first), received(second)
    assert len(pairs) == PAIRS
    for one, two, before, between in pairs:
        assert ones[one].slack == twos[two].slack == 0
        assert before <= ones[one].time < twos[two].time
        assert between <= twos[two].time


@on_loop
async def test_a_datagram_that_waits_for_a_stopped_worker_keeps_its_time() -> None:
    """The time is that of arrival, and that the worker was late is on record."""
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, (BUSY,))) as d:
        assert d.agent._child is not None
        pid = d.agent._child.pid
        os.kill(pid, signal.SIGSTOP)
        call = Dialling(peer, d.agent.local)
        before = time.time_ns()
        call.invite()
        after = time.time_ns()
        await asyncio.sleep(0.2)
        os.kill(pid, signal.SIGCONT)
        call.ack(await peer.final(call))
        invite = await d.until(lambda e: isinstance(e, Message))
        lag = await d.until(lambda e: isinstance(e, Lag))
    assert before <= invite.time <= after + 50_000_000
    assert isinstance(lag, Lag)
    assert lag.lag >= 150_000_000


class StampingPeer:
    """A socket whose receive times are the kernel's; it reads in the thread of whoever calls."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(20)
        kernel.ask_for_stamps(self.socket)
        self.local: Address = self.socket.getsockname()

    def send(self, data: bytes, to: Address) -> None:
        self.socket.sendto(data, to)

    def receive(self) -> tuple[bytes, int]:
        data, ancillary, _, _ = self.socket.recvmsg(65536, kernel.ANCILLARY_SIZE)
        stamp = kernel.stamp_of(ancillary)
        assert stamp is not None
        return data, stamp


@on_loop
async def test_what_is_sent_arrives_within_its_slack() -> None:
    """The tap sees a message just before it is sent, and the slack ends when it has been sent: the kernel agrees."""
    kernel.warm_up()
    peer = StampingPeer()
    arrived: dict[bytes, int] = {}
    with peer.socket:
        async with a_pool() as pool, a_desk(pool, device(peer.local, (RINGING, BUSY))) as d:
            with busy_loops(2):
                for _ in range(50):
                    call = Dialling(cast(Peer, peer), d.agent.local).invite()
                    arrived.update([await asyncio.to_thread(peer.receive) for _ in range(3)])
                    final = next(m for m in map(sip.parse, arrived) if m.code == 486 and m.call_id == call.call_id)
                    call.ack(final)
            await d.agent.stop()
        assert len(arrived) == 150
        assert {m.data for m in d.sent()} == set(arrived)
        for message in d.sent():
            assert message.time <= arrived[message.data] <= message.time + message.slack
