"""Many runs on one system: workers and sockets kept warm, leases handed out, settle time overlapping the next run."""

from __future__ import annotations

import asyncio
import platform
import re
import time
import traceback
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sip_harness import __version__
from sip_harness.agents.base import Agent, Assignment
from sip_harness.agents.pjsua2.client import Pjsua2Agent
from sip_harness.agents.pjsua2.pool import Pool
from sip_harness.agents.pjsua2.wheel import available
from sip_harness.agents.wills import Wills
from sip_harness.agents.wire import WireAgent
from sip_harness.model.entry import Exit, Header, Lag, Log
from sip_harness.model.result import Result
from sip_harness.model.scenario import Call, Scenario, Stack
from sip_harness.model.verdict import Outcome, Verdict
from sip_harness.net.clock import measure_uncertainty
from sip_harness.record.secrets import discreet
from sip_harness.run.execute import Run
from sip_harness.run.memory import calm
from sip_harness.run.openness import UNTIL_GIVEN_UP
from sip_harness.run.pace import Pace
from sip_harness.run.plan import (
    CannotCarryOut,
    Choice,
    StackMissing,
    Stacks,
    assign,
    choose_stacks,
    dialling,
    limit,
    over,
    role_of,
)
from sip_harness.run.pulse import Pulse
from sip_harness.run.slots import Slots
from sip_harness.run.tape import Tape
from sip_harness.systems.base import Binding, CannotBind, Lease, System, SystemFailed, Watch
from sip_harness.systems.intent import request_uri
from sip_harness.systems.leading import led
from sip_harness.systems.leases import Leases
from sip_harness.verdict import judge
from sip_harness.verdict.choose import CannotChoose, Says, resolved

TRIES = 3
"""How often a scenario is run in all while the machine stands still and so leaves it undecided."""


@dataclass(frozen=True)
class Options:
    """How a session runs its scenarios."""

    stack: Stack = "auto"
    jobs: int = 1
    """Scenarios that perform at once, fewer while the machine cannot keep up; settle time does not count."""
    records: Path | None = None
    """Directory for the records (`ID.jsonl`); None keeps them in memory only."""


@dataclass
class Session:
    """A system under test that is up, and everything that runs need. Make one with `open_session`."""

    system: System
    options: Options
    pool: Pool
    leases: Leases
    uncertainty: int
    """Nanoseconds; see `Header.uncertainty`."""
    pulse: Pulse
    wills: Wills = field(default_factory=Wills)
    """What is sent to an external system should this process be killed."""
    _slots: Slots = field(init=False)
    _stacks: Stacks = field(init=False)
    _pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        """Bound what performs at once; find out what there is to choose from."""
        self._slots = Slots(self.options.jobs)
        only_ipv4 = "pjsua2 speaks IPv4 only" if ":" in self.system.info.address[0] else ""
        self._stacks = Stacks(self.options.stack, available() or only_ipv4)
        self._pace = Pace(self.system.info)
        self.pulse.watch(self._stood_still)

    def _stood_still(self, lag: Lag) -> None:
        """So long that more of it would make reactions late: our own load has to become less."""
        if lag.lag > self.system.info.policy.prompt * 0.25e9:
            self._slots.narrow()

    async def run(self, scenario: Scenario, repeat: int = 0) -> Result:
        """Run one scenario and judge it; again if this machine stood still so that nothing can be said of it.

        A fault of the harness itself makes it inconclusive: other scenarios keep their results.
        """
        for number in range(1, TRIES + 1):
            try:
                result = replace(await self._once(scenario, repeat), tries=number)
            except Exception:  # noqa: BLE001 - one scenario must not cost all others their results
                why = f"a fault of the harness itself, please report it:\n{traceback.format_exc()}"
                result = Result(scenario, Verdict(Outcome.INCONCLUSIVE, reason=why), repeat=repeat)
                return replace(result, system=self.system.info.name, tries=number)
            if not result.verdict.starved:
                self._slots.went_well()
                break
            self._slots.narrow()
            if number < TRIES:
                _set_aside(result.record_file, number)
        return result

    async def _once(self, scenario: Scenario, repeat: int) -> Result:
        info = self.system.info
        name, scenario = info.name, over(scenario, info.transport)
        try:
            lease = self.leases.take()
            chosen = choose_stacks(scenario, self._possible)
            binding = self.system.bind(scenario, lease)
        except CannotCarryOut as error:
            return Result(scenario, Verdict(Outcome.ERROR, reason=str(error)), repeat=repeat, system=name)
        except (CannotBind, StackMissing) as error:
            return Result(scenario, Verdict(Outcome.SKIP, reason=str(error)), repeat=repeat, system=name)
        except SystemFailed as error:
            return Result(scenario, Verdict(Outcome.BLOCKED, reason=str(error)), repeat=repeat, system=name)
        try:  # only of a system that could run it at all
            resolved(scenario, Says(name, info.kind, info.policy))
        except CannotChoose as error:
            await self.system.release(lease)
            outcome = Outcome.SKIP if info.is_external and not error.nearly else Outcome.ERROR
            return Result(scenario, Verdict(outcome, reason=str(error)), repeat=repeat, system=name)
        parts = assign(led(scenario, binding), self.system.info, binding, lease)
        tape = Tape(path=self._record_file(scenario, repeat))
        try:
            return await self._perform(scenario, lease, parts, chosen, binding, tape, repeat)
        except SystemFailed as error:
            return Result(scenario, Verdict(Outcome.BLOCKED, reason=str(error)), repeat=repeat, system=name)

    async def _perform(
        self,
        scenario: Scenario,
        lease: Lease,
        parts: list[Assignment],
        chosen: dict[str, Choice],
        binding: Binding,
        tape: Tape,
        repeat: int,
    ) -> Result:
        agents: dict[str, Agent] = {}
        transaction = self.system.info.policy.timers.get("transaction")
        patience = UNTIL_GIVEN_UP if transaction is None else transaction.seconds + transaction.late
        leeway = 0.0 if transaction is None else transaction.early + transaction.late
        dialled = replace(scenario, calls=tuple(dialling(c, binding) for c in led(scenario, binding).calls))
        run = Run(dialled, agents, parts, tape, patience, self._pace.turn, leeway)
        for part in parts:
            agents[part.name] = self._agent(part, chosen[part.name], run)

        def uri(call: Call) -> str:
            return request_uri(call, binding.uris[call.target])

        async with AsyncExitStack() as clean_up:
            async with self._slots.take(alone=scenario.disruptive):
                clean_up.push_async_callback(self.system.release, lease)
                await self.system.admit(scenario, lease, binding)
                begin = time.monotonic()  # not of the time in which others had its accounts
                clean_up.callback(self.system.watch(_only_of(parts[0].token, run)))
                clean_up.callback(self.pulse.watch(run.take))
                clean_up.push_async_callback(run.end)
                started = await run.start()
                tape.open(self._header(scenario, parts, chosen, agents))
                if started:
                    await run.calls(uri, limit(scenario, self.system.info))
                    if scenario.watch is not None and scenario.watch.gives_up:
                        await self.system.release(lease)
            if started:
                # Watching for what must not come: others already perform in this time.
                await asyncio.sleep(self.system.info.policy.settle)
        record = tape.close()
        seconds = time.monotonic() - begin
        file = str(tape.path) if tape.path and not tape.problem else ""
        return Result(
            scenario, _kept(judge(scenario, record), tape.problem), record, seconds, repeat, self.system.info.name, file
        )

    @property
    def _possible(self) -> Stacks:
        """The pjsua2 stack is used over IPv4 alone."""
        if ":" not in self.system.info.address[0]:
            return self._stacks
        return replace(self._stacks, pjsua2_missing="pjsua2 is used over IPv4 alone, and this system is on IPv6")

    def _agent(self, part: Assignment, choice: Choice, run: Run) -> Agent:
        take = discreet(run.take) if part.guard is not None else run.take
        return (
            Pjsua2Agent(part, take, self.pool) if choice.stack == "pjsua2" else WireAgent(part, take, wills=self.wills)
        )

    def _header(
        self, scenario: Scenario, parts: list[Assignment], chosen: dict[str, Choice], agents: dict[str, Agent]
    ) -> Header:
        info = self.system.info
        session, _, number = parts[0].token.partition("x")
        return Header(
            scenario=scenario.id,
            title=scenario.title,
            source=scenario.place.file,
            system=info.name,
            kind=info.kind,
            address=info.address,
            policy=info.policy,
            session=session,
            lease=int(number),
            roles=tuple(role_of(p, chosen[p.name], agents[p.name].trace) for p in parts),
            faults=info.faults,
            versions={**versions(), **info.versions},
            started=time.time_ns(),
            uncertainty=self.uncertainty,
        )

    def _record_file(self, scenario: Scenario, repeat: int) -> Path | None:
        if self.options.records is None:
            return None
        return self.options.records / f"{scenario.id}{f'-{repeat + 1}' if repeat else ''}.jsonl"


