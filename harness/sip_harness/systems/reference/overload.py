"""Overload control by the one who calls: a server says in Via how much less it wants (RFC 7339). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, first_element
from sip_harness.sip.via import Via, read_via

OFFER = ';oc;oc-algo="loss"'
"""Behind our Via in what goes to a server that may ask for less (RFC 7339 5.1)."""
DEFAULT_VALIDITY = 0.5
"""Seconds that a wish holds which does not say for how long (RFC 7339 4.3)."""
LONGEST = 3600.0
"""Seconds that a wish can hold."""


@dataclass(slots=True)
class Throttle:
    """What one server has asked for last."""

    percent: int = 0
    """How many of a hundred requests it wants less (RFC 7339 7.1)."""
    until: float = 0.0
    seq: tuple[int, int] = (0, 0)
    """Of the wish (RFC 7339 4.4): an older one that comes later counts no more."""
    _owed: int = 0

    def hear(self, response: Message, now: float) -> bool:
        """Take what a response says in our Via. Whether that is something new."""
        via = _topmost(response)
        asked = _number(via.param("oc") or "", 100) if via is not None else None
        if via is None or asked is None or (via.param("oc-algo") or "loss").lower() != "loss":
            return False
        seq = _sequence(via.param("oc-seq") or "")
        if seq < self.seq:
            return False
        validity = _number(via.param("oc-validity") or "", round(LONGEST * 1000))
        self.seq, self.percent = seq, asked
        self.until = now + (DEFAULT_VALIDITY if validity is None else validity / 1000)
        return True

    def diverts(self, now: float, *, for_ever: bool = False) -> bool:
        """Whether this request is one of those that it does not want; they are spread evenly. Call it once for each."""
        if not self.percent or (now >= self.until and not for_ever):
            return False
        self._owed += self.percent
        if self._owed >= 100:
            self._owed -= 100
            return True
        return False


def _topmost(response: Message) -> Via | None:
    try:
        return read_via(first_element(response.get("via") or ""))
    except SipError:
        return None


def _number(text: str, most: int) -> int | None:
    """A number of this range; None for anything else."""
    found = int(text) if re.fullmatch("[0-9]{1,9}", text) else None
    return found if found is not None and found <= most else None


def _sequence(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,12})(?:\.([0-9]{1,9}))?", text)
    return (int(match[1]), int(match[2] or 0)) if match else (0, 0)
