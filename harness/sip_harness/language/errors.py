"""pydantic's findings as diagnostics in the author's terms, at the author's place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from sip_harness.language.diagnostics import Diagnostic, Mistake
from sip_harness.language.fields import Misfit, kind_of
from sip_harness.language.part import Part
from sip_harness.language.source import Map, Node, Text, walk

_Path = tuple[str | int, ...]
_KEY = "[key]"

_MISSING = {
    "title": "say in one sentence what this scenario is about: 'title: ...'",
    "id": "give it an id of its own, as 'id: FK-01'",
    "calls": "write 'calls: [{from: alice, to: bob}]'",
    "until": "say what ends it, as 'until: g1 gets 2 REGISTER', or write 'watch: 3s'",
    "expect": "say what each agent gets, as 'expect: {alice: [486 from desk]}'",
    "from": "say who calls, as 'from: alice'",
    "to": "say which target is called, as 'to: bob'",
    "name": "give the system a name, as 'name: staging'",
    "kind": "say what it is: proxy, b2bua or trunk-client",
    "address": "say where it listens, as 'address: 192.0.2.10:5060'",
    "user": "say which account it is, as 'user: \"101\"'",
    "dial": "say what a caller dials, as 'dial: \"600\"'",
    "after": "say when the timer fires, as 'after: 20s'",
}
_NAMED = {
    "targets": "{bob: {ring: [desk]}}",
    "devices": "{desk: {answer: [ringing, busy-here]}}",
    "carriers": "{g1: {answer: [503]}}",
    "expect": "{alice: [486 from desk]}",
}
_UNIONS = {
    "expect": "expected a list of messages, 'never' or 'reached'",
    "order": "expected an event, as 'mobile sends 180'",
    "cite": "expected text or a list of texts",
    "devices": "expected a step",
    "carriers": "expected a step",
    "calls": "expected a step",
    "roles": 'expected an account, as {user: "101"}, or a list of accounts',
    "policy": "expected a time, as 20s, or a mapping with 'after'",
}

_ATTEMPTS = "what it does at the first call, the second, ... are the lists of answers: [[486], [ok]]"


def diagnostics(error: ValidationError, root: Map) -> Iterator[Diagnostic]:
    """All that pydantic found."""
    found = error.errors(include_url=False, include_input=False)
    bad_codes = {tuple(e["loc"][:-1]) for e in found if e["loc"][-1:] == (_KEY,) and "<response>" in e["loc"][-3:]}
    for one in found:
        path = tuple(one["loc"])
        if path[-1:] == (_KEY,) or not any(path[: len(bad)] == bad for bad in bad_codes):
            yield _diagnostic(one, path, root)


def at(root: Map, path: _Path, misfit: Misfit) -> Diagnostic:
    """A misfit of the value at this path."""
    return _mistake(root, (*path, *misfit.path), misfit.message, misfit.hint, key=misfit.key)


def _diagnostic(found: Any, path: _Path, root: Map) -> Diagnostic:
    raised = found.get("ctx", {}).get("error")
    if isinstance(raised, Mistake):
        return raised.diagnostic
    if isinstance(raised, Misfit):
        return at(root, path, raised)
    if found["type"] == "missing":
        name = str(path[-1])
        return _mistake(root, path[:-1], f"'{name}' is missing", _MISSING.get(name, ""), key=True)
    message, hint = _wrong_kind(found, path, walk(root, path)[0])
    return _mistake(root, path, message, hint)


def _wrong_kind(found: Any, path: _Path, value: Node) -> tuple[str, str]:
    kind = kind_of(value)
    if found["type"] == "list_type":
        return f"expected a list, found {kind}", _listed(path, value)
    if found["type"] in ("model_type", "dict_type"):
        return f"expected a mapping, found {kind}", _shape(found.get("ctx", {}).get("class_name", ""), path, value)
    if found["type"].startswith("union_tag"):
        by_attempt = kind == "a list" and path[2:3] == ("answer",)
        return f"{_UNIONS.get(str(path[0]), 'expected something else')}, found {kind}", _ATTEMPTS if by_attempt else ""
    return str(found["msg"]), ""


def _listed(path: _Path, value: Node) -> str:
    if isinstance(value, Text):
        if value.startswith("-"):
            return "put a space behind every dash"
        folded = "begin each item with a dash, or put brackets around it and commas between"
        return folded if "\n" in value.written else f"write [{value}]"
    if isinstance(value, Map):
        return "begin each item with a dash, or put brackets around it"
    return _MISSING.get(str(path[-1]), "")


def _shape(name: str, path: _Path, value: Node) -> str:
    parts = {part.__name__: part for part in _below(Part)}
    if name == "ResponseDoc" and isinstance(value, Text):
        return f"write '{path[-1]} {value}' without a colon, or {path[-1]}: {{reason: {value}}}"
    if name in parts:
        return f"write {parts[name].shape}"
    top = [part for part in path if not str(part).startswith("<")]
    if top[-1:] == ["headers"]:
        return "write headers: {Retry-After: 30, Subject: hello}"
    if len(top) == 1 and top[0] in _NAMED:
        return f"write {top[0]}: {_NAMED[str(top[0])]}, without dashes"
    return _MISSING.get(str(path[0]), "") if len(top) == 1 else ""


def _below(part: type[Part]) -> Iterator[type[Part]]:
    for one in part.__subclasses__():
        yield one
        yield from _below(one)


def _mistake(root: Map, path: Sequence[str | int], message: str, hint: str, *, key: bool = False) -> Diagnostic:
    return walk(root, path, key=key)[1].mistake(message, hint).diagnostic
