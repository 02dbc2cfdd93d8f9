"""One call through the back-to-back user agent until somebody answers: rings groups of devices in turn."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from sip_harness.endpoint import build
from sip_harness.endpoint.build import Headers
from sip_harness.endpoint.dialog import as_callee
from sip_harness.endpoint.transactions import Server, Why
from sip_harness.net.clock import Timer
from sip_harness.sip.codes import phrase
from sip_harness.sip.errors import SipError
from sip_harness.sip.headers import seconds
from sip_harness.sip.message import Message
from sip_harness.systems.reference import redirects
from sip_harness.systems.reference.actions import Target
from sip_harness.systems.reference.b2bua_announcement import Announcement, is_announced
from sip_harness.systems.reference.b2bua_bridge import Side, join
from sip_harness.systems.reference.b2bua_leg import Leg
from sip_harness.systems.reference.headers import content_type, passed
from sip_harness.systems.reference.voicemail import cause_of, mailbox_uri

if TYPE_CHECKING:
    from sip_harness.systems.reference.b2bua_core import Pbx

_ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'  # RFC 3326 3.1
_PREFERRED = (401, 407, 415, 420, 484)  # RFC 3261 16.7 step 6: they tell the caller what to do about it


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one leg did not answer."""

    code: int
    response: Message | None = None
    """None where the device gave none."""


