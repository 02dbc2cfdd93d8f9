"""The reference as a system under test: started in this process, on loopback, within milliseconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from sip_harness import __version__
from sip_harness.model.entry import Log
from sip_harness.model.faults import (
    callers,
    cancelling,
    carriers,
    dialogs,
    forking,
    reading,
    redirecting,
    registering,
    relaying,
    repeating,
)  # fmt: skip
from sip_harness.model.scenario import Scenario
from sip_harness.model.system import SystemInfo
from sip_harness.model.vocabulary import GRANTED
from sip_harness.net.base import host_port
from sip_harness.net.clock import Clock
from sip_harness.net.codec import Plain
from sip_harness.net.stream import StreamTransport
from sip_harness.net.udp import UdpSocket
from sip_harness.systems.accounts import fresh_users
from sip_harness.systems.base import Binding, Lease, SystemFailed, Watch
from sip_harness.systems.kept import printable
from sip_harness.systems.names import check_names
from sip_harness.systems.reference.auth import OF_DIGEST
from sip_harness.systems.reference.core import is_loopback
from sip_harness.systems.reference.lost import Lost
from sip_harness.systems.reference.patience import PatientClock
from sip_harness.systems.reference.probing import IN_A_ROW, Prober
from sip_harness.systems.reference.proxy import Proxy
from sip_harness.systems.reference.routes import routes
from sip_harness.systems.reference.segments import Segments
from sip_harness.systems.reference.settings import Settings
from sip_harness.systems.slots import carrier_addresses
from sip_harness.systems.watches import Watches

HOST, HOST6 = "127.0.0.1", "::1"
OVER_IPV4 = frozenset({
    "carriers", "stays-after-ringing", "overlap", "emergency", "overload-control", "probing",
    "damped-probing",
})  # fmt: skip
"""Capabilities that need the many addresses of 127/8."""
CAPABILITIES = frozenset({
    *GRANTED,
    "register", "ring", "hunt", "mixed", "min-expires", "max-contacts", "path", "outbound", "carriers",
    "stays-after-ringing", "overlap", "emergency", "overload-control", "anonymous-rejection", "probing",
    "damped-probing", "recursion", "use-proxy", "bars-premium-numbers", "request-disposition", "ended-dialogs",
    "hears-of-lost-connections", "tcp",
})  # fmt: skip
WISHES = frozenset({"recursion", "stays-after-ringing", "anonymous-rejection", "overlap", "overload-control"})
"""Capabilities that calls to a user are treated by where a scenario needs them, and no other calls."""
MOST = 2
"""Contacts that a user may have, where a scenario needs `max-contacts`."""
LEAST = 30
"""Seconds of a registration, where a scenario needs `min-expires`; the phones of a run ask for more."""
_ATTEMPTS = 20
_TOPICS = (forking, cancelling, carriers, relaying, repeating, reading, redirecting, registering, callers)
_FAULTS = (
    *(fault.name for topic in _TOPICS for fault in topic.FAULTS),
    *(fault.name for fault in dialogs.SHARED),
)


def capabilities(digest: bool = False) -> frozenset[str]:
    """What it can do in this variant, in the words of `needs`."""
    return CAPABILITIES | {"digest"} if digest else CAPABILITIES


def name_of(digest: bool = False) -> str:
    """Name of this variant."""
    return "reference-digest" if digest else "reference"


def faults_of(digest: bool = False) -> tuple[str, ...]:
    """Fault switches of this variant."""
    return tuple(name for name in _FAULTS if digest or name not in OF_DIGEST)


class Reference:
    """Registrar and forking proxy. It may be started again after `stop`, and belongs to the loop that started it."""

    def __init__(self, *, settings: Settings | None = None, faults: Sequence[str] = ()) -> None:
        """Raises UnknownName for a fault that it does not have."""
        settings = settings or Settings()
        self._faults = check_names("fault", faults, faults_of(settings.digest))
        self._settings = replace(settings, faults=frozenset(self._faults))
        self.name = name_of(self._settings.digest)
        self._info: SystemInfo | None = None
        self._proxy: Proxy | None = None
        self._transports: tuple[UdpSocket, StreamTransport] | None = None
        self._users: dict[str, tuple[str, ...]] = {}
        self._probers: dict[str, Prober] = {}
        self._watches = Watches()

    @property
    def info(self) -> SystemInfo:
        """Known after `start`, and still after `stop`; before, raises SystemFailed."""
        if self._info is None:
            raise SystemFailed(f"{self.name} has not been started")
        return self._info

    async def start(self) -> None:
        """Listen on a free port of loopback, the same for UDP and TCP. Raises SystemFailed."""
        if self._proxy is not None:
            raise SystemFailed(f"{self.name} has already been started")
        clock = PatientClock(asyncio.get_running_loop())
        proxy = Proxy(clock, self._settings, self._log)
        self._transports = udp, tcp = self._open(clock, proxy)
        proxy.core.transports = {"udp": udp, "tcp": tcp}
        tcp.on_cut = Lost(proxy.core.layer, tcp, self._settings.faults).cut
        self._proxy = proxy
        self._info = SystemInfo(
            name=self.name,
            kind="proxy",
            address=udp.local,
            domain=host_port(udp.local),
            policy=self._settings.policy(),
            capabilities=capabilities(self._settings.digest) - (OVER_IPV4 if self._settings.ipv6 else frozenset()),
            addresses={"tcp": udp.local},
            faults=self._faults,
            versions={"reference": __version__},
            password=self._settings.password if self._settings.digest else "",
        )

    @property
    def _host(self) -> str:
        return HOST6 if self._settings.ipv6 else HOST

    def _open(self, clock: Clock, proxy: Proxy) -> tuple[UdpSocket, StreamTransport]:
        """A port that was free for UDP may be taken for TCP: then another one."""
        problem: OSError | None = None
        for _ in range(_ATTEMPTS):
            udp: UdpSocket | None = None
            try:
                udp = UdpSocket(
                    clock,
                    (self._host, 0),
                    agent=self.name,
                    record=_nowhere,
                    receive=proxy.receive,
                    guard=is_loopback,
                    heeds_icmp=True,
                )
                tcp = StreamTransport(
                    clock,
                    udp.local,
                    "tcp",
                    agent=self.name,
                    record=_nowhere,
                    receive=proxy.receive,
                    guard=is_loopback,
                    codec=Segments if "reads-one-message-a-segment" in self._settings.faults else Plain,
                )
            except OSError as error:
                problem = error
                if udp is not None:
                    udp.close()
            else:
                return udp, tcp
        raise SystemFailed(f"{self.name} could not be started: {problem}")

    async def stop(self) -> None:
        """Close its ports and forget everything. Never raises; may be repeated."""
        proxy, self._proxy = self._proxy, None
        transports, self._transports = self._transports, None
        for prober in self._probers.values():
            prober.stop()
        self._probers.clear()
        self._users.clear()
        if proxy is not None:
            proxy.close()
        for transport in transports or ():
            transport.close()

    def processes(self) -> Sequence[int]:
        """None: it is in this one."""
        return ()

    def bind(self, scenario: Scenario, lease: Lease) -> Binding:
        """Fresh users for one run, a free address for every carrier. Raises CannotBind with what is missing."""
        binding = fresh_users(scenario, lease, self.info)
        carriers = [device.name for device in scenario.devices if device.kind == "carrier"]
        return replace(binding, listens=carrier_addresses(carriers))

    async def admit(self, scenario: Scenario, lease: Lease, binding: Binding) -> None:
        """Route what is dialled to the carriers of this run; probe them if it needs that. Raises SystemFailed."""
        if self._proxy is None:
            raise SystemFailed(f"{self.name} is not running")
        core, carriers, users = self._proxy.core, [], []
        wishes = scenario.needs & WISHES
        for dialled, members in routes(scenario, binding):
            users.append(dialled)
            if members:
                carriers += core.router.add(dialled, members)
            core.router.wish(dialled, wishes)
            if "min-expires" in scenario.needs:
                core.registrar.demand(dialled, LEAST)
            if "max-contacts" in scenario.needs:
                core.registrar.limit(dialled, MOST, self._settings.too_many_contacts)
        self._users[lease.token] = (*users, *(user.name for user in binding.users.values()))
        if scenario.needs & {"probing", "damped-probing"}:
            in_a_row = IN_A_ROW if "damped-probing" in scenario.needs else 1
            self._probers[lease.token] = Prober(core, carriers, in_a_row)

    async def release(self, lease: Lease) -> None:
        """Forget the carriers and contacts of this run."""
        if (prober := self._probers.pop(lease.token, None)) is not None:
            prober.stop()
        for user in self._users.pop(lease.token, ()):
            if self._proxy is not None:
                self._proxy.core.router.remove(user)

    def watch(self, sink: Watch) -> Callable[[], None]:
        """Hand every log line to `sink` until the returned function is called."""
        return self._watches.add(sink)

    def _log(self, text: str) -> None:
        self._watches.tell(Log(time.time_ns(), printable(text.encode("utf-8", "backslashreplace"))))


def _nowhere(_entry: object) -> None:
    """The agents record what crosses the wire: the system under test is judged by what they saw."""
