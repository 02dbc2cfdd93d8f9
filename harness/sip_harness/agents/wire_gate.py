"""What a wire agent does before its script: choose the steps that a request gets, and ask for credentials."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping

from sip_harness.agents.base import SetupRefused
from sip_harness.endpoint.own import bindings
from sip_harness.model.script import Script
from sip_harness.model.steps import Challenge, Grant, Send, Step
from sip_harness.model.system import User
from sip_harness.script.choice import Attempts, case_of
from sip_harness.script.everything import steps_of
from sip_harness.sip import digest
from sip_harness.sip.digest_response import Response
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message

_ASKS = {401: ("WWW-Authenticate", "authorization"), 407: ("Proxy-Authenticate", "proxy-authorization")}
_PHRASES = {401: "Unauthorized", 407: "Proxy Authentication Required"}
MAX_NONCES = 10_000


class Gate:
    """The steps for each request to one agent.

    A `Challenge` and a `Grant` are turned into what they come to for this request: credentials are checked against
    the nonces that were given out here, each of which counts its uses (RFC 7616 3.4: a count must not come twice).
    """

    def __init__(self, user: User, users: Mapping[str, str]) -> None:
        """`user` is the account that is asked for where a script names none; `users` are those of all agents."""
        self._user = user
        self._users = users
        self._given: dict[str, digest.Challenge] = {}
        self._counts: Counter[str] = Counter()

    def check(self, script: Script) -> None:
        """Raises SetupRefused if it has to ask for credentials and nobody has told which."""
        for step in steps_of(script):
            if isinstance(step, Challenge) and not (step.password or self._user.password):
                raise SetupRefused(
                    "it has to ask for credentials, and the system has no account here with a password; "
                    "write challenge: {user: ..., password: ...}"
                )

    def steps(self, attempts: Attempts, request: Message) -> tuple[str, tuple[Step, ...]] | None:
        """What is to be done with the request, and for notes its number; None if the script has no word about it."""
        script = attempts.script
        found = case_of(script, request, self._users)
        if found is not None:
            return "by what it says", self._settled(found, request)
        if not script.attempts:
            return None
        number = attempts.number(request)
        return str(number), self._settled(script.steps(number), request)

    def _settled(self, steps: tuple[Step, ...], request: Message) -> tuple[Step, ...]:
        """The steps with what challenges and grants in them come to."""
        settled: list[Step] = []
        for step in steps:
            if isinstance(step, Challenge):
                if (proof := self._proof(step, request)) is not True:
                    return *settled, self._challenge(step, stale=proof is None)
            else:
                settled.append(_granted(step, request) if isinstance(step, Grant) else step)
        return tuple(settled)

    def _proof(self, step: Challenge, request: Message) -> bool | None:
        """Whether the request has the right credentials; None if only the nonce is used up or not known any more, or
        the step has every nonce used up that was not given out because of that."""
        username, password = self._account(step)
        proof: bool | None = False
        for value in request.all(_ASKS[step.code][1]):
            try:
                given = Response.parse(value)
            except SipError:
                continue
            challenge = self._given.get(given.nonce)
            if challenge is None or not given.proves(
                challenge, username=username, password=password, method=request.method, body=request.body
            ):
                continue
            if given.qop and given.nc <= self._counts[given.nonce]:
                proof = None
                continue
            self._counts[given.nonce] = given.nc
            if step.stale and not challenge.stale:
                proof = None
                continue
            return True
        return proof

    def _challenge(self, step: Challenge, *, stale: bool) -> Send:
        name = _ASKS[step.code][0]
        headers = []
        for algorithm in step.algorithms:
            nonce = secrets.token_hex(16)
            realm = step.realm or self._user.domain
            self._keep(digest.Challenge(realm, nonce, algorithm, (step.qop,) if step.qop else (), stale=stale))
            quality = f', qop="{step.qop}"' if step.qop else ""
            again = ", stale=true" if stale else ""
            headers.append((name, f'Digest realm="{realm}", nonce="{nonce}", algorithm={algorithm}{quality}{again}'))
        return Send(step.code, _PHRASES[step.code], tuple(headers), place=step.place)

    def _keep(self, challenge: digest.Challenge) -> None:
        self._given[challenge.nonce] = challenge
        if len(self._given) > MAX_NONCES:
            oldest = next(iter(self._given))
            del self._given[oldest]
            self._counts.pop(oldest, None)

    def _account(self, step: Challenge) -> tuple[str, str]:
        return step.user or self._user.name, step.password or self._user.password


def _granted(step: Grant, request: Message) -> Send:
    """The answer of a registrar: 200 with the contacts, or 423 (RFC 3261 10.3 steps 7 and 8)."""
    listed = bindings(request, step.expires)
    if step.least and any(0 < lifetime < step.least for _, lifetime in listed):
        return Send(423, "Interval Too Brief", (("Min-Expires", str(step.least)),), place=step.place)
    contacts = tuple(("Contact", value) for value, lifetime in listed if lifetime)
    return Send(200, "OK", contacts, frozenset() if contacts else frozenset({"contact"}), place=step.place)
