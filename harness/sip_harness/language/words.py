"""The smallest pieces of the language: durations, codes, methods; and a cursor that reads words one by one."""

from __future__ import annotations

import re

from sip_harness.language.diagnostics import Mistake, did_you_mean, guess, nearest, quoted
from sip_harness.language.source import Text, Word
from sip_harness.sip import codes

METHODS = (
    "INVITE", "ACK", "CANCEL", "BYE", "REGISTER", "OPTIONS", "PRACK", "UPDATE", "INFO", "REFER", "SUBSCRIBE", "NOTIFY",
    "MESSAGE", "PUBLISH",
)  # fmt: skip
"""Methods of the IANA registry (RFC 3261, 3262, 3311, 6086, 3515, 6665, 3428, 3903)."""

RE_INVITE = "re-INVITE"
_OTHERS = tuple(m for m in METHODS if m not in ("INVITE", "ACK", "CANCEL"))
IN_DIALOG = (RE_INVITE, *_OTHERS)
"""What an agent can be told to send within a dialog."""
REACTED = (RE_INVITE, "CANCEL", *_OTHERS)
"""What an agent can react to in a way of its own; an INVITE outside of a dialog is answered."""

_NEW_METHOD = re.compile(r"[A-Z][A-Z0-9]{1,31}")

MAX_SECONDS = 3600.0
MAX_WORD = 20
"""Characters of a duration; longer words are not looked at."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_NUMBER = r"-?[0-9]*\.?[0-9]+"
_DURATION = re.compile(rf"({_NUMBER})([A-Za-z]*)")


FAILOVER = "policy.failover"
"""The codes after which the next carrier is tried, as a profile has them."""


class Cursor:
    """Reads a text word by word; a comma is a word of its own."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self._words = text.words(r"[^\s,]+|,")
        self._next = 0

    def peek(self, ahead: int = 0) -> str:
        """A word that comes later, without moving; empty after the end."""
        at = self._next + ahead
        return str(self._words[at]) if at < len(self._words) else ""

    def take(self, wanted: str) -> Word:
        """The next word. `wanted` says what it should be, for the message if there is none."""
        if self._next >= len(self._words):
            raise self._missing(wanted)
        self._next += 1
        return self._words[self._next - 1]

    def skip(self, word: str) -> bool:
        """Pass over the next word if it is this one."""
        if self.peek() != word:
            return False
        self._next += 1
        return True

    def rest(self) -> Text:
        """What has not been read, as a text of its own with its places."""
        begin = self._words[self._next].begin if self._next < len(self._words) else len(self.text)
        return Text(self.text[begin:], self.text.origin, self.text.indices[begin:])

    @property
    def at_end(self) -> bool:
        """Whether no word is left."""
        return self._next >= len(self._words)

    def finish(self, what: str) -> None:
        """Raise Mistake if anything is left after `what`."""
        if self._next >= len(self._words):
            return
        word = self._words[self._next]
        if str(word) == ",":
            raise word.mistake(f"a comma ends {what}", "make what follows an item of its own")
        raise word.mistake(f"{quoted(str(word))} does not belong to {what}", _ending(str(word)))

    def _missing(self, wanted: str) -> Mistake:
        """There is no word to point at, so point at the one before."""
        if not self._words:
            return self.text.all.mistake(f"{wanted} is missing")
        last = self._words[-1]
        return last.mistake(f"{wanted} is missing after {quoted(str(last))}")


_UNITS_MEANT = {"sec": "s", "secs": "s", "second": "s", "seconds": "s", "min": "m", "mins": "m", "msec": "ms"}


def duration(word: Word) -> float:
    """Seconds for `100ms`, `2s`, `1.5s` or `1m`. Raises Mistake for a bare number and for what no scenario waits."""
    text = str(word)
    match = _DURATION.fullmatch(text) if len(text) <= MAX_WORD else None
    if match is None:
        raise word.mistake(f"{quoted(text)} is no duration", "write it like 100ms, 2s, 1.5s or 1m")
    number, unit = match.groups()
    if not unit:
        raise word.mistake(f"{quoted(text)} has no unit", f"write {number}ms, {number}s or {number}m")
    if unit not in _UNITS:
        near = unit_meant(unit)
        hint = did_you_mean(number + near) if near in _UNITS else "units are ms, s and m"
        raise word.mistake(f"unknown unit {quoted(unit)}", hint)
    if number.startswith("-"):
        raise word.mistake("a duration cannot be negative")
    # Rounded to microseconds: 300 * 0.001 would be 0.3 but 1.1 * 0.001 would not be 0.0011.
    seconds = round(float(number) * _UNITS[unit], 6)
    if seconds > MAX_SECONDS:
        raise word.mistake(f"{quoted(text)} is longer than an hour", "milliseconds are 'ms', minutes 'm'")
    return seconds


def unit_meant(unit: str) -> str:
    """The unit that somebody has in mind who writes another."""
    return _UNITS_MEANT.get(unit.lower(), unit.lower())


