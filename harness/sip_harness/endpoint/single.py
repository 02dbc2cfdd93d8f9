"""A single request outside of a dialog, its retries with credentials, and the NOTIFYs that follow it (RFC 3261 8.1)."""

from __future__ import annotations

from collections.abc import Callable

from sip_harness.endpoint import build
from sip_harness.endpoint.delivery import fill
from sip_harness.endpoint.first import NO_WISH, First, Wish
from sip_harness.endpoint.repeats import Repeats
from sip_harness.endpoint.request import Credentials, Request
from sip_harness.endpoint.server import Server
from sip_harness.endpoint.ua import UserAgent
from sip_harness.endpoint.within import REFRESHES
from sip_harness.model.entry import Origin
from sip_harness.model.steps import Raw
from sip_harness.net.base import Hop
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message
from sip_harness.sip.uri import parse_uri

SUBSCRIBING = frozenset({"SUBSCRIBE", "REFER"})
"""Requests that NOTIFYs follow (RFC 6665 4.1.2, RFC 3515 2.4.4)."""
MAX_SUBSCRIPTION = 3600.0
"""Seconds for which NOTIFYs are accepted at most."""
_CONTACT = REFRESHES | {"REGISTER", "OPTIONS"}
"""Requests that carry our Contact; MESSAGE must not (RFC 3428 4), for others it has no meaning."""


class SingleRequest:
    """One request that sets up no call, until its final response or its failure."""

    def __init__(
        self,
        ua: UserAgent,
        method: str,
        uri: str,
        hop: Hop,
        on_over: Callable[[], None],
        *,
        wish: Wish = NO_WISH,
        origin: Origin = "script",
        credentials: Credentials | None = None,
        body: tuple[bytes, str] = (b"", build.SDP),
    ) -> None:
        """Send it; `on_over` is told once. Challenges are answered with `credentials` instead of those of the user
        agent, not for exact bytes; `body` has its type with it.

        A REGISTER goes to the domain of `uri` for our own address of record (RFC 3261 10.2).
        """
        self.over = False
        self._ua = ua
        self._method = method
        registers = method == "REGISTER"
        self._on_over = on_over
        self._first = First(
            ua,
            method,
            _domain(uri) if registers else uri,
            to=f"<{ua.identity.aor if registers else uri}>",
            own=[("Contact", ua.contact)] if method in _CONTACT else [],
            wish=wish,
            body=body[0],
            content_type=body[1],
        )
        self.call_id = self._first.call_id
        self._tag = self._first.tag
        if method in SUBSCRIBING:
            ua.notified[self.call_id, self._tag] = self._notified
        self._request = Request(
            ua.layer,
            self._first.make,
            hop,
            origin,
            credentials or ua.identity.credentials,
            on_final=self._final_came,
            on_failure=lambda _why: self._end(keep=0.0),
            how=wish.how,
        )
        self._request.retry = wish.raw is None
        self.repeats = Repeats(ua, self._request, lambda _response: None)

    def end(self) -> None:
        """Wait for no response any more: nothing can take such a request back (RFC 3261 9.1)."""
        self.repeats.end()
        self._request.retry = False
        self._request.client.stop()
        self._end(keep=0.0)

    def raw(self, step: Raw, origin: Origin) -> None:
        """Send exact bytes on the way of the request, whose headers their placeholders stand for."""
        data = fill(step.data, self._request.request, self._ua.contact, self._ua.identity.token)
        self._ua.layer.send(data, self._request.hop, origin)

    def _final_came(self, response: Message) -> None:
        accepted = 200 <= response.code < 300
        self._end(keep=_lifetime(response, self._ua.timers.lifetime) if accepted else 0.0)

    def _end(self, keep: float) -> None:
        if self.over:
            return
        self.over = True
        if keep and self._method in SUBSCRIBING:
            self._ua.clock.after(keep, self._forget)
        else:
            self._forget()
        self._on_over()

    def _notified(self, notify: Server) -> None:
        """A NOTIFY, perhaps before the 2xx and from any branch of a fork (RFC 6665 4.1.2.4, 4.1.3)."""
        self._ua.answer(notify, 200, "OK")
        state = (notify.request.get("subscription-state") or "").partition(";")[0]
        if state.strip().lower() == "terminated":
            self._forget()

    def _forget(self) -> None:
        self._ua.notified.pop((self.call_id, self._tag), None)


def _lifetime(response: Message, least: float) -> float:
    """How long NOTIFYs may come after this 2xx, seconds; at least as long as one may be under way."""
    text = (response.get("expires") or "").strip()
    asked = float(text) if text.isascii() and text.isdigit() and len(text) <= 10 else least
    return min(max(asked, least), MAX_SUBSCRIPTION)


def _domain(uri: str) -> str:
    """The domain of a URI, as REGISTER names it; the URI itself if it cannot be read."""
    try:
        parsed = parse_uri(uri)
    except SipError:
        return uri
    return f"{parsed.scheme}:{parsed.host}{f':{parsed.port}' if parsed.port else ''}"
