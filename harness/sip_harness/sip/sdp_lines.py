"""The lines of SDP, with every byte kept, and the views that offer and answer need (RFC 8866, RFC 3264).

Parsing accepts what can be cut into `x=value` lines and media sections; attributes that nobody knows stay where they
are. What a body means for the media is computed from the lines and never written back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from sip_harness.sip.errors import SipError

MAX_SDP = 65_535
MAX_LINES = 2_000

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
# RFC 3551 6: what a payload type below 96 means where no rtpmap says otherwise.
STATIC = {0: "PCMU/8000", 3: "GSM/8000", 4: "G723/8000", 8: "PCMA/8000", 9: "G722/8000", 18: "G729/8000"}

_LINE = re.compile(rb"([A-Za-z])=(.*)", re.DOTALL)
_MEDIA = re.compile(r"([!-~]+) +([0-9]{1,5})(?:/([0-9]{1,5}))? +([!-~]+) +([!-~]+(?: +[!-~]+)*) *")
_RTPMAP = re.compile(r"rtpmap:([0-9]{1,3})[ \t]+([!-~]+)")


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it stood in the body."""

    type: str
    """The letter before `=`."""
    value: str
    """What stands after it; bytes that are not UTF-8 come by `surrogateescape`."""
    end: bytes
    """Line end: CRLF, LF, or nothing on the last line."""
    media: int
    """Index of the media section it belongs to; -1 for the session section."""

    def __bytes__(self) -> bytes:
        return f"{self.type}={self.value}".encode("utf-8", "surrogateescape") + self.end


@dataclass(frozen=True)
class Media:
    """One media section, read."""

    kind: str
    """`audio`, `video`, `image`, …"""
    port: int
    """Port; 0 where the stream is refused or switched off."""
    count: int
    """Number of ports, 1 if not stated."""
    protocol: str
    """`RTP/AVP`, `RTP/SAVP`, `udptl`, …"""
    formats: tuple[str, ...]
    """Payload types or other formats, in order of preference."""
    lines: tuple[Line, ...]
    """Its lines, the m= line first."""
    session: tuple[Line, ...]
    """Lines of the session section, whose values hold where it has none of its own."""

    @cached_property
    def direction(self) -> str:
        """`sendrecv` unless an attribute here or in the session section says otherwise (RFC 3264 5.1)."""
        for lines in (self.lines, self.session):
            for line in lines:
                if line.type == "a" and line.value.strip() in DIRECTIONS:
                    return line.value.strip()
        return "sendrecv"

    @cached_property
    def host(self) -> str:
        """Address of the c= line that holds, without TTL; empty if there is none or it cannot be read."""
        for lines in (self.lines, self.session):
            for line in lines:
                if line.type == "c":
                    parts = line.value.split()
                    return parts[2].partition("/")[0] if len(parts) == 3 else ""
        return ""

    @cached_property
    def codecs(self) -> dict[str, str]:
        """Name and clock rate of each format, as `PCMU/8000`; formats without a known meaning are left out."""
        mapped: dict[int, str] = {}
        for line in self.lines:
            if line.type == "a" and (found := _RTPMAP.match(line.value)):
                mapped.setdefault(int(found[1]), found[2])
        known = {**STATIC, **mapped}
        numbers = {str(n): n for n in range(128)}
        wanted = {f: numbers[f] for f in self.formats if f in numbers}
        return {f: known[n].removesuffix("/1") for f, n in wanted.items() if n in known}


@dataclass(frozen=True)
class Sdp:
    """One session description. Build it with `parse`; `bytes(sdp)` is exactly what was parsed."""

    lines: tuple[Line, ...]
    """Every line in order."""
    trailer: bytes = b""
    """Empty lines after the last one."""

    def __bytes__(self) -> bytes:
        return b"".join(map(bytes, self.lines)) + self.trailer

    @cached_property
    def session(self) -> tuple[Line, ...]:
        """Lines before the first m= line."""
        return tuple(line for line in self.lines if line.media < 0)

    @cached_property
    def media(self) -> tuple[Media, ...]:
        """The media sections in order."""
        sections: dict[int, list[Line]] = {}
        for line in self.lines:
            if line.media >= 0:
                sections.setdefault(line.media, []).append(line)
        return tuple(_media(tuple(lines), self.session) for lines in sections.values())

    def value(self, letter: str) -> str | None:
        """Value of the first line of that type in the session section, or None."""
        return next((line.value for line in self.session if line.type == letter), None)


def parse(data: bytes) -> Sdp:
    """Read a session description.

    Raises SipError with the number of the line if a line is not `x=value`, the first is not v=, an m= line cannot be
    read (RFC 8866 5.14), or a limit is exceeded.
    """
    if len(data) > MAX_SDP:
        raise SipError(f"SDP of {len(data)} bytes: longer than {MAX_SDP}")
    trailer = _trailer(data)
    ended = data[: len(data) - len(trailer)]
    raw = re.findall(rb"[^\n]+\n?|\n", ended)
    if len(raw) > MAX_LINES:
        raise SipError(f"SDP of {len(raw)} lines: more than {MAX_LINES}")
    lines: list[Line] = []
    for number, piece in enumerate(raw, 1):
        lines.append(_line(piece, number, lines[-1].media if lines else -1))
    if not lines or lines[0].type != "v":
        raise SipError("SDP line 1: v= has to come first (RFC 8866 5)")
    return Sdp(tuple(lines), trailer)


def _trailer(data: bytes) -> bytes:
    """The empty lines at the end; none where stray carriage returns stand there, which are then a fault of a line."""
    tail = data[len(data.rstrip(b"\r\n")) :]
    found = re.fullmatch(rb"(?:\r?\n)?((?:\r?\n)*)", tail)
    return found[1] if found else b""


def _line(piece: bytes, number: int, media: int) -> Line:
    end = b"\r\n" if piece.endswith(b"\r\n") else b"\n" if piece.endswith(b"\n") else b""
    content = piece[: len(piece) - len(end)]
    found = _LINE.fullmatch(content)
    if not found:
        raise SipError(f"SDP line {number}: not of the form x=value: {_shown(content)}")
    if b"\r" in content or b"\0" in content:
        raise SipError(f"SDP line {number}: a bare CR or a NUL: {_shown(content)}")
    line = Line(found[1].decode(), found[2].decode("utf-8", "surrogateescape"), end, media)
    if line.type != "m":
        return line
    if not (match := _MEDIA.fullmatch(line.value)) or int(match[2]) > 65_535:
        raise SipError(f"SDP line {number}: not '<media> <port> <protocol> <formats>': {_shown(content)}")
    return Line(line.type, line.value, end, media + 1)


def _media(lines: tuple[Line, ...], session: tuple[Line, ...]) -> Media:
    match = _MEDIA.fullmatch(lines[0].value)
    if not match:
        raise SipError(f"not an m= line: {lines[0].value[:60]!r}")
    kind, port, count, protocol, formats = match.groups()
    return Media(kind, int(port), int(count or 1), protocol, tuple(formats.split()), lines, session)


def _shown(data: bytes) -> str:
    return ascii(data[:60].decode("utf-8", "replace"))
