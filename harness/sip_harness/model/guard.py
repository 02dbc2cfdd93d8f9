"""What may leave towards a system that others use too: to which hosts, to which numbers. Pure; see `model.gate`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from sip_harness.model.numbers import begins_with, is_one_of, is_service, number_of
from sip_harness.sip.errors import SipError
from sip_harness.sip.uri import OtherUri, Uri, read_uri, uri_text

EMERGENCY = ("000", "110", "112", "113", "115", "117", "118", "119", "122", "133", "144", "911", "933", "999")
"""Numbers that call for help somewhere on Earth, as systems without a country see them."""
PREMIUM = ("0900", "+49900", "0049900", "0137", "+49137", "0049137", "1900", "+1900", "001900")
"""Prefixes of numbers that cost a fortune, where a profile names none of its own."""
_LEADING = ("maddr", "received", "alias", "fs_path")
"""Parameters of a URI that lead elsewhere than its host: RFC 3261 19.1.1, and what proxies and PBXs have made up."""
_NOBODY = ".invalid"
_HEADERS = frozenset({"route", "record-route", "path", "contact", "refer-to", "to"})
"""Headers of a URI that lead whoever makes a request of it (RFC 3261 19.1.5)."""


@dataclass(frozen=True, slots=True)
class GuardRules:
    """What one agent of a run may send."""

    hosts: frozenset[str]
    """IP addresses that may be contacted."""
    names: frozenset[str] = frozenset()
    """Hosts, lower case, that URIs of ours may name besides: the system's domain."""
    numbers: tuple[str, ...] = ()
    """Allowed although emergency or premium; `*` at the end stands for any digits."""
    premium: tuple[str, ...] = PREMIUM
    """Prefixes of numbers that are refused."""
    emergency: tuple[str, ...] = EMERGENCY
    """Numbers that are refused, also behind the digit for an outside line, a country code or a feature code."""
    accounts: frozenset[str] = frozenset()
    """Users that the profile lends to the harness: all their bindings may be taken away at once."""
    calls: int = 0
    """Calls that may be begun, attempts with credentials not counted."""

    def number_refusal(self, uri: str) -> str:
        """Why nobody may be made to call this URI; empty if he may.

        sip and sips users, tel URIs (RFC 3966) and urn:service:sos (RFC 5031) are understood.
        """
        if is_service(uri):
            return f"{uri} is an emergency service: calls for help are never made by a test"
        number = number_of(uri)
        if not number or any(_fits(number, allowed) for allowed in self.numbers):
            return ""
        if is_one_of(number, self.emergency):
            return f"{number} is an emergency number: it is refused unless guard.numbers of the profile lists it"
        if begins_with(number, self.premium):
            return f"{number} is a premium number: it is refused unless guard.numbers of the profile lists it"
        return ""

    def host_refusal(self, uri: str, more: Collection[str] = ()) -> str:
        """Why no URI of ours may lead to this host; empty if it may. `more` are hosts that it may lead to as well."""
        try:
            read = read_uri(uri)
        except SipError as error:
            return f"it cannot be read where it leads ({error})"
        if isinstance(read, OtherUri):
            return ""
        wrong = (f"{host} is no host that the profile names" for host in hosts_of(read) if not self.knows(host, more))
        inside = (self.uri_refusal(uri_text(unquote(v)), more) for n, v in read.headers if n in _HEADERS)
        return next((why for why in (*wrong, *inside) if why), "")

    def knows(self, host: str, more: Collection[str] = ()) -> bool:
        """Whether a URI of ours may name this host."""
        return host in self.hosts or host in self.names or host in more

    def uri_refusal(self, uri: str, more: Collection[str] = ()) -> str:
        """Why nobody may be made to go to this URI, by its number or its host; empty if he may."""
        return self.number_refusal(uri) or self.host_refusal(uri, more)


def nobodys(uri: str) -> frozenset[str]:
    """Hosts of a URI that do not exist and never will (RFC 6761 6.4): whom it is handed to goes nowhere by them."""
    try:
        read = read_uri(uri)
    except SipError:
        return frozenset()
    return (
        frozenset(host for host in hosts_of(read) if host.endswith(_NOBODY)) if isinstance(read, Uri) else frozenset()
    )


def hosts_of(uri: Uri) -> Iterator[str]:
    """Every host that a URI may lead to, lower case, without brackets."""
    yield uri.host.strip("[]")
    for name in _LEADING:
        value = unquote(uri.param(name) or "").strip('<>" ').lower()
        if value.startswith(("sip:", "sips:")):
            try:
                inner = read_uri(value)
            except SipError:
                yield value
            else:
                yield from hosts_of(inner) if isinstance(inner, Uri) else ()
        elif value:
            yield value.partition("~")[0].strip("[]")


def _fits(number: str, allowed: str) -> bool:
    return number.startswith(allowed[:-1]) if allowed.endswith("*") else number == allowed
