"""Headers of a message as typed values (RFC 3261 20). Computed when called, in the order of the wire.

Every function raises SipError, and nothing else, where a value cannot be read or exceeds a limit of `values`; a header
that is not there gives an empty tuple or None. What is merely wrong is named by `Message.faults`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sip_harness.sip.address import Address, parse_address
from sip_harness.sip.errors import SipError
from sip_harness.sip.values import (
    MAX_ELEMENTS,
    Params,
    bounded_params,
    delta_seconds,
    elements,
    shown,
    without_comments,
)
from sip_harness.sip.via import Via, read_via

if TYPE_CHECKING:
    from sip_harness.sip.message import Message

MAX_COMMENTED = 1024
"""Characters of a value with comments that are read: what counts stands in front."""


def listed(message: Message, name: str) -> tuple[str, ...]:
    """All elements of a header that is a list, whether in one field or in several (RFC 3261 7.3.1)."""
    found = [element for value in message.all(name) for element in elements(value)]
    if len(found) > MAX_ELEMENTS:
        raise SipError(f"{len(found)} elements: more than the {MAX_ELEMENTS} that are taken apart")
    return tuple(found)


def vias(message: Message) -> tuple[Via, ...]:
    """Every Via element, topmost first."""
    return tuple(read_via(element) for element in listed(message, "via"))


def addresses(message: Message, name: str) -> tuple[Address, ...]:
    """Every element of Contact, Route, Record-Route, Path or another header that lists addresses."""
    return tuple(parse_address(element) for element in listed(message, name))


def contacts(message: Message) -> tuple[Address, ...]:
    """Every Contact; `*` is one whose URI is `*` (RFC 3261 10.2.2)."""
    return addresses(message, "contact")


def routes(message: Message) -> tuple[Address, ...]:
    """Every Route, next hop first."""
    return addresses(message, "route")


def record_routes(message: Message) -> tuple[Address, ...]:
    """Every Record-Route, the last proxy first."""
    return addresses(message, "record-route")


def address(message: Message, name: str) -> Address:
    """The one address of From, To, Refer-To or the like: no list. Raises SipError if the header is missing, too."""
    value = message.get(name)
    if value is None:
        raise SipError(f"no {name}")
    return parse_address(value)


def media_type(message: Message) -> tuple[str, Params]:
    """Content-Type: `application/sdp` in lower case, and its parameters; empty if there is none (RFC 3261 20.15)."""
    kind, _, params = (message.get("content-type") or "").partition(";")
    return "".join(kind.split()).lower(), bounded_params(params)


def seconds(message: Message, name: str) -> int | None:
    """Expires, Min-Expires, Retry-After, Session-Expires or Min-SE in seconds; None if there is none.

    Comments and parameters are left out; what is more than 2**32 - 1 is taken as that (RFC 3261 20.19).
    """
    value = message.get(name)
    if value is None:
        return None
    found = delta_seconds(without_comments(value[:MAX_COMMENTED]).partition(";")[0])
    if found is None:
        raise SipError(f"{name} is no number: {shown(value)}")
    return found


def max_forwards(message: Message) -> int | None:
    """Hops left; None if there is no Max-Forwards (RFC 3261 20.22)."""
    return seconds(message, "max-forwards")
