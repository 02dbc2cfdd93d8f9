"""A scenario with one expectation changed: none of them may hold for a record for which the scenario holds.

What is known to say the same as before is not made at all; the rule stands where it is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sip_harness.model.expecting import Amount, Count, Heard, Match, Timing
from sip_harness.model.pattern import Event, Pattern, RequestPattern, ResponsePattern
from sip_harness.model.scenario import Scenario
from sip_harness.model.wanted import AnyOrder, Expectation, Expected, Never, Order, Reached, Schedule, Sequence

Item = Expected | AnyOrder
LATE, NEVER = Amount(3600), Amount(-1)


@dataclass(frozen=True)
class Mutant:
    """A scenario that asks for something else than before."""

    kind: str
    about: str
    scenario: Scenario


def mutants(scenario: Scenario) -> Iterator[Mutant]:
    """Every small change of what a scenario without alternatives expects."""
    for n, one in enumerate(scenario.expectations):
        for kind, about, other in _changed(one, scenario):
            rest = scenario.expectations[:n], scenario.expectations[n + 1 :]
            yield Mutant(kind, f"{getattr(one, 'agent', '')}: {about}", _put(scenario, (*rest[0], other, *rest[1])))


def _put(scenario: Scenario, expectations: tuple[Expectation, ...]) -> Scenario:
    return replace(scenario, expectations=expectations)


def _changed(one: Expectation, scenario: Scenario) -> Iterator[tuple[str, str, Expectation]]:
    match one:
        case Sequence():
            yield from _sequence(one, scenario)
        case Never():
            yield "reached", "never", Reached(one.agent, call=one.call)
            yield "sequence", "never", Sequence(one.agent, (Expected(RequestPattern("INVITE")),), call=one.call)
        case Reached():
            yield "never", "reached", Never(one.agent, call=one.call)
            yield "count", "reached", replace(one, count=Count(40, 40))
            yield "sequence", "reached", Sequence(one.agent, (), call=one.call)
        case Order():
            yield from _order(one)
        case Heard():
            yield from _heard(one)


def _sequence(one: Sequence, scenario: Scenario) -> Iterator[tuple[str, str, Expectation]]:
    items: tuple[Any, ...] = one.items
    for n, item in enumerate(items):
        before, after = items[:n], items[n + 1 :]
        if not _is_open(item, items):
            yield "drop", str(item), replace(one, items=(*before, *after))
        for kind, about, other in _items(item, scenario):
            if kind == "count" and _is_repeated(item, items):
                continue
            yield kind, about, replace(one, items=(*before, *other, *after))
        if after and not _may_swap(item, after[0]):
            yield "swap", f"{item}, {after[0]}", replace(one, items=(*before, after[0], item, *after[1:]))
    for n in range(len(items) + 1):
        for more in (RequestPattern("INVITE"), ResponsePattern(frozenset({599}))):
            if _may_come(more, items):  # that it has come as well may be asked for
                continue
            yield "add", str(more), replace(one, items=(*items[:n], Expected(more), *items[n:]))
    if scenario.device(one.agent) and scenario.calls and _due(one):
        yield "never", "sequence", Never(one.agent, call=one.call)
    for other in scenario.expectations:
        if isinstance(other, Sequence) and other.call == one.call and _due(other) != _due(one) == list(map(str, items)):
            yield "agent", other.agent, replace(one, agent=other.agent)


def _may_come(pattern: Pattern, items: tuple[Any, ...]) -> bool:
    return any(isinstance(one, Expected) and one.maybe and one.pattern == pattern for one in items)


def _is_open(item: Item, items: tuple[Any, ...]) -> bool:
    """What a sequence may leave unsaid: provisionals, 2xx to requests within a call, what may come, and the system's
    own requests where no other of that method is named."""
    if isinstance(item, AnyOrder):
        return all(_is_open(one, ()) for one in item.items)
    pattern = item.pattern
    if item.maybe:
        return True
    if isinstance(pattern, RequestPattern):
        others = sum(isinstance(i, Expected) and i.pattern == pattern for i in items)
        return pattern.method in ("OPTIONS", "REGISTER", "NOTIFY") and others == 1
    code = min(pattern.codes)
    return code < 200 or (code < 300 and pattern.method in ("CANCEL", "BYE", "INFO", "UPDATE", "PRACK"))


def _is_repeated(item: Item, items: tuple[Any, ...]) -> bool:
    """Whether more of the same may come, as challenges do that are answered."""
    pattern = getattr(item, "pattern", None)
    if isinstance(pattern, ResponsePattern) and pattern.codes <= {401, 407}:
        return True
    return any(isinstance(i, Expected) and i.maybe and i.pattern == pattern for i in items)


def _may_swap(item: Item, following: Item) -> bool:
    """Equal messages, and those of which one may stay out, have no order."""
    maybe = any(isinstance(i, Expected) and i.maybe for i in (item, following))
    return maybe or str(item) == str(following)


def _due(one: Sequence) -> list[str]:
    return [str(item) for item in one.items if not (isinstance(item, Expected) and item.maybe)]


def _items(item: Item, scenario: Scenario) -> Iterator[tuple[str, str, list[Item]]]:
    if isinstance(item, Expected):
        for kind, other in _expected(item, scenario):
            yield kind, str(item), [other]
        return
    for n, one in enumerate(item.items):
        rest = item.items[:n], item.items[n + 1 :]
        for kind, other in _expected(one, scenario):
            yield kind, str(item), [replace(item, items=(*rest[0], other, *rest[1]))]


def _expected(one: Expected, scenario: Scenario) -> Iterator[tuple[str, Expected]]:
    if one.maybe:  # it need not come, and so never breaks anything
        return
    for kind, pattern in _patterns(one.pattern):
        yield kind, replace(one, pattern=pattern)
    for agent in [*(d.name for d in scenario.devices), "system"] if one.source else ():
        if agent != one.source:
            yield "source", replace(one, source=agent)
    for n, match in enumerate(one.matches):
        for other in _matches(match):
            yield f"content {match.how}", replace(one, matches=(*one.matches[:n], other, *one.matches[n + 1 :]))
    yield "content", replace(one, matches=(*one.matches, Match("X-Nobody", "header", "present")))
    since = one.timing.since if one.timing else None
    yield "late", replace(one, timing=Timing(LATE, None, since, "late"))
    yield "early", replace(one, timing=Timing(None, NEVER, since, "early"))
    most = (one.count.most if one.count else 1) or 40
    yield "count", replace(one, count=Count(most + 1, most + 1))
    yield "count", replace(one, count=Count(0, 0))
    yield "resent", replace(one, resent=Schedule(at=(0.017,)))


def _matches(match: Match) -> Iterator[Match]:
    match match.how:
        case "is":
            yield replace(match, values=(*match.values[:-1], f"{match.values[-1]}x"))
        case "matches":
            yield replace(match, values=("^nothing like it$",))
        case "same":
            yield replace(match, how="is", values=("something else",))
        case "absent":
            yield replace(match, how="present")
    if match.how != "absent":
        yield replace(match, how="absent", values=())


def _patterns(pattern: Pattern) -> Iterator[tuple[str, Pattern]]:
    if isinstance(pattern, RequestPattern):
        yield "method", RequestPattern("GREET")
        if acks := _another(pattern.acks):
            yield "code", replace(pattern, acks=acks)
        return
    plain = replace(pattern, text="", policy=())
    if codes := _another(pattern.codes):
        yield "code", replace(plain, codes=codes)
    yield "class", replace(plain, codes=frozenset({(min(pattern.codes) // 100 % 6 + 1) * 100 + 71}))
    yield "method", replace(plain, method="GREET")


def _another(codes: frozenset[int]) -> frozenset[int]:
    """A code of the same class that is none of these; nothing if they are the whole class."""
    begin = min(codes, default=0) // 100 * 100
    others = (code for code in range(begin + 97, begin, -1) if codes and code not in codes)
    return frozenset(list(others)[:1])


def _order(one: Order) -> Iterator[tuple[str, str, Expectation]]:
    for n, event in enumerate(one.events):
        before, after = one.events[:n], one.events[n + 1 :]
        for other in _events(event):
            yield "event", str(event), replace(one, events=(*before, other, *after))
        if after:
            yield "order", f"{event}, {after[0]}", replace(one, events=(*before, after[0], event, *after[1:]))


def _events(event: Event) -> Iterator[Event]:
    yield from (replace(event, pattern=pattern) for _, pattern in _patterns(event.pattern))
    yield replace(event, verb="gets" if event.verb == "sends" else "sends")
    yield replace(event, count=event.count + 20)


def _heard(one: Heard) -> Iterator[tuple[str, str, Expectation]]:
    for level in ("tone", "silence", ""):
        if level != one.level:
            yield "level", str(one), replace(one, level=level)
    if one.level:
        since = one.timing.since if one.timing else None
        yield "count", str(one), replace(one, packets=Count(10**6, None, "packets"))
        yield "source", str(one), replace(one, source=one.agent)
        yield "late", str(one), replace(one, timing=Timing(LATE, None, since, "late"))
        yield "early", str(one), replace(one, timing=Timing(None, NEVER, since, "early"))
