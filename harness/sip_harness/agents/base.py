"""What a run asks of an agent, whichever stack it is on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from sip_harness.model.entry import Address, Entry
from sip_harness.model.guard import GuardRules
from sip_harness.model.scenario import Call, Listens, Transport
from sip_harness.model.script import Script
from sip_harness.model.system import User

EXPIRES = 60
"""Seconds for which an agent registers, over and over, unless its scenario says otherwise."""

Emit = Callable[[Entry], None]
"""Takes every entry of an agent as it arises; called on the run's event loop, never blocks."""


class SetupRefused(Exception):
    """The agent could not take its place: registration refused, port gone. The run is blocked, nobody has failed."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One agent's part in one run."""

    name: str
    kind: Literal["device", "caller"]
    user: User
    contact: str
    """User part of the Contact URI, unique to this run and agent (it contains the lease token)."""
    system: Address
    """Where the system listens: registrar and next hop."""
    token: str
    """Lease token of the run; part of every Call-ID that the agent makes up."""
    script: Script | None = None
    """What a device answers; for a caller how it reacts to requests and what it is deaf to, None for the usual."""
    register: bool = False
    preference: float | None = None
    """The q of the contact that it registers (RFC 3261 10.2.1.2); None: none is stated."""
    listen: Address | None = None
    """Where it has to listen, because the system looks for it there; None: any free port."""
    listens: Listens = ""
    """Whether its port stays open once it has taken its place."""
    expires: int = EXPIRES
    """Asked-for lifetime of the registration, seconds."""
    refreshes: bool = True
    """Whether it registers anew before that is over."""
    not_for: frozenset[str] = frozenset()
    """Realms that a caller does not show its credentials to: those that scripted agents have made up."""
    patience: float = 0.4
    """Seconds after which an answered call without a stated end is hung up at the latest."""
    transport: Transport = "udp"
    """What it speaks with the system."""
    open_to_all: bool = True
    """Whether it serves calls that come from elsewhere than the system and carry no name of the session. In a run
    these are strays, and turned away."""
    media: bool = False
    """Whether RTP is sent in this scenario: every call of the agent then has an RTP port. Without it none has, and
    thousands of calls cost no socket."""
    trust: str = ""
    """File with the certificate authorities that it believes on TLS; empty: those of the machine."""
    certificate: str = ""
    """File with the certificate and key that it shows on TLS; empty: one that nobody else knows."""
    certified: str = ""
    """Name that the system's TLS certificate must have; empty: the address in `system`."""
    bind: str = ""
    """Local IP address that it is bound to; empty: loopback."""
    advertise: str = ""
    """Host that it states in Via, Contact and SDP; empty: the one that it is bound to."""
    behind_nat: bool = False
    """Whether the system is known to see us elsewhere than we are."""
    guard: GuardRules | None = None
    """What it may send, and where; None: to the system and to loopback, whatever it is."""
    leaves_nothing: bool = False
    """Whether what the script has not answered is refused when the run is over."""
    names: Mapping[str, str] = field(default_factory=dict)
    """User parts of the addresses of record of all agents of the run, by agent."""


class Agent(Protocol):
    """A scripted user agent, bound to one assignment from start to stop."""

    @property
    def local(self) -> Address:
        """Its SIP address, known after `start`."""

    @property
    def trace(self) -> Literal["full", "partial"]:
        """Whether the record has every byte at its kernel receive time, known after `start`."""

    @property
    def busy(self) -> bool:
        """Whether its script still sends something at a time of its own, even if the call is over by then."""

    async def start(self) -> None:
        """Open, and register if assigned to. Raises SetupRefused with the reason."""

    def call(self, call: Call, uri: str) -> None:
        """Make a call to this Request-URI; returns at once, everything else is seen in the record."""

    def happened(self, event: str) -> None:
        """Tell the script that this event (by name) has happened in the present call. Each event is told once."""

    def forget(self) -> None:
        """Another call begins: nothing has happened in it yet."""

    async def stop(self) -> None:
        """End what is still open (CANCEL, BYE), unregister and close; bounded in time; never raises."""
