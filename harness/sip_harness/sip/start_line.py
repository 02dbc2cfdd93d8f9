"""The first line of a message (RFC 3261 7.1, 7.2)."""

from __future__ import annotations

import re
from typing import NamedTuple

from sip_harness.sip.values import TOKEN

_METHOD = re.compile(TOKEN)
_VERSION = re.compile(r"SIP/([0-9]+\.[0-9]+)", re.IGNORECASE)
_STATUS = re.compile(r"(SIP/[0-9]+\.[0-9]+)[ \t]++([0-9]{3})(?:[ \t](.*))?", re.IGNORECASE | re.DOTALL)


class StartLine(NamedTuple):
    """The parts of a Request-Line or Status-Line."""

    method: str
    """Empty for a response."""
    uri: str
    """Request-URI; empty for a response."""
    code: int
    """Status code; 0 for a request."""
    reason: str
    """Reason phrase of a response, perhaps empty."""


def read_start_line(line: str) -> StartLine | None:
    """Take a start line apart; None if it is none.

    It is one if there is a method that is a token, something as Request-URI and a SIP version, whatever the number;
    or a SIP version and a status code of three digits. More white space than RFC 3261 allows is forgiven here and
    named among the faults of the message.
    """
    if status := _STATUS.fullmatch(line):
        return StartLine("", "", int(status[2]), status[3] or "")
    rest = line.rstrip(" \t")
    first, last = _space(rest), max(rest.rfind(" "), rest.rfind("\t"))
    method, uri = rest[:first], rest[first:last].strip(" \t")
    if first <= 0 or not uri or not _METHOD.fullmatch(method) or not _VERSION.fullmatch(rest, last + 1):
        return None
    return StartLine(method, uri, 0, "")


def version_of(line: str) -> str:
    """The version in a start line, as `2.0`; empty if the line is none."""
    status = _STATUS.fullmatch(line)
    version = status[1] if status else line.rstrip(" \t").rpartition(" ")[2].rpartition("\t")[2]
    match = _VERSION.fullmatch(version)
    return match[1] if match else ""


def _space(text: str) -> int:
    found = [at for at in (text.find(" "), text.find("\t")) if at >= 0]
    return min(found, default=-1)
