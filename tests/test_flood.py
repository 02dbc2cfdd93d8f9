"""A flood at the agents of a running scenario: hostile SIP, broken SIP, bytes that are none.

It changes no verdict, costs bounded memory, and every datagram of it is in the record.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ladders import TOKEN, record, scenario
from on_loop import on_loop

from sip_harness.agents.base import Agent, Assignment
from sip_harness.agents.wire import WireAgent
from sip_harness.endpoint.door import MAX_ANSWERS
from sip_harness.model.entry import Address, Malformed, Message, Note
from sip_harness.model.result import Result
from sip_harness.model.system import User
from sip_harness.model.verdict import Outcome
from sip_harness.record import jsonl
from sip_harness.run.execute import Run
from sip_harness.run.session import Options, open_session
from sip_harness.run.tape import MAX_STRAYS, Tape
from sip_harness.systems.kamailio import Kamailio
from sip_harness.verdict.traffic import Owner, sort_out

pytestmark = pytest.mark.needs_kamailio

LIMIT = 20.0
BURST = 16
"""Datagrams per port and turn of the loop: few enough that the kernel drops none."""
RINGS = scenario(
    "desk: {answer: [ringing, after: alice gets 180, wait 300ms, 486]}\nmobile: {answer: [ringing, wait 100ms, 404]}",
    "alice: [404 from mobile]\ndesk: [INVITE, ACK to 486]\nmobile: [INVITE, ACK to 404]",
)
TORTURE = Path(__file__).parent / "sip" / "rfc4475"


def hostile() -> list[bytes]:
    """Messages that some parser somewhere stumbled over; `%d` is another number each time."""
    via = b"Via: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bK%d\r\n"
    rest = b"From: <sip:x@h>;tag=%d\r\nTo: <sip:y@h>\r\nCall-ID: c%d\r\n"
    return [
        b"INVITE sip:desk@h SIP/2.0\r\n" + via + rest + b"CSeq: 1 INVITE\r\n\r\n",
        b"INVITE sip:desk@h SIP/2.0\r\n" + via + rest + b"CSeq: 1 BYE\r\n\r\n",
        b"CANCEL sip:desk@h SIP/2.0\r\n" + via + rest + b"CSeq: 1 CANCEL\r\n\r\n",
        b"BYE sip:desk@h SIP/2.0\r\n" + via + rest + b"CSeq: 1 BYE\r\n\r\n",
        b"ACK sip:desk@h SIP/2.0\r\n" + via + rest + b"CSeq: 1 ACK\r\n\r\n",
        b"OPTIONS sip:desk@h SIP/2.0\r\n" + via + via + rest + b"CSeq: 99999999999 OPTIONS\r\n\r\n",
        b"SIP/2.0 200 OK\r\n" + via + rest + b"CSeq: 1 INVITE\r\nContact: <sip:127.0.0.1>\r\n\r\n",
        b"SIP/2.0 486 Busy\r\n" + via + rest + b"CSeq: 1 INVITE\r\n\r\n",
        b"INVITE sip:desk@h SIP/2.0\r\nVia: \xff\xfe;;;=,,\r\n" + rest + b"CSeq: -1 INVITE\r\n\r\n",
        b"INVITE sip:desk@h SIP/2.0\r\n" + b"Via: a,\r\n" * 200 + rest + b"\r\n",
        b"INVITE sip:%d SIP/2.0\r\nContent-Length: 99999999999999\r\n\r\n",
        b"REGISTER sip:%d SIP/2.0\r\n" + via + b'To: "<>;tag=;\r\nFrom: <<<<\r\n\r\n',
        b"INVITE sip:%d@h SIP/7.0\r\n" + via + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: %d\r\n\r\n",
        b"%d",
    ]


def torture() -> list[bytes]:
    """The torture messages of RFC 4475, as far as they are there."""
    return [path.read_bytes() for path in sorted(TORTURE.glob("*.dat"))]


def datagrams(seed: int) -> Iterator[bytes]:
    """An endless flood, the same for the same seed. None of them is a keep-alive."""
    rng = random.Random(seed)
    fixed, made = torture(), hostile()
    while True:
        kind = rng.randrange(4)
        if kind == 0 and fixed:
            yield rng.choice(fixed)
        elif kind == 1:
            yield b"\x01" + rng.randbytes(rng.randrange(1, 300))
        else:
            text = rng.choice(made)
            whole = text % tuple(rng.randrange(1, 65_535) for _ in range(text.count(b"%d")))
            yield whole[: rng.randrange(1, len(whole) + 1)] if kind == 2 else whole


class Flood:
    """Sends to every agent whose port is known, burst by burst."""

    def __init__(self) -> None:
        self.ports: dict[str, Address] = {}
        self.sent: Counter[str] = Counter()
        """Datagrams by agent."""
        self._stream = datagrams(4475)

    async def until(self, enough: Callable[[], bool]) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            async with asyncio.timeout(4 * LIMIT):
                while not enough():
                    for agent, address in self.ports.items():
                        for _ in range(BURST):
                            sock.sendto(next(self._stream), address)
                        self.sent[agent] += BURST
                    for _ in range(3):  # a turn to be read, one to be answered, one for the run
                        await asyncio.sleep(0)


class Ports:
    """Learns the ports of the agents from the record file while it grows."""

    def __init__(self, file: Path) -> None:
        self.found: dict[str, Address] = {}
        self._file = file

    def look(self) -> None:
        if self._file.exists():
            *lines, _ = self._file.read_bytes().split(b"\n")
            for line in map(json.loads, lines):
                if line["type"] == "message":
                    self.found.setdefault(line["agent"], tuple(line["local"]))


async def flooded(folder: Path) -> tuple[Result, Flood]:
    """One run; all its agents are flooded from the call until the agents stop."""
    async with open_session(Kamailio(), Options(stack="wire", records=folder), [RINGS]) as session:
        flood, ports = Flood(), Ports(folder / f"{RINGS.id}.jsonl")
        run = asyncio.create_task(session.run(RINGS))
        try:
            async with asyncio.timeout(LIMIT):
                while len(ports.found) < 3 and not run.done():
                    await asyncio.sleep(0)
                    ports.look()
            flood.ports.update(ports.found)
            await flood.until(run.done)
        finally:
            if not run.done():
                run.cancel()
        return await run, flood


def rss() -> int:
    """Bytes of memory that this process has in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def strays_of(folder: Path) -> Counter[str]:
    """Datagrams of the flood in the record, by agent: malformed ones, and messages that are strays."""
    whole = jsonl.read(folder / f"{RINGS.id}.jsonl")
    found = Counter(e.agent for e in whole.entries if isinstance(e, Malformed))
    for item in sort_out(whole).items:
        if item.owner is Owner.STRAY and item.seen.received:
            found[item.seen.agent] += item.times
        else:
            assert item.owner is not Owner.UNKNOWN, item
    return found


