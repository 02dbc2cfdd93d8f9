"""A request within a dialog that a script asks for: its retries and, for an INVITE, its ACKs (RFC 3261 12.2, 14)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sip_harness.endpoint import build
from sip_harness.endpoint.build import Headers
from sip_harness.endpoint.prack import OPTION, Pracks
from sip_harness.endpoint.request import Request
from sip_harness.endpoint.served import ALLOW
from sip_harness.model import steps
from sip_harness.model.entry import Origin
from sip_harness.sip.fields import canonical
from sip_harness.sip.message import Message, tag_of

if TYPE_CHECKING:
    from sip_harness.endpoint.leg import Leg
    from sip_harness.endpoint.ua import UserAgent

REFRESHES = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})
"""Requests that carry a Contact and renew the remote target (RFC 3261 12.2, RFC 3311 5.1, RFC 6665 4, RFC 3515 2.2)."""

Given = tuple[tuple[str, str], ...]
"""Headers of an author."""


class Within:
    """One request within a dialog, until its final response or its failure. BYE is for `Leg.bye`."""

    def __init__(
        self,
        ua: UserAgent,
        leg: Leg,
        step: steps.Request,
        origin: Origin,
        on_over: Callable[[], None],
        *,
        offer: bytes = b"",
        prack: bool = True,
    ) -> None:
        """Send it. `on_over` is told once that it is over; `prack` says whether its reliable provisionals are
        acknowledged. A re-INVITE without a body of its own has `offer`, or else offers the session as it is."""
        self._ua = ua
        self._leg = leg
        self._step = step
        self._on_over: Callable[[], None] | None = on_over
        self._invites = step.method == "INVITE"
        self._offer = offer or leg.session.offer() if self._invites and not step.body else b""
        self._pracks = Pracks(ua.layer, leg.dialog, ua.identity.credentials) if self._invites and prack else None
        self._acks: dict[int, bytes] = {}
        if self._invites:
            leg.inviting += 1
        self._request = Request(
            ua.layer,
            lambda credentials: request_bytes(leg, step, ua.contact, credentials, self._offer),
            leg.dialog.next_hop(),
            origin,
            ua.identity.credentials,
            on_final=self._final_came,
            on_failure=lambda _why: self._end(),
            on_provisional=self._provisional_came,
            how=step.how,
        )

    def _provisional_came(self, response: Message) -> None:
        if self._pracks is not None:
            self._pracks.take(response)

    def _final_came(self, response: Message) -> None:
        if 200 <= response.code < 300:
            if self._on_over is not None and self._step.method in REFRESHES:
                self._leg.dialog.refresh(response)
            if self._invites:
                self._acknowledge(response)
        self._end()

    def _acknowledge(self, response: Message) -> None:
        """The same ACK for every sending of the 2xx (RFC 3261 13.2.2.4, 14.1)."""
        dialog, seq = self._leg.dialog, response.cseq[0]
        if seq not in self._acks:
            self._leg.session.learn(response.body)
            self._acks[seq] = dialog.request("ACK", given_credentials(self._request.request), seq=seq)
        self._ua.layer.send(self._acks[seq], dialog.next_hop(), "protocol")

    def _end(self) -> None:
        on_over, self._on_over = self._on_over, None
        if on_over is not None:
            self._leg.inviting -= self._invites
            on_over()


def request_bytes(leg: Leg, step: steps.Request, contact: str, credentials: Headers, offer: bytes = b"") -> bytes:
    """The next request within the dialog, as the script has it; its headers replace ours of the same name."""
    body, kind = step.body.encode("utf-8", "surrogateescape"), step.content_type or build.SDP
    if not body:
        body, kind = offer, build.SDP
    own = own_headers(step.method, contact) + credentials
    headers = [*left_in(without(own, step.headers), step.omit), *step.headers]
    return leg.dialog.request(step.method, headers, body=body, content_type=kind, omit=step.omit)


def own_headers(method: str, contact: str) -> Headers:
    """Headers of ours that a request of this method must or should have beyond those of every request."""
    own: Headers = [("Contact", contact)] if method in REFRESHES else []
    if method == "INVITE":
        own += [("Allow", ALLOW), ("Supported", OPTION)]
    return own


def without(headers: Headers, given: Given) -> Headers:
    """Those of these headers that an author has not given himself."""
    names = {canonical(name) for name, _ in given}
    return [(name, value) for name, value in headers if canonical(name) not in names]


def left_in(own: Headers, omit: frozenset[str]) -> Headers:
    """Those of these headers that an author leaves in."""
    return [(name, value) for name, value in own if canonical(name) not in omit]


def sender_of(ua: UserAgent, given: Given) -> str:
    """The From value of a new request: the author's, with a tag of ours if he has given none, or our own."""
    own = next((value for name, value in given if canonical(name) == "from"), "")
    if not own:
        return ua.sender()
    return own if tag_of(own) else f"{own};tag={build.new_tag()}"


def others(given: Given) -> Given:
    """What an author has given besides From."""
    return tuple((name, value) for name, value in given if canonical(name) != "from")


def given_credentials(request: Message) -> Headers:
    """The credentials of a request: an ACK to its 2xx carries them too (RFC 3261 13.2.2.4, 22.1)."""
    names = ("Authorization", "Proxy-Authorization")
    return [(name, value) for name in names for value in request.all(name)]
