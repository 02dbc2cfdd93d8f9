"""How fast calls may follow one another on a system that others use too."""

from __future__ import annotations

import asyncio


class Pace:
    """Gives turns, evenly spaced, to whoever asks."""

    def __init__(self, rate: float) -> None:
        """`rate`: turns per second; 0: as many as are asked for."""
        self._gap = 1 / rate if rate else 0.0
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for the next turn."""
        if not self._gap:
            return
        now = asyncio.get_running_loop().time()
        at = max(now, self._next)
        self._next = at + self._gap
        await asyncio.sleep(at - now)
