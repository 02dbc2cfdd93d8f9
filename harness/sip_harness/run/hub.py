"""What happens at one agent and matters to the script of another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sip_harness.model.pattern import Event
from sip_harness.model.scenario import Scenario
from sip_harness.record.seen import Seen, happens
from sip_harness.script.everything import awaited_in
from sip_harness.script.machine import ACKED, acked_in


def events_of(scenario: Scenario) -> dict[str, Event]:
    """Every event that some script or call of this scenario waits for, by name."""
    return {str(event): event for event in awaited_in(scenario)}


@dataclass
class Hub:
    """Tells which awaited events a message is. An event happens once per call, or once per run where calls overlap."""

    events: dict[str, Event]
    devices: Iterable[str]
    overlapping: bool = False
    _fired: set[str] = field(default_factory=set, init=False)
    _counted: dict[str, set[tuple[object, ...]]] = field(default_factory=dict, init=False)
    """The different messages so far of every event that waits for several."""

    @property
    def fired(self) -> frozenset[str]:
        """What has happened so far."""
        return frozenset(self._fired)

    def feed(self, seen: Seen) -> list[str]:
        """Names of the events that happen with this message for the first time in the present call."""
        names = [name for name, event in self.events.items() if name not in self._fired and self._is_due(name, seen)]
        acked = acked_in(seen.sip.call_id) if self.overlapping else ACKED
        if acked not in self._fired and self._acknowledges_answer(seen):
            names.append(acked)
        self._fired.update(names)
        return names

    def forget(self) -> None:
        """Another call begins."""
        self._fired.clear()
        self._counted.clear()

    def _is_due(self, name: str, seen: Seen) -> bool:
        event = self.events[name]
        if not happens(event, seen):
            return False
        if event.count == 1:
            return True
        counted = self._counted.setdefault(name, set())
        counted.add(seen.retransmission_key)
        return len(counted) >= event.count

    def _acknowledges_answer(self, seen: Seen) -> bool:
        return seen.received and seen.agent in self.devices and 200 <= seen.acks < 300
