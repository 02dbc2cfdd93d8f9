"""A SIP message that keeps every byte, with the views that people and verdicts ask for.

The bytes are the truth: a view is computed from them and never written back. Parsing accepts whatever can be cut
into a start line and header fields (RFC 3261 7, with the leniency of 7.5) so that odd messages can be recorded and
judged; only what has no start line at all is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

from sip_harness.sip.errors import SipError

MAX_MESSAGE = 65_535
MAX_HEADERS = 512

# RFC 3261 7.3.3 and the IANA header registry.
COMPACT = {
    "i": "call-id", "m": "contact", "e": "content-encoding", "l": "content-length", "c": "content-type",
    "f": "from", "s": "subject", "k": "supported", "t": "to", "v": "via", "o": "event", "u": "allow-events",
    "r": "refer-to", "b": "referred-by", "x": "session-expires", "d": "request-disposition",
    "a": "accept-contact", "j": "reject-contact", "y": "identity", "n": "identity-info",
}  # fmt: skip
_HEADER = re.compile(rb"([^\s:]+)[ \t]*:")
_STATUS = re.compile(rb"SIP/(\d+\.\d+)[ \t]+(\d{3})(?:[ \t](.*))?$", re.IGNORECASE | re.DOTALL)
_REQUEST = re.compile(rb"([!-~]+) ([^ \r\n]+(?: [^\r\n]*)?) (SIP/\d+\.\d+)$", re.IGNORECASE)
_TAG = re.compile(r";\s*tag\s*=\s*([^;\s,]+)", re.IGNORECASE)
_BRANCH = re.compile(r";\s*branch\s*=\s*([^;\s,]+)", re.IGNORECASE)


class MalformedMessage(SipError):
    """The bytes are no SIP message: no start line, or larger than any message may be."""


def text(data: bytes) -> str:
    """Bytes as text without loss; what is not UTF-8 comes back by `surrogateescape`."""
    return data.decode("utf-8", "surrogateescape")


def _key(name: str) -> str:
    low = name.lower()
    return COMPACT.get(low, low)


@dataclass(frozen=True, slots=True)
class Field:
    """One header field as it stood on the wire."""

    name: str
    """Name as written, perhaps in compact form."""
    value: str
    """Value with folding undone (RFC 3261 7.3.1) and outer white space removed."""

    @property
    def key(self) -> str:
        """Canonical lower-case name, compact forms expanded."""
        return _key(self.name)


@dataclass(frozen=True)
class Message:
    """One SIP message. Build it with `parse`; `data` is exactly what was parsed."""

    data: bytes
    start: str
    """Start line without its line end."""
    fields: tuple[Field, ...]
    body: bytes
    method: str = ""
    """Method of a request; empty for a response."""
    uri: str = ""
    """Request-URI; empty for a response."""
    code: int = 0
    """Status code of a response; 0 for a request."""
    reason: str = ""
    """Reason phrase of a response."""
    faults: tuple[str, ...] = field(default=(), compare=False)
    """What is wrong with the message, in words, where it could still be read."""

    @property
    def is_request(self) -> bool:
        return bool(self.method)

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order, one per header field (lists are not split)."""
        return list(self._values.get(_key(name), ()))

    def get(self, name: str) -> str | None:
        """First value of a header, or None."""
        values = self._values.get(_key(name))
        return values[0] if values else None

    @cached_property
    def _values(self) -> dict[str, list[str]]:
        values: dict[str, list[str]] = {}
        for f in self.fields:
            values.setdefault(f.key, []).append(f.value)
        return values

    @cached_property
    def call_id(self) -> str:
        return self.get("call-id") or ""

    @cached_property
    def from_tag(self) -> str:
        return tag_of(self.get("from") or "")

    @cached_property
    def to_tag(self) -> str:
        return tag_of(self.get("to") or "")

    @cached_property
    def cseq(self) -> tuple[int, str]:
        """Sequence number and method of CSeq; (-1, "") where it cannot be read."""
        parts = (self.get("cseq") or "").split()
        if len(parts) == 2 and parts[0].isascii() and parts[0].isdigit() and len(parts[0]) <= 10:
            return int(parts[0]), parts[1]
        return -1, ""

    @cached_property
    def branch(self) -> str:
        """Branch of the topmost Via: with sent-by and method the key of the transaction (RFC 3261 17.2.3)."""
        via = self.get("via")
        if via is None:
            return ""
        match = _BRANCH.search(first_element(via))
        return match[1] if match else ""

    @property
    def summary(self) -> str:
        """Short name for a ladder: `INVITE`, `486 Busy Here`, `200 OK (BYE)`."""
        if self.is_request:
            return self.method
        line = f"{self.code} {self.reason}".strip()
        return line if self.cseq[1] == "INVITE" else f"{line} ({self.cseq[1] or '?'})"


