"""A scenario as a tree of texts, lists and mappings in which every value knows where its author wrote it.

The tree is made from a file (`compose`) or from Python values (`plain`); the schema reads both alike. Scalars are text,
whatever they look like: `+4930123` keeps its plus and `on` stays a word. Only an empty value is None.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence as AnySequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from sip_harness.language.diagnostics import Diagnostic, Mistake, excerpt, visible
from sip_harness.model.place import Place

MAX_HINT = 300
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what YAML counts as the end of a line


class Origin(Protocol):
    """Something that an author wrote, addressed by character."""

    @property
    def prefix(self) -> str:
        """What a message begins with if the place does not say enough."""

    def place(self, index: int) -> Place:
        """Where the character with this index stands."""

    def excerpt(self, begin: int, end: int) -> str:
        """The line around these characters, with carets."""


@dataclass(frozen=True)
class File:
    """The text of a file."""

    name: str
    text: str = field(repr=False)
    prefix: str = field(default="", init=False)
    _starts: tuple[int, ...] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        starts = (0, *(m.end() for m in _BREAK.finditer(self.text)))
        object.__setattr__(self, "_starts", starts)

    def place(self, index: int) -> Place:
        line = bisect_right(self._starts, index)
        return Place(self.name, line, index - self._starts[line - 1] + 1)

    def index(self, place: Place) -> int:
        """The character at a place of this file."""
        return self._starts[place.line - 1] + place.column - 1

    def excerpt(self, begin: int, end: int) -> str:
        place = self.place(begin)
        start = begin - place.column + 1
        close = _BREAK.search(self.text, begin)
        line = self.text[start : close.start() if close else len(self.text)]
        return excerpt(line, begin - start, end - start, str(place.line))


@dataclass(frozen=True)
class Value:
    """A Python value, found by its path of keys: `devices.desk.answer[0]`."""

    where: Place
    path: str
    text: str = ""

    @property
    def prefix(self) -> str:
        return f"{visible(self.path)}: " if self.path else ""

    def place(self, index: int) -> Place:
        return self.where

    def excerpt(self, begin: int, end: int) -> str:
        return excerpt(self.text, begin, end) if self.text else ""


@dataclass(frozen=True, slots=True)
class Spot:
    """A stretch of what an author wrote."""

    origin: Origin
    begin: int = 0
    end: int = 0

    @property
    def place(self) -> Place:
        return self.origin.place(self.begin)

    def mistake(self, message: str, hint: str = "") -> Mistake:
        """A mistake at this spot, to be raised or collected."""
        shown = self.origin.excerpt(self.begin, self.end)
        told = visible(self.origin.prefix + message)
        return Mistake(Diagnostic(self.place, told, visible(hint[:MAX_HINT]), shown))


class Text(str):
    """A scalar or a key. Use `str(text)` for what leaves this package."""

    origin: Origin
    indices: AnySequence[int]
    """For every character, and for the end, its index in the origin."""
    before: Text | None = None
    """The item before this one if both stand in a list written with brackets, where a comma may have cut them apart."""

    def __new__(cls, text: str, origin: Origin, indices: AnySequence[int] | None = None) -> Text:
        self = super().__new__(cls, text)
        self.origin = origin
        self.indices = range(len(text) + 1) if indices is None else indices
        return self

    @property
    def written(self) -> str:
        """The stretch of the file that it was read from, line ends included; for a Python value the text itself."""
        if not isinstance(self.origin, File) or not self:
            return str(self)
        return self.origin.text[self.indices[0] : self.indices[len(self) - 1] + 1]

    def spot(self, begin: int = 0, end: int | None = None) -> Spot:
        """Where these characters stand."""
        stop = len(self) if end is None else end
        return Spot(self.origin, self.indices[begin], self.indices[stop])

    @property
    def place(self) -> Place:
        return self.origin.place(self.indices[0])

    def words(self, pattern: str) -> list[Word]:
        """The matches of a regular expression, each with its place."""
        return [Word(self, m.start(), m.end()) for m in re.finditer(pattern, self)]

    @property
    def all(self) -> Word:
        """This text as one word."""
        return Word(self, 0, len(self))


@dataclass(frozen=True, slots=True)
class Word:
    """Part of a text."""

    text: Text
    begin: int
    end: int

    def __str__(self) -> str:
        return self.text[self.begin : self.end]

    @property
    def spot(self) -> Spot:
        return self.text.spot(self.begin, self.end)

    @property
    def place(self) -> Place:
        return self.text.origin.place(self.text.indices[self.begin])

    def mistake(self, message: str, hint: str = "") -> Mistake:
        """A mistake at this word, to be raised or collected."""
        return self.spot.mistake(message, hint)


class Map(dict[str, "Node"]):
    """A mapping; its keys are Text."""

    def __init__(self, spot: Spot, *, flow: bool = False) -> None:
        super().__init__()
        self.spot = spot
        self.flow = flow
        """Whether it was written with braces."""
        self.keys_at: dict[str, Spot] = {}
        self.values_at: dict[str, Spot] = {}

    def add(self, key: Text, value: Node, spot: Spot) -> None:
        """Take in a pair; the key must be new."""
        self[key] = value
        self.keys_at[key] = key.spot()
        self.values_at[key] = spot

    def rename(self, old: str, new: str) -> None:
        """Read a mistyped key as the one that was meant; it keeps its place."""
        value, key_at, value_at = self.pop(old), self.keys_at.pop(old), self.values_at.pop(old)
        key = Text(new, key_at.origin, [key_at.begin] * len(new) + [key_at.end])
        self[key], self.keys_at[key], self.values_at[key] = value, key_at, value_at

    def split(self, old: str, new: str, value: str) -> None:
        """Read a key that swallowed its value as the pair that was meant."""
        spot = self.keys_at[old]
        self.rename(old, new)
        plain = spot.end - spot.begin == len(old)  # no quotes or escapes: characters can be counted
        indices = range(spot.end - len(value), spot.end + 1) if plain else [spot.begin] * len(value) + [spot.end]
        text = Text(value, spot.origin, indices)
        self[new], self.values_at[new] = text, text.spot()


class Seq(list["Node"]):
    """A list."""

    def __init__(self, spot: Spot) -> None:
        super().__init__()
        self.spot = spot
        self.items_at: list[Spot] = []

    def add(self, value: Node, spot: Spot) -> None:
        """Take in an item."""
        self.append(value)
        self.items_at.append(spot)


Node: TypeAlias = Text | Map | Seq | None


def walk(root: Map, path: AnySequence[str | int], *, key: bool = False) -> tuple[Node, Spot]:
    """The value at this path, and where it stands, or with `key` its key. Steps that lead nowhere are passed over."""
    node: Node = root
    spot = root.spot
    for step in path:
        if isinstance(node, Map) and isinstance(step, str) and step in node:
            spot = node.keys_at[step] if key or node[step] is None else node.values_at[step]
            node = node[step]
        elif isinstance(node, Seq) and isinstance(step, int) and step < len(node):
            spot, node = node.items_at[step], node[step]
    return node, spot