def test_a_flood_changes_no_verdict_and_is_in_the_record(tmp_path: Path) -> None:
    result, flood = asyncio.run(flooded(tmp_path))
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert set(flood.sent) == {"alice", "desk", "mobile"}
    found = strays_of(tmp_path)
    for agent, sent in flood.sent.items():
        assert 200 <= found[agent] <= sent


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
        self.flood = Flood()

    async def start(self) -> None:
        await self.run.start()
        self.tape.open(record("0.0 alice > INVITE").header)
        self.flood.ports["desk"] = self.agent.local

    async def take(self, datagrams: int) -> int:
        """Flood it until so many have been sent in all, and it has read them; the memory then in use."""
        await self.flood.until(lambda: self.flood.sent["desk"] >= datagrams)
        gc.collect()
        return rss()


@on_loop
async def test_a_flood_costs_no_memory_and_every_datagram_is_in_the_file(tmp_path: Path) -> None:
    alone = Alone(tmp_path / "r.jsonl")
    await alone.start()
    little = await alone.take(20_000)
    much = await alone.take(100_000)
    assert much - little < 4 << 20, f"{(much - little) >> 10} KiB more"
    assert len(alone.tape.entries) <= MAX_STRAYS + 10
    await alone.run.end()
    kept = alone.tape.close()
    sent = alone.flood.sent["desk"]
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_bytes().splitlines()]
    came = [x for x in lines if x["type"] == "malformed" or (x["type"] == "message" and x["direction"] == "received")]
    answered = [x for x in lines if x["type"] == "message" and x["direction"] == "sent"]
    assert len(came) == sent
    assert len(answered) == MAX_ANSWERS
    assert {x["origin"] for x in answered} == {"protocol"}
    [note] = [e for e in kept.entries if isinstance(e, Note) and e.kind == "strays"]
    assert note.data["strays"] == str(sent + MAX_ANSWERS)
    assert int(note.data["in the file"]) == sent + MAX_ANSWERS
    assert int(note.data["shown"]) == sum(isinstance(e, Malformed | Message) for e in kept.entries)
    assert not [e for e in kept.entries if isinstance(e, Note) and e.kind in ("step", "engine", "refused")]
