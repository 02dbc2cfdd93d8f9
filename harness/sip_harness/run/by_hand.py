"""One agent by hand: a device that answers every call as it is told, or a caller that makes one call.

It stands on a system as the agents of a run do, under the same guard and locks. On a system that is started here it has
the plain name that was asked for, so that other clients know what to dial.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from sip_harness.agents.base import Agent, Assignment, Emit, SetupRefused
from sip_harness.agents.pjsua2.client import Pjsua2Agent
from sip_harness.agents.pjsua2.pool import Pool
from sip_harness.agents.pjsua2.wheel import available
from sip_harness.agents.wills import Wills
from sip_harness.agents.wire import WireAgent
from sip_harness.language import LanguageError, from_python, load_text
from sip_harness.model.entry import Entry, Exit, Log, Message
from sip_harness.model.place import Place
from sip_harness.model.scenario import Call, Scenario
from sip_harness.model.system import SystemInfo, User
from sip_harness.net.base import host_port
from sip_harness.record.seen import Reader
from sip_harness.run.execute import Run
from sip_harness.run.pace import Pace
from sip_harness.run.plan import OneStack, Stacks, assign, choose_stacks, limit, over
from sip_harness.run.tape import Tape
from sip_harness.sip.errors import SipError
from sip_harness.systems.base import Binding, SystemFailed
from sip_harness.systems.base import System as AnySystem
from sip_harness.systems.external import External
from sip_harness.systems.intent import refusal
from sip_harness.systems.leases import Leases
from sip_harness.systems.locks import Locks, LocksUnusable

PATIENCE = 300.0
"""Seconds that a call by hand may ring, if nobody ends it: more than Timer C (RFC 3261 16.6 step 11) grants it."""
_NAME = re.compile(r"[A-Za-z0-9+#*_.~-]{1,64}")
_MARGIN = " " * 6
_DOCUMENT = """\
title: By hand
id: BY-HAND
targets: {{target: {{ring: [phone]}}}}
devices:
  phone:
    answer: [
      {answer}
    ]
calls: [{{from: caller, to: target}}]
expect: {{phone: reached}}
"""


@dataclass(frozen=True)
class Change:
    """Another answer, as somebody has written it."""

    text: str
    scenario: Scenario


class WrongName(ValueError):
    """No user or number is called this."""


@dataclass(frozen=True)
class Stand:
    """An agent's place on a system that is up."""

    info: SystemInfo
    part: Assignment
    scenario: Scenario
    binding: Binding
    pool: Pool
    wills: Wills


def answering(text: str, user: str, stack: OneStack = "wire") -> Scenario:
    """A device of that name that answers every call with these steps, in the words of scenarios.

    Raises LanguageError for wrong words, WrongName, CannotCarryOut and StackMissing for what the stack cannot do.
    """
    check_name(user)
    one_line = " ".join(text.split())
    try:
        scenario = load_text(_DOCUMENT.format(answer=one_line), "answer")
    except LanguageError as error:
        raise LanguageError(
            replace(one, place=Place("answer"), excerpt=_of_one_line(one.excerpt)) for one in error.diagnostics
        ) from None
    [device] = scenario.devices
    [target] = scenario.targets
    scenario = replace(
        scenario,
        targets=(replace(target, name=user, members=(user,)),),
        devices=(replace(device, name=user),),
        calls=(),
        expectations=(),
    )
    choose_stacks(scenario, Stacks(stack, available()))
    return scenario


def _of_one_line(excerpt: str) -> str:
    """An excerpt without the number and the margin of a line that stands in no file."""
    lines = excerpt.split("\n")
    before, bar, rest = lines[0].partition("| ")
    margin = len(before + bar) + (len(_MARGIN) if rest.startswith(_MARGIN) else 0)
    return "\n".join(f"  {line[margin:]}" for line in lines) if bar else excerpt


def calling(
    to: str, caller: str, stack: OneStack = "wire", *, method: str = "INVITE", cancel: str = "", hang_up: str = ""
) -> Scenario:
    """One call, or one request of another method; times in the words of scenarios. Raises as `answering` does."""
    check_name(to)
    check_name(caller)
    call: dict[str, object] = {"from": "caller", "to": "target", "method": method, "stack": stack}
    call |= {word: value for word, value in (("cancel", cancel), ("hang up", hang_up)) if value}
    document: dict[str, object] = {
        "title": "By hand",
        "id": "BY-HAND",
        "targets": {"target": {"ring": ["phone"]}},
        "devices": {"phone": {"answer": ["silence"]}},
        "calls": [call],
        "expect": {"phone": "reached"},
    }
    scenario = from_python(document, Place("call"))
    [one] = scenario.calls
    scenario = replace(
        scenario, targets=(), devices=(), calls=(replace(one, caller=caller, target=to),), expectations=()
    )
    choose_stacks(scenario, Stacks(stack, available()))
    return scenario


def check_name(name: str) -> None:
    """Raises WrongName for what is no role, user or number."""
    if not _NAME.fullmatch(name):
        raise WrongName(f"{name!r} is no user: write the name of a role, a user or a number, without sip: and domain")


def dialled(system: AnySystem, to: str) -> str:
    """The user part that reaches this role; of anything else itself, as a telephone would."""
    account = system.profile.roles.get(to) if isinstance(system, External) else None
    return account.user if account is not None else to


