"""The proxy's decisions about requests: RFC 3261 16.3 to 16.6, 16.10, 16.11 and 10.3."""

from __future__ import annotations

import re
from hashlib import blake2s

from sip_harness.endpoint.client import Client
from sip_harness.endpoint.server import Server
from sip_harness.net.base import Hop
from sip_harness.net.clock import Clock
from sip_harness.sip.errors import SipError
from sip_harness.sip.headers import contacts, listed, max_forwards
from sip_harness.sip.message import Message
from sip_harness.sip.transaction_key import server_key
from sip_harness.sip.uri import unescape, uri_text
from sip_harness.sip.via import parse_via
from sip_harness.systems.reference import forward
from sip_harness.systems.reference.actions import Target
from sip_harness.systems.reference.anonymity import refusal
from sip_harness.systems.reference.auth import Authenticator, Door
from sip_harness.systems.reference.call import Call
from sip_harness.systems.reference.core import Core, LogLine
from sip_harness.systems.reference.reading import Reading, flaw
from sip_harness.systems.reference.registrar import Refused
from sip_harness.systems.reference.settings import NO_CARRIER, NO_TARGET, Settings

_KNOWN = frozenset({
    "INVITE", "ACK", "CANCEL", "BYE", "REGISTER", "OPTIONS", "PRACK", "UPDATE", "INFO", "REFER", "SUBSCRIBE", "NOTIFY",
    "MESSAGE", "PUBLISH",
})  # fmt: skip
_ABOUT = [("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER"), ("Accept", "application/sdp"), ("Supported", "")]


