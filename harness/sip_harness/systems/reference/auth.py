"""Digest as a server asks for it: 401 to REGISTER, 407 to everything else outside a dialog (RFC 3261 22, RFC 7616)."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from hashlib import blake2s

from sip_harness.endpoint.build import Headers
from sip_harness.sip.digest import Challenge, compute
from sip_harness.sip.digest_values import MAX_CHALLENGE
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, split_list
from sip_harness.sip.uri import parse_uri, unescape, uri_text
from sip_harness.sip.values import unquote

REALM = "sip-harness"
PASSWORD = "loopback-only"  # noqa: S105 - of made-up users on a system that only this machine reaches
OF_DIGEST = frozenset({"challenges-cancel", "challenges-with-401", "accepts-any-password", "registers-for-others"})
"""Fault switches that mean nothing without digest."""
LIFETIME = 300.0
"""Seconds that a nonce is good for."""


class Authenticator:
    """Checks credentials. It keeps nothing: a nonce tells its own age and that it is ours."""

    def __init__(self, password: str, now: Callable[[], float]) -> None:
        """`password` of every user; `now` in seconds on any clock that does not go back."""
        self._password = password
        self._now = now
        self._key = secrets.token_bytes(16)

    def challenge(self, *, stale: bool = False) -> str:
        """A fresh challenge, as a header value."""
        born = f"{self._now():.3f}"
        again = ", stale=true" if stale else ""
        return f'Digest realm="{REALM}", nonce="{born}-{self._seal(born)}", algorithm=MD5, qop="auth"{again}'

    def accepts(self, request: Message, name: str) -> bool:
        """Whether a header of this name has good credentials with a nonce of ours that is not too old."""
        found = [_params(value) for value in request.all(name)]
        return any(self._matches(p, request) and self._age(p["nonce"]) <= LIFETIME for p in found if p)

    def is_stale(self, request: Message, name: str) -> bool:
        """Whether only the nonce was too old (RFC 7616 3.3)."""
        found = [_params(value) for value in request.all(name)]
        return any(self._matches(p, request) and self._age(p["nonce"]) > LIFETIME for p in found if p)

    def usernames(self, request: Message, name: str) -> set[str]:
        """Whose credentials a header of this name has, for our realm."""
        found = [_params(value) for value in request.all(name)]
        return {params.get("username", "") for params in found if params.get("realm") == REALM}

    def _matches(self, given: dict[str, str], request: Message) -> bool:
        born, _, seal = given.get("nonce", "").partition("-")
        if given.get("realm") != REALM or not hmac.compare_digest(_bytes(seal), _bytes(self._seal(born))):
            return False
        count = given.get("nc", "0")
        if len(count) > 8 or not all(c in "0123456789abcdefABCDEF" for c in count):
            return False
        try:
            due = compute(
                Challenge(REALM, given["nonce"], qop=("auth",)),
                username=given.get("username", ""),
                password=self._password,
                method=request.method,
                uri=given.get("uri", ""),
                qop=given.get("qop", ""),
                nc=int(count or "0", 16),
                cnonce=given.get("cnonce", ""),
            )
        except SipError:
            return False
        return hmac.compare_digest(_bytes(due), _bytes(given.get("response", "")))

    def _seal(self, born: str) -> str:
        return blake2s(_bytes(born), key=self._key, digest_size=8).hexdigest()

    def _age(self, nonce: str) -> float:
        return self._now() - float(nonce.partition("-")[0])


class Door:
    """Who may pass, and what the others are asked for."""

    def __init__(self, authenticator: Authenticator, faults: frozenset[str]) -> None:
        self._auth = authenticator
        self._faults = faults

    def asks(self, request: Message) -> tuple[int, Headers] | None:
        """Code and challenge for a request without good credentials; None if it may pass.

        401 from the registrar, 407 from whoever passes requests on (RFC 3261 22.1).
        """
        name = "authorization" if request.method == "REGISTER" else "proxy-authorization"
        if self._admits(request, name):
            return None
        registers = request.method == "REGISTER"
        code = 401 if registers or "challenges-with-401" in self._faults else 407
        header = "WWW-Authenticate" if code == 401 else "Proxy-Authenticate"
        return code, [(header, self._auth.challenge(stale=self._auth.is_stale(request, name)))]

    def is_owner(self, register: Message) -> bool:
        """Whether the address that a REGISTER is for is that of its credentials (RFC 3261 10.3 step 4)."""
        if "registers-for-others" in self._faults:
            return True
        try:
            user = parse_uri(uri_text(register.get("to") or "")).user
        except SipError:
            return True  # the registrar has a word to say about that
        return unescape(user) in self._auth.usernames(register, "authorization")

    def _admits(self, request: Message, name: str) -> bool:
        if "accepts-any-password" in self._faults and request.get(name) is not None:
            return True
        also = "authorization" if "challenges-with-401" in self._faults else name
        return self._auth.accepts(request, name) or self._auth.accepts(request, also)


def _params(value: str) -> dict[str, str]:
    """Parameters of Digest credentials, names in lower case; empty if they are none."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest" or len(rest) > MAX_CHALLENGE:
        return {}
    pairs = (element.partition("=") for element in split_list(rest))
    return {name.strip().lower(): unquote(text.strip()) for name, _, text in pairs}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
