"""One run: start the agents, make the calls, watch until all is over, keep everything in a record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sip_harness.agents.base import Agent, Assignment, SetupRefused
from sip_harness.model.entry import Entry, Exit, Header, Message, Note, Record
from sip_harness.model.scenario import Call, Scenario
from sip_harness.net.clock import clock_offset
from sip_harness.record.jsonl import Writer
from sip_harness.record.seen import Reader
from sip_harness.run.hub import Hub, events_of
from sip_harness.run.openness import Openness


@dataclass
class Tape:
    """Takes entries as they arise, keeps them in memory and streams them to disk."""

    header: Header | None = None
    path: Path | None = None
    entries: list[Entry] = field(default_factory=list)
    _writer: Writer | None = field(default=None, init=False)

    def open(self, header: Header) -> None:
        """The header is known: from now on every entry goes to disk at once."""
        self.header = header
        if self.path is not None:
            self._writer = Writer(self.path, header)
            for entry in self.entries:
                self._writer.write(entry)

    def add(self, entry: Entry) -> None:
        """Take one entry."""
        self.entries.append(entry)
        if self._writer is not None:
            self._writer.write(entry)

    def close(self) -> Record:
        """The whole record, in time order."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        assert self.header is not None
        return Record(self.header, tuple(sorted(self.entries, key=lambda e: e.time)))


class Run:
    """One scenario on one system. `perform` may be followed by `settle` while others already perform."""

    def __init__(self, scenario: Scenario, agents: dict[str, Agent], parts: Sequence[Assignment], tape: Tape) -> None:
        self._scenario = scenario
        self._agents = agents
        self._tape = tape
        self._reader = Reader()
        self._hub = Hub(events_of(scenario), {p.name for p in parts if p.kind == "device"})
        self._open = Openness({p.name for p in parts if p.kind == "caller" and p.user.password})
        self._changed = asyncio.Event()
        self._dead = False
        self._invited = False
        self._clock = clock_offset()

    def take(self, entry: Entry) -> None:
        """Take an entry of an agent or of the system; tell the agents what it means to them."""
        self._tape.add(entry)
        if isinstance(entry, Message):
            seen = self._reader.read(entry)
            self._open.feed(seen)
            self._invited = self._invited or (seen.sip.method == "INVITE" and not seen.received)
            for name in self._hub.feed(seen):
                for agent in self._agents.values():
                    agent.happened(name)
        elif isinstance(entry, Exit):
            self._dead = True
        self._changed.set()

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
        """Make the calls in turn, each until all its transactions and dialogs are over, or `limit` seconds."""
        for call in self._scenario.calls:
            self._hub.forget()
            self._invited = False
            for agent in self._agents.values():
                agent.forget()
            self._agents[call.caller].call(call, uris(call))
            if not await self._over(limit):
                text = f"{call.name}: given up after {limit:.1f} s"
                self._note("limit", text, open="; ".join(self._open.left()) or "the INVITE was never sent")
                return
        self._note("closed", "all transactions and dialogs are over")

    async def end(self) -> None:
        """Stop all agents side by side and close the record."""
        await asyncio.gather(*(a.stop() for a in self._agents.values()))
        self._note("end", "the record is complete", clock_step=str(clock_offset() - self._clock))

    async def _over(self, limit: float) -> bool:
        """Wait until the call is over; False if the limit came first."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit):
                while not (self._dead or (self._invited and self._open.closed)):
                    self._changed.clear()
                    await self._changed.wait()
                return True
        return False

    def _note(self, kind: str, text: str, **data: str) -> None:
        self._tape.add(Note(time.time_ns(), "", kind, text, data))
