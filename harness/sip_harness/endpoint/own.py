"""Headers and bodies that a response of ours has to have beyond what every response has, by the method it answers.

Pure. What a script gives replaces what stands here, name by name.
"""

from __future__ import annotations

from sip_harness.endpoint import build
from sip_harness.endpoint.build import Headers
from sip_harness.sip.message import Message, split_list
from sip_harness.sip.uri import header_params

EXPIRES = "3600"
"""Lifetime of what a request gives no lifetime for, seconds (RFC 3261 10.3, RFC 6665 and RFC 3903 leave it to us)."""
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
        headers += [("Contact", value) for value in bindings(request)]
    elif method == "INVITE":
        headers.append(("Allow", build.ALLOW))
    elif method == "OPTIONS":
        headers += [("Contact", contact), ("Allow", build.ALLOW), ("Accept", build.SDP)]
    elif method == "SUBSCRIBE":
        headers.append(("Expires", request.get("expires") or EXPIRES))
    elif method == "PUBLISH":
        headers += [("SIP-ETag", etag), ("Expires", request.get("expires") or EXPIRES)]
    return headers


def bindings(register: Message) -> list[str]:
    """Contact values of a 200 to REGISTER, as if nobody else had registered (RFC 3261 10.3 step 8).

    Each contact of the request with the lifetime that it asks for; what it takes back (`*`, zero) is not listed.
    """
    general = register.get("expires") or EXPIRES
    listed = []
    for element in (e for value in register.all("contact") for e in split_list(value)):
        asked = header_params(element).get("expires")
        if element == "*" or (asked or general).strip("0") == "":
            continue
        listed.append(element if asked is not None else f"{element};expires={general}")
    return listed


def needs_session(request: Message, code: int) -> bool:
    """Whether a response without a body of the author's gets a session description of ours (RFC 3261 13.3.1.4,
    RFC 3311 5.2, RFC 3262 5)."""
    if request.method == "INVITE":
        return code == 183 or 200 <= code < 300
    offers = bool(request.body) and (request.get("content-type") or "").partition(";")[0].strip().lower() == build.SDP
    return offers and request.method in ("UPDATE", "PRACK") and 200 <= code < 300
