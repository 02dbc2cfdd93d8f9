"""What is wrong with a message that can still be read, in words with the rule that it breaks.

A fault is an observation, not a verdict: it says what a strict receiver could object to. Nothing here is computed
until somebody asks for `Message.faults`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from sip_harness.sip.address_faults import address_faults, listed_or_empty
from sip_harness.sip.errors import SipError
from sip_harness.sip.fields import WRITTEN, canonical, is_token, written
from sip_harness.sip.headers import listed
from sip_harness.sip.uri import Uri, read_uri
from sip_harness.sip.values import (
    MAX_DELTA,
    MAX_VALUE,
    QUOTED,
    TOKEN,
    WELL_FORMED_PARAMS,
    exceeds,
    shown,
    without_comments,
)
from sip_harness.sip.via import Via, read_via

if TYPE_CHECKING:
    from sip_harness.sip.message import Message

MAX_FAULTS = 32
"""Faults of one message that are named; a message of garbage has thousands."""
COOKIE = "z9hG4bK"

_ALWAYS = ("via", "from", "to", "call-id", "cseq")
# fmt: off
_SINGLE = frozenset((
    "call-id", "content-disposition", "content-length", "content-type", "cseq", "date", "event", "expires", "from",
    "identity", "max-forwards", "mime-version", "min-expires", "min-se", "organization", "priority", "rack",
    "refer-to", "referred-by", "reply-to", "replaces", "retry-after", "rseq", "server", "session-expires", "sip-etag",
    "sip-if-match", "subject", "subscription-state", "timestamp", "to", "user-agent",
))
# fmt: on
"""Headers of which there is one at most: they are no lists (RFC 3261 7.3.1)."""
_NUMBERS = {
    "content-length": MAX_DELTA,
    "max-forwards": 255,
    "expires": MAX_DELTA,
    "min-expires": MAX_DELTA,
    "retry-after": MAX_DELTA,
    "session-expires": MAX_DELTA,
    "min-se": MAX_DELTA,
}
"""Headers that begin with a number, and the largest that it may be (RFC 3261 20, RFC 4028 4)."""
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_UTF8 = re.compile(r"[\udc80-\udcff]")
_WHOLE_QUOTED = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_PAIR = re.compile(r"\\.", re.DOTALL)
_NUMBER = re.compile(r"[0-9]+")
_CSEQ = re.compile(rf"([0-9]+)[ \t]+({TOKEN})")
_WARNING = re.compile(rf'[0-9]{{3}} [^\s"]+ {QUOTED}', re.DOTALL)
_DATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4} "
    r"[0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
)
Faults = Iterator[str]


def find_faults(message: Message) -> tuple[str, ...]:
    """The first `MAX_FAULTS` faults of a message, start line first."""
    found: dict[str, None] = {}
    for fault in chain.from_iterable(check(message) for check in _CHECKS):
        found[fault] = None
        if len(found) == MAX_FAULTS:
            break
    return tuple(found)


def _start_line(message: Message) -> Faults:
    version = message.version
    if version != "2.0":
        yield f"SIP version {shown(version)} is not 2.0 (RFC 3261 7.1)"
    if "SIP/" not in message.start:
        yield "SIP version not in upper case (RFC 3261 7.1)"
    start = message.start.upper()
    if message.is_request:
        exact = start == f"{message.method} {message.uri} SIP/{version}".upper()
        yield from _request_uri(message.uri)
    else:
        exact = start == f"SIP/{version} {message.code:03d} {message.reason}".upper()
        if not 100 <= message.code <= 699:
            yield f"status code {message.code:03d} is none of 100 to 699 (RFC 3261 21)"
    if not exact:
        yield "not exactly one space between the parts of the start line (RFC 3261 7.1, 7.2)"


def _request_uri(uri: str) -> Faults:
    if uri.startswith("<"):
        yield "Request-URI in angle brackets (RFC 3261 7.1)"
    elif uri.split() != [uri]:
        yield "white space in the Request-URI (RFC 3261 7.1)"
    else:
        try:
            read = read_uri(uri)
        except SipError as error:
            yield f"Request-URI cannot be read: {error}"
            return
        if isinstance(read, Uri) and read.headers:
            yield "Request-URI with headers of its own (RFC 3261 19.1.1)"


def _lines(message: Message) -> Faults:
    if not message.complete:
        yield "no empty line after the headers (RFC 3261 7)"
    if message.uneven:
        yield "lines that end with LF only (RFC 3261 7)"
    for line in message.odd_lines:
        yield f"line without a header name: {shown(line)}"
    for field in message.fields:
        if not is_token(field.name):
            yield f"header name {shown(field.name)} is no token (RFC 3261 25.1)"
        if len(field.value) > MAX_VALUE:
            yield f"{_of(field.name)} has {len(field.value)} characters and is not taken apart"


def _characters(message: Message) -> Faults:
    for where, value in [("start line", message.start), *((_of(f.name), f.value) for f in message.fields)]:
        if _NOT_UTF8.search(value):
            yield f"{where} is not UTF-8 (RFC 3261 7)"
        if _CONTROL.search(value):
            # A quoted pair may carry nearly every character, NUL included (RFC 3261 25.1).
            rest = _CONTROL.search(_WHOLE_QUOTED.sub(lambda quoted: _PAIR.sub("", quoted[0]), value))
            if rest:
                what = "NUL" if rest[0] == "\0" else f"control character {shown(rest[0])}"
                yield f"{what} in {where} (RFC 3261 25.1)"


def _counts(message: Message) -> Faults:
    names = Counter(field.key for field in message.fields)
    for name, count in names.items():
        if name in _SINGLE and count > 1:
            yield f"{count} {written(name)} headers (RFC 3261 7.3.1)"
    for name in _ALWAYS + (("max-forwards",) if message.is_request else ()):
        if name not in names:
            yield f"no {written(name)} (RFC 3261 {'8.1.1' if message.is_request else '8.2.6.2'})"
    if "from" in names and not message.from_tag:
        yield "From without tag (RFC 3261 8.1.1.3)"
    if "to" in names and message.code > 100 and not message.to_tag:
        yield "To without tag in a response (RFC 3261 8.2.6.2)"


def _cseq(message: Message) -> Faults:
    for value in message.all("cseq"):
        match = _CSEQ.fullmatch(value)
        if match is None:
            yield f"CSeq cannot be read: {shown(value)}"
        elif exceeds(match[1], 2**31 - 1):
            yield f"CSeq {shown(match[1])} is not below 2**31 (RFC 3261 8.1.1.5)"
        if match and message.is_request and match[2] != message.method:
            yield f"CSeq names {shown(match[2])}, the request is {shown(message.method)} (RFC 3261 8.1.1.5)"


def _numbers(message: Message) -> Faults:
    for name, most in _NUMBERS.items():
        for value in message.all(name):
            number = without_comments(value[:MAX_VALUE]).partition(";")[0].strip(" \t")
            if not number.isascii() or not _NUMBER.fullmatch(number):
                yield f"{written(name)} is no number: {shown(value)}"
            elif exceeds(number, most):
                yield f"{written(name)} {shown(number)} is more than {most}"


def _length(message: Message) -> Faults:
    declared = message.content_length
    if message.truncated:
        yield f"Content-Length is {declared}, the body has {len(message.body)} bytes (RFC 3261 18.3)"
    if message.body and message.get("content-type") is None:
        yield "body without Content-Type (RFC 3261 20.15)"


def _vias(message: Message) -> Faults:
    try:
        found = listed_or_empty(message, "via")
    except SipError as error:
        yield f"Via cannot be read: {error}"
        return
    for element in found:
        try:
            yield from _via(read_via(element))
        except SipError as error:
            yield f"Via cannot be read: {error}"


def _via(via: Via) -> Faults:
    if not WELL_FORMED_PARAMS.fullmatch(via.tail):
        yield f"parameters of Via cannot be read: {shown(via.tail)}"
    if (via.protocol.upper(), via.version) != ("SIP", "2.0"):
        yield f"Via of {shown(f'{via.protocol}/{via.version}')} (RFC 3261 20.42)"
    if via.branch == COOKIE:
        yield "branch of a Via is the magic cookie alone (RFC 3261 8.1.1.7)"


def _contacts(message: Message) -> Faults:
    """An INVITE and its 2xx name exactly one Contact (RFC 3261 8.1.1.8, 12.1.1)."""
    if message.method != "INVITE" and not (200 <= message.code <= 299 and message.cseq[1] == "INVITE"):
        return
    try:
        count = len(listed(message, "contact"))
    except SipError:  # named already
        return
    if count != 1:
        yield f"{count or 'no'} Contact, exactly one is due (RFC 3261 {'8.1.1.8' if message.method else '12.1.1'})"


def _other(message: Message) -> Faults:
    for value in message.all("date"):
        if not _DATE.fullmatch(value):
            yield f"Date is none of the form that ends with GMT: {shown(value)} (RFC 3261 20.17)"
    try:
        warnings = listed(message, "warning")
    except SipError as error:
        yield f"Warning cannot be read: {error}"
        return
    for warning in warnings:
        if not _WARNING.fullmatch(warning):
            yield f"Warning cannot be read: {shown(warning)} (RFC 3261 20.43)"


def _of(name: str) -> str:
    return WRITTEN.get(canonical(name), name) if is_token(name) and len(name) <= 40 else shown(name)


_CHECKS: tuple[Callable[[Message], Faults], ...] = (
    _start_line, _lines, _characters, _counts, _cseq, _numbers, _length, _vias, address_faults, _contacts, _other,
)  # fmt: skip
