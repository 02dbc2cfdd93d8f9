"""How many scenarios perform at once: as many as were asked for, fewer while the machine cannot keep up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_GOOD_RUNS = 4
"""Runs without a stall after which one more is let in again."""


class Slots:
    """Bounds what performs at once. What has begun is never stopped."""

    def __init__(self, most: int) -> None:
        """At most so many, at least one."""
        self._most = self.open = most
        """`open`: how many may perform now."""
        self._taken = 0
        self._apart = 0
        """How many are alone, or wait to be."""
        self._good = 0
        self._free = asyncio.Condition()

    @asynccontextmanager
    async def take(self, *, alone: bool = False) -> AsyncIterator[None]:
        """A slot for the time of this context, when one is free; `alone`: when nobody else performs, and nobody does
        until this context ends. Who wants that is not kept waiting by those who come after."""
        self._apart += alone
        try:
            async with self._free:
                await self._free.wait_for(lambda: self._is_free(alone))
                self._taken += 1
            try:
                yield
            finally:
                self._taken -= 1
        finally:
            self._apart -= alone
            async with self._free:
                self._free.notify_all()

    def _is_free(self, alone: bool) -> bool:
        return self._taken == 0 if alone else self._taken < self.open and not self._apart

    def narrow(self) -> None:
        """The machine could not keep up: half as many from now on."""
        self.open = max(1, self.open // 2)
        self._good = 0

    def went_well(self) -> None:
        """A run without a stall: after a few of them one more may perform."""
        self._good += 1
        if self._good >= _GOOD_RUNS:
            self._good = 0
            self.open = min(self._most, self.open + 1)
