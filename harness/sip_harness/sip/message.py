"""A SIP message that keeps every byte, with the views that people and verdicts ask for.

The bytes are the truth: a view is computed from them when it is asked for, and never written back. Parsing accepts
whatever has a start line, so that odd messages can be recorded and judged; `faults` says what is wrong with the rest.
Refused is only what nobody could answer or attribute: no start line (RFC 3261 7.1, 7.2), or more than the limits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NoReturn

from sip_harness.sip.address import tag_of
from sip_harness.sip.errors import SipError
from sip_harness.sip.faults import find_faults
from sip_harness.sip.fields import COMPACT, KNOWN, Field, canonical, cut_fields, index
from sip_harness.sip.head import EMPTY_LINE, LINE_END, cut_head, text
from sip_harness.sip.lazy import Lazy
from sip_harness.sip.start_line import read_start_line, version_of
from sip_harness.sip.values import first_element, first_param, shown, split_list

__all__ = [
    "COMPACT",
    "MAX_LINES",
    "MAX_MESSAGE",
    "Field",
    "MalformedMessage",
    "Message",
    "build",
    "first_element",
    "parse",
    "split_list",
    "tag_of",
    "text",
]

MAX_MESSAGE = 65_535
"""Bytes of a message, whatever brought it."""
MAX_LINES = 1024
"""Lines of a head, start line and folded lines included."""


class MalformedMessage(SipError):
    """The bytes are no SIP message: no start line, or larger than any message may be."""


class Message:
    """One SIP message. Build it with `parse`; `data` is exactly what was parsed. Equal bytes, equal messages."""

    data: bytes
    start: str
    """Start line without its line end."""
    method: str
    """Method of a request; empty for a response."""
    uri: str
    """Request-URI; empty for a response."""
    code: int
    """Status code of a response; 0 for a request."""
    reason: str
    """Reason phrase of a response."""

    def __init__(self, data: bytes, start: str, begin: int, parts: tuple[str, str, int, str]) -> None:
        own = self.__dict__
        own["data"] = data
        own["start"] = start
        own["_begin"] = begin
        own["method"], own["uri"], own["code"], own["reason"] = parts

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a message is what was read: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a message is what was read: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return self.data == other.data if isinstance(other, Message) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.data)

    def __repr__(self) -> str:
        return f"<Message {shown(self.start, 60)}, {len(self.data)} bytes>"

    def __reduce__(self) -> tuple[Callable[[bytes], Message], tuple[bytes]]:
        return parse, (self.data,)

    @property
    def is_request(self) -> bool:
        return bool(self.method)

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order, one per header field (lists are not split)."""
        return list(self._values.get(KNOWN.get(name) or canonical(name), ()))

    def get(self, name: str) -> str | None:
        """First value of a header, or None."""
        values = self._values.get(KNOWN.get(name) or canonical(name))
        return values[0] if values else None

    @Lazy
    def _head(self) -> tuple[list[str], int]:
        """The lines after the start line, and where the body begins; -1 if no empty line ends the head."""
        return cut_head(self.data, self.__dict__["_begin"])

    @Lazy
    def _values(self) -> dict[str, list[str]]:
        return index(self._head[0])

    @Lazy
    def fields(self) -> tuple[Field, ...]:
        """Every header field as it stood there, in order."""
        return tuple(cut_fields(self._head[0])[0])

    @Lazy
    def odd_lines(self) -> tuple[str, ...]:
        """Lines of the head that are no header fields."""
        return tuple(cut_fields(self._head[0])[1])

    @Lazy
    def body(self) -> bytes:
        """What follows the empty line, as far as Content-Length says (RFC 3261 18.3); all of it if that says nothing.

        It is shorter than declared where bytes are missing: see `faults`.
        """
        rest, declared = self._rest, self.content_length
        return rest if declared is None else rest[:declared]

    @property
    def surplus(self) -> bytes:
        """Bytes behind the body, to be ignored (RFC 3261 18.3)."""
        return self._rest[len(self.body) :]

    @property
    def _rest(self) -> bytes:
        at = self._head[1]
        return self.data[at:] if at >= 0 else b""

    @property
    def complete(self) -> bool:
        """Whether an empty line ends the head (RFC 3261 7)."""
        return self._head[1] >= 0

    @property
    def truncated(self) -> bool:
        """Whether bytes of the body are missing: RFC 3261 18.3 discards such a response and answers a request 400."""
        return (self.content_length or 0) > len(self.body)

    @property
    def uneven(self) -> bool:
        """Whether some line of the head ends with LF alone."""
        end = self._head[1] if self.complete else len(self.data)
        return self.data.count(b"\n", 0, end) != self.data.count(b"\r\n", 0, end)

    @Lazy
    def content_length(self) -> int | None:
        """Bytes of the body as declared; None without Content-Length or where it cannot be read for sure."""
        values = self._values.get("content-length", ())
        if len(values) == 1:
            return _size(values[0])
        declared = {_size(value) for value in values}
        return declared.pop() if len(declared) == 1 else None

    @Lazy
    def faults(self) -> tuple[str, ...]:
        """What is wrong with the message, in words, where it could still be read; see the module `faults`."""
        return find_faults(self)

    @Lazy
    def version(self) -> str:
        """SIP version, as `2.0`."""
        return version_of(self.start)

    @Lazy
    def call_id(self) -> str:
        return self.get("call-id") or ""

    @Lazy
    def from_tag(self) -> str:
        return tag_of(self.get("from") or "")

    @Lazy
    def to_tag(self) -> str:
        return tag_of(self.get("to") or "")

    @Lazy
    def cseq(self) -> tuple[int, str]:
        """Sequence number and method of CSeq; (-1, "") where it cannot be read."""
        parts = (self.get("cseq") or "").split()
        if len(parts) == 2 and parts[0].isascii() and parts[0].isdigit() and len(parts[0]) <= 10:
            return int(parts[0]), parts[1]
        return -1, ""

    @Lazy
    def branch(self) -> str:
        """Branch of the topmost Via: with sent-by and method the key of the transaction (RFC 3261 17.2.3)."""
        via = self.get("via")
        if via is None:
            return ""
        return first_param(first_element(via).partition(";")[2], "branch")

    @property
    def summary(self) -> str:
        """Short name for a ladder: `INVITE`, `486 Busy Here`, `200 OK (BYE)`."""
        if self.is_request:
            return self.method
        line = f"{self.code} {self.reason}".strip()
        return line if self.cseq[1] == "INVITE" else f"{line} ({self.cseq[1] or '?'})"


