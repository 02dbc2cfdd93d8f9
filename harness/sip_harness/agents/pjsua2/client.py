"""An agent on the pjsua2 stack: the runner's half. Never imports pjsua2."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Literal

from sip_harness.agents.base import Assignment, Emit, SetupRefused
from sip_harness.agents.pjsua2 import ipc
from sip_harness.agents.pjsua2.child import Child, Gone, WorkerFailed, end_of
from sip_harness.agents.pjsua2.pool import Pool, PoolClosed
from sip_harness.model.entry import Address, Entry, Exit
from sip_harness.model.scenario import Call

START_LIMIT = 6.0
"""Seconds; a worker gives a registrar two."""
STOP_LIMIT = 3.0
"""Seconds; a worker takes half a second at most to end what is open."""


class Pjsua2Agent:
    """A device or a caller in a worker process; implements `agents.base.Agent`."""

    def __init__(self, assignment: Assignment, emit: Emit, pool: Pool) -> None:
        """Nothing is leased yet."""
        self._assignment = assignment
        self._emit = emit
        self._pool = pool
        self._child: Child | None = None
        self._local: Address | None = None
        self._trace: ipc.Trace = "full"
        self._outcome: asyncio.Future[ipc.Ready | ipc.Refused] | None = None
        self._over = asyncio.Event()
        """The lease has ended, in order or with its process."""
        self._clean = False

    @property
    def local(self) -> Address:
        """Its SIP address, known after `start`."""
        if self._local is None:
            raise RuntimeError(f"{self._assignment.name} is not started")
        return self._local

    @property
    def trace(self) -> Literal["full", "partial"]:
        """Whether the record has the exact bytes of every message of this agent; known after `start`."""
        return self._trace

    @property
    def busy(self) -> bool:
        """Never: what this stack can carry out ends with the call."""
        return False

    async def start(self) -> None:
        """Lease a worker, open, and register if assigned to. Raises SetupRefused with the reason."""
        try:
            child = await self._pool.lease()
        except (WorkerFailed, PoolClosed, OSError) as error:
            raise SetupRefused(f"{self._assignment.name}: {error}") from error
        self._child, self._trace = child, child.hello.trace
        self._outcome = asyncio.get_running_loop().create_future()
        child.listener = self._take
        child.send(ipc.Lease(self._assignment))
        try:
            outcome = await asyncio.wait_for(self._outcome, START_LIMIT)
        except TimeoutError:
            outcome = ipc.Refused(f"{self._assignment.name}: its worker was not ready within {START_LIMIT:g} s")
        except BaseException:
            await self.stop()
            raise
        if isinstance(outcome, ipc.Refused):
            await self.stop()
            raise SetupRefused(outcome.why)
        self._local = outcome.local

    def call(self, call: Call, uri: str) -> None:
        """Make a call to this Request-URI; returns at once, everything else is seen in the record."""
        self._tell(ipc.MakeCall(call, uri))

    def happened(self, event: str) -> None:
        """Tell the script that this event (by name) has happened in the present call."""
        self._tell(ipc.Happened(event))

    def forget(self) -> None:
        """Another call begins: nothing has happened in it yet."""
        self._tell(ipc.Forget())

    async def stop(self) -> None:
        """End what is still open, unregister and give the worker back; bounded in time; never raises."""
        child, self._child = self._child, None
        if child is None:
            return
        child.send(ipc.Stop())
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), STOP_LIMIT)
        if not self._over.is_set():
            await child.kill()
        await self._pool.release(child, clean=self._clean)

    def _tell(self, command: object) -> None:
        if self._child is not None:
            self._child.send(command)

    def _take(self, value: object) -> None:
        if isinstance(value, Entry):
            self._emit(value)
        elif isinstance(value, (ipc.Ready, ipc.Refused)):
            self._decide(value)
        elif isinstance(value, ipc.Ended):
            self._clean = True
            self._over.set()
        elif isinstance(value, Gone) and not self._over.is_set():
            self._died(value)

    def _died(self, gone: Gone) -> None:
        """The process has ended within the lease: that is always wrong."""
        self._emit(Exit(time.time_ns(), self._assignment.name, gone.status, gone.stderr))
        how = end_of(gone.status, gone.stderr)
        self._decide(ipc.Refused(f"{self._assignment.name}: its pjsua2 worker died ({how})"))
        self._over.set()

    def _decide(self, outcome: ipc.Ready | ipc.Refused) -> None:
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(outcome)
