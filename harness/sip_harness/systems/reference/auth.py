"""Digest as a server asks for it: 401 to REGISTER, 407 to everything else outside a dialog (RFC 3261 22, RFC 7616)."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from hashlib import blake2s

from sip_harness.sip.digest import MAX_CHALLENGE, Challenge, compute
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, split_list
from sip_harness.sip.values import unquote

REALM = "sip-harness"
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


def _params(value: str) -> dict[str, str]:
    """Parameters of Digest credentials, names in lower case; empty if they are none."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest" or len(rest) > MAX_CHALLENGE:
        return {}
    pairs = (element.partition("=") for element in split_list(rest))
    return {name.strip().lower(): unquote(text.strip()) for name, _, text in pairs}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
