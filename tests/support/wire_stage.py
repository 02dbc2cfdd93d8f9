"""Wire agents on a stage: they call each other or a raw peer; what they record is relayed and can be waited for."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from sip_harness.agents.base import Assignment
from sip_harness.agents.wire import WireAgent
from sip_harness.model.entry import Address, Entry, Lag, Malformed, Note
from sip_harness.model.entry import Message as MessageEntry
from sip_harness.model.script import Loss, Reaction, Script
from sip_harness.model.steps import Step
from sip_harness.model.system import User
from sip_harness.script.machine import ACKED
from sip_harness.sip.message import MalformedMessage, Message, build, parse
from sip_harness.sip.transaction_tables import Timers

LIMIT = 20.0
FAST = Timers(t1=0.05, t2=0.2, t4=0.2)
TOKEN = "s1x1"


def script(*attempts: tuple[Step, ...]) -> Script:
    """A script from the steps of each attempt."""
    return Script(attempts)


@dataclass
class Stage:
    """Agents and what they recorded."""

    entries: list[Entry] = field(default_factory=list)
    agents: list[WireAgent] = field(default_factory=list)
    relays: dict[str, str] = field(default_factory=dict)
    """Events to tell the agents: `agent sends|gets METHOD|code` as a ladder names it, to the name of the event."""
    _count: Counter[str] = field(default_factory=Counter)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def emit(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._changed.set()
        if isinstance(entry, MessageEntry):
            line = _line(entry)
            self._count[line] += 1
            if event := self.relays.get(line):
                for agent in self.agents:
                    agent.happened(event)

    def device(
        self,
        name: str,
        *attempts: tuple[Step, ...],
        timers: Timers | None = None,
        on: Mapping[str, Sequence[tuple[Step, ...]]] | None = None,
        lose: tuple[Loss, ...] = (),
        media: bool = False,
    ) -> WireAgent:
        """A device that is called directly; `on` are its reactions by method, each by number of the request."""
        reactions = tuple(Reaction(method, tuple(steps)) for method, steps in (on or {}).items())
        assignment = Assignment(
            name, "device", User(name, "x.test"), f"{TOKEN}{name}", ("127.0.0.1", 9), TOKEN,
            Script(attempts, reactions, lose), media=media,
        )  # fmt: skip
        return self.add(assignment, timers)

    def caller(
        self,
        system: Address,
        *,
        name: str = "alice",
        password: str = "",
        patience: float = LIMIT,
        timers: Timers | None = None,
    ) -> WireAgent:
        """A caller whose system is this address."""
        user = User(name, "x.test", password)
        return self.add(Assignment(name, "caller", user, f"{TOKEN}{name}", system, TOKEN, patience=patience), timers)

    def add(self, assignment: Assignment, timers: Timers | None = None) -> WireAgent:
        agent = WireAgent(assignment, self.emit, timers=timers)
        self.agents.append(agent)
        return agent

    async def until(self, check: Callable[[], bool]) -> None:
        """Wait until something recorded makes this true."""
        try:
            async with asyncio.timeout(LIMIT):
                while not check():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError("\n".join(["waited in vain after:", *self.ladder()])) from None

    async def see(self, *lines: str) -> None:
        """Wait until these lines are in the ladder, each as often as it is named."""
        wanted = Counter(lines)
        await self.until(lambda: all(self._count[line] >= count for line, count in wanted.items()))

    def ladder(self, agent: str = "") -> list[str]:
        """Every message in time order: `alice sends INVITE`, `alice gets 486`, `desk sends 200 to BYE`."""
        return [_line(m) for m in self.messages(agent)]

    def messages(self, agent: str = "") -> list[MessageEntry]:
        found = [e for e in self.entries if isinstance(e, MessageEntry) and (not agent or e.agent == agent)]
        return sorted(found, key=lambda m: m.time)

    def message(self, line: str, index: int = 0) -> Message:
        """The message of this line of the ladder."""
        return parse(self.entry(line, index).data)

    def entry(self, line: str, index: int = 0) -> MessageEntry:
        return [m for m in self.messages() if _line(m) == line][index]

    def notes(self, kind: str) -> list[Note]:
        return [e for e in self.entries if isinstance(e, Note) and e.kind == kind]

    def others(self) -> list[Entry]:
        """Entries that are neither messages, notes, nor the lateness of a busy machine."""
        return [e for e in self.entries if not isinstance(e, MessageEntry | Note | Lag)]


def _line(entry: MessageEntry) -> str:
    message = parse(entry.data)
    verb = "sends" if entry.direction == "sent" else "gets"
    method = message.cseq[1]
    what = message.method or (str(message.code) if method == "INVITE" else f"{message.code} to {method}")
    return f"{entry.agent} {verb} {what}"


@contextlib.asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """A stage whose agents are stopped at the end; nothing malformed may have been seen."""
    here = Stage()
    try:
        yield here
    finally:
        await asyncio.gather(*(agent.stop() for agent in reversed(here.agents)))
    assert not [e for e in here.others() if isinstance(e, Malformed) and e.direction == "received"]


def relay_acked(here: Stage, *devices: str) -> None:
    """Tell the agents when a device gets the ACK to its 2xx, as a run does; only for scripts that answer."""
    for device in devices:
        here.relays[f"{device} gets ACK"] = ACKED


class Peer(asyncio.DatagramProtocol):
    """A raw socket: every message is written by the test."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[tuple[Message, Address]] = asyncio.Queue()
        self.raw: list[bytes] = []
        """Every datagram that came, SIP or not."""
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.raw.append(data)
        with contextlib.suppress(MalformedMessage):
            self.inbox.put_nowait((parse(data), addr))

    @property
    def address(self) -> Address:
        host, port = self.transport.get_extra_info("sockname")
        return host, port

    async def get(self, method: str = "") -> Message:
        """The next message; must be this request if a method is given."""
        async with asyncio.timeout(LIMIT):
            message, self.source = await self.inbox.get()
        assert not method or message.method == method, message.start
        return message

    async def find(self, method: str) -> Message:
        """The next request of this method, whatever comes before it."""
        while (message := await self.get()).method != method:
            pass
        return message

    def answer(
        self, request: Message, code: int, *headers: tuple[str, str], tag: str = "peer", reason: str = "Word"
    ) -> None:
        """Answer where the last message came from."""
        to = request.get("to") or ""
        to = to if request.to_tag or code == 100 else f"{to};tag={tag}"
        copied = [(n, request.get(n) or "") for n in ("Via", "From", "Call-ID", "CSeq")]
        self.transport.sendto(build(f"SIP/2.0 {code} {reason}", [*copied, ("To", to), *headers]), self.source)

    def ask(
        self,
        to: Address,
        method: str,
        *headers: tuple[str, str],
        branch: str = "",
        to_tag: str = "",
        from_tag: str = "peer",
        call_id: str = "peer-call",
        seq: int = 1,
    ) -> None:
        """Send a request."""
        branch = branch or f"z9hG4bK{secrets.token_hex(6)}"
        host, port = self.address
        own = [
            ("Via", f"SIP/2.0/UDP {host}:{port};branch={branch}"),
            ("From", f"<sip:peer@x.test>;tag={from_tag}"),
            ("To", "<sip:desk@x.test>" + (f";tag={to_tag}" if to_tag else "")),
            ("Call-ID", call_id),
            ("CSeq", f"{seq} {method}"),
            ("Contact", f"<sip:peer@{host}:{port}>"),
        ]
        self.transport.sendto(build(f"{method} sip:desk@{to[0]}:{to[1]} SIP/2.0", [*own, *headers]), to)


@contextlib.asynccontextmanager
async def peer() -> AsyncIterator[Peer]:
    """A raw peer on a free port."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(Peer, local_addr=("127.0.0.1", 0))
    try:
        yield protocol
    finally:
        transport.close()
