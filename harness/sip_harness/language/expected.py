"""An expected message in words.

expected = ["maybe" | "should"] what ["from" (DEVICE | "system")] [count] [timing]
"""

from __future__ import annotations

from sip_harness.language.diagnostics import guess, quoted
from sip_harness.language.grammar import what
from sip_harness.language.names import Names
from sip_harness.language.source import Text
from sip_harness.language.timing import times, timing
from sip_harness.language.words import Cursor
from sip_harness.model.entry import Level
from sip_harness.model.expecting import Heard, Severity
from sip_harness.model.pattern import RequestPattern
from sip_harness.model.wanted import Expected, Reached

MAX_PACKETS = 100_000
_LEVELS: dict[str, Level] = {"tone": "tone", "silence": "silence", "nothing": ""}


def expected(text: Text, names: Names) -> Expected:
    """Read `maybe 180 or 183`, `ACK to 600`, `600 from desk 2 times`, `CANCEL within 1s of mobile sends 200`. Raises
    Mistake."""
    if str(text) in ("never", "reached"):
        raise text.all.mistake(f"{quoted(text)} stands alone", f"write it without brackets: {text}")
    cursor = Cursor(text)
    maybe = cursor.skip("maybe")
    should = not maybe and cursor.skip("should")
    first = cursor.peek()
    pattern = what(cursor, policy=True)
    source = ""
    if cursor.peek() == "from":
        word = cursor.take("from")
        if isinstance(pattern, RequestPattern):
            raise word.mistake("only responses have a 'from'", f"a request comes from the system: {first}")
        source = names.source(cursor.take("a device or 'system'"))
    count = times(cursor)
    if maybe and count is not None:
        raise text.all.mistake("'maybe' and a count say two things", "write 'at most 1 times'")
    when = timing(cursor, names)
    cursor.finish("this expectation")
    severity: Severity = "should" if should else "must"
    return Expected(pattern, maybe, source, text.place, count=count, timing=when, severity=severity)


def fate(text: Text, names: Names) -> Reached | str:
    """Read `never`, `reached` or `reached 2 times`. Raises Mistake."""
    cursor = Cursor(text)
    if str(text) == "never":
        return "never"
    if cursor.skip("reached"):
        count = times(cursor)
        cursor.finish("this expectation")
        return Reached("", text.place, count)
    near = guess(text, ("never", "reached"))
    hint = near if near.startswith("did") else f"write a list, as [{text}], or never, or reached"
    raise text.all.mistake(f"{quoted(text)} is no list of messages", hint)


def heard(text: Text, names: Names) -> Heard:
    """Read `tone from desk`, `silence`, `nothing`, `tone at least 20 packets within 1s of desk sends 183`. Raises
    Mistake."""
    cursor = Cursor(text)
    word = cursor.take("tone, silence or nothing")
    if str(word) not in _LEVELS:
        raise word.mistake(f"nobody hears {quoted(str(word))}", guess(str(word), _LEVELS))
    source = ""
    if cursor.skip("from"):
        source = names.agent(cursor.take("an agent"))
    packets = times(cursor, "packets", MAX_PACKETS)
    when = timing(cursor, names)
    cursor.finish("this expectation")
    if str(word) == "nothing" and (packets or when):
        raise word.mistake("nothing comes at no time", "write 'nothing' or 'nothing from desk'")
    return Heard("", _LEVELS[str(word)], source, packets, when, place=text.place)
