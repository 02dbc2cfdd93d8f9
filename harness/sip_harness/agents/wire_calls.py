"""The calls that a wire agent has under way: their scripts are told what happens, and all of them are ended with it."""

from __future__ import annotations

import asyncio

from sip_harness.agents.wire_caller import Outgoing
from sip_harness.agents.wire_device import Attempt
from sip_harness.agents.wire_parts import LiveCall
from sip_harness.agents.wire_reactions import Reacting
from sip_harness.sip.message import Message


class LiveCalls:
    """A call is here until it is done; it is open while something of it is on the wire."""

    def __init__(self) -> None:
        self.happened: set[str] = set()
        """Events of the present call, by name; scripts read it."""
        self._calls: set[LiveCall] = set()
        self.open: set[LiveCall] = set()
        """Those of which something is on the wire."""
        self._polling = False
        self._hushed = False
        self._idle = asyncio.Event()

    def __len__(self) -> int:
        """How many need attention."""
        return len(self._calls)

    @property
    def busy(self) -> bool:
        """Whether the script of one of them will go on at a time that is known."""
        return any(call.busy for call in self._calls)

    def add(self, call: LiveCall) -> None:
        """It needs attention, but nothing of it has to be ended."""
        self._calls.add(call)

    def begin(self, call: LiveCall) -> None:
        """It is on the wire, or there once more."""
        self._calls.add(call)
        self.open.add(call)

    def over(self, call: LiveCall) -> None:
        """Nothing of it is left on the wire; its script may still have something to send."""
        self.open.discard(call)
        if call.done:
            self._calls.discard(call)
        if not self.open:
            self._idle.set()

    def of(self, request: Message) -> Attempt | Outgoing | Reacting | None:
        """The call that a request belongs to, if its script may still do something about it."""
        found = (c for c in self._calls if isinstance(c, Attempt | Outgoing | Reacting) and c.is_within(request))
        return next(found, None)

    def tell(self, event: str, loop: asyncio.AbstractEventLoop | None) -> None:
        """This has happened in the present call; scripts go on in the next turn of the loop, without one not at all."""
        self.happened.add(event)
        if loop is not None and not self._polling and not self._hushed:
            self._polling = True
            loop.call_soon(self._poll)

    def hush(self) -> None:
        """From now on scripts are told nothing any more."""
        self._hushed = True

    async def end(self) -> None:
        """End what is open, and wait until all of it has ended."""
        for call in list(self._calls):
            call.end()
        if self.open:
            self._idle.clear()
            await self._idle.wait()

    def stop(self) -> None:
        """Do nothing more, whatever is still open."""
        for call in self._calls:
            call.stop()

    def _poll(self) -> None:
        self._polling = False
        for call in list(self._calls) if not self._hushed else ():
            call.poll()
