"""One call through the back-to-back user agent until somebody answers: rings groups of devices in turn."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from sip_harness.endpoint.build import Headers
from sip_harness.endpoint.server import Server
from sip_harness.endpoint.transactions import Why
from sip_harness.net.clock import Timer
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message
from sip_harness.systems.reference import redirects
from sip_harness.systems.reference.actions import Target
from sip_harness.systems.reference.b2bua_bridge import Side, join
from sip_harness.systems.reference.b2bua_failure import (
    Failure,
    best,
    ends_at_once,
    ends_the_fork,
    ends_the_hunt,
    stays,
)
from sip_harness.systems.reference.b2bua_inbound import Inbound, valid_for
from sip_harness.systems.reference.b2bua_leg import Leg
from sip_harness.systems.reference.headers import content_type
from sip_harness.systems.reference.voicemail import cause_of, mailbox_uri

if TYPE_CHECKING:
    from sip_harness.systems.reference.b2bua_core import Pbx

_ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'  # RFC 3326 3.1


class Call:
    """An INVITE of a caller, and the legs that it makes. One To-tag towards the caller, whatever the legs have."""

    def __init__(
        self, pbx: Pbx, server: Server, groups: list[list[Target]], wishes: frozenset[str] = frozenset()
    ) -> None:
        """Nothing is sent yet. `wishes` are optional capabilities that the call is treated by."""
        self._wishes = wishes
        self._pbx = pbx
        self._groups = deque(groups)
        self._legs: list[Leg] = []
        self._everyone: list[Leg] = []
        self._failures: list[Failure] = []
        self._timer: Timer | None = None
        self._validity: Timer | None = None
        self._over = False
        self._closed = False
        """Nobody else is tried any more."""
        self._inbound = Inbound(pbx, server, self._end, self._lost)

    @property
    def caller(self) -> str:
        """From value of the INVITE."""
        return self._inbound.invite.get("from") or ""

    def start(self) -> None:
        """Ring the first group."""
        self._inbound.trying()
        lasts = valid_for(self._inbound.invite)
        if lasts is not None and not {"ignores-expires", "rings-for-ever"} & self._pbx.faults:
            self._validity = self._pbx.clock.after(lasts, self._expired)
        self._next()

    def close(self) -> None:
        """Stop without a word to anybody."""
        self._finish()
        self._inbound.side.close()
        for leg in self._everyone:
            leg.close()

    def progress(self, leg: Leg, response: Message) -> None:
        """From a leg: the caller hears of it under our own To-tag."""
        self._inbound.progress(response, wanted=not (self._over or leg.given_up))

    def answered(self, leg: Leg, response: Message) -> None:
        """From a leg: the first answer wins."""
        if self._over or leg.given_up:
            if "swallows-2xx-after-cancel" not in self._pbx.faults:
                leg.decline(response)
            return
        self._finish()
        self._stop_others([("Reason", _ELSEWHERE)])
        callee = Side(self._pbx, leg.dialog(response), account=leg.account)
        data = self._inbound.respond(response.code, response)
        offer = bool(response.body) and not self._inbound.invite.body
        waits = offer or self._pbx.settings.ack == "with-caller"
        if not waits:
            leg.acknowledge(callee.dialog)
        self._inbound.confirm()
        join(self._inbound.side, callee)
        callee.session = leg.interval.timer(self._pbx, callee, response)
        late = (lambda ack: leg.acknowledge(callee.dialog, ack.body, content_type(ack))) if waits else None
        self._inbound.answered(data, late)

    def failed(self, leg: Leg, response: Message | None, code: int) -> None:
        """From a leg: it counts, unless it was us who ended it."""
        if self._over or leg not in self._legs:
            return
        if response is not None and self._follows(leg, response):
            return
        self._failures.append(Failure(code, response))
        if ends_the_fork(code, self._pbx.faults):
            self._stop_others([("Reason", f"SIP;cause={code}")] if code >= 600 else [])
            for other in self._legs if code == 486 else ():
                other.drop()
        router = self._pbx.router
        if response is not None and leg.target.carrier and router.heeds(code, self._pbx.settings.failover):
            router.note(leg.target, response, self._pbx.clock.now())
        if ends_the_hunt(leg.target, code, self._pbx.settings.failover, self._pbx.faults):
            self._groups.clear()
            self._closed = True
        if ends_at_once(code, self._pbx.faults):
            self._fail()
        elif all(leg.over for leg in self._legs):
            self._next()

    def _follows(self, leg: Leg, response: Message) -> bool:
        """A phone, or a carrier, forwards the call: those whom it names join its group, by preference (RFC 3261
        8.1.3.4). Whether they were there."""
        pbx = self._pbx
        if "recursion" not in self._wishes or self._closed or not 300 <= response.code < 400:
            return False
        tried = [one.target for one in self._everyone]
        found = redirects.read(response, pbx.led_to, tried, pbx.faults, leg.target.uri)
        round_again = "follows-redirects-in-circles" in pbx.faults and len(self._everyone) >= redirects.MAX_CIRCLES
        if not found.groups or round_again:
            return "waits-after-empty-redirect" in pbx.faults and self._wait(leg)
        by, way = leg.target.uri, leg.forwarded(response)
        first, *others = [[replace(t, redirected_by=by, way=way) for t in group] for group in found.groups]
        self._groups.extendleft(reversed(others))
        legs = self._make(first)
        self._legs += legs
        for one in legs:
            one.start()
        if not legs and all(one.over for one in self._legs):
            self._next()
        return True

    def _wait(self, leg: Leg) -> bool:
        """A fault: as if it went on ringing."""
        leg.over = False
        return True

    def _next(self) -> None:
        """Ring the next group, or tell the caller that there is none."""
        self._rest()
        while self._groups:
            group = self._groups.popleft()
            self._legs = self._make(group if self._groups else self._mailbox(group))
            if self._legs:
                if "rings-for-ever" not in self._pbx.faults:
                    self._timer = self._pbx.clock.after(self._pbx.settings.ring, self._rang_out)
                for leg in self._legs:
                    leg.start()
                return
        self._fail()

    def _mailbox(self, group: list[Target]) -> list[Target]:
        """The last ones of a hunt, where those are mailboxes: told whose the call was, and why it comes."""
        faults = self._pbx.faults
        if "voicemail-reason" not in self._wishes or not self._failures or "tells-voicemail-nothing" in faults:
            return group
        failure = best(self._failures)
        cause = cause_of(failure.code, answered=failure.response is not None, faults=faults)
        return [replace(one, uri=mailbox_uri(one.uri, self._inbound.invite.uri, cause)) for one in group]

    def _make(self, group: list[Target]) -> list[Leg]:
        legs = []
        for target in group:
            try:
                legs.append(Leg(self._pbx, self, target, self._inbound.invite))
            except SipError:
                self._failures.append(Failure(480))
        self._everyone += legs
        return legs

    def _rang_out(self) -> None:
        """The ring timer: whoever has not answered is given up."""
        self._timer = None
        open_legs = [leg for leg in self._legs if not leg.over]
        for leg in open_legs:
            leg.given_up = True
            leg.cancel([])
        settings, faults = self._pbx.settings, self._pbx.faults
        if any(stays(leg.target, 408, settings.failover, faults) for leg in open_legs):
            self._groups.clear()
        self._failures += [Failure(settings.ring_timeout)] * len(open_legs)
        self._next()

    def _fail(self) -> None:
        failure = best(self._failures)
        plays = "announcements" in self._wishes and "announces-nothing" not in self._pbx.faults
        if not plays or not self._inbound.announces(failure, partial(self._tell, failure)):
            self._tell(failure)

    def _tell(self, failure: Failure) -> None:
        self._finish()
        self._inbound.refuse(failure)

    def _expired(self) -> None:
        """Nobody has answered while the invitation was valid (RFC 3261 13.3.1)."""
        self._end([])

    def _end(self, headers: Headers) -> None:
        if self._over:
            return
        self._finish()
        self._inbound.respond(487)
        if "ignores-callers-cancel" not in self._pbx.faults:
            self._stop(headers)
        self._inbound.side.close()

    def _lost(self, why: Why) -> None:
        """Nothing reaches the caller any more."""
        if why == "transport" and not self._over:
            self._finish()
            self._stop([])
            self._inbound.side.close()

    def _stop_others(self, headers: Headers) -> None:
        if "forgets-cancel" not in self._pbx.faults:
            self._stop(headers)

    def _stop(self, headers: Headers) -> None:
        for leg in self._everyone:
            leg.cancel(headers)

    def _finish(self) -> None:
        self._rest()
        if self._validity is not None:
            self._validity.cancel()
        self._over = True
        self._inbound.finish()
        self._pbx.calls.discard(self)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
