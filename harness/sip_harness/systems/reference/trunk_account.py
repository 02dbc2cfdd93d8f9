"""How the trunk client answers the challenges of a registrar (RFC 3261 22.2, RFC 7616), also wrongly."""

from __future__ import annotations

from dataclasses import replace

from sip_harness.endpoint.request import Challenged, Credentials
from sip_harness.sip.digest import Challenge, choose
from sip_harness.sip.errors import SipError


def account(credentials: Credentials, faults: frozenset[str]) -> Challenged:
    """What remembers the challenges of one registrar from one REGISTER to the next."""

    asked: dict[str, str] = {}

    def answered(values: list[str]) -> Challenge:
        challenge = choose(reversed(values) if "answers-last-challenge" in faults else values)
        if "takes-stale-for-refused" in faults and challenge.stale:
            raise SipError("taken for a refusal")
        first = asked.setdefault(challenge.realm, challenge.nonce)
        if "takes-a-new-nonce-for-refused" in faults and first != challenge.nonce:
            raise SipError("taken for a refusal")
        if "adds-qop" in faults and not challenge.qop:
            return replace(challenge, qop=("auth",))
        return replace(challenge, qop=()) if "leaves-qop-out" in faults else challenge

    return Challenged(credentials, answered, counts="counts-no-nonce-uses" not in faults)
