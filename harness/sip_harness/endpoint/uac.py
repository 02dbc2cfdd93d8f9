"""A call that is made, with every dialog that a fork may set up, up to its end (RFC 3261 13.2, 9.1, 15)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, Protocol

from sip_harness.endpoint import build
from sip_harness.endpoint.delivery import fill
from sip_harness.endpoint.dialog import Dialog
from sip_harness.endpoint.first import NO_WISH, First, Wish
from sip_harness.endpoint.fork import Fork
from sip_harness.endpoint.leg import Leg
from sip_harness.endpoint.media import open_media
from sip_harness.endpoint.repeats import Repeats
from sip_harness.endpoint.request import Credentials, Request
from sip_harness.endpoint.session import Session
from sip_harness.endpoint.transactions import Why
from sip_harness.endpoint.ua import UserAgent
from sip_harness.endpoint.within import Within, own_headers
from sip_harness.model import steps
from sip_harness.model.entry import Origin
from sip_harness.net.base import Hop
from sip_harness.net.clock import Timer
from sip_harness.sip.message import Message, parse
from sip_harness.sip.transaction import cancel_for

_METHOD = re.compile(rb"([A-Za-z]{1,32}) ")

Stage = Literal["calling", "answered", "failed"]
AckTime = Literal["at once", "later", "never"]


class Caller(Protocol):
    """Who is told what becomes of a call."""

    def on_answered(self) -> None:
        """The first 2xx came and is acknowledged, unless the ACK is held back. At most once."""

    def on_refused(self) -> None:
        """A failure came whose ACK is held back. At most once; any other failure is `on_over`."""

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
        wish: Wish = NO_WISH,
        origin: Origin = "script",
        ack: AckTime = "at once",
        prack: bool = True,
        credentials: Credentials | None = None,
        body: tuple[bytes, str] | None = None,
        on_early: Callable[[], None] = lambda: None,
    ) -> None:
        """Send the INVITE with an SDP offer, or with `body` and its type. Challenges are answered with `credentials`
        instead of those of the user agent; `on_early` is told of each response that sets up or belongs to an early
        dialog.

        The ACK to its final response is sent at once, or waits for `acknowledge`; then a call that failed is over only
        with it. Without `prack` reliable provisionals are not acknowledged.
        """
        self.stage: Stage = "calling"
        self.over = False
        self._ua = ua
        self._hop = hop
        self._caller = caller
        self._on_early = on_early
        self._ack = ack
        self._prack = prack
        call_id = ua.new_call_id()
        self._session = Session(ua.host, open_media(ua, call_id))
        content, content_type = body or (self._session.offer(), build.SDP)
        self._first = First(
            ua,
            "INVITE",
            uri,
            to=f"<{uri}>",
            own=own_headers("INVITE", ua.contact),
            wish=wish,
            body=content,
            content_type=content_type,
            call_id=call_id,
        )
        self.call_id = self._first.call_id
        self._fork = Fork(ua, hop, self._session, self._settle)
        self._main: Leg | None = None
        self._provisional = False
        self._cancel_origin: Origin | None = None
        self._cancelled = False
        self._giving_up: Timer | None = None
        self._request = Request(
            ua.layer,
            self._make,
            hop,
            origin,
            credentials or ua.identity.credentials,
            on_final=self._final_came,
            on_failure=self._failed,
            on_provisional=self._provisional_came,
            hold_ack=ack != "at once",
            how=wish.how,
        )
        self._request.retry = wish.raw is None
        self._repeats = Repeats(ua, self._request, self._merged_came)

    @property
    def tag(self) -> str:
        """Our tag in all its dialogs."""
        return self._first.tag

    @property
    def dialogs(self) -> list[Dialog]:
        """The dialogs that responses have set up so far, early and confirmed."""
        return self._fork.dialogs

    def cancel(self, origin: Origin) -> None:
        """Send CANCEL; it is held back until a provisional came and dropped if a final comes first (RFC 3261 9.1)."""
        if self.stage != "calling" or self._cancel_origin is not None:
            return
        self._cancel_origin = origin
        self._request.retry = False
        if self._provisional:
            self._send_cancel(origin)

    def cancel_at_once(self, step: steps.Request, origin: Origin) -> None:
        """Send CANCEL, whether a provisional or the final response has come or nothing at all."""
        self._request.retry = False
        self._cancel_origin = origin
        self._repeats.cancel(step, origin)
        if not self._cancelled:
            self._cancelled = True
            self._wait_for_the_end()

    def again(self, step: steps.Again, origin: Origin) -> None:
        """Send the INVITE once more, whatever has become of it."""
        self._repeats.again(step, origin)

    def acknowledge(self, origin: Origin) -> None:
        """Send the ACKs that were held back, and hold none back any more."""
        if self._ack == "at once":
            return
        self._ack = "at once"
        self._request.release_ack(origin)
        self._fork.acknowledge(origin)
        self._settle()

    def ask(self, step: steps.Request, origin: Origin, on_over: Callable[[], None]) -> None:
        """Send a request within the answered call, before the answer within its first early dialog; `on_over` once it
        has its final response, or has failed.

        A BYE ends the call. Where there is no dialog nothing is sent.
        """
        leg = self._main or (self._fork.first if self.stage == "calling" else None)
        if leg is None or self.over:
            on_over()
        elif step.method == "BYE":
            self._fork.bye(leg, origin, step)
            on_over()
        else:
            Within(self._ua, leg, step, origin, on_over, prack=self._prack)

    def raw(self, step: steps.Raw, origin: Origin) -> None:
        """Send exact bytes on the way of the answered call; their placeholders stand for the headers of the request
        that would be next within it. Before the answer they go the way of the INVITE, for whose headers they stand."""
        if self._main is None:
            self._send_raw(step, self._request.request, self._hop, origin)
            return
        dialog = self._main.dialog
        method = _METHOD.match(step.data)
        seq = None if b"{cseq}" in step.data else dialog.local_seq
        request = parse(dialog.request(method[1].decode() if method else "INVITE", [], seq=seq))
        self._send_raw(step, request, dialog.next_hop(), origin)

    def _send_raw(self, step: steps.Raw, request: Message, hop: Hop, origin: Origin) -> None:
        data = fill(step.data, request, self._ua.contact, self._ua.identity.token)
        self._ua.layer.send(data, hop, origin)

    def hang_up(self, origin: Origin) -> None:
        """Send BYE for the answered call."""
        if self._main is not None and not self.over:
            self._fork.bye(self._main, origin)

    def end(self) -> None:
        """Clean up: acknowledge what was not, cancel or hang up, whichever fits."""
        self._repeats.end()
        if self._ack == "later":
            self.acknowledge("protocol")
        if self.stage == "calling" and self._first.wish.is_odd and not self._provisional:
            self._give_up()  # whoever has not taken such an INVITE for one has nothing to be cancelled
        elif self.stage == "calling":
            self.cancel("protocol")
        else:
            self.hang_up("protocol")

    def _make(self, credentials: build.Headers) -> bytes:
        self._provisional = False
        self._fork.clear()
        return self._first.make(credentials)

    def _provisional_came(self, response: Message) -> None:
        if self.stage != "calling":
            return
        self._provisional = True
        if response.to_tag and response.code > 100:
            self._fork.early(self._request.request, response, prack=self._prack)
            self._on_early()
        if self._cancel_origin is not None and not self._cancelled:
            self._send_cancel(self._cancel_origin)

    def _send_cancel(self, origin: Origin) -> None:
        self._cancelled = True
        cancel = parse(cancel_for(self._request.request))
        self._ua.layer.request(cancel, self._hop, origin, lambda _response: None)
        self._wait_for_the_end()

    def _wait_for_the_end(self) -> None:
        """RFC 3261 9.1: a peer that ends nothing within 64*T1 is not waited for."""
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
            if self._ack == "later":
                self._caller.on_refused()

    def _merged_came(self, response: Message) -> None:
        """A response to the same INVITE on another branch: an answer to it is one more of the fork."""
        if 200 <= response.code < 300:
            self._accepted(response)

    def _failed(self, _why: Why) -> None:
        if self.stage == "calling":
            self._ack = "at once"
            self._fail()

    def _fail(self) -> None:
        self.stage = "failed"
        self._settle()

    def _accepted(self, response: Message) -> None:
        """A 2xx: from a new branch, or once more from one that we have acknowledged (RFC 3261 13.2.2.4)."""
        confirmed = self._fork.confirm(self._request.request, response)
        if confirmed is None:
            return
        leg, first = confirmed
        if self._ack == "at once":
            self._fork.acknowledge("protocol", leg)
        if not first:
            return
        if self.stage == "calling":
            self.stage, self._main = "answered", leg
            self._caller.on_answered()
        else:
            self._fork.bye(leg, "protocol")

    def _settle(self) -> None:
        """Say that the call is over once it is; early dialogs end with the INVITE (RFC 3261 12.3)."""
        waits = self._fork.is_open or (self.stage == "failed" and self._ack == "later")
        if self.stage == "calling" or self.over or waits:
            return
        self.over = True
        if self._giving_up is not None:
            self._giving_up.cancel()
        self._fork.close()
        self._session.close()
        self._caller.on_over()
