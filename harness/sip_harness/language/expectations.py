"""From what a document expects to the expectations of the model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from sip_harness.language.expect_doc import AgentDoc, GroupDoc, ItemKindsDoc, ShouldDoc
from sip_harness.language.message_doc import expected_of
from sip_harness.language.order_doc import ShouldOrderDoc
from sip_harness.language.source import Text
from sip_harness.model.expecting import Severity
from sip_harness.model.pattern import Event
from sip_harness.model.policy import Kind
from sip_harness.model.wanted import (
    AnyOrder,
    ByFailover,
    ByKind,
    Expectation,
    Expected,
    ItemsByKind,
    Never,
    Order,
    Reached,
    Sequence,
)


def expectations(wanted: Mapping[Text, Any], call: str = "") -> Iterator[Expectation]:
    """What each agent gets, in all calls or in one."""
    for name, one in wanted.items():
        if isinstance(one, AgentDoc):
            yield from _of_agent(name, one, call)
        else:
            yield _due(name, one, call)


def orders(items: Iterable[Any]) -> Iterator[Order]:
    """What has to follow one another."""
    found = list(items)
    events = [item for item in found if isinstance(item, Event)]
    for one in [events] if events else found:
        severity: Severity = "should" if isinstance(one, ShouldOrderDoc) else "must"
        listed = one.should if isinstance(one, ShouldOrderDoc) else one
        yield Order(tuple(listed), listed[0].place, severity)


def _of_agent(name: Text, one: AgentDoc, call: str) -> Iterator[Expectation]:
    if one.gets is not None:
        yield _due(name, one.gets, call)
    if one.should is not None:
        yield _due(name, one.should, call, "should")
    kinds = (("proxy", one.proxy), ("b2bua", one.b2bua), ("trunk-client", one.trunk))
    options = tuple((cast(Kind, kind), _due(name, due, call)) for kind, due in kinds if due is not None)
    if options:
        yield ByKind(str(name), options, name.place, call)
    if one.condition is not None:
        tried, other = (_due(name, due, call) for due in (one.tried, one.other))
        yield ByFailover(str(name), one.condition, tried, other, name.place, call)
    for heard in one.hears if isinstance(one.hears, list) else filter(None, [one.hears]):
        yield replace(heard, agent=str(name), call=call)


def _due(name: Text, due: Any, call: str, severity: Severity = "must") -> Sequence | Never | Reached:
    if due == "never":
        return Never(str(name), name.place, severity, call)
    if isinstance(due, Reached):
        return replace(due, agent=str(name), place=name.place, severity=severity, call=call)
    items = tuple(one for item in due for one in _items(item))
    return Sequence(str(name), items, name.place, severity, call)


def _items(item: Any) -> Iterator[Expected | AnyOrder | ItemsByKind]:
    if isinstance(item, GroupDoc):
        items = tuple(expected_of(one) for one in item.any_order)
        yield AnyOrder(items, items[0].place)
    elif isinstance(item, ShouldDoc):
        for one in item.should:
            yield from (_graded(part) for part in _plain(one))
    elif isinstance(item, ItemKindsDoc):
        kinds = (("proxy", item.proxy), ("b2bua", item.b2bua), ("trunk-client", item.trunk))
        options = tuple(
            (cast(Kind, kind), tuple(part for one in items for part in _plain(one)))
            for kind, items in kinds
            if items is not None
        )
        yield ItemsByKind(options, next(_places(options)))
    else:
        yield expected_of(item)


def _plain(item: Any) -> Iterator[Expected | AnyOrder]:
    """As `_items` where nothing depends on the kind of system."""
    return (one for one in _items(item) if not isinstance(one, ItemsByKind))


def _graded(item: Expected | AnyOrder) -> Expected | AnyOrder:
    if isinstance(item, AnyOrder):
        return replace(item, items=tuple(_should(one) for one in item.items))
    return _should(item)


def _should(one: Expected) -> Expected:
    return replace(one, severity="should", matches=tuple(replace(m, severity="should") for m in one.matches))


def _places(options: Any) -> Iterator[Any]:
    return (item.place for _, items in options for item in items)
