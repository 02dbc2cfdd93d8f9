"""What may leave towards a system that others use too: to which hosts, to which numbers, how many calls. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, parse, split_list
from sip_harness.sip.uri import OtherUri, read_uri, uri_text

EMERGENCY = ("000", "110", "112", "113", "115", "117", "118", "119", "122", "133", "144", "911", "933", "999")
"""Numbers that call for help somewhere on Earth, as systems without a country see them."""
PREMIUM = ("0900", "+49900", "0049900", "0137", "+49137", "0049137", "1900", "+1900", "001900")
"""Prefixes of numbers that cost a fortune, where a profile names none of its own."""
_OUTSIDE = ("", "0", "9", "+")
_SEPARATORS = re.compile(r"[-.()\s]")
_DIGITS = re.compile(r"\+?[0-9*#]+")
_SOS = re.compile(r"service:sos(\..*)?", re.IGNORECASE)
_LEGACY = re.compile(r"sips?:sos(\.[^@]*)?@", re.IGNORECASE)
_ANSWER = re.compile(rb"SIP/2\.0 [12456][0-9][0-9] ")
_FURTHER = re.compile(rb"\n[!-~]{1,64}[ \t]+([^ \t\r\n]{1,1000})[ \t]+SIP/[0-9]", re.IGNORECASE)
_WITHIN = frozenset({"ACK", "CANCEL", "PRACK"})


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
    """Numbers that are refused, also behind the digit for an outside line (0 or 9)."""
    calls: int = 0
    """Calls that may be begun, attempts with credentials not counted."""

    def number_refusal(self, uri: str) -> str:
        """Why nobody may be made to call this URI; empty if he may.

        sip and sips users, tel URIs (RFC 3966) and urn:service:sos (RFC 5031) are understood.
        """
        if (uri[:4].lower() == "urn:" and _SOS.fullmatch(uri[4:])) or _LEGACY.match(uri):
            return f"{uri} is an emergency service: calls for help are never made by a test"
        number = number_of(uri)
        if not number or any(_fits(number, allowed) for allowed in self.numbers):
            return ""
        if any(number == before + one for one in self.emergency for before in _OUTSIDE):
            return f"{number} is an emergency number: it is refused unless guard.numbers of the profile lists it"
        if any(number.startswith(prefix) for prefix in self.premium):
            return f"{number} is a premium number: it is refused unless guard.numbers of the profile lists it"
        return ""

    def host_refusal(self, uri: str) -> str:
        """Why no URI of ours may name this host; empty if it may."""
        try:
            read = read_uri(uri)
        except SipError as error:
            return f"it cannot be read where it leads ({error})"
        if isinstance(read, OtherUri):
            return ""
        host = read.host.strip("[]")
        if host in self.hosts or host in self.names:
            return ""
        return f"{host} is no host that the profile names"

    def uri_refusal(self, uri: str) -> str:
        """Why nobody may be made to go to this URI, by its number or its host; empty if he may."""
        return self.number_refusal(uri) or self.host_refusal(uri)


def number_of(uri: str) -> str:
    """What a URI dials: digits, `+`, `*` and `#`; empty if it dials no number."""
    try:
        read = read_uri(uri)
    except SipError:
        found = re.match(r"(?:sips?|tel):([^@;>?\s]*)", uri, re.IGNORECASE)
        text = found[1] if found else ""
    else:
        text = read.rest if isinstance(read, OtherUri) and read.scheme == "tel" else getattr(read, "user", "")
    number = _SEPARATORS.sub("", unquote(text).partition(";")[0])
    return number if _DIGITS.fullmatch(number) else ""


def _fits(number: str, allowed: str) -> bool:
    return number.startswith(allowed[:-1]) if allowed.endswith("*") else number == allowed


@dataclass
class Gate:
    """Vets every message that an agent is about to send."""

    rules: GuardRules
    _calls: set[str] = field(default_factory=set)
    """Call-IDs of the calls that have been begun."""
    _known: set[str] = field(default_factory=set)
    """Call-IDs of all that has been let through. What says that it is within a dialog and has none of them is taken for
    what begins one: a To tag is easily made up."""

    def may_contact(self, host: str) -> bool:
        """Whether anything may be sent to this address."""
        return host in self.rules.hosts

    def refusal(self, data: bytes, host: str) -> str:
        """Why this message may not go to that address; empty if it may. A call that may leave counts from now on."""
        if not self.may_contact(host):
            return f"the guard lets nothing through to {host}: it is no host that the profile names"
        why = self._of_message(data) or self._of_further(data)
        return f"the guard stops it: {why}" if why else ""

    def _of_message(self, data: bytes) -> str:
        try:
            message = parse(data)
        except SipError:
            return self._of_garbage(data)
        if not message.is_request:
            self._known.add(message.call_id)
            return self._of_uris(message, "contact") if 300 <= message.code < 400 else ""
        why = self._of_uris(message, "refer-to")
        known = message.method == "BYE" or message.call_id in self._known
        if why or message.method in _WITHIN or (message.to_tag and known):
            return why
        uri, to = message.uri, uri_text(message.get("to") or "")
        called = "" if message.method == "REGISTER" else to  # whose own number may be any
        if why := self.rules.uri_refusal(uri) or self._of_uris(message, "route") or self.rules.number_refusal(called):
            return why
        if why := self._count(message) if message.method == "INVITE" else "":
            return why
        self._known.add(message.call_id)
        return ""

    def _of_further(self, data: bytes) -> str:
        """On a stream one sending can carry further requests behind the first message."""
        uris = (found[1].decode("utf-8", "surrogateescape") for found in _FURTHER.finditer(data.lstrip()))
        return next((why for uri in uris if (why := self.rules.uri_refusal(uri))), "")

    def _of_uris(self, message: Message, header: str) -> str:
        uris = (uri_text(one) for value in message.all(header) for one in split_list(value))
        return next((why for uri in uris if (why := self.rules.uri_refusal(uri))), "")

    def _of_garbage(self, data: bytes) -> str:
        """Broken bytes may be less broken to the system: only plain answers leave."""
        return "" if _ANSWER.match(data) else "it cannot be read, and only answers may be broken"

    def _count(self, invite: Message) -> str:
        if invite.call_id in self._calls:
            return ""
        if len(self._calls) >= self.rules.calls:
            return f"no call is left of the {self.rules.calls} that this agent may make in this run"
        self._calls.add(invite.call_id)
        return ""
