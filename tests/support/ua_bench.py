"""A user agent on a bench: its transport is a list, its time is virtual, and the test is its peer."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sip_harness.endpoint.request import Credentials
from sip_harness.endpoint.server import Server
from sip_harness.endpoint.ua import Identity, UserAgent
from sip_harness.model.entry import Address, Origin
from sip_harness.net.base import Disconnection, Hop, OnLost, Port, Receiver, SendFailed
from sip_harness.net.clock import Clock
from sip_harness.sip.message import Message, build, parse

PEER: Address = ("192.0.2.9", 5060)
LOCAL: Address = ("192.0.2.1", 5070)


@dataclass(frozen=True)
class Sent:
    """What the user agent sent."""

    at: float
    message: Message
    remote: Address
    origin: Origin
    pieces: tuple[int, ...] = ()
    port: Port = "own"

    @property
    def name(self) -> str:
        """Method or code."""
        return self.message.method or str(self.message.code)


class ListTransport:
    """Implements `net.base.Transport` without a network."""

    name = "UDP"

    def __init__(self, clock: Clock, receive: Receiver, *, reliable: bool = False) -> None:
        self.reliable = reliable
        self.public = ""
        self.local = LOCAL
        self.sent: list[Sent] = []
        self.broken = False
        self.closed = False
        self.disconnected: Disconnection | None = None
        self.gone: set[Address] = set()
        """Peers whose connection has ended."""
        self.on_lost: OnLost | None = None
        """Whom to tell that what was sent last did not leave."""
        self.receive = receive
        self._clock = clock
        self._begin = clock.now()

    def send(
        self,
        data: bytes,
        remote: Address,
        origin: Origin,
        *,
        pieces: Sequence[int] = (),
        port: Port = "own",
        on_lost: OnLost | None = None,
    ) -> None:
        if self.broken:
            raise SendFailed("the cable is cut")
        self.sent.append(Sent(self._clock.now() - self._begin, parse(data), remote, origin, tuple(pieces), port))
        self.on_lost = on_lost

    def allows(self, remote: Address) -> bool:
        return True

    def reaches(self, remote: Address) -> bool:
        return remote not in self.gone

    def ping(self, remote: Address) -> None:
        """No message."""

    def disconnect(self, kind: Disconnection, remote: Address | None = None) -> None:
        self.disconnected = kind

    def close(self) -> None:
        self.closed = True


class Bench:
    """The user agent, and its peer's hands."""

    def __init__(
        self,
        *,
        password: str = "",
        on_invite: Callable[[Server], None] | None = None,
        reliable: bool = False,
    ) -> None:
        self.clock = Clock(asyncio.get_running_loop())
        self.unsent: list[str] = []
        transports: list[ListTransport] = []

        def open_transport(receive: Receiver) -> ListTransport:
            transports.append(ListTransport(self.clock, receive, reliable=reliable))
            return transports[0]

        identity = Identity("sip:alice@a.test", "alice-c", Credentials("alice", password), "tok7")
        self.ua = UserAgent(self.clock, open_transport, identity, on_invite=on_invite, on_unsent=self.unsent.append)
        self.wire = transports[0]
        self.hop = Hop(self.wire, PEER)
        self._taken = 0
        self._numbers = itertools.count(1)

    async def advance(self, seconds: float) -> None:
        """Let virtual time pass."""
        passed = asyncio.Event()
        self.clock.after(seconds, passed.set)
        await passed.wait()

    async def settle(self) -> None:
        """Let everything happen that is due now."""
        await self.advance(0.0)
        await self.advance(0.0)

    def take(self) -> Sent:
        """The next message that was sent."""
        assert self._taken < len(self.wire.sent), f"nothing more was sent after {self.names}"
        self._taken += 1
        return self.wire.sent[self._taken - 1]

    def take_all(self) -> list[Sent]:
        """All that was sent since."""
        left = self.wire.sent[self._taken :]
        self._taken = len(self.wire.sent)
        return left

    def is_quiet(self) -> bool:
        """Whether everything sent has been taken."""
        return self._taken == len(self.wire.sent)

    @property
    def names(self) -> list[str]:
        """Methods and codes of everything sent so far."""
        return [sent.name for sent in self.wire.sent]

    def feed(self, data: bytes, source: Address = PEER) -> Message:
        """Something arrives."""
        message = parse(data)
        self.wire.receive(message, Hop(self.wire, source))
        return message

    def answer(
        self, request: Message, code: int, *headers: tuple[str, str], tag: str = "peer", body: bytes = b""
    ) -> Message:
        """A response to a request of the user agent arrives."""
        to = request.get("to") or ""
        copied = [(n, request.get(n) or "") for n in ("Via", "From", "Call-ID", "CSeq")]
        to = to if code == 100 or request.to_tag or not tag else f"{to};tag={tag}"
        return self.feed(build(f"SIP/2.0 {code} Word", [*copied, ("To", to), *headers], body))

    def ask(
        self,
        method: str,
        *headers: tuple[str, str],
        call_id: str = "call-1",
        to_tag: str = "",
        from_tag: str = "far",
        seq: int = 1,
        branch: str = "",
        body: bytes = b"",
        source: Address = PEER,
        via: str = "",
    ) -> Message:
        """A request of the peer arrives."""
        branch = branch or f"z9hG4bKp{next(self._numbers)}"
        to = "<sip:alice@a.test>" + (f";tag={to_tag}" if to_tag else "")
        own = [
            ("Via", via or f"SIP/2.0/UDP 192.0.2.9:5060;branch={branch}"),
            ("From", f"<sip:bob@b.test>;tag={from_tag}"),
            ("To", to),
            ("Call-ID", call_id),
            ("CSeq", f"{seq} {method}"),
        ]
        return self.feed(build(f"{method} sip:alice-c@192.0.2.1:5070 SIP/2.0", [*own, *headers], body), source)
