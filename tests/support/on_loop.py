"""Tests that run on an event loop: on a real one, or on one whose time jumps to whatever is due next."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

DEADLINE = 60.0

AsyncTest = Callable[..., Coroutine[Any, Any, None]]


class _Jump(selectors.DefaultSelector):
    """Waits for nothing: what it would have waited for is added to the time of its loop."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.skipped += timeout
        assert ready or timeout is not None, "nothing is scheduled and nothing can happen: the test waits in vain"
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on which an hour passes at once. Only for what happens inside of the process."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return 1000.0 + self._jump.skipped


def on_loop(test: AsyncTest) -> Callable[..., None]:
    """Run an async test in real time within a deadline; an exception in any callback fails it."""
    return _wrap(test, asyncio.new_event_loop, DEADLINE)


def in_virtual_time(test: AsyncTest) -> Callable[..., None]:
    """Run an async test on a VirtualLoop."""
    return _wrap(test, VirtualLoop, None)


def _wrap(test: AsyncTest, make: Callable[[], asyncio.AbstractEventLoop], limit: float | None) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        errors: list[dict[str, Any]] = []

        async def bounded() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _loop, context: errors.append(context))
            async with asyncio.timeout(limit):
                await test(*args, **kwargs)

        with asyncio.Runner(loop_factory=make) as runner:
            runner.run(bounded())
        assert not errors, errors

    return run
