"""Captured messages as steps of a scenario: what of them is not what an agent of ours sends by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

from sip_harness.capture.sessions import description, goes_on
from sip_harness.capture.wording import names_somebody, quoted, refusal, visible
from sip_harness.sip.codes import default_headers, phrase
from sip_harness.sip.fields import written
from sip_harness.sip.message import Message
from sip_harness.sip.values import split_list

SHORT_SESSION = 2
"""Seconds of a session that is made short, so that its refresh is seen in a run."""
_OF_THE_STACK = frozenset(
    {
        "via", "from", "to", "call-id", "cseq", "contact", "content-length", "content-type", "record-route", "route",
        "allow", "supported", "require", "rseq", "rack", "server", "user-agent", "date", "www-authenticate",
        "proxy-authenticate", "authorization", "proxy-authorization", "authentication-info", "accept", "timestamp",
        "content-disposition", "mime-version", "max-forwards", "session-id", "allow-events", "organization",
    }
)  # fmt: skip
"""Headers that a stack of ours makes for itself, or that belong to one dialog only."""
_PERSONAL = frozenset({"p-asserted-identity", "remote-party-id", "p-preferred-identity", "p-charging-vector"})
"""Headers that name people: they stay in the capture."""
_MEDIA_TYPE = re.compile(r"[!#-'*+.^-~\w-]+/[!#-'*+.^-~\w-]+(?:[ \t]*;[ -~]*)?", re.ASCII)
"""A content type (RFC 3261 25.1)."""
_STEP = re.compile(r"(?i)^to\b|\b(?:wait|after|hang up)\b")
"""What a short response would not be read as a phrase with."""
_KEYS = re.compile(r"(?i)(?<=signal=)\s*[0-9A-D*#]+|^\s*[0-9A-D*#]\s*$")
"""A key that was pressed, in a body of DTMF: several of them may be a PIN."""
_CODES = range(100, 700)
"""What is a response code at all."""


@dataclass
class Saying:
    """How messages of one agent are told, and what of them is not."""

    short_sessions: bool = False
    """Whether session timers are made short: the system has refreshed a session."""
    target: str = "bob"
    """What a transfer leads to instead of where it led."""
    left_out: list[str] = field(default_factory=list)
    """What the language is not asked to repeat, in words."""

    def response(self, m: Message, *, numbered: bool = False) -> str:
        """One response as a step: its code, and what of it is not what this code has by default. With `numbered` a
        reliable one keeps its number. Empty for a code that there is not."""
        if m.code not in _CODES:
            self.left_out.append(f"a response with the code {m.code}, which there is not")
            return ""
        parts = []
        if m.reason != phrase(m.code) and self._is_sayable(f"the phrase of {m.code}", m.reason):
            parts.append(f"reason: {quoted(m.reason)}")
        if is_reliable(m):
            parts.append("reliable: yes")
        if headers := self._of_response(m, numbered=numbered):
            parts.append(f"headers: {{{', '.join(headers)}}}")
        parts += self._body_of_response(m)
        if parts == [f"reason: {m.reason}"] and m.reason.isascii() and not _STEP.search(m.reason):
            return f"{m.code} {m.reason}"
        return f"{{{m.code}: {{{', '.join(parts)}}}}}" if parts else str(m.code)

    def request(self, m: Message, name: str, more: Sequence[str] = (), before: Sequence[bytes] = ()) -> str:
        """One request within a dialog as a step. `more` are headers besides its own, as items of YAML; `before` is what
        its sender had said of the session earlier."""
        headers = [*more, *self.headers(m, name)]
        parts = [f"headers: {{{', '.join(headers)}}}"] if headers else []
        parts += self._body_of_request(m, name, before)
        return f"send: {{{name}: {{{', '.join(parts)}}}}}" if parts else f"send {name}"

    def _is_sayable(self, what: str, text: str) -> bool:
        if why := refusal(what, text):
            self.left_out.append(why)
        return not why

    def headers(self, m: Message, name: str, only: Collection[str] = ()) -> list[str]:
        """Its headers as items of YAML, each named as it was; `only` those with these names in lower case, if any."""
        values: dict[str, list[str]] = {}
        names: dict[str, str] = {}
        for one in (f for f in m.fields if not only or f.key in only):
            for value in self._values(m, one.key, one.value):
                if one.key == "refer-to" and m.is_request:
                    self.left_out.append(f"where the {name} led: it leads to {self.target} here")
                    value = f"<{{uri of {self.target}}}>"  # noqa: PLW2901 - a REFER is none without it
                elif not self._is_sayable(f"the header {quoted(one.name)} of {name}", value):
                    continue
                values.setdefault(one.key, []).append(value)
                names.setdefault(one.key, one.name if one.name.lower() == one.key else written(one.key))
        return [f"{quoted(names[key])}: {_value(found)}" for key, found in values.items()]

    def _values(self, m: Message, key: str, value: str) -> Iterator[str]:
        """What of a header is the agent's own word: nothing of those that a stack makes for itself."""
        if key == "session-expires" and self.short_sessions:
            yield str(SHORT_SESSION) + "".join(re.findall(r"(?i);\s*refresher\s*=\s*ua[cs]", value)[:1])
        elif key in ("require", "supported"):
            options = [o for o in split_list(value) if o.lower() != "100rel"]
            if key == "require" or m.get("session-expires"):
                yield from [", ".join(options)] if options else []
        elif key not in _OF_THE_STACK | _PERSONAL:
            yield value

    def _of_response(self, m: Message, *, numbered: bool) -> list[str]:
        """Its headers; what this code has to carry and the capture lacks is left out on purpose."""
        if m.code // 100 == 3 and m.get("contact"):
            self.left_out.append(f"the Contact of {m.code}: it names somebody")
        items = self.headers(m, str(m.code))
        if numbered and is_reliable(m):
            items.append(f"RSeq: {quoted(m.get('rseq') or '')}")
        missing = [name for name, _ in default_headers(m.code, "127.0.0.1") if not m.all(name)]
        if not m.body and _has_session(m):
            missing.append("Content-Type")
        return items + [f"{name}: null" for name in missing]

    def _body_of_response(self, m: Message) -> list[str]:
        """A body, unless it is the description of a session: the stack has one of its own, with ports that are open."""
        if is_session(m) and m.code < 300:
            return [] if _has_session(m) or m.cseq[1] != "INVITE" else ["media: silence"]
        return self._body(m, lambda text: text)

    def _body_of_request(self, m: Message, name: str, before: Sequence[bytes]) -> list[str]:
        """A body; of the description of a session what it asks for, with the addresses of a stack of ours."""
        kind = _type(m)
        if is_session(m):
            if name == "re-INVITE" and goes_on(m.body, before):
                return []
            text = description(m.body)
            if not text:
                self.left_out.append(f"the session that {name} describes")
            return [f"body: {quoted(text)}", "type: application/sdp"] if text else []
        if not m.body and name == "re-INVITE":
            self.left_out.append("that the re-INVITE offered nothing")
        if m.body and m.method == "MESSAGE":
            self.left_out.append("the text of MESSAGE")
            return []
        if m.body and kind.startswith("application/dtmf"):
            self.left_out.append("which keys were pressed")
            return self._body(m, lambda text: _KEYS.sub("1", text))
        return self._body(m, lambda text: text)

    def _body(self, m: Message, change: Callable[[str], str]) -> list[str]:
        if not m.body:
            return []
        kind = m.get("content-type") or ""
        what = f"a body of {len(m.body)} bytes ({visible(_type(m)) or 'no type'})"
        if kind and not _MEDIA_TYPE.fullmatch(kind):
            self.left_out.append(f"{what}: that is no type")
            return []
        text = m.body.decode("utf-8", "surrogateescape")
        if not self._is_sayable(what, text) or names_somebody(kind):
            return []
        return [f"body: {quoted(change(text))}", f"type: {quoted(kind or 'text/plain')}"]


def is_reliable(m: Message) -> bool:
    """Whether a response asks for PRACK (RFC 3262 3)."""
    return 100 < m.code < 200 and bool(m.get("rseq")) and "100rel" in options(m, "require")


def is_session(m: Message) -> bool:
    """Whether its body describes a session."""
    return bool(m.body) and _type(m) == "application/sdp"


def options(m: Message, name: str) -> set[str]:
    """Option tags of a header, in lower case."""
    return {option.lower() for value in m.all(name) for option in split_list(value)}


def _type(m: Message) -> str:
    return (m.get("content-type") or "").partition(";")[0].strip().lower()


def _has_session(m: Message) -> bool:
    """Whether the stack describes a session in such a response by itself."""
    return m.cseq[1] == "INVITE" and (m.code == 183 or 200 <= m.code < 300)


def _value(values: Sequence[str]) -> str:
    scalars = [quoted(value) for value in values]
    return scalars[0] if len(scalars) == 1 else f"[{', '.join(scalars)}]"
