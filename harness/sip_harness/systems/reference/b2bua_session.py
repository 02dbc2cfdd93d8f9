"""Session timers of the back-to-back user agent: a call that nobody refreshes is over (RFC 4028)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sip_harness.endpoint.build import Headers
from sip_harness.endpoint.request import Request
from sip_harness.endpoint.transactions import Why
from sip_harness.net.clock import Timer
from sip_harness.sip.errors import SipError
from sip_harness.sip.headers import seconds
from sip_harness.sip.message import Message
from sip_harness.systems.reference.b2bua_effects import ends_the_call

if TYPE_CHECKING:
    from sip_harness.systems.reference.b2bua_bridge import Side
    from sip_harness.systems.reference.b2bua_core import Pbx

OPTION = "timer"
"""The option tag."""
_MARGIN = 32.0
"""Seconds before its end, or a third of it, at which a session that was not refreshed is given up (RFC 4028 10)."""
_BY_PEER = re.compile(r";\s*refresher\s*=\s*uas\b", re.IGNORECASE)


class Interval:
    """The session interval that the INVITEs of a leg ask for. Seconds; 0 for none."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._least = 0

    def headers(self) -> Headers:
        """Headers of the next INVITE."""
        if not self._wanted:
            return []
        least = [("Min-SE", str(self._least))] if self._least else []
        return [("Session-Expires", str(self._wanted)), *least]

    @property
    def option(self) -> str:
        """The option tag, if there is an interval."""
        return OPTION if self._wanted else ""

    def raised(self, response: Message) -> bool:
        """Whether this is a 422 that wants a longer one, which the next INVITE asks for then (RFC 4028 7.3)."""
        least = _seconds(response, "min-se") if response.code == 422 and self._wanted else 0
        if least <= self._wanted:
            return False
        self._wanted = self._least = least
        return True

    def timer(self, pbx: Pbx, side: Side, response: Message) -> SessionTimer | None:
        """What a 2xx has agreed to; None if it says nothing of it (RFC 4028 7.2)."""
        agreed = _seconds(response, "session-expires") if self._wanted else 0
        ours = not _BY_PEER.search(response.get("session-expires") or "")
        return SessionTimer(pbx, side, agreed, ours) if agreed else None


class SessionTimer:
    """Refreshes the session of one side, or waits for that side to do so, and ends the call where neither happens."""

    def __init__(self, pbx: Pbx, side: Side, interval: int, ours: bool) -> None:
        """`interval` in seconds; `ours`: it is for us to refresh."""
        self._pbx = pbx
        self._side = side
        self._interval = interval
        self._ours = ours
        self._timers: list[Timer] = []
        self.refreshed()

    def headers(self, *, asking: bool) -> Headers:
        """Headers of a request that refreshes the session, `asking`, or of the 2xx to one."""
        refresher = "uac" if asking == self._ours else "uas"
        option = ("Supported" if asking else "Require", OPTION)
        return [option, ("Session-Expires", f"{self._interval};refresher={refresher}")]

    def refreshed(self) -> None:
        """The interval begins again."""
        self.close()
        clock, interval = self._pbx.clock, self._interval
        self._timers.append(clock.after(interval - min(_MARGIN, interval / 3), self._expired))
        if self._ours and "refreshes-no-session" not in self._pbx.faults:
            self._timers.append(clock.after(interval / 2, self._refresh))

    def close(self) -> None:
        """Wait for nothing any more."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _refresh(self) -> None:
        dialog = self._side.dialog
        about = [("Contact", self._side.contact), *self.headers(asking=True)]
        Request(
            self._pbx.station.layer,
            lambda credentials: dialog.request("UPDATE", [*about, *credentials]),
            dialog.next_hop(),
            "protocol",
            self._side.account,
            on_final=self._answered,
            on_failure=self._unanswered,
        )

    def _answered(self, response: Message) -> None:
        if not self._timers:
            return  # the call is over
        if 200 <= response.code < 300:
            self._side.dialog.refresh(response)
            self.refreshed()
        elif ends_the_call("UPDATE", response.code, self._pbx.faults):
            self._end()

    def _unanswered(self, _why: Why) -> None:
        if self._timers and ends_the_call("UPDATE", 408, self._pbx.faults):
            self._end()

    def _expired(self) -> None:
        if "outlives-session" not in self._pbx.faults:
            self._end()

    def _end(self) -> None:
        self.close()
        reason = [("Reason", 'SIP;cause=408;text="Session Expired"')]
        for side in (self._side, self._side.other):
            if side is not None:
                side.end(reason)


def _seconds(message: Message, name: str) -> int:
    try:
        return seconds(message, name) or 0
    except SipError:
        return 0
