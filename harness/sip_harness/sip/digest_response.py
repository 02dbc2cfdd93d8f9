"""What answers a digest challenge, read and checked as a server does it (RFC 7616 3.4, RFC 3261 22.4)."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass

from sip_harness.sip.digest import Challenge, compute
from sip_harness.sip.digest_values import octets, read_params, shown
from sip_harness.sip.errors import SipError

_RETURNED = ("realm", "nonce", "username", "uri", "response", "algorithm", "qop", "nc", "cnonce")
_COUNT = re.compile(r"[0-9A-Fa-f]{1,8}")


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
        params = read_params(value, _RETURNED)
        for name in ("realm", "nonce", "username", "uri", "response"):
            if name not in params:
                raise SipError(f"Digest response without {name}")
        if not _COUNT.fullmatch(count := params.get("nc", "0")):
            raise SipError(f"nonce count {shown(count)} is no hexadecimal number")
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
        return hmac.compare_digest(due.encode(), octets(self.response.lower()))
