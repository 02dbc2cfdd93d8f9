"""The inbound leg of a call through the back-to-back user agent: what its caller is told, under one To tag whatever the
legs beyond have, and what he does before he has an answer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from sip_harness.endpoint import build
from sip_harness.endpoint.build import Headers
from sip_harness.endpoint.dialog import as_callee
from sip_harness.endpoint.server import Server
from sip_harness.endpoint.transactions import Why
from sip_harness.sip.codes import phrase
from sip_harness.sip.errors import SipError
from sip_harness.sip.headers import seconds
from sip_harness.sip.message import Message
from sip_harness.systems.reference.b2bua_announcement import Announcement, is_announced
from sip_harness.systems.reference.b2bua_bridge import Side
from sip_harness.systems.reference.b2bua_failure import Failure
from sip_harness.systems.reference.headers import content_type, passed

if TYPE_CHECKING:
    from sip_harness.systems.reference.b2bua_core import Pbx


class Inbound:
    """An INVITE of a caller, until it has its final response."""

    def __init__(
        self, pbx: Pbx, server: Server, on_hangup: Callable[[Headers], None], on_lost: Callable[[Why], None]
    ) -> None:
        """Nothing is sent yet. `on_hangup` is told that the caller wants no answer any more, with the headers that he
        gives for it; `on_lost` that nothing reaches him."""
        self._pbx = pbx
        self._server = server
        self._on_hangup = on_hangup
        self._tag = build.new_tag()
        self._progress = 0
        self._early = b""
        """The first session description that any leg has sent."""
        self._announcement: Announcement | None = None
        self._dialog = as_callee(server.request, self._tag, server.source)
        self.side = Side(pbx, self._dialog, on_early_bye=self._hung_up)
        """Its dialog."""
        server.on_cancel = self._cancelled
        server.on_failure = on_lost

    @property
    def invite(self) -> Message:
        """The request as it came."""
        return self._server.request

    def trying(self) -> None:
        """Say that something is done about it."""
        self._pbx.station.respond(self._server, 100)

    def progress(self, response: Message, *, wanted: bool) -> None:
        """A leg has said something; whether it is `wanted` still, and so passed on."""
        self._progress += 1
        self._early = self._early or response.body
        surplus = self._pbx.settings.progress == "first" and self._progress > 1
        if not wanted or surplus or "swallows-ringing" in self._pbx.faults:
            return
        fresh = "new-to-tag-per-18x" in self._pbx.faults
        self.respond(response.code, response, tag=build.new_tag() if fresh else self._tag)

    def respond(self, code: int, response: Message | None = None, *, tag: str = "") -> bytes:
        """Answer with this code, and with what there is to pass on of the response of a leg. Returns what was sent."""
        own: Headers = [] if code >= 300 else [("Contact", self.side.contact), ("Allow", self._pbx.allow)]
        if response is None:
            return self._pbx.station.respond(self._server, code, tag=self._tag, headers=own)
        return self._pbx.station.respond(
            self._server,
            code,
            response.reason if response.code == code else phrase(code),
            tag=tag or self._tag,
            headers=[*own, *self._pbx.told(response)],
            body=self._body(code, response),
            content_type=content_type(response),
        )

    def answered(self, data: bytes, on_ack: Callable[[Message], None] | None) -> None:
        """Send this 2xx again until its ACK comes; `on_ack` gets that."""
        self.side.await_ack(self._server, data, on_ack)

    def confirm(self) -> None:
        """The dialog is there."""
        self._dialog.confirmed = True

    def announces(self, failure: Failure, then: Callable[[], None]) -> bool:
        """Whether the caller hears first why his call has failed; `then` is called when he has heard it."""
        if not is_announced(failure.response):
            return False
        with suppress(SipError, OSError):
            self._announcement = Announcement(self._pbx, self.invite, then)
            own = [("Contact", self.side.contact), ("Allow", self._pbx.allow)]
            body = self._announcement.answer
            self._pbx.station.respond(self._server, 183, tag=self._tag, headers=own, body=body)
        return self._announcement is not None

    def refuse(self, failure: Failure) -> None:
        """The call has failed for this reason."""
        lost = self._announcement is not None and "loses-code-after-announcement" in self._pbx.faults
        self.respond(480 if lost else self._pbx.mapped(failure.code), failure.response)
        self.side.close()

    def finish(self) -> None:
        """Its final response is due: nothing is to be cancelled or played any more."""
        if self._announcement is not None:
            self._announcement.close()
        self._server.on_cancel = None

    def _body(self, code: int, response: Message) -> bytes:
        if code >= 300 and "drops-body" in self._pbx.faults:
            return b""
        if 200 <= code < 300 and self._early and "repeats-early-sdp" in self._pbx.faults:
            return self._early
        return response.body

    def _cancelled(self, cancel: Server) -> None:
        """RFC 3261 9.2: the CANCEL itself is answered, the INVITE gets 487."""
        self._pbx.station.respond(cancel, 200, tag=self._tag)
        kept = "drops-callers-reason" not in self._pbx.faults
        self._on_hangup([(f.name, f.value) for f in cancel.request.fields if f.key == "reason" and kept])

    def _hung_up(self, bye: Server) -> None:
        """A BYE before any answer ends the call as well (RFC 3261 15.1.2)."""
        self._pbx.station.respond(bye, 200)
        if "rings-on-after-early-bye" not in self._pbx.faults:
            self._on_hangup(passed(bye.request))


def valid_for(invite: Message) -> int | None:
    """Seconds for which somebody may answer it (RFC 3261 20.19); None if it does not say, or cannot be read."""
    try:
        return seconds(invite, "expires")
    except SipError:
        return None