def tag_of(value: str) -> str:
    """The tag parameter of a From or To value; empty if it has none."""
    after = value.rpartition(">")[2] if ">" in value else value
    match = _TAG.search(after)
    return match[1] if match else ""


def split_list(value: str) -> list[str]:
    """Cut a comma-separated header value; commas inside quotes and angle brackets do not count (RFC 3261 7.3.1)."""
    if '"' not in value and "<" not in value:
        return [p for part in value.split(",") if (p := part.strip())]
    parts: list[str] = []
    begin, quoted, angle, escaped = 0, False, False, False
    for i, char in enumerate(value):
        if quoted:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                quoted = False
        elif char == '"':
            quoted = True
        elif char == "<":
            angle = True
        elif char == ">":
            angle = False
        elif char == "," and not angle:
            parts.append(value[begin:i].strip())
            begin = i + 1
    parts.append(value[begin:].strip())
    return [p for p in parts if p]


def first_element(value: str) -> str:
    """The first element of a comma-separated header value."""
    return next(iter(split_list(value)), "")


def parse(data: bytes) -> Message:
    """Read one message as it came in one datagram or one TCP frame.

    Raises MalformedMessage if there is no SIP start line (RFC 3261 7.1, 7.2) or a limit is exceeded.
    """
    if len(data) > MAX_MESSAGE:
        raise MalformedMessage(f"{len(data)} bytes: longer than the {MAX_MESSAGE} bytes a message may have")
    stripped = data.lstrip(b"\r\n")  # RFC 3261 7.5: empty lines before the start line are ignored
    head, body = _split_body(stripped)
    lines = re.split(rb"\r\n|\n|\r", head)
    if len(lines) > 2 * MAX_HEADERS:
        raise MalformedMessage(f"more than {2 * MAX_HEADERS} header lines")
    method, uri, code, reason = _start_line(lines[0])
    fields, faults = _fields(lines[1:])
    return Message(data, text(lines[0]), fields, body, method, uri, code, reason, faults)


def _split_body(data: bytes) -> tuple[bytes, bytes]:
    match = re.search(rb"\r\n\r\n|\n\n|\r\r", data)
    return (data[: match.start()], data[match.end() :]) if match else (data, b"")


def _start_line(line: bytes) -> tuple[str, str, int, str]:
    if status := _STATUS.match(line):
        return "", "", int(status[2]), text(status[3] or b"")
    if request := _REQUEST.match(line):
        return text(request[1]), text(request[2]), 0, ""
    shown = text(line[:60]).encode("ascii", "backslashreplace").decode()
    raise MalformedMessage(f"no SIP start line: {shown!r}")


def _fields(lines: list[bytes]) -> tuple[tuple[Field, ...], tuple[str, ...]]:
    fields: list[Field] = []
    faults: list[str] = []
    for line in lines:
        if not line:
            continue
        if line[:1] in b" \t" and fields:  # folding, RFC 3261 7.3.1
            last = fields[-1]
            fields[-1] = Field(last.name, f"{last.value} {text(line).strip()}".strip())
        elif match := _HEADER.match(line):
            fields.append(Field(text(match[1]), text(line[match.end() :]).strip()))
        else:
            faults.append(f"line without a header name: {text(line[:40])!r}")
    return tuple(fields), tuple(faults)


def build(start: str, headers: list[tuple[str, str]], body: bytes = b"") -> bytes:
    """Serialise a message of ours; Content-Length is added where the caller gave none (RFC 3261 20.14)."""
    names = {_key(n) for n, _ in headers}
    lines = [start, *(f"{n}: {v}" for n, v in headers)]
    if "content-length" not in names:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body
