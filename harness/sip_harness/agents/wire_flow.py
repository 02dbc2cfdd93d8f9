"""The way between a wire agent and a system that is elsewhere, with the NATs on it: kept open, and stated as the system
sees it (RFC 3581, RFC 5626 4.4, 4.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sip_harness.endpoint import build
from sip_harness.endpoint.request import Request
from sip_harness.endpoint.ua import UserAgent
from sip_harness.model.gate import Gate
from sip_harness.net.base import Hop, host_port, stated
from sip_harness.net.clock import Timer
from sip_harness.sip.message import Message, first_element
from sip_harness.sip.via import parse_via, reflexive

KEEPALIVE = 25.0
"""Seconds between two keep-alives by UDP; many NATs forget after 30 (RFC 4787 4.3: 120)."""
KEEPALIVE_OF_STREAMS = 95.0
"""Seconds between two keep-alives on a connection (RFC 5626 4.4.1: 95 to 120)."""
LOOK = 2.0
"""Seconds that a caller waits to learn where it is seen."""


class Flow:
    """One agent's way to the system."""

    def __init__(
        self, ua: UserAgent, hop: Hop, gate: Gate, on_moved: Callable[[str], None], *, forwarded: bool
    ) -> None:
        """`on_moved` is told where the system sees us, if it is not where we are. `forwarded`: our address is stated by
        the profile, whatever the system sees."""
        self._ua = ua
        self._hop = hop
        self._gate = gate
        self._on_moved = on_moved
        self._forwarded = forwarded
        self._timer: Timer | None = None

    def heard(self, message: Message, hop: Hop) -> None:
        """A message has come: what it names may be named in its call, and the Via of a response says where we are."""
        self._gate.heard(message, hop.remote[0])
        if not message.is_request and not self._forwarded and self._gate.may_contact(hop.remote[0]):
            self._learn(first_element(message.get("via") or ""))

    def keep(self) -> None:
        """Keep the way open from now on."""
        transport = self._ua.transport
        transport.ping(self._hop.remote)
        self._timer = self._ua.clock.after(KEEPALIVE_OF_STREAMS if transport.reliable else KEEPALIVE, self.keep)

    async def look(self) -> None:
        """Ask where we are seen, as somebody who does not register is told nowhere else before its first call."""
        ua, answer = self._ua, asyncio.Event()
        call_id, sender, numbers = ua.new_call_id(), ua.sender(), iter(range(1, 1000))
        uri = f"sip:{ua.identity.aor.partition('@')[2]}"

        def make(credentials: build.Headers) -> bytes:
            return build.request(
                "OPTIONS", uri, via=build.new_via(ua.transport), sender=sender, to=f"<{uri}>", call_id=call_id,
                cseq=next(numbers), headers=[("Contact", ua.contact), *credentials],
            )  # fmt: skip

        def over(_outcome: object) -> None:
            answer.set()

        request = Request(
            ua.layer, make, self._hop, "protocol", ua.identity.credentials, on_final=over, on_failure=over
        )
        request.retry = False  # any answer tells it
        try:
            await asyncio.wait_for(answer.wait(), LOOK)
        except TimeoutError:
            request.client.stop()

    def stop(self) -> None:
        """Keep it no longer."""
        if self._timer is not None:
            self._timer.cancel()

    def _learn(self, via: str) -> None:
        found, mine, here = reflexive(via), parse_via(via), stated(self._ua.transport)
        if found is None or mine is None or mine.host.strip("[]") != here[0]:
            return
        # Who connects does so from any port: only another host shows that somebody stands between.
        elsewhere = found[0] != here[0] if self._ua.transport.reliable else found != here
        seen = found if elsewhere else None
        if seen != self._ua.seen:
            self._ua.seen = seen
            self._on_moved(host_port(seen or here))
