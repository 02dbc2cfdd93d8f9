"""How often and when an expected message comes, in words.

count  = NUMBER "times" | "once" | NUMBER "to" NUMBER "times" | ("at most" | "at least") NUMBER "times"
timing = "within" amount [("of" | "after") event] | "no later than" amount ["after" event]
       | "no earlier than" amount ["after" event] | "at" amount ["after" event]
       | "after" (amount ["of" event] | event) | amount "to" amount ["after" event]
amount = DURATION | "policy." TIMER
"""

from __future__ import annotations

from sip_harness.language.diagnostics import did_you_mean, nearest, quoted
from sip_harness.language.grammar import POLICY, happening, of_policy
from sip_harness.language.names import Names
from sip_harness.language.source import Text, Word
from sip_harness.language.words import Cursor, duration, is_duration, whole
from sip_harness.model.expecting import Amount, Count, Timing

MAX_COUNT = 99
_BEGIN = ("within", "no", "at", "after")


def times(cursor: Cursor, unit: str = "times", most: int = MAX_COUNT) -> Count | None:
    """Read a count if one is next, of up to so many. Raises Mistake."""
    if cursor.skip("once"):
        return Count(1, 1)
    if cursor.peek() == "at" and cursor.peek(1) in ("most", "least"):
        cursor.take("")
        bound = str(cursor.take(""))
        number = whole(cursor.take("a number"), 1, most)
        _unit(cursor, unit)
        return Count(0, number, unit) if bound == "most" else Count(number, None, unit)
    if not cursor.peek().isdigit():
        return None
    first = last = whole(cursor.take("a number"), 1, most)
    if cursor.skip("to"):
        word = cursor.take("a number")
        last = whole(word, 1, most)
        if last <= first:
            raise word.mistake("the second number is not the larger one", f"write '{first} {unit}'")
    _unit(cursor, unit)
    return Count(first, last, unit)


def _unit(cursor: Cursor, unit: str) -> None:
    word = cursor.take(quoted(unit))
    if str(word) not in (unit, unit[:-1]):
        raise word.mistake(f"a count ends with {quoted(unit)}, not {quoted(str(word))}", f"write it like '2 {unit}'")


def timing(cursor: Cursor, names: Names) -> Timing | None:
    """Read when something comes, if that is next; it goes on to the end of the text. Raises Mistake."""
    if cursor.peek() not in _BEGIN and not is_duration(cursor.peek()) and not cursor.peek().startswith(POLICY):
        return None
    first = cursor.take("")
    earliest, latest, since = _bounds(first, cursor)
    event = None
    if not cursor.at_end and (since or cursor.skip("after") or cursor.skip("of")):
        event = happening(cursor, names)
    text = str(cursor.text)[first.begin :].strip()
    return Timing(earliest, latest, event, text)


def _bounds(first: Word, cursor: Cursor) -> tuple[Amount | None, Amount | None, bool]:
    """The bounds, and whether an event is next without another word."""
    word = str(first)
    if word == "within":
        return None, _amount(cursor.take("a duration")), False
    if word == "no":
        return _than(cursor)
    if word == "at":
        amount = _amount(cursor.take("a duration"))
        return amount, amount, False
    if word == "after":
        if is_duration(cursor.peek()) or cursor.peek().startswith(POLICY):
            return _amount(cursor.take("a duration")), None, False
        return Amount(), None, True
    earliest = _amount(first)
    if not cursor.skip("to"):
        hint = f"write 'at {word} after ...', 'within {word} of ...' or '{word} to 2s after ...'"
        raise first.mistake("a time alone says neither how early nor how late", hint)
    end = cursor.take("a duration")
    latest = _amount(end)
    if not earliest.timer and not latest.timer and latest.seconds <= earliest.seconds:
        raise end.mistake("the second time is not the later one")
    return earliest, latest, False


def _than(cursor: Cursor) -> tuple[Amount | None, Amount | None, bool]:
    word = cursor.take("'later than' or 'earlier than'")
    if str(word) not in ("later", "earlier"):
        near = nearest(str(word), ("later", "earlier"))
        raise word.mistake("times are bounded by 'no later than' or 'no earlier than'", did_you_mean(near))
    than = cursor.take("'than'")
    if str(than) != "than":
        raise than.mistake(f"expected 'than', found {quoted(str(than))}")
    amount = _amount(cursor.take("a duration"))
    return (None, amount, False) if str(word) == "later" else (amount, None, False)


def _amount(word: Word) -> Amount:
    if name := of_policy(word):
        return Amount(timer=name)
    return Amount(duration(word))


def whole_count(text: Text) -> Count:
    """Read a text that is nothing but a count, `2` included. Raises Mistake."""
    cursor = Cursor(text)
    if text.isdigit():
        number = whole(cursor.take("a number"), 1, MAX_COUNT)
        return Count(number, number)
    found = times(cursor)
    if found is None:
        hint = did_you_mean(nearest(text, ("once",))) or "write it like '2 times' or 'at most 3 times'"
        raise text.all.mistake(f"{quoted(text)} is no count", hint)
    cursor.finish("this count")
    return found


def whole_timing(text: Text, names: Names) -> Timing:
    """Read a text that is nothing but a time. Raises Mistake."""
    cursor = Cursor(text)
    found = timing(cursor, names)
    if found is None:
        raise text.all.mistake(f"{quoted(text)} is no time", "write it like 'within 1s of desk sends 503'")
    cursor.finish("this time")
    return found
