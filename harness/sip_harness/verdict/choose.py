"""What a scenario expects of this very system: alternatives by its kind, and codes of its policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

from sip_harness.model.expecting import Amount, Heard, Timing
from sip_harness.model.pattern import Event, Pattern, ResponsePattern
from sip_harness.model.policy import Kind, Policy
from sip_harness.model.scenario import Scenario
from sip_harness.model.wanted import AnyOrder, ByFailover, ByKind, Expectation, Expected, ItemsByKind, Order, Sequence


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
    chooser = _Chooser(system, frozenset(scenario.callers))
    return replace(scenario, expectations=tuple(chooser.expectation(one) for one in scenario.expectations))


class _Chooser:
    def __init__(self, system: Says, callers: frozenset[str]) -> None:
        self._system = system
        self._callers = callers

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
            items = (part for item in one.items for part in self._items(item))
            return replace(one, items=tuple(map(self._heard, items) if one.agent in self._callers else items))
        if isinstance(one, Order):
            return replace(one, events=tuple(map(self._event, one.events)))
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

    def _heard(self, item: Expected | AnyOrder) -> Expected | AnyOrder:
        """What a caller hears of this: the code that the system has for that of a phone."""
        if isinstance(item, AnyOrder):
            return replace(item, items=tuple(self._told(one) for one in item.items))
        return self._told(item)

    def _told(self, one: Expected) -> Expected:
        return one if one.source == "system" else replace(one, pattern=self._mapped(one.pattern))

    def _event(self, event: Event) -> Event:
        heard = event.verb == "gets" and event.agent in self._callers
        return replace(event, pattern=self._mapped(event.pattern)) if heard else event

    def _mapped(self, pattern: Pattern) -> Pattern:
        """With what the policy's map of codes makes of them; a proxy has none (RFC 3261 16.7 step 9).

        A 487 is the system's own, to a CANCEL, and what is said within a call it may pass on as it is.
        """
        if not isinstance(pattern, ResponsePattern) or pattern.policy or self._system.kind == "proxy":
            return pattern
        own = frozenset(self._system.policy.told(code) for code in pattern.codes - {487}) - pattern.codes
        if pattern.method != "INVITE" or not own:
            return pattern
        text = f"{ResponsePattern(pattern.codes, text=pattern.text)}, told as {ResponsePattern(own)}"
        return replace(pattern, codes=pattern.codes | own, text=text)

    def _code(self, occasion: str, one: Expected) -> int:
        code = self._system.policy.codes.get(occasion)
        if code is None and occasion.isdigit():  # what becomes of a code: by the rules only a 503 changes on a proxy
            leaks = occasion == "503" and self._system.kind == "proxy"
            return 500 if leaks else self._system.policy.told(int(occasion))
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
