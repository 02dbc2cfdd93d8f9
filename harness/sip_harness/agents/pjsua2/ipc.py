"""What runner and worker say to each other: one JSON object per line over a socketpair.

Every value is a frozen dataclass of the model or one of the messages below. Nothing is executed on reading, and no
other class comes into being.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal

from sip_harness.agents.base import Assignment
from sip_harness.model import entry, guard, pattern, place, scenario, script, steps, system, wanted
from sip_harness.model.entry import Address
from sip_harness.model.scenario import Call

MAX_LINE = 16 * 1024 * 1024
"""Bytes of one line: a script of a thousand attempts fits; more is a mistake of ours."""

Trace = Literal["full", "partial"]


class BadLine(ValueError):
    """What the other end wrote is none of the messages of this module."""


@dataclass(frozen=True, slots=True)
class Lease:
    """To the worker: be this agent until `Stop`."""

    assignment: Assignment


@dataclass(frozen=True, slots=True)
class MakeCall:
    """To the worker: make this call."""

    call: Call
    uri: str


@dataclass(frozen=True, slots=True)
class Happened:
    """To the worker: this event has happened in the present call."""

    event: str


@dataclass(frozen=True, slots=True)
class Forget:
    """To the worker: another call begins, nothing has happened in it yet."""


@dataclass(frozen=True, slots=True)
class Stop:
    """To the worker: end the lease."""


@dataclass(frozen=True, slots=True)
class Quit:
    """To the worker: end."""


@dataclass(frozen=True, slots=True)
class Hello:
    """To the runner: the library is loaded, leases can come."""

    trace: Trace
    why: str
    """Why the trace is only partial; empty if it is full."""


@dataclass(frozen=True, slots=True)
class Ready:
    """To the runner: the agent has its place."""

    local: Address


@dataclass(frozen=True, slots=True)
class Refused:
    """To the runner: the agent cannot take its place."""

    why: str


@dataclass(frozen=True, slots=True)
class Ended:
    """To the runner: the lease is over and nothing is left of it."""


_MODULES = (entry, guard, pattern, place, scenario, script, steps, system, wanted)
_CLASSES: dict[str, type[Any]] = {
    c.__name__: c
    for c in (
        *(c for module in _MODULES for c in vars(module).values() if isinstance(c, type) and is_dataclass(c)),
        *(Assignment, Lease, MakeCall, Happened, Forget, Stop, Quit, Hello, Ready, Refused, Ended),
    )
}


def encode(value: object) -> bytes:
    """One value as one line, line end included. Raises TypeError for what cannot be said."""
    return json.dumps(_plain(value), separators=(",", ":")).encode("ascii") + b"\n"


def decode(line: bytes) -> object:
    """The value of one line. Raises BadLine."""
    try:
        return _value(json.loads(line))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadLine(f"not understood: {line[:80]!r} ({error})") from error


def _plain(value: object) -> object:
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if isinstance(value, bytes):
        return {"bytes": value.decode("latin-1")}
    if isinstance(value, frozenset):
        return {"set": sorted(map(_plain, value), key=str)}
    if isinstance(value, Mapping):
        return {"map": {k: _plain(v) for k, v in value.items()}}
    if is_dataclass(value) and type(value).__name__ in _CLASSES:
        return {"is": type(value).__name__, **{f.name: _plain(getattr(value, f.name)) for f in fields(value)}}
    raise TypeError(f"{type(value).__name__} is never sent")


def _value(plain: Any) -> Any:
    if isinstance(plain, list):
        return tuple(_value(v) for v in plain)
    if not isinstance(plain, dict):
        return plain
    if "is" in plain:
        return _CLASSES[plain["is"]](**{k: _value(v) for k, v in plain.items() if k != "is"})
    [(kind, content)] = plain.items()
    if kind == "bytes":
        return content.encode("latin-1")
    if kind == "set":
        return frozenset(_value(v) for v in content)
    if kind == "map":
        return {k: _value(v) for k, v in content.items()}
    raise ValueError(f"unknown kind {kind!r}")


class Lines:
    """Cuts a byte stream into values."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[object]:
        """The values that are complete with this data. Raises BadLine."""
        begin = len(self._rest)
        self._rest += data
        while (end := self._rest.find(b"\n", begin)) >= 0:
            line = bytes(self._rest[:end])
            del self._rest[: end + 1]
            begin = 0
            yield decode(line)
        if len(self._rest) > MAX_LINE:
            raise BadLine(f"a line of more than {MAX_LINE} bytes")