def is_duration(word: str) -> bool:
    """Whether this was meant as a duration, right or wrong: a number, with something like a unit or without."""
    return re.match(rf"{_NUMBER}(?![A-Za-z0-9]*-)", word[:MAX_WORD]) is not None


def code(word: Word, *, hint: str = "") -> codes.Code:
    """The response code with this number or name. Raises Mistake; `hint` stands in where nothing similar is known."""
    text = str(word)
    try:
        return codes.lookup(text)
    except codes.UnknownCode as unknown:
        if re.fullmatch(r"-?[0-9]+", text):
            raise word.mistake(f"{quoted(text)} is no response code: they go from 100 to 699") from None
        message = f"unknown response {quoted(text)}"
        raise word.mistake(message, did_you_mean(*unknown.suggestions[:2]) or hint) from None


def code_set(word: Word) -> frozenset[int]:
    """The codes that a word of a pattern stands for: a code, its name, a class (`6xx`) or a decade (`18x`)."""
    text = str(word)
    if re.fullmatch(r"[1-6]([0-9]x|xx)", text, re.IGNORECASE):
        free = text.lower().count("x")
        first = int(text[: 3 - free]) * 10**free
        return frozenset(range(first, first + 10**free))
    if re.fullmatch(r"[0-9]*x+", text, re.IGNORECASE):
        raise word.mistake(f"{quoted(text)} is no class of responses", "classes are 1xx to 6xx")
    return frozenset({code(word, hint="a response is a code, a name as busy-here, or a class as 6xx").code})


def method(word: Word) -> str:
    """A request method: a known one, or a word in capitals that is like none of them (RFC 3261 7.1 lets methods be any
    token). Raises Mistake with the nearest one."""
    if str(word) in METHODS or is_new_method(str(word)):
        return str(word)
    raise word.mistake(
        f"unknown request {quoted(str(word))}", guess(str(word), METHODS) or f"known: {', '.join(METHODS)}"
    )


def is_new_method(word: str) -> bool:
    """Whether a word can be the name of a method that nobody has registered, and is no slip of the pen."""
    return _NEW_METHOD.fullmatch(word) is not None and not nearest(word, METHODS)


def within_dialog(word: Word) -> str:
    """The method of a request that a step sends. Raises Mistake for what goes out in another way."""
    text = str(word)
    if text == "INVITE":
        raise word.mistake("an INVITE within a dialog is a re-INVITE", did_you_mean(RE_INVITE))
    if text == "ACK":
        raise word.mistake("an ACK goes out by itself", "a call has 'ack: never' and 'ack: after 2s'")
    if text == "CANCEL":
        return text  # `conduct` says where it can stand
    found = _among(word, IN_DIALOG)
    return "INVITE" if found == RE_INVITE else found


def reacted_to(word: Word) -> str:
    """A method as a reaction names it, `re-INVITE` included. Raises Mistake."""
    text = str(word)
    if text == "INVITE":
        hint = f"write {quoted(RE_INVITE)} for one within a call"
        raise word.mistake("an INVITE that begins a call is what 'answer' is for", hint)
    if text == "ACK":
        raise word.mistake("an ACK is never answered", "write 'lose: [ACK]' for an agent that is deaf to it")
    return _among(word, REACTED)


def _among(word: Word, known: tuple[str, ...]) -> str:
    if str(word) in known or is_new_method(str(word)):
        return str(word)
    hint = guess(str(word), known) or f"known: {', '.join(known)}"
    raise word.mistake(f"unknown request {quoted(str(word))}", hint)


def whole(word: Word, least: int, most: int) -> int:
    """A whole number within bounds. Raises Mistake."""
    text = str(word)
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise word.mistake(f"{quoted(text)} is no number", f"write one from {least} to {most}")
    if not least <= int(text) <= most:
        raise word.mistake(f"{quoted(text)} is out of range", f"write a number from {least} to {most}")
    return int(text)


def looks_like_method(word: str) -> bool:
    """Whether a word was meant as a request: all capitals, or a method in other letter case."""
    return word.upper() in METHODS or (word.isalpha() and word.isupper())


def _ending(word: str) -> str:
    if word in METHODS:
        return "separate what it gets by commas"
    near = nearest(word, ("from", "to", "or", "after", "sends", "gets"))
    return did_you_mean(near) if near and near != word else ""


def failover(text: Text) -> int:
    """Read `policy.failover has 503`. Raises Mistake."""
    cursor = Cursor(text)
    hint = f"write '{FAILOVER} has 503', for whether the next carrier is tried after a 503"
    subject = cursor.take(FAILOVER)
    if str(subject) != FAILOVER:
        raise subject.mistake(f"{quoted(str(subject))} is nothing that a policy is asked for here", hint)
    if not cursor.skip("has"):
        raise text.all.mistake("'has' and a code are missing", hint)
    found = code(cursor.take("a code"))
    cursor.finish("this condition")
    if found.code < 300:
        raise text.all.mistake(f"{found.code} is no failure", hint)
    return found.code
