"""Routes to the carriers of each run: dispatcher sets that exist for as long as the run does."""

from __future__ import annotations

import itertools
from contextlib import suppress
from dataclasses import dataclass, field

from sip_harness.model.entry import Address
from sip_harness.model.scenario import Device, Scenario
from sip_harness.sip.uri import parse_uri
from sip_harness.systems.base import Binding, CannotBind, Lease, SystemFailed
from sip_harness.systems.kamailio_rpc import Rpc

_TABLE = "carriers"
_WISHES = {
    "recursion": ("recurses", "1"),
    "stays-after-ringing": ("stays", "1"),
    "min-expires": ("least", "30"),
    "max-contacts": ("most", "2"),
    "anonymous-rejection": ("named", "1"),
}
"""Tables of the called users whose calls, or registrations, are treated by an optional capability, and the value there:
30 s are asked of registrations, less than the phones of a run ask for."""
_PROBED = 8  # dispatcher's flag
_FIRST_PRIORITY = 1000


def check_carriers(scenario: Scenario, name: str) -> None:
    """Raises CannotBind for what a dispatcher set cannot be: carriers in groups, among devices, behind WebSockets."""
    carriers = {d.name for d in scenario.devices if d.kind == "carrier"}
    if behind := sorted(d.name for d in scenario.devices if d.name in carriers and d.transport in ("ws", "wss")):
        raise CannotBind(f"{name} cannot reach {', '.join(behind)}: nobody can connect to a WebSocket client")
    for target in scenario.targets:
        if not carriers & set(target.members):
            continue
        if not set(target.members) <= carriers:
            raise CannotBind(f"{name} cannot hunt through carriers and devices alike as {target.name} must")
        if target.together:
            raise CannotBind(f"{name} cannot try carriers at once as {target.name} must")


@dataclass
class _Route:
    """A called user and the set that serves him."""

    user: str
    number: int
    members: list[str] = field(default_factory=list)


class Carriers:
    """Gives every target of carriers a set of its own, so that no run sees the gateways of another, nor their state."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self._numbers = itertools.count(1)
        self._routes: dict[Lease, list[_Route]] = {}
        self._wishes: dict[Lease, list[tuple[str, str]]] = {}

    async def admit(self, scenario: Scenario, lease: Lease, binding: Binding) -> None:
        """Set up the routes of a run: in the order of each target, probed if the scenario needs probing; and what
        else is to be done for its users.

        Raises SystemFailed.
        """
        carriers = {d.name: d for d in scenario.devices if d.kind == "carrier"}
        for table, value in (_WISHES[word] for word in sorted(scenario.needs & _WISHES.keys())):
            for target in scenario.targets:
                user = parse_uri(binding.uris[target.name]).user
                self._wishes.setdefault(lease, []).append((table, user))
                await self._rpc.call("htable.sets", table, user, value)
        flags = _PROBED if scenario.needs & {"probing", "damped-probing"} else 0
        for target in scenario.targets:
            if carriers.keys() & set(target.members):
                route = _Route(parse_uri(binding.uris[target.name]).user, next(self._numbers))
                self._routes.setdefault(lease, []).append(route)
                uris = [_uri(carriers[member], binding.listens[member]) for member in target.members]
                await self._set_up(route, uris, flags)

    async def _set_up(self, route: _Route, uris: list[str], flags: int) -> None:
        for place, uri in enumerate(uris):
            route.members.append(uri)
            await self._rpc.change("dispatcher.add", route.number, uri, flags, _FIRST_PRIORITY - place)
        await self._rpc.call("htable.sets", _TABLE, route.user, str(route.number))

    async def release(self, lease: Lease) -> None:
        """Take down what `admit` has set up, as far as it came. Never raises."""
        for table, user in self._wishes.pop(lease, []):
            with suppress(SystemFailed):
                await self._rpc.call("htable.delete", table, user)
        for route in self._routes.pop(lease, []):
            with suppress(SystemFailed):  # a system that is gone has no routes either
                await self._rpc.call("htable.delete", _TABLE, route.user)
                for uri in route.members:
                    await self._rpc.change("dispatcher.remove", route.number, uri)


def _uri(carrier: Device, listens: Address) -> str:
    host, port = listens
    return f"sip:{host}:{port}" + (f";transport={carrier.transport}" if carrier.transport != "udp" else "")
