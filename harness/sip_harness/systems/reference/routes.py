"""Which carriers of a run are behind which dialled user."""

from __future__ import annotations

from collections.abc import Iterator

from sip_harness.endpoint.request import Credentials
from sip_harness.model.scenario import Scenario
from sip_harness.net.base import host_port
from sip_harness.systems.base import Binding
from sip_harness.systems.reference.actions import Target
from sip_harness.systems.reference.forward import readable


def routes(scenario: Scenario, binding: Binding, *, accounts: bool = False) -> Iterator[tuple[str, list[Target]]]:
    """Every dialled user of the run, and its carriers, if it has any; with `accounts` as what these know us."""
    over_tcp = {device.name for device in scenario.devices if device.transport == "tcp"}
    for target in scenario.targets:
        dialled = readable(binding.uris[target.name])
        if dialled is not None:
            carriers = [name for name in target.members if name in binding.listens]
            yield (
                dialled.user,
                [_carrier(name, dialled.user, binding, tcp=name in over_tcp, account=accounts) for name in carriers],
            )


def _carrier(name: str, user: str, binding: Binding, *, tcp: bool, account: bool) -> Target:
    uri = f"sip:{user}@{host_port(binding.listens[name])}{';transport=tcp' if tcp else ''}"
    ours = binding.users[name]
    credentials = Credentials(ours.name, ours.password) if account else None
    return Target(uri, binding.preferences.get(name, 1.0), name, credentials)
