"""Why a call comes to a mailbox, and whose it is: parameters of its URI (RFC 4458 2.1, 2.2). Pure."""

from __future__ import annotations

from urllib.parse import quote

BUSY, NO_ANSWER, UNREACHABLE, UNKNOWN, AT_ONCE = 486, 408, 503, 404, 480
"""Values of `cause`; the last one for a phone that has refused without being asked, as by do-not-disturb."""


def cause_of(code: int, *, answered: bool, faults: frozenset[str]) -> int:
    """The cause for a call that failed with this code before; `answered`: a phone said so, it was not a timer."""
    if not answered or "tells-voicemail-no-answer" in faults:
        return NO_ANSWER
    if code in (BUSY, 600):
        return BUSY
    return code if code in (NO_ANSWER, UNREACHABLE, UNKNOWN) else AT_ONCE


def mailbox_uri(uri: str, called: str, cause: int) -> str:
    """The URI of a mailbox for a call that was for this one."""
    return f"{uri};target={quote(called, safe='')};cause={cause}"
