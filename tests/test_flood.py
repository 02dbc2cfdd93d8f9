"""A flood at the agents of a running scenario: hostile SIP, broken SIP, bytes that are none.

It changes no verdict, costs bounded memory, and every datagram of it is in the record.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import socket
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

import pytest
from hostile import HALF, datagrams
from ladders import TOKEN, record, scenario
from on_loop import on_loop

from sip_harness.agents.base import Agent, Assignment
from sip_harness.agents.wire import WireAgent
from sip_harness.endpoint.door import MAX_ANSWERS
from sip_harness.model.entry import Address, Entry, Malformed, Message, Note
from sip_harness.model.result import Result
from sip_harness.model.system import User
from sip_harness.model.verdict import Outcome
from sip_harness.record import jsonl
from sip_harness.record.codec import decode
from sip_harness.run.execute import Run
from sip_harness.run.session import Options, open_session
from sip_harness.run.tape import MAX_STRAYS, Tape
from sip_harness.systems.kamailio import Kamailio
from sip_harness.verdict.traffic import Owner, sort_out

pytestmark = pytest.mark.needs_kamailio

LIMIT = 20.0
BURST = 32
"""Datagrams per agent at a time: few enough that the kernel drops none."""
ENOUGH = 320
"""Datagrams per agent in a run: what is sent and seen within a part of the second that it takes."""
RINGS = scenario(
    "desk: {answer: [ringing, after: alice gets 180, wait 1s, 486]}\n"
    "mobile: {transport: tcp, answer: [ringing, wait 100ms, 404]}",
    "alice: [404 from mobile]\ndesk: [INVITE, ACK to 486]\nmobile: [INVITE, ACK to 404]",
)


class Tail:
    """Follows a record file while it grows."""

    def __init__(self, file: Path) -> None:
        self.ports: dict[str, Address] = {}
        """Where each agent listens, as far as it has said so."""
        self.sources: set[Address] = set()
        """Where the flood comes from."""
        self.found: Counter[str] = Counter()
        """What is there of it, by agent."""
        self._file = file
        self._at = 0

    def look(self) -> None:
        if not self._file.exists():
            return
        with self._file.open("rb") as file:
            file.seek(self._at)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.splitlines()[not self._at :]:  # the first line of all is the header
            self._take(decode(json.loads(line)))
        self._at += len(whole)

    def _take(self, entry: Entry) -> None:
        if not isinstance(entry, Message | Malformed):
            return
        if entry.remote in self.sources:
            self.found[entry.agent] += entry.direction == "received"
        elif entry.direction == "sent" and (contact := re.search(rb"\nContact: .*?@127.0.0.1:(\d+)", entry.data)):
            self.ports.setdefault(entry.agent, ("127.0.0.1", int(contact[1])))


class Flood:
    """Sends to every agent, burst by burst; the next one when the record has the last, so that the kernel drops
    nothing."""

    def __init__(self, tail: Tail, streams: Collection[str] = ()) -> None:
        """`streams` are the agents that speak TCP."""
        self.sent: Counter[str] = Counter()
        """Datagrams, or connections with half a message, by agent."""
        self.whole: Counter[str] = Counter()
        """As many of them as the record was seen to have."""
        self._tail = tail
        self._streams = streams
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        address = self._socket.getsockname()
        tail.sources.add(address)
        self._data = datagrams(4475, address[1])

    def close(self) -> None:
        self._socket.close()

    async def until(self, enough: Callable[[], bool]) -> None:
        async with asyncio.timeout(2 * LIMIT):
            while not enough():
                for agent, address in self._tail.ports.items():
                    await (self._halves if agent in self._streams else self._burst)(agent, address)
                while self._tail.found != self.sent and not enough():
                    await asyncio.sleep(0)
                    self._tail.look()
                if self._tail.found == self.sent:
                    self.whole = self.sent.copy()

    async def _burst(self, agent: str, address: Address) -> None:
        for _ in range(BURST):
            self._socket.sendto(next(self._data), address)
        self.sent[agent] += BURST

    async def _halves(self, agent: str, address: Address) -> None:
        """Connections that end in the middle of a message."""
        for cut in (9, 40, len(HALF)):
            try:
                _, writer = await asyncio.open_connection(*address)
            except OSError:
                return  # it has stopped
            self._tail.sources.add(writer.get_extra_info("sockname"))
            writer.write(HALF[:cut])
            self.sent[agent] += 1
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def flooded(folder: Path) -> tuple[Result, Flood, Tail]:
    """One run; all its agents are flooded while it waits."""
    async with open_session(Kamailio(), Options(stack="wire", records=folder), [RINGS]) as session:
        tail = Tail(folder / f"{RINGS.id}.jsonl")
        run = asyncio.create_task(session.run(RINGS))
        flood = Flood(tail, {"mobile"})
        try:
            async with asyncio.timeout(LIMIT):
                while len(tail.ports) < 3 and not run.done():
                    await asyncio.sleep(0)
                    tail.look()
            await flood.until(lambda: run.done() or flood.whole["desk"] >= ENOUGH)
            result = await run
        finally:
            flood.close()
            run.cancel()
        tail.look()
        return result, flood, tail


def rss() -> int:
    """Bytes of memory that this process has in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_a_flood_changes_no_verdict_and_is_in_the_record(tmp_path: Path) -> None:
    result, flood, tail = asyncio.run(flooded(tmp_path))
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert set(flood.sent) == {"alice", "desk", "mobile"}
    for agent, sent in flood.sent.items():  # the run may end within a burst
        assert 0 < flood.whole[agent] <= tail.found[agent] <= sent
    for item in sort_out(jsonl.read(tmp_path / f"{RINGS.id}.jsonl")).items:
        assert item.owner is not Owner.UNKNOWN, item
        if item.seen.received:
            assert (item.owner is Owner.STRAY) is (item.seen.entry.remote in tail.sources), item


