"""Which accounts and numbers of an external system a scenario gets: roles and shapes to a profile. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sip_harness.model.entry import Address
from sip_harness.model.profile import Account, Group, Profile
from sip_harness.model.scenario import Scenario, Target, Transport
from sip_harness.model.system import User
from sip_harness.systems.accounts import OWES_NOTHING, owes_nothing, transports
from sip_harness.systems.base import Binding, CannotBind


@dataclass
class Placing:
    """A scenario's place on an external system."""

    accounts: dict[str, Account] = field(default_factory=dict)
    """By agent."""
    dials: dict[str, str] = field(default_factory=dict)
    """By target."""
    listens: dict[str, Address] = field(default_factory=dict)
    preferences: dict[str, float] = field(default_factory=dict)
    used: tuple[str, ...] = ()
    """Users that the run waits for or has."""
    registering: tuple[Account, ...] = ()
    """Whose bindings the scenario itself may change, by REGISTERs of its own."""

    def binding(self, scenario: Scenario, domain: str) -> Binding:
        """In terms of a run."""
        return Binding(
            users={name: User(a.user, domain, a.password, a.auth) for name, a in self.accounts.items()},
            uris={target: f"sip:{dial}@{domain}" for target, dial in self.dials.items()},
            registers=frozenset(d.name for d in scenario.devices if d.kind == "device"),
            listens=self.listens,
            preferences=self.preferences,
        )

    def users(self, scenario: Scenario) -> dict[str, Account]:
        """Accounts by user; carriers are peers of the system and have none."""
        carriers = {d.name for d in scenario.devices if d.kind == "carrier"}
        return {a.user: a for name, a in self.accounts.items() if name not in carriers}


def place(scenario: Scenario, profile: Profile, load: Mapping[str, int]) -> Placing:
    """Bind every agent and target. Raises CannotBind with all that is missing.

    `load` says how many runs wait for a user already: of several groups that fit, the least wanted is taken.
    """
    placer = _Placer(scenario, profile, load)
    placer.place()
    if placer.missing:
        raise CannotBind(f"{profile.name}: {'; '.join(placer.missing)}")
    return placer.placing


