"""What is wrong with headers that name somebody: From, To, Contact, Route and the like (RFC 3261 20.10, 25.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from sip_harness.sip.address import Address, parse_address
from sip_harness.sip.errors import SipError
from sip_harness.sip.fields import written
from sip_harness.sip.headers import listed
from sip_harness.sip.values import MAX_DELTA, TOKEN, WELL_FORMED_PARAMS, exceeds, first_element, shown

if TYPE_CHECKING:
    from sip_harness.sip.message import Message

_ONE = ("from", "to", "reply-to", "refer-to", "referred-by")
_LISTS = ("contact", "route", "record-route", "path", "service-route")
_BRACKETS = frozenset({"route", "record-route", "path", "service-route"})
_TOKENS = re.compile(rf"(?:{TOKEN}[ \t]*+)*+")


def address_faults(message: Message) -> Iterator[str]:
    """One fault for each thing that is wrong with one address."""
    for name in (*_ONE, *_LISTS):
        try:
            found = message.all(name) if name in _ONE else listed_or_empty(message, name)
        except SipError as error:
            yield f"{written(name)} cannot be read: {error}"
            continue
        for element in found:
            try:
                yield from _element(name, element, parse_address(element))
            except SipError as error:
                yield f"{written(name)} cannot be read: {error}"


def listed_or_empty(message: Message, name: str) -> list[str]:
    """As `headers.listed`, but a field that has no element counts as an empty one: no list may be empty here."""
    found = list(listed(message, name))
    return found if all(map(first_element, message.all(name))) else [*found, ""]


def _element(name: str, text: str, address: Address) -> Iterator[str]:
    header = written(name)
    if address.uri == "*" and not address.bracketed:
        if name != "contact":
            yield f"{header} is no address: '*'"
        return
    if not address.quoted and not _TOKENS.fullmatch(address.display):
        yield f"display name of {header} is not in quotes: {shown(address.display)} (RFC 3261 25.1)"
    if address.bracketed and f"<{address.uri}>" not in text:
        yield f"white space in the angle brackets of {header} (RFC 3261 25.1)"
    if not address.bracketed and name in _BRACKETS:
        yield f"{header} without angle brackets (RFC 3261 25.1)"
    elif not address.bracketed and re.search("[?,]", address.uri):
        yield f"{header} has a URI with '?' or ',' outside of angle brackets (RFC 3261 20.10)"
    if not WELL_FORMED_PARAMS.fullmatch(address.tail):
        yield f"parameters of {header} cannot be read: {shown(address.tail)}"
    yield from _contact(name, address)
    try:
        address.parsed()
    except SipError as error:
        yield f"{header} cannot be read: {error}"


def _contact(name: str, address: Address) -> Iterator[str]:
    expires, q = address.param("expires"), address.param("q")
    if name != "contact":
        return
    if expires is not None and (address.expires is None or exceeds(expires, MAX_DELTA)):
        yield f"expires of Contact is no number up to {MAX_DELTA}: {shown(expires)} (RFC 3261 20.10)"
    if q is not None and address.q is None:
        yield f"q of Contact is no number from 0 to 1: {shown(q)} (RFC 3261 20.10)"
