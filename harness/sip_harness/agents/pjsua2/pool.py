"""Worker processes kept ready, each leased to one agent at a time. Never imports pjsua2."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from sip_harness.agents.pjsua2.child import Child, TraceWay, WorkerFailed
from sip_harness.agents.pjsua2.ipc import Hello


class PoolClosed(RuntimeError):
    """The pool gives no workers any more."""


class Pool:
    """Workers of one run of the harness. Use it on one event loop, and `close` it there."""

    def __init__(self, size_hint: int = 2, *, trace: TraceWay = "tap") -> None:
        """Nothing is started yet. `size_hint`: how many workers to keep up, leased ones included, once they are used;
        `trace`: `log` makes all of them go without the tap."""
        self._size = size_hint
        self._trace: TraceWay = trace
        self._idle: list[Child] = []
        self._leased: set[Child] = set()
        self._spawning: set[asyncio.Task[None]] = set()
        self._why_log = ""
        self._closed = False

    @property
    def workers(self) -> int:
        """How many workers are up, leased or not."""
        return len(self._idle) + len(self._leased)

    async def prewarm(self, n: int | None = None) -> None:
        """Have so many workers idle (by default as many as `size_hint`). Raises WorkerFailed."""
        self._refuse_if_closed()
        missing = (self._size if n is None else n) - len(self._idle)
        results = await asyncio.gather(*(self._begin(self._add()) for _ in range(missing)), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def lease(self) -> Child:
        """A worker that nobody else has. Raises WorkerFailed, PoolClosed."""
        self._refuse_if_closed()
        while not self._idle:
            await self._add()
            self._refuse_if_closed()
        child = self._idle.pop(0)
        self._leased.add(child)
        self._top_up()
        return child

    async def release(self, child: Child, *, clean: bool) -> None:
        """Take a worker back; if its lease did not end as it should, another one takes its place."""
        self._leased.discard(child)
        child.listener = None
        if clean and child.alive and not self._closed:
            self._idle.append(child)
            return
        await child.kill()
        self._top_up()

    async def close(self) -> None:
        """End all workers, also those that are leased, and wait until they are gone."""
        self._closed = True
        await asyncio.gather(*self._spawning, return_exceptions=True)
        children = [*self._idle, *self._leased]
        self._idle.clear()
        self._leased.clear()
        await asyncio.gather(*(child.close() for child in children))

    async def _add(self) -> None:
        child = await self._spawn()
        if self._closed:
            await child.close()
            return
        child.on_exit = lambda: self._gone(child)
        if child.alive:
            self._idle.append(child)

    async def _spawn(self) -> Child:
        try:
            child = await Child.spawn(self._trace)
        except WorkerFailed as error:
            if self._trace == "log" or error.status >= 0:
                raise
            # The library is another one than it says: what the tap takes for structures is none.
            self._trace, self._why_log = "log", f"with the tap {error}"
            child = await Child.spawn("log")
        if self._why_log:
            child.hello = Hello(child.hello.trace, self._why_log)
        return child

    def _gone(self, child: Child) -> None:
        """A worker has ended; its agent, if it has one, knows by itself."""
        if child in self._idle:
            self._idle.remove(child)
            self._top_up()

    def _top_up(self) -> None:
        missing = self._size - self.workers - len(self._spawning)
        for _ in range(0 if self._closed else missing):
            self._begin(self._add_quietly())

    def _begin(self, adding: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """`close` waits for it, whoever else does: a worker that is just coming up has to be ended as well."""
        task = asyncio.create_task(adding)
        self._spawning.add(task)
        task.add_done_callback(self._spawning.discard)
        return task

    async def _add_quietly(self) -> None:
        try:
            await self._add()
        except WorkerFailed:
            return  # whoever needs a worker next tries again and is told why

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise PoolClosed("the pool of pjsua2 workers is closed")
