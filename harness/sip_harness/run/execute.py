"""One run: start the agents, make the calls, watch until all is over, keep everything in a record."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from sip_harness.agents.base import Agent, Assignment, SetupRefused
from sip_harness.endpoint.deafness import Deafness
from sip_harness.model.entry import Entry, Exit, Malformed, Message, Note
from sip_harness.model.scenario import Call, Scenario
from sip_harness.net.clock import clock_offset
from sip_harness.record.outsiders import Outsiders
from sip_harness.record.seen import Reader, Seen
from sip_harness.run.hub import Hub, events_of
from sip_harness.run.openness import UNTIL_GIVEN_UP, Openness
from sip_harness.run.tape import Tape
from sip_harness.run.timeline import Timeline

_GRAIN = 0.05
"""Seconds between two looks at scripts that will do something by themselves."""


class Run:
    """One scenario on one system. `perform` may be followed by `settle` while others already perform."""

    def __init__(
        self,
        scenario: Scenario,
        agents: dict[str, Agent],
        parts: Sequence[Assignment],
        tape: Tape,
        patience: float = UNTIL_GIVEN_UP,
        turn: Callable[[], Awaitable[None]] | None = None,
        leeway: float = 0.0,
    ) -> None:
        """`patience`: seconds after which the system has given a transaction up that gets no answer, `leeway` how much
        earlier it may do so; `turn` is waited for before each call."""
        self._turn = turn
        self._scenario = scenario
        self._agents = agents
        self._tape = tape
        self._outsiders = Outsiders({p.system for p in parts}, parts[0].token.rpartition("x")[0])
        self._reader = Reader()
        self._hub = Hub(events_of(scenario), {p.name for p in parts if p.kind == "device"}, scenario.timed)
        retries = {p.name: p.not_for for p in parts if p.kind == "caller" and p.user.password}
        self._open = Openness(retries, patience, leeway)
        self._deaf = {p.name: Deafness(p.script.losses) for p in parts if p.script is not None and p.script.losses}
        self._changed = asyncio.Event()
        self._dead = False
        self._awaited: list[tuple[str, str]] = []
        """Callers and methods of what has to be sent yet."""
        self._timeline: Timeline | None = None
        self._last_finals: dict[str, int] = {}
        self._clock = clock_offset()

    def take(self, entry: Entry) -> None:
        """Take an entry of an agent or of the system; tell the agents what it means to them."""
        if isinstance(entry, Malformed) or (isinstance(entry, Message) and self._is_stray(entry)):
            self._tape.add_stray(entry)
            if isinstance(entry, Malformed) and entry.direction == "sent":
                self._sent_garbage(entry)
            return
        self._tape.add(entry)
        if isinstance(entry, Message):
            seen = self._reader.read(entry)
            if seen.agent in self._deaf and self._deaf[seen.agent].misses(seen):
                self._open.lost(seen)
            else:
                self._heard(seen)
        elif isinstance(entry, Exit):
            self._dead = True
        elif isinstance(entry, Note) and "disconnect" in entry.data:
            self._open.cut(entry.agent, entry.time)
        elif isinstance(entry, Note) and entry.kind == "unsent":
            # Its connection went before the first request had: nothing of it will follow.
            self._awaited = [one for one in self._awaited if one[0] != entry.agent]
        self._changed.set()

    def _heard(self, seen: Seen) -> None:
        """What its agent has heard or sent: that has happened."""
        self._open.feed(seen)
        if not seen.received and (seen.agent, seen.sip.method) in self._awaited:
            self._awaited.remove((seen.agent, seen.sip.method))
        if seen.received and seen.sip.code >= 200 and seen.sip.cseq[1] == "INVITE":
            self._last_finals[seen.agent] = seen.sip.code
        for name in self._hub.feed(seen):
            if self._timeline is not None:
                self._timeline.happened(name, time.monotonic())
            for agent in self._agents.values():
                agent.happened(name)

    def _sent_garbage(self, entry: Malformed) -> None:
        """A call has begun with bytes that are no SIP: perhaps somebody answers them all the same."""
        begun = next((one for one in self._awaited if one[0] == entry.agent), None)
        if begun is not None:
            self._awaited.remove(begun)
            self._open.puzzle(entry.agent, entry.time)
            self._changed.set()

    def _is_stray(self, entry: Message) -> bool:
        """Whether it has nothing to do with the run: then it must neither wake a script nor keep the run open."""
        return self._outsiders.wrote(entry.data, entry.remote, entry.transport)

    async def start(self) -> bool:
        """Start all agents side by side. False if one was refused: the record says why."""
        results = await asyncio.gather(*(a.start() for a in self._agents.values()), return_exceptions=True)
        for result in results:
            if isinstance(result, SetupRefused):
                self._note("refused", str(result))
            elif isinstance(result, BaseException):
                raise result
        return not any(isinstance(r, SetupRefused) for r in results)

    async def calls(self, uris: Callable[[Call], str], limit: float) -> None:
        """Make the calls, in turn or at their times, until all transactions and dialogs are over and the watch is; each
        call has `limit` seconds."""
        if await (self._timed(uris, limit) if self._scenario.timed else self._in_turn(uris, limit)):
            self._note("closed", "all transactions and dialogs are over")

    async def _in_turn(self, uris: Callable[[Call], str], limit: float) -> bool:
        for call in self._scenario.calls:
            if self._turn is not None:
                await self._turn()
            self._hub.forget()
            for agent in self._agents.values():
                agent.forget()
            self._call(call, uris(call))
            if not await self._over(limit) and (left := self._unfinished()):
                self._note("limit", f"{call.name}: given up after {limit:.1f} s", open="; ".join(left))
                return False
            await self._outlast(call)
        return True

    async def _timed(self, uris: Callable[[Call], str], limit: float) -> bool:
        timeline = self._timeline = Timeline(self._scenario, time.monotonic(), limit)
        for event in self._hub.fired:  # while the agents started
            timeline.happened(event, timeline.begin)
        while not timeline.ended(now := time.monotonic(), over=self._is_over()) and not self._dead:
            if timeline.given_up(now):
                break
            due = timeline.due(now, over=self._is_over())
            for call in due:
                if self._turn is not None:
                    await self._turn()
                self._call(call, uris(call))
            if not due:
                await self._changes(timeline.next(now))
        for call in self._scenario.calls:
            await self._outlast(call)
        if missing := timeline.missing():
            self._note("limit", "; ".join(missing))
        elif not self._is_over() and (left := self._unfinished()):
            self._note("limit", f"given up after {limit:.1f} s", open="; ".join(left))
        else:
            return True
        return False

    def _call(self, call: Call, uri: str) -> None:
        self._awaited.append((call.caller, call.method))
        self._last_finals.pop(call.caller, None)
        if call.is_odd:
            self._open.odd.add(call.caller)
        if call.raw is not None:
            self._open.blunt.add(call.caller)
        self._deaf[call.caller] = Deafness(call.script.losses if call.script is not None else ())
        self._agents[call.caller].call(call, uri)

    async def _outlast(self, call: Call) -> None:
        """A failure without its ACK is sent again until the system gives up (RFC 3261 17.2.1, Timer H)."""
        if call.ack == "never" and self._last_finals.get(call.caller, 0) >= 300:
            await asyncio.sleep(self._open.patience)

    async def end(self) -> None:
        """Stop all agents side by side and close the record."""
        await asyncio.gather(*(a.stop() for a in self._agents.values()))
        self._note("end", "the record is complete", clock_step=str(clock_offset() - self._clock))

    async def _over(self, limit: float) -> bool:
        """Wait until the call is over; False if the limit came first."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                while not self._is_over():
                    await self._changes(None)
                return True
        return False

    async def _changes(self, seconds: float | None) -> None:
        """Wait until something is recorded, or a script or a call is due; at most so long."""
        self._changed.clear()
        pauses = [pause for pause in (self._pause(), seconds) if pause is not None]
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), min(pauses, default=None))

    def _is_over(self) -> bool:
        busy = self._awaited or any(agent.busy for agent in self._agents.values())
        return self._dead or not (busy or not self._open.closed(time.time_ns()))

    def _pause(self) -> float | None:
        """Seconds after which to look again although nothing is recorded; None for never."""
        now = time.time_ns()
        due = self._open.next(now)
        wait = None if due is None else (due - now) / 1e9 + _GRAIN
        return wait if not any(agent.busy for agent in self._agents.values()) else min(wait or _GRAIN, _GRAIN)

    def _unfinished(self) -> list[str]:
        """What the system has left open when the limit came; what our own scripts leave open is not its fault."""
        unsent = [f"the {method} of {caller} was never sent" for caller, method in self._awaited]
        return unsent or self._open.left(math.inf)

    def _note(self, kind: str, text: str, **data: str) -> None:
        self._tape.add(Note(time.time_ns(), "", kind, text, data))
