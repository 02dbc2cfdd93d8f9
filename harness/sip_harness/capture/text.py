"""SIP messages out of text: what people paste into tickets, and what servers log.

A message is found by its start line. When it was sent, and from where to where, stands in the lines before it, in the
words of whoever wrote it down:

    U 2026/11/27 10:15:00.123456 192.0.2.1:5060 -> 192.0.2.2:5060             sngrep, ngrep, Homer
    <--- Received SIP response (312 bytes) from UDP:192.0.2.2:5060 --->       Asterisk
    send 1234 bytes to udp/[192.0.2.2]:5060 at 10:15:00.123456:               FreeSWITCH
    ---- Outgoing SIP Message to 192.0.2.2:5060 ... [Time:27-11@10:15:00.123] AudioCodes

Where nothing is said, the addresses are found out from Via, Route and the Request-URI.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise

from sip_harness.capture.packets import Packet
from sip_harness.model.entry import Address
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, parse
from sip_harness.sip.start_line import read_start_line
from sip_harness.sip.uri import parse_uri, uri_text
from sip_harness.sip.values import elements, first_element
from sip_harness.sip.via import parse_via

_HERE: Address = ("system.invalid", 5060)
"""The one who wrote the log, where it says only whom it talked to (RFC 2606)."""
_PEER: Address = ("peer.invalid", 5060)
_LOOK_BACK = 4
"""Lines before a message in which its time and its addresses may stand."""
_ADDRESS = r"(?:\w+[:/])?(?:\[([0-9a-fA-F.:]+)\]|(\d{1,3}(?:\.\d{1,3}){3}))(?::(\d{1,5}))?"
_BETWEEN = re.compile(rf"{_ADDRESS}\s*(?:-+>|=+>|→|»)\s*{_ADDRESS}")
_FROM = re.compile(rf"\b(?:[Rr]ecv|[Rr]eceived|[Rr]ead|[Ii]ncoming|RX)\b.{{0,80}}?\bfrom\s+{_ADDRESS}")
_TO = re.compile(
    rf"\b(?:[Ss]end|[Ss]ent|[Tt]ransmitting|[Rr]etransmitting|[Oo]utgoing|TX)\b.{{0,80}}?\bto\s+{_ADDRESS}"
)
_TIME = re.compile(
    r"(?:(?P<year>\d{4})[-/](?P<month>\d{2})[-/](?P<day>\d{2})[ T]+)?"
    r"(?P<hour>\d{2}):(?P<minute>\d{2}):(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?"
)
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9.!%*_+`'~-]*[ \t]*:")
_LENGTH = re.compile(r"(?i)(?:content-length|l)[ \t]*:")
_TYPE = re.compile(r"(?i)(?:content-type|c)[ \t]*:")
_SDP = re.compile(r"[a-z]=")
_NEWLINE = re.compile(r"\r\n|\r|\n")
_DOTTED = re.compile(r"(?im)^\W*(?:content-length|l)[ \t]*:[ \t]*\d+\.\r?$")
"""What shows that ngrep (-W byline) wrote the file: it has a dot where the carriage return was."""
_HALF_A_DAY, _DAY = 43_200_000_000_000, 86_400_000_000_000
"""Nanoseconds."""
_PREFIX = re.compile(r"^(?:[|>]\s?|\s{1,12}(?=\S))")
"""What mail programs and logs put before each line."""


@dataclass(frozen=True, slots=True)
class _Found:
    """One message, and what was said about it; None where nothing was."""

    message: Message
    time: int | None
    source: Address | None
    target: Address | None


def packets(text: str) -> tuple[list[Packet], bool]:
    """All messages of a text in its order, and whether their times were told.

    Times without a date count from the epoch; where some message has none, all have their place instead, a millisecond
    apart.
    """
    lines = _NEWLINE.split(text)
    if _DOTTED.search(text):
        lines = [line.removesuffix(".") for line in lines]
    found = list(_past_midnight(_messages(lines)))
    timed = bool(found) and all(one.time is not None for one in found)
    told = _addressed(found)
    return [
        Packet(
            one.time if timed and one.time is not None else number * 1_000_000,
            source,
            target,
            one.message.data,
            _transport(one.message),
        )
        for number, (one, source, target) in enumerate(told)
    ], timed


def _messages(lines: list[str]) -> Iterator[_Found]:
    at, since = 0, 0
    while at < len(lines):
        prefix, words = _begins(lines[at])
        if words is None:
            at += 1
            continue
        data, end = _cut(lines, at, prefix)
        try:
            message = parse(data)
        except SipError:
            at += 1
            continue
        said = "\n".join(lines[max(since, at - _LOOK_BACK) : at])
        yield _told(message, said)
        at = since = end


def _past_midnight(found: Iterable[_Found]) -> Iterator[_Found]:
    """The same with days that go on: times without a date begin anew at midnight."""
    day, last = 0, 0
    for one in found:
        if one.time is None or one.time >= _DAY:
            yield one
            continue
        day += _DAY if one.time + day < last - _HALF_A_DAY else 0
        last = one.time + day
        yield replace(one, time=last)


def _begins(line: str) -> tuple[str, str | None]:
    """The start line in a line of text, and what stands before it on every line of its message."""
    plain = line.strip()
    if read_start_line(plain) is not None:
        return line[: len(line) - len(line.lstrip())], plain
    if (quoted := _PREFIX.match(line)) and read_start_line(line[quoted.end() :].strip()) is not None:
        return quoted.group(), line[quoted.end() :].strip()
    return "", None


def _cut(lines: list[str], at: int, prefix: str) -> tuple[bytes, int]:
    """The bytes of the message that begins here, and the line behind it.

    Content-Length is made anew: what people shorten or make anonymous does not have the length any more that it had.
    """
    head, end = [lines[at].removeprefix(prefix).strip()], at + 1
    while end < len(lines) and _goes_on(line := lines[end].removeprefix(prefix).rstrip()):
        if not _LENGTH.match(line):
            head.append(line)
        end += 1
    body, end = _body(lines, end, prefix, head)
    data = "".join(f"{line}\r\n" for line in body).encode("utf-8", "surrogateescape")
    head.append(f"Content-Length: {len(data)}")
    return "\r\n".join([*head, "", ""]).encode("utf-8", "surrogateescape") + data, end


def _goes_on(line: str) -> bool:
    """Whether this is a line of a head: a header, or what a folded one goes on with."""
    return bool(_HEADER.match(line) or (line[:1] in (" ", "\t") and line.strip()))


def _body(lines: list[str], at: int, prefix: str, head: list[str]) -> tuple[list[str], int]:
    """The lines of a body: of SDP all that look like it, of anything else up to the next empty line or message."""
    kind = next((line.partition(":")[2].strip().lower() for line in head if _TYPE.match(line)), "")
    if not kind or at >= len(lines) or lines[at].removeprefix(prefix).strip():
        return [], at
    body: list[str] = []
    end = at + 1
    while end < len(lines):
        line = lines[end].removeprefix(prefix).rstrip("\r")
        belongs = _SDP.match(line) if kind.startswith("application/sdp") else line.strip()
        if not belongs or _begins(lines[end])[1] is not None:
            break
        body.append(line)
        end += 1
    return body, end


def _told(message: Message, said: str) -> _Found:
    """A message with what the lines before it say."""
    when = None
    for match in _TIME.finditer(said):
        when = _time(match) or when
    if both := _last(_BETWEEN, said):
        return _Found(message, when, _address(both.groups()[:3]), _address(both.groups()[3:]))
    came, went = _last(_FROM, said), _last(_TO, said)
    if came and (not went or came.start() > went.start()):
        return _Found(message, when, _address(came.groups()), None)
    if went:
        return _Found(message, when, None, _address(went.groups()))
    return _Found(message, when, None, None)


def _last(pattern: re.Pattern[str], said: str) -> re.Match[str] | None:
    return next(iter([*pattern.finditer(said)][::-1]), None)


def _address(groups: tuple[str | None, ...]) -> Address:
    six, four, port = groups
    return (six or four or "").lower(), min(int(port or 5060), 65_535)


def _time(match: re.Match[str]) -> int | None:
    """Nanoseconds since the epoch; without a date, since its first midnight."""
    words = match.groupdict()
    try:
        moment = datetime(
            int(words["year"] or 1970),
            int(words["month"] or 1),
            int(words["day"] or 1),
            int(words["hour"]),
            int(words["minute"]),
            int(words["second"]),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return int(moment.timestamp()) * 1_000_000_000 + int((words["fraction"] or "0").ljust(9, "0"))


def _addressed(found: list[_Found]) -> Iterator[tuple[_Found, Address, Address]]:
    """Every message with where it came from and went to. What was not told is found out from the transaction that it
    belongs to, or from what it says itself: see `_told_by_itself`."""
    ways: dict[tuple[object, ...], tuple[Address, Address]] = {}
    hops = _hops(found)
    for one in found:
        m = one.message
        key = m.call_id, m.branch, m.cseq[0], m.cseq[1].replace("ACK", "INVITE").replace("CANCEL", "INVITE")
        source, target = one.source, one.target
        known = ways.get(key)
        if known is not None and not m.is_request:
            known = known[::-1]
        if source is None and target is None:
            source, target = known or _told_by_itself(m, hops)
        elif source is None:
            source = known[0] if known is not None and known[1] == target else _HERE
        elif target is None:
            target = known[1] if known is not None and known[0] == source else _HERE
        assert source is not None
        assert target is not None
        ways.setdefault(key, (source, target) if m.is_request else (target, source))
        yield one, source, target


def _hops(found: Iterable[_Found]) -> dict[tuple[str, Address], Address]:
    """To whom each of a call has sent its requests: whoever put his Via above that one's (RFC 3261 16.6 step 8)."""
    hops: dict[tuple[str, Address], Address] = {}
    for one in found:
        vias = [_sent_by(value) for value in _all(one.message, "via")]
        for above, below in pairwise(vias):
            hops.setdefault((one.message.call_id, below), above)
    return hops


