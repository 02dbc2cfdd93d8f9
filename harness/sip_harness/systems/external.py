"""A system under test that is already there and that others may use too: described by a profile, treated with care."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from sip_harness.model.profile import Account, Profile
from sip_harness.model.scenario import Scenario
from sip_harness.model.system import SystemInfo, User
from sip_harness.net.base import host_port
from sip_harness.systems.base import Binding, CannotBind, Lease, SystemFailed, Watch
from sip_harness.systems.description import describe
from sip_harness.systems.intent import refusal
from sip_harness.systems.leading import led
from sip_harness.systems.locks import Locks, LocksUnusable
from sip_harness.systems.placing import Placing, place
from sip_harness.systems.visitor import MAX_SHOWN, Found, NoAnswer, Visitor

LOCK_LIMIT = 60.0
"""Seconds that a run waits for accounts that others use."""
_LOOK = 0.02


class External:
    """What stands at an address. Nothing of it is started or stopped."""

    def __init__(self, profile: Profile, *, disruptive: bool = False, patience: float = LOCK_LIMIT) -> None:
        """`disruptive`: whether scenarios that disturb others were asked for; `patience`: seconds that a run waits for
        accounts that are in use."""
        self.profile = profile
        self._disruptive = disruptive
        self._patience = patience
        self._info: SystemInfo | None = None
        self._placings: dict[Lease, Placing] = {}
        self._locks: dict[Lease, Locks] = {}
        self._wanted: Counter[str] = Counter()
        self._calls = 0

    @property
    def info(self) -> SystemInfo:
        """Known after `start`."""
        if self._info is None:
            raise SystemFailed(f"{self.profile.name} has not been looked for")
        return self._info

    async def start(self) -> None:
        """Look whether it is there: any answer to OPTIONS will do. Raises SystemFailed."""
        info = await describe(self.profile)
        try:
            async with Visitor(info, User("visitor", info.domain)) as visitor:
                answer = await visitor.options()
                seen = "" if info.advertise else visitor.seen_in(answer)
        except NoAnswer as error:
            raise SystemFailed(f"{self.profile.name} is not there: {error}") from error
        server = answer.get("server") or answer.get("user-agent") or ""
        versions = {"system": server[:100]} if server.isprintable() and server else {}
        self._info = replace(info, versions=versions, seen=seen)

    async def stop(self) -> None:
        """Give back what is still held. Never raises."""
        for lease in list(self._placings):
            await self.release(lease)

    def processes(self) -> Sequence[int]:
        """None: it is not ours."""
        return ()

    def bind(self, scenario: Scenario, lease: Lease) -> Binding:
        """Accounts and numbers of the profile. Raises CannotBind with what it does not have."""
        self.allow(scenario)
        placing = place(scenario, self.profile, self._wanted)
        self._placings[lease] = placing
        placing.used = tuple(placing.users(scenario))
        self._wanted.update(placing.used)
        return placing.binding(scenario, self.info.domain)

    async def admit(self, scenario: Scenario, lease: Lease, binding: Binding) -> None:
        """Check what would be called, have the accounts alone, and see that nobody else is registered for them.

        Raises SystemFailed.
        """
        self._check_numbers(scenario, binding)
        self._check_nat(binding)
        self._count(scenario)
        placing = self._placings[lease]
        users = placing.users(scenario)
        await self._lock(lease, [*users, *(host_port(address) for address in binding.listens.values())])
        registering = tuple(users.values()) if _registers(scenario) else ()
        reached = {binding.users[device].name for device in binding.registers}
        reached.update(account.user for account in registering)
        await asyncio.gather(*(self._look_at(users[name]) for name in sorted(reached)))
        placing.registering = registering  # only now: what was there before is not ours to take away

    async def release(self, lease: Lease) -> None:
        """Others may have the accounts: the agents have unregistered, and what callers have registered is removed.
        Never raises."""
        placing = self._placings.pop(lease, None)
        if placing is not None:
            ours = {self.info.bind, self.info.advertise, self.info.seen, "127.0.0.1"} - {""}
            left = (self._clear(account, ours) for account in placing.registering)
            await asyncio.gather(*left, return_exceptions=True)
            self._wanted.subtract(placing.used)
        if (locks := self._locks.pop(lease, None)) is not None:
            locks.free()

    def watch(self, sink: Watch) -> Callable[[], None]:
        """Its log is not ours to read."""
        return lambda: None

    def allow(self, scenario: Scenario) -> None:
        """Raises CannotBind for a scenario that disturbs others where that was not asked for."""
        if not scenario.disruptive:
            return
        if self.profile.impact == "harmless":
            raise CannotBind(f"{self.profile.name} takes no disruptive scenarios: its profile says impact: harmless")
        if not self._disruptive:
            raise CannotBind(f"the scenario is disruptive: {self.profile.name} gets it with --disruptive only")

    def _check_numbers(self, scenario: Scenario, binding: Binding) -> None:
        assert self.info.guard is not None
        for target, uri in binding.uris.items():
            if why := self.info.guard.uri_refusal(uri):
                raise SystemFailed(f"the guard refuses to call {target}: {why}")
        if why := refusal(led(scenario, binding), self.info.guard, binding.uris):
            raise SystemFailed(f"the guard refuses {why}")

    def _check_nat(self, binding: Binding) -> None:
        if self.profile.advertise:
            return
        for name, (host, _port) in binding.listens.items():
            why = "the address is private and the system's is not" if is_unreachable(host, self.info.address[0]) else ""
            if self.info.seen and host == self.info.bind:
                why = f"a NAT stands between, which shows us as {self.info.seen}"
            if why:
                raise SystemFailed(
                    f"carrier {name} listens on {host}, where {self.profile.name} cannot reach it: {why}; forward a "
                    "port and state its host as 'advertise'"
                )

    def _count(self, scenario: Scenario) -> None:
        calls, limit = len(scenario.calls), self.profile.guard.max_calls
        if self._calls + calls > limit:
            raise SystemFailed(f"{calls} more calls would exceed the {limit} that guard.max calls allows")
        self._calls += calls

    async def _lock(self, lease: Lease, accounts: Iterable[str]) -> None:
        """Have these alone, within patience."""
        wanted = list(accounts)
        locks = self._locks[lease] = Locks(host_port(self.info.address))
        limit = asyncio.get_running_loop().time() + self._patience
        try:
            while why := locks.take(wanted):
                if asyncio.get_running_loop().time() > limit:
                    raise SystemFailed(f"{why}, and was not free within {self._patience:g} s")
                await asyncio.sleep(_LOOK)
        except LocksUnusable as error:
            raise SystemFailed(str(error)) from error

    def _user(self, account: Account) -> User:
        return User(account.user, self.info.domain, account.password, account.auth)

    async def _look_at(self, account: Account) -> None:
        """Nobody else may be registered for it; what a crashed run of ours has left is removed."""
        try:
            found = await self._clear(account)
        except NoAnswer as error:
            raise SystemFailed(f"account {account.user}: {error}") from error
        if others := (*found.foreign, *found.own):
            who = ", ".join(others[:MAX_SHOWN])
            raise SystemFailed(
                f"account {account.user} is in use: {who} is registered there; log it out or use another"
            )

    async def _clear(self, account: Account, ours: Collection[str] = ()) -> Found:
        """Remove bindings of ours, if there are no others; what is left. After a run whatever is bound at our hosts is
        ours, whatever a scenario has called it. Raises NoAnswer."""
        async with Visitor(self.info, self._user(account), ours) as visitor:
            found = await visitor.bindings()
            return await visitor.remove(found.own) if found.own and not found.foreign else found


def _registers(scenario: Scenario) -> bool:
    """Whether callers send REGISTERs of their own, which may leave bindings of any account of the run."""
    return any(call.raw or call.method == "REGISTER" for call in scenario.calls)


def is_unreachable(host: str, system: str) -> bool:
    """Whether a NAT stands between the system and a listener of ours: private here, not private there."""
    return ipaddress.ip_address(host).is_private and not ipaddress.ip_address(system).is_private
