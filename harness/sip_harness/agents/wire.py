"""An agent on the wire stack: our own SIP endpoint, which sends exactly the bytes that the script asks for."""

from __future__ import annotations

import asyncio
import time
from typing import Literal

from sip_harness.agents.base import Assignment, Emit, SetupRefused
from sip_harness.agents.wire_caller import Outgoing
from sip_harness.agents.wire_device import Attempt
from sip_harness.agents.wire_parts import LiveCall
from sip_harness.endpoint.layer import Server
from sip_harness.endpoint.registration import Outcome, Refused, Registered, Registration
from sip_harness.endpoint.request import Credentials
from sip_harness.endpoint.ua import Identity, UserAgent
from sip_harness.model.entry import Address, Lag, Note
from sip_harness.model.scenario import Call
from sip_harness.net.base import Hop, Receiver
from sip_harness.net.clock import Clock
from sip_harness.net.udp import UdpSocket
from sip_harness.sip.transaction_tables import Timers

REGISTER_LIMIT = 2.0
"""Seconds that `start` waits for the registrar."""
STOP_LIMIT = 1.0
"""Seconds that `stop` waits for what is open to end."""


class WireAgent:
    """A device or a caller on UDP; implements `agents.base.Agent`."""

    def __init__(
        self, assignment: Assignment, emit: Emit, *, timers: Timers | None = None, host: str = "127.0.0.1"
    ) -> None:
        """Nothing is opened yet. `timers` are those of its transactions; it binds a free port of `host`."""
        self._assignment = assignment
        self._emit = emit
        self._timers = timers
        self._host = host
        self._happened: set[str] = set()
        self._calls: set[LiveCall] = set()
        self._open: set[LiveCall] = set()
        self._attempts = 0
        self._polling = False
        self._idle: asyncio.Event = asyncio.Event()
        self._ua: UserAgent | None = None
        self._local: Address | None = None
        self._registration: Registration | None = None

    @property
    def local(self) -> Address:
        """Its SIP address, known after `start`."""
        if self._local is None:
            raise RuntimeError(f"{self._assignment.name} is not started")
        return self._local

    @property
    def trace(self) -> Literal["full", "partial"]:
        """The record has every byte at its kernel receive time."""
        return "full"

    async def start(self) -> None:
        """Open, and register if assigned to. Raises SetupRefused with the reason."""
        assignment = self._assignment
        clock = Clock(asyncio.get_running_loop(), self._late)
        user = assignment.user
        identity = Identity(user.aor, assignment.contact, Credentials(user.name, user.password), assignment.token)
        on_invite = self._invited if assignment.kind == "device" else None

        def open_transport(receive: Receiver) -> UdpSocket:
            return UdpSocket(
                clock,
                (self._host, 0),
                agent=assignment.name,
                record=self._emit,
                receive=receive,
                guard=self._may_contact,
            )

        try:
            self._ua = UserAgent(
                clock, open_transport, identity, on_invite=on_invite, on_unsent=self._unsent, timers=self._timers
            )
        except OSError as error:
            raise SetupRefused(f"{assignment.name}: cannot open a UDP port on {self._host}: {error}") from error
        self._local = self._ua.transport.local
        if assignment.register:
            await self._register(self._ua)

    def call(self, call: Call, uri: str) -> None:
        """Make a call to this Request-URI; returns at once, everything else is seen in the record."""
        ua = self._ua
        if ua is None:
            raise RuntimeError(f"{self._assignment.name} is not started")
        outgoing = Outgoing(ua, call, uri, self._hop(ua), self._happened, self._assignment.patience, self)
        self._begin(outgoing)
        self.note("call", f"calls {uri}", {"call": call.name, "call_id": outgoing.call_id})

    def happened(self, event: str) -> None:
        """Tell the script that this event (by name) has happened in the present call. Each event is told once.

        Scripts go on in the next turn of the loop: an event is told while a message is still being handled.
        """
        self._happened.add(event)
        if self._ua is not None and not self._polling:
            self._polling = True
            self._ua.clock.loop.call_soon(self._poll)

    def forget(self) -> None:
        """Another call begins: nothing has happened in it yet."""
        self._happened.clear()

    async def stop(self) -> None:
        """End what is still open (CANCEL, BYE), unregister and close; bounded in time; never raises."""
        ua, self._ua = self._ua, None
        if ua is None:
            return
        ua.on_invite = None
        try:
            await asyncio.wait_for(self._end(ua), STOP_LIMIT)
        except TimeoutError:
            pass
        finally:
            for call in self._calls:
                call.stop()
            ua.close()

    def note(self, kind: str, text: str, data: dict[str, str] | None = None) -> None:
        """Record something that this agent did or found."""
        self._emit(Note(time.time_ns(), self._assignment.name, kind, text, data or {}))

    def _hop(self, ua: UserAgent) -> Hop:
        return Hop(ua.transport, self._assignment.system)

    def _may_contact(self, address: Address) -> bool:
        """Only hosts that the run knows: a Contact or Via from the network must not aim us elsewhere."""
        return address[0] in (self._assignment.system[0], self._host)

    def over(self, call: LiveCall) -> None:
        """From a call: nothing of it is left on the wire; its script may still have something to send."""
        self._open.discard(call)
        if call.done:
            self._calls.discard(call)
        if not self._open:
            self._idle.set()

    def _begin(self, call: Attempt | Outgoing) -> None:
        self._calls.add(call)
        self._open.add(call)

    def _poll(self) -> None:
        self._polling = False
        if self._ua is None:
            return
        for call in list(self._calls):
            call.poll()

    def _invited(self, server: Server) -> None:
        """A new out-of-dialog INVITE transaction is an attempt."""
        script = self._assignment.script
        ua = self._ua
        if ua is None or script is None:
            return
        number, self._attempts = self._attempts, self._attempts + 1
        attempt = Attempt(ua, server, script.steps(number), number, self._happened, self)
        self._begin(attempt)
        attempt.begin()

    async def _register(self, ua: UserAgent) -> None:
        assignment = self._assignment
        first: asyncio.Future[Outcome] = ua.clock.loop.create_future()

        def on_outcome(outcome: Outcome) -> None:
            if isinstance(outcome, Registered):
                data = {"aor": assignment.user.aor, "expires": str(outcome.expires)}
                self.note("registered", f"registered for {outcome.expires} s", data)
            elif first.done():
                self.note("refused", self._refusal(outcome))
            if not first.done():
                first.set_result(outcome)

        registrar = f"sip:{assignment.user.domain}"
        self._registration = Registration(ua, self._hop(ua), registrar, assignment.expires, on_outcome)
        self._registration.register()
        try:
            outcome = await asyncio.wait_for(first, REGISTER_LIMIT)
        except TimeoutError:
            outcome = Refused(0, "timeout")
        if isinstance(outcome, Refused):
            self._ua = None
            ua.close()
            raise SetupRefused(f"{assignment.name}: {self._refusal(outcome)}")

    def _refusal(self, outcome: Refused) -> str:
        host, port = self._assignment.system
        if outcome.code:
            return f"REGISTER refused: {outcome.code} {outcome.reason}"
        if outcome.reason == "timeout":
            return f"no answer to REGISTER from {host}:{port} within {REGISTER_LIMIT:g} s"
        return f"REGISTER could not be sent to {host}:{port}"

    async def _end(self, ua: UserAgent) -> None:
        """End what is open and unregister, both at once."""
        unregistered = asyncio.Event()
        if self._registration is None:
            unregistered.set()
        else:
            self._registration.unregister(unregistered.set)
        for call in list(self._calls):
            call.end()
        if self._open:
            self._idle.clear()
            await self._idle.wait()
        await unregistered.wait()

    def _late(self, lag: int) -> None:
        self._emit(Lag(time.time_ns(), self._assignment.name, lag))

    def _unsent(self, why: str) -> None:
        self.note("refused", why)
