"""Digest authentication, as a client does it: read a challenge, answer it (RFC 7616, RFC 8760, RFC 3261 22).

Challenges come from the network: whatever is wrong with them raises SipError and nothing else.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sip_harness.sip.digest_values import octets, quotable, read_params, shown
from sip_harness.sip.errors import SipError

# RFC 7616 6.1; MD5 is what most SIP devices know.
_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
_SESSION = "-SESS"
_QOPS = ("auth", "auth-int")
_KEPT = ("realm", "nonce", "algorithm", "qop", "opaque", "stale", "domain")

_TOKEN = re.compile(r"[-.!%*_+`'~0-9A-Za-z]+")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One Digest challenge, as a WWW-Authenticate or Proxy-Authenticate value carries it."""

    realm: str
    """What the credentials are for, escapes undone."""
    nonce: str
    """The server's nonce, escapes undone."""
    algorithm: str = "MD5"
    """Algorithm as the server spells it; MD5 if it named none (RFC 7616 3.3)."""
    qop: tuple[str, ...] = ()
    """Qualities offered, in lower case; empty for a server of before RFC 2617."""
    opaque: str | None = None
    """What the server wants back untouched; None if it sent none."""
    stale: bool = False
    """Only the nonce was too old: the credentials are good (RFC 7616 3.3)."""
    domain: str = ""
    """URIs of the protection space; of no meaning in SIP (RFC 3261 22.4)."""

    @classmethod
    def parse(cls, value: str) -> Challenge:
        """Read one header value. Raises SipError if it is no Digest challenge or cannot be read without guessing."""
        params = read_params(value, _KEPT)
        for name in ("realm", "nonce"):
            if name not in params:
                raise SipError(f"Digest challenge without {name}")
        return cls(
            realm=params["realm"],
            nonce=params["nonce"],
            algorithm=params.get("algorithm", "MD5"),
            qop=tuple(q.lower() for q in re.split(r"[\s,]+", params.get("qop", "")) if q),
            opaque=params.get("opaque"),
            stale=params.get("stale", "").lower() == "true",
            domain=params.get("domain", ""),
        )

    @property
    def session(self) -> bool:
        """Whether it is one of the `-sess` variants."""
        return self.algorithm.upper().endswith(_SESSION)

    @property
    def unsupported(self) -> str:
        """Why it cannot be answered; empty if it can."""
        if _hash_name(self.algorithm) not in hashlib.algorithms_available:
            return f"algorithm {shown(self.algorithm)} is not supported"
        if self.qop and not self.chosen_qop:
            return f"qop {shown(','.join(self.qop))} is not supported"
        return ""

    @property
    def chosen_qop(self) -> str:
        """The quality to use: `auth` before `auth-int`; empty if neither is offered."""
        return next((q for q in _QOPS if q in self.qop), "")


def choose(values: Iterable[str]) -> Challenge:
    """The topmost challenge that can be answered (RFC 8760 2.4), out of header values in wire order.

    Values that cannot be read are passed over. Raises SipError with all reasons if none is left.
    """
    reasons: list[str] = []
    for value in values:
        try:
            challenge = Challenge.parse(value)
        except SipError as error:
            reasons.append(str(error))
            continue
        if not challenge.unsupported:
            return challenge
        reasons.append(challenge.unsupported)
    raise SipError("no challenge that can be answered: " + ("; ".join(reasons[:8]) or "there is none"))


def realm_of(values: Iterable[str]) -> str:
    """The realm of the challenge that `choose` chooses; empty if there is none."""
    try:
        return choose(values).realm
    except SipError:
        return ""


def next_nonce(value: str) -> str:
    """The nonce that an Authentication-Info value names for the next request (RFC 7616 3.5); empty if there is none
    or it cannot be read."""
    try:
        return read_params(f"Digest {value}", ("nextnonce",)).get("nextnonce", "")
    except SipError:
        return ""


def authorization(
    challenge: Challenge,
    *,
    username: str,
    password: str,
    method: str,
    uri: str,
    body: bytes = b"",
    nc: int = 1,
    cnonce: str = "",
) -> str:
    """The Authorization or Proxy-Authorization value that answers a challenge (RFC 7616 3.4).

    `nc` counts the requests made with this nonce, from 1; `cnonce` is drawn if empty. Raises SipError if the challenge
    is not supported or an argument cannot stand in a header.
    """
    if not 1 <= nc <= 0xFFFFFFFF:
        raise SipError(f"nonce count {nc} is not within 1 to 0xffffffff")
    cnonce = cnonce or secrets.token_hex(16)
    qop = challenge.chosen_qop
    response = compute(
        challenge,
        username=username,
        password=password,
        method=method,
        uri=uri,
        body=body,
        qop=qop,
        nc=nc,
        cnonce=cnonce,
    )
    fields = [
        f'username="{quotable(username)}"',
        f'realm="{quotable(challenge.realm)}"',
        f'nonce="{quotable(challenge.nonce)}"',
        f'uri="{quotable(uri)}"',
        f'response="{response}"',
        f"algorithm={challenge.algorithm}",
    ]
    # Without qop there is no cnonce (RFC 2617 3.2.2), but no -sess either that a server could check without it.
    if qop or challenge.session:
        fields.append(f'cnonce="{quotable(cnonce)}"')
    if challenge.opaque is not None:
        fields.append(f'opaque="{quotable(challenge.opaque)}"')
    if qop:
        fields += [f"qop={qop}", f"nc={nc:08x}"]
    return "Digest " + ", ".join(fields)


def compute(
    challenge: Challenge,
    *,
    username: str,
    password: str,
    method: str,
    uri: str,
    body: bytes = b"",
    qop: str = "",
    nc: int = 1,
    cnonce: str = "",
) -> str:
    """The response digest in hex (RFC 7616 3.4.1 to 3.4.3), for a client to send and a server to compare.

    `qop` is the one in use, empty for none. Raises SipError if algorithm or qop is not supported.
    """
    if reason := challenge.unsupported or ("" if qop in ("", *_QOPS) else f"qop {shown(qop)} is not supported"):
        raise SipError(reason)
    if not _TOKEN.fullmatch(method):
        raise SipError(f"not a method: {shown(method)}")
    name = _hash_name(challenge.algorithm)
    a1 = octets(f"{quotable(username)}:{quotable(challenge.realm)}:{password}")
    if challenge.session:
        a1 = f"{_hex(name, a1)}:{quotable(challenge.nonce)}:{quotable(cnonce)}".encode()
    a2 = octets(f"{method}:{quotable(uri)}") + (b":" + _hex(name, body).encode() if qop == "auth-int" else b"")
    middle = f":{nc:08x}:{quotable(cnonce)}:{qop}" if qop else ""
    return _hex(name, octets(f"{_hex(name, a1)}:{quotable(challenge.nonce)}{middle}:{_hex(name, a2)}"))


def _hash_name(algorithm: str) -> str:
    # Upper case of some letters outside ASCII is within it, and the word is sent back as it came.
    return _HASHES.get(algorithm.upper().removesuffix(_SESSION), "") if algorithm.isascii() else ""


def _hex(name: str, data: bytes) -> str:
    return hashlib.new(name, data, usedforsecurity=False).hexdigest()
