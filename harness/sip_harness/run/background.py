"""A session on a thread of its own, for callers that are not asynchronous (pytest)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable
from concurrent.futures import Future
from typing import Any, TypeVar

from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario
from sip_harness.run.session import Options, Session, open_session
from sip_harness.systems.base import System

T = TypeVar("T")


class Background:
    """Runs a session's event loop in a daemon thread. Everything is stopped by `close`."""

    def __init__(self, system: System, options: Options, scenarios: Iterable[Scenario]) -> None:
        """Start the system; returns when it is up. Raises SystemFailed."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sip-harness", daemon=True)
        self._thread.start()
        self._context = open_session(system, options, scenarios)
        self._futures: set[Future[Result]] = set()
        self._running: set[asyncio.Task[Any]] = set()
        try:
            self._session: Session = self._call(self._context.__aenter__())
        except BaseException:
            self._end_loop()
            raise

    def submit(self, scenario: Scenario) -> Future[Result]:
        """Begin to run a scenario; its result comes with the future."""
        future = asyncio.run_coroutine_threadsafe(self._run(scenario), self._loop)
        self._futures.add(future)
        future.add_done_callback(self._futures.discard)
        return future

    def close(self) -> None:
        """End what is running, the system and the workers."""
        for future in list(self._futures):
            future.cancel()
        try:
            self._call(self._finish())
        finally:
            self._end_loop()

    async def _run(self, scenario: Scenario) -> Result:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            return await self._session.run(scenario)
        finally:
            self._running.discard(task)

    async def _finish(self) -> None:
        if self._running:  # cancelled, they still end their calls; the system has to be there as long
            await asyncio.wait(self._running, timeout=5)
        await self._context.__aexit__(None, None, None)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        if not self._thread.is_alive():
            self._loop.close()
