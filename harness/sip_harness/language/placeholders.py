"""Placeholders of a matrix: `{code}` in texts and keys, filled in case by case.

A text that is nothing but a placeholder becomes the value itself, which may be a list or a mapping; `{{` and `}}` stand
for braces. What is filled in stands where its placeholder stands, so that messages and reports show the line of use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sip_harness.language.choice import choice, missing, unknown
from sip_harness.language.compose import MAX_DEPTH
from sip_harness.language.diagnostics import Diagnostic, Mistake, guess, quoted
from sip_harness.language.source import Map, Node, Seq, Spot, Text

VARIABLE = r"[A-Za-z][A-Za-z0-9_-]{0,31}"
_LED_TO = r"\{[a-z]+ of [^{}]*\}"
"""Filled in when the scenario runs, not here."""
_TOKEN = re.compile(rf"\{{\{{|\}}\}}|\{{({VARIABLE})\}}|{_LED_TO}|[{{}}]")
_WHOLE = re.compile(rf"\{{({VARIABLE})\}}")


@dataclass
class Budget:
    """How much all cases together may come to: a small file must not become a large tree."""

    values: int = 200_000
    characters: int = 20_000_000
    taken: set[tuple[int, str]] = field(default_factory=set)
    """The options of choices that were taken, as `choice.idle` wants them."""

    def take(self, spot: Spot, characters: int) -> None:
        """Count one value. Raises Mistake when nothing is left."""
        self.values -= 1
        self.characters -= characters
        if self.values < 0 or self.characters < 0:
            raise spot.mistake("filled in, the cases of this matrix come to too much text", "split the file")


def bare(node: Node, known: Mapping[str, object]) -> Text | None:
    """The variable of a placeholder without quotes, which YAML takes for a mapping of one key without a value."""
    if isinstance(node, Map) and node.flow and len(node) == 1:
        ((key, value),) = node.items()
        if value is None and key in known:
            spot = node.keys_at[key]
            return Text(key, spot.origin, [spot.begin] * len(key) + [spot.end])
    return None


def survey(node: Node, known: Mapping[str, object]) -> Iterator[str | Diagnostic]:
    """The variables that a tree uses, and what is wrong with its placeholders."""
    if isinstance(node, Text):
        yield from _survey_text(node, known)
    elif (variable := bare(node, known)) is not None:
        yield str(variable)
    elif (one := choice(node)) is not None:
        yield one.variable if one.variable in known else unknown(one, known)
        for value in one.options.values():
            yield from survey(value, known)
    elif isinstance(node, Map):
        for key, value in node.items():
            if isinstance(key, Text):
                yield from _survey_text(key, known)
            yield from survey(value, known)
    elif isinstance(node, Seq):
        for value in node:
            yield from survey(value, known)


def _survey_text(text: Text, known: Mapping[str, object]) -> Iterator[str | Diagnostic]:
    for token in _TOKEN.finditer(text):
        spot = text.spot(token.start(), token.end())
        if token[1] is not None and token[1] in known:
            yield token[1]
        elif token[1] is not None:
            hint = guess(token[1], known) or f"write {{{token[0]}}} for the braces themselves"
            hint = hint if known else "a value can use the variables that stand before its own"
            yield spot.mistake(f"unknown placeholder {quoted(token[0])}", hint).diagnostic
        elif len(token[0]) == 1:
            hint = f"write {token[0] * 2} for a brace itself; a placeholder is a variable in braces, as {{code}}"
            yield spot.mistake("a brace that belongs to no placeholder", hint).diagnostic


@dataclass
class Filler:
    """Makes trees in which every placeholder has the value of one case; all of them must be known."""

    values: Mapping[str, Node]
    budget: Budget
    depth: int = 0

    def node(self, node: Node) -> Node:
        """A copy of this tree, filled in. Raises Mistake."""
        if isinstance(node, Text):
            return self._value(node)
        if (variable := bare(node, self.values)) is not None:
            return self._instead(str(variable), variable.spot())
        if (one := choice(node)) is not None:
            value = self.values[one.variable]
            if (key := one.pick(value)) is None:
                raise Mistake(missing(one, value))
            self.budget.taken.add((id(one.options), str(key)))
            return self.node(one.options[key])
        if isinstance(node, Map):
            return self.map(node)
        return self._seq(node) if isinstance(node, Seq) else None

    def map(self, node: Map) -> Map:
        """A copy of this mapping, filled in. Raises Mistake."""
        self._enter(node.spot)
        result = Map(node.spot, flow=node.flow)
        for old, value in node.items():
            spot = node.keys_at[old]
            key = (
                self.text(old)
                if isinstance(old, Text)
                else Text(old, spot.origin, [spot.begin] * len(old) + [spot.end])
            )
            if key in result:
                raise spot.mistake(f"{quoted(key)} stands twice")
            new = self.node(value)
            result.add(key, new, new.spot() if isinstance(new, Text) else node.values_at[old])
        self.depth -= 1
        return result

    def text(self, text: Text) -> Text:
        """A text, filled in. Raises Mistake where a value is no text."""
        self.budget.take(text.spot(), len(text))
        if "{" not in text and "}" not in text:
            return text
        written: list[str] = []
        indices: list[int] = []
        at = 0
        for token in _TOKEN.finditer(text):
            inserted = _itself(token[0]) if token[1] is None else self._inserted(token[1], text.spot(*token.span()))
            written += (text[at : token.start()], inserted)
            indices += (*text.indices[at : token.start()], *([text.indices[token.start()]] * len(inserted)))
            at = token.end()
        return self._like(text, "".join((*written, text[at:])), [*indices, *text.indices[at:]])

    def _like(self, text: Text, filled: str, indices: list[int]) -> Text:
        result = Text(filled, text.origin, indices)
        result.before = text.before
        return result

    def _value(self, text: Text) -> Node:
        whole = _WHOLE.fullmatch(text)
        return self._instead(whole[1], text.spot()) if whole else self.text(text)

    def _instead(self, variable: str, spot: Spot) -> Node:
        value = self.values[variable]
        if isinstance(value, Text):
            self.budget.take(spot, len(value))
            return Text(value, spot.origin, [spot.begin] * len(value) + [spot.end])
        return self._copy(value)

    def _copy(self, node: Node) -> Node:
        """The same tree again: who reads it sets mistyped keys right in it."""
        if isinstance(node, Map):
            self._enter(node.spot)
            result = Map(node.spot, flow=node.flow)
            for key, value in node.items():
                result[key] = self._copy(value)
            result.keys_at, result.values_at = dict(node.keys_at), dict(node.values_at)
            self.depth -= 1
            return result
        if isinstance(node, Seq):
            self._enter(node.spot)
            again = Seq(node.spot)
            for value, spot in zip(node, node.items_at, strict=True):
                again.add(self._copy(value), spot)
            self.depth -= 1
            return again
        if isinstance(node, Text):
            self.budget.take(node.spot(), len(node))
        return node

    def _enter(self, spot: Spot) -> None:
        self.budget.take(spot, 0)
        self.depth += 1
        if self.depth > MAX_DEPTH + 1:
            raise spot.mistake(f"filled in, nested more than {MAX_DEPTH} levels deep")

    def _inserted(self, variable: str, spot: Spot) -> str:
        value = self.values[variable]
        if not isinstance(value, Text):
            kind = "nothing" if value is None else "a list" if isinstance(value, Seq) else "a mapping"
            raise spot.mistake(
                f"{quoted(variable)} is {kind} and cannot stand inside a text", "use it as a whole value"
            )
        self.budget.take(spot, len(value))
        return str(value)

    def _seq(self, node: Seq) -> Seq:
        self._enter(node.spot)
        result = Seq(node.spot)
        for value, spot in zip(node, node.items_at, strict=True):
            new = self.node(value)
            result.add(new, new.spot() if isinstance(new, Text) else spot)
        self.depth -= 1
        return result


def _itself(token: str) -> str:
    """What stands for no variable: a brace, or what is filled in later."""
    return token[0] if token in ("{{", "}}") else token
