"""One leg from the back-to-back user agent: a call of its own, from INVITE to its final response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sip_harness.endpoint import build
from sip_harness.endpoint.build import Headers
from sip_harness.endpoint.client import Client
from sip_harness.endpoint.dialog import Dialog, address_of, as_caller
from sip_harness.endpoint.prack import OPTION, Pracks
from sip_harness.endpoint.request import Credentials
from sip_harness.endpoint.transactions import Why
from sip_harness.net.base import Hop
from sip_harness.net.clock import Timer
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, parse
from sip_harness.sip.message import build as assemble
from sip_harness.sip.transaction import ack_for_failure
from sip_harness.sip.uri import parse_uri
from sip_harness.systems.reference import diversion
from sip_harness.systems.reference.acks import Acks
from sip_harness.systems.reference.actions import Target
from sip_harness.systems.reference.b2bua_account import NOBODY, Account
from sip_harness.systems.reference.b2bua_session import Interval
from sip_harness.systems.reference.best import CHALLENGES
from sip_harness.systems.reference.diversion import Way
from sip_harness.systems.reference.forward import next_hop, request_uri
from sip_harness.systems.reference.headers import content_type, hops_left, party, passed, user_of
from sip_harness.systems.reference.settings import NO_CARRIER

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
    """An INVITE of ours to one target. Its Call-ID, tags, CSeq and Contact have nothing of the caller's (RFC 7092)."""

    def __init__(self, pbx: Pbx, caller: Caller, target: Target, invite: Message) -> None:
        """Nothing is sent yet. Raises SipError if the target, or the caller's From, cannot be used."""
        self.target = target
        """Where it goes."""
        self.over = False
        """It has failed or been answered; nothing is left to cancel."""
        self.given_up = False
        """Its answer is not wanted any more."""
        self._pbx = pbx
        self._caller = caller
        back = target.redirected_by if "sends-redirected-calls-back" in pbx.faults else ""
        self._hop = hop_to(pbx, back or next_hop(target.uri, list(target.path)))
        self._invite = invite
        self._sender = f"{party(invite.get('from') or '')};tag={build.new_tag()}"
        self._call_id = f"{build.new_tag()}{build.new_tag()}@{self._hop.transport.local[0]}"
        self.interval = Interval(pbx.settings.session if user_of(invite.uri) in pbx.timed else 0)
        """How long its session lasts without a refresh."""
        self._given: Headers = []
        self._account = Account(target.account, pbx.faults) if target.account is not None else None
        self._request = self._make(1)
        self._client: Client | None = None
        self._rang = False
        self._refused = False
        self._rung = ""
        """To tag of its first ringing."""
        self._cancel: Headers | None = None
        self._dialogs: dict[str, Dialog] = {}
        self._pracks: dict[str, Pracks] = {}
        self._patience: Timer | None = None

    @property
    def account(self) -> Credentials:
        """What challenges to requests within its dialogs are answered with."""
        account = None if "leaks-challenge" in self._pbx.faults else self.target.account
        return account or NOBODY

    def forwarded(self, response: Message) -> Way:
        """The way of the call if it is forwarded with this response: from here, where its address is."""
        uri = self.target.named or self._invite.uri
        way = self.target.way if self.target.redirected_by else diversion.way_of(self._invite)
        rang, faults = bool(self._rung), self._pbx.faults
        return diversion.forwarded(way, uri, response, rang=rang, faults=faults)

    def start(self) -> None:
        """Send the INVITE."""
        request = self._request
        self._client = self._pbx.station.layer.request(
            request, self._hop, "protocol", lambda response: self._on_response(request, response)
        )
        self._client.on_failure = self._on_failure
        self._client.dress_ack = Acks(self._pbx.faults)
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
        dialog = self._dialog(response)
        dialog.learn(response)
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
        self._pbx.bye(dialog, [], self.account)

    def on_late(self, response: Message) -> None:
        """A response after the device had been given up for dead."""
        if response.code < 200:
            self._rang = True
            self._send_cancel()
        elif response.code < 300:
            self._accepted(response)
        else:
            self._pbx.station.layer.send(ack_for_failure(self._request, response), self._hop, "protocol")

    def _make(self, seq: int) -> Message:
        """The INVITE; all of its tries are of one call (RFC 3261 22.2, RFC 4028 7.3)."""
        invite, transport = self._invite, self._hop.transport
        own = [
            ("Contact", self._pbx.station.contact(user_of(self._sender), transport)),
            ("Max-Forwards", str(hops_left(invite))),
            *(("Route", route) for route in self.target.path),
        ]
        # Without an offer in it one might come in a provisional response, and its PRACK would have to answer that.
        options = [*([OPTION] if invite.body else []), *filter(None, [self.interval.option])]
        if options:
            own.append(("Supported", ", ".join(options)))
        data = build.request(
            "INVITE",
            request_uri(self.target.uri, self._pbx.faults),
            via=build.new_via(transport),
            sender=self._sender,
            to=party(invite.get("to") or ""),
            call_id=self._call_id,
            cseq=seq,
            headers=[*own, *self.interval.headers(), *self._given, *self._told()],
            body=invite.body,
            content_type=content_type(invite),
        )
        return parse(data)

    def _told(self) -> Headers:
        """What goes over from the caller, and who had the call before."""
        told = passed(self._invite)
        if not self.target.redirected_by:
            return told
        older = [header for header in told if header[0].lower() not in diversion.HEADERS]
        return [*older, *self.target.way.headers(self.target.named or self.target.uri)]

    def _on_response(self, request: Message, response: Message) -> None:
        if request is not self._request:
            return  # it answers a try that has had its final response
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        if response.code < 100:
            return
        if response.code < 200:
            self._provisional(response)
        elif response.code < 300 and not self._refused:
            self._accepted(response)
        elif response.code >= 300 and not self.over and not self._tries_again(response):
            self.over = self._refused = True  # what it says from now on counts no more (RFC 3261 17.1.1.2)
            self._failed(response)

    def _tries_again(self, response: Message) -> bool:
        """Whether the INVITE was sent once more because it was asked for credentials (RFC 3261 22.2, 22.3) or for a
        longer session (RFC 4028 7.3)."""
        faults = self._pbx.faults
        if self._cancel is not None:
            return False
        if response.code != 422 or "gives-up-at-422" in faults or not self.interval.raised(response):
            if self._account is None or "leaks-challenge" in faults:
                return False
            credentials = self._account.answer(response, self._request)
            if credentials is None:
                return False
            self._given = credentials
        self._rang = False
        self._dialogs.clear()  # those that were early have ended with the refusal (RFC 3261 12.3)
        self._pracks.clear()
        self._request = self._make(self._request.cseq[0] + ("keeps-cseq-on-retry" not in faults))
        self.start()
        return True

    def _failed(self, response: Message) -> None:
        """What a carrier asks us for is no matter of the caller, who could not answer it."""
        if self._account is not None and response.code in CHALLENGES and "leaks-challenge" not in self._pbx.faults:
            self._caller.failed(self, None, NO_CARRIER)
        else:
            self._caller.failed(self, response, response.code)

    def _provisional(self, response: Message) -> None:
        first, self._rang = not self._rang, True
        if first and self._cancel is not None:
            self._send_cancel()
        if response.code > 100 and response.to_tag:
            self._acknowledge_reliable(response)
        if response.code > 100:
            self._rung = self._rung or response.to_tag
        if response.code > 100 and self._cancel is None:
            self._caller.progress(self, response)

    def _acknowledge_reliable(self, response: Message) -> None:
        """PRACK is for each leg by itself: the caller need not know it (RFC 3262 4)."""
        faults = self._pbx.faults
        if "sends-no-prack" in faults:
            return
        if response.to_tag not in self._pracks or "pracks-out-of-order" in faults:
            layer, dialog = self._pbx.station.layer, self._dialog(response)
            self._pracks[response.to_tag] = Pracks(layer, dialog, self.account)
        self._pracks[response.to_tag].take(response)

    def _dialog(self, response: Message) -> Dialog:
        """The dialog of this tag, early or confirmed."""
        return self._dialogs.setdefault(response.to_tag, as_caller(self._request, response, self._hop))

    def _accepted(self, response: Message) -> None:
        if "knows-one-to-tag" in self._pbx.faults and self._rung not in ("", response.to_tag):
            return
        known = self._dialogs.get(response.to_tag)
        self.over = True
        if known is None or not known.confirmed:
            self._caller.answered(self, response)
        elif known.ack and "acknowledges-answers-once" not in self._pbx.faults:
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
        routes = [("Route", route) for route in r.all("route")]  # RFC 3261 9.1
        start = [*fixed, *routes, ("Max-Forwards", "70"), ("CSeq", f"{r.cseq[0]} CANCEL"), *(self._cancel or [])]
        data = assemble(f"CANCEL {r.uri} SIP/2.0", start)
        self._pbx.station.layer.request(parse(data), self._hop, "protocol", _ignore)


def hop_to(pbx: Pbx, target: str) -> Hop:
    """Where a URI points: addresses only, and on this machine. Raises SipError for any other."""
    uri, address = parse_uri(target), address_of(target)
    transport = pbx.station.transport(uri.param("transport") or "")
    if transport is None or address is None or uri.scheme != "sip":
        raise SipError(f"nothing leads to {target} from here")
    return Hop(transport, address)


def _ignore(_response: Message) -> None:
    """What a CANCEL is answered with does not matter: the INVITE has its own final response (RFC 3261 9.1)."""
