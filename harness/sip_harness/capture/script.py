"""What one agent did in a captured call, in the words of the scenario language."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sip_harness.capture.story import Said
from sip_harness.model.pattern import seconds
from sip_harness.sip.codes import default_headers, phrase
from sip_harness.sip.fields import written
from sip_harness.sip.message import Message

LONGEST = 1.0
"""Seconds to which waits are shortened unless exact times are asked for."""
_SHORTEST = 0.02
"""Seconds: what comes sooner comes at once."""
_TRYING_IS_DUE = 0.2
"""Seconds within which an INVITE wants some response (RFC 3261 17.2.1)."""
_OF_THE_STACK = frozenset(
    {
        "via", "from", "to", "call-id", "cseq", "contact", "content-length", "content-type", "record-route", "route",
        "allow", "supported", "require", "rseq", "server", "user-agent", "date", "www-authenticate",
        "proxy-authenticate", "authorization", "proxy-authorization", "authentication-info", "accept", "timestamp",
        "session-expires", "content-disposition", "mime-version",
    }
)  # fmt: skip
"""Headers of responses that a stack of ours makes for itself, or that belong to one dialog only."""
_PERSONAL = frozenset({"p-asserted-identity", "remote-party-id", "p-preferred-identity", "p-charging-vector"})
"""Headers that name people: they stay in the capture."""
_NAMES = re.compile(
    r"(?i)\b(?:sips?|tel):|@|\b\d{1,3}(?:\.\d{1,3}){3}\b|\[[0-9a-f:]*:[0-9a-f:.]*\]|\d(?:[ ()/-]?\d){6}"
)
"""A URI, an address, or a number of seven digits and more."""
_MEDIA_TYPE = re.compile(r"[!#-'*+.^-~\w-]+/[!#-'*+.^-~\w-]+(?:[ \t]*;[ -~]*)?", re.ASCII)
"""A content type (RFC 3261 25.1)."""
_STEP = re.compile(r"(?i)^to\b|\b(?:wait|after|hang up)\b")
"""What a short response would not be read as a phrase with."""
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/+-]*(?<! )")
_ESCAPES = {"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "~", "to", "from", "or"})


@dataclass
class Times:
    """How long waits are made."""

    exact: bool = False
    shortened: bool = field(default=False, init=False)
    """Whether some wait was."""

    def wait(self, nanoseconds: int) -> str:
        """A duration in words; empty for what is no wait at all."""
        length = nanoseconds / 1e9
        if length < _SHORTEST:
            return ""
        if not self.exact and length > LONGEST:
            self.shortened = True
            length = LONGEST
        return seconds(round(length, 2))


@dataclass
class Did:
    """What a device or a carrier did in one attempt, as items of YAML."""

    steps: list[str] = field(default_factory=list)
    on: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    """What the language is not asked to repeat, in words."""


def names_somebody(text: str) -> bool:
    """Whether a text holds what has to stay in the capture: a number, an address, a user."""
    return bool(_NAMES.search(text))


def visible(text: str) -> str:
    """A text that can stand on a terminal and in a comment."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def quoted(text: str) -> str:
    """A text as a scalar of YAML, in any place."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    if '"' in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if (short := _ESCAPES.get(char)) is not None:
        return short
    return char if char.isprintable() else f"\\U{ord(char):08x}"


def sayable(text: str) -> bool:
    """Whether a text can stand in a scenario: bytes that are no UTF-8 cannot, nor a NUL."""
    return not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)


def device(attempt: Sequence[Said], times: Times) -> Did:
    """The script of one attempt."""
    did = Did()
    answers = [s for s in attempt if not s.by_system and s.answers]
    cancel = next((s for s in attempt if s.by_system and s.sip.method == "CANCEL"), None)
    asked = _invites(attempt)
    last = asked[0].time
    if len(asked) > 1 and (first := _challenge(answers, asked[1])) is not None:
        did.steps.append("challenge" if first == 401 else f"challenge {first}")
        did.left_out.append("the account to which the credentials belong; write it under `challenge`")
        last = asked[1].time
        answers = [s for s in answers if s.time >= last]
    before = [s for s in answers if cancel is None or s.time <= cancel.time]
    _answer(did, before, last, times)
    if cancel is not None:
        _cancelled(did, attempt, cancel, [s for s in answers if s not in before], times)
    bye = next((s for s in attempt if not s.by_system and s.sip.method == "BYE"), None)
    if bye is not None and answers and 200 <= answers[-1].sip.code < 300:
        pause = times.wait(bye.time - answers[-1].time)
        did.steps += [f"wait {pause}", "hang up"] if pause else ["hang up"]
    return did


def expected(attempt: Sequence[Said]) -> list[str]:
    """The requests that it got, in words; those within the call are left out but for the ACK and the BYE.

    Where the capture ends before the call does, what has to follow is added: a BYE, or perhaps the end of its ringing.
    """
    words, finals = [], dict[tuple[int, str], int]()
    for one in attempt:
        m = one.sip
        if not one.by_system:
            if one.is_final:
                finals[m.cseq[0], m.to_tag] = m.code
        elif m.method in ("CANCEL", "BYE") or one.begins:
            words.append(m.method)
        elif m.method == "ACK" and (code := finals.pop((m.cseq[0], m.to_tag), 0)):
            words.append(f"ACK to {code}")
    methods = {one.sip.method for one in attempt}
    codes = [one.sip.code for one in attempt if not one.by_system and one.answers]
    if any(200 <= code < 300 for code in codes) and "BYE" not in methods:
        words.append("BYE")
    elif codes and max(codes) < 200 and "CANCEL" not in methods:
        words += ["maybe CANCEL", "maybe ACK to 487"]
    return words


def unfinished(attempt: Sequence[Said]) -> bool:
    """Whether the capture ends before this attempt does."""
    seen = [one.sip.method for one in attempt if one.begins or one.sip.method in ("ACK", "CANCEL", "BYE")]
    return expected(attempt)[-1] in ("BYE", "maybe ACK to 487") and seen[-1] != "BYE"


def _invites(attempt: Sequence[Said]) -> list[Said]:
    return [s for s in attempt if s.by_system and s.begins]


def _challenge(answers: Sequence[Said], again: Said) -> int | None:
    """The code with which it asked for credentials before the INVITE came again."""
    return next((s.sip.code for s in answers if s.time <= again.time and s.sip.code in (401, 407)), None)


def _answer(did: Did, answers: Sequence[Said], since: int, times: Times) -> None:
    real = [s for s in answers if s.sip.code != 100]
    if not real:
        did.steps.append("100" if answers else "silence")
        return
    if len(real) == len(answers) and (real[0].time - since) / 1e9 > _TRYING_IS_DUE:
        did.steps.append("no 100")
    for one in real:
        if pause := times.wait(one.time - since):
            did.steps.append(f"wait {pause}")
        did.steps.append(_response(one.sip, did))
        since = one.time


def _cancelled(did: Did, attempt: Sequence[Said], cancel: Said, after: Sequence[Said], times: Times) -> None:
    """What it did with the CANCEL, unless that was what any user agent does: 200 to it, 487 to the INVITE, at once."""
    said = [s for s in attempt if not s.by_system and s.sip.code >= 200 and s.sip.cseq[1] == "CANCEL"]
    both = sorted([*said[:1], *after], key=lambda s: s.time)
    usual = [s.sip.code for s in said] == [200] and [s.sip.code for s in after] == [487]
    if usual and all((s.time - cancel.time) / 1e9 < _SHORTEST for s in both):
        return
    items, since = [], cancel.time
    for one in both:
        if pause := times.wait(one.time - since):
            items.append(f"wait {pause}")
        since = one.time
        items.append(f"{one.sip.code} to INVITE" if one.sip.cseq[1] == "INVITE" else str(one.sip.code))
    did.on["CANCEL"] = f"[{', '.join(items or ['silence'])}]"


def _response(m: Message, did: Did) -> str:
    """One response as a step: its code, and what of it is not what this code has by default."""
    parts = []
    if m.reason != phrase(m.code) and _is_sayable(f"the phrase of {m.code}", m.reason, did):
        parts.append(f"reason: {quoted(m.reason)}")
    if headers := _headers(m, did):
        parts.append(f"headers: {{{', '.join(headers)}}}")
    parts += _body(m, did)
    if parts == [f"reason: {m.reason}"] and m.reason.isascii() and not _STEP.search(m.reason):
        return f"{m.code} {m.reason}"
    return f"{{{m.code}: {{{', '.join(parts)}}}}}" if parts else str(m.code)


def _is_sayable(what: str, text: str, did: Did) -> bool:
    if not sayable(text):
        did.left_out.append(f"{what}: it is no text")
    elif names_somebody(text):
        did.left_out.append(f"{what}: it names somebody")
    else:
        return True
    return False


def _headers(m: Message, did: Did) -> list[str]:
    """Its headers as items of YAML, each named as it was; what this code has to carry and the capture lacks is left
    out on purpose."""
    values: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    if m.code // 100 == 3 and m.get("contact"):
        did.left_out.append(f"the Contact of {m.code}: it names somebody")
    for one in m.fields:
        ours = one.key in _OF_THE_STACK | _PERSONAL
        if not ours and _is_sayable(f"the header {quoted(one.name)} of {m.code}", one.value, did):
            values.setdefault(one.key, []).append(one.value)
            names.setdefault(one.key, one.name if one.name.lower() == one.key else written(one.key))
    items = [f"{quoted(names[key])}: {_value(found)}" for key, found in values.items()]
    missing = [name for name, _ in default_headers(m.code, "127.0.0.1") if not m.all(name)]
    if not m.body and _has_session(m.code):
        missing.append("Content-Type")
    return items + [f"{name}: null" for name in missing]


def _has_session(code: int) -> bool:
    """Whether the stack describes a session in a response with this code by itself."""
    return code == 183 or 200 <= code < 300


def _value(values: Sequence[str]) -> str:
    scalars = [quoted(value) for value in values]
    return scalars[0] if len(scalars) == 1 else f"[{', '.join(scalars)}]"


def _body(m: Message, did: Did) -> list[str]:
    """A body, unless it is the description of a session: the stack has one of its own, with ports that are open."""
    kind = (m.get("content-type") or "").partition(";")[0].strip().lower()
    if not m.body:
        return []
    if kind == "application/sdp" and m.code < 300:
        return [] if _has_session(m.code) else ["media: silence"]
    what = f"a body of {len(m.body)} bytes ({visible(kind) or 'no type'})"
    text = m.body.decode("utf-8", "surrogateescape")
    if kind and not _MEDIA_TYPE.fullmatch(m.get("content-type") or ""):
        did.left_out.append(f"{what}: that is no type")
        return []
    if not _is_sayable(what, text, did):
        return []
    return [f"body: {quoted(text)}", f"type: {quoted(m.get('content-type') or 'text/plain')}"]
