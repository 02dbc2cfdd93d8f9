"""The library's log lines that hold a message. Pure: nothing here needs the library."""

from __future__ import annotations

import re
from typing import Literal

from sip_harness.model.entry import Address

Way = Literal["RX", "TX"]
_LINE = re.compile(
    r"(?P<way>[RT]X) (?P<length>\d+) bytes [^\n]*? (?:from|to) UDP (?P<host>[\d.]+):(?P<port>\d+):\n(?P<data>.*)\Z",
    re.DOTALL,
)


def message_of(line: str) -> tuple[Way, bytes, Address] | None:
    """The message of one log line, cut where the library has cut it; None if the line is about something else."""
    match = _LINE.search(line)
    if match is None:
        return None
    data = match["data"].encode("utf-8", "surrogateescape")[: int(match["length"])]
    return "RX" if match["way"] == "RX" else "TX", data, (match["host"], int(match["port"]))
