"""Which messages the reference takes, and how it goes wrong in that on request.

A response that is none is dropped without a word (RFC 3261 18.1.2, 18.3; RFC 4475 3.1.2): its sender gets no ACK, and
what it was for waits on. Requests go on as they came: they are answered with what is wrong, not here.
"""

from __future__ import annotations

from collections.abc import Callable

from sip_harness.endpoint.client import Client
from sip_harness.endpoint.layer import Layer
from sip_harness.net.base import Hop
from sip_harness.sip.errors import SipError
from sip_harness.sip.fields import COMPACT
from sip_harness.sip.message import Message, parse
from sip_harness.sip.transaction_key import response_key
from sip_harness.systems.reference.forward import via_back

PACKET = 1300
"""Bytes that one packet of UDP carries for sure (RFC 3261 18.1.1)."""
_DEMANDED = {
    302: "contact", 401: "www-authenticate", 405: "allow", 407: "proxy-authenticate", 420: "unsupported",
    422: "min-se", 423: "min-expires",
}  # fmt: skip

_ONCE = frozenset({"call-id", "cseq", "from", "to", "max-forwards"})
"""Headers that a request has once: which of two would count is not said anywhere (RFC 3261 7.3.1, RFC 4475 3.3.8)."""

Test = Callable[[Message], bool]

_NONE: dict[str, Test] = {
    "takes-short-messages": lambda m: m.truncated,
    "takes-any-code": lambda m: not 100 <= m.code <= 699,
    "takes-any-version": lambda m: m.version != "2.0",
    "takes-any-cseq": lambda m: not 0 <= m.cseq[0] < 2**31,
}
"""What makes a response none, by the fault that takes it all the same."""
_DISLIKED: dict[str, Test] = {
    "wants-upper-case": lambda m: not m.start.startswith("SIP/"),
    "needs-a-phrase": lambda m: not m.reason,
    "needs-a-to-tag": lambda m: m.code >= 200 and not m.to_tag,
    "needs-what-codes-demand": lambda m: m.code in _DEMANDED and m.get(_DEMANDED[m.code]) is None,
}
"""What is right and is dropped under a fault, by that fault."""


def flaw(request: Message) -> int:
    """Code that a request is refused with which cannot be carried out as it stands (RFC 3261 16.3 step 1, 18.3, 8.2);
    0 if it can."""
    if request.version != "2.0":
        return 505
    unread = request.get("content-length") is not None and request.content_length is None
    number, method = request.cseq
    bad = request.truncated or unread or method != request.method or not 0 <= number < 2**31 or not request.call_id
    names = [field.key for field in request.fields if field.key in _ONCE]
    return 400 if bad or len(set(names)) < len(names) else 0


class Reading:
    """Between the transports of one instance and its transaction layer."""

    def __init__(self, layer: Layer, faults: frozenset[str]) -> None:
        self._layer = layer
        self._faults = faults
        self._disliked = {fault: test for fault, test in _DISLIKED.items() if fault in faults}

    def heard(self, message: Message, hop: Hop) -> tuple[Message | None, str]:
        """The message as it is understood; None, and why, for what is dropped."""
        if "stops-at-nul" in self._faults and b"\0" in message.data:
            try:
                message = parse(message.data.partition(b"\0")[0])
            except SipError:
                return None, "nothing before the NUL"
        if "loses-large-messages" in self._faults and not hop.transport.reliable and len(message.data) > PACKET:
            return None, f"{len(message.data)} bytes, which is too much for one packet"
        if "knows-no-compact-forms" in self._faults and any(f.name.lower() in COMPACT for f in message.fields):
            return None, "headers with short names"
        why = "" if message.is_request else self._refusal(message, hop)
        return (None, why) if why else (message, "")

    def _refusal(self, response: Message, hop: Hop) -> str:
        if any(test(response) for fault, test in _NONE.items() if fault not in self._faults):
            return f"{response.code}, which is no whole response"
        if disliked := next((fault for fault, test in self._disliked.items() if test(response)), ""):
            return f"{response.code}, as it is not to the taste of one that {disliked}"
        client = self._layer.clients.get(response_key(response))
        return "" if client is None else self._mismatch(response, client, hop)

    def _mismatch(self, response: Message, client: Client, hop: Hop) -> str:
        """What is wrong with a response to this request."""
        for_nobody = via_back(client.request) and not via_back(response)  # RFC 3261 16.7 step 3
        if for_nobody and "forwards-without-via" not in self._faults:
            return f"{response.code}, which is for nobody behind us"
        if client.hop.remote != hop.remote and "hears-known-ports-only" in self._faults:
            return f"{response.code} from another port than the request went to"
        return ""