@lru_cache(maxsize=16)  # transport, record and run read the same bytes one after the other
def parse(data: bytes) -> Message:
    """Read one message as it came in one datagram or one frame of a stream.

    Raises MalformedMessage if there is no SIP start line (RFC 3261 7.1, 7.2) or a limit is exceeded.
    """
    size = len(data)
    if size > MAX_MESSAGE:
        raise MalformedMessage(f"{size} bytes: longer than the {MAX_MESSAGE} bytes a message may have")
    if size > MAX_LINES and data.count(b"\n") >= MAX_LINES:
        _refuse_too_many_lines(data)
    end = data.find(b"\r\n")
    if end > 0:
        line = data[:end].decode("utf-8", "surrogateescape")
        words = line.split(" ", 2)
        # Nearly every message begins like this; whatever does not is read with more patience.
        if len(words) == 3 and "\n" not in line:
            if words[2] == "SIP/2.0":
                if words[0] in _USUAL_METHODS and words[1]:
                    return Message(data, line, end + 2, (words[0], words[1], 0, ""))
            elif words[0] == "SIP/2.0" and len(words[1]) == 3 and words[1].isascii() and words[1].isdecimal():
                return Message(data, line, end + 2, ("", "", int(words[1]), words[2]))
    return _parse_patiently(data)


_USUAL_METHODS = frozenset(
    ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "UPDATE", "INFO", "MESSAGE", "NOTIFY")
)


def _parse_patiently(data: bytes) -> Message:
    skipped = len(data) - len(data.lstrip(b"\r\n"))  # RFC 3261 7.5: empty lines before the start line are ignored
    found = LINE_END.search(data, skipped)
    end, begin = found.span() if found else (len(data), len(data))
    line = text(data[skipped:end])
    parts = read_start_line(line)
    if parts is None:
        raise MalformedMessage(f"no SIP start line: {shown(line, 60)}")
    return Message(data, line, begin, parts)


def _refuse_too_many_lines(data: bytes) -> None:
    skipped = len(data) - len(data.lstrip(b"\r\n"))
    found = EMPTY_LINE.search(data, skipped)
    if data.count(b"\n", skipped, found.start() if found else len(data)) >= MAX_LINES:
        raise MalformedMessage(f"more than {MAX_LINES} lines before the body")


def _size(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdecimal() and len(value) <= 10 else None


def build(start: str, headers: list[tuple[str, str]], body: bytes = b"") -> bytes:
    """Serialise a message of ours; Content-Length is added where the caller gave none (RFC 3261 20.14)."""
    names = {canonical(n) for n, _ in headers}
    lines = [start, *(f"{n}: {v}" for n, v in headers)]
    if "content-length" not in names:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body
