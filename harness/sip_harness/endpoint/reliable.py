"""Reliable provisional responses to one INVITE (RFC 3262 3): sent again until their PRACK comes."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace

from sip_harness.endpoint.answer import Reply
from sip_harness.endpoint.build import Headers
from sip_harness.endpoint.server import Server
from sip_harness.endpoint.ua import UserAgent
from sip_harness.net.clock import Timer
from sip_harness.sip.message import Message

_FIRST = 2**31 - 2**16
"""RSeq begins below 2**31 (RFC 3262 3), with room to count up."""


class _Waiting:
    """One reliable provisional without its PRACK."""

    def __init__(self, ua: UserAgent, server: Server, reply: Reply, on_given_up: Callable[[], None]) -> None:
        self._ua = ua
        self._server = server
        self._reply = replace(reply, how=replace(reply.how, copies=1))
        self._on_given_up = on_given_up
        self._interval = ua.timers.t1
        self._end = ua.clock.now() + ua.timers.lifetime
        self._timer: Timer | None = None
        if reply.how.resend is None:
            self._timer = ua.clock.after(self._interval, self._again)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _again(self) -> None:
        now = self._ua.clock.now()
        if now >= self._end:
            self._timer = None
            self._on_given_up()
            return
        self._server.send_past(self._reply.data, self._reply.origin, self._reply.how)
        self._interval *= 2
        self._timer = self._ua.clock.at(min(now + self._interval, self._end), self._again)


class Reliables:
    """The reliable provisionals of one INVITE."""

    def __init__(self, ua: UserAgent, server: Server, on_given_up: Callable[[], None]) -> None:
        """`on_given_up` is called when one got no PRACK within 64*T1: the INVITE is to be refused with a 5xx."""
        self._ua = ua
        self._server = server
        self._on_given_up = on_given_up
        self._last = 0
        self._waiting: dict[int, _Waiting] = {}

    def headers(self) -> Headers:
        """Headers of the next one."""
        self._last = self._last + 1 if self._last else 1 + secrets.randbelow(_FIRST)
        return [("Require", "100rel"), ("RSeq", str(self._last))]

    def sent(self, reply: Reply) -> None:
        """It has been sent: from T1 on, at intervals that double without end, it is sent again.

        One with a schedule of its own is left to that. The number that its PRACK must have is the one it carries.
        """
        number = _number(reply.message.get("rseq") or "")
        if before := self._waiting.get(number):
            before.stop()
        self._waiting[number] = _Waiting(self._ua, self._server, reply, self._give_up)

    def acknowledge(self, prack: Message) -> bool:
        """Whether this PRACK belongs to one that waits for it; that one is not sent again (RFC 3262 3)."""
        parts = (prack.get("rack") or "").split()
        if len(parts) != 3 or (_number(parts[1]), parts[2]) != self._server.request.cseq:
            return False
        waiting = self._waiting.pop(_number(parts[0]), None)
        if waiting is None:
            return False
        waiting.stop()
        return True

    def quiet(self) -> None:
        """The INVITE has its final response: nothing is sent again, but a PRACK on its way is still known."""
        for waiting in self._waiting.values():
            waiting.stop()

    def _give_up(self) -> None:
        self.quiet()
        self._on_given_up()


def _number(text: str) -> int:
    """A number of RSeq, RAck or CSeq; -1 for anything else."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else -1
