"""A system under test as its file (`*.system.yaml`) describes it, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sip_harness.model.entry import Address
from sip_harness.model.guard import EMERGENCY, PREMIUM
from sip_harness.model.place import NOWHERE, Place
from sip_harness.model.policy import Kind, Policy
from sip_harness.model.scenario import Shape, Transport

Impact = Literal["harmless", "disruptive"]


@dataclass(frozen=True, slots=True)
class Account:
    """One account of an external system; whoever uses it has it alone."""

    user: str
    password: str = field(default="", repr=False)
    auth: str = ""
    """Name to authenticate with; empty: `user`."""
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Group:
    """A number that reaches several: a ring group or a hunt group of a PBX, a route to carriers."""

    shape: Shape
    dial: str
    """What a caller dials."""
    members: tuple[Account, ...] = ()
    """In the order in which the system tries them, if it hunts."""
    carriers: tuple[str, ...] = ()
    """Names of carriers instead of members, in the order in which they are tried."""
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Guard:
    """Limits on what a run does to an external system."""

    hosts: tuple[str, ...] = ()
    """Hosts that may be contacted besides the system and its outbound proxy (media servers)."""
    max_calls: int = 1000
    """Of one run of the harness."""
    calls_per_second: float = 5.0
    """Of all runs of a user on one machine together."""
    numbers: tuple[str, ...] = ()
    """Allowed although they look like emergency or premium numbers; `*` at the end stands for any digits."""
    premium: tuple[str, ...] = PREMIUM
    emergency: tuple[str, ...] = EMERGENCY


@dataclass(frozen=True, slots=True)
class Setting:
    """A keyword setting of a built-in system, as written."""

    name: str
    value: str
    place: Place = NOWHERE


@dataclass(frozen=True)
class BuiltInProfile:
    """A built-in system with settings of its own."""

    name: str
    builtin: str
    settings: tuple[Setting, ...] = ()
    place: Place = NOWHERE


@dataclass(frozen=True)
class Profile:
    """An external system: it is already there, and others may use it too."""

    name: str
    kind: Kind
    address: Address
    """Host (a name or an IP address) and port."""
    domain: str
    """Host part of the addresses of record."""
    transport: Transport = "udp"
    """What agents speak whose scenario does not name a transport."""
    others: Mapping[Transport, Address] = field(default_factory=dict)
    """Where it listens by transports that scenarios name."""
    trust: str = ""
    """File of certificate authorities for TLS; empty: those of the machine."""
    bind: str = ""
    """Local IP address of the agents; empty: the one that the machine uses towards the system."""
    advertise: str = ""
    """Host that agents state in Via, Contact and SDP instead of the one that they are bound to."""
    outbound_proxy: Address | None = None
    """Where everything is sent instead of the system itself."""
    roles: Mapping[str, Account] = field(default_factory=dict)
    """Accounts by the name of the agent or target that uses them."""
    spares: Mapping[str, tuple[Account, ...]] = field(default_factory=dict)
    """Further accounts of a role, so that runs side by side need not wait for each other."""
    groups: tuple[Group, ...] = ()
    carriers: Mapping[str, Address] = field(default_factory=dict)
    """Which local address the system sends to, by carrier."""
    routes: Mapping[str, Transport] = field(default_factory=dict)
    """By which transport it sends to a carrier, where that is not the transport of everybody."""
    trunks: Mapping[str, Account] = field(default_factory=dict)
    """The accounts that the system has at carriers."""
    capabilities: frozenset[str] = frozenset()
    policy: Policy = field(default_factory=Policy)
    guard: Guard = field(default_factory=Guard)
    impact: Impact = "disruptive"
    """The worst that scenarios may do to it when they are asked for: `harmless` forbids disruptive ones for good."""
    place: Place = NOWHERE

    def accounts_of(self, role: str) -> tuple[Account, ...]:
        """All accounts of a role; none if there is no such role."""
        return (self.roles[role], *self.spares.get(role, ())) if role in self.roles else ()
