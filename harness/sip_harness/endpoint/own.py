"""Headers and bodies that a response of ours has to have beyond what every response has, by the method it answers.

Pure. What a script gives replaces what stands here, name by name.
"""

from __future__ import annotations

import re

from sip_harness.endpoint import build
from sip_harness.endpoint.build import Headers
from sip_harness.sip.message import Message, split_list
from sip_harness.sip.uri import header_params

EXPIRES = "3600"
"""Lifetime of what a request gives no lifetime for, seconds (RFC 3261 10.3, RFC 6665 and RFC 3903 leave it to us)."""
_EXPIRES = re.compile(r"(;\s*expires\s*=\s*)[^;\s]*", re.IGNORECASE)
_DIALOG = frozenset({"INVITE", "SUBSCRIBE", "REFER", "UPDATE"})
"""Methods whose 2xx names a remote target (RFC 3261 12.1.1; RFC 6665 4.2.1; RFC 3515 2.4.4; RFC 3311 5.1)."""


def own_headers(request: Message, code: int, contact: str, etag: str) -> Headers:
    """Headers of ours for a response with this code. `contact` is our Contact value; `etag` a new entity tag."""
    if 100 < code < 200:
        return [("Contact", contact)] if request.method == "INVITE" else []
    if not 200 <= code < 300:
        return []
    method = request.method
    headers: Headers = [("Contact", contact)] if method in _DIALOG else []
    if method == "REGISTER":
        headers += [("Contact", value) for value, lifetime in bindings(request) if lifetime]
    elif method == "INVITE":
        headers.append(("Allow", build.ALLOW))
    elif method == "OPTIONS":
        headers += [("Contact", contact), ("Allow", build.ALLOW), ("Accept", build.SDP)]
    elif method == "SUBSCRIBE":
        headers.append(("Expires", request.get("expires") or EXPIRES))
    elif method == "PUBLISH":
        headers += [("SIP-ETag", etag), ("Expires", request.get("expires") or EXPIRES)]
    return headers


def bindings(register: Message, most: int = 0) -> list[tuple[str, int]]:
    """Contact values of a 200 to REGISTER, as if nobody else had registered (RFC 3261 10.3 step 8), with lifetimes.

    Each contact of the request with the lifetime in seconds that it asks for, cut down to `most` unless that is 0. What
    it takes back has the lifetime 0 and is not to be listed; `*` is left out.
    """
    general = register.get("expires") or EXPIRES
    listed = []
    for element in (e for value in register.all("contact") for e in split_list(value) if e != "*"):
        own = header_params(element).get("expires")
        asked = _seconds(own if own is not None else general)
        granted = min(asked, most) if most else asked
        kept = element if own is not None else f"{element};expires={granted}"
        listed.append((_EXPIRES.sub(rf"\g<1>{granted}", kept) if granted != asked else kept, granted))
    return listed


def _seconds(text: str) -> int:
    """A delta-seconds value; the usual lifetime for what is none (RFC 3261 10.3 step 7)."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else int(EXPIRES)


def needs_session(request: Message, code: int) -> bool:
    """Whether a response without a body of the author's gets a session description of ours (RFC 3261 13.3.1.4,
    RFC 3311 5.2, RFC 3262 5)."""
    if request.method == "INVITE":
        return code == 183 or 200 <= code < 300
    offers = bool(request.body) and (request.get("content-type") or "").partition(";")[0].strip().lower() == build.SDP
    return offers and request.method in ("UPDATE", "PRACK") and 200 <= code < 300
