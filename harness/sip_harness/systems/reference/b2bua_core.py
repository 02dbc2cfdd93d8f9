"""The core of the back-to-back user agent: registers devices, makes calls, finds what requests are within."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from sip_harness.endpoint.build import Headers
from sip_harness.endpoint.client import Client
from sip_harness.endpoint.dialog import Dialog, DialogId
from sip_harness.endpoint.request import Credentials, Request
from sip_harness.endpoint.server import Server
from sip_harness.endpoint.transactions import Why
from sip_harness.net.base import Hop
from sip_harness.net.clock import Clock
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, parse
from sip_harness.sip.transaction import cancel_for
from sip_harness.sip.uri import Uri
from sip_harness.systems.reference.actions import Target
from sip_harness.systems.reference.anonymity import refusal
from sip_harness.systems.reference.auth import Authenticator, Door
from sip_harness.systems.reference.b2bua_bridge import Side
from sip_harness.systems.reference.b2bua_call import Call
from sip_harness.systems.reference.b2bua_leg import Leg
from sip_harness.systems.reference.b2bua_page import Page
from sip_harness.systems.reference.forward import is_here
from sip_harness.systems.reference.headers import KNOWN, hops_left, party, passed, user_of
from sip_harness.systems.reference.registrar import Refused, Registrar
from sip_harness.systems.reference.router import Router
from sip_harness.systems.reference.settings import FAILOVER, NO_CARRIER, NO_TARGET
from sip_harness.systems.reference.station import ALLOW, Station

MAX_CALLS = 10_000
"""Calls that ring, and dialogs, at one time; further calls get 503."""
MAX_LATE = 10_000
"""Legs given up for dead whose late answers are still understood."""

MAX_BYES = 10
"""How often a system that has gone wrong sends BYE to a side that refuses it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What administrators of a PBX choose. Times in seconds."""

    transaction: float = 1.0
    """A device that says nothing for so long counts as 408."""
    ring: float = 3.0
    """A group that nobody of has answered for so long is given up."""
    ring_timeout: int = 480
    """What that counts as."""
    codes: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    """What the caller is told for a code of a device, where that is another one (RFC 3398 7.2.4.1 has such a map)."""
    progress: Literal["each", "first"] = "each"
    """Which provisional responses the caller gets."""
    ack: Literal["at-once", "with-caller"] = "at-once"
    """When a leg's 2xx is acknowledged; one with an offer always waits for the caller's answer."""

    session: int = 2
    """Whole seconds that a session lasts without a refresh, in runs that are about it (RFC 4028 wants 90 or more)."""

    too_many_contacts: int = 403
    """What a registration is refused with that is one too many."""

    failover: frozenset[int] = FAILOVER
    """Codes of a carrier after which the next one is tried; 408 stands for no answer."""

    digest: bool = False
    """Whether registrations and callers are asked for credentials."""
    password: str = ""
    """Of every user, where `digest` is on."""

    def __post_init__(self) -> None:
        """Raises ValueError for a time or a code that is none."""
        for name in ("transaction", "ring", "session"):
            if not getattr(self, name) > 0:
                raise ValueError(f"timer {name} is {getattr(self, name):g}s: it must be more")
        for code in (self.ring_timeout, self.too_many_contacts, *self.codes.values()):
            if not 300 <= code <= 699:
                raise ValueError(f"{code} is no code of a failure (300 to 699)")


class Pbx:
    """The transaction user: registers devices, makes calls, finds what requests are within."""

    def __init__(self, clock: Clock, settings: Settings, faults: frozenset[str]) -> None:
        """Raises OSError if there is no port to listen on."""
        self.clock = clock
        self.settings = settings
        self.faults = faults
        self.allow = ALLOW
        self.sides: dict[DialogId, Side] = {}
        self.calls: set[Call] = set()
        self.pages: set[Page] = set()
        self.timed: set[str] = set()
        """Users whose calls have session timers."""
        self.registrar = Registrar(faults)
        self.router = Router(self.registrar, faults)
        self._door = Door(Authenticator(settings.password, clock.now), faults)
        self._late: dict[str, Leg] = {}
        self.station = Station(clock, self, faults=faults)

    def close(self) -> None:
        """Stop at once."""
        for call in list(self.calls):
            call.close()
        for page in list(self.pages):
            page.close()
        for side in list(self.sides.values()):
            side.close()
        self.station.close()

    def forget(self, users: Iterable[str], token: str) -> None:
        """Drop the contacts and carriers of these users, and without a word every call of anybody whose name has the
        token."""
        for user in users:
            self.router.remove(user)
            self.timed.discard(user)
        for call in [c for c in self.calls if token in c.caller]:
            call.close()
        for page in [p for p in self.pages if token in p.sender]:
            page.close()
        for side in [s for s in self.sides.values() if token in s.dialog.local or token in s.dialog.remote]:
            side.close()

    def mapped(self, code: int) -> int:
        """What the caller is told for this code."""
        if code == 600 and "maps-600-to-486" in self.faults:
            return 486
        return self.settings.codes.get(code, code)

    def led_to(self, uri: Uri) -> list[Target]:
        """What a SIP URI leads to: whoever is known here by that name, or an address on this machine."""
        if is_here(str(uri), self.station.address):
            return [target for group in self.router.groups(uri.user, self.clock.now()) for target in group]
        return [Target(str(uri))]

    def told(self, response: Message) -> Headers:
        """Headers of a device's response that the caller gets, too."""
        told = [(name, value) for name, value in passed(response) if f"drops-{name.lower()}" not in self.faults]
        if "keeps-one-reason" in self.faults:
            reasons = [header for header in told if header[0].lower() == "reason"]
            told = [header for header in told if header not in reasons[1:]]
        if "drops-unknown-headers" in self.faults:
            told = [header for header in told if header[0].lower() in KNOWN]
        return told

    def bye(self, dialog: Dialog, headers: Headers, account: Credentials, tries: int = MAX_BYES) -> None:
        """Send BYE, with credentials if it is asked for them; whatever it is answered with then, the dialog is over
        (RFC 3261 15.1.1)."""

        def refused(response: Message) -> None:
            if response.code >= 300 and tries > 1 and "repeats-refused-bye" in self.faults:
                self.bye(dialog, headers, account, tries - 1)

        Request(
            self.station.layer,
            lambda credentials: dialog.request("BYE", [*credentials, *headers]),
            dialog.next_hop(),
            "protocol",
            account,
            on_final=refused,
            on_failure=_ignore,
        )

    def cancel(self, client: Client, hop: Hop) -> None:
        """Send CANCEL for an INVITE of ours."""
        self.station.layer.request(parse(cancel_for(client.request)), hop, "protocol", _ignore)

    def expect_late(self, branch: str, leg: Leg) -> None:
        """Hand what comes for this branch to the leg from now on, for as long as its transaction would have lived."""
        if len(self._late) < MAX_LATE:
            self._late[branch] = leg
            self.clock.after(self.station.layer.timers.lifetime, lambda: self._forget(branch))

    def on_request(self, server: Server) -> None:
        """From the layer: a new request."""
        request = server.request
        if self.station.refuses(server):
            return
        if request.to_tag:
            side = self.sides.get((request.call_id, request.to_tag, request.from_tag))
            if side is not None:
                side.handle(server)
            else:
                self.station.respond(server, 481)
        elif self.settings.digest and (asked := self._door.asks(request)) is not None:
            self.station.respond(server, asked[0], headers=asked[1])
        elif request.method == "REGISTER":
            self._register(server)
        elif request.method in ("INVITE", "MESSAGE"):
            self._route(server)
        elif request.method == "OPTIONS":
            about = [("Allow", ALLOW), ("Accept", "application/sdp"), ("Supported", "")]
            self.station.respond(server, 200, headers=about)
        else:
            self.station.respond(server, 481 if request.method == "BYE" else 405, headers=[("Allow", ALLOW)])

    def on_ack(self, ack: Message, hop: Hop) -> None:
        """From the layer: an ACK to a 2xx."""
        side = self.sides.get((ack.call_id, ack.to_tag, ack.from_tag))
        if side is not None:
            side.acked(ack)

    def on_stray(self, response: Message, hop: Hop) -> None:
        """From the layer: perhaps the late word of a leg that was given up for dead."""
        leg = self._late.get(response.branch)
        if leg is not None and response.cseq[1] == "INVITE":
            leg.on_late(response)

    def on_unsent(self, why: str) -> None:
        """From the layer: the transaction reports it, too."""

    def on_lost(self, why: str) -> None:
        """From the layer: the transaction reports it, too."""

    def _forget(self, branch: str) -> None:
        self._late.pop(branch, None)

    def _register(self, server: Server) -> None:
        try:
            if self.settings.digest and not self._door.is_owner(server.request):
                raise Refused(403)
            listed = self.registrar.register(server.request, self.clock.now(), self.station.address)
        except Refused as refused:
            self.station.respond(server, refused.code, headers=refused.headers)
        else:
            self.station.respond(server, 200, headers=listed)

    def _route(self, server: Server) -> None:
        request = server.request
        user = user_of(request.uri)
        groups = self.router.groups(user, self.clock.now())
        if hops_left(request) < 0:
            self.station.respond(server, 483)
        elif len(self.calls) + len(self.sides) + len(self.pages) >= MAX_CALLS:
            self.station.respond(server, 503, headers=[("Retry-After", "10")])
        elif not _has_parties(request):
            self.station.respond(server, 400, "Bad Request: From or To cannot be read")
        elif not groups:
            self.station.respond(server, NO_CARRIER if self.router.has_carriers(user) else NO_TARGET)
        elif "anonymous-rejection" in self.router.wished(user) and (code := refusal(request, self.faults)):
            self.station.respond(server, code)
        elif request.method == "MESSAGE":
            Page(self, server, groups[0]).start()
        else:
            call = Call(self, server, groups, self.router.wished(user))
            self.calls.add(call)
            call.start()


def _has_parties(request: Message) -> bool:
    try:
        party(request.get("from") or "")
        party(request.get("to") or "")
    except SipError:
        return False
    return True


def _ignore(_outcome: Message | Why) -> None:
    """What becomes of these requests does not matter."""
