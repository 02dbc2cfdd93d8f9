"""Single steps of an agent, written in words, and responses with everything that their codes must carry."""

from __future__ import annotations

import re
from collections.abc import Callable

from sip_harness.language import foreign
from sip_harness.language.bytes_file import raw
from sip_harness.language.diagnostics import Mistake, did_you_mean, nearest, quoted
from sip_harness.language.grammar import event
from sip_harness.language.headers import Headers, canonical, one_line
from sip_harness.language.names import Names
from sip_harness.language.source import Text, Word
from sip_harness.language.words import Cursor, code, duration, is_duration, method, unit_meant, within_dialog
from sip_harness.model.steps import (
    PLAIN,
    After,
    Again,
    Challenge,
    Delivery,
    Disconnect,
    ForwardBack,
    HangUp,
    NoTrying,
    Request,
    Send,
    Silence,
    Step,
    Unregister,
    Wait,
)
from sip_harness.sip.codes import Code, UnknownCode, default_body, lookup

HOST = "127.0.0.1"
"""Host in the headers that a code has to carry; agents are on loopback unless the author writes another."""
NO_SYSTEM = "phone.invalid"
"""Realm of a scripted challenge that names none: no system has it, so no caller takes it for one of the system."""

STEPS = (
    *(
        "wait",
        "after",
        "silence",
        "hang up",
        "no 100",
        "send",
        "bytes",
        "again",
        "close",
        "reset",
        "half-open",
        "challenge",
    ),
    *("unregister", "forward back"),
)
"""What a step can begin with besides a code."""

NO_HEADERS = Headers()
_FORMS = (
    "a step is a code (486), a name (busy-here), 'wait 100ms', 'after AGENT sends 180', 'silence', 'hang up', "
    "'no 100', 'send re-INVITE', 'bytes FILE', 'again', 'close', 'reset', 'half-open', 'challenge', 'unregister' or "
    "'forward back'"
)


def step(text: Text, names: Names) -> Step:
    """Read a step that is written in words. Raises Mistake."""
    first = Cursor(text).take("a step")
    read = _READERS.get(str(first))
    return (read and read(text, first, names)) or _response(text, first)


def _wait(text: Text, first: Word, names: Names) -> Step:
    cursor = _behind(text)
    if cursor.peek().isdigit() and is_duration(joined := cursor.peek() + cursor.peek(1)) and cursor.peek(1).isalpha():
        joined = cursor.peek() + unit_meant(cursor.peek(1))
        raise cursor.take("").mistake("a duration is one word", f"write 'wait {joined}'")
    seconds = duration(cursor.take("a duration"))
    cursor.finish("this step")
    return Wait(seconds, text.place)


def _after(text: Text, first: Word, names: Names) -> Step:
    return After(event(_rest(text, first), names), text.place)


def _alone(made: Callable[[Text], Step], *words: str) -> Callable[[Text, Word, Names], Step | None]:
    """Reads a step that is these words and nothing else; none of its business if they are not all there."""

    def read(text: Text, first: Word, names: Names) -> Step | None:
        cursor = Cursor(text)
        if not all(cursor.skip(word) for word in words):
            return None
        cursor.finish(f"'{' '.join(words)}'")
        return made(text)

    return read


def _request(text: Text, first: Word, names: Names) -> Step:
    cursor = _behind(text)
    wanted = within_dialog(cursor.take("a request"))
    cursor.finish("this step")
    return Request(wanted, place=text.place)


def _bytes(text: Text, first: Word, names: Names) -> Step:
    rest = _rest(text, first)
    if not rest:
        raise first.mistake("a file is missing after 'bytes'", "write it like 'bytes broken.sip'")
    return raw(rest, names, text.place)


def _challenge(text: Text, first: Word, names: Names) -> Step:
    code = _rest(text, first)
    return Challenge(challenge_code(code) if code else 401, place=text.place)


def challenge_code(text: Text) -> int:
    """401 or 407. Raises Mistake."""
    if text not in ("401", "407"):
        hint = "401 is that of user agents and registrars, 407 that of proxies"
        raise text.all.mistake(f"{quoted(text)} asks for no credentials", hint)
    return int(text)


_READERS: dict[str, Callable[[Text, Word, Names], Step | None]] = {
    "wait": _wait,
    "after": _after,
    "send": _request,
    "bytes": _bytes,
    "silence": _alone(lambda text: Silence(text.place), "silence"),
    "hang": _alone(lambda text: HangUp(text.place), "hang", "up"),
    "no": _alone(lambda text: NoTrying(text.place), "no", "100"),
    "again": _alone(lambda text: Again(place=text.place), "again"),
    "close": _alone(lambda text: Disconnect("close", text.place), "close"),
    "reset": _alone(lambda text: Disconnect("reset", text.place), "reset"),
    "challenge": _challenge,
    "unregister": _alone(lambda text: Unregister(text.place), "unregister"),
    "forward": _alone(lambda text: ForwardBack(text.place), "forward", "back"),
    "half-open": _alone(lambda text: Disconnect("half-open", text.place), "half-open"),
}


