"""What the tests of the pjsua2 stack share: a peer on a raw UDP socket, and agents with their record."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from sip_harness.agents.base import Assignment
from sip_harness.agents.pjsua2.client import Pjsua2Agent
from sip_harness.agents.pjsua2.pool import Pool
from sip_harness.model.entry import Address, Entry, Message, Note
from sip_harness.model.script import Script
from sip_harness.model.steps import Send, Step
from sip_harness.model.system import User
from sip_harness.sip import message as sip

DEADLINE = 20.0
"""Seconds after which a test gives up waiting; only a broken stack ever waits so long."""
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)
MARK = b"mark"
_numbers = itertools.count(1)


class Peer(asyncio.DatagramProtocol):
    """A raw UDP socket that speaks SIP as a test tells it to."""

    def __init__(self) -> None:
        self.seen: list[sip.Message] = []
        self.answer: Callable[[sip.Message], list[bytes]] = lambda _message: []
        """What to send back at once to what comes in."""
        self.marked = asyncio.Event()
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        self.local: Address = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if data == MARK:
            self.marked.set()
            return
        message = sip.parse(data)
        self.seen.append(message)
        for answer in self.answer(message):
            self.transport.sendto(answer, addr)
        self._changed.set()

    def send(self, data: bytes, to: Address) -> None:
        self.transport.sendto(data, to)

    async def get(self, wanted: Callable[[sip.Message], bool]) -> sip.Message:
        """The first message that is wanted, now or later."""
        async with asyncio.timeout(DEADLINE):
            while True:
                self._changed.clear()
                if found := next((m for m in self.seen if wanted(m)), None):
                    return found
                await self._changed.wait()

    async def final(self, call: Dialling) -> sip.Message:
        """The final response to this INVITE."""
        return await self.get(lambda m: m.code >= 200 and m.cseq == (1, "INVITE") and m.call_id == call.call_id)

    async def response(self, call: Dialling, code: int, method: str = "INVITE") -> sip.Message:
        """This response in this call."""
        return await self.get(lambda m: m.code == code and m.cseq[1] == method and m.call_id == call.call_id)

    async def request(self, method: str, call_id: str = "") -> sip.Message:
        """A request with this method."""
        return await self.get(lambda m: m.method == method and call_id in ("", m.call_id))

    async def read_all(self) -> None:
        """Return when everything that has been sent to this socket by now is in `seen`."""
        async with asyncio.timeout(DEADLINE):
            self.send(MARK, self.local)
            await self.marked.wait()
        self.marked.clear()

    def responses(self, call: Dialling) -> list[sip.Message]:
        """All responses to this INVITE so far."""
        return [m for m in self.seen if m.code and m.call_id == call.call_id and m.cseq[1] == "INVITE"]


@asynccontextmanager
async def a_peer() -> AsyncIterator[Peer]:
    """A peer on a free port."""
    transport, peer = await asyncio.get_running_loop().create_datagram_endpoint(Peer, ("127.0.0.1", 0))
    try:
        yield peer
    finally:
        transport.close()


@dataclass
class Dialling:
    """A call that a peer makes by hand."""

    peer: Peer
    target: Address
    body: str = SDP
    headers: tuple[str, ...] = ()
    number: int = field(default_factory=lambda: next(_numbers))

    @property
    def call_id(self) -> str:
        return f"call-{self.number}@peer"

    def request(self, method: str, *, cseq: int = 1, branch: str = "", to_tag: str = "", body: str = "") -> bytes:
        """A request of this call."""
        host, port = self.peer.local
        tag = f";tag={to_tag}" if to_tag else ""
        lines = [
            f"{method} sip:device@{self.target[0]}:{self.target[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{self.number}{branch}",
            f"From: <sip:peer@{host}:{port}>;tag=from{self.number}",
            f"To: <sip:device@{self.target[0]}:{self.target[1]}>{tag}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:peer@{host}:{port}>",
            "Max-Forwards: 70",
            *(self.headers if method == "INVITE" else ()),
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def invite(self) -> Dialling:
        """Send the INVITE."""
        self.peer.send(self.request("INVITE", body=self.body), self.target)
        return self

    def ack(self, final: sip.Message) -> None:
        """Acknowledge a final response."""
        branch = "" if final.code >= 300 else "ack"
        self.peer.send(self.request("ACK", branch=branch, to_tag=final.to_tag), self.target)

    def cancel(self) -> None:
        self.peer.send(self.request("CANCEL"), self.target)

    def bye(self, final: sip.Message) -> None:
        self.peer.send(self.request("BYE", cseq=2, branch="bye", to_tag=final.to_tag), self.target)


def reply(request: sip.Message, code: int, reason: str = "", *headers: str, tag: str = "peer", body: str = "") -> bytes:
    """A response to a request that the peer got."""
    copied = [f"{f.name}: {f.value}" for f in request.fields if f.key in ("via", "from", "call-id", "cseq")]
    to = request.get("to") or ""
    to = to if request.to_tag or code == 100 else f"{to};tag={tag}"
    content = ["Content-Type: application/sdp"] if body else []
    lines = [f"SIP/2.0 {code} {reason}", *copied, f"To: {to}", *headers, *content, f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@dataclass
class Desk:
    """An agent with what it has put on record."""

    agent: Pjsua2Agent
    entries: list[Entry]
    changed: asyncio.Event

    @property
    def messages(self) -> list[Message]:
        return [e for e in self.entries if isinstance(e, Message)]

    def sent(self, code: int = 0, method: str = "") -> list[Message]:
        """Messages sent, with this code or method if one is given."""
        found = [m for m in self.messages if m.direction == "sent"]
        if code:
            return [m for m in found if sip.parse(m.data).code == code]
        return [m for m in found if not method or sip.parse(m.data).method == method]

    def notes(self, kind: str) -> list[Note]:
        return [e for e in self.entries if isinstance(e, Note) and e.kind == kind]

    async def has_sent(self, code: int) -> Message:
        """The first response with this code, once it is on record: the wire is faster."""
        found = await self.until(lambda e: code_of(e) == code and isinstance(e, Message) and e.direction == "sent")
        assert isinstance(found, Message)
        return found

    async def has_noted(self, kind: str) -> Note:
        """The first note of this kind, once it is there."""
        found = await self.until(lambda e: isinstance(e, Note) and e.kind == kind)
        assert isinstance(found, Note)
        return found

    async def until(self, wanted: Callable[[Entry], bool]) -> Entry:
        """The first entry that is wanted, now or later."""
        async with asyncio.timeout(DEADLINE):
            while True:
                self.changed.clear()
                if found := next((e for e in self.entries if wanted(e)), None):
                    return found
                await self.changed.wait()


def desk(pool: Pool, assignment: Assignment) -> Desk:
    """An agent that is not started yet."""
    entries: list[Entry] = []
    changed = asyncio.Event()

    def emit(entry: Entry) -> None:
        entries.append(entry)
        changed.set()

    return Desk(Pjsua2Agent(assignment, emit, pool), entries, changed)


@asynccontextmanager
async def a_desk(pool: Pool, assignment: Assignment) -> AsyncIterator[Desk]:
    """An agent in its place; stopped afterwards."""
    made = desk(pool, assignment)
    await made.agent.start()
    try:
        yield made
    finally:
        await made.agent.stop()


@asynccontextmanager
async def a_pool(size: int = 1, **options: str) -> AsyncIterator[Pool]:
    """A pool that is closed afterwards."""
    pool = Pool(size, **options)  # type: ignore[arg-type]
    try:
        yield pool
    finally:
        await pool.close()


def device(system: Address, *attempts: tuple[Step, ...], name: str = "desk", **options: object) -> Assignment:
    """A device that answers so."""
    user = options.pop("user", User(name, "test.example"))
    assert isinstance(user, User)
    return Assignment(name, "device", user, f"{name}-tx1", system, "tx1", Script(attempts), **options)  # type: ignore[arg-type]


def caller(system: Address, name: str = "alice", **options: object) -> Assignment:
    """A caller."""
    user = options.pop("user", User(name, "test.example"))
    assert isinstance(user, User)
    return Assignment(name, "caller", user, f"{name}-tx1", system, "tx1", **options)  # type: ignore[arg-type]


def code_of(entry: Entry) -> int:
    """Status code of a message; 0 for anything else."""
    if not isinstance(entry, Message):
        return 0
    match = re.match(rb"SIP/2.0 (\d+)", entry.data)
    return int(match[1]) if match else 0


OK = Send(200, "OK")
BUSY = Send(486, "Busy Here")
RINGING = Send(180, "Ringing")
