"""What happens at one agent and matters to the script of another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sip_harness.model.pattern import Event
from sip_harness.model.scenario import Scenario
from sip_harness.record.seen import Seen, happens
from sip_harness.script.everything import awaited_in
from sip_harness.script.machine import ACKED


def events_of(scenario: Scenario) -> dict[str, Event]:
    """Every event that some script or call of this scenario waits for, by name."""
    return {str(event): event for event in awaited_in(scenario)}


@dataclass
class Hub:
    """Tells which awaited events a message is. An event happens once per call."""

    events: dict[str, Event]
    devices: Iterable[str]
    _fired: set[str] = field(default_factory=set, init=False)

    def feed(self, seen: Seen) -> list[str]:
        """Names of the events that happen with this message for the first time in the present call."""
        names = [name for name, event in self.events.items() if name not in self._fired and happens(event, seen)]
        if ACKED not in self._fired and self._acknowledges_answer(seen):
            names.append(ACKED)
        self._fired.update(names)
        return names

    def forget(self) -> None:
        """Another call begins."""
        self._fired.clear()

    def _acknowledges_answer(self, seen: Seen) -> bool:
        return seen.received and seen.agent in self.devices and 200 <= seen.acks < 300
