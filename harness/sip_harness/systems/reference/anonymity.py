"""Who withholds his identity (RFC 3323, RFC 3325), and whether a called one wants no such calls (RFC 5079). Pure."""

from __future__ import annotations

import re

from sip_harness.sip.message import Message
from sip_harness.sip.uri import uri_text
from sip_harness.systems.reference.forward import readable

REFUSED = 433
"""Anonymity Disallowed."""
_WITHHELD = {"id", "user"}
"""Of the values of Privacy those that keep the caller's identity back."""
_NOBODY = "anonymous.invalid"
"""Host in the From of a caller who does not say who he is (RFC 3323 4.1.1.3)."""


def is_anonymous(request: Message, faults: frozenset[str] = frozenset()) -> bool:
    """Whether the called one would not learn who calls. `Privacy: none` asks for no privacy at all (RFC 3323 4.2)."""
    asked = {word for value in request.all("privacy") for word in re.split(r"[;,\s]+", value.lower()) if word}
    if asked & _WITHHELD or (asked and "takes-any-privacy-for-anonymous" in faults):
        return True
    caller = readable(uri_text(request.get("from") or ""))
    return caller is not None and caller.host.lower() == _NOBODY and not request.all("p-asserted-identity")


def refusal(request: Message, faults: frozenset[str]) -> int:
    """What a call to somebody who wants no anonymous calls is refused with (RFC 5079 3); 0 if it is not."""
    if "takes-anonymous-calls" in faults or not is_anonymous(request, faults):
        return 0
    return 603 if "says-603-to-anonymous-calls" in faults else REFUSED
