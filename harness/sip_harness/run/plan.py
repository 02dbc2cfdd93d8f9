"""Before a run: which stack each agent is on and why, and what part it plays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from sip_harness.agents.base import EXPIRES, Assignment
from sip_harness.model.entry import Role
from sip_harness.model.place import NOWHERE, Place
from sip_harness.model.scenario import Account, Call, Device, Scenario, Stack, Transport
from sip_harness.model.steps import ForwardBack
from sip_harness.model.system import SystemInfo
from sip_harness.script.everything import made_up_realms, seconds_in
from sip_harness.script.pjsua2_limits import Obstacle, call_obstacles, device_obstacles
from sip_harness.systems.base import Binding, Lease
from sip_harness.systems.intent import filled

OneStack = Literal["pjsua2", "wire"]
_ROUNDS = 4
"""How often the guard lets a phone hand one call back to an external system: a loop of more is stopped here."""


class CannotCarryOut(Exception):
    """The author names a stack for a script that this stack cannot carry out faithfully."""

    def __init__(self, agent: str, stack: str, reason: str, place: Place) -> None:
        super().__init__(agent, stack, reason, place)
        self.place = place
        self.reason = f"{agent} cannot be on the {stack} stack: {reason}"

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}" if self.place != NOWHERE else self.reason


class StackMissing(Exception):
    """The named stack is not there on this machine: the run is skipped."""


@dataclass(frozen=True, slots=True)
class Stacks:
    """What can be chosen from."""

    option: Stack = "auto"
    """What the command line asks for; it stands where the scenario leaves the choice open, and for devices only."""
    pjsua2_missing: str = ""
    """Why there is no pjsua2 here; empty if there is."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A stack and the reason for it, as reports show it."""

    stack: OneStack
    why: str


def choose_stacks(scenario: Scenario, stacks: Stacks) -> dict[str, Choice]:
    """The stack of every agent. Raises CannotCarryOut or StackMissing."""
    chosen = {device.name: _for_device(device, _visits(scenario, device), stacks) for device in scenario.devices}
    for caller in scenario.callers:
        chosen[caller] = _for_caller([call for call in scenario.calls if call.caller == caller], stacks)
    return chosen


def _visits(scenario: Scenario, device: Device) -> list[Call]:
    """The calls that may reach a device."""
    targets = {target.name for target in scenario.targets if device.name in target.members}
    return [call for call in scenario.calls if call.target in targets]


def _for_device(device: Device, calls: list[Call], stacks: Stacks) -> Choice:
    if device.kind == "carrier" and device.stack == "auto":
        return Choice("wire", "a carrier is no telephone")
    wanted = device.stack if device.stack != "auto" else stacks.option
    why = "the scenario names it" if device.stack != "auto" else "chosen by option"
    if wanted == "wire":
        return Choice("wire", why)
    hurdles = device_obstacles(device, calls)
    if wanted == "pjsua2":
        _require_pjsua2(device.name, hurdles, stacks)
        return Choice("pjsua2", why)
    if hurdles:
        return Choice("wire", f"pjsua2 cannot do it: {hurdles[0].reason}")
    if stacks.pjsua2_missing:
        return Choice("wire", stacks.pjsua2_missing)
    return Choice("pjsua2", "it can carry this script out")


def _for_caller(calls: list[Call], stacks: Stacks) -> Choice:
    """One stack for all calls of a caller: the one that the last call names which names any."""
    named: list[OneStack] = [call.stack for call in calls if call.stack != "auto"]
    if not named:
        return Choice("wire", "a caller must see all that follows the first final")
    if named[-1] == "pjsua2":
        _require_pjsua2(calls[0].caller, [hurdle for call in calls for hurdle in call_obstacles(call)], stacks)
    return Choice(named[-1], "the scenario names it")


def _require_pjsua2(agent: str, hurdles: list[Obstacle], stacks: Stacks) -> None:
    """An agent that the author wants on pjsua2: the mistake is told on machines without pjsua2 too."""
    if hurdles:
        raise CannotCarryOut(agent, "pjsua2", hurdles[0].reason, hurdles[0].place)
    if stacks.pjsua2_missing:
        raise StackMissing(stacks.pjsua2_missing)


def assign(scenario: Scenario, info: SystemInfo, binding: Binding, lease: Lease) -> list[Assignment]:
    """The part of every agent, devices first: they have to be there when the call comes.

    The system has an address for every transport of theirs: `bind` has seen to that. All calls of a caller name the
    same one: the language has.
    """
    parts = [*_devices(scenario, info, binding, lease), *_callers(scenario, info, binding, lease)]
    return [_placed(part, scenario, info) for part in parts]