def _told_by_itself(m: Message, hops: Mapping[tuple[str, Address], Address]) -> tuple[Address, Address]:
    """From whom to whom a bare message went. The topmost Via names who sent the request; it went to whoever passed it
    on, or else where Route or the Request-URI lead."""
    client = _sent_by(next(iter(_all(m, "via")), ""))
    if not m.is_request:
        return _PEER, client
    routes = [uri_text(value) for value in _all(m, "route")]
    ways = [hops.get((m.call_id, client)), *map(_leads, [*routes, m.uri])]
    return client, next((way for way in ways if way is not None and way != client), _PEER)


def _all(m: Message, name: str) -> list[str]:
    """All values of a header, from the top."""
    return [element for value in m.all(name) for element in elements(value)]


def _sent_by(value: str) -> Address:
    via = parse_via(value)
    return (via.host.strip("[]").lower(), via.port or 5060) if via else _HERE


def _leads(text: str) -> Address | None:
    """Where a request with this URI goes."""
    try:
        uri = parse_uri(text)
    except SipError:
        return None
    return uri.host.strip("[]"), uri.port or 5060


def _transport(m: Message) -> str:
    via = parse_via(first_element(m.get("via") or ""))
    return "udp" if via is None or via.transport.lower() == "udp" else "tcp"
