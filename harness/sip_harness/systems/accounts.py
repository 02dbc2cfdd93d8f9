"""Users of a run on a system that takes any user: made up from the lease, so that runs never meet."""

from __future__ import annotations

from urllib.parse import quote

from sip_harness.model.entry import Address
from sip_harness.model.policy import Kind
from sip_harness.model.scenario import Scenario, Transport
from sip_harness.model.system import SystemInfo, User
from sip_harness.model.vocabulary import CAPABILITIES
from sip_harness.model.wanted import Conforms
from sip_harness.systems.base import Binding, CannotBind, Lease, SystemFailed
from sip_harness.systems.slots import carrier_addresses

_KNOW_CARRIERS = {"carriers", "carrier-accounts", "registers-at-carrier"}
_UNRESERVED = "-_.!~*'()"  # RFC 3261 25.1 `mark`; letters and digits are always safe
OWES_NOTHING = "is no proxy and owes nothing of what 'expect: rfc3261' asks for"
"""What is said of a system for which `owes_nothing` holds."""


def fresh_users(scenario: Scenario, lease: Lease, info: SystemInfo) -> Binding:
    """Bind every role of the scenario to an account of its own, named after its role and the lease.

    The members of a target share the target's account, so they are contacts of one address of record (RFC 3261 10).
    Raises CannotBind if the system lacks a capability or a shape, or a device would need two accounts, SystemFailed if
    there is no address for a carrier.
    """
    _check_needs(scenario, info)
    names = _target_names(scenario)
    taken = {target.name for target in scenario.targets}
    for device in scenario.devices:
        if device.name not in names:  # nothing dials it: its account must be none that a target rings
            names[device.name] = f"{device.name}.device" if device.name in taken else device.name
    for caller in scenario.callers:
        names.setdefault(caller, caller)
    return Binding(
        users={agent: User(_user(name, lease), info.domain, info.password) for agent, name in names.items()},
        uris={t.name: f"sip:{_user(t.name, lease)}@{info.domain}" for t in scenario.targets},
        registers=frozenset(device.name for device in scenario.devices if device.kind == "device"),
        listens=_listens(scenario),
        preferences=_preferences(scenario),
    )


def _listens(scenario: Scenario) -> dict[str, Address]:
    try:
        return carrier_addresses(device.name for device in scenario.devices if device.kind == "carrier")
    except OSError as error:
        raise SystemFailed(f"there is no place for a carrier to listen: {error}") from error


def _preferences(scenario: Scenario) -> dict[str, float]:
    """Hunting is serial forking by q (RFC 3261 16.6): equal within a group, falling from one to the next."""
    return {
        member: round(1 - step / len(target.steps), 3)
        for target in scenario.targets
        if target.shape == "hunt"
        for step, members in enumerate(target.steps)
        for member in members
    }


def _check_needs(scenario: Scenario, info: SystemInfo) -> None:
    cannot: dict[str, list[str]] = {}
    carriers = [d.name for d in scenario.devices if d.kind == "carrier"]
    for target in scenario.targets:
        if target.shape not in info.capabilities and not set(target.members) <= set(carriers):
            cannot.setdefault(target.shape, []).append(target.name)
    if carriers and not info.capabilities & _KNOW_CARRIERS:
        cannot["route to carriers"] = carriers
    if any(target.together for target in scenario.targets) and "mixed" not in info.capabilities:
        cannot["hunt through groups"] = [target.name for target in scenario.targets if target.together]
    problems = [f"cannot {shape} as {', '.join(names)} must" for shape, names in sorted(cannot.items())]
    if lacks := sorted(scenario.needs - info.capabilities - cannot.keys()):
        problems.append(f"lacks {', '.join(map(_described, lacks))}")
    if silent := transports(scenario) - {"udp", *info.addresses}:
        problems.append(f"does not listen by {' or '.join(sorted(silent))}")
    if owes_nothing(scenario, info.kind):
        problems.append(OWES_NOTHING)
    if problems:
        raise CannotBind(f"{info.name} {' and '.join(problems)}")


def owes_nothing(scenario: Scenario, kind: Kind) -> bool:
    """Whether it asks for what only proxies owe (RFC 3261 16) of a system of another kind."""
    return kind != "proxy" and any(isinstance(wanted, Conforms) for wanted in scenario.expectations)


def transports(scenario: Scenario) -> set[Transport]:
    """What its agents speak; UDP is what they leave open."""
    return {device.transport for device in scenario.devices} | {call.transport for call in scenario.calls}


def _described(capability: str) -> str:
    meaning = CAPABILITIES.get(capability)
    return f"{capability} ({meaning})" if meaning else capability


def _target_names(scenario: Scenario) -> dict[str, str]:
    """The target of every device that is a member of one."""
    names: dict[str, str] = {}
    for target in scenario.targets:
        for member in target.members:
            if names.setdefault(member, target.name) != target.name:
                raise CannotBind(
                    f"device {member} is a member of {names[member]} and of {target.name}: a device has one account, "
                    "and an account is reached by one target; use a second device"
                )
    return names


def _user(name: str, lease: Lease) -> str:
    return f"{quote(name, safe=_UNRESERVED)}-{lease.token}"
