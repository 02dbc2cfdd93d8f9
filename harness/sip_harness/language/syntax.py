"""PyYAML's complaints in words that say what to change."""

from __future__ import annotations

import re

from yaml import MarkedYAMLError, YAMLError
from yaml.reader import ReaderError

from sip_harness.language.diagnostics import Mistake
from sip_harness.language.source import File, Spot

# `-{from: alice}` or `id:FK-02` where a line begins; a quote, bracket or digit behind is often meant otherwise.
_GLUED = re.compile(r" *(?:(-)(?=[A-Za-z{\[])|[A-Za-z][A-Za-z -]*(:)(?=[A-Za-z0-9{\[]))")
_PLACEHOLDER = re.compile(r"(\{[A-Za-z][A-Za-z0-9_-]{0,31}\}) *")
_TAB = re.compile(r"^ *(\t+)[ \t]*(?=\S)", re.MULTILINE)

# Pattern of PyYAML's problem; message; hint; whether it is better shown where the construct began.
_KNOWN: tuple[tuple[str, str, str, bool], ...] = (
    (
        "mapping values are not allowed",
        "a colon and a space begin a value, but here a value stands already",
        "quote the text if the colon belongs to it, else check the indentation",
        False,
    ),
    (
        "could not find expected ':'",
        "this line is neither 'key: value' nor part of what stands above it",
        "put a colon and a space after a key; indent text that continues",
        True,
    ),
    ("unexpected end of stream", "this quote is never closed", "", True),
    ("unexpected document separator", "this quote is never closed", "", True),
    (r"expected ',' or '\]'", "this list is not closed, or a comma is missing in it", "", True),
    (r"expected ',' or '\}'", "this mapping is not closed, or a comma is missing in it", "", True),
    ("found unknown escape", "unknown escape", "write a backslash as '\\\\' or use single quotes", False),
    ("escape sequence of", "an escape needs more hexadecimal digits", "", False),
    (
        "cannot start any token",
        "this character cannot begin a text",
        "put the text in quotes",
        False,
    ),
    (
        r"expected alphabetic or numeric character|expected ' '|expected URI|did not find expected '!'",
        "'*', '&' and '!' have a meaning of their own in YAML",
        "put the text in quotes",
        True,
    ),
    ("expected '<document start>'", "the scenario has ended above this line", "check the indentation", False),
    (
        "expected <block end>",
        "this line fits neither what stands above it nor a level further out",
        "check the indentation",
        False,
    ),
    ("expected the node content", "a value is missing before this", "", False),
    ("sequence entries are not allowed", "'- ' cannot begin a list here", "begin the list on a line of its own", False),
    ("mapping keys are not allowed", "'? ' cannot begin a key here", "put the text in quotes", False),
    ("incompatible YAML document", "scenarios are YAML 1.2", "leave the %YAML line out", False),
    ("directive", "a line that begins with '%' is a directive", "put the text in quotes", False),
)


def explain(error: YAMLError, file: File) -> Mistake:
    """A mistake with place and advice for what PyYAML found."""
    if isinstance(error, ReaderError):
        spot = Spot(file, error.position, error.position + 1)
        return spot.mistake(f"the control character U+{_codepoint(error):04X} is not allowed in YAML")
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return Spot(file).mistake(f"no YAML: {error}")
    index = min(error.problem_mark.index, len(file.text))
    if tab := _tab_before(file, index):
        return tab.mistake("a tab in the indentation", "indent with spaces")
    if glued := _glued(file, index):
        return glued.mistake("a space is missing after this", "YAML needs one behind every dash and colon")
    if placeholder := _placeholder(file, index):
        return placeholder.mistake("a placeholder in a text without quotes", 'quote the whole text, as "ACK to {code}"')
    return _known(error, file, index)


def _known(error: MarkedYAMLError, file: File, index: int) -> Mistake:
    for pattern, message, hint, at_context in _KNOWN:
        if re.search(pattern, error.problem or ""):
            if at_context and error.context_mark is not None:
                index = error.context_mark.index
            return Spot(file, index, index + 1).mistake(message, hint)
    return Spot(file, index, index + 1).mistake(f"no YAML: {error.problem}")


def _tab_before(file: File, index: int) -> Spot | None:
    """The tab that misled PyYAML: in the indentation of the line it stumbled over or of the one before that."""
    above = file.text.rfind("\n", 0, max(0, file.text.rfind("\n", 0, index)))
    tab = _TAB.search(file.text, above + 1)
    return Spot(file, tab.start(1), tab.end(1)) if tab and tab.start() <= index else None


def _glued(file: File, index: int) -> Spot | None:
    """A dash or colon without its space in the line that PyYAML stumbled over, or in the one that it could not end."""
    begin = file.text.rfind("\n", 0, index) + 1
    above = file.text.rfind("\n", 0, max(0, begin - 1)) + 1
    for start in (begin, above):
        if found := _GLUED.match(file.text, start):
            return Spot(file, found.start(found.lastindex or 0), found.end())
    return None


def _placeholder(file: File, index: int) -> Spot | None:
    """`{code}` where PyYAML stumbled, or just before that: it is a mapping unless quotes make it part of a text."""
    begin = file.text.rfind("\n", 0, index) + 1
    for found in _PLACEHOLDER.finditer(file.text, begin, index + 40):
        if found.start(1) == index or found.end() == index:
            return Spot(file, found.start(1), found.end(1))
    return None


def _codepoint(error: ReaderError) -> int:
    char = error.character
    return char if isinstance(char, int) else ord(char)
