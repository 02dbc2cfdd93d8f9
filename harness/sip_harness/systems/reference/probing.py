"""OPTIONS to the carriers of runs: one that does not answer is passed over until it does (RFC 3261 11)."""

from __future__ import annotations

import secrets
from collections import Counter
from functools import partial

from sip_harness.endpoint import build
from sip_harness.endpoint.client import Client
from sip_harness.net.base import host_port
from sip_harness.net.clock import Timer
from sip_harness.sip.message import Message, parse
from sip_harness.systems.reference.core import Core
from sip_harness.systems.reference.router import Carrier

IN_A_ROW = 3
"""Probes that have to say the same, where a scenario needs `damped-probing`."""


class Prober:
    """Asks the carriers of one run, each by itself, until it is stopped."""

    def __init__(self, core: Core, carriers: list[Carrier], in_a_row: int = 1) -> None:
        """The first question comes after one interval: until then everybody is believed to be there. What is believed
        of a carrier changes when so many probes `in_a_row` say so."""
        self._core = core
        self._in_a_row = 1 if "flaps-with-every-probe" in core.faults else in_a_row
        self._against: Counter[str] = Counter()
        """Probes that have just spoken against what is believed, by carrier."""
        self._timers: dict[str, Timer] = {}
        self._clients: dict[str, Client] = {}
        for carrier in carriers:
            self._schedule(carrier)
        self._believes = partial(self._believe, carriers)
        core.believers.append(self._believes)

    def stop(self) -> None:
        """Ask nobody any more."""
        for timer in self._timers.values():
            timer.cancel()
        for client in self._clients.values():
            client.stop()
        self._core.believers.remove(self._believes)

    def _schedule(self, carrier: Carrier) -> None:
        ask = partial(self._ask, carrier)
        self._timers[carrier.target.carrier] = self._core.clock.after(self._core.settings.probe, ask)

    def _ask(self, carrier: Carrier) -> None:
        hop = self._core.hop_to(carrier.target.uri)
        if hop is None:
            return
        request = self._options(carrier.target.uri, build.new_via(hop.transport))
        client = self._core.layer.request(request, hop, "protocol", partial(self._heard, carrier))
        client.on_failure = lambda _: self._judge(carrier, alive=False)
        self._clients[carrier.target.carrier] = client

    def _options(self, uri: str, via: str) -> Message:
        here = host_port(self._core.here)
        data = build.request(
            "OPTIONS",
            uri,
            via=via,
            sender=f"<sip:probe@{here}>;tag={build.new_tag()}",
            to=f"<{uri}>",
            call_id=f"{secrets.token_hex(8)}@{self._core.here[0]}",
            cseq=1,
            headers=[],
        )
        return parse(data)

    def _heard(self, carrier: Carrier, response: Message) -> None:
        """Whatever it says, it is there; a carrier need not know OPTIONS."""
        if response.code >= 200:
            refuses = "takes-404-for-dead" in self._core.faults and response.code >= 300
            self._judge(carrier, alive=not refuses)

    def _believe(self, carriers: list[Carrier], response: Message) -> None:
        """A fault: the Call-ID is enough."""
        for carrier in carriers:
            client = self._clients.get(carrier.target.carrier)
            if client is not None and client.request.call_id == response.call_id:
                client.stop()
                self._judge(carrier, alive=True)

    def _judge(self, carrier: Carrier, *, alive: bool) -> None:
        name = carrier.target.carrier
        self._against[name] = self._against[name] + 1 if alive != carrier.alive else 0
        for_good = alive and "stays-with-the-backup" in self._core.faults
        if self._against[name] >= self._in_a_row and not for_good:
            self._core.log(self._clients[name].request, f"{name} {'answers again' if alive else 'does not answer'}")
            carrier.alive, self._against[name] = alive, 0
        self._schedule(carrier)