def send(
    row: Code,
    place: Text,
    reason: str | None = None,
    headers: Headers = NO_HEADERS,
    body: str = "",
    kind: str = "",
    *,
    to: str = "",
    how: Delivery = PLAIN,
) -> Send:
    """A response with everything that its code must carry and the author neither gave nor left out. Without `reason` it
    has the registry's phrase."""
    decided = headers.decided
    host = NO_SYSTEM if row.code in (401, 407) else HOST
    added = [pair for pair in row.default_headers(host) if canonical(pair[0]) not in decided]
    if not body and "content-type" not in decided:
        kind, due = default_body(row.code)
        body = due.decode()
    given = (*headers.given, *added)
    phrase = row.phrase if reason is None else reason
    return Send(row.code, phrase, given, headers.omit, body, kind, place.place, to, how)


def _behind(text: Text) -> Cursor:
    """A cursor behind the first word."""
    cursor = Cursor(text)
    cursor.take("a step")
    return cursor


def _rest(text: Text, first: Word) -> Text:
    """What stands behind a word, as a text of its own with its places."""
    begin = first.end
    while begin < len(text) and text[begin].isspace():
        begin += 1
    return Text(text[begin:], text.origin, text.indices[begin:])


def _response(text: Text, first: Word) -> Send:
    row = _code(text, first)
    if answered := answers_other(text):
        return send(row, text, to=answered)
    reason = _rest(text, first)
    if swallowed := _swallowed(reason, named=not str(first).isdigit()):
        hint = f"put a comma before it, or {{{row.code}: {{reason: ...}}}} around a phrase that reads so"
        raise swallowed.all.mistake(f"{quoted(str(swallowed))} is a step of its own", hint)
    return send(row, text, str(one_line(reason, "a reason phrase")).rstrip() or None)


def _swallowed(reason: Text, *, named: bool) -> Text | None:
    """The step that an author has written into a reason phrase because a comma is missing. Behind the name of a code,
    which has no phrase of its own as a rule, that may also be another code."""
    words = list(re.finditer(r"\S+", reason))
    for number, word in enumerate(words):
        one, two, three = ([w[0] for w in words[number : number + 3]] + ["", ""])[:3]
        wait = one == "wait" and is_duration(two)
        after = one == "after" and three in ("sends", "gets")
        end = (one, two) == ("hang", "up") and not three
        if wait or after or end or (named and number == 0 and _is_code(one)):
            return Text(reason[word.start() :], reason.origin, reason.indices[word.start() :])
    return None


def _is_code(word: str) -> bool:
    try:
        lookup(word)
    except UnknownCode:
        return False
    return True


def answers_other(text: Text) -> str:
    """INVITE for `487 to INVITE`; empty if a reason phrase follows the code, or nothing. Raises Mistake."""
    cursor = Cursor(text)
    first = cursor.take("a response")
    if not cursor.skip("to") or cursor.peek(1):
        return ""
    word = cursor.take("the answered request")
    if (found := method(word)) != "INVITE":
        hint = f"write {first} for a response to the request itself"
        raise word.mistake(f"only a pending INVITE is answered out of turn, no {found}", hint)
    return found


def _code(text: Text, first: Word) -> Code:
    if hint := foreign.of_step(str(text), str(first)):
        raise first.mistake(f"{quoted(str(first))} is no step", hint)
    if is_duration(str(first)) and not str(first).lstrip("-").isdigit():
        raise first.mistake(f"{quoted(str(first))} is no step", f"write 'wait {first}'")
    try:
        return code(first, hint=did_you_mean(nearest(str(first), STEPS)))
    except Mistake as mistake:
        raise _cut_phrase(text) or _unknown(first, mistake) from None


def _unknown(first: Word, mistake: Mistake) -> Mistake:
    found = mistake.diagnostic
    return mistake if found.hint or str(first).lstrip("-").isdigit() else first.mistake(found.message, _FORMS)


def _cut_phrase(text: Text) -> Mistake | None:
    """`[403 Insufficient funds, please pay]`: YAML cut the phrase in two and this is its second half."""
    before = text.before
    if before is None or not str(before)[:1].isdigit() or " " not in before:
        return None
    hint = f"quote the step if this belongs to the reason phrase: {_in_quotes(f'{before}, {text}')}"
    return text.all.mistake(f"unknown step {quoted(text)}", hint)


def _in_quotes(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' if "'" in text else f"'{text}'"
