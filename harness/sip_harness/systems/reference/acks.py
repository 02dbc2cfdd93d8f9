"""The ACK to a failure as it leaves, and how systems go wrong in that on request (RFC 3261 17.1.1.2, 17.1.1.3)."""

from __future__ import annotations

from sip_harness.sip.message import parse


class Acks:
    """Those of one INVITE of ours."""

    def __init__(self, faults: frozenset[str]) -> None:
        self._faults = faults
        self._sent = False

    def __call__(self, data: bytes) -> bytes:
        """What is to be sent instead of this ACK, as a rule the very bytes; nothing for none."""
        again, self._sent = self._sent, True
        if again and "acknowledges-once" in self._faults:
            return b""
        if "acknowledges-with-new-branch" in self._faults:
            branch = parse(data).branch.encode("utf-8", "surrogateescape")
            return data.replace(branch, branch + b".other", 1)
        return data
