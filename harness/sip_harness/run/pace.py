"""How fast calls may follow one another on a system that others use too."""

from __future__ import annotations

import asyncio

from sip_harness.model.system import SystemInfo
from sip_harness.net.base import host_port
from sip_harness.systems.locks import LocksUnusable, reserve


class Pace:
    """Gives turns, evenly spaced, to whoever asks: in this process and in any other of this user on this machine."""

    def __init__(self, info: SystemInfo) -> None:
        """At most `info.pace` turns per second; 0: as many as are asked for."""
        self._gap = 1 / info.pace if info.pace else 0.0
        self._system = host_port(info.address)
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for the next turn."""
        if not self._gap:
            return
        now = asyncio.get_running_loop().time()
        try:
            at = reserve(self._system, self._gap, now)
        except LocksUnusable:
            at = max(now, self._next)
            self._next = at + self._gap
        await asyncio.sleep(at - now)
