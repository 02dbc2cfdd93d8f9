"""An agent on the wire stack: our own SIP endpoint, which sends exactly the bytes that the script asks for."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Literal

from sip_harness.agents.base import Assignment, Emit, SetupRefused
from sip_harness.agents.leftovers import Leftovers
from sip_harness.agents.wills import Will, Wills
from sip_harness.agents.wire_caller import Outgoing, place_call
from sip_harness.agents.wire_device import Attempt
from sip_harness.agents.wire_flow import Flow
from sip_harness.agents.wire_gate import Gate
from sip_harness.agents.wire_parts import LiveCall
from sip_harness.agents.wire_reactions import Reacting, Reactions, take_leave
from sip_harness.endpoint.deafness import Ears
from sip_harness.endpoint.door import Door
from sip_harness.endpoint.media import Media, OpenMedia
from sip_harness.endpoint.registration import Outcome, Refused, Registered, Registration
from sip_harness.endpoint.request import Credentials
from sip_harness.endpoint.transactions import Server
from sip_harness.endpoint.ua import Identity, UserAgent
from sip_harness.model.entry import Address, Lag, Malformed, Note
from sip_harness.model.entry import Message as MessageEntry
from sip_harness.model.gate import Gate as Guard
from sip_harness.model.scenario import Call, Listens
from sip_harness.model.script import Script
from sip_harness.net.base import Disconnection, Hop, Receiver, SendFailed, host_port
from sip_harness.net.clock import Clock
from sip_harness.net.opening import open_transport
from sip_harness.net.stream import StreamTransport
from sip_harness.net.tls import TlsFiles
from sip_harness.net.udp import UdpSocket
from sip_harness.record.outsiders import Outsiders
from sip_harness.script.choice import Attempts
from sip_harness.sip.message import MalformedMessage, Message, parse
from sip_harness.sip.transaction_tables import Timers

REGISTER_LIMIT = 2.0
"""Seconds that `start` waits for the registrar."""
STOP_LIMIT = 1.0
"""Seconds that `stop` waits for what is open to end."""


class WireAgent:
    """A device or a caller on any transport; implements `agents.base.Agent`."""

    def __init__(
        self,
        assignment: Assignment,
        emit: Emit,
        *,
        timers: Timers | None = None,
        host: str = "",
        wills: Wills | None = None,
    ) -> None:
        """Nothing is opened yet. `timers` are those of its transactions; it binds a free port of `host`, by default
        the loopback address of the system's family. `wills` has what is to be sent should this process be killed."""
        self._assignment = assignment
        self._emit = emit
        self._timers = timers
        self._host = host or assignment.bind or ("::1" if ":" in assignment.system[0] else "127.0.0.1")
        self._guard = self._guarded()
        self._will = Will(wills, assignment, self._host) if wills is not None and self._guard is not None else None
        self._willing = False
        self._leftovers = Leftovers()
        self._recording = True
        self._flow: Flow | None = None
        self._happened: set[str] = set()
        self._calls: set[LiveCall] = set()
        self._open: set[LiveCall] = set()
        self._gate = Gate(assignment.user, assignment.names)
        self._attempts = Attempts(assignment.script or Script(()))
        self._polling = False
        self._cut = False
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
        """The record has every byte at its kernel receive time, TLS and WebSocket included: see `net.connection`."""
        return "full"

    async def start(self) -> None:
        """Open, and register if assigned to. Raises SetupRefused with the reason."""
        assignment = self._assignment
        self._gate.check(assignment.script or Script(()))
        clock = Clock(asyncio.get_running_loop(), self._late)
        user = assignment.user
        credentials = Credentials(user.auth or user.name, user.password, assignment.not_for)
        identity = Identity(user.aor, assignment.contact, credentials, assignment.token)
        on_invite = self._invited if assignment.kind == "device" else None

        def transport(receive: Receiver) -> UdpSocket | StreamTransport:
            inside = receive if assignment.open_to_all else self._door(receive).receive
            losses = assignment.script.losses if assignment.script else ()
            ears = self._ears = Ears(losses, self._record, inside, self._missed)
            return open_transport(
                assignment.transport,
                clock,
                assignment.listen or (self._host, 0),
                agent=assignment.name,
                record=ears.record,
                receive=ears.receive if self._guard is None else self._heeding(ears.receive),
                guard=self._may_contact,
                vet=self._guard.refusal if self._guard is not None else None,
                tls=TlsFiles(assignment.trust, assignment.certificate, assignment.certified),
            )

        try:
            self._ua = UserAgent(
                clock, transport, identity, on_invite=on_invite, on_unsent=self._unsent, on_lost=self._lost,
                timers=self._timers, media=self._media(clock),
            )  # fmt: skip
        except OSError as error:
            name = assignment.transport.upper()
            host, port = assignment.listen or (self._host, 0)
            where = f"port {port}" if port else "a port"
            raise SetupRefused(f"{assignment.name}: cannot open {where} on {host} by {name}: {error}") from error
        self._local = self._ua.transport.local
        self._ua.transport.public = assignment.advertise
        if self._guard is not None:
            self._flow = self._way(self._ua, self._guard)
        if assignment.script is not None:
            self._react(self._ua, assignment.script)
        if assignment.register or assignment.kind == "caller":
            await self._reach(self._ua)
        if assignment.register:
            await self._register(self._ua)
        if self._flow is not None:
            if assignment.behind_nat and not assignment.register and assignment.kind == "caller":
                await self._flow.look()
            self._flow.keep()
        self._shut(assignment.listens)

    def _shut(self, listens: Listens) -> None:
        """Close the port, or let nobody in and refuse nobody, as the scenario has it from the beginning."""
        if listens:
            self.disconnect("close" if listens == "closed" else "blackhole")
            words = "closes its port" if listens == "closed" else "lets nobody connect and refuses nobody"
            self.note("step", words, {"disconnect": listens})

    def call(self, call: Call, uri: str) -> None:
        """Make a call to this Request-URI; returns at once, everything else is seen in the record."""
        ua = self._ua
        if ua is None:
            raise RuntimeError(f"{self._assignment.name} is not started")
        script = call.script or self._assignment.script or Script(())
        self._react(ua, script)
        self._ears.listen(script.losses)
        outgoing = place_call(ua, call, uri, self._hop(ua), self._happened, self._assignment.patience, self)
        self._begin(outgoing)
        if outgoing.done:
            self.over(outgoing)
        data = {"call": call.name, "call_id": outgoing.call_id}
        if call.method != "INVITE":
            data["method"] = call.method
        what = f"sends {call.raw or call.method} to {uri}"
        self.note("call", f"calls {uri}" if call.method == "INVITE" and call.raw is None else what, data)

    def happened(self, event: str) -> None:
        """Tell the script that this event (by name) has happened in the present call. Each event is told once.

        Scripts go on in the next turn of the loop: an event is told while a message is still being handled.
        """
        self._happened.add(event)
        if self._ua is not None and not self._polling:
            self._polling = True
            self._ua.clock.loop.call_soon(self._poll)

    def answer(self, script: Script) -> None:
        """Answer as this script says from the next call on, counted anew. Raises SetupRefused, and changes nothing, if
        it has to ask for credentials that nobody has told."""
        if self._ua is None:
            raise RuntimeError(f"{self._assignment.name} is not started")
        self._gate.check(script)
        self._attempts = Attempts(script)
        self._react(self._ua, script)
        self._ears.listen(script.losses)

    def forget(self) -> None:
        """Another call begins: nothing has happened in it yet."""
        self._happened.clear()

    async def stop(self) -> None:
        """End what is still open (CANCEL, BYE), unregister and close; bounded in time; never raises."""
        ua, self._ua = self._ua, None
        if self._flow is not None:
            self._flow.stop()
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
            self._refuse_the_rest(ua)
            ua.close()
            if self._will is not None:
                self._will.revoke()

    def _refuse_the_rest(self, ua: UserAgent) -> None:
        """A shared system does not ask the next run for what it has asked us; it is no matter of this one."""
        self._recording = False
        for data, remote in self._leftovers.refusals() if self._assignment.leaves_nothing else ():
            with suppress(SendFailed):
                ua.transport.send(data, remote, "protocol")

    def _way(self, ua: UserAgent, guard: Guard) -> Flow:
        """The way to a system that is elsewhere; a connection that is lost is made anew with the next REGISTER."""

        def moved(where: str) -> None:
            self.note("nat", f"the system sees {self._assignment.name} at {where}", {"seen": where})

        def cut(remote: Address) -> None:
            if self._registration is not None and remote == self._assignment.system and not self._cut:
                self._registration.recover()

        if isinstance(ua.transport, StreamTransport):
            ua.transport.on_cut = cut
        return Flow(ua, self._hop(ua), guard, moved, forwarded=bool(self._assignment.advertise))

    def note(self, kind: str, text: str, data: dict[str, str] | None = None) -> None:
        """Record something that this agent did or found."""
        self._emit(Note(time.time_ns(), self._assignment.name, kind, text, data or {}))

    def _hop(self, ua: UserAgent) -> Hop:
        return Hop(ua.transport, self._assignment.system)

    def _may_contact(self, address: Address) -> bool:
        """Only hosts that the run knows: a Contact or Via from the network must not aim us elsewhere."""
        if self._guard is not None:
            return self._guard.may_contact(address[0])
        return address[0] in (self._assignment.system[0], self._host)

    def over(self, call: LiveCall) -> None:
        """From a call: nothing of it is left on the wire; its script may still have something to send."""
        self._open.discard(call)
        if call.done:
            self._calls.discard(call)
        if not self._open:
            self._idle.set()

    def reopened(self, call: LiveCall) -> None:
        """From a call: its script has answered once more after it was over."""
        self._begin(call)

    def disconnect(self, kind: Disconnection) -> None:
        """From a script: break the transport."""
        if self._ua is None:
            return
        self._cut = True
        try:
            self._ua.transport.disconnect(kind)
        except SendFailed as error:
            self.note("refused", f"{kind}: {error}")

    def unregister(self) -> None:
        """From a script: take the contact back."""
        if self._registration is not None:
            self._registration.unregister(lambda: None)

    @property
    def busy(self) -> bool:
        """Whether its script still sends something at a time of its own, whatever happens until then."""
        if self._ua is None:
            return False
        return self._ua.layer.scheduled or any(call.busy for call in self._calls)

    def _call_of(self, request: Message) -> Attempt | Outgoing | Reacting | None:
        """The call that a request belongs to, if its script may still do something about it."""
        found = (c for c in self._calls if isinstance(c, Attempt | Outgoing | Reacting) and c.is_within(request))
        return next(found, None)

    def _record(self, entry: MessageEntry | Malformed) -> None:
        """Record what crossed the wire. Bytes of a script that are no SIP message are kept apart from messages."""
        if isinstance(entry, MessageEntry) and entry.direction == "sent" and entry.origin == "script":
            try:
                parse(entry.data)
            except MalformedMessage as error:
                why = f"sent by the script: {error}"
                entry = Malformed(entry.time, entry.agent, entry.local, entry.remote, entry.data, why, "sent")
        if self._will is not None:
            self._make_will()  # before anybody is told of the message, who might end us because of it
            if not self._willing:
                self._willing = True
                asyncio.get_running_loop().call_soon(self._make_will)
        if self._assignment.leaves_nothing and isinstance(entry, MessageEntry):
            self._leftovers.note(entry)
        if self._recording:
            self._emit(entry)

    def _make_will(self) -> None:
        """What has just been said may have set up a call, or ended one."""
        self._willing = False
        if self._ua is not None and self._will is not None:
            self._will.update(self._ua)

    def _missed(self, message: Message) -> None:
        if self._ua is not None and message.is_request:
            take_leave(self._ua, message, self._call_of(message))

    def _begin(self, call: LiveCall) -> None:
        self._calls.add(call)
        self._open.add(call)

    def _poll(self) -> None:
        self._polling = False
        if self._ua is None:
            return
        for call in list(self._calls):
            call.poll()

    def _invited(self, server: Server) -> None:
        """A new out-of-dialog INVITE transaction is an attempt, unless it is a retry with credentials."""
        ua = self._ua
        if ua is None or (found := self._gate.steps(self._attempts, server.request)) is None:
            return
        number, steps = found
        attempt = Attempt(ua, server, steps, number, self._happened, self)
        self._begin(attempt)
        attempt.begin()

    def _react(self, ua: UserAgent, script: Script) -> None:
        """From now on answer requests as this script says, counted anew."""
        reactions = Reactions(ua, script, self._gate, self._happened, self, self._calls.add, self._call_of)
        ua.on_scripted = reactions.take

    def _door(self, inside: Receiver) -> Door:
        outsiders = Outsiders([self._assignment.system], self._assignment.token.rpartition("x")[0])
        return Door(inside, outsiders.wrote)

    def _guarded(self) -> Guard | None:
        """The guard, if there is one; our own hosts may be named."""
        assignment = self._assignment
        if assignment.guard is None:
            return None
        listen = assignment.listen[0] if assignment.listen is not None else self._host
        return Guard(assignment.guard, {host.lower() for host in (self._host, listen, assignment.advertise) if host})

    def _heeding(self, inside: Receiver) -> Receiver:
        """The flow hears everything first: where we are seen counts for what is done about the message."""

        def receive(message: Message, hop: Hop) -> None:
            if self._flow is not None:
                self._flow.heard(message, hop)
            inside(message, hop)

        return receive

    def _media(self, clock: Clock) -> OpenMedia | None:
        """How calls get their RTP ports; None, and no socket for any call, where no script sends RTP."""
        assignment = self._assignment
        if not (assignment.media or (assignment.script is not None and assignment.script.plays)):
            return None
        return lambda call_id: Media(
            clock, self._host, assignment.name, self._emit,
            call_id=call_id, guard=self._may_contact, on_unsent=self._unsent,
        )  # fmt: skip

    async def _reach(self, ua: UserAgent) -> None:
        """Connect to the system, so that what is wrong with that is found before the call, and costs it no time."""
        if not isinstance(ua.transport, StreamTransport):
            return
        try:
            await ua.transport.reach(self._assignment.system)
        except SendFailed as error:
            self._ua = None
            ua.close()
            raise SetupRefused(f"{self._assignment.name}: {error}") from error

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
        self._registration = Registration(
            ua, self._hop(ua), registrar, assignment.expires, on_outcome, assignment.preference,
            refreshes=assignment.refreshes,
        )  # fmt: skip
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
        system = host_port(self._assignment.system)
        if outcome.code:
            return f"REGISTER refused: {outcome.code} {outcome.reason}"
        if outcome.reason == "timeout":
            return f"no answer to REGISTER from {system} within {REGISTER_LIMIT:g} s"
        return f"REGISTER could not be sent to {system}"

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
        """Not sent: a fault of the run, unless the script has cut the wire itself."""
        self.note("unsent" if self._cut else "refused", why)

    def _lost(self, why: str) -> None:
        """Not sent, because of the system: a matter for the verdict."""
        self.note("unsent", why)
