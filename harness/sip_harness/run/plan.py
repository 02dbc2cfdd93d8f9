"""Before a run: which stack each agent is on and why, and what part it plays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sip_harness.agents.base import Assignment
from sip_harness.model.entry import Role
from sip_harness.model.place import NOWHERE, Place
from sip_harness.model.scenario import Scenario, Stack
from sip_harness.model.system import SystemInfo
from sip_harness.script.pjsua2_limits import obstacles
from sip_harness.systems.base import Binding, Lease

OneStack = Literal["pjsua2", "wire"]


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
    chosen = {device.name: _for_device(scenario, device.name, stacks) for device in scenario.devices}
    for call in scenario.calls:
        if call.caller in chosen and call.stack == "auto":
            continue
        if call.stack == "pjsua2":
            _require_pjsua2(stacks)
        why = "the scenario names it" if call.stack != "auto" else "a caller must see all that follows the first final"
        chosen[call.caller] = Choice("wire" if call.stack == "auto" else call.stack, why)
    return chosen


def _for_device(scenario: Scenario, name: str, stacks: Stacks) -> Choice:
    device = scenario.device(name)
    assert device is not None
    wanted = device.stack if device.stack != "auto" else stacks.option
    why = "the scenario names it" if device.stack != "auto" else "chosen by option"
    if wanted == "wire":
        return Choice("wire", why)
    hurdles = obstacles(device.script)
    if wanted == "pjsua2":
        _require_pjsua2(stacks)
        if hurdles:
            raise CannotCarryOut(name, "pjsua2", hurdles[0].reason, hurdles[0].place)
        return Choice("pjsua2", why)
    if hurdles:
        return Choice("wire", f"pjsua2 cannot do it: {hurdles[0].reason}")
    if stacks.pjsua2_missing:
        return Choice("wire", stacks.pjsua2_missing)
    return Choice("pjsua2", "it can carry this script out")


def _require_pjsua2(stacks: Stacks) -> None:
    if stacks.pjsua2_missing:
        raise StackMissing(stacks.pjsua2_missing)


def assign(scenario: Scenario, info: SystemInfo, binding: Binding, lease: Lease) -> list[Assignment]:
    """The part of every agent, devices first: they have to be there when the call comes."""
    devices = [
        Assignment(
            name=device.name,
            kind="device",
            user=binding.users[device.name],
            contact=f"{device.name}-{lease.token}",
            system=info.address,
            token=lease.token,
            script=device.script,
            register=device.name in binding.registers,
            patience=info.policy.prompt,
        )
        for device in scenario.devices
    ]
    callers = [
        Assignment(
            name=name,
            kind="caller",
            user=binding.users[name],
            contact=f"{name}-{lease.token}",
            system=info.address,
            token=lease.token,
            patience=info.policy.prompt,
        )
        for name in scenario.callers
    ]
    return devices + callers


def role_of(part: Assignment, choice: Choice, trace: Literal["full", "partial"]) -> Role:
    """How an agent took part, for the record."""
    return Role(part.name, part.kind, choice.stack, choice.why, part.contact, part.user.aor, trace)


def limit(scenario: Scenario, info: SystemInfo) -> float:
    """Seconds after which a call that has not ended by itself is given up: everything that is scripted to take time,
    every timer of the system once, and room for reactions."""
    waits = sum(
        getattr(step, "seconds", 0.0) for d in scenario.devices for steps in d.script.attempts for step in steps
    )
    triggers = (t for call in scenario.calls for t in (call.cancel, call.hang_up) if t is not None)
    timers = sum(t.seconds + t.late for t in info.policy.timers.values())
    return waits + sum(t.delay for t in triggers) + timers + 10 * info.policy.prompt