def _set_aside(file: str, number: int) -> None:
    """Keep the record of an undecided run: the next one has its name."""
    if file:
        path = Path(file)
        path.rename(path.with_stem(f"{path.stem}-undecided-{number}"))


def _kept(verdict: Verdict, problem: str) -> Verdict:
    """The verdict, if what it says can be looked up: the disk is as much a part of the machine as its processors."""
    if not problem or verdict.outcome in (Outcome.FAIL, Outcome.ERROR):
        return verdict
    return replace(verdict, outcome=Outcome.INCONCLUSIVE, reason=f"its record could not be written: {problem}")


def _only_of(token: str, run: Run) -> Watch:
    of_this_run = re.compile(rf"{re.escape(token)}(?!\d)")

    def sink(entry: Log | Exit) -> None:
        if isinstance(entry, Exit) or of_this_run.search(entry.text):
            run.take(entry)

    return sink


@cache
def versions() -> Mapping[str, str]:
    """What took part, for the record."""
    found = {"sip-harness": __version__, "python": platform.python_version()}
    try:
        found["pjsua2"] = version("pjsua2-python")
    except PackageNotFoundError:
        found["pjsua2"] = "none"
    return found


@asynccontextmanager
async def open_session(system: System, options: Options, scenarios: Iterable[Scenario]) -> AsyncIterator[Session]:
    """Start the system and the workers that these scenarios will need; stop all of it at the end.

    Raises SystemFailed if the system does not come up.
    """
    devices = max((len(s.devices) for s in scenarios), default=0)
    pool = Pool(devices * (options.jobs + 1))
    async with AsyncExitStack() as clean_up:
        clean_up.enter_context(calm())
        wills = Wills()
        clean_up.callback(wills.close)
        clean_up.push_async_callback(pool.close)
        clean_up.push_async_callback(system.stop)
        if not available() and options.stack != "wire":
            await asyncio.gather(system.start(), pool.prewarm(devices * (options.jobs + 1)))
        else:
            await system.start()
        pulse = Pulse(system.processes())
        clean_up.callback(pulse.close)
        yield Session(system, options, pool, Leases(), measure_uncertainty(), pulse, wills)
