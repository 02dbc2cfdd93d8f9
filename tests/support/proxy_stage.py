"""The reference proxy on a stage without sockets and without waiting: scripted peers, a network and a clock made up."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from sip_harness.endpoint import build
from sip_harness.model.entry import Address
from sip_harness.net.base import Hop, Transport
from sip_harness.net.clock import Clock
from sip_harness.sip.message import Message, parse
from sip_harness.sip.transaction import ack_for_failure, cancel_for
from sip_harness.sip.uri import uri_text
from sip_harness.systems.reference.actions import Target
from sip_harness.systems.reference.forward import readable
from sip_harness.systems.reference.proxy import Proxy
from sip_harness.systems.reference.settings import Settings

HERE = ("127.0.0.1", 5060)
DELAY = 0.001
"""Seconds that a message is under way."""
Step = int | float | tuple[int, dict[str, str]]
"""A code, seconds to wait (a float), or a code with headers; a header `body` is the body."""


class _Timer:
    def __init__(self, when: float) -> None:
        self.when = when
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class VirtualClock:
    """A clock, and the little that is asked of its loop; time passes in `run` only."""

    def __init__(self) -> None:
        self.loop = self
        self._time = 0.0
        self._due: list[tuple[float, int, _Timer, Callable[[], None]]] = []
        self._count = itertools.count()

    def now(self) -> float:
        return self._time

    def at(self, when: float, call: Callable[[], None]) -> _Timer:
        timer = _Timer(when)
        heapq.heappush(self._due, (when, next(self._count), timer, call))
        return timer

    def after(self, delay: float, call: Callable[[], None]) -> _Timer:
        return self.at(self._time + delay, call)

    def call_soon(self, call: Callable[..., None], *arguments: object) -> None:
        self.after(0, partial(call, *arguments))

    def run(self, seconds: float) -> None:
        end = self._time + seconds
        while self._due and self._due[0][0] <= end:
            when, _, timer, call = heapq.heappop(self._due)
            self._time = max(when, self._time)
            if not timer.cancelled:
                call()
        self._time = end


class Wire:
    """A transport of the proxy whose other end is the stage."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.name = name
        self.reliable = name != "UDP"
        self.local = HERE
        self.public = ""
        self.disconnected = None
        self._stage = stage

    def send(
        self,
        data: bytes,
        remote: Address,
        _origin: str,
        *,
        on_lost: Callable[[str], None] | None = None,
        **_how: object,
    ) -> None:
        if remote in self._stage.closed and on_lost is not None:
            self._stage.clock.after(DELAY, lambda: on_lost("nobody listens there"))
        self._stage.carry(data, remote)

    def reaches(self, _remote: Address) -> bool:
        return True


class Peer:
    """Somebody on the wire; `heard` are all messages that came, with their times."""

    def __init__(self, stage: Stage, name: str, transport: str = "udp") -> None:
        self.stage = stage
        self.name = name
        self.address: Address = ("127.0.0.1", 6000 + len(stage.peers))
        self.wire = stage.wires[transport]
        self.heard: list[tuple[float, Message]] = []
        stage.peers[self.address] = self

    @property
    def got(self) -> list[str]:
        """What came, by method or code, retransmissions included."""
        return [message.method or str(message.code) for _, message in self.heard]

    def messages(self, what: str) -> list[Message]:
        return [message for _, message in self.heard if what == (message.method or str(message.code))]

    def times(self, what: str) -> list[float]:
        return [round(at, 2) for at, message in self.heard if what == (message.method or str(message.code))]

    def send(self, data: bytes) -> None:
        hop = Hop(cast(Transport, self.wire), self.address)
        self.stage.clock.after(DELAY, lambda: self.stage.proxy.receive(parse(data), hop))

    def hear(self, message: Message) -> None:
        self.heard.append((self.stage.clock.now(), message))


class Phone(Peer):
    """Answers an INVITE step by step, a CANCEL with `cancel` (200 is to the CANCEL, all else to the INVITE)."""

    def __init__(self, stage: Stage, name: str, steps: list[Step], cancel: list[Step], transport: str = "udp") -> None:
        super().__init__(stage, name, transport)
        self.steps = {"INVITE": steps, "CANCEL": cancel}
        self._ended: set[str] = set()
        self._invite: Message | None = None

    @property
    def uri(self) -> str:
        return build.contact_uri(self.name, cast(Transport, _At(self.wire.name, self.address)))

    def hear(self, message: Message) -> None:
        again = message.is_request and any(m.data == message.data for _, m in self.heard)
        super().hear(message)
        if message.is_request and message.method != "ACK" and not again:
            if message.method == "INVITE":
                self._invite = message
            self.play(message, self.steps.get(message.method, [200]))

    def play(self, request: Message, steps: list[Step]) -> None:
        at = 0.0
        for step in steps:
            if isinstance(step, float):
                at += step
                continue
            code, headers = step if isinstance(step, tuple) else (step, {})
            about = self._invite if request.method == "CANCEL" and code != 200 else request
            assert about is not None
            self.stage.clock.after(at, partial(self.answer, about, code, headers))

    def answer(self, request: Message, code: int, headers: dict[str, str]) -> None:
        if request.method == "INVITE" and request.branch in self._ended and not headers.get("again"):
            return  # it has answered this one
        if code >= 200 and request.method == "INVITE":
            self._ended.add(request.branch)
        more = [(name, text) for name, text in headers.items() if name not in ("body", "tag", "again")]
        own = [("Contact", f"<{self.uri}>")] if request.method == "INVITE" and code < 300 else []
        data = build.response(
            request,
            code,
            "As Told",
            source=HERE,
            tag=headers.get("tag", f"{self.name}-tag"),
            own=own,
            headers=more,
            body=headers.get("body", "").encode(),
        )
        self.send(data)


