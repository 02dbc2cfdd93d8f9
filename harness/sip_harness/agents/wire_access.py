"""The transport of a wire agent, and what stands between it and the user agent: the guard, the ears that a script makes
deaf, the door that turns outsiders away, and the flow to a system that is elsewhere."""

from __future__ import annotations

from collections.abc import Callable

from sip_harness.agents.base import Assignment, SetupRefused
from sip_harness.agents.wire_flow import Flow
from sip_harness.endpoint.deafness import Ears
from sip_harness.endpoint.door import Door
from sip_harness.endpoint.ua import UserAgent
from sip_harness.model.entry import Address
from sip_harness.model.gate import Gate as Guard
from sip_harness.model.script import Loss
from sip_harness.net.base import Hop, Receiver, Recorder, SendFailed
from sip_harness.net.clock import Clock
from sip_harness.net.opening import open_transport
from sip_harness.net.stream import StreamTransport
from sip_harness.net.tls import TlsFiles
from sip_harness.net.udp import UdpSocket
from sip_harness.record.outsiders import Outsiders
from sip_harness.sip.message import Message


class Access:
    """How one wire agent gets to the system, and what gets to it."""

    def __init__(self, assignment: Assignment, host: str) -> None:
        """Nothing is opened yet. `host` is the local address."""
        self._assignment = assignment
        self._host = host
        self._flow: Flow | None = None
        self._ears: Ears | None = None
        self.guard = _guard_of(assignment, host)
        """What vets all that is sent; None for a system of ours."""

    def open(
        self, clock: Clock, record: Recorder, on_missed: Callable[[Message], None], receive: Receiver
    ) -> UdpSocket | StreamTransport:
        """Bind where the assignment says; `receive` gets what nobody here keeps back, `on_missed` what the script is
        deaf to. Raises SetupRefused."""
        assignment = self._assignment
        inside = receive if assignment.open_to_all else self._door(receive).receive
        losses = assignment.script.losses if assignment.script else ()
        ears = self._ears = Ears(losses, record, inside, on_missed)
        host, port = bind = assignment.listen or (self._host, 0)
        try:
            return open_transport(
                assignment.transport,
                clock,
                bind,
                agent=assignment.name,
                record=ears.record,
                receive=ears.receive if self.guard is None else self._heeding(ears.receive),
                guard=self.may_contact,
                vet=self.guard.refusal if self.guard is not None else None,
                tls=TlsFiles(assignment.trust, assignment.certificate, assignment.certified),
            )
        except OSError as error:
            where, name = f"port {port}" if port else "a port", assignment.transport.upper()
            raise SetupRefused(f"{assignment.name}: cannot open {where} on {host} by {name}: {error}") from error

    def may_contact(self, address: Address) -> bool:
        """Only hosts that the run knows: a Contact or Via from the network must not aim us elsewhere."""
        if self.guard is not None:
            return self.guard.may_contact(address[0])
        return address[0] in (self._assignment.system[0], self._host)

    def listen(self, losses: tuple[Loss, ...]) -> None:
        """Be deaf to these from now on, instead of what it was."""
        if self._ears is not None:
            self._ears.listen(losses)

    def find_way(self, ua: UserAgent, on_moved: Callable[[str], None]) -> None:
        """From now on heed where the system sees us; `on_moved` is told. On loopback there is nothing to heed."""
        if self.guard is not None:
            hop = Hop(ua.transport, self._assignment.system)
            self._flow = Flow(ua, hop, self.guard, on_moved, forwarded=bool(self._assignment.advertise))

    async def reach(self, ua: UserAgent) -> None:
        """Connect to the system, so that what is wrong with that is found before the call, and costs it no time. Raises
        SetupRefused."""
        if not isinstance(ua.transport, StreamTransport):
            return
        try:
            await ua.transport.reach(self._assignment.system)
        except SendFailed as error:
            raise SetupRefused(f"{self._assignment.name}: {error}") from error

    async def keep_way(self) -> None:
        """Keep the way open from now on; a caller behind a NAT that does not register asks first where it is seen."""
        if self._flow is None:
            return
        assignment = self._assignment
        if assignment.behind_nat and not assignment.register and assignment.kind == "caller":
            await self._flow.look()
        self._flow.keep()

    def leave(self) -> None:
        """Keep the way open no longer."""
        if self._flow is not None:
            self._flow.stop()

    def _door(self, inside: Receiver) -> Door:
        outsiders = Outsiders([self._assignment.system], self._assignment.token.rpartition("x")[0])
        return Door(inside, outsiders.wrote)

    def _heeding(self, inside: Receiver) -> Receiver:
        """The flow hears everything first: where we are seen counts for what is done about the message."""

        def receive(message: Message, hop: Hop) -> None:
            if self._flow is not None:
                self._flow.heard(message, hop)
            inside(message, hop)

        return receive


def _guard_of(assignment: Assignment, host: str) -> Guard | None:
    """The guard, if there is one; our own hosts may be named."""
    if assignment.guard is None:
        return None
    listen = assignment.listen[0] if assignment.listen is not None else host
    return Guard(assignment.guard, {name.lower() for name in (host, listen, assignment.advertise) if name})
