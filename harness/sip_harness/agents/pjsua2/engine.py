"""One lease: an agent on an Endpoint of its own, from `Lease` to `Ended`. Worker processes only.

Everything runs in one thread. It sleeps in select() on the pipe and on the SIP socket at once, until the next step of
a script or the next timer of the library, so commands and datagrams are both taken up within a fraction of a
millisecond.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

import pjsua2 as pj  # noqa: TID251 - this runs in a worker process

from sip_harness.agents.base import Assignment
from sip_harness.agents.pjsua2 import ipc, stamps
from sip_harness.agents.pjsua2.calls import CallerPart, DevicePart
from sip_harness.agents.pjsua2.directors import Account, Call
from sip_harness.agents.pjsua2.library import Library
from sip_harness.agents.pjsua2.stack import LOOPBACK, Stack, Tracing
from sip_harness.agents.pjsua2.trace import Trace
from sip_harness.model.entry import Address, Entry, Lag, Note
from sip_harness.script.machine import ACKED
from sip_harness.script.pjsua2_limits import call_obstacles, obstacles
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import parse

IDLE = 1.0
"""Seconds after which the loop comes round when nothing at all happens."""
REGISTER_LIMIT = 2.0
"""Seconds that a registrar may take."""
END_LIMIT = 0.5
"""Seconds that the end of a lease waits for the answers to what it sends."""
NOTABLE_LAG = 0.020
"""Seconds by which a step may be late before the record says so."""


class Pipe(Protocol):
    """The connection to the runner."""

    def fileno(self) -> int:
        """For select()."""

    def send(self, value: object) -> None:
        """Tell the runner. Raises OSError if it is gone."""

    def receive(self) -> list[object]:
        """The commands that have come. Raises OSError if the runner is gone."""


class Lease:
    """Carries one assignment out."""

    def __init__(
        self, assignment: Assignment, library: Library, tracing: Tracing, pipe: Pipe, early: list[object]
    ) -> None:
        """Make the Endpoint. `early`: commands that came in one piece with the lease."""
        self._assignment = assignment
        self._library = library
        self._pipe = pipe
        self._early = early
        self._happened: set[str] = set()
        self._failure: Exception | None = None
        self._registration: tuple[int, str, int] | None = None
        """The last outcome of a REGISTER: code, reason, granted seconds."""
        self._stopping = False
        self._stated: Address | None = None
        """What is stated as our address; known once there is an account."""
        self._stack = Stack(self, tracing, assignment.bind or LOOPBACK, assignment.advertise)
        fd = self._stack.fd
        self._trace = Trace(assignment.name, self._stack.local, self._emit, lambda: stamps.stamp(fd))
        self._part = self._make_part()

    def run(self) -> None:
        """From taking the agent's place to the end. Raises OSError if the runner goes away; then call `end`."""
        if (why := self._open()) is None:
            self._pipe.send(ipc.Ready(self._stack.local))
            for command in self._early:
                self._obey(command)
            while not self._stopping:
                self._turn(None)
        else:
            self._pipe.send(ipc.Refused(why))

    def end(self) -> None:
        """End what is open, unregister, and destroy the Endpoint; takes at most some 0.5 s."""
        limit = time.monotonic() + END_LIMIT
        self._trace.openness.closing = True
        self._part.end()
        if self._stack.account is not None and self._assignment.register:
            self._unregister(self._stack.account)
        self._trace.settle()
        while not self._trace.openness.closed and time.monotonic() < limit:
            self._turn(limit, commands=False)
        self._part.let_go()
        self._stack.close()
        self._trace.settle()

    def _make_part(self) -> DevicePart | CallerPart:
        if self._assignment.kind == "device" and self._assignment.script is not None:
            return DevicePart(self._assignment.script, self._happened, self._trace, self._note)
        return CallerPart(self._assignment, self._happened, self._trace, self._note)

    def _open(self) -> str | None:
        """Take the agent's place; the reason if that does not succeed."""
        script = self._assignment.script
        if script is not None and (hurdles := obstacles(script)):
            return f"{self._assignment.name}: the pjsua2 stack cannot carry this script out: {hurdles[0]}"
        stamps.stamp(self._stack.fd)  # from now on the kernel keeps receive times for this socket
        self._stack.start(self._trace)
        try:
            self._stack.add_account(self, self._assignment)
        except pj.Error as error:
            return f"{self._assignment.name}: no account {self._assignment.user.aor}: {error.reason}"
        self._stated = self._stack.local
        self._trace.settle()
        return self._await_registration() if self._assignment.register else None

    def _await_registration(self) -> str | None:
        limit = time.monotonic() + REGISTER_LIMIT
        while not self._is_settled() and time.monotonic() < limit and not self._stopping:
            self._turn(limit)
        host, port = self._assignment.system
        code, reason, granted = self._registration or (0, "", 0)
        if code // 100 == 2:
            data = {"aor": self._assignment.user.aor, "expires": str(granted)}
            self._note("registered", f"registered for {granted} s", data)
            return None
        why = f"REGISTER refused: {code} {reason}"
        if not code:
            why = f"no answer to REGISTER from {host}:{port} within {REGISTER_LIMIT:g} s"
        self._note("refused", why, {})
        return f"{self._assignment.name}: {why}"

    def _is_settled(self) -> bool:
        """Whether there is an outcome, for the address that we are seen at."""
        if self._registration is None:
            return False
        code, _, granted = self._registration
        return code // 100 != 2 or (granted > 0 and not self._elsewhere())

    def _elsewhere(self) -> Address | None:
        """Where the system sees us, if that is not what we have stated: a NAT stands between (RFC 3581)."""
        seen = self._trace.seen
        guarded = self._assignment.guard is not None and not self._assignment.advertise
        return seen if guarded and seen != self._stated else None

    def _follow(self) -> None:
        """Be where the system sees us, once a registration has told."""
        seen = self._elsewhere()
        if seen is None or self._registration is None or self._registration[0] // 100 != 2 or self._stopping:
            return
        self._stated, self._registration = seen, None
        where = f"{seen[0]}:{seen[1]}"
        self._note("nat", f"the system sees {self._assignment.name} at {where}", {"seen": where})
        self._within(partial(self._stack.move, self._assignment, seen))

    def _unregister(self, account: Account) -> None:
        if self._registration is not None and self._registration[0] // 100 == 2:
            account.setRegistration(False)

    def _turn(self, limit: float | None, *, commands: bool = True) -> None:
        """Wait until something is due or arrives, at most until `limit`, and handle it."""
        watched: list[Pipe | int] = [self._stack.fd, self._pipe] if commands else [self._stack.fd]
        readable = select.select(watched, [], [], self._timeout(limit))[0]
        self._note_lag()
        if not readable or self._stack.fd not in readable:
            self._trace.idle = time.time_ns()
        self._within(self._stack.poll)
        if self._pipe in readable:
            for command in self._pipe.receive():
                self._within(partial(self._obey, command))
        self._within(lambda: self._part.poll(time.monotonic()))
        if commands and self._assignment.register:
            self._follow()

    def _timeout(self, limit: float | None) -> float:
        now = time.monotonic()
        dues = [d for d in (limit, self._part.deadline()) if d is not None]
        own = max(0.0, min(dues) - now) if dues else IDLE
        return self._library.next_timer(min(own, IDLE))

    def _note_lag(self) -> None:
        due, now = self._part.deadline(), time.monotonic()
        if due is not None and now - due > NOTABLE_LAG:
            self._emit(Lag(time.time_ns(), self._assignment.name, round((now - due) * 1e9)))

    def _within(self, act: Callable[[], None]) -> None:
        """Do something that enters the library; raise what failed inside it."""
        act()
        self._trace.settle()
        failure, self._failure, self._trace.failure = self._failure or self._trace.failure, None, None
        if failure is not None:
            raise failure

    def _obey(self, command: object) -> None:
        if isinstance(command, ipc.Happened):
            self._happened.add(command.event)
        elif isinstance(command, ipc.Forget):
            self._happened.clear()
        elif isinstance(command, ipc.MakeCall):
            self._make_call(command)
        elif isinstance(command, ipc.Stop):
            self._stopping = True
        else:
            raise ipc.BadLine(f"a lease does not know {type(command).__name__}")

    def _make_call(self, command: ipc.MakeCall) -> None:
        self._happened.discard(ACKED)  # what ended an earlier call says nothing about this one
        refused = {"call": command.call.name}
        hurdles = call_obstacles(command.call)
        if hurdles:
            self._note("refused", f"{command.call.name}: the pjsua2 stack cannot make this call: {hurdles[0]}", refused)
        elif not isinstance(self._part, CallerPart):
            self._note("refused", f"{command.call.name}: {self._assignment.name} is a device", refused)
        elif self._stack.account is not None:
            self._part.make(self._stack.account, command.call, command.uri, time.monotonic())

    # What the library calls back.

    def incoming(self, account: Account, call: int, invite: str) -> None:
        """An INVITE outside a dialog."""
        self._trace.settle()
        age = max(0, time.time_ns() - self._trace.arrival) / 1e9
        self._part.incoming(account, call, invite, time.monotonic() - min(age, 1.0))

    def changed(self, call: Call, info: pj.CallInfo) -> None:
        """A call has reached another state."""
        self._trace.settle()
        self._part.changed(call, info, time.monotonic())

    def rejected(self, code: int, reason: str, invite: str) -> None:
        """The stack has refused an INVITE by itself."""
        text = f"the stack itself refused an INVITE: {code} {reason}"
        self._note("engine", text, {"code": str(code), "call_id": _call_id(invite)})

    def registration(self, code: int, reason: str, expires: int) -> None:
        """A final response to a REGISTER."""
        if self._registration is not None and code // 100 != 2 and not self._trace.openness.closing:
            self._note("refused", f"the registration was not renewed: {code} {reason}", {})
        self._registration = (code, reason, expires)

    def broke(self, error: Exception) -> None:
        """A callback failed."""
        self._failure = self._failure or error

    def _note(self, kind: str, text: str, data: dict[str, str], at: int | None = None) -> None:
        self._trace.settle()
        self._emit(Note(at or time.time_ns(), self._assignment.name, kind, text, data))

    def _emit(self, entry: Entry) -> None:
        self._pipe.send(entry)


def _call_id(message: str) -> str:
    try:
        return parse(message.encode("utf-8", "surrogateescape")).call_id
    except SipError:
        return ""
