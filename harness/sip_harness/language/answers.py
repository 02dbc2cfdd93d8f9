"""What a device answers: single steps, and which may follow which."""

from __future__ import annotations

from collections.abc import Sequence

from sip_harness.language.diagnostics import Mistake, did_you_mean, nearest, quoted
from sip_harness.language.grammar import event
from sip_harness.language.headers import Headers, canonical, one_line
from sip_harness.language.names import Names
from sip_harness.language.source import Text, Word
from sip_harness.language.words import Cursor, code, duration, is_duration
from sip_harness.model.scenario import After, HangUp, Send, Silence, Step, Wait
from sip_harness.sip.codes import Code, default_body

HOST = "127.0.0.1"
"""Host in the headers that a code has to carry; agents are on loopback unless the author writes another."""

STEPS = ("wait", "after", "silence", "hang up")
"""What a step can begin with besides a code."""

NO_HEADERS = Headers()
_FORMS = "a step is a code (486), a name (busy-here), 'wait 100ms', 'after AGENT sends 180', 'silence' or 'hang up'"


def step(text: Text, names: Names) -> Step:
    """Read a step that is written in words. Raises Mistake."""
    cursor = Cursor(text)
    first = cursor.take("a step")
    word = str(first)
    if word == "wait":
        seconds = duration(cursor.take("a duration"))
        cursor.finish("this step")
        return Wait(seconds, text.place)
    if word == "after":
        return After(event(_rest(text, first), names), text.place)
    if word == "silence":
        cursor.finish("'silence'")
        return Silence(text.place)
    if word == "hang" and cursor.skip("up"):
        cursor.finish("'hang up'")
        return HangUp(text.place)
    return _response(text, first)


def send(
    row: Code, place: Text, reason: str = "", headers: Headers = NO_HEADERS, body: str = "", kind: str = ""
) -> Send:
    """A response with everything that its code must carry and the author neither gave nor left out."""
    decided = headers.decided
    added = [pair for pair in row.default_headers(HOST) if canonical(pair[0]) not in decided]
    if not body and "content-type" not in decided:
        kind, due = default_body(row.code)
        body = due.decode()
    given = (*headers.given, *added)
    return Send(row.code, reason or row.phrase, given, headers.omit, body, kind, place.place)


def misplaced(steps: Sequence[Step]) -> tuple[int, str, str] | None:
    """The first step that cannot stand where it stands: its index, what is wrong, what to do. None if all is well."""
    if not steps:
        return -1, "an answer needs at least one step", "write 'silence' for a device that never answers"
    final: Send | None = None
    over = ""
    for index, one in enumerate(steps):
        if over:
            return index, f"nothing can follow {over}", ""
        if final is not None and (wrong := _after_final(one, final)):
            return index, *wrong
        if isinstance(one, HangUp):
            if final is None:
                return index, "only an answered call can be hung up", "put a 2xx before it, as 'ok'"
            over = "'hang up'"
        elif isinstance(one, Silence):
            over = "'silence'"
        elif isinstance(one, Send) and one.code >= 200:
            final = one
    return None


def _after_final(one: Step, final: Send) -> tuple[str, str] | None:
    if final.code >= 300:
        return f"nothing can follow {final}: it is a final response", "one answer has one final response, at its end"
    if isinstance(one, (Send, Silence)):
        return f"only 'hang up' can follow {final}: the call is answered", "a wait may stand between them"
    return None


def _rest(text: Text, first: Word) -> Text:
    """What stands behind a word, as a text of its own with its places."""
    begin = first.end
    while begin < len(text) and text[begin].isspace():
        begin += 1
    return Text(text[begin:], text.origin, text.indices[begin:])


def _response(text: Text, first: Word) -> Send:
    row = _code(text, first)
    reason = _rest(text, first)
    return send(row, text, str(one_line(reason, "a reason phrase")).rstrip())


def _code(text: Text, first: Word) -> Code:
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
