"""When each call of a run is made, and when the run may end, where calls have times of their own or are watched beside.

Pure: times are seconds on any monotonic clock as long as it is always the same one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sip_harness.model.scenario import Call, Scenario


@dataclass
class Timeline:
    """Told what happens and asked what is due."""

    scenario: Scenario
    begin: float
    limit: float
    """Seconds after the last call, or after the beginning, at which everything is given up."""
    _fired: dict[str, float] = field(default_factory=dict, init=False)
    _open: list[Call] = field(init=False)
    """Calls that are not made yet."""
    _last: float = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is made yet."""
        self._open = list(self.scenario.calls)
        self._last = self.begin

    def happened(self, event: str, now: float) -> None:
        """An event, by name."""
        self._fired.setdefault(event, now)

    def due(self, now: float, *, over: bool) -> list[Call]:
        """Calls to be made now, each once; `over`: all calls that were made are. Those without a time of their own go
        in turn, each when all before it are made and over."""
        found = [call for call in self._open if call.at is not None and self._time(call) <= now]
        if self._open and self._open[0].at is None and over:
            found.insert(0, self._open[0])
        self._open = [call for call in self._open if call not in found]
        if found:
            self._last = now
        return found

    def next(self, now: float) -> float:
        """Seconds until something is due by its time; a call without one is due when others are over."""
        times = [*map(self._time, self._open), self._end(), self._last + self.limit]
        return min((time - now for time in times if time > now), default=0.0)

    def ended(self, now: float, *, over: bool) -> bool:
        """Whether nothing is left to do or to wait for."""
        return over and not self._open and now >= self._end()

    def given_up(self, now: float) -> bool:
        """Whether the limit is reached."""
        return now >= self._last + self.limit

    def missing(self) -> list[str]:
        """What has not come about, in words."""
        found = [f"{call.name} was never made: it waited in vain for {call.at}" for call in self._open if call.at]
        watch = self.scenario.watch
        if watch is not None and watch.until is not None and str(watch.until) not in self._fired:
            found.append(f"in {watch.seconds:g} s it did not come about that {watch.until}")
        return found

    def _time(self, call: Call) -> float:
        if call.at is None:
            return math.inf
        if call.at.event is None:
            return self.begin + call.at.delay
        return self._fired.get(str(call.at.event), math.inf) + call.at.delay

    def _end(self) -> float:
        """When the watch ends: with its event, or at its longest."""
        watch = self.scenario.watch
        if watch is None:
            return self.begin
        fired = self._fired.get(str(watch.until), math.inf)
        return min(fired, self.begin + watch.seconds)