class _At:
    def __init__(self, name: str, local: Address) -> None:
        self.name = name
        self.local = local
        self.public = ""


class Caller(Peer):
    """Sends requests, acknowledges every failure."""

    def __init__(self, stage: Stage, name: str, transport: str = "udp") -> None:
        super().__init__(stage, name, transport)
        self.requests: dict[str, Message] = {}
        self._count = itertools.count(1)

    def request(self, method: str, uri: str, to: str = "", **headers: str) -> Message:
        """Send a request outside of a dialog."""
        number = next(self._count)
        more = [(name.replace("_", "-"), value) for name, value in headers.items()]
        data = build.request(
            method,
            uri,
            via=f"SIP/2.0/{self.wire.name} {self.address[0]}:{self.address[1]};rport;branch=z9hG4bK{self.name}{number}",
            sender=f"<sip:{self.name}@x>;tag={self.name}",
            to=to or f"<{uri}>",
            call_id=f"call-{number}",
            cseq=1,
            headers=more,
        )
        sent = parse(data)
        self.requests[sent.branch] = sent
        self.send(data)
        return sent

    def cancel(self, invite: Message) -> None:
        self.send(cancel_for(invite))

    def hear(self, message: Message) -> None:
        super().hear(message)
        invite = self.requests.get(message.branch)
        if message.code >= 300 and invite is not None and message.cseq[1] == "INVITE":
            self.send(ack_for_failure(invite, message))

    @property
    def finals(self) -> list[int]:
        """Codes of all final responses to INVITE, each once per To tag."""
        seen = {(m.code, m.to_tag): m.code for _, m in self.heard if m.code >= 200 and m.cseq[1] == "INVITE"}
        return list(seen.values())


class Stage:
    """The proxy with everybody around it; `bob` is who is dialled."""

    def __init__(self, *faults: str, **settings: Any) -> None:
        self.clock = VirtualClock()
        self.lines: list[str] = []
        self.settings = Settings(faults=frozenset(faults), **settings)
        self.proxy = Proxy(cast(Clock, self.clock), self.settings, self.lines.append)
        self.wires = {"udp": Wire(self, "UDP"), "tcp": Wire(self, "TCP")}
        self.proxy.core.transports = cast(dict[str, Transport], self.wires)
        self.peers: dict[Address, Peer] = {}
        self.closed: set[Address] = set()
        """Where nobody listens: UDP is answered by ICMP, TCP refused."""
        self.alice = Caller(self, "alice")
        self.bob = f"sip:bob@{HERE[0]}:{HERE[1]}"

    def carry(self, data: bytes, remote: Address) -> None:
        """From the proxy to whoever is there; to itself, too."""
        if remote == HERE:
            hop = Hop(cast(Transport, self.wires["udp"]), HERE)
            self.clock.after(DELAY, lambda: self.proxy.receive(parse(data), hop))
        elif remote in self.peers and remote not in self.closed:
            self.clock.after(DELAY, lambda: self.peers[remote].hear(parse(data)))

    def register(self, uri: str, *, expires: int = 300, q: float = 1.0, **headers: str) -> Message:
        contact = f"<{uri}>;q={q:g};expires={expires}"
        domain = f"sip:{HERE[0]}:{HERE[1]}"
        request = self.alice.request("REGISTER", domain, to=f"<{self.bob}>", Contact=contact, **headers)
        self.run(0.01)
        return request

    def phone(
        self, name: str, *steps: Step, q: float = 1.0, cancel: tuple[Step, ...] = (200, 487), transport: str = "udp"
    ) -> Phone:
        """A registered device."""
        phone = Phone(self, name, list(steps), list(cancel), transport)
        self.register(phone.uri, q=q)
        return phone

    def carrier(self, name: str, *steps: Step, q: float = 1.0) -> Phone:
        phone = Phone(self, name, list(steps), [200, 487])
        self.proxy.core.router.add("bob", [Target(phone.uri, q, name)])
        return phone

    def call(self, seconds: float = 10.0, **headers: str) -> Message:
        """Alice calls bob; time passes."""
        invite = self.alice.request("INVITE", self.bob, Contact="<sip:alice@127.0.0.1:6000>", **headers)
        self.run(seconds)
        return invite

    def run(self, seconds: float) -> None:
        self.clock.run(seconds)

    def ack_answer(self, answer: Message) -> None:
        """Alice acknowledges a 2xx by its route set (RFC 3261 13.2.2.4)."""
        self.within("ACK", answer)

    def within(self, method: str, answer: Message, *headers: tuple[str, str]) -> None:
        """A request of the dialog that this 2xx has set up."""
        routes = list(reversed(answer.all("record-route")))
        target = uri_text(answer.get("contact") or "")
        hop = readable(uri_text(routes[0])) if routes else None
        data = build.request(
            method,
            target,
            via=f"SIP/2.0/UDP 127.0.0.1:{self.alice.address[1]};branch=z9hG4bK{method}{answer.to_tag}",
            sender=answer.get("from") or "",
            to=answer.get("to") or "",
            call_id=answer.call_id,
            cseq=1 if method == "ACK" else 2,
            headers=[*(("Route", route) for route in routes), *headers],
        )
        if hop is not None:
            self.alice.send(data)
        else:
            address = readable(target)
            assert address is not None
            self.carry(data, (address.host, address.port or 5060))
