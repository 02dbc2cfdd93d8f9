"""Typed access to one JSON object of a record that may come from anywhere: each member is checked before it is used."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Literal, TypeVar, cast, get_args

from sip_harness.model.entry import Address, Direction, Header, Level, Origin, Role
from sip_harness.model.policy import BadPolicy, Deviation, Kind, Policy, Timer

_LARGEST = 2**63 - 1
_DIRECTIONS, _ORIGINS, _KINDS, _LEVELS = get_args(Direction), get_args(Origin), get_args(Kind), get_args(Level)
T = TypeVar("T")


class BadEntry(ValueError):
    """An object that is not what its type asks for; the message says which member and why."""


def blob_of(data: bytes) -> tuple[str, str]:
    """Key and value under which bytes are written: `text` without loss, or else `base64`."""
    try:
        return "text", data.decode()
    except UnicodeDecodeError:
        return "base64", b64encode(data).decode("ascii")


class Fields:
    """The members of one object, each to be taken once; `done` refuses what is left."""

    def __init__(self, members: Mapping[str, object], where: str = "") -> None:
        self._left = dict(members)
        self._where = where

    def _take(self, name: str, kind: type[T], words: str) -> T:
        if name not in self._left:
            raise BadEntry(f"{self._name(name)} is missing")
        value = self._left.pop(name)
        if type(value) is not kind:  # no isinstance: to JSON a bool is no number
            raise BadEntry(f"{self._name(name)} must be {words}, not {shown(value)}")
        return value

    def _name(self, name: str) -> str:
        return f"{self._where}{name}"

    def done(self) -> None:
        """Raises BadEntry if members are left that nobody asked for."""
        if self._left:
            names = ", ".join(shown(n) for n in sorted(self._left)[:5])
            raise BadEntry(f"unknown {self._where or 'member'} {names}")

    def string(self, name: str) -> str:
        return self._take(name, str, "text")

    def integer(self, name: str) -> int:
        value = self._take(name, int, "a whole number")
        if abs(value) > _LARGEST:
            raise BadEntry(f"{self._name(name)} is out of range")
        return value

    def natural(self, name: str) -> int:
        value = self.integer(name)
        if value < 0:
            raise BadEntry(f"{self._name(name)} must not be negative ({value})")
        return value

    def time(self) -> int:
        return self.natural("time")

    def number(self, name: str) -> float:
        """Seconds, not negative."""
        whole = type(self._left.get(name)) is int
        value = float(self.integer(name)) if whole else self._take(name, float, "a number")
        if not 0 <= value < 1e9:
            raise BadEntry(f"{self._name(name)} is out of range")
        return value

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.string(name)
        if value not in allowed:
            raise BadEntry(f"{self._name(name)} must be one of {', '.join(allowed)}, not {shown(value)}")
        return value

    def direction(self) -> Direction:
        return cast("Direction", self.choice("direction", _DIRECTIONS))

    def origin(self) -> Origin:
        return cast("Origin", self.choice("origin", _ORIGINS))

    def level(self) -> Level:
        return cast("Level", self.choice("level", _LEVELS))

    def flag(self, name: str) -> bool:
        return self._take(name, bool, "true or false")

    def naturals(self, name: str) -> tuple[int, ...]:
        values = self._take(name, list, "a list of whole numbers")
        if not all(type(v) is int and 0 <= v <= _LARGEST for v in values):
            raise BadEntry(f"{self._name(name)} must be a list of whole numbers")
        return tuple(values)

    def strings(self, name: str) -> tuple[str, ...]:
        values = self._take(name, list, "a list of text")
        if not all(type(v) is str for v in values):
            raise BadEntry(f"{self._name(name)} must be a list of text")
        return tuple(values)

    def strings_by_name(self, name: str) -> dict[str, str]:
        values = self._take(name, dict, "an object of text")
        if not all(type(v) is str for v in values.values()):
            raise BadEntry(f"{self._name(name)} must be an object of text")
        return values

    def address(self, name: str) -> Address:
        match self._take(name, list, "a pair of host and port"):
            case [str() as host, int() as port] if type(port) is int and 0 <= port <= 65_535:
                return host, port
        raise BadEntry(f"{self._name(name)} must be a pair of host and port")

    def blob(self) -> bytes:
        """The bytes under `text` or `base64`, exactly one of which must be there."""
        if ("text" in self._left) == ("base64" in self._left):
            raise BadEntry("exactly one of text and base64 is needed")
        try:
            if "text" in self._left:
                return self.string("text").encode()
            return b64decode(self.string("base64"), validate=True)
        except BadEntry:
            raise
        except ValueError as error:
            raise BadEntry(f"bytes cannot be restored: {error}") from None

    def objects(self, name: str) -> list[Fields]:
        values = self._take(name, list, "a list of objects")
        if not all(type(v) is dict for v in values):
            raise BadEntry(f"{self._name(name)} must be a list of objects")
        return [Fields(v, f"{name}[{i}].") for i, v in enumerate(values)]

    def inner(self, name: str) -> Fields:
        return Fields(self._take(name, dict, "an object"), f"{self._where}{name}.")

    def header(self) -> Header:
        """The whole object as a header."""
        header = Header(
            scenario=self.string("scenario"), title=self.string("title"), source=self.string("source"),
            system=self.string("system"), kind=cast("Kind", self.choice("kind", _KINDS)),
            address=self.address("address"), policy=self.inner("policy").policy(), session=self.string("session"),
            lease=self.natural("lease"), roles=tuple(f.role() for f in self.objects("roles")),
            faults=self.strings("faults"), versions=self.strings_by_name("versions"),
            started=self.natural("started"), uncertainty=self.natural("uncertainty"),
        )  # fmt: skip
        self.done()
        return header

    def policy(self) -> Policy:
        timers = self.inner("timers").timers()
        codes = self.inner("codes").codes()
        deviations = tuple(f.deviation() for f in self.objects("deviations"))
        try:
            policy = Policy(self.number("prompt"), self.number("settle"), timers, codes, deviations, self.failover())
        except BadPolicy as error:
            raise BadEntry(f"policy: {error}") from None
        self.done()
        return policy

    def failover(self) -> tuple[int, ...] | None:
        """None where nothing is known of it; records of before do not speak of it."""
        if self._left.get("failover") is None:
            self._left.pop("failover", None)
            return None
        return self.naturals("failover")

    def timers(self) -> dict[str, Timer]:
        return {name: self.inner(name).timer() for name in list(self._left)}

    def codes(self) -> dict[str, int]:
        return {name: self.natural(name) for name in list(self._left)}

    def timer(self) -> Timer:
        timer = Timer(self.number("seconds"), self.number("early"), self.number("late"))
        self.done()
        return timer

    def deviation(self) -> Deviation:
        values = (self.string(name) for name in ("scenario", "expectation", "observed", "reason"))
        deviation = Deviation(*values)
        self.done()
        return deviation

    def role(self) -> Role:
        role = Role(
            name=self.string("name"),
            kind=cast("Literal['device', 'caller']", self.choice("kind", ("device", "caller"))),
            stack=cast("Literal['pjsua2', 'wire']", self.choice("stack", ("pjsua2", "wire"))),
            why=self.string("why"),
            user=self.string("user"),
            aor=self.string("aor"),
            trace=cast("Literal['full', 'partial']", self.choice("trace", ("full", "partial"))),
        )
        self.done()
        return role


def shown(value: object) -> str:
    """A value from a file for use in an error message: short and in ASCII."""
    return repr(value)[:40].encode("ascii", "backslashreplace").decode()
