"""What a scenario expects of this very system: alternatives by its kind, and codes of its policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

from sip_harness.model.expecting import Amount, Heard, Timing
from sip_harness.model.pattern import ResponsePattern
from sip_harness.model.policy import Kind, Policy
from sip_harness.model.scenario import Scenario
from sip_harness.model.wanted import AnyOrder, ByFailover, ByKind, Expectation, Expected, ItemsByKind, Sequence


class CannotChoose(ValueError):
    """The scenario asks for something that the system's profile does not say."""

    def __init__(self, message: str, nearly: str = "") -> None:
        """`nearly` is what the profile says under a name so like it that one of both is misspelled."""
        self.nearly = nearly
        super().__init__(f"{message}; did you mean '{nearly}'?" if nearly else message)


def _nearly(name: str, known: Iterable[str]) -> str:
    return next(iter(get_close_matches(name, list(known), 1, 0.8)), "")


@dataclass(frozen=True)
class Says:
    """What a system says of itself."""

    name: str
    kind: Kind
    policy: Policy


def resolved(scenario: Scenario, system: Says) -> Scenario:
    """The scenario without alternatives. Raises CannotChoose with what the profile lacks."""
    chooser = _Chooser(system)
    return replace(scenario, expectations=tuple(chooser.expectation(one) for one in scenario.expectations))


class _Chooser:
    def __init__(self, system: Says) -> None:
        self._system = system

    def expectation(self, one: Expectation) -> Expectation:
        if isinstance(one, ByKind):
            found = dict(one.options).get(self._system.kind)
            if found is None:
                known = " and ".join(kind for kind, _ in one.options)
                raise CannotChoose(
                    f"{one.place}: the scenario says what {one.agent} gets from a {known}, and "
                    f"{self._system.name} is a {self._system.kind}: add '{self._system.kind}: [...]'"
                )
            return self.expectation(found)
        if isinstance(one, ByFailover):
            return self.expectation(one.tried if one.code in self._failover(one) else one.other)
        if isinstance(one, Sequence):
            return replace(one, items=tuple(part for item in one.items for part in self._items(item)))
        if isinstance(one, Heard) and one.timing is not None:
            self._check(one.timing)
        return one

    def _failover(self, one: ByFailover) -> tuple[int, ...]:
        codes = self._system.policy.failover
        if codes is None:
            raise CannotChoose(
                f"{one.place}: the policy of {self._system.name} does not say after which responses the "
                "next carrier is tried; add 'failover: [503, ...]' to the policy in its profile"
            )
        return codes

    def _items(self, item: Expected | AnyOrder | ItemsByKind) -> Iterator[Expected | AnyOrder]:
        if isinstance(item, ItemsByKind):
            for part in dict(item.options).get(self._system.kind, ()):
                yield from self._items(part)
        elif isinstance(item, AnyOrder):
            yield replace(item, items=tuple(self._expected(one) for one in item.items))
        else:
            yield self._expected(item)

    def _expected(self, one: Expected) -> Expected:
        if one.timing is not None:
            self._check(one.timing)
        pattern = one.pattern
        if not isinstance(pattern, ResponsePattern) or not pattern.policy:
            return one
        codes = frozenset(self._code(name, one) for name in pattern.policy)
        return replace(one, pattern=replace(pattern, codes=pattern.codes | codes))

    def _code(self, occasion: str, one: Expected) -> int:
        code = self._system.policy.codes.get(occasion)
        if code is None and occasion.isdigit():  # what becomes of a code: by the rules only a 503 changes on a proxy
            return 500 if occasion == "503" and self._system.kind == "proxy" else int(occasion)
        if code is None:
            raise CannotChoose(
                f"{one.place}: the policy of {self._system.name} has no code for '{occasion}'; "
                f"add 'codes: {{{occasion}: ...}}' to the policy in its profile",
                _nearly(occasion, self._system.policy.codes),
            )
        return code

    def _check(self, timing: Timing) -> None:
        for amount in (timing.earliest, timing.latest):
            if amount is not None:
                bounds(amount, self._system)


def bounds(amount: Amount, system: Says) -> tuple[float, float]:
    """The earliest and the latest moment of a stated time, in seconds. Raises CannotChoose for a timer that the policy
    does not have."""
    if not amount.timer:
        return amount.seconds, amount.seconds
    if amount.timer == "prompt":
        return system.policy.prompt, system.policy.prompt
    timer = system.policy.timers.get(amount.timer)
    if timer is None:
        known = ", ".join(system.policy.timers) or "none"
        raise CannotChoose(
            f"the policy of {system.name} has no timer '{amount.timer}' (it has: {known}); "
            f"add 'timers: {{{amount.timer}: ...}}' to the policy in its profile",
            _nearly(amount.timer, system.policy.timers),
        )
    return timer.seconds - timer.early, timer.seconds + timer.late
