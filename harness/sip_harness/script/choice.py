"""Which list of steps a request gets: by what it says, else by its number. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sip_harness.model.script import Reaction, Script, When
from sip_harness.model.steps import Challenge as ChallengeStep
from sip_harness.model.steps import Send, Step
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message
from sip_harness.sip.uri import parse_uri, uri_text

_CREDENTIALS = ("authorization", "proxy-authorization")
_LIMIT = 8192
"""Dialogs that are remembered; the network must not be able to fill the memory."""


class Attempts:
    """Counts requests from 0. A retry with credentials is the attempt that it retries (RFC 3261 22.2: same Call-ID and
    From tag, higher CSeq), where that attempt has asked for them."""

    def __init__(self, script: Script | Reaction) -> None:
        self.script = script
        self._next = 0
        self._known: dict[tuple[str, str], tuple[int, int]] = {}
        """Call-ID and From tag to CSeq number and attempt."""

    def number(self, request: Message) -> int:
        """The attempt that this request belongs to."""
        key, sequence = (request.call_id, request.from_tag), request.cseq[0]
        before = self._known.pop(key, None)
        if before is not None and self._retries(request, *before):
            number = before[1]
        else:
            number, self._next = self._next, self._next + 1
        self._known[key] = sequence, number
        if len(self._known) > _LIMIT:
            del self._known[next(iter(self._known))]
        return number

    def _retries(self, request: Message, sequence: int, number: int) -> bool:
        if request.cseq[0] <= sequence or not any(request.get(name) for name in _CREDENTIALS):
            return False
        return bool(self.script.attempts) and any(map(self._asks, self.script.steps(number)))

    def _asks(self, step: Step) -> bool:
        """A reaction has answers by the number of the request: there a plain 401 is one of them, and its retry another
        number."""
        plain = isinstance(self.script, Script) and isinstance(step, Send) and step.code in (401, 407)
        return plain or isinstance(step, ChallengeStep)


def case_of(script: Script | Reaction, request: Message, users: Mapping[str, str]) -> tuple[Step, ...] | None:
    """The steps of the first case that this request matches; None if it matches none. `users` are the user parts of
    the addresses of record, by agent."""
    return next((case.steps for case in script.cases if matches(case.when, request, users)), None)


def matches(when: When, request: Message, users: Mapping[str, str]) -> bool:
    """Whether everything that is stated holds for this request."""
    if when.caller and _user(uri_text(request.get("from") or "")) != users.get(when.caller):
        return False
    if when.user and not _fits(when.user, [_user(request.uri)]):
        return False
    return all(_fits(wanted, list(request.all(name.lower()))) for name, wanted in when.headers)


def _fits(wanted: str, values: list[str]) -> bool:
    if wanted in ("present", "absent"):
        return bool(values) == (wanted == "present")
    if len(wanted) > 1 and wanted[0] == wanted[-1] == "/":
        return any(re.search(wanted[1:-1], value) for value in values)
    return any(value.strip() == wanted for value in values)


def _user(uri: str) -> str:
    """The user part of a URI, or the number of a tel URI; empty if it has none or cannot be read."""
    if uri.lower().startswith("tel:"):
        return uri[4:].partition(";")[0]
    try:
        return parse_uri(uri).user
    except SipError:
        return ""
