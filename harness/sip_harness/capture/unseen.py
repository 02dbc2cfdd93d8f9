"""What of a scenario a capture says nothing about: it does not show every agent."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import TypeVar

from sip_harness.model.expecting import Heard
from sip_harness.model.scenario import Scenario
from sip_harness.model.wanted import (
    AnyOrder,
    ByFailover,
    ByKind,
    Conforms,
    Expectation,
    Expected,
    ItemsByKind,
    Order,
    Reached,
)
from sip_harness.model.wanted import Sequence as Gets

_LONGEST = 80
"""Characters of an expectation that is named."""
_MOST = 5
"""Expectations that are named."""
Option = TypeVar("Option", bound=Expectation)


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a scenario that can be judged."""

    scenario: Scenario
    agents: tuple[str, ...]
    """Who is not in the capture."""
    left: tuple[str, ...]
    """What is not judged, in words."""

    @property
    def judged(self) -> int:
        """How many expectations are."""
        return len(self.scenario.expectations)

    def __str__(self) -> str:
        """What is not judged and why; empty if all is."""
        if not self.left:
            return ""
        number = f"{len(self.left)} expectation{'s are' if len(self.left) > 1 else ' is'} not judged"
        more = [f"and {len(self.left) - _MOST} more"] if len(self.left) > _MOST else []
        why = f"{' and '.join(self.agents)} {'are' if len(self.agents) > 1 else 'is'} not in the capture"
        return f"{number}, for {why}: {'; '.join([*self.left[:_MOST], *more])}"


def judged_part(scenario: Scenario, unseen: Collection[str]) -> Part:
    """The scenario without what is about agents that are not seen. The names of those that it has no word about do
    not matter."""
    sieve = _Sieve(frozenset(unseen))
    kept = [one for e in scenario.expectations if (one := sieve.expectation(e)) is not None]
    names = [*scenario.callers, *(d.name for d in scenario.devices)]
    devices = tuple(d for d in scenario.devices if d.name not in unseen)
    part = replace(scenario, expectations=tuple(kept), devices=devices)
    return Part(part, tuple(name for name in names if name in unseen), tuple(dict.fromkeys(sieve.left)))


@dataclass
class _Sieve:
    unseen: frozenset[str]
    left: list[str] = field(default_factory=list)

    def expectation(self, one: Expectation) -> Expectation | None:
        """What is left of one; None if that is nothing."""
        if why := self._hidden(one):
            self._drop(why)
            return None
        if isinstance(one, ByKind):
            return replace(one, options=tuple((kind, self._option(option)) for kind, option in one.options))
        if isinstance(one, ByFailover):
            return replace(one, tried=self._option(one.tried), other=self._option(one.other))
        return self._option(one)

    def _hidden(self, one: Expectation) -> str:
        """What one that cannot be judged at all says; empty if it can be."""
        if isinstance(one, Conforms):
            return "all that RFC 3261 16 wants of the fork" if self.unseen else ""
        if isinstance(one, Order):
            gone = any(event.agent in self.unseen for event in one.events)
            return f"order: {', '.join(map(str, one.events))}" if gone else ""
        return f"{one.agent}: {_said(one)}" if one.agent in self.unseen else ""

    def _option(self, one: Option) -> Option:
        if not isinstance(one, Gets):
            return one
        return replace(one, items=tuple(self._item(one.agent, item) for item in one.items))

    def _item(self, agent: str, item: Expected | AnyOrder | ItemsByKind) -> Expected | AnyOrder | ItemsByKind:
        if isinstance(item, ItemsByKind):
            return replace(
                item, options=tuple((k, tuple(self._plain(agent, i) for i in some)) for k, some in item.options)
            )
        return self._plain(agent, item)

    def _plain(self, agent: str, item: Expected | AnyOrder) -> Expected | AnyOrder:
        if isinstance(item, AnyOrder):
            return replace(item, items=tuple(self._expected(agent, one) for one in item.items))
        return self._expected(agent, item)

    def _expected(self, agent: str, one: Expected) -> Expected:
        """A message without what of it hangs on an agent that is not seen: whose it is, when it comes, what it has
        in common with another one."""
        found = one
        if one.source in self.unseen or (one.source == "system" and self.unseen):
            self._drop(f"{agent}: {one.pattern}: that it is from {one.source}")
            found = replace(found, source="")
        if one.timing is not None and one.timing.since is not None and one.timing.since.agent in self.unseen:
            self._drop(f"{agent}: {one.pattern}: {one.timing}")
            found = replace(found, timing=None)
        for match in one.matches:
            if match.how == "same" and match.values[0] in self.unseen:
                self._drop(f"{agent}: {one.pattern}: {match}")
                found = replace(found, matches=tuple(m for m in found.matches if m is not match))
        return found

    def _drop(self, what: str) -> None:
        self.left.append(what if len(what) <= _LONGEST else f"{what[: _LONGEST - 1]}…")


def _said(one: Expectation) -> str:
    """An expectation about one agent, in words."""
    if isinstance(one, Gets):
        return ", ".join(map(str, one.items))
    if isinstance(one, ByKind):
        return "; ".join(f"{kind}: {_said(option)}" for kind, option in one.options)
    if isinstance(one, ByFailover):
        return f"{_said(one.tried)}, or {_said(one.other)}"
    return str(one) if isinstance(one, Heard | Reached) else "never"
