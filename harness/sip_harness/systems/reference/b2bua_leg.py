"""One leg from the back-to-back user agent to a device: a call of its own, from INVITE to its final response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sip_harness.endpoint import build
from sip_harness.endpoint.build import Headers
from sip_harness.endpoint.dialog import Dialog, address_of, as_caller
from sip_harness.endpoint.layer import Client, Why
from sip_harness.net.base import Hop
from sip_harness.net.clock import Timer
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, parse
from sip_harness.sip.message import build as assemble
from sip_harness.sip.transaction import ack_for_failure
from sip_harness.systems.reference.headers import content_type, hops_left, party, passed, user_of
from sip_harness.systems.reference.registrar import Contact

if TYPE_CHECKING:
    from sip_harness.systems.reference.b2bua_core import Pbx


class Caller(Protocol):
    """Who has made the leg and is told what becomes of it."""

    def progress(self, leg: Leg, response: Message) -> None:
        """A provisional response beyond 100."""

    def answered(self, leg: Leg, response: Message) -> None:
        """A 2xx of a dialog that is new: to be taken (`dialog`) or turned down (`decline`)."""

    def failed(self, leg: Leg, response: Message | None, code: int) -> None:
        """Its failure; without a response where the device gave none. Once."""


class Leg:
    """An INVITE of ours to one contact. Its Call-ID, tags, CSeq and Contact have nothing of the caller's (RFC 7092)."""

    def __init__(self, pbx: Pbx, caller: Caller, contact: Contact, invite: Message) -> None:
        """Nothing is sent yet. Raises SipError if the contact, or the caller's From, cannot be used."""
        self.over = False
        """It has failed or been answered; nothing is left to cancel."""
        self.given_up = False
        """Its answer is not wanted any more."""
        self._pbx = pbx
        self._caller = caller
        self._hop = _hop(pbx, contact)
        self._request = parse(self._invite(invite, str(contact.uri)))
        self._client: Client | None = None
        self._rang = False
        self._cancel: Headers | None = None
        self._dialogs: dict[str, Dialog] = {}
        self._patience: Timer | None = None

    def start(self) -> None:
        """Send the INVITE."""
        self._client = self._pbx.station.layer.request(self._request, self._hop, "protocol", self._on_response)
        self._client.on_failure = self._on_failure
        self._patience = self._pbx.clock.after(self._pbx.settings.transaction, self._dead)

    def cancel(self, headers: Headers) -> None:
        """Send CANCEL, or do so as soon as the device has said anything at all (RFC 3261 9.1)."""
        if self.over or self._cancel is not None:
            return
        self._cancel = headers
        if self._rang:
            self._send_cancel()

    def drop(self) -> None:
        """Wait no longer for a device that has said nothing yet: under a fault, for nobody else is to be waited for."""
        if not self.over and not self._rang:
            self.given_up = True
            self.close()
            self._pbx.expect_late(self._request.branch, self)

    def close(self) -> None:
        """Stop without a word."""
        self.over = True
        if self._patience is not None:
            self._patience.cancel()
        if self._client is not None:
            self._client.stop()

    def dialog(self, response: Message) -> Dialog:
        """The dialog that a 2xx sets up."""
        dialog = self._dialogs.setdefault(response.to_tag, as_caller(self._request, response, self._hop))
        dialog.confirmed = True
        return dialog

    def acknowledge(self, dialog: Dialog, body: bytes = b"", kind: str = build.SDP) -> None:
        """Send the ACK to the 2xx; from now on every retransmission of that gets it again (RFC 3261 13.2.2.4)."""
        seq = self._request.cseq[0]
        dialog.ack = dialog.request("ACK", [], seq=seq, body=body, content_type=kind)
        if "acknowledges-no-2xx" in self._pbx.faults:
            dialog.ack = b""
        else:
            self._pbx.station.layer.send(dialog.ack, dialog.next_hop(), "protocol")

    def decline(self, response: Message) -> None:
        """ACK and BYE for an answer that nobody wants any more."""
        dialog = self.dialog(response)
        self.acknowledge(dialog)
        self._pbx.bye(dialog, [])

    def on_late(self, response: Message) -> None:
        """A response after the device had been given up for dead."""
        if response.code < 200:
            self._rang = True
            self._send_cancel()
        elif response.code < 300:
            self._accepted(response)
        else:
            self._pbx.station.layer.send(ack_for_failure(self._request, response), self._hop, "protocol")

    def _invite(self, invite: Message, uri: str) -> bytes:
        transport = self._hop.transport
        to = party(invite.get("to") or "")
        sender = party(invite.get("from") or "")
        own = [
            ("Contact", self._pbx.station.contact(user_of(sender), transport)),
            ("Max-Forwards", str(hops_left(invite))),
        ]
        return build.request(
            "INVITE",
            uri,
            via=build.new_via(transport),
            sender=f"{sender};tag={build.new_tag()}",
            to=to,
            call_id=f"{build.new_tag()}{build.new_tag()}@{transport.local[0]}",
            cseq=1,
            headers=[*own, *passed(invite)],
            body=invite.body,
            content_type=content_type(invite),
        )

    def _on_response(self, response: Message) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if response.code < 100:
            return
        if response.code < 200:
            self._provisional(response)
        elif response.code < 300:
            self._accepted(response)
        elif not self.over:
            self.over = True
            self._caller.failed(self, response, response.code)

    def _provisional(self, response: Message) -> None:
        first, self._rang = not self._rang, True
        if first and self._cancel is not None:
            self._send_cancel()
        if response.code > 100 and self._cancel is None:
            self._caller.progress(self, response)

    def _accepted(self, response: Message) -> None:
        known = self._dialogs.get(response.to_tag)
        self.over = True
        if known is None:
            self._caller.answered(self, response)
        elif known.ack:
            self._pbx.station.layer.send(known.ack, known.next_hop(), "protocol")

    def _on_failure(self, why: Why) -> None:
        self._gone(503 if why == "transport" else 408)

    def _dead(self) -> None:
        """No word in time: it may still answer, and then gets CANCEL, or ACK and BYE."""
        self._patience = None
        if self._client is not None:
            self._client.stop()
        self._pbx.expect_late(self._request.branch, self)
        self._gone(408)

    def _gone(self, code: int) -> None:
        if not self.over:
            self.over = True
            self.given_up = True
            self._caller.failed(self, None, code)

    def _send_cancel(self) -> None:
        r = self._request
        fixed = [(name, r.get(name) or "") for name in ("Via", "From", "To", "Call-ID")]
        start = [*fixed, ("Max-Forwards", "70"), ("CSeq", f"{r.cseq[0]} CANCEL"), *(self._cancel or [])]
        data = assemble(f"CANCEL {r.uri} SIP/2.0", start)
        self._pbx.station.layer.request(parse(data), self._hop, "protocol", _ignore)


def _hop(pbx: Pbx, contact: Contact) -> Hop:
    """Where the contact points: addresses only, and on this machine."""
    transport = pbx.station.transport(contact.uri.param("transport") or "")
    address = address_of(str(contact.uri))
    if transport is None or address is None or contact.uri.scheme != "sip":
        raise SipError(f"nothing leads to {contact.uri} from here")
    return Hop(transport, address)


def _ignore(_response: Message) -> None:
    """What a CANCEL is answered with does not matter: the INVITE has its own final response (RFC 3261 9.1)."""
