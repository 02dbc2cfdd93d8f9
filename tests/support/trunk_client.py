"""A system that acts by itself: registers with every carrier of a run and probes it with OPTIONS. It takes no calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from sip_harness.endpoint.registration import Registration
from sip_harness.endpoint.request import Credentials
from sip_harness.endpoint.single import SingleRequest
from sip_harness.endpoint.ua import Identity, UserAgent
from sip_harness.model.policy import Policy, Timer
from sip_harness.model.scenario import Scenario
from sip_harness.model.system import SystemInfo, User
from sip_harness.net.base import Hop, Receiver
from sip_harness.net.clock import Clock
from sip_harness.net.udp import UdpSocket
from sip_harness.sip.transaction_tables import Timers
from sip_harness.systems.base import Binding, Lease, Watch
from sip_harness.systems.slots import carrier_addresses

PASSWORD = "a secret"


@dataclass
class TrunkClient:
    """Implements `systems.base.System`."""

    password: str = PASSWORD
    """What it answers challenges with; carriers are told PASSWORD."""
    expires: int = 60
    """Lifetime that it asks for, seconds."""
    pause: float = 0.1
    """Seconds between two REGISTERs where one failed, and between two probes."""
    tries: int = 3
    """REGISTERs at most, challenges not counted."""
    probes: int = 0
    """OPTIONS to each carrier."""
    _ua: UserAgent | None = field(default=None, init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)

    @property
    def info(self) -> SystemInfo:
        assert self._ua is not None
        policy = Policy(0.2, 0.1, {"transaction": Timer(0.5)})
        return SystemInfo("trunk", "trunk-client", self._ua.transport.local, "trunk.test", policy)

    async def start(self) -> None:
        clock = Clock(asyncio.get_running_loop(), lambda _lag: None)
        identity = Identity("sip:line@trunk.test", "line", Credentials("line", self.password), "trunk")

        def transport(receive: Receiver) -> UdpSocket:
            return UdpSocket(clock, ("127.0.0.1", 0), agent="trunk", record=lambda _e: None, receive=receive,
                             guard=lambda _a: True)  # fmt: skip

        self._ua = UserAgent(clock, transport, identity, timers=Timers(t1=0.05, t2=0.2, t4=0.2))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._ua is not None:
            self._ua.close()

    def processes(self) -> tuple[int, ...]:
        return ()

    def bind(self, scenario: Scenario, lease: Lease) -> Binding:
        carriers = [device.name for device in scenario.devices]
        users = {name: User("line", "trunk.test", PASSWORD) for name in carriers}
        return Binding(users, {}, frozenset(), carrier_addresses(carriers))

    async def admit(self, scenario: Scenario, lease: Lease, binding: Binding) -> None:
        for address in binding.listens.values():
            task = asyncio.get_running_loop().create_task(self._talk(address))
            self._tasks.add(task)

    async def release(self, lease: Lease) -> None:
        """Nothing of a run is kept."""

    def watch(self, sink: Watch) -> Callable[[], None]:
        return lambda: None

    async def _talk(self, address: tuple[str, int]) -> None:
        assert self._ua is not None
        hop = Hop(self._ua.transport, address)
        uri = f"sip:{address[0]}:{address[1]}"
        await asyncio.sleep(self.pause)
        for _ in range(self.tries):
            outcome: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            Registration(self._ua, hop, uri, self.expires, partial(_first, outcome)).register()
            if type(await outcome).__name__ == "Registered":
                break
            await asyncio.sleep(self.pause)
        for _ in range(self.probes):
            over = asyncio.Event()
            SingleRequest(self._ua, "OPTIONS", uri, hop, over.set)
            await over.wait()
            await asyncio.sleep(self.pause)


def _first(outcome: asyncio.Future[object], value: object) -> None:
    """Refreshes of a registration have outcomes too."""
    if not outcome.done():
        outcome.set_result(value)