class Alone:
    """A device in a run of its own, without a system, and what its record says of a flood."""

    def __init__(self, file: Path) -> None:
        part = Assignment(
            "desk", "device", User("desk", "x.test"), f"desk-{TOKEN}", ("127.0.0.1", 9), TOKEN,
            script=RINGS.devices[0].script, open_to_all=False,
        )  # fmt: skip
        agents: dict[str, Agent] = {}
        self.tape = Tape(path=file)
        self.run = Run(RINGS, agents, [part], self.tape)
        self.agent = agents["desk"] = WireAgent(part, self.run.take)
        self.tail = Tail(file)
        self.flood = Flood(self.tail)

    async def start(self) -> None:
        await self.run.start()
        self.tape.open(record("0.0 alice > INVITE").header)
        self.tail.ports["desk"] = self.agent.local

    async def take(self, datagrams: int) -> int:
        """Flood it until so many are in its record; the memory then in use."""
        await self.flood.until(lambda: self.flood.whole["desk"] >= datagrams)
        gc.collect()
        return rss()


@on_loop
async def test_a_flood_costs_no_memory_and_every_datagram_is_in_the_file(tmp_path: Path) -> None:
    alone = Alone(tmp_path / "r.jsonl")
    await alone.start()
    little = await alone.take(10_000)
    much = await alone.take(50_000)
    # Kept in memory, a datagram costs 500 bytes at least: 20 MB for those between the two.
    assert much - little < 8 << 20, f"{(much - little) >> 10} KiB more"
    assert sum(isinstance(e, Message | Malformed) for e in alone.tape.entries) == MAX_STRAYS
    await alone.run.end()
    kept = alone.tape.close()
    alone.flood.close()
    sent = alone.flood.sent["desk"]
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_bytes().splitlines()]
    came = [x for x in lines if x["type"] == "malformed" or (x["type"] == "message" and x["direction"] == "received")]
    answered = [x for x in lines if x["type"] == "message" and x["direction"] == "sent"]
    assert len(came) == sent == alone.tail.found["desk"]
    assert len(answered) == MAX_ANSWERS
    assert {x["origin"] for x in answered} == {"protocol"}
    [note] = [e for e in kept.entries if isinstance(e, Note) and e.kind == "strays"]
    assert note.data["strays"] == str(sent + MAX_ANSWERS)
    assert int(note.data["in the file"]) == sent + MAX_ANSWERS
    assert int(note.data["shown"]) == sum(isinstance(e, Malformed | Message) for e in kept.entries)
    assert not [e for e in kept.entries if isinstance(e, Note) and e.kind in ("step", "engine", "refused")]
