"""Regular expressions that take time in proportion to the text, whatever pattern and text are.

What comes from the network is hostile and Python's own `re` may need exponential time. So an expression is carried out
as a set of states (Thompson 1968) that is remembered per character. Known are literals, `.`, sets as `[^a-z]`, `\\d`,
`\\w`, `\\s` and their opposites, groups, `|`, `*`, `+`, `?`, `{2,5}`, `^` and `$` (of the whole text), and escapes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

MAX_PATTERN = 300
"""Characters of a pattern."""
MAX_STATES = 600
MAX_REMEMBERED = 5_000
"""Steps that are remembered; beyond them every step is computed anew."""

_Fragment = tuple[int, int]
_BEGIN, _END = "begin", "end"


class BadExpression(ValueError):
    """A pattern that cannot be read, with the index of the character that is wrong."""

    def __init__(self, message: str, at: int) -> None:
        self.message, self.at = message, at
        super().__init__(message)


@lru_cache(maxsize=64)
def expression(pattern: str) -> Expression:
    """Read a pattern. Raises BadExpression."""
    if len(pattern) > MAX_PATTERN:
        raise BadExpression(f"longer than {MAX_PATTERN} characters", MAX_PATTERN)
    return Expression(*_Reader(pattern).whole())


@dataclass
class _State:
    free: list[int] = field(default_factory=list)
    """States that are reached without a character."""
    anchor: str = ""
    char: re.Pattern[str] | None = None
    to: int = -1


class Expression:
    """An expression that has been read."""

    def __init__(self, states: list[_State], first: int, last: int) -> None:
        self._states, self._first, self._last = states, first, last
        self._steps: dict[tuple[frozenset[int], str], frozenset[int]] = {}

    def found_in(self, text: str) -> bool:
        """Whether some part of the text fits."""
        begin = self._closed({self._first}, at_begin=True, at_end=not text)
        now, fresh = begin, self._closed({self._first}, at_begin=False, at_end=False)
        for char in text:
            if self._last in now:
                return True
            now = self._step(now, char) | fresh
        return self._last in self._closed(set(now), at_begin=not text, at_end=True)

    def _step(self, now: frozenset[int], char: str) -> frozenset[int]:
        key = now, char
        if key in self._steps:
            return self._steps[key]
        states = (self._states[n] for n in now)
        reached = {s.to for s in states if s.char is not None and s.char.fullmatch(char)}
        found = self._closed(reached, at_begin=False, at_end=False)
        if len(self._steps) < MAX_REMEMBERED:
            self._steps[key] = found
        return found

    def _closed(self, states: set[int], *, at_begin: bool, at_end: bool) -> frozenset[int]:
        """These states and all that are reached from them without a character."""
        found, left = set(states), list(states)
        passable = {"": True, _BEGIN: at_begin, _END: at_end}
        while left:
            state = self._states[left.pop()]
            if passable[state.anchor]:
                new = [n for n in state.free if n not in found]
                found.update(new)
                left.extend(new)
        return frozenset(found)


class _Reader:
    """Reads a pattern by recursive descent; groups are read again for each repetition of them."""

    def __init__(self, pattern: str) -> None:
        self._pattern, self._at = pattern, 0
        self._states: list[_State] = []
        self._depth = 0

    def whole(self) -> tuple[list[_State], int, int]:
        first, last = self._choice()
        if self._at < len(self._pattern):
            raise BadExpression("this parenthesis closes nothing", self._at)
        return self._states, first, last

    def _choice(self) -> _Fragment:
        first, last = self._new(), self._new()
        while True:
            begin, end = self._sequence()
            self._states[first].free.append(begin)
            self._states[end].free.append(last)
            if self._peek() != "|":
                return first, last
            self._at += 1

    def _sequence(self) -> _Fragment:
        first = last = self._new()
        while self._peek() not in ("", "|", ")"):
            begin, end = self._repeated()
            self._states[last].free.append(begin)
            last = end
        return first, last

    def _repeated(self) -> _Fragment:
        at = self._at
        begin, end = self._atom()
        least, most = self._quantifier()
        if (least, most) == (1, 1):
            return begin, end
        after = self._at
        first = last = self._new()
        for number in range(max(least, most if most is not None else least + 1)):
            self._at = at
            begin, end = self._atom()
            self._states[last].free.append(begin)
            if number >= least:
                self._states[last].free.append(end)
            last = end
        if most is None:
            self._states[last].free.append(begin)
        self._at = after
        return first, last

    def _quantifier(self) -> tuple[int, int | None]:
        at, char = self._at, self._peek()
        known: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if char in known:
            self._at += 1
            found = known[char]
        elif char == "{":
            match = re.compile(r"\{(\d{1,3})(,?)(\d{0,3})\}").match(self._pattern, at)
            if match is None:
                raise BadExpression(r"write {3}, {2,5} or \{", at)
            self._at = match.end()
            least = int(match[1])
            most = int(match[3]) if match[3] else None if match[2] else least
            if most is not None and most < least:
                raise BadExpression("the second number is the smaller one", at)
            found = least, most
        else:
            return 1, 1
        if self._peek() and self._peek() in "*+?{":
            raise BadExpression("two repetitions of the same thing", self._at)
        return found

    def _atom(self) -> _Fragment:
        at, char = self._at, self._peek()
        if char and char in "*+?{":
            raise BadExpression("there is nothing to repeat", at)
        if char == "(":
            return self._group()
        self._at += 1
        if char in "^$":
            return self._anchor(_BEGIN if char == "^" else _END)
        if char == "[":
            return self._set(at)
        if char == "\\":
            return self._escaped(at)
        return self._char(re.compile("." if char == "." else re.escape(char), re.DOTALL))

    def _group(self) -> _Fragment:
        at = self._at
        self._at += 3 if self._pattern.startswith("(?:", at) else 1
        if self._peek() == "?":
            raise BadExpression("groups that begin with '?' are not known here", at)
        self._depth += 1
        if self._depth > 20:
            raise BadExpression("groups nested too deep", at)
        found = self._choice()
        self._depth -= 1
        if self._peek() != ")":
            raise BadExpression("this group is not closed", at)
        self._at += 1
        return found

    def _set(self, at: int) -> _Fragment:
        match = re.compile(r"\[\^?\]?(?:[^\]\\]|\\.)*\]", re.DOTALL).match(self._pattern, at)
        if match is None:
            raise BadExpression("this set is not closed", at)
        try:
            found = re.compile(match[0].replace("[[", r"[\["))
        except re.error as error:
            raise BadExpression(f"no set of characters: {error.msg}", at) from None
        self._at = match.end()
        return self._char(found)

    def _escaped(self, at: int) -> _Fragment:
        char = self._peek()
        if not char:
            raise BadExpression("a backslash at the end", at)
        self._at += 1
        if char.isalnum() and char not in "dDwWsSnrt":
            raise BadExpression(f"'\\{char}' is not known here", at)
        return self._char(re.compile(f"\\{char}"))

    def _char(self, char: re.Pattern[str]) -> _Fragment:
        first, last = self._new(), self._new()
        self._states[first].char, self._states[first].to = char, last
        return first, last

    def _anchor(self, kind: str) -> _Fragment:
        first, last = self._new(), self._new()
        self._states[first].anchor = kind
        self._states[first].free.append(last)
        return first, last

    def _new(self) -> int:
        if len(self._states) >= MAX_STATES:
            raise BadExpression("this repeats too much", min(self._at, len(self._pattern) - 1))
        self._states.append(_State())
        return len(self._states) - 1

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]