async def respond(
    system: AnySystem,
    scenario: Scenario,
    stack: OneStack,
    show: Emit,
    ready: Callable[[Stand], None],
    changes: asyncio.Queue[Change | Exit],
    changed: Callable[[Change, str], None],
    leaving: Callable[[], None],
) -> None:
    """Register the device and answer calls until cancelled, then unregister.

    What is put into `changes` is how it answers from the next call on; `changed` is told when that holds, or why not.
    `leaving` is called just before it unregisters.
    Raises CannotBind, SystemFailed or SetupRefused if it cannot take its place, SystemFailed when the system ends.
    """
    async with _standing(system, scenario) as stand:

        def ended(entry: Log | Exit) -> None:
            if isinstance(entry, Exit):
                changes.put_nowait(entry)

        leave = system.watch(ended)
        agent = _agent(stand, stack, show)
        try:
            await agent.start()
            ready(stand)
            while not isinstance(change := await changes.get(), Exit):
                why = _forbidden(stand, change.scenario)
                if not why:
                    agent, why = await _changed(agent, change.scenario, stand, stack, show)
                changed(change, why)
            raise SystemFailed(f"{stand.info.name} has ended: status {change.status}")
        finally:
            leave()
            leaving()
            await agent.stop()


async def call(
    system: AnySystem, scenario: Scenario, stack: OneStack, show: Emit, ready: Callable[[Stand], None]
) -> int:
    """Make the call and see it through; cancelled, it sends CANCEL or BYE first. The last final response; 0 for none.

    Raises CannotBind, SystemFailed or SetupRefused if the caller cannot take its place.
    """
    [planned] = scenario.calls
    finals = _Finals(planned)
    async with _standing(system, scenario) as stand:
        agents: dict[str, Agent] = {}
        run = Run(stand.scenario, agents, [stand.part], Tape(), turn=Pace(stand.info).turn)

        def take(entry: Entry) -> None:
            show(entry)
            finals.take(entry)
            run.take(entry)

        agent = agents[stand.part.name] = _agent(stand, stack, take)
        leave = system.watch(lambda entry: take(entry) if isinstance(entry, Exit) else None)
        try:
            await agent.start()
            ready(stand)
            await run.calls(lambda one: stand.binding.uris[one.target], PATIENCE + limit(stand.scenario, stand.info))
        finally:
            leave()
            await agent.stop()
    return finals.code


class _Finals:
    """What a request has been answered with: a 2xx is never superseded."""

    def __init__(self, planned: Call) -> None:
        self._method = planned.method
        self._reader = Reader()
        self.code = 0

    def take(self, entry: Entry) -> None:
        if not isinstance(entry, Message) or entry.direction != "received":
            return
        try:
            message = self._reader.read(entry).sip
        except SipError:
            return
        if message.code >= 200 and message.cseq[1] == self._method and not 200 <= self.code < 300:
            self.code = message.code


@asynccontextmanager
async def _standing(system: AnySystem, scenario: Scenario) -> AsyncIterator[Stand]:
    """The system up and the agent's place on it prepared; all of it given back at the end."""
    async with AsyncExitStack() as clean_up:
        pool, wills = Pool(1), Wills()
        clean_up.push_async_callback(pool.close)
        clean_up.callback(wills.close)
        clean_up.push_async_callback(system.stop)
        await system.start()
        info = system.info
        scenario, lease = over(scenario, info.transport), Leases().take()
        binding = _named(system.bind(scenario, lease), scenario, system)
        clean_up.push_async_callback(system.release, lease)
        await system.admit(scenario, lease, binding)
        if not isinstance(system, External):
            clean_up.callback(_held(binding, info).free)
        [part] = assign(scenario, info, binding, lease)
        yield Stand(info, replace(part, media=True), scenario, binding, pool, wills)


def _named(binding: Binding, scenario: Scenario, system: AnySystem) -> Binding:
    """The binding with what is called; on a system of our own with plain names."""
    info = system.info
    uris = {one.target: f"sip:{dialled(system, one.target)}@{info.domain}" for one in scenario.calls}
    if isinstance(system, External):
        return replace(binding, uris={**binding.uris, **uris})
    users = {agent: User(agent, info.domain, info.password) for agent in binding.users}
    own = {target.name: f"sip:{target.name}@{info.domain}" for target in scenario.targets}
    return replace(binding, users=users, uris=own | uris)


def _held(binding: Binding, info: SystemInfo) -> Locks:
    """The plain names as accounts that are in use, so that a profile of this address does not share them.

    Raises SystemFailed.
    """
    locks = Locks(host_port(info.address))
    try:
        why = locks.take(user.name for user in binding.users.values())
    except LocksUnusable as error:
        raise SystemFailed(str(error)) from error
    if why:
        raise SystemFailed(why)
    return locks


def _forbidden(stand: Stand, change: Scenario) -> str:
    """Why the guard would let nothing through of what this answer leads to; empty if it would."""
    why = refusal(change, stand.info.guard, {}) if stand.info.guard is not None else ""
    return f"the guard refuses {why}" if why else ""


def _agent(stand: Stand, stack: OneStack, emit: Emit) -> Agent:
    return (
        Pjsua2Agent(stand.part, emit, stand.pool)
        if stack == "pjsua2"
        else WireAgent(stand.part, emit, wills=stand.wills)
    )


async def _changed(agent: Agent, change: Scenario, stand: Stand, stack: OneStack, show: Emit) -> tuple[Agent, str]:
    """The agent that answers as this says from the next call on, or the same as before and why.

    A pjsua2 worker has one script for its whole lease: there a new lease takes over, and calls that are up end.
    """
    [device] = change.devices
    if isinstance(agent, WireAgent):
        try:
            agent.answer(device.script)
        except SetupRefused as error:
            return agent, str(error)
        return agent, ""
    await agent.stop()
    another = _agent(replace(stand, part=replace(stand.part, script=device.script)), stack, show)
    await another.start()
    return another, ""
