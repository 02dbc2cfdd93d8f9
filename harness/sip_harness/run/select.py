"""Choosing scenarios by words, as `-k` does: `busy and not mobile`."""

from __future__ import annotations

import re

from sip_harness.model.scenario import Scenario

_TOKEN = re.compile(r"\s*(\(|\)|[^\s()]+)")


class BadExpression(ValueError):
    """The selection cannot be read; the message says what is wrong with it."""


def select(scenarios: list[Scenario], expression: str) -> list[Scenario]:
    """Scenarios of which the expression is true. Words match parts of id, title, tags, further ids (`covers`) and file
    name, without regard to case; they are combined with `and`, `or`, `not` and parentheses. Raises BadExpression."""
    tokens = _TOKEN.findall(expression)
    if not tokens:
        raise BadExpression("empty selection")
    return [s for s in scenarios if _Reader(tokens, _haystack(s)).whole()]


def _haystack(scenario: Scenario) -> str:
    return " ".join([scenario.id, scenario.title, *scenario.tags, *scenario.covers, scenario.place.file]).lower()


class _Reader:
    """Recursive descent over `or`, `and`, `not`, in rising order of binding."""

    def __init__(self, tokens: list[str], haystack: str) -> None:
        self._tokens = tokens
        self._at = 0
        self._haystack = haystack

    def whole(self) -> bool:
        value = self._any()
        if self._at < len(self._tokens):
            raise BadExpression(f"unexpected {self._tokens[self._at]!r}: join words with and, or, not")
        return value

    def _any(self) -> bool:
        value = self._all()
        while self._take("or"):
            value = self._all() or value
        return value

    def _all(self) -> bool:
        value = self._one()
        while self._take("and"):
            value = self._one() and value
        return value

    def _one(self) -> bool:
        if self._take("not"):
            return not self._one()
        if self._take("("):
            value = self._any()
            if not self._take(")"):
                raise BadExpression("a ( is never closed")
            return value
        if self._at >= len(self._tokens) or self._tokens[self._at] in ("and", "or", ")"):
            raise BadExpression("a word is missing")
        self._at += 1
        return self._tokens[self._at - 1].lower() in self._haystack

    def _take(self, token: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == token:
            self._at += 1
            return True
        return False
