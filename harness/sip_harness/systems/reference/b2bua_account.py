"""The account that the back-to-back user agent has at a carrier, as one call uses it (RFC 3261 22.2, 22.3)."""

from __future__ import annotations

from sip_harness.endpoint.build import Headers
from sip_harness.endpoint.request import Challenged, Credentials
from sip_harness.sip import digest
from sip_harness.sip.message import Message

MAX_LOOPS = 20
"""How often a system that has gone wrong gives the same credentials: enough to be seen, and no flood."""

NOBODY = Credentials("", "")
"""Where there is no account: no challenge is answered."""


class Account:
    """Answers the challenges to one INVITE."""

    def __init__(self, credentials: Credentials, faults: frozenset[str]) -> None:
        self._credentials = credentials
        self._faults = faults
        self._challenged = self._fresh()
        self._tries = 0

    def answer(self, response: Message, request: Message) -> Headers | None:
        """Credential headers for the next try after this response; None if there is none to make: it is no challenge,
        or none that can be answered, or one that refuses what was given (RFC 3261 22.1)."""
        if self._tries and "takes-stale-for-refused" in self._faults:
            return None
        if "answers-challenge-for-ever" in self._faults and self._tries < MAX_LOOPS:
            self._challenged = self._fresh()
        self._tries += 1
        return self._challenged.answer(response, request)

    def _fresh(self) -> Challenged:
        if "answers-last-challenge" in self._faults:
            return Challenged(self._credentials, lambda values: digest.choose(reversed(values)))
        return Challenged(self._credentials)
