"""The way to a system that is elsewhere: through a NAT that forgets, over a connection that breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import pytest

from sip_harness.agents import wire_flow
from sip_harness.agents.base import Assignment
from sip_harness.agents.wire import WireAgent
from sip_harness.endpoint import registration
from sip_harness.model.entry import Address, Entry
from sip_harness.model.entry import Message as MessageEntry
from sip_harness.model.guard import GuardRules
from sip_harness.model.system import User
from sip_harness.sip.message import Message, parse
from sip_harness.systems.registry import create
from support.nat import INNER, OUTER, Nat, nat

LIMIT = 20.0


@dataclass
class Phone:
    """One that is registered at `reference` through a NAT."""

    agent: WireAgent
    box: Nat
    entries: list[Entry] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def emit(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.news.set()

    @property
    def granted(self) -> list[Message]:
        """Every 200 to a REGISTER so far."""
        got = (parse(e.data) for e in self.entries if isinstance(e, MessageEntry) and e.direction == "received")
        return [m for m in got if m.code == 200 and m.cseq[1] == "REGISTER"]

    @property
    def contacts(self) -> list[str]:
        """What the registrar has listed last."""
        return self.granted[-1].all("contact")

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT):
            while not holds():
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def phone(transport: Literal["udp", "tcp"], expires: int = 60) -> AsyncIterator[Phone]:
    async with AsyncExitStack() as clean_up:
        system = create("reference")
        clean_up.push_async_callback(system.stop)
        await system.start()
        address: Address = system.info.address_of(transport)
        box = await clean_up.enter_async_context(nat(address))
        part = Assignment(
            "bob", "device", User("bob", system.info.domain), "bob-abcdx1", box.address, "abcdx1", register=True,
            transport=transport, expires=expires, guard=GuardRules(frozenset({INNER}), frozenset({"127.0.0.1"})),
        )  # fmt: skip
        found: list[Phone] = []

        def emit(entry: Entry) -> None:
            found[0].emit(entry)

        agent = WireAgent(part, emit)
        found.append(Phone(agent, box))
        clean_up.push_async_callback(agent.stop)
        await agent.start()
        yield found[0]


def test_it_is_registered_where_it_is_seen_and_nowhere_else() -> None:
    async def work() -> None:
        async with phone("udp") as bob:
            [outside] = bob.box.outside
            assert bob.contacts == [f"<sip:bob-abcdx1@{OUTER}:{outside[1]}>;expires=60"]
            assert len(bob.granted) == 2, "this registrar asks for nothing: first where it is, then where it is seen"
            await bob.agent.stop()
            assert bob.contacts == []

    asyncio.run(work())


def test_after_the_nat_has_forgotten_a_refresh_finds_the_new_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "_MIN_REFRESH", 0.1)

    async def work() -> None:
        async with phone("udp", expires=1) as bob:
            [before] = bob.box.outside
            bob.box.forget()
            async with asyncio.timeout(LIMIT):
                while not (bob.box.outside - {before}):
                    await asyncio.sleep(0)
            [after] = bob.box.outside
            await bob.until(lambda: [f"{OUTER}:{after[1]}" in one for one in bob.contacts] == [True])

    asyncio.run(work())


def test_a_connection_that_breaks_is_made_anew_at_once() -> None:
    async def work() -> None:
        async with phone("tcp") as bob:
            [before] = bob.contacts
            assert f"@{OUTER}:" in before
            assert ";transport=tcp" in before
            bob.box.cut()
            await bob.until(lambda: len(bob.contacts) == 1 and bob.contacts != [before])
            assert f"@{OUTER}:" in bob.contacts[0]

    asyncio.run(work())


def test_a_connection_is_kept_alive_without_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_flow, "KEEPALIVE_OF_STREAMS", 0.01)

    async def work() -> None:
        async with phone("tcp") as bob:
            entries = len(bob.entries)
            transport = bob.agent._ua.transport if bob.agent._ua is not None else None
            async with asyncio.timeout(LIMIT):
                while getattr(transport, "keepalives", 0) < 3:  # pongs
                    await asyncio.sleep(0.01)
            assert len(bob.entries) == entries

    asyncio.run(work())
