"""The registrar: contacts of addresses of record, in memory (RFC 3261 10.3). Pure: time is passed in, in seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice

from sip_harness.model.entry import Address
from sip_harness.sip.address import Address as Asked
from sip_harness.sip.address import parse_address
from sip_harness.sip.errors import SipError
from sip_harness.sip.headers import contacts, listed, seconds
from sip_harness.sip.message import Message
from sip_harness.sip.uri import Uri, parse_uri, unescape, uri_text
from sip_harness.systems.reference import outbound
from sip_harness.systems.reference.forward import is_here

MAX_USERS = 10_000
MAX_CONTACTS = 100
DEFAULT_EXPIRES = 300
"""Seconds, for a contact that asks for none."""
MAX_EXPIRES = 3600

Headers = list[tuple[str, str]]


class Refused(Exception):
    """The registration is not accepted; has the code to answer with, and headers of the answer."""

    def __init__(self, code: int, *headers: tuple[str, str]) -> None:
        super().__init__(code)
        self.code = code
        self.headers = list(headers)


@dataclass(frozen=True, slots=True)
class Contact:
    """One binding."""

    uri: Uri
    q: float
    until: float
    call_id: str
    cseq: int
    path: tuple[str, ...] = ()
    """Route values that lead to it, the first hop first (RFC 3327 5.3)."""
    flow: tuple[str, str] | None = None
    """Instance and reg-id: a later contact of the same flow takes its place (RFC 5626 6)."""


class Registrar:
    """All bindings of one domain."""

    def __init__(self, faults: frozenset[str] = frozenset()) -> None:
        self._faults = faults
        self._users: dict[str, list[Contact]] = {}
        self._least: dict[str, int] = {}
        self._most: dict[str, tuple[int, int]] = {}

    def demand(self, user: str, seconds: int) -> None:
        """From now on a registration of this user has to be for so long, unless it asks for an hour (RFC 3261 10.3)."""
        self._least[unescape(user)] = seconds

    def limit(self, user: str, contacts: int, code: int) -> None:
        """From now on this user may have so many contacts; what is more is refused with this code."""
        self._most[unescape(user)] = contacts, code

    def register(self, request: Message, now: float, here: Address | None = None) -> Headers:
        """Carry a REGISTER out; the headers of its 200. Raises Refused, and nothing is changed then. The addresses that
        are registered have to be those of `here`, if given (RFC 3261 10.3 step 5)."""
        foreign = here is not None and not is_here(uri_text(request.get("to") or ""), here)
        if foreign and "registers-foreign-domains" not in self._faults:
            raise Refused(404)
        try:
            user, asked = _owner(request), contacts(request)
            general = seconds(request, "expires")
            if outbound.lacks_first_hop(request) and "takes-flows-from-any-hop" not in self._faults:
                raise Refused(439)
            known = self._current(user, now)
            kept = self._without_all(request, asked, general, known) if _is_star(asked) else known
            if not _is_star(asked):
                for contact in asked:
                    kept = self._with(kept, contact, general, request, now)
                    if "registers-by-halves" in self._faults:
                        self._store(user, kept)
        except SipError as error:
            raise Refused(400) from error
        self._store(user, kept)
        if "lists-one-contact-only" in self._faults:
            kept = [c for c in kept if (c.call_id, c.cseq) == (request.call_id, request.cseq[0])]
        bound = [("Contact", _listed(contact, now)) for contact in kept]
        required = [("Require", "outbound")] if outbound.flows(request) else []
        return [*bound, *(("Path", path) for path in _path(request)), *required]

    def lookup(self, user: str, now: float) -> list[Contact]:
        """Who is there for this user, in the order of registration."""
        return self._current(unescape(user), now)

    def forget(self, user: str) -> None:
        """Take all contacts of a user off."""
        self._users.pop(unescape(user), None)
        self._least.pop(unescape(user), None)
        self._most.pop(unescape(user), None)

    def _current(self, user: str, now: float) -> list[Contact]:
        known = self._users.get(user, [])
        return known if "keeps-expired-contacts" in self._faults else [c for c in known if c.until > now]

    def _store(self, user: str, contacts: list[Contact]) -> None:
        self._check_room(user, len(contacts))
        if user not in self._users and len(self._users) >= MAX_USERS:
            raise Refused(403)
        if contacts:
            self._users[user] = contacts
        else:
            self._users.pop(user, None)

    def _without_all(
        self, request: Message, asked: tuple[Asked, ...], general: int | None, known: list[Contact]
    ) -> list[Contact]:
        """`Contact: *` stands alone and with Expires: 0 (RFC 3261 10.3 step 6)."""
        if (len(asked) > 1 or general != 0) and "takes-any-star" not in self._faults:
            raise Refused(400)
        for contact in known:
            self._check_order(contact, request)
        return []

    def _with(
        self, known: list[Contact], asked: Asked, general: int | None, request: Message, now: float
    ) -> list[Contact]:
        """One contact added, replaced or removed (RFC 3261 10.3 step 7)."""
        uri = parse_uri(asked.uri)
        if asked.q is None and asked.param("q") is not None:
            raise Refused(400)
        lifetime = asked.expires if asked.expires is not None else general
        lifetime = min(DEFAULT_EXPIRES if lifetime is None else lifetime, MAX_EXPIRES)
        self._check_length(request, lifetime)
        flow = outbound.flow(request, asked) if "keeps-contacts-of-an-instance" not in self._faults else None
        same = [i for i, c in enumerate(known) if c.uri.equivalent(uri) or (flow is not None and c.flow == flow)]
        if "keeps-contacts-per-call-id" in self._faults:
            same = [i for i in same if known[i].call_id == request.call_id]
        place = next(iter(same), None)
        if place is not None:
            self._check_order(known[place], request)
        rest = [*islice(known, place), *islice(known, place + 1, None)] if place is not None else list(known)
        if lifetime == 0:
            return known if "ignores-unregistration" in self._faults else rest
        if place is not None and "refuses-refreshes-when-full" in self._faults:
            self._check_room(_owner(request), len(known) + 1)
        if "strips-contact-parameters" in self._faults:
            uri = replace(uri, params=(), text="")
        path = () if "forgets-path" in self._faults else _path(request)
        q = 1.0 if asked.q is None else asked.q
        new = Contact(uri, q, now + lifetime, request.call_id, request.cseq[0], path, flow)
        rest.insert(len(rest) if place is None else place, new)
        return rest

    def _check_length(self, request: Message, lifetime: int) -> None:
        """A registrar may insist on a shortest lifetime, but not of what is taken back (RFC 3261 10.3 step 7)."""
        least = self._least.get(_owner(request), 0)
        shortest = 0 if "refuses-to-unregister" in self._faults else 1
        if shortest <= lifetime < min(least, MAX_EXPIRES):
            headers = [] if "forgets-min-expires" in self._faults else [("Min-Expires", str(least))]
            raise Refused(423, *headers)

    def _check_room(self, user: str, contacts: int) -> None:
        """A registrar may say how many contacts there can be."""
        most, code = self._most.get(user, (MAX_CONTACTS, 403))
        if contacts > MAX_CONTACTS or (contacts > most and "keeps-any-number-of-contacts" not in self._faults):
            raise Refused(code)

    def _check_order(self, contact: Contact, request: Message) -> None:
        """A REGISTER that was overtaken changes nothing (RFC 3261 10.3 step 7)."""
        overtaken = contact.call_id == request.call_id and request.cseq[0] <= contact.cseq
        if overtaken and "takes-old-registers" not in self._faults:
            raise Refused(500)


def _owner(request: Message) -> str:
    """Whose contacts a REGISTER is about. Raises SipError."""
    return unescape(parse_uri(parse_address(request.get("to") or "").uri).user)


def _path(request: Message) -> tuple[str, ...]:
    return listed(request, "path")


def _is_star(asked: tuple[Asked, ...]) -> bool:
    return any(contact.uri == "*" for contact in asked)


def _listed(contact: Contact, now: float) -> str:
    q = f";q={contact.q:g}" if contact.q != 1 else ""
    return f"<{contact.uri}>{q};expires={max(round(contact.until - now), 1)}"
