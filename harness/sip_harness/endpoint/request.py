"""A request of a user agent that gives its credentials when it is asked for them (RFC 3261 22.2, 22.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sip_harness.endpoint.build import Headers
from sip_harness.endpoint.client import Client
from sip_harness.endpoint.layer import Layer
from sip_harness.endpoint.transactions import Why
from sip_harness.model.entry import Origin
from sip_harness.model.steps import PLAIN, Delivery
from sip_harness.net.base import Hop
from sip_harness.sip import digest
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, parse

MAX_RETRIES = 4
"""How often one request is made anew because of challenges, whatever realms the other side asks for."""

_PROXY = "Proxy-Authorization"
_ANSWERS = {401: ("www-authenticate", "Authorization"), 407: ("proxy-authenticate", _PROXY)}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a user agent proves itself with."""

    username: str
    password: str = field(repr=False)
    not_for: frozenset[str] = frozenset()
    """Realms that they are not shown to."""


@dataclass
class Challenged:
    """The credentials that one request has been asked for so far."""

    credentials: Credentials
    choose: Callable[[list[str]], digest.Challenge] = digest.choose
    """Which of several challenges is answered."""
    counts: bool = True
    """Whether the uses of a nonce are counted."""
    _given: dict[tuple[str, str], digest.Challenge] = field(default_factory=dict)
    """What is answered, by header and realm."""
    _kept: dict[tuple[str, str], digest.Challenge] = field(default_factory=dict)
    """What former requests were asked for."""
    _uses: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each nonce of each realm was used: a count that comes twice is a replay (RFC 7616 3.4)."""
    _stale: set[tuple[str, str]] = field(default_factory=set)
    _retries: int = 0

    def answer(self, response: Message, request: Message) -> Headers | None:
        """All credential headers for the next try after this 401 or 407; None if there is nothing (more) to try.

        A realm that refuses credentials is not asked twice (RFC 3261 22.2); once more if only the nonce was stale.
        """
        if response.code not in _ANSWERS or self._retries >= MAX_RETRIES or not self.credentials.password:
            return None
        asked, name = _ANSWERS[response.code]
        try:
            challenge = self.choose(list(response.all(asked)))
            if challenge.realm in self.credentials.not_for:
                return None
            realm = name, challenge.realm
            if realm in self._given and (not challenge.stale or realm in self._stale):
                return None
            given = {**self._given, realm: challenge}
            everything = {**self._kept, **given}.items()
            headers = [
                (header, self._prove(one, request.method, request.uri, request.body)) for (header, _), one in everything
            ]
        except SipError:
            return None
        if realm in self._given:
            self._stale.add(realm)
        self._retries += 1
        self._given = given
        return headers

    def again(self, method: str, uri: str) -> Headers:
        """Another request, without a body, begins: credential headers for what former ones were asked for. Without
        being asked again they save a round trip, and each use of a nonce counts (RFC 7616 3.4, 3.6)."""
        self._kept |= self._given
        self._given, self._stale, self._retries = {}, set(), 0
        return [(header, self._prove(challenge, method, uri)) for (header, _), challenge in self._kept.items()]

    def informed(self, response: Message) -> None:
        """A response to a request with credentials: it may name the nonce for the next one (RFC 7616 3.5)."""
        for name, header in (("authentication-info", "Authorization"), ("proxy-authentication-info", _PROXY)):
            nonce = next((n for value in response.all(name) if (n := digest.next_nonce(value))), "")
            for given in (self._given, self._kept):
                for realm in (key for key in given if nonce and key[0] == header):
                    given[realm] = replace(given[realm], nonce=nonce, stale=False)

    def _prove(self, challenge: digest.Challenge, method: str, uri: str, body: bytes = b"") -> str:
        nonce = challenge.realm, challenge.nonce
        self._uses[nonce] += 1
        return digest.authorization(
            challenge,
            username=self.credentials.username,
            password=self.credentials.password,
            method=method,
            uri=uri,
            body=body,
            nc=self._uses[nonce] if self.counts else 1,
        )


Make = Callable[[Headers], bytes]
"""Builds the request with these credential headers, each time with a new branch and the next CSeq number."""


class Request:
    """One request and its retries with credentials. Not for ACK and CANCEL."""

    def __init__(
        self,
        layer: Layer,
        make: Make,
        hop: Hop,
        origin: Origin,
        credentials: Credentials,
        *,
        on_final: Callable[[Message], None],
        on_failure: Callable[[Why], None],
        on_provisional: Callable[[Message], None] | None = None,
        hold_ack: bool = False,
        how: Delivery = PLAIN,
        challenged: Challenged | None = None,
        known: Headers | None = None,
    ) -> None:
        """Send it, each try in the way of `how`. `on_final` is called for a final response that is not answered with
        credentials; more than once for an INVITE whose 2xx comes again or from other branches of a fork. With
        `hold_ack` the ACK to a failure waits for `release_ack`; that to a challenge which is answered does not.
        `challenged` remembers from one request to the next what was asked for, and `known` is what the first try has
        of that (`Challenged.again`)."""
        self.retry = True
        """Whether a challenge is answered; clear it once the request is not wanted any more."""
        self.hop = hop
        self._layer = layer
        self._make = make
        self._origin = origin
        self._challenged = challenged or Challenged(credentials)
        self._on_final = on_final
        self._on_failure = on_failure
        self._on_provisional = on_provisional
        self._hold_ack = hold_ack
        self._how = how
        self.client = self._send(known or [])

    @property
    def request(self) -> Message:
        """The request as it was sent last."""
        return self.client.request

    def release_ack(self, origin: Origin) -> None:
        """Acknowledge the failure that was held back, and hold none back any more."""
        self._hold_ack = False
        self.client.release_ack(origin)

    def _send(self, headers: Headers) -> Client:
        request = parse(self._make(headers))
        client = self._layer.request(
            request, self.hop, self._origin, lambda response: self._on_response(request, response), self._how
        )
        client.on_failure = self._on_failure
        if self._hold_ack:
            client.hold_ack()
        return client

    def _on_response(self, request: Message, response: Message) -> None:
        if response.code < 200:
            if self._on_provisional is not None:
                self._on_provisional(response)
            return
        current = request is self.request
        answer = self._challenged.answer(response, request) if self.retry and current else None
        if answer is not None:
            self.client.release_ack("protocol")
            self.client = self._send(answer)
        elif current or response.code < 300:
            self._on_final(response)