def _devices(scenario: Scenario, info: SystemInfo, binding: Binding, lease: Lease) -> Iterator[Assignment]:
    for device in scenario.devices:
        part = _part(device.name, "device", device.transport, scenario, info, binding, lease)
        yield replace(
            part,
            script=device.script,
            register=device.name in binding.registers,
            preference=binding.preferences.get(device.name),
            expires=device.expires or EXPIRES,
            refreshes=device.expires is None,
            listen=binding.listens.get(device.name),
            listens=device.listens,
        )


def _callers(scenario: Scenario, info: SystemInfo, binding: Binding, lease: Lease) -> Iterator[Assignment]:
    spoken = {call.caller: call.transport for call in scenario.calls}
    accounts = {call.caller for call in scenario.calls if call.account is not None}
    made_up = made_up_realms(scenario)
    for name in scenario.callers:
        part = _part(name, "caller", spoken[name], scenario, info, binding, lease)
        yield replace(part, not_for=frozenset() if name in accounts else made_up)


def _part(
    name: str,
    kind: Literal["device", "caller"],
    transport: Transport,
    scenario: Scenario,
    info: SystemInfo,
    binding: Binding,
    lease: Lease,
) -> Assignment:
    """What every agent is told."""
    return Assignment(
        name=name,
        kind=kind,
        user=binding.users[name],
        contact=f"{name}-{lease.token}",
        system=info.address_of(transport),
        token=lease.token,
        patience=info.policy.prompt,
        media=scenario.media,
        open_to_all=False,
        transport=transport,
        trust=info.trust,
        certificate=info.certificate,
        names={agent: user.name for agent, user in binding.users.items()},
    )


def _placed(part: Assignment, scenario: Scenario, info: SystemInfo) -> Assignment:
    """Where the agent stands in the network, and what it may send."""
    calls = sum(call.caller == part.name and call.method == "INVITE" for call in scenario.calls)
    if part.script is not None:
        handed_back = sum(isinstance(step, ForwardBack) for steps in part.script.attempts for step in steps)
        calls += handed_back * len(scenario.calls) * _ROUNDS
    guard = replace(info.guard, calls=calls) if info.guard is not None else None
    return replace(
        part,
        certified=info.certified,
        bind=info.bind,
        advertise=info.advertise,
        behind_nat=bool(info.seen),
        guard=guard,
        # A proxy would pass a response on that it has given up waiting for.
        leaves_nothing=guard is not None and info.kind != "proxy",
    )


def over(scenario: Scenario, transport: Transport) -> Scenario:
    """The scenario with every agent that leaves its transport open (UDP) on this one."""
    if transport == "udp":
        return scenario
    devices = tuple(replace(d, transport=transport) if d.transport == "udp" else d for d in scenario.devices)
    calls = tuple(replace(c, transport=transport) if c.transport == "udp" else c for c in scenario.calls)
    return replace(scenario, devices=devices, calls=calls)


def dialling(call: Call, binding: Binding) -> Call:
    """The call with what its target has in this run in the places of its headers that stand for that, and with the
    account of the agent that it names."""
    dialled = binding.uris[call.target]
    if any("{" in value for _, value in call.headers):
        call = replace(call, headers=tuple((name, filled(value, dialled)) for name, value in call.headers))
    if call.raw is not None:
        text = call.raw.data.decode("utf-8", "surrogateescape")
        data = filled(text, dialled).encode("utf-8", "surrogateescape")
        call = replace(call, raw=replace(call.raw, data=data))
    if call.account is not None and call.account.agent:
        user = binding.users[call.account.agent]
        call = replace(call, account=Account(user.password, user.auth or user.name, call.account.agent, user.aor))
    return call


def role_of(part: Assignment, choice: Choice, trace: Literal["full", "partial"]) -> Role:
    """How an agent took part, for the record."""
    return Role(part.name, part.kind, choice.stack, choice.why, part.contact, part.user.aor, trace)


def limit(scenario: Scenario, info: SystemInfo) -> float:
    """Seconds after which a call that has not ended by itself is given up: everything that is scripted to take time,
    every timer of the system once, and room for reactions."""
    timers = sum(t.seconds + t.late for t in info.policy.timers.values())
    return seconds_in(scenario) + timers + 10 * info.policy.prompt
