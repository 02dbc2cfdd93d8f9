"""Sentences of the language: patterns, events, triggers, losses.

what     = METHOD | "ACK to" codes | codes ["to" METHOD]          codes = code {"or" code}
event    = AGENT ("sends" | "gets") [NUMBER] what
trigger  = ["after"] DURATION | [DURATION] "after" event
ack      = "never" | trigger
loss     = ["first" NUMBER] what
"""

from __future__ import annotations

import re
from typing import Literal

from sip_harness.language import foreign
from sip_harness.language.diagnostics import did_you_mean, guess, nearest, quoted
from sip_harness.language.names import Names
from sip_harness.language.source import Text, Word
from sip_harness.language.words import (
    RE_INVITE,
    Cursor,
    code_set,
    duration,
    is_duration,
    looks_like_method,
    method,
    whole,
)
from sip_harness.model.pattern import Event, Pattern, RequestPattern, ResponsePattern, Trigger, Verb
from sip_harness.model.script import Loss

_VERBS: dict[str, Verb] = {"sends": "sends", "gets": "gets"}
_MEANT: dict[str, Verb] = {
    "send": "sends", "sent": "sends", "answers": "sends", "says": "sends", "get": "gets", "got": "gets",
    "receives": "gets", "received": "gets", "sees": "gets",
}  # fmt: skip
_WHAT = "a request (INVITE) or a response (486)"
MAX_LOST = 1000
MAX_COUNT = 99
POLICY = "policy."
_BEHIND_A_CODE = ("", "or", "to", "from", ",", "once", "within", "no", "at", "after")


def event(text: Text, names: Names) -> Event:
    """Read `mobile sends 180`. Raises Mistake."""
    cursor = Cursor(text)
    found = happening(cursor, names)
    cursor.finish("this event")
    return found


def trigger(text: Text, names: Names) -> Trigger:
    """Read `300ms`, `after 300ms`, `after mobile sends 180` or `300ms after mobile sends 180`. Raises Mistake."""
    cursor = Cursor(text)
    delay = duration(cursor.take("a duration")) if is_duration(cursor.peek()) else None
    if cursor.skip("after"):
        found = _after(cursor, names, delay)
    elif delay is not None:
        found = Trigger(delay=delay)
    else:
        word = cursor.take("a duration or an event")
        hint = did_you_mean(f"after {text}") if cursor.peek() in _VERBS else "write 300ms, or after mobile sends 180"
        raise word.mistake("a trigger is a duration or begins with 'after'", hint)
    cursor.finish("this trigger")
    return found


def acknowledgement(text: Text, names: Names) -> Trigger | Literal["never"]:
    """Read when a 2xx is acknowledged: `never` or a trigger. Raises Mistake."""
    if str(text) == "never":
        return "never"
    if " " not in text and nearest(text, ("never",)):
        raise text.all.mistake(f"{quoted(text)} is no trigger", did_you_mean("never"))
    return trigger(text, names)


def loss(text: Text, names: Names) -> Loss:
    """Read `CANCEL`, `first 2 ACK` or `first 1 200 to BYE`. Raises Mistake."""
    cursor = Cursor(text)
    first = 0
    if cursor.skip("first"):
        word = cursor.take("a number")
        if not cursor.peek() or looks_like_method(str(word)):
            raise word.mistake("'first' needs a number and a message", f"write 'first 1 {word}'")
        first = whole(word, 1, MAX_LOST)
    elif cursor.peek().isdigit() and looks_like_method(cursor.peek(1)):
        word = cursor.take("a message")
        raise word.mistake(f"{quoted(str(word))} counts nothing here", did_you_mean(f"first {text}"))
    pattern = what(cursor)
    cursor.finish("this loss")
    return Loss(pattern, first, text.place)


def of_policy(word: Word) -> str:
    """The name behind `policy.`; empty if the word is no such thing. Raises Mistake for a name that is none."""
    text = str(word)
    if not text.startswith(POLICY):
        return ""
    name = text[len(POLICY) :]
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", name):
        raise word.mistake(f"{quoted(text)} names nothing of a policy", "write it like policy.ring-timeout")
    return name


def what(cursor: Cursor, *, policy: bool = False) -> Pattern:
    """Read a request or a response; with `policy` the codes of a response may be those of the system's policy. Raises
    Mistake."""
    if cursor.peek().casefold() == RE_INVITE.casefold():
        raise cursor.take(_WHAT).mistake("a re-INVITE is an INVITE within a dialog", did_you_mean("INVITE"))
    if looks_like_method(cursor.peek()):
        return _request(cursor)
    word = cursor.take(_WHAT)
    if hint := foreign.of_expected(str(word)):
        raise word.mistake(f"{quoted(str(word))} is no message", hint)
    _refuse_phrase(word, cursor)
    found, text, of_system = _codes(word, cursor, policy=policy)
    answered = _answered(cursor) if cursor.skip("to") else "INVITE"
    if answered == "CANCEL" and found == {487}:
        raise word.mistake("487 answers the INVITE that is cancelled", f"write {word}; the CANCEL itself gets a 200")
    return ResponsePattern(found, answered, text, of_system)


