"""Named damage to the bytes of one message of ours, made just before they leave. Pure: no clock, no chance.

Only the lines of the message are looked at, never its meaning: what one mutation has broken the next one still finds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from sip_harness.model.steps import Mutation
from sip_harness.sip.message import COMPACT

GARBAGE = b'\xff\xfe"<\x01'
"""What `corrupt` writes for a value: no UTF-8, an open quote, an open bracket and a control character, so that no rule
of RFC 3261 25.1 allows it anywhere in a header value."""

Change = Callable[[bytes], bytes]
"""Makes a new header value of an old one."""

_NAME = re.compile(rb"([^\s:]+)[ \t]*:[ \t]*")


def mutate(data: bytes, mutations: Iterable[Mutation]) -> bytes:
    """The message with all these damages, in their order. Raises ValueError for a `truncate` that names no number."""
    for mutation in mutations:
        data = _MUTATIONS[mutation.kind](data, mutation.argument)
    return data


def strip(data: bytes, name: str) -> bytes:
    """Without any header field of this name, compact forms included."""
    head, rest = _cut(data)
    return b"".join([line for line in head if _name(line) != _canonical(name)]) + rest


def duplicate(data: bytes, name: str) -> bytes:
    """With the first header field of this name twice, one right after the other."""
    return _first(data, name, lambda line: line + line)


def corrupt(data: bytes, name: str) -> bytes:
    """With a value in the first header field of this name that no grammar allows (`GARBAGE`)."""
    return rewrite(data, name, lambda _value: GARBAGE)


def truncate(data: bytes, size: str) -> bytes:
    """Only the first so many bytes of the message."""
    if not (size.isascii() and size.isdigit()):
        raise ValueError(f"truncate needs a number of bytes, not {size[:40]!r}")
    return data[: int(size)]


def rewrite(data: bytes, name: str, change: Change) -> bytes:
    """With another value in the first header field of this name; its name stays as it is written."""

    def line_with(line: bytes) -> bytes:
        begin = _NAME.match(line)
        assert begin is not None
        return begin[0] + change(line[begin.end() :].rstrip(b"\r\n")) + b"\r\n"

    return _first(data, name, line_with)


def _first(data: bytes, name: str, change: Change) -> bytes:
    head, rest = _cut(data)
    at = next((i for i, line in enumerate(head) if _name(line) == _canonical(name)), None)
    if at is not None:
        head[at] = change(head[at])
    return b"".join(head) + rest


def _cut(data: bytes) -> tuple[list[bytes], bytes]:
    """The start line and the header fields, folded lines with the field that they continue; then everything else."""
    end = data.find(b"\r\n\r\n")
    head, rest = (data, b"") if end < 0 else (data[: end + 2], data[end + 2 :])
    fields: list[bytes] = []
    for line in re.findall(rb"[^\n]*\n|[^\n]+", head):
        if line[:1] in (b" ", b"\t") and len(fields) > 1:
            fields[-1] += line
        else:
            fields.append(line)
    return fields, rest


def _name(line: bytes) -> str:
    """Canonical name of the header field on this line; empty for a start line and for garbage."""
    match = _NAME.match(line)
    return _canonical(match[1].decode("latin-1")) if match else ""


def _canonical(name: str) -> str:
    low = name.lower()
    return COMPACT.get(low, low)


_MUTATIONS: dict[str, Callable[[bytes, str], bytes]] = {
    "strip": strip,
    "duplicate": duplicate,
    "corrupt": corrupt,
    "truncate": truncate,
}
