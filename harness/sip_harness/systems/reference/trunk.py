"""A client that registers at carriers and answers their challenges, as a PBX does with its trunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sip_harness.model.entry import Address
from sip_harness.model.faults import trunking
from sip_harness.model.policy import Kind, Policy, Timer
from sip_harness.model.scenario import Scenario
from sip_harness.net.base import Hop
from sip_harness.net.clock import Clock
from sip_harness.systems.accounts import fresh_users
from sip_harness.systems.base import Binding, CannotBind, Lease, SystemFailed
from sip_harness.systems.reference.embedded import Embedded
from sip_harness.systems.reference.trunk_client import TrunkClient
from sip_harness.systems.reference.trunk_registration import Patience
from sip_harness.systems.slots import carrier_addresses

NAME = "reference-trunk"
CAPABILITIES = frozenset({"registers-at-carrier", "backup-registrars", "recursion", "gives-accounts-up", "tcp"})
FAULTS = (
    "ignores-retry-after",
    "takes-stale-for-refused",
    "answers-last-challenge",
    "sends-redirected-calls-back",
    *(fault.name for fault in trunking.FAULTS),
)
"""Fault switches, named as in the vocabulary."""
PASSWORD = "loopback-only"  # noqa: S105 - of made-up accounts at carriers that a scenario plays


class ReferenceTrunk(Embedded):
    """The trunk client as a system under test."""

    name = NAME
    kind: Kind = "trunk-client"
    capabilities = CAPABILITIES
    password = PASSWORD

    def __init__(self, *, patience: Patience | None = None, faults: Sequence[str] = ()) -> None:
        """Raises UnknownName for a fault that it does not have."""
        self._patience = patience or Patience()
        super().__init__(policy(self._patience), faults, FAULTS)
        self._client: TrunkClient | None = None

    def bind(self, scenario: Scenario, lease: Lease) -> Binding:
        """An account at every carrier, and a place for it. Raises CannotBind for calls: it makes and takes none."""
        if scenario.calls:
            raise CannotBind(f"{self.name} takes no calls: it registers at carriers and nothing else")
        carriers = [device.name for device in scenario.devices if device.kind == "carrier"]
        try:
            places = carrier_addresses(carriers)
        except OSError as error:
            raise CannotBind(f"{self.name} finds no place for a carrier: {error}") from error
        return replace(fresh_users(scenario, lease, self.info), listens=places)

    async def admit(self, scenario: Scenario, lease: Lease, binding: Binding) -> None:
        """Register at the carriers of the scenario: shortly after, when they are there. Those of one target are the
        registrars of one carrier; where there are targets nobody else is known."""
        if self._client is None:
            raise SystemFailed(f"{self.name} has not been started")
        spoken = {device.name: self._client.station.transport(device.transport) for device in scenario.devices}
        carriers = {
            name: Hop(spoken.get(name) or self._client.station.udp, where) for name, where in binding.listens.items()
        }
        groups = [target.members for target in scenario.targets if set(target.members) <= set(carriers)]
        groups = groups or [(name,) for name in carriers]
        accounts = [(binding.users[names[0]], [carriers[name] for name in names]) for names in groups]
        self._client.admit(lease.token, accounts, recurses="recursion" in scenario.needs)

    async def release(self, lease: Lease) -> None:
        """Unregister. Nothing waits for the answer: the carriers may have gone."""
        if self._client is not None:
            self._client.release(lease.token)

    def _open(self, clock: Clock) -> Address:
        self._client = TrunkClient(clock, self._patience, frozenset(self._faults))
        return self._client.station.address

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


def policy(patience: Patience) -> Policy:
    """What the client may take its time for."""
    timers = {
        "transaction": Timer(patience.transaction),
        "retry": Timer(patience.retry),
        "retry-cap": Timer(patience.cap),
    }
    return Policy(prompt=min(0.4, *(t.seconds / 2 for t in timers.values())), settle=0.1, timers=timers)
