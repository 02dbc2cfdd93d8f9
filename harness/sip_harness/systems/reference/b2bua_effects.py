"""What a failure of a request within a call means to the call (RFC 3261 12.2.1.2 and 14.1, RFC 5057 5.1)."""

from __future__ import annotations

_GONE = frozenset({408, 481})
"""The other side does not know the call, or is not there (RFC 3261 12.2.1.2)."""
_NO_DIALOG = frozenset({404, 410, 416, 482, 483, 484, 485, 502, 604})
"""There is no way to the other side any more (RFC 5057 5.1): whatever the dialog was used for is over."""
_OF_THE_CALL = frozenset({"INVITE", "UPDATE", "INFO", "PRACK"})
"""Requests of the call itself. A REFER, a NOTIFY, a MESSAGE is of something else that the dialog is used for."""


def ends_the_call(method: str, code: int, faults: frozenset[str]) -> bool:
    """Whether a call is over because a request of this method within it was answered so; 408 stands for no answer."""
    if "hangs-up-after-refusal" in faults:
        return True
    if "keeps-dead-calls" in faults:
        return False
    return code in _NO_DIALOG or (code in _GONE and method in _OF_THE_CALL)
