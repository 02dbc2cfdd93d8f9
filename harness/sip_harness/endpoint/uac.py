"""A call that is made, with every dialog that a fork may set up, up to its end (RFC 3261 13.2, 9.1, 15)."""

from __future__ import annotations

import secrets
from typing import Literal, Protocol

from sip_harness.endpoint import build
from sip_harness.endpoint.dialog import Dialog, as_caller
from sip_harness.endpoint.layer import Why
from sip_harness.endpoint.leg import MEDIA_PORT, Leg
from sip_harness.endpoint.request import Request
from sip_harness.endpoint.ua import UserAgent
from sip_harness.model.entry import Origin
from sip_harness.net.base import Hop
from sip_harness.net.clock import Timer
from sip_harness.sip import sdp
from sip_harness.sip.message import Message, parse
from sip_harness.sip.transaction import cancel_for

MAX_DIALOGS = 100
"""Dialogs that one INVITE may set up; further To tags are recorded and not followed."""

Stage = Literal["calling", "answered", "failed"]


class Caller(Protocol):
    """Who is told what becomes of a call."""

    def on_answered(self) -> None:
        """The first 2xx came and is acknowledged. At most once."""

    def on_over(self) -> None:
        """Nothing of the call is left: it failed, or every dialog of it ended. Once."""


class OutgoingCall:
    """One INVITE of ours, its retries with credentials, and what follows from it."""

    def __init__(
        self,
        ua: UserAgent,
        uri: str,
        hop: Hop,
        caller: Caller,
        *,
        headers: tuple[tuple[str, str], ...] = (),
        origin: Origin = "script",
    ) -> None:
        """Send the INVITE with an SDP offer; `headers` are added to it and replace ours of the same name."""
        self.call_id = ua.new_call_id()
        self.stage: Stage = "calling"
        self.over = False
        self._ua = ua
        self._uri = uri
        self._hop = hop
        self._caller = caller
        self._headers = headers
        self._sender = ua.sender()
        self._offer = sdp.offer(ua.transport.local[0], MEDIA_PORT, session_id=secrets.randbits(31))
        self._seq = 0
        self._legs: dict[str, Leg] = {}
        self._main: Leg | None = None
        self._open: set[str] = set()
        self._provisional = False
        self._cancel_origin: Origin | None = None
        self._cancelled = False
        self._giving_up: Timer | None = None
        self._request = Request(
            ua.layer,
            self._make,
            hop,
            origin,
            ua.identity.credentials,
            on_final=self._final_came,
            on_failure=self._failed,
            on_provisional=self._provisional_came,
        )

    @property
    def dialogs(self) -> list[Dialog]:
        """The dialogs that responses have set up so far, early and confirmed."""
        return [leg.dialog for leg in self._legs.values()]

    def cancel(self, origin: Origin) -> None:
        """Send CANCEL; it is held back until a provisional came and dropped if a final comes first (RFC 3261 9.1)."""
        if self.stage != "calling" or self._cancel_origin is not None:
            return
        self._cancel_origin = origin
        self._request.retry = False
        if self._provisional:
            self._send_cancel(origin)

    def hang_up(self, origin: Origin) -> None:
        """Send BYE for the answered call."""
        if self._main is not None and not self.over:
            self._bye(self._main, origin)

    def end(self) -> None:
        """Clean up: cancel or hang up, whichever fits."""
        if self.stage == "calling":
            self.cancel("protocol")
        else:
            self.hang_up("protocol")

    def _make(self, credentials: build.Headers) -> bytes:
        self._seq += 1
        self._provisional = False
        own = [("Contact", self._ua.contact), ("Allow", build.ALLOW)]
        given = {name.lower() for name, _ in self._headers}
        headers = [(name, value) for name, value in own + credentials if name.lower() not in given]
        return build.request(
            "INVITE",
            self._uri,
            via=build.new_via(self._ua.transport),
            sender=self._sender,
            to=f"<{self._uri}>",
            call_id=self.call_id,
            cseq=self._seq,
            headers=[*headers, *self._headers],
            body=self._offer,
        )

    def _provisional_came(self, response: Message) -> None:
        if self.stage != "calling":
            return
        self._provisional = True
        if response.to_tag and response.code > 100:
            self._leg(response)
        if self._cancel_origin is not None and not self._cancelled:
            self._send_cancel(self._cancel_origin)

    def _send_cancel(self, origin: Origin) -> None:
        self._cancelled = True
        cancel = parse(cancel_for(self._request.request))
        self._ua.layer.request(cancel, self._hop, origin, lambda _response: None)
        # RFC 3261 9.1: a peer that ends nothing within 64*T1 is not waited for.
        self._giving_up = self._ua.clock.after(self._ua.timers.lifetime, self._give_up)

    def _give_up(self) -> None:
        if self.stage == "calling":
            self._request.client.stop()
            self._failed("timeout")

    def _final_came(self, response: Message) -> None:
        if 200 <= response.code < 300:
            self._accepted(response)
        elif self.stage == "calling":
            self._fail()

    def _failed(self, _why: Why) -> None:
        if self.stage == "calling":
            self._fail()

    def _fail(self) -> None:
        self.stage = "failed"
        self._settle()

    def _accepted(self, response: Message) -> None:
        """A 2xx: from a new branch, or once more from one that we have acknowledged (RFC 3261 13.2.2.4)."""
        leg = self._leg(response)
        if leg is None:
            return
        if not leg.dialog.confirmed:
            self._confirm(leg, response)
        elif leg.dialog.ack:
            self._ua.layer.send(leg.dialog.ack, leg.dialog.next_hop(), "protocol")

    def _confirm(self, leg: Leg, response: Message) -> None:
        dialog = leg.dialog
        dialog.learn(response)
        dialog.confirmed = True
        dialog.ack = dialog.request("ACK", self._credentials(), seq=response.cseq[0])
        self._open.add(dialog.remote_tag)
        self._ua.layer.send(dialog.ack, dialog.next_hop(), "protocol")
        if self.stage == "calling":
            self.stage, self._main = "answered", leg
            self._caller.on_answered()
        else:
            self._bye(leg, "protocol")

    def _credentials(self) -> build.Headers:
        """An ACK has the credentials of its INVITE (RFC 3261 13.2.2.4, 22.1)."""
        request = self._request.request
        names = ("Authorization", "Proxy-Authorization")
        return [(name, value) for name in names for value in request.all(name)]

    def _leg(self, response: Message) -> Leg | None:
        tag = response.to_tag
        leg = self._legs.get(tag)
        if leg is None and len(self._legs) < MAX_DIALOGS:
            dialog = as_caller(self._request.request, response, self._hop)
            leg = self._legs[tag] = Leg(self._ua, dialog, lambda: self._dialog_over(tag))
        return leg

    def _bye(self, leg: Leg, origin: Origin) -> None:
        leg.bye(origin, lambda: self._dialog_over(leg.dialog.remote_tag))

    def _dialog_over(self, tag: str) -> None:
        self._open.discard(tag)
        self._settle()

    def _settle(self) -> None:
        """Say that the call is over once it is; early dialogs end with the INVITE (RFC 3261 12.3)."""
        if self.stage == "calling" or self._open or self.over:
            return
        self.over = True
        if self._giving_up is not None:
            self._giving_up.cancel()
        for leg in self._legs.values():
            leg.close()
        self._caller.on_over()
