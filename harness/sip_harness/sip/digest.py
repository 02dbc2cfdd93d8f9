"""Digest authentication: read a challenge, answer it (RFC 7616, RFC 8760, RFC 3261 22).

Challenges come from the network: they are bounded, hold no control characters, and whatever is wrong with them raises
SipError and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sip_harness.sip.errors import SipError

MAX_CHALLENGE = 8192
"""Characters of a challenge beyond which it is not read."""

# RFC 7616 6.1; MD5 is what most SIP devices know.
_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
_SESSION = "-SESS"
_QOPS = ("auth", "auth-int")
_KEPT = ("realm", "nonce", "algorithm", "qop", "opaque", "stale", "domain")

_RETURNED = ("realm", "nonce", "username", "uri", "response", "algorithm", "qop", "nc", "cnonce")
_COUNT = re.compile(r"[0-9A-Fa-f]{1,8}")
_SCHEME = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:[ \t]+|$)")
_PARAM = re.compile(
    r"""[ \t,]*([-.!%*_+`'~0-9A-Za-z]+)[ \t]*=[ \t]*
    (?: "( (?: [^"\\] | \\. )*+ )" | ([^\s",;]+) )
    [ \t]*(,|$)""",
    re.VERBOSE,
)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
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
        params = _params(value)
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
            return f"algorithm {_shown(self.algorithm)} is not supported"
        if self.qop and not self.chosen_qop:
            return f"qop {_shown(','.join(self.qop))} is not supported"
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
        return _params(f"Digest {value}", ("nextnonce",)).get("nextnonce", "")
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
        f'username="{_between(username)}"',
        f'realm="{_between(challenge.realm)}"',
        f'nonce="{_between(challenge.nonce)}"',
        f'uri="{_between(uri)}"',
        f'response="{response}"',
        f"algorithm={challenge.algorithm}",
    ]
    # Without qop there is no cnonce (RFC 2617 3.2.2), but no -sess either that a server could check without it.
    if qop or challenge.session:
        fields.append(f'cnonce="{_between(cnonce)}"')
    if challenge.opaque is not None:
        fields.append(f'opaque="{_between(challenge.opaque)}"')
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
    if reason := challenge.unsupported or ("" if qop in ("", *_QOPS) else f"qop {_shown(qop)} is not supported"):
        raise SipError(reason)
    if not _TOKEN.fullmatch(method):
        raise SipError(f"not a method: {_shown(method)}")
    name = _hash_name(challenge.algorithm)
    a1 = _octets(f"{_between(username)}:{_between(challenge.realm)}:{password}")
    if challenge.session:
        a1 = f"{_hex(name, a1)}:{_between(challenge.nonce)}:{_between(cnonce)}".encode()
    a2 = _octets(f"{method}:{_between(uri)}") + (b":" + _hex(name, body).encode() if qop == "auth-int" else b"")
    middle = f":{nc:08x}:{_between(cnonce)}:{qop}" if qop else ""
    return _hex(name, _octets(f"{_hex(name, a1)}:{_between(challenge.nonce)}{middle}:{_hex(name, a2)}"))


@dataclass(frozen=True, slots=True)
class Response:
    """What answers a challenge: one Authorization or Proxy-Authorization value. Make it with `parse`."""

    realm: str
    nonce: str
    username: str
    uri: str
    response: str
    algorithm: str
    qop: str
    nc: int
    cnonce: str

    @classmethod
    def parse(cls, value: str) -> Response:
        """Read one header value. Raises SipError if it is no Digest response or cannot be read without guessing."""
        params = _params(value, _RETURNED)
        for name in ("realm", "nonce", "username", "uri", "response"):
            if name not in params:
                raise SipError(f"Digest response without {name}")
        if not _COUNT.fullmatch(count := params.get("nc", "0")):
            raise SipError(f"nonce count {_shown(count)} is no hexadecimal number")
        return cls(
            realm=params["realm"],
            nonce=params["nonce"],
            username=params["username"],
            uri=params["uri"],
            response=params["response"],
            algorithm=params.get("algorithm", "MD5"),
            qop=params.get("qop", "").lower(),
            nc=int(count, 16),
            cnonce=params.get("cnonce", ""),
        )

    def proves(self, challenge: Challenge, *, username: str, password: str, method: str, body: bytes = b"") -> bool:
        """Whether it answers this challenge with this account (RFC 7616 3.4.6), in a quality that was offered."""
        if (self.realm, self.nonce, self.username) != (challenge.realm, challenge.nonce, username):
            return False
        if self.algorithm.upper() != challenge.algorithm.upper() or self.qop not in (challenge.qop or ("",)):
            return False
        try:
            due = compute(
                challenge,
                username=username,
                password=password,
                method=method,
                uri=self.uri,
                body=body,
                qop=self.qop,
                nc=self.nc,
                cnonce=self.cnonce,
            )
        except SipError:
            return False
        return hmac.compare_digest(due.encode(), _octets(self.response.lower()))


def _params(value: str, kept: Collection[str] = _KEPT) -> dict[str, str]:
    """The parameters that are kept, by lower-case name."""
    if len(value) > MAX_CHALLENGE:
        raise SipError(f"challenge of {len(value)} characters: longer than {MAX_CHALLENGE}")
    _octets(value)
    if _CONTROL.search(value):
        raise SipError("control character in a challenge")
    scheme = _SCHEME.match(value)
    if not scheme or scheme[1].lower() != "digest":
        raise SipError(f"not a Digest challenge: {_shown(value)}")
    params: dict[str, str] = {}
    at = scheme.end()
    while at < len(value.rstrip()):
        found = _PARAM.match(value, at)
        if not found:
            raise SipError(f"challenge cannot be read at {_shown(value[at:])}")
        name = found[1].lower()
        if name in params:
            raise SipError(f"{_shown(name)} stands twice in a challenge")
        params[name] = found[3] if found[2] is None else re.sub(r"\\(.)", r"\1", found[2])
        at = found.end()
    return {name: text for name, text in params.items() if name in kept}


def _hash_name(algorithm: str) -> str:
    # Upper case of some letters outside ASCII is within it, and the word is sent back as it came.
    return _HASHES.get(algorithm.upper().removesuffix(_SESSION), "") if algorithm.isascii() else ""


def _hex(name: str, data: bytes) -> str:
    return hashlib.new(name, data, usedforsecurity=False).hexdigest()


def _between(text: str) -> str:
    """What stands between the quotes: that is also what is hashed, escapes and all (`unq` in RFC 7616 3.4)."""
    _octets(text)
    if _CONTROL.search(text):
        raise SipError(f"control character in {_shown(text)}")
    return re.sub(r'(["\\])', r"\\\1", text)


def _octets(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise SipError(f"cannot be sent as UTF-8: {_shown(text)}") from None


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 60 else text[:60] + "...")
