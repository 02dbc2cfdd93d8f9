"""An agent on the wire stack: our own SIP endpoint, which sends exactly the bytes that the script asks for."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Literal

from sip_harness.agents.base import Assignment, Emit, SetupRefused
from sip_harness.agents.wills import Will, Wills
from sip_harness.agents.wire_access import Access
from sip_harness.agents.wire_caller import place_call
from sip_harness.agents.wire_calls import LiveCalls
from sip_harness.agents.wire_device import Attempt
from sip_harness.agents.wire_gate import Gate
from sip_harness.agents.wire_parts import LiveCall
from sip_harness.agents.wire_reactions import Reactions, take_leave
from sip_harness.agents.wire_registration import Binding
from sip_harness.agents.wire_trace import Trace
from sip_harness.endpoint.media import Media, OpenMedia
from sip_harness.endpoint.request import Credentials
from sip_harness.endpoint.server import Server
from sip_harness.endpoint.ua import Identity, UserAgent
from sip_harness.model.entry import Address
from sip_harness.model.scenario import Call, Listens
from sip_harness.model.script import Script
from sip_harness.net.base import Disconnection, Hop, SendFailed
from sip_harness.net.clock import Clock
from sip_harness.net.stream import StreamTransport
from sip_harness.script.choice import Attempts
from sip_harness.sip.message import Message
from sip_harness.sip.transaction_tables import Timers

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
        self._access = Access(assignment, self._host)
        shared = self._access.guard is not None
        will = Will(wills, assignment, self._host) if wills is not None and shared else None
        self._trace = Trace(assignment, emit, will, lambda: self._ua)
        self._calls = LiveCalls()
        self._gate = Gate(assignment.user, assignment.names)
        self._attempts = Attempts(assignment.script or Script(()))
        self._cut = False
        self._ua: UserAgent | None = None
        self._local: Address | None = None
        self._binding: Binding | None = None

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
        self._ua = ua = self._user_agent()
        self._local = ua.transport.local
        ua.transport.public = assignment.advertise
        self._find_way(ua)
        if assignment.script is not None:
            self._react(ua, assignment.script)
        try:
            await self._take_place(ua)
        except SetupRefused:
            self._ua = None
            ua.close()
            raise
        await self._access.keep_way()
        self._shut(assignment.listens)

    def _user_agent(self) -> UserAgent:
        """Open the transport, and be somebody there. Raises SetupRefused."""
        assignment, user = self._assignment, self._assignment.user
        clock = Clock(asyncio.get_running_loop(), self._trace.late)
        credentials = Credentials(user.auth or user.name, user.password, assignment.not_for)
        return UserAgent(
            clock,
            partial(self._access.open, clock, self._trace.record, self._missed),
            Identity(user.aor, assignment.contact, credentials, assignment.token),
            on_invite=self._invited if assignment.kind == "device" else None,
            on_unsent=self._unsent,
            on_lost=self._lost,
            timers=self._timers,
            media=self._media(clock),
        )

    async def _take_place(self, ua: UserAgent) -> None:
        """Connect and register, as far as it is assigned to. Raises SetupRefused."""
        assignment = self._assignment
        if assignment.register or assignment.kind == "caller":
            await self._access.reach(ua)
        if assignment.register:
            self._binding = Binding(ua, assignment, self.note)
            await self._binding.register()

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
        self._access.listen(script.losses)
        hop = Hop(ua.transport, self._assignment.system)
        outgoing = place_call(ua, call, uri, hop, self._calls.happened, self._assignment.patience, self)
        self._calls.begin(outgoing)
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
        self._calls.tell(event, self._ua.clock.loop if self._ua is not None else None)

    def answer(self, script: Script) -> None:
        """Answer as this script says from the next call on, counted anew. Raises SetupRefused, and changes nothing, if
        it has to ask for credentials that nobody has told."""
        if self._ua is None:
            raise RuntimeError(f"{self._assignment.name} is not started")
        self._gate.check(script)
        self._attempts = Attempts(script)
        self._react(self._ua, script)
        self._access.listen(script.losses)

    def forget(self) -> None:
        """Another call begins: nothing has happened in it yet."""
        self._calls.happened.clear()

    async def stop(self) -> None:
        """End what is still open (CANCEL, BYE), unregister and close; bounded in time; never raises."""
        ua, self._ua = self._ua, None
        self._access.leave()
        self._calls.hush()
        if ua is None:
            return
        ua.on_invite = None
        try:
            await asyncio.wait_for(self._end(ua), STOP_LIMIT)
        except TimeoutError:
            pass
        finally:
            self._calls.stop()
            self._trace.end(ua.transport)
            ua.close()
            self._trace.revoke()

    def _find_way(self, ua: UserAgent) -> None:
        """To a system that is elsewhere; a connection to it that is lost is made anew with the next REGISTER."""
        if self._access.guard is None:
            return

        def moved(where: str) -> None:
            self.note("nat", f"the system sees {self._assignment.name} at {where}", {"seen": where})

        def cut(remote: Address) -> None:
            if self._binding is not None and remote == self._assignment.system and not self._cut:
                self._binding.recover()

        if isinstance(ua.transport, StreamTransport):
            ua.transport.on_cut = cut
        self._access.find_way(ua, moved)

    def note(self, kind: str, text: str, data: dict[str, str] | None = None) -> None:
        """Record something that this agent did or found."""
        self._trace.note(kind, text, data)

    def over(self, call: LiveCall) -> None:
        """From a call: nothing of it is left on the wire; its script may still have something to send."""
        self._calls.over(call)

    def reopened(self, call: LiveCall) -> None:
        """From a call: its script has answered once more after it was over."""
        self._calls.begin(call)

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
        if self._binding is not None:
            self._binding.unregister()

    @property
    def busy(self) -> bool:
        """Whether its script still sends something at a time of its own, whatever happens until then."""
        if self._ua is None:
            return False
        return self._ua.layer.scheduled or self._calls.busy

    def _missed(self, message: Message) -> None:
        if self._ua is not None and message.is_request:
            take_leave(self._ua, message, self._calls.of(message))

    def _invited(self, server: Server) -> None:
        """A new out-of-dialog INVITE transaction is an attempt, unless it is a retry with credentials."""
        ua = self._ua
        if ua is None or (found := self._gate.steps(self._attempts, server.request)) is None:
            return
        number, steps = found
        attempt = Attempt(ua, server, steps, number, self._calls.happened, self)
        self._calls.begin(attempt)
        attempt.begin()

    def _react(self, ua: UserAgent, script: Script) -> None:
        """From now on answer requests as this script says, counted anew."""
        calls = self._calls
        reactions = Reactions(ua, script, self._gate, calls.happened, self, calls.add, calls.of)
        ua.on_scripted = reactions.take

    def _media(self, clock: Clock) -> OpenMedia | None:
        """How calls get their RTP ports; None, and no socket for any call, where no script sends RTP."""
        assignment = self._assignment
        if not (assignment.media or (assignment.script is not None and assignment.script.plays)):
            return None
        return lambda call_id: Media(
            clock, self._host, assignment.name, self._emit,
            call_id=call_id, guard=self._access.may_contact, on_unsent=self._unsent,
        )  # fmt: skip

    async def _end(self, ua: UserAgent) -> None:
        """End what is open and unregister, both at once."""
        unregistered = asyncio.Event()
        if self._binding is None:
            unregistered.set()
        else:
            self._binding.unregister(unregistered.set)
        await self._calls.end()
        await unregistered.wait()

    def _unsent(self, why: str) -> None:
        """Not sent: a fault of the run, unless the script has cut the wire itself."""
        self.note("unsent" if self._cut else "refused", why)

    def _lost(self, why: str) -> None:
        """Not sent, because of the system: a matter for the verdict."""
        self.note("unsent", why)
