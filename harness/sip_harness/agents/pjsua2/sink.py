"""Where the messages of an Endpoint go, however they are seen."""

from __future__ import annotations

from typing import Protocol

from sip_harness.model.entry import Address


class Sink(Protocol):
    """Takes what the tap sees, in order, while it happens."""

    def received(self, data: bytes, remote: Address) -> None: ...

    def sent(self, data: bytes, remote: Address) -> None: ...

    def dropped(self, data: bytes, remote: Address, why: str) -> None: ...

    def stopped(self, why: str) -> None:
        """The guard did not let a message leave."""

    def broke(self, error: Exception) -> None:
        """Taking something failed: nothing may pass through C frames, so it is kept for later."""