class Call:
    """An INVITE of a caller, and the legs that it makes. One To-tag towards the caller, whatever the legs have."""

    def __init__(
        self, pbx: Pbx, server: Server, groups: list[list[Target]], wishes: frozenset[str] = frozenset()
    ) -> None:
        """Nothing is sent yet. `wishes` are optional capabilities that the call is treated by."""
        self._wishes = wishes
        self._announcement: Announcement | None = None
        self._pbx = pbx
        self._server = server
        self._tag = build.new_tag()
        self._groups = deque(groups)
        self._legs: list[Leg] = []
        self._everyone: list[Leg] = []
        self._failures: list[Failure] = []
        self._progress = 0
        self._early = b""
        """The first session description that any leg has sent."""
        self._timer: Timer | None = None
        self._validity: Timer | None = None
        self._over = False
        self._closed = False
        """Nobody else is tried any more."""
        self._dialog = as_callee(server.request, self._tag, server.source)
        self._side = Side(pbx, self._dialog, on_early_bye=self._hung_up)
        server.on_cancel = self._cancelled
        server.on_failure = self._lost

    @property
    def caller(self) -> str:
        """From value of the INVITE."""
        return self._server.request.get("from") or ""

    def start(self) -> None:
        """Ring the first group."""
        self._pbx.station.respond(self._server, 100)
        lasts = valid_for(self._server.request)
        if lasts is not None and not {"ignores-expires", "rings-for-ever"} & self._pbx.faults:
            self._validity = self._pbx.clock.after(lasts, self._expired)
        self._next()

    def close(self) -> None:
        """Stop without a word to anybody."""
        self._finish()
        self._side.close()
        for leg in self._everyone:
            leg.close()

    def progress(self, leg: Leg, response: Message) -> None:
        """From a leg: the caller hears of it under our own To-tag."""
        self._progress += 1
        self._early = self._early or response.body
        surplus = self._pbx.settings.progress == "first" and self._progress > 1
        if self._over or leg.given_up or surplus or "swallows-ringing" in self._pbx.faults:
            return
        fresh = "new-to-tag-per-18x" in self._pbx.faults
        self._respond(response.code, response, tag=build.new_tag() if fresh else self._tag)

    def answered(self, leg: Leg, response: Message) -> None:
        """From a leg: the first answer wins."""
        if self._over or leg.given_up:
            if "swallows-2xx-after-cancel" not in self._pbx.faults:
                leg.decline(response)
            return
        self._finish()
        self._stop_others([("Reason", _ELSEWHERE)])
        callee = Side(self._pbx, leg.dialog(response), account=leg.account)
        data = self._respond(response.code, response)
        offer = bool(response.body) and not self._server.request.body
        waits = offer or self._pbx.settings.ack == "with-caller"
        if not waits:
            leg.acknowledge(callee.dialog)
        self._dialog.confirmed = True
        join(self._side, callee)
        callee.session = leg.interval.timer(self._pbx, callee, response)
        late = (lambda ack: leg.acknowledge(callee.dialog, ack.body, content_type(ack))) if waits else None
        self._side.await_ack(self._server, data, late)

    def failed(self, leg: Leg, response: Message | None, code: int) -> None:
        """From a leg: it counts, unless it was us who ended it."""
        if self._over or leg not in self._legs:
            return
        if response is not None and self._follows(leg, response):
            return
        self._failures.append(Failure(code, response))
        if self._ends_the_fork(code):
            self._stop_others([("Reason", f"SIP;cause={code}")] if code >= 600 else [])
            for other in self._legs if code == 486 else ():
                other.drop()
        router = self._pbx.router
        if response is not None and leg.target.carrier and router.heeds(code, self._pbx.settings.failover):
            router.note(leg.target, response, self._pbx.clock.now())
        if self._ends_the_hunt(code) or self._stays(leg, code):
            self._groups.clear()
            self._closed = True
        if self._ends_at_once(code):
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

    def _ends_the_fork(self, code: int) -> bool:
        if code >= 600:
            return "forks-on-after-6xx" not in self._pbx.faults
        return code == 486 and "one-486-ends-the-fork" in self._pbx.faults

    def _ends_the_hunt(self, code: int) -> bool:
        if code >= 600:
            return "hunts-on-after-6xx" not in self._pbx.faults
        return code == 486 and bool({"stops-hunting-at-486", "one-486-ends-the-fork"} & self._pbx.faults)

    def _stays(self, leg: Leg, code: int) -> bool:
        """Whether the next carrier would do no better than this one."""
        if not leg.target.carrier:
            return False
        faults = self._pbx.faults
        goes_on = code in self._pbx.settings.failover or (code >= 600 and "hunts-on-after-6xx" in faults)
        goes_on = goes_on or f"fails-over-on-{code}" in faults
        return not goes_on or "never-fails-over" in faults

    def _ends_at_once(self, code: int) -> bool:
        """The other devices' own final responses are waited for: one of them may still be an answer."""
        faults = self._pbx.faults
        return "first-failure-wins" in faults or (code >= 600 and "sends-6xx-at-once" in faults)

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
        return [replace(one, uri=mailbox_uri(one.uri, self._server.request.uri, cause)) for one in group]

    def _make(self, group: list[Target]) -> list[Leg]:
        legs = []
        for target in group:
            try:
                legs.append(Leg(self._pbx, self, target, self._server.request))
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
        if any(self._stays(leg, 408) for leg in open_legs):
            self._groups.clear()
        self._failures += [Failure(self._pbx.settings.ring_timeout)] * len(open_legs)
        self._next()

    def _fail(self) -> None:
        failure = best(self._failures)
        if not self._announces(failure):
            self._tell(failure)

    def _tell(self, failure: Failure) -> None:
        lost = self._announcement is not None and "loses-code-after-announcement" in self._pbx.faults
        self._finish()
        self._respond(480 if lost else self._pbx.mapped(failure.code), failure.response)
        self._side.close()

    def _announces(self, failure: Failure) -> bool:
        """Whether the caller hears first why his call has failed."""
        if "announcements" not in self._wishes or "announces-nothing" in self._pbx.faults:
            return False
        if not is_announced(failure.response):
            return False
        with suppress(SipError, OSError):
            self._announcement = Announcement(self._pbx, self._server.request, partial(self._tell, failure))
            own = [("Contact", self._side.contact), ("Allow", self._pbx.allow)]
            body = self._announcement.answer
            self._pbx.station.respond(self._server, 183, tag=self._tag, headers=own, body=body)
        return self._announcement is not None

    def _respond(self, code: int, response: Message | None, *, tag: str = "") -> bytes:
        own: Headers = [] if code >= 300 else [("Contact", self._side.contact), ("Allow", self._pbx.allow)]
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
        self._end([(f.name, f.value) for f in cancel.request.fields if f.key == "reason" and kept])

    def _expired(self) -> None:
        """Nobody has answered while the invitation was valid (RFC 3261 13.3.1)."""
        self._end([])

    def _hung_up(self, bye: Server) -> None:
        """A BYE before any answer ends the call as well (RFC 3261 15.1.2)."""
        self._pbx.station.respond(bye, 200)
        if "rings-on-after-early-bye" not in self._pbx.faults:
            self._end(passed(bye.request))

    def _end(self, headers: Headers) -> None:
        if self._over:
            return
        self._finish()
        self._respond(487, None)
        if "ignores-callers-cancel" not in self._pbx.faults:
            self._stop(headers)
        self._side.close()

    def _lost(self, why: Why) -> None:
        """Nothing reaches the caller any more."""
        if why == "transport" and not self._over:
            self._finish()
            self._stop([])
            self._side.close()

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
        if self._announcement is not None:
            self._announcement.close()
        self._over = True
        self._server.on_cancel = None
        self._pbx.calls.discard(self)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def valid_for(invite: Message) -> int | None:
    """Seconds for which somebody may answer it (RFC 3261 20.19); None if it does not say, or cannot be read."""
    try:
        return seconds(invite, "expires")
    except SipError:
        return None


def best(failures: list[Failure]) -> Failure:
    """The one that the caller is told (RFC 3261 16.7 step 6): any 6xx, else the lowest class; there those that say
    what to do come first, else the first that came. 480 if nothing was tried."""
    if not failures:
        return Failure(480)
    sixes = [f for f in failures if f.code >= 600]
    if sixes:
        return sixes[0]
    lowest = min(f.code // 100 for f in failures)
    return min((f for f in failures if f.code // 100 == lowest), key=lambda f: f.code not in _PREFERRED)
