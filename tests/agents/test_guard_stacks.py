"""The guard on both stacks, with sockets that listen where nothing may arrive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest

from sip_harness.agents import wire_flow
from sip_harness.agents.base import Agent, Assignment, SetupRefused
from sip_harness.agents.pjsua2.client import Pjsua2Agent
from sip_harness.agents.pjsua2.pool import Pool
from sip_harness.agents.wire import WireAgent
from sip_harness.model.entry import Address, Entry, Note
from sip_harness.model.entry import Message as MessageEntry
from sip_harness.model.guard import GuardRules
from sip_harness.model.scenario import Call
from sip_harness.model.system import User
from sip_harness.sip.message import Message
from support.quiet import Ear, ear

HOME, ELSEWHERE = "127.0.0.1", "127.0.0.2"
STACKS = ["wire", pytest.param("pjsua2", marks=pytest.mark.needs_pjsua2)]


@dataclass
class Stage:
    """A caller under guard, the system that it knows, and a place where it must not go."""

    agent: Agent
    system: Ear
    elsewhere: Ear
    entries: list[Entry] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def refused(self) -> str:
        """Why the guard stopped something."""
        async with asyncio.timeout(20):
            while not (found := [e for e in self.entries if isinstance(e, Note) and e.kind == "refused"]):
                self.news.clear()
                await self.news.wait()
        return found[0].text


@asynccontextmanager
async def stage(
    stack: str, contact: str = "", advertise: str = "", route: str = "", code: int = 200
) -> AsyncIterator[Stage]:
    """`contact` and `route` are what the system states in its answer of this code; {port} is the port elsewhere."""
    async with AsyncExitStack() as clean_up:
        elsewhere = await clean_up.enter_async_context(ear(ELSEWHERE))

        def answer(request: Message, _source: Address) -> tuple[int, list[tuple[str, str]]] | None:
            if request.method == "INVITE":
                port = elsewhere.address[1]
                routes = [("Record-Route", route.format(port=port))] if route else []
                return code, [("Contact", contact.format(port=port)), *routes]
            return (200, []) if request.method == "BYE" else None

        system = await clean_up.enter_async_context(ear(HOME, answer))
        rules = GuardRules(frozenset({HOME}), frozenset({"staging.example"}), calls=1)
        part = Assignment(
            "alice",
            "caller",
            User("alice", "staging.example"),
            "alice-abcdx1",
            system.address,
            "abcdx1",
            guard=rules,
            advertise=advertise,
        )
        entries: list[Entry] = []
        news = asyncio.Event()

        def emit(entry: Entry) -> None:
            entries.append(entry)
            news.set()

        agent: Agent = WireAgent(part, emit)
        if stack == "pjsua2":
            pool = Pool(1)
            clean_up.push_async_callback(pool.close)
            agent = Pjsua2Agent(part, emit, pool)
        clean_up.push_async_callback(agent.stop)
        await agent.start()
        yield Stage(agent, system, elsewhere, entries, news)


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize(
    ("uri", "headers", "why"),
    [
        ("sip:112@staging.example", (), "112 is an emergency number"),
        ("sip:x@127.0.0.2:{port}", (), "127.0.0.2 is no host that the profile names"),
        ("sip:x@elsewhere.invalid", (), "elsewhere.invalid is no host that the profile names"),
        ("sip:bob@staging.example", (("Refer-To", "<tel:911>"),), "911 is an emergency number"),
        ("sip:bob@staging.example", (("Route", "<sip:127.0.0.2:{port};lr>"),), "127.0.0.2 is no host"),
        ("sip:bob@staging.example;maddr=127.0.0.2", (), "127.0.0.2 is no host"),
        ("sip:%2B1911@staging.example", (), "+1911 is an emergency number"),
        ("tel:112", (), "112 is an emergency number"),
        ("urn:service:sos", (), "is an emergency service"),
    ],
    ids=["emergency", "address", "name", "refer", "route", "maddr", "country", "tel", "sos"],
)
def test_what_must_not_leave_does_not(stack: str, uri: str, headers: tuple[tuple[str, str], ...], why: str) -> None:
    async def work() -> None:
        async with stage(stack) as here:
            port = here.elsewhere.address[1]
            filled = tuple((name, value.format(port=port)) for name, value in headers)
            here.agent.call(Call("c1", "alice", "bob", headers=filled), uri.format(port=port))
            assert why in await here.refused()
            await here.agent.stop()
            assert here.system.methods == []
            assert here.elsewhere.datagrams == 0

    asyncio.run(work())


@pytest.mark.parametrize("header", ["Record-Route", "Contact", "m"])
def test_no_header_leads_the_system_elsewhere(header: str) -> None:
    """The pjsua2 stack adds these itself and takes none from a scenario."""

    async def work() -> None:
        async with stage("wire") as here:
            given = ((header, f"<sip:x@127.0.0.2:{here.elsewhere.address[1]};lr>"),)
            here.agent.call(Call("c1", "alice", "bob", headers=given), "sip:bob@staging.example")
            assert "127.0.0.2 is no host" in await here.refused()
            await here.agent.stop()
            assert here.system.methods == []

    asyncio.run(work())


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize(
    ("contact", "route"),
    [
        ("<sip:bob@127.0.0.2:{port}>", ""),
        ("<sip:bob@elsewhere.invalid>", ""),
        ("<sip:bob@staging.example;maddr=127.0.0.2>", ""),
        ("<sip:bob@staging.example>", "<sip:127.0.0.2:{port};lr>"),
        ("<sip:bob@staging.example>", "<sip:elsewhere.invalid;lr>"),
    ],
    ids=["host", "name", "maddr", "route", "route-name"],
)
def test_a_peer_elsewhere_is_not_followed_and_no_call_is_left(stack: str, contact: str, route: str) -> None:
    async def work() -> None:
        async with stage(stack, contact, route=route) as here:
            here.agent.call(Call("c1", "alice", "bob"), "sip:bob@staging.example")
            await here.system.until("BYE")
            await here.agent.stop()
            assert [m for m in here.system.methods if m] == ["INVITE", "ACK", "BYE"]
            assert here.elsewhere.datagrams == 0

    asyncio.run(work())


@pytest.mark.parametrize("stack", STACKS)
def test_names_that_the_system_names_are_not_looked_up(stack: str) -> None:
    """In SDP, Contact and Record-Route: `ci/quiet` sees that nothing leaves; here it is seen that no call is left."""
    sdp = b"v=0\r\no=- 1 1 IN IP4 o.elsewhere.example\r\ns=-\r\nc=IN IP4 c.elsewhere.example\r\nt=0 0\r\n"

    async def work() -> None:
        route = "<sip:route.elsewhere.example;lr>"
        async with stage(stack, "<sip:bob@contact.elsewhere.example>", route=route) as here:
            here.system.sdp = sdp + b"m=audio 4000 RTP/AVP 0\r\n"
            here.agent.call(Call("c1", "alice", "bob"), "sip:bob@staging.example")
            await here.system.until("BYE")
            await here.agent.stop()
            assert {m for m in here.system.methods if m} == {"INVITE", "ACK", "BYE"}

    asyncio.run(work())


@pytest.mark.parametrize("stack", STACKS)
def test_a_redirection_elsewhere_is_not_followed(stack: str) -> None:
    async def work() -> None:
        async with stage(stack, "<sip:bob@127.0.0.2:{port}>", code=302) as here:
            here.agent.call(Call("c1", "alice", "bob"), "sip:bob@staging.example")
            await here.system.until("ACK")
            await here.agent.stop()
            assert [m for m in here.system.methods if m] == ["INVITE", "ACK"]
            assert here.elsewhere.datagrams == 0

    asyncio.run(work())


@pytest.mark.parametrize("stack", STACKS)
def test_one_call_more_than_allowed_does_not_leave(stack: str) -> None:
    async def work() -> None:
        async with stage(stack, "<sip:bob@staging.example>") as here:
            here.agent.call(Call("c1", "alice", "bob"), "sip:bob@staging.example")
            await here.system.until("BYE")
            here.agent.forget()
            here.agent.call(Call("c2", "alice", "bob"), "sip:bob@staging.example")
            assert "no call is left of the 1" in await here.refused()
            await here.agent.stop()
            assert here.system.methods.count("INVITE") == 1

    asyncio.run(work())


@pytest.mark.parametrize("stack", STACKS)
def test_what_is_advertised_is_stated(stack: str) -> None:
    async def work() -> None:
        async with stage(stack, "<sip:bob@staging.example>", advertise="203.0.113.7") as here:
            here.agent.call(Call("c1", "alice", "bob"), "sip:bob@staging.example")
            invite = await here.system.until("INVITE")
            port = here.agent.local[1]
            assert f"sip:alice-abcdx1@203.0.113.7:{port}" in (invite.get("contact") or "")
            assert f"203.0.113.7:{port}" in (invite.get("via") or "")
            assert "rport" in (invite.get("via") or "")
            assert b"IN IP4 203.0.113.7" in invite.body
            await here.system.until("BYE")

    asyncio.run(work())


def test_the_way_through_a_nat_is_kept_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_flow, "KEEPALIVE", 0.01)

    async def work() -> None:
        async with stage("wire") as here:
            await here.system.pinged(3)
            assert here.system.methods == [], "which are no messages"
            assert not [entry for entry in here.entries if isinstance(entry, MessageEntry)]

    asyncio.run(work())


@pytest.mark.needs_pjsua2
def test_a_stack_that_cannot_be_guarded_is_refused() -> None:
    async def work() -> None:
        async with ear(HOME) as system:
            rules = GuardRules(frozenset({HOME}))
            user = User("desk", "staging.example")
            part = Assignment(
                "desk", "device", user, "desk-abcdx1", system.address, "abcdx1", register=True, guard=rules
            )
            pool = Pool(1, trace="log")
            agent = Pjsua2Agent(part, lambda _entry: None, pool)
            try:
                with pytest.raises(SetupRefused, match="desk: the pjsua2 stack cannot be guarded with this library"):
                    await agent.start()
            finally:
                await agent.stop()
                await pool.close()
            assert system.datagrams == 0

    asyncio.run(work())
