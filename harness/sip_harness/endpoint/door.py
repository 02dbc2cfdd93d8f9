"""Turns outsiders away, without a transaction and within bounds (RFC 3261 8.2.7), so that no flood costs memory, wakes
a script or is echoed from agent to agent."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from hashlib import blake2s

from sip_harness.endpoint import build
from sip_harness.model.entry import Address
from sip_harness.net.base import Hop, Receiver, SendFailed
from sip_harness.sip.message import Message, first_element
from sip_harness.sip.via import parse_via, response_address

MAX_ANSWERS = 1000
"""Outsiders' requests that one agent answers; further ones are recorded and get silence."""

IsOutsider = Callable[[bytes, Address, str], bool]
"""Whether this message from this address, over this transport, comes from an outsider."""


class Door:
    """Stands between a transport and a user agent."""

    def __init__(self, inside: Receiver, is_outsider: IsOutsider) -> None:
        self.answers = 0
        """Answers given."""
        self._inside = inside
        self._is_outsider = is_outsider
        self._key = secrets.token_bytes(16)

    def receive(self, message: Message, hop: Hop) -> None:
        """Let a message in, or answer it here. A response from outside answers nothing of ours: it is dropped."""
        if not self._is_outsider(message.data, hop.remote, hop.transport.name):
            self._inside(message, hop)
        elif message.is_request and message.method != "ACK" and self.answers < MAX_ANSWERS:
            self._turn_away(message, hop)

    def _turn_away(self, request: Message, hop: Hop) -> None:
        via = first_element(request.get("via") or "")
        if not parse_via(via):
            return
        self.answers += 1
        code, reason = refusal(request)
        data = build.response(request, code, reason, source=hop.remote, tag=self._tag(request))
        remote = hop.remote if hop.transport.reliable else response_address(via, *hop.remote)
        try:
            hop.transport.send(data, remote, "protocol")
        except SendFailed:
            return  # nobody waits for it

    def _tag(self, request: Message) -> str:
        """The same To tag for a retransmission (RFC 3261 8.2.7)."""
        known = f"{request.call_id} {request.branch}".encode("utf-8", "surrogateescape")
        return blake2s(known, key=self._key, digest_size=5).hexdigest()


def refusal(request: Message) -> tuple[int, str]:
    """What an outsider's request is answered with: there is no such call, or nobody of that name here (RFC 3261
    8.2.2.1, 9.2, 12.2.2)."""
    if request.to_tag or request.method in ("CANCEL", "BYE"):
        return 481, "Call/Transaction Does Not Exist"
    return 404, "Not Found"
