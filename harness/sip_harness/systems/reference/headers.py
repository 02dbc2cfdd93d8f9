"""What a back-to-back user agent passes from one side to the other, and who is on which side."""

from __future__ import annotations

from sip_harness.endpoint import build
from sip_harness.endpoint.build import Headers
from sip_harness.sip.address import parse_address
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message
from sip_harness.sip.uri import parse_uri, uri_text

MAX_FORWARDS = 70

_OF_ONE_SIDE = frozenset(
    (
        "via",
        "route",
        "record-route",
        "from",
        "to",
        "call-id",
        "cseq",
        "contact",
        "max-forwards",
        "content-length",
        "content-type",
        "allow",
        "supported",
        "require",
        "proxy-require",
        "unsupported",
        "authorization",
        "proxy-authorization",
        "user-agent",
        "server",
        "rseq",
        "rack",
        "expires",
        "timestamp",
        "session-expires",
        "min-se",
        "path",
    )
)
"""Headers that belong to one dialog, one hop, or one user agent (RFC 7092 3.2)."""

KNOWN = _OF_ONE_SIDE | {
    "accept",
    "accept-encoding",
    "accept-language",
    "alert-info",
    "allow-events",
    "authentication-info",
    "call-info",
    "content-disposition",
    "content-encoding",
    "content-language",
    "date",
    "error-info",
    "event",
    "min-expires",
    "mime-version",
    "organization",
    "priority",
    "proxy-authenticate",
    "reason",
    "reply-to",
    "retry-after",
    "sip-etag",
    "subject",
    "subscription-state",
    "warning",
    "www-authenticate",
}
"""Headers of RFC 3261 20 and of the extensions that scenarios are about: under a fault, all that are passed on."""


def passed(message: Message) -> Headers:
    """Header fields that go over to the other side: Reason, Warning, Retry-After and whatever is not known here."""
    kept = [(field.name, field.value) for field in message.fields if field.key not in _OF_ONE_SIDE]
    if 300 <= message.code < 400 or message.code == 485:
        kept += [("Contact", value) for value in message.all("contact")]
    return kept


def content_type(message: Message) -> str:
    """Of the body; SDP if none is stated."""
    return message.get("content-type") or build.SDP


def party(value: str) -> str:
    """A From or To value without its tag. Raises SipError if there is no address in it."""
    address = parse_address(value)
    display = address.display.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{display}" <{address.uri}>' if display else f"<{address.uri}>"


def user_of(uri: str) -> str:
    """User part of a URI or of a value with one; empty if there is none that can be read."""
    try:
        return parse_uri(uri_text(uri)).user or ""
    except SipError:
        return ""


def hops_left(message: Message) -> int:
    """What Max-Forwards allows beyond this hop (RFC 3261 16.6 step 3); negative if nothing."""
    text = (message.get("max-forwards") or str(MAX_FORWARDS)).strip()
    return min(int(text), 255) - 1 if text.isascii() and text.isdigit() and len(text) <= 10 else MAX_FORWARDS
