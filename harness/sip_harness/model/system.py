"""What a system under test offers to a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sip_harness.model.entry import Address
from sip_harness.model.guard import GuardRules
from sip_harness.model.policy import Kind, Policy
from sip_harness.model.scenario import Transport


@dataclass(frozen=True)
class SystemInfo:
    """A system as scenarios see it."""

    name: str
    kind: Kind
    address: Address
    domain: str
    """Host part of the addresses of record."""
    policy: Policy
    capabilities: frozenset[str] = frozenset()
    """What it can do, in the words of `needs`: `register`, `ring`, `digest`, ..."""
    faults: tuple[str, ...] = ()
    """Fault switches that are on."""
    versions: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, Address] = field(default_factory=dict)
    """Where it listens by transport other than UDP: `tcp`, `tls`, `ws`, `wss`."""
    trust: str = ""
    """File with the certificate authorities that its TLS certificate is signed by; empty: those of the machine."""
    certificate: str = ""
    """File with a certificate and its key that the system believes, for agents to show on TLS; empty: there is none."""
    password: str = ""
    """Digest password of every user that a lease makes up; empty if the system does not challenge."""
    transport: Transport = "udp"
    """What agents speak that leave it open (UDP in a scenario leaves it open)."""
    bind: str = ""
    """Local IP address of the agents; empty: loopback."""
    advertise: str = ""
    """Host that agents state instead of `bind`; empty: `bind` itself."""
    seen: str = ""
    """Host where the system sees us, if a NAT makes that another one than `bind` and none is advertised."""
    certified: str = ""
    """Name that the system's TLS certificate must have; empty: its address."""
    guard: GuardRules | None = None
    """What agents may send; None: everything that stays on this machine."""
    pace: float = 0.0
    """Calls per second that may be begun from this machine; 0: any."""

    @property
    def is_external(self) -> bool:
        """Whether others use it too: it was there before the harness, which knows it by a profile."""
        return self.guard is not None

    def address_of(self, transport: Transport) -> Address:
        """Where it listens by this transport. Raises KeyError if it does not."""
        return self.address if transport == "udp" else self.addresses[transport]


@dataclass(frozen=True, slots=True)
class User:
    """An account of the system for one agent of one run."""

    name: str
    """User part of the address of record."""
    domain: str
    password: str = field(default="", repr=False)
    auth: str = ""
    """Name to authenticate with; empty: `name`."""

    @property
    def aor(self) -> str:
        """Address of record (RFC 3261 6)."""
        return f"sip:{self.name}@{self.domain}"