class Proxy:
    """Transaction user of a layer of its own."""

    def __init__(self, clock: Clock, settings: Settings, log: LogLine) -> None:
        """Set `core.transports` before anything comes in."""
        self.core = Core(clock, settings, self, log)
        self._reading = Reading(self.core.layer, settings.faults)
        self._door = Door(Authenticator(settings.password, clock.now), settings.faults)

    def receive(self, message: Message, hop: Hop) -> None:
        """What a transport received."""
        heard, why = self._reading.heard(message, hop)
        if heard is None:
            self.core.log(message, f"dropped: {why}")
        else:
            self._repeat(heard)
            self.core.layer.receive(heard, hop)

    def close(self) -> None:
        """Forget everything at once."""
        self.core.close()

    def on_request(self, server: Server) -> None:
        """Decide where a new request goes."""
        for decide in (self._refuse, self._cancel, self._within, self._about_us, self._challenge, self._register):
            if decide(server):
                return
        self._route(server)

    def on_ack(self, ack: Message, hop: Hop) -> None:
        """The ACK to a 2xx goes on without a transaction (RFC 3261 13.2.2.4, 16.11); any other is nobody's."""
        uri, routes = forward.past_us(ack, self.core.here)
        next_hop = self.core.hop_to(forward.next_hop(uri, routes))
        if not ack.to_tag or forward.is_here(forward.next_hop(uri, routes), self.core.here) or next_hop is None:
            return
        if self._hops(ack) != 0:
            again = blake2s(
                f"{ack.branch} {uri}".encode("utf-8", "surrogateescape"), digest_size=6
            ).hexdigest()  # 16.11: the same each time
            unique = "" if "gives-acks-new-branches" in self.core.faults else again
            onward = self.core.onward(ack, hop, uri, routes, next_hop, unique=unique)
            self.core.layer.send(onward.data, next_hop, "protocol")

    def on_stray(self, response: Message, hop: Hop) -> None:
        """Never passed on (RFC 6026 8.10)."""
        self.core.log(response, f"dropped: {response.code} {response.reason}, which answers nothing")
        if "counts-any-answer-to-a-probe" in self.core.faults:
            for believe in tuple(self.core.believers):
                believe(response)
        via = parse_via(forward.via_back(response))
        passes = "forwards-stray-2xx" if 200 <= response.code < 300 else "forwards-stray-failures"
        if via is not None and response.code >= 200 and passes in self.core.faults:
            back = self.core.hop_to(f"sip:{via.host}:{via.port};transport={via.transport.lower()}")
            if back is not None:
                self.core.layer.send(forward.response_on(response), back, "protocol")

    def on_unsent(self, why: str) -> None:
        """Its transaction hears of it."""

    def on_lost(self, why: str) -> None:
        """Its transaction hears of it."""

    def _refuse(self, server: Server) -> bool:
        """Reasonable syntax, scheme, hops, loops, extensions (RFC 3261 16.3)."""
        request = server.request
        code, more = self._objection(request)
        if code:
            self.core.log(request, f"{request.method} refused: {code}")
            self.core.reply(server, code, more)
        return bool(code)

    def _objection(self, request: Message) -> tuple[int, list[tuple[str, str]]]:
        if "takes-bad-requests" not in self.core.faults and (code := flaw(request)):
            return code, []
        if not re.match("sip:", request.uri, re.IGNORECASE):
            return 416, []
        if self._hops(request) == 0 and "ignores-max-forwards" not in self.core.faults:
            return 483, []
        if request.method == "CANCEL":  # it goes no further than its INVITE has gone
            return 0, []
        if "forwards-loops" not in self.core.faults and forward.loops(request, self.core.here, self.core.realm):
            return 482, []
        if "refuses-spirals" in self.core.faults and forward.was_here(request, self.core.here):
            return 482, []
        if "refuses-merged-requests" in self.core.faults and self._is_merged(request):
            return 482, []
        if request.method not in _KNOWN and "refuses-unknown-methods" in self.core.faults:
            return 501, []
        required = _listed(request, "proxy-require")
        if "heeds-require" in self.core.faults and (others := _listed(request, "require")):
            return 420, [("Unsupported", ", ".join(others))]
        if required and "ignores-proxy-require" not in self.core.faults:
            return 420, [("Unsupported", ", ".join(required))]
        return 0, []

    def _is_merged(self, request: Message) -> bool:
        """Whether it is under way on another branch, too (RFC 3261 8.2.2.2)."""
        same = (request.call_id, request.from_tag, request.cseq)
        under_way = (s.request for s in self.core.layer.servers.values() if s.request.branch != request.branch)
        return not request.to_tag and any((r.call_id, r.from_tag, r.cseq) == same for r in under_way)

    def _hops(self, request: Message) -> int | None:
        try:
            return max_forwards(request)
        except SipError:
            return None

    def _cancel(self, server: Server) -> bool:
        """RFC 3261 9.2, 16.10. Nobody behind us could know an INVITE that we do not: we never forward without one."""
        if server.request.method != "CANCEL":
            return False
        if "challenges-cancel" in self.core.faults and self._challenge(server):
            return True
        invite = self.core.layer.invite_of(server.request)
        if invite is None and "cancels-by-branch-alone" in self.core.faults:
            branch, all_of_them = server.request.branch, self.core.layer.servers.values()
            invite = next((s for s in all_of_them if (s.request.method, s.request.branch) == ("INVITE", branch)), None)
        if invite is None:
            self.core.reply(server, 200 if "accepts-any-cancel" in self.core.faults else 481)
        elif invite.on_cancel is None:  # it is over: nothing to cancel any more
            self.core.reply(server, 200)
            if "cancels-what-has-ended" in self.core.faults:
                for client in self._sent_on(server.request):
                    cancel = self.core.cancel_of(client.request, [])
                    self.core.layer.request(cancel, client.hop, "protocol", lambda _response: None)
        else:
            invite.on_cancel(server)
        return True

    def _repeat(self, message: Message) -> None:
        """A fault: what the caller says again goes on again, too."""
        faulty = "passes-retransmissions-on" in self.core.faults and message.method == "INVITE"
        if faulty and server_key(message) in self.core.layer.servers:
            for client in self._sent_on(message):
                client.again("protocol")

    def _sent_on(self, request: Message) -> list[Client]:
        """The INVITEs of ours that this request has to do with."""
        clients = self.core.layer.clients.values()
        return [c for c in clients if (c.request.method, c.request.call_id) == ("INVITE", request.call_id)]

    def _within(self, server: Server) -> bool:
        """A request of a dialog goes where its Route and its Request-URI say (RFC 3261 16.4, 16.12)."""
        request = server.request
        if not request.to_tag:
            return False
        uri, routes = forward.past_us(request, self.core.here)
        if forward.is_here(forward.next_hop(uri, routes), self.core.here):
            self.core.reply(server, 404)
        elif request.method != "BYE" and "answers-within-the-call" in self.core.faults:
            self.core.reply(server, 200, [("Contact", f"<{request.uri}>")])
        else:
            Call(self.core, server, [[Target(uri)]], routes).begin()
        return True

    def _about_us(self, server: Server) -> bool:
        """OPTIONS to the proxy itself (RFC 3261 11.2)."""
        uri = forward.readable(server.request.uri)
        ours = uri is not None and not uri.user and forward.is_here(server.request.uri, self.core.here)
        if server.request.method != "OPTIONS" or not ours:
            return False
        self.core.reply(server, 200, [] if "tells-nothing-of-itself" in self.core.faults else _ABOUT)
        return True

    def _challenge(self, server: Server) -> bool:
        """RFC 3261 22.1. Who has been let in is not asked again where the call comes back to us."""
        asks = self.core.settings.digest and not forward.was_here(server.request, self.core.here)
        asked = self._door.asks(server.request) if asks else None
        if asked is not None:
            self.core.reply(server, *asked)
        return asked is not None

    def _register(self, server: Server) -> bool:
        if server.request.method != "REGISTER":
            return False
        try:
            if not forward.is_here(server.request.uri, self.core.here):
                raise Refused(403)
            if self.core.settings.digest and not self._door.is_owner(server.request):
                raise Refused(403)
            headers = self.core.registrar.register(server.request, self.core.clock.now(), self.core.here)
        except Refused as refused:
            self.core.log(server.request, f"REGISTER refused: {refused.code}")
            code = 603 if "refuses-registrations-with-603" in self.core.faults else refused.code
            self.core.reply(server, code, refused.headers)
        else:
            self.core.log(server.request, f"REGISTER: {len(headers)} contacts")
            if "records-routes-of-registrations" in self.core.faults:
                headers += [("Record-Route", value) for value in server.request.all("record-route")]
            self.core.reply(server, 200, headers)
            if "calls-latecomers" in self.core.faults:
                self._call_too(server.request)
        return True

    def _call_too(self, register: Message) -> None:
        """A fault: whoever registers joins the calls that are under way to that user."""
        user = forward.readable(uri_text(register.get("to") or ""))
        for call in [c for c in self.core.open if isinstance(c, Call) and user and c.user == unescape(user.user)]:
            for contact in contacts(register):
                call.join(Target(contact.uri))

    def _route(self, server: Server) -> None:
        """To whom the dialled user is known, and to nobody else: this is an instrument for one machine."""
        uri, routes = forward.past_us(server.request, self.core.here)
        parsed = forward.readable(uri)
        if routes or parsed is None or not forward.is_here(uri, self.core.here):
            self.core.reply(server, 403, reason="Relaying Denied")
            return
        wishes = self.core.router.wished(parsed.user)
        if "anonymous-rejection" in wishes and (code := refusal(server.request, self.core.faults)):
            self.core.log(server.request, f"whoever calls does not say who he is: {code}")
            self.core.reply(server, code)
            return
        urgent = is_emergency(server.request) and "bars-emergency-calls" not in self.core.faults
        groups = self.core.router.groups(parsed.user, self.core.clock.now(), urgent=urgent)
        if groups:
            if self.core.settings.recurse:
                wishes |= {"recursion"}
            Call(self.core, server, groups, [], wishes).begin()
        else:
            code = NO_CARRIER if self.core.router.has_carriers(parsed.user) else NO_TARGET
            self.core.log(server.request, f"nobody to call: {code}")
            self.core.reply(server, code)


def is_emergency(request: Message) -> bool:
    """Whether a call has the priority of those for help (RFC 7135: the namespace `esnet`)."""
    return any(value.lower().startswith("esnet.") for value in _listed(request, "resource-priority"))


def _listed(request: Message, name: str) -> tuple[str, ...]:
    try:
        return listed(request, name)
    except SipError:
        return tuple(request.all(name))
