"""Python values to the same tree as a file, with key paths instead of lines."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sip_harness.language.compose import MAX_DEPTH, MAX_NODES
from sip_harness.language.diagnostics import Diagnostic
from sip_harness.language.source import Map, Node, Seq, Spot, Text, Value
from sip_harness.model.place import Place


def from_values(
    document: object, place: Place, parts: Mapping[str, Place] | None = None
) -> tuple[Map, list[Diagnostic]]:
    """The tree of a document, and the keys that stand twice (1 and "1"). Raises Mistake for what is no document.

    `parts` are the places of what has one of its own, by path of keys: all below stands there too.
    """
    reader = _Reader(place, parts or {})
    root = reader.node(document, "", 0)
    if not isinstance(root, Map):
        raise Spot(Value(place, "")).mistake("a scenario is a mapping", "it begins with 'title'")
    return root, reader.mistakes


class _Reader:
    def __init__(self, place: Place, parts: Mapping[str, Place]) -> None:
        self._whole = place
        self._parts = parts
        self._nodes = 0
        self.mistakes: list[Diagnostic] = []

    def node(self, value: object, path: str, depth: int) -> Node:
        self._nodes += 1
        spot = self._spot(path)
        if self._nodes > MAX_NODES:
            raise spot.mistake(f"more than {MAX_NODES} values")
        if depth > MAX_DEPTH:
            raise spot.mistake(f"nested more than {MAX_DEPTH} levels deep")
        if value is None:
            return None
        if isinstance(value, Mapping):
            return self._mapping(value, path, depth)
        if isinstance(value, (list, tuple)):
            return self._sequence(value, path, depth)
        return self._text(value, path)

    def _text(self, value: object, path: str) -> Text:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            shown = "true and false mean nothing here" if isinstance(value, bool) else f"a {type(value).__name__}"
            hint = "write 'yes' or 'no' as text" if isinstance(value, bool) else ""
            raise self._spot(path).mistake(f"expected text, a number, a list or a mapping, found {shown}", hint)
        if isinstance(value, int) and value.bit_length() > 64:
            raise self._spot(path).mistake("this number is too long")
        text = str(value)
        if any("\ud800" <= c <= "\udfff" for c in text):
            raise self._spot(path).mistake("half of a surrogate pair is no character")
        return Text(text, Value(self._place(path), path, text))

    def _sequence(self, values: list[object] | tuple[object, ...], path: str, depth: int) -> Seq:
        result = Seq(self._spot(path))
        for index, value in enumerate(values):
            below = f"{path}[{index}]"
            node = self.node(value, below, depth + 1)
            result.add(node, self._spot(below, node))
        return result

    def _mapping(self, values: Mapping[object, object], path: str, depth: int) -> Map:
        result = Map(self._spot(path))
        for name, value in values.items():
            key = self._text(name, path)
            below = f"{path}{'.' if path else ''}{_key(key)}"
            key.origin = Value(self._place(below), below, str(key))
            if key in result:
                self.mistakes.append(key.spot().mistake(f"'{key}' stands twice").diagnostic)
                continue
            node = self.node(value, below, depth + 1)
            result.add(key, node, self._spot(below, node))
        return result

    def _spot(self, path: str, node: Node = None) -> Spot:
        return node.spot() if isinstance(node, Text) else Spot(Value(self._place(path), path))

    def _place(self, path: str) -> Place:
        """The place of the part that this path is in, the smallest one that has a place."""
        inside = [part for part in self._parts if path.startswith(part) and path[len(part) :][:1] in ("", ".", "[")]
        return self._parts[max(inside, key=len)] if inside else self._whole


def path_of(*keys: str | int) -> str:
    """The path of what stands under these keys."""
    path = ""
    for key in keys:
        path += f"[{key}]" if isinstance(key, int) else f"{'.' if path else ''}{_key(key)}"
    return path


def _key(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_ -]{1,40}", text) else f"{text[:40]!r}"
