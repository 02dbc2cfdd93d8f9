"""Dialogs: what both ends must remember to talk on within a call (RFC 3261 12). No socket, no clock."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from sip_harness.endpoint import build
from sip_harness.endpoint.build import Headers
from sip_harness.model.entry import Address
from sip_harness.net.base import Hop
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, split_list
from sip_harness.sip.uri import Uri, parse_uri, uri_text

DialogId = tuple[str, str, str]
"""Call-ID, our tag, the peer's tag (RFC 3261 12)."""


@dataclass
class Dialog:
    """One dialog at one end of it. Make it with `as_caller` or `as_callee`."""

    call_id: str
    local_tag: str
    remote_tag: str
    local: str
    """From value of our requests, with tag."""
    remote: str
    """To value of our requests, with tag if the peer has one."""
    target: str
    """Remote target URI: the peer's last Contact."""
    routes: tuple[str, ...]
    """Route set, first hop first."""
    hop: Hop
    """Where the dialog was set up from; serves where a URI names a host that is no address: names are not looked up."""
    local_seq: int
    remote_seq: int = -1
    confirmed: bool = False
    ack: bytes = field(default=b"", repr=False)
    """Our ACK to the 2xx that confirmed it, sent again for every retransmission of that."""

    @property
    def id(self) -> DialogId:
        """How requests within the dialog find it."""
        return self.call_id, self.local_tag, self.remote_tag

    def learn(self, response: Message) -> None:
        """Take the remote target, and while not confirmed the route set, of a response (RFC 3261 12.1.2, 13.2.2.4)."""
        self.target = contact_uri(response) or self.target
        if not self.confirmed:
            self.routes = tuple(reversed(record_routes(response)))

    def refresh(self, message: Message) -> None:
        """Take the remote target of a target refresh request, or of the 2xx to one of ours; the route set stays as it
        is (RFC 3261 12.2)."""
        self.target = contact_uri(message) or self.target

    def request(
        self,
        method: str,
        headers: Headers,
        *,
        seq: int | None = None,
        body: bytes = b"",
        content_type: str = build.SDP,
        omit: frozenset[str] = frozenset(),
    ) -> bytes:
        """A request within the dialog (RFC 3261 12.2.1.1); the next CSeq number unless one is given (ACK).

        What `headers` names replaces what we would add, Route included; what `omit` names is left out.
        """
        if seq is None:
            self.local_seq += 1
            seq = self.local_seq
        uri, routes = self._way()
        if "route" in omit or any(name.lower() == "route" for name, _ in headers):
            routes = ()
        return build.request(
            method,
            uri,
            via=build.new_via(self.hop.transport),
            sender=self.local,
            to=self.remote,
            call_id=self.call_id,
            cseq=seq,
            headers=[*(("Route", route) for route in routes), *headers],
            body=body,
            content_type=content_type,
            omit=omit,
        )

    def next_hop(self) -> Hop:
        """Where a request within the dialog is sent: to its first Route or else its target. Where that may not be
        contacted, to where the dialog was set up from, so that no call is left behind."""
        found = address_of(uri_text(self.routes[0]) if self.routes else self.target)
        if found is None or not self.hop.transport.allows(found):
            found = self.hop.remote
        return Hop(self.hop.transport, found)

    def _way(self) -> tuple[str, tuple[str, ...]]:
        """Request-URI and Route values; a first hop without `lr` routes strictly and gets itself as Request-URI."""
        if not self.routes or _is_loose(self.routes[0]):
            return self.target, self.routes
        return uri_text(self.routes[0]), (*self.routes[1:], f"<{self.target}>")


def as_caller(invite: Message, response: Message, hop: Hop) -> Dialog:
    """The dialog that this response to our INVITE sets up (RFC 3261 12.1.2)."""
    return Dialog(
        call_id=invite.call_id,
        local_tag=invite.from_tag,
        remote_tag=response.to_tag,
        local=invite.get("from") or "",
        remote=response.get("to") or "",
        target=contact_uri(response) or invite.uri,
        routes=tuple(reversed(record_routes(response))),
        hop=hop,
        local_seq=invite.cseq[0],
    )


def as_callee(invite: Message, tag: str, hop: Hop) -> Dialog:
    """The dialog that our response with this To tag sets up (RFC 3261 12.1.1); a peer of RFC 2543 has no tag."""
    return Dialog(
        call_id=invite.call_id,
        local_tag=tag,
        remote_tag=invite.from_tag,
        local=f"{invite.get('to') or ''}{f';tag={tag}' if tag else ''}",
        remote=invite.get("from") or "",
        target=contact_uri(invite) or uri_text(invite.get("from") or ""),
        routes=tuple(record_routes(invite)),
        hop=hop,
        local_seq=0,
        remote_seq=invite.cseq[0],
    )


def contact_uri(message: Message) -> str:
    """URI of the first Contact; empty if there is none that can be read."""
    for value in message.all("contact"):
        for element in split_list(value):
            uri = uri_text(element)
            return uri if _readable(uri) is not None else ""
    return ""


def record_routes(message: Message) -> list[str]:
    """Record-Route values in order, lists taken apart."""
    return [element for value in message.all("record-route") for element in split_list(value)]


def address_of(uri: str) -> Address | None:
    """The IP address and port that a URI names; None for a host name (nothing is looked up) or an unreadable URI."""
    parsed = _readable(uri)
    if parsed is None:
        return None
    secure = parsed.scheme == "sips" or (parsed.param("transport") or "").lower() == "tls"
    try:
        return str(ipaddress.ip_address(parsed.host.strip("[]"))), parsed.port or (5061 if secure else 5060)
    except ValueError:
        return None


def _is_loose(route: str) -> bool:
    parsed = _readable(uri_text(route))
    return parsed is None or parsed.has("lr")


def _readable(uri: str) -> Uri | None:
    try:
        return parse_uri(uri)
    except SipError:
        return None
