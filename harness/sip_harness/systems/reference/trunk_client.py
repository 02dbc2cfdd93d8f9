"""The core of the trunk client: registrations at carriers, and answers to what carriers ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sip_harness.endpoint.server import Server
from sip_harness.model.system import User
from sip_harness.net.base import Hop
from sip_harness.net.clock import Clock
from sip_harness.sip.message import Message
from sip_harness.systems.reference.station import Station
from sip_harness.systems.reference.trunk_registration import Patience, TrunkRegistration

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS"


class TrunkClient:
    """The transaction user: one set of registrations for each run."""

    def __init__(self, clock: Clock, patience: Patience, faults: frozenset[str]) -> None:
        """Raises OSError if there is no port to listen on."""
        self.clock = clock
        self.patience = patience
        self.faults = faults
        self._runs: dict[str, list[TrunkRegistration]] = {}
        self.station = Station(clock, self)

    def admit(self, token: str, accounts: Iterable[tuple[User, Sequence[Hop]]], *, recurses: bool = False) -> None:
        """Register every account at its carrier, whose registrars are tried in this order. With `recurses`
        redirections are followed."""
        self._runs[token] = [TrunkRegistration(self, user, hops, recurses=recurses) for user, hops in accounts]
        for registration in self._runs[token]:
            registration.begin()

    def release(self, token: str) -> None:
        """Unregister."""
        for registration in self._runs.pop(token, []):
            registration.end()

    def close(self) -> None:
        """Stop at once."""
        for token in list(self._runs):
            self.release(token)
        self.station.close()

    def on_request(self, server: Server) -> None:
        """From the layer: OPTIONS tells the carrier that the trunk lives (RFC 3261 11.2); nobody is here to call."""
        if self.station.refuses(server):
            return
        method = server.request.method
        if method == "OPTIONS":
            code = 408 if "answers-408-to-options" in self.faults else 200
        elif server.request.to_tag or method == "BYE":
            code = 481
        else:
            code = 480 if method == "INVITE" else 405
        self.station.respond(server, code, headers=[("Allow", ALLOW)])

    def on_ack(self, ack: Message, hop: Hop) -> None:
        """From the layer: no INVITE is ever accepted here."""

    def on_stray(self, response: Message, hop: Hop) -> None:
        """From the layer: an answer that came too late counts for nothing."""

    def on_unsent(self, why: str) -> None:
        """From the layer: the transaction reports it, too."""

    def on_lost(self, why: str) -> None:
        """From the layer: the transaction reports it, too."""
