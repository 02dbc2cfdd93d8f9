"""What the systems in this process have in common: they are up at once, have no log and never end by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from sip_harness import __version__
from sip_harness.model.entry import Address
from sip_harness.model.policy import Kind, Policy
from sip_harness.model.system import SystemInfo
from sip_harness.net.clock import Clock
from sip_harness.systems.base import SystemFailed, Watch
from sip_harness.systems.names import check_names
from sip_harness.systems.reference.patience import PatientClock


class Embedded:
    """Start, stop and description of a system in this process; the rest of `System` is for those who inherit.

    It may be started again after `stop`, and belongs to the event loop that started it.
    """

    name: str
    kind: Kind
    capabilities: frozenset[str]
    password = ""

    def __init__(self, policy: Policy, faults: Sequence[str], known: Sequence[str]) -> None:
        """Raises UnknownName for a fault that is not known."""
        self._policy = policy
        self._faults = check_names("fault", faults, known)
        self._info: SystemInfo | None = None
        self._started = False

    @property
    def info(self) -> SystemInfo:
        """Known after `start`, and still after `stop`; before, raises SystemFailed."""
        if self._info is None:
            raise SystemFailed(f"{self.name} has not been started")
        return self._info

    async def start(self) -> None:
        """Listen on a free port of loopback, the same for UDP and TCP. Raises SystemFailed with the reason."""
        if self._started:
            raise SystemFailed(f"{self.name} has already been started")
        try:
            address = self._open(PatientClock(asyncio.get_running_loop()))
        except OSError as error:
            raise SystemFailed(f"{self.name} could not be started: {error}") from error
        self._started = True
        self._info = SystemInfo(
            name=self.name,
            kind=self.kind,
            address=address,
            domain=f"{address[0]}:{address[1]}",
            policy=self._policy,
            capabilities=self.capabilities,
            addresses={"tcp": address},
            faults=self._faults,
            versions={self.name: __version__},
            password=self.password,
        )

    async def stop(self) -> None:
        """Free the port. Never raises; may be repeated."""
        self._started = False
        self._close()

    def processes(self) -> Sequence[int]:
        """None: it is in this one."""
        return ()

    def watch(self, sink: Watch) -> Callable[[], None]:
        """Nothing is ever handed to `sink`."""
        return _nothing

    def _open(self, clock: Clock) -> Address:
        """Begin to serve; where. Raises OSError."""
        raise NotImplementedError

    def _close(self) -> None:
        """Stop serving, if it has begun."""
        raise NotImplementedError


def _nothing() -> None:
    """There is nothing to leave."""
