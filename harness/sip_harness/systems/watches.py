"""Who wants to hear what a system says."""

from __future__ import annotations

from collections.abc import Callable

from sip_harness.model.entry import Exit, Log
from sip_harness.systems.base import Watch


class Watches:
    """All who watch one system."""

    def __init__(self) -> None:
        self._sinks: dict[object, Watch] = {}

    def add(self, sink: Watch) -> Callable[[], None]:
        """Tell `sink` everything until the returned function is called."""
        key = object()
        self._sinks[key] = sink

        def leave() -> None:
            self._sinks.pop(key, None)

        return leave

    def tell(self, entry: Log | Exit) -> None:
        """Something was said, or has happened."""
        for sink in tuple(self._sinks.values()):
            sink(entry)
