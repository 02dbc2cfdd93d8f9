"""Vets every message that an agent is about to send to a system that others use too. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from sip_harness.model.guard import GuardRules, hosts_of, nobodys
from sip_harness.model.numbers import number_of
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, first_element, parse, split_list
from sip_harness.sip.uri import Uri, header_params, read_uri, uri_text
from sip_harness.sip.via import read_via, reflexive

MAX_CALLS = 10_000
"""Calls of which is remembered what the system has named in them; of older ones nothing is."""
MAX_NAMED = 1000
"""Hosts and numbers that are remembered of one call."""
_ANSWER = re.compile(rb"SIP/2\.0 [12456][0-9][0-9] ")
_ODD_ANSWER = re.compile(rb"SIP/2\.0 [0-9]{1,20}[ \r]")
_CONTACT = re.compile(rb"\n(?:contact|m)[ \t]*:", re.IGNORECASE)
_START = re.compile(
    rb"(?<=\n)(?:[!-~]{1,64}[ \t]+[^ \t\r\n]{1,1000}[ \t]+SIP/[0-9]|SIP/[0-9.]{1,9}[ \t]+[0-9]{3}[ \t])", re.IGNORECASE
)
_DIRECTED = re.compile(rb"(?:\A|\n)(?:c|a=rtcp:[0-9]+)[= ]?IN IP[46][ \t]+([^\s/]+)", re.IGNORECASE)
_CANDIDATE = re.compile(rb"\na=candidate:(?:[^ \r\n]+ ){4}([^ \r\n]+)", re.IGNORECASE)
_NOWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - a call on hold says so (RFC 3264 8.4)
_SETS_UP_NO_CALL = frozenset({"ACK", "BYE", "CANCEL", "PRACK"})
_CONTACTS = ("contact", "record-route", "path")


@dataclass
class _Named:
    """What the system has named in one call."""

    hosts: set[str] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)

    def add(self, uri: str) -> None:
        if len(self.hosts) + len(self.numbers) >= MAX_NAMED:
            return
        try:
            read = read_uri(uri)
        except SipError:
            return
        if isinstance(read, Uri):
            self.hosts.update(hosts_of(read))
        if number := number_of(uri):
            self.numbers.add(number)


@dataclass
class Gate:
    """Vets every message that an agent is about to send, and knows what the system has named to it.

    A request within a call may name what the system has named there before: the peer's Contact, the proxies on the way.
    What only looks like one, because somebody has written a To tag, is treated as any other.
    """

    rules: GuardRules
    own: set[str] = field(default_factory=set)
    """Hosts of ours, lower case: what Contact, Via and SDP may name. Where the system sees us comes to it."""
    _calls: set[str] = field(default_factory=set)
    """Call-IDs of the calls that have been begun."""
    _named: dict[str, _Named] = field(default_factory=dict)
    """By Call-ID."""

    def may_contact(self, host: str) -> bool:
        """Whether anything may be sent to this address."""
        return host in self.rules.hosts

    def heard(self, message: Message, host: str) -> None:
        """A message has come from this address: what it names may be named within its call, and where it has seen us as
        ours."""
        if not self.may_contact(host):
            return
        if (named := self._named.pop(message.call_id, None)) is None:
            named = _Named()
            if len(self._named) >= MAX_CALLS:
                del self._named[next(iter(self._named))]
        self._named[message.call_id] = named
        if not message.is_request and (seen := reflexive(first_element(message.get("via") or ""))):
            self.own.add(seen[0])
        # From and To of a response are our own words: whatever they name, the system has not.
        for header in ("contact", "record-route", *(("from",) if message.is_request else ())):
            for uri in _uris(message, header):
                named.add(uri)

    def refusal(self, data: bytes, host: str) -> str:
        """Why this message may not go to that address; empty if it may. A call that may leave counts from now on."""
        if not self.may_contact(host):
            return f"the guard lets nothing through to {host}: it is no host that the profile names"
        why = next((why for part in _messages(data) if (why := self._of_message(part))), "")
        return f"the guard stops it: {why}" if why else ""

    def _of_message(self, data: bytes) -> str:
        try:
            message = parse(data)
        except SipError:
            if not data.strip(b"\r\n"):
                return ""  # line ends between messages, or a keep-alive (RFC 3261 7.5, RFC 5626 3.5.1)
            # A code of no class may be taken for any, a redirection too: that leads nowhere without a Contact.
            leads_nowhere = _ODD_ANSWER.match(data) and not _CONTACT.search(data)
            return "" if leads_nowhere or _ANSWER.match(data) else "it cannot be read, and only answers may be broken"
        named = self._named.get(message.call_id)
        hosts = named.hosts if named is not None else ()
        if why := self._of_ours(message, hosts):
            return why
        if not message.is_request:
            return self._of_redirection(message) if 300 <= message.code < 400 else ""
        if why := self._of_uris(message, "refer-to"):
            return why
        within = message.to_tag or message.method in _SETS_UP_NO_CALL
        if named is not None and within:
            return self._within(message, named)
        return self._outside(message)

    def _of_all_bindings(self, register: Message) -> str:
        """A REGISTER that takes all bindings back (RFC 3261 10.2.2) may do so with accounts of ours alone."""
        with suppress(SipError):
            to = read_uri(uri_text(register.get("to") or ""))
            if isinstance(to, Uri) and to.user in self.rules.accounts and register.method == "REGISTER":
                return ""
        return "Contact: '*' takes the bindings of an account away that the profile does not name"

    def _within(self, message: Message, named: _Named) -> str:
        """A request of a call that the system knows too."""
        rules, uri = self.rules, message.uri
        if why := rules.host_refusal(uri, named.hosts) or self._of_uris(message, "route", named.hosts):
            return why
        if message.method in _SETS_UP_NO_CALL or number_of(uri) in named.numbers:
            return ""
        return rules.number_refusal(uri)

    def _outside(self, message: Message) -> str:
        uri, to = message.uri, uri_text(message.get("to") or "")
        called = "" if message.method == "REGISTER" else to  # whose own number may be any
        if why := self.rules.uri_refusal(uri) or self._of_uris(message, "route") or self.rules.number_refusal(called):
            return why
        return self._count(message) if message.method == "INVITE" else ""

    def _of_ours(self, message: Message, named: Collection[str]) -> str:
        """What tells the system where we are may lead to nobody else: Contact and the like, Via, SDP."""
        ours = {*self.own, *named}
        for header in _CONTACTS if message.code < 400 else ():
            for uri in _lasting(message, header):
                # What begins no dialog may name nobody: otherwise the call would be left behind.
                no_dialog = message.code >= 300 or (message.method == "REGISTER" and header != "contact")
                known = ours | nobodys(uri) if no_dialog else ours
                why = self._of_all_bindings(message) if uri == "*" else self.rules.host_refusal(uri, known)
                if why or (message.method == "REGISTER" and (why := self.rules.number_refusal(uri))):
                    return f"{header.title()}: {why}"
        hosts = (*(_by_via(message) if message.is_request else ()), *_directed(message.body))
        elsewhere = (host for host in hosts if not self.rules.knows(host, ours))
        return next((f"{host} is no host that the profile names" for host in elsewhere), "")

    def _of_redirection(self, response: Message) -> str:
        found = (self.rules.uri_refusal(uri, self.own | nobodys(uri)) for uri in _uris(response, "contact"))
        return next((why for why in found if why), "")

    def _of_uris(self, message: Message, header: str, more: Collection[str] = ()) -> str:
        return next((why for uri in _uris(message, header) if (why := self.rules.uri_refusal(uri, more))), "")

    def _count(self, invite: Message) -> str:
        if invite.call_id in self._calls:
            return ""
        if len(self._calls) >= self.rules.calls:
            return f"no call is left of the {self.rules.calls} that this agent may make in this run"
        self._calls.add(invite.call_id)
        return ""


def _uris(message: Message, header: str) -> Iterator[str]:
    return (uri_text(one) for value in message.all(header) for one in split_list(value))


def _lasting(message: Message, header: str) -> Iterator[str]:
    """Without the contacts that a REGISTER takes back (RFC 3261 10.2.2): what is removed leads nobody."""
    for one in (e for value in message.all(header) for e in split_list(value)):
        if message.method != "REGISTER" or header_params(one).get("expires") != "0":
            yield uri_text(one)


def _messages(data: bytes) -> Iterator[bytes]:
    """What one sending may be taken for: on a stream further messages can stand behind the first one."""
    yield data
    yield from (data[found.start() :] for found in _START.finditer(data.lstrip() if data[:1].isspace() else data))


def _by_via(message: Message) -> Iterator[str]:
    """Hosts that the Via of a request leads its responses to, other than the one that it came from (RFC 3261 18.2)."""
    try:
        via = read_via(first_element(message.get("via") or ""))
    except SipError:
        return
    yield from (value.strip("[]").lower() for name in ("maddr", "received") if (value := via.param(name)))


def _directed(body: bytes) -> Iterator[str]:
    """Hosts that SDP asks for media at (RFC 8866 5.7, RFC 3605, RFC 8839)."""
    found = [*_DIRECTED.findall(body), *_CANDIDATE.findall(body)] if body else []
    hosts = (host.decode("utf-8", "replace").lower() for host in found)
    return (host for host in hosts if host not in _NOWHERE)