class _Placer:
    def __init__(self, scenario: Scenario, profile: Profile, load: Mapping[str, int]) -> None:
        self._scenario = scenario
        self._profile = profile
        self._load = load
        self._taken: set[str] = set()
        """Users and carriers that this scenario has got."""
        self._carriers = {d.name for d in scenario.devices if d.kind == "carrier"}
        self.placing = Placing()
        self.missing: list[str] = []

    def place(self) -> None:
        if lacks := sorted(self._scenario.needs - self._offers()):
            self.missing.append(f"it lacks {', '.join(lacks)}")
        if owes_nothing(self._scenario, self._profile.kind):
            self.missing.append(f"it {OWES_NOTHING}")
        if silent := sorted(transports(self._scenario) - {"udp", *self._speaks()}):
            self.missing.append(f"it does not listen by {' or '.join(silent)}")
        for name in self._scenario.callers:
            self._role(name, f"caller {name}")
        for target in self._scenario.targets:
            self._target(target)
        dialled = {name for target in self._scenario.targets for name in target.members}
        for device in self._scenario.devices:
            if device.name in self._carriers:
                self.placing.accounts.setdefault(device.name, Account(device.name))
                if device.name not in self.placing.listens:
                    self.missing.append(f"carrier {device.name} is in no group that the profile has a number for")
            elif device.name not in dialled:
                self._role(device.name, f"device {device.name}")

    def _offers(self) -> set[str]:
        groups = {group.shape for group in self._profile.groups if group.members}
        speaks = {"ws" if name == "wss" else name for name in self._speaks()}
        more = ["register", *(["carriers"] if self._profile.carriers else [])]
        more += ["carrier-accounts"] if self._profile.trunks else []
        return {*self._profile.capabilities, *groups, *speaks, *more}

    def _speaks(self) -> set[str]:
        return {self._profile.transport, *self._profile.others}

    def _role(self, name: str, what: str) -> Account | None:
        """An account of this name, for one agent alone."""
        account = self._account(name)
        if account is None:
            self.missing.append(f"no role {name!r} in the profile for {what}")
        elif account.user in self._taken:
            self.missing.append(f"{what} would share account {account.user} with another agent")
        else:
            self._taken.add(account.user)
            self.placing.accounts[name] = account
        return account

    def _account(self, name: str) -> Account | None:
        """Of the accounts of a role one that no agent of this scenario has, the least wanted first."""
        accounts = self._profile.accounts_of(name)
        free = [account for account in accounts if account.user not in self._taken]
        return min(free or accounts, key=lambda account: self._load.get(account.user, 0), default=None)

    def _target(self, target: Target) -> None:
        if set(target.members) & self._carriers:
            self._route(target)
        elif len(target.members) == 1:
            self._single(target)
        elif target.together:
            self._contacts(target, "mixed")
        elif (group := self._group(target, len(target.members))) is not None:
            self._use(group, target)
        else:
            self._contacts(target, target.shape)

    def _single(self, target: Target) -> None:
        """One device is dialled by its own user: the role of the device, of the target, or a group's member."""
        [device] = target.members
        name = next((n for n in (device, target.name) if n in self._profile.roles), device)
        account = self._account(name)
        if account is None:
            self.missing.append(f"no role {target.name!r} or {device!r} in the profile for target {target.name}")
        elif account.user in self._taken:
            self.missing.append(f"device {device} would share account {account.user} with another agent")
        else:
            self._taken.add(account.user)
            self.placing.accounts[device] = account
            self.placing.dials[target.name] = account.user

    def _group(self, target: Target, size: int) -> Group | None:
        """A group of that shape and size that nobody in this scenario has, the least wanted first."""
        fitting = [
            group
            for group in self._profile.groups
            if group.shape == target.shape
            and len(group.members) == size
            and not self._taken & {member.user for member in group.members}
        ]
        return min(fitting, key=lambda g: max(self._load.get(m.user, 0) for m in g.members), default=None)

    def _use(self, group: Group, target: Target) -> None:
        for device, member in zip(target.members, group.members, strict=True):
            self._taken.add(member.user)
            self.placing.accounts[device] = member
        self.placing.dials[target.name] = group.dial

    def _contacts(self, target: Target, shape: str) -> None:
        """All members register for one account, if the system says that it forks by contacts."""
        count = len(target.members)
        account = self._account(target.name)
        if shape not in self._profile.capabilities or account is None or account.user in self._taken:
            wanted = f"no {shape} group with {count} members" if shape != "mixed" else "no way to hunt through groups"
            self.missing.append(f"{wanted} is free for {target.name} ({', '.join(target.members)})")
            return
        self._taken.add(account.user)
        for device in target.members:
            self.placing.accounts[device] = account
        self.placing.dials[target.name] = account.user
        if target.shape == "hunt":
            for step, members in enumerate(target.steps):
                q = round(1 - step / len(target.steps), 3)
                self.placing.preferences.update(dict.fromkeys(members, q))

    def _route(self, target: Target) -> None:
        """A target whose members are carriers."""
        groups = [g for g in self._profile.groups if g.shape == target.shape and len(g.carriers) == len(target.members)]
        free = [
            g for g in groups if not self._taken & set(g.carriers) and self._spoken(g.carriers) == self._wanted(target)
        ]
        if "carrier-accounts" in self._scenario.needs:
            free = [g for g in free if set(g.carriers) <= self._profile.trunks.keys()]
        if not set(target.members) <= self._carriers:
            self.missing.append(f"target {target.name} mixes devices and carriers")
        elif not free:
            by = " or ".join(sorted({*self._wanted(target)} - {self._profile.transport}))
            wanted = f"no {target.shape} group with {len(target.members)} carriers{by and f' by {by}'}"
            self.missing.append(f"{wanted} is free for {target.name}")
        else:
            for member, carrier in zip(target.members, free[0].carriers, strict=True):
                self._taken.add(carrier)
                if carrier in self._profile.trunks:
                    self.placing.accounts[member] = self._profile.trunks[carrier]
                self.placing.listens[member] = self._profile.carriers[carrier]
            self.placing.dials[target.name] = free[0].dial

    def _spoken(self, carriers: Iterable[str]) -> list[Transport]:
        """By which transports the system sends to them."""
        return [self._profile.routes.get(name, self._profile.transport) for name in carriers]

    def _wanted(self, target: Target) -> list[Transport]:
        """The transports of the carriers of a target; UDP leaves it open."""
        spoken = {device.name: device.transport for device in self._scenario.devices}
        return [spoken[name] if spoken[name] != "udp" else self._profile.transport for name in target.members]
