"""What a run asks of a system under test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sip_harness.model.entry import Address, Exit, Log
from sip_harness.model.scenario import Scenario
from sip_harness.model.system import SystemInfo, User

Watch = Callable[[Log | Exit], None]
"""Takes log lines of the system, and its exit if it ends by itself; called on the run's event loop, never blocks."""


class CannotBind(Exception):
    """The system has no place for this scenario: the message says which capability or shape is missing (a skip)."""


class SystemFailed(Exception):
    """The system could not be started or did not become ready; the message has its last log lines."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A run's own place on a system: nobody else has its users, contacts or numbers."""

    session: str
    """Made up once per process, letters and digits."""
    number: int
    """Counted from 1 in the session."""

    @property
    def token(self) -> str:
        """Part of every name of this run."""
        return f"{self.session}x{self.number}"


@dataclass(frozen=True)
class Binding:
    """Roles and shapes of a scenario in terms of one system, for one lease."""

    users: Mapping[str, User]
    """The account of every agent (devices that ring together for one target share its user)."""
    uris: Mapping[str, str]
    """Request-URI to dial, by target."""
    registers: frozenset[str]
    """Devices that must register to be reached."""
    listens: Mapping[str, Address] = field(default_factory=dict)
    """Where the system looks for those of its peers that do not register (carriers). The others take any free port."""
    preferences: Mapping[str, float] = field(default_factory=dict)
    """The q of the contact that a device registers (RFC 3261 10.2.1.2): the higher, the earlier it is tried."""


class System(Protocol):
    """A system under test."""

    @property
    def info(self) -> SystemInfo:
        """Known after `start`."""

    async def start(self) -> None:
        """Start or find the system and wait until it answers. Raises SystemFailed."""

    async def stop(self) -> None:
        """Stop what `start` started; leaves no process, port or file behind; never raises."""

    def processes(self) -> Sequence[int]:
        """Its processes on this machine, once it has started; none if it is elsewhere, or embedded in this one."""

    def bind(self, scenario: Scenario, lease: Lease) -> Binding:
        """Users and dial strings for one run. Raises CannotBind."""

    async def admit(self, scenario: Scenario, lease: Lease, binding: Binding) -> None:
        """The run begins, its agents start next: set up what it needs (routes to its carriers, a slot).

        Raises SystemFailed.
        """

    async def release(self, lease: Lease) -> None:
        """The run is over and its agents have gone: nothing of it is left in the system. Never raises."""

    def watch(self, sink: Watch) -> Callable[[], None]:
        """Hand log lines and an unexpected exit to `sink` until the returned function is called."""
