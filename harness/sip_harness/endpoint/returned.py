"""A call that is handed back to where it came from, as by a phone that forwards to the number that was dialled."""

from __future__ import annotations

from sip_harness.endpoint import build
from sip_harness.endpoint.transactions import Why
from sip_harness.endpoint.ua import UserAgent
from sip_harness.endpoint.uas import IncomingCall
from sip_harness.model.steps import Send
from sip_harness.sip.errors import SipError
from sip_harness.sip.headers import max_forwards
from sip_harness.sip.message import Message, parse
from sip_harness.sip.message import build as assemble
from sip_harness.sip.transaction import cancel_for
from sip_harness.sip.uri import uri_text
from sip_harness.sip.via import without_topmost

_HOPS = 70
"""Max-Forwards of a request that came without (RFC 3261 16.6 step 3)."""


class Returned:
    """The way back and forth: the INVITE with a Via of ours on top goes to the number in To, responses come back."""

    def __init__(self, ua: UserAgent, incoming: IncomingCall) -> None:
        """Send it."""
        self._ua = ua
        self._incoming = incoming
        self._pending = False
        self._over = False
        request = handed_back(incoming.request, build.new_via(ua.transport))
        self._hop = incoming.server.source
        self._client = ua.layer.request(request, self._hop, "script", self._on_response)
        self._client.on_failure = self._on_failure

    def cancel(self) -> None:
        """The caller gives up: so does this, if there is anything that can be cancelled (RFC 3261 9.1)."""
        if self._pending and not self._over:
            self._over = True
            self._ua.layer.request(parse(cancel_for(self._client.request)), self._hop, "protocol", lambda _: None)

    def _on_response(self, response: Message) -> None:
        self._pending = True
        self._over = self._over or response.code >= 200
        if response.code > 100:
            self._incoming.relay(on_its_way(response), "script")

    def _on_failure(self, why: Why) -> None:
        self._over = True
        if not self._incoming.final:
            self._incoming.respond(Send(408, "Request Timeout"), "protocol")


def handed_back(request: Message, via: str) -> Message:
    """The request as it goes back: to what was dialled, one hop less, no Route (RFC 3261 16.6)."""
    try:
        hops = max_forwards(request)
    except SipError:
        hops = None
    kept = [(f.name, f.value) for f in request.fields if f.key not in ("route", "max-forwards")]
    left = _HOPS if hops is None else max(hops - 1, 0)
    start = f"{request.method} {uri_text(request.get('to') or '')} SIP/2.0"
    return parse(assemble(start, [("Via", via), ("Max-Forwards", str(left)), *kept], request.body))


def on_its_way(response: Message) -> Message:
    """The response without our Via (RFC 3261 16.7 step 3)."""
    headers = [(field.name, value) for field, value in without_topmost(response.fields)]
    return parse(assemble(f"SIP/2.0 {response.code} {response.reason}", headers, response.body))