def happening(cursor: Cursor, names: Names) -> Event:
    """Read an event that is part of a text. Raises Mistake."""
    word = cursor.take("an agent")
    agent = names.agent(word)
    verb = _verb(cursor.take("'sends' or 'gets'"))
    # Codes have three digits, so a shorter number counts.
    counts = cursor.peek().isdigit() and len(cursor.peek()) < 3 and bool(cursor.peek(1))
    count = whole(cursor.take("a number"), 1, MAX_COUNT) if counts else 1
    return Event(agent, verb, what(cursor), word.place, count)


def _after(cursor: Cursor, names: Names, delay: float | None) -> Trigger:
    if is_duration(cursor.peek()) and cursor.peek(1) not in _VERBS:
        word = cursor.take("a duration")
        if delay is not None:
            raise word.mistake("two durations", "write an event after 'after'")
        return Trigger(delay=duration(word))
    return Trigger(happening(cursor, names), delay or 0.0)


def _verb(word: Word) -> Verb:
    text = str(word)
    if text in _VERBS:
        return _VERBS[text]
    near = _MEANT.get(text) or nearest(text, _VERBS)
    hint = did_you_mean(near) or "write it like 'mobile sends 180' or 'mobile gets CANCEL'"
    raise word.mistake(f"an agent 'sends' or 'gets', not {quoted(text)}", hint)


def _request(cursor: Cursor) -> RequestPattern:
    name = method(cursor.take(_WHAT))
    if cursor.peek() == "or":
        raise cursor.take("or").mistake("only response codes are joined by 'or'")
    if name == "ACK" and re.fullmatch(r"[2-6][0-9x]{2}", cursor.peek()):
        word = cursor.take("")
        raise word.mistake("a word is missing before the code", did_you_mean(f"ACK to {word}"))
    if cursor.peek() != "to":
        return RequestPattern(name)
    to = cursor.take("to")
    if name != "ACK":
        raise to.mistake(f"{name} answers nothing", "only 'ACK to CODE' names a response")
    word = cursor.take("a response code")
    acked, _, _ = _codes(word, cursor)
    if min(acked) < 200:
        raise word.mistake("a provisional response gets no ACK", "an ACK is for codes from 200")
    return RequestPattern(name, acked)


def _codes(word: Word, cursor: Cursor, *, policy: bool = False) -> tuple[frozenset[int], str, tuple[str, ...]]:
    """The codes joined by `or`, how they were written if the numbers alone would not say it, and occasions for which
    the policy has further ones."""
    all_words = [word]
    while cursor.skip("or"):
        all_words.append(following := cursor.take("a response code"))
        if looks_like_method(str(following)):
            raise following.mistake("only response codes are joined by 'or'")
    found: set[int] = set()
    occasions = []
    for one in all_words:
        if name := of_policy(one):
            if not policy:
                raise one.mistake("a code of the policy can only be expected", "write the code itself")
            occasions.append(name)
        else:
            found |= code_set(one)
    text = " or ".join(map(str, all_words))
    plain = text == " or ".join(map(str, sorted(found)))
    return frozenset(found), "" if plain else text, tuple(occasions)


def _answered(cursor: Cursor) -> str:
    word = cursor.take("the answered request")
    name = method(word)
    if name == "ACK":
        raise word.mistake("an ACK is never answered", guess("", ("INVITE", "BYE", "CANCEL", "REGISTER")))
    return name


def _refuse_phrase(word: Word, cursor: Cursor) -> None:
    """`486 Busy Here` is how people write a response, but only an answer says its phrase."""
    text, rest = str(word), cursor.peek()
    counts = (len(rest) < 3) if rest.isdigit() else is_duration(rest)  # codes have three digits
    goes_on = rest in _BEHIND_A_CODE or counts or rest.startswith(POLICY)
    if text.isdigit() and not goes_on:
        code_set(word)
        if hint := foreign.behind_a_code(rest):
            raise cursor.take("").mistake(f"{quoted(rest)} means nothing here", hint)
        if not nearest(rest, ("or", "to", "from")):
            raise cursor.take("").mistake("a response is expected by its code alone", f"write {text}")
