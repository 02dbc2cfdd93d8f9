"""The transaction layer: sends requests, answers them, and keeps the time for both (RFC 3261 17, 18).

It owns the transactions, looks them up in constant time and carries out what they say. Above it stands a transaction
user: a user agent core or a proxy. Below it stand transports, which call `receive`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sip_harness.endpoint.client import Client
from sip_harness.endpoint.server import Server
from sip_harness.model.entry import Origin
from sip_harness.model.steps import PLAIN, Delivery
from sip_harness.net.base import Hop, OnLost, SendFailed
from sip_harness.net.clock import Clock, Timer
from sip_harness.sip.message import Message, first_element
from sip_harness.sip.transaction_key import Key, response_key, server_key
from sip_harness.sip.transaction_tables import Timers
from sip_harness.sip.via import parse_via, sent_by

MAX_SERVERS = 200_000
"""Server transactions at one time; what comes beyond is recorded and not answered. Each takes some 6 kB."""
MAX_REQUEST_BYTES = 128 << 20
"""Bytes of the requests of all server transactions; the same then."""


class TransactionUser(Protocol):
    """What stands above the layer. None of these may block or raise."""

    def on_request(self, server: Server) -> None:
        """A new request, with the transaction to answer it by."""

    def on_ack(self, ack: Message, hop: Hop) -> None:
        """An ACK to a 2xx, or one that belongs to nothing."""

    def on_stray(self, response: Message, hop: Hop) -> None:
        """A response that belongs to no transaction: never forwarded (RFC 6026 8.10)."""

    def on_unsent(self, why: str) -> None:
        """Something could not be sent."""

    def on_lost(self, why: str) -> None:
        """Something did not leave after all, or did not arrive: the peer refused or broke the connection."""


class Layer:
    """All transactions of one transaction user."""

    def __init__(self, clock: Clock, timers: Timers, user: TransactionUser) -> None:
        self.clock = clock
        self.timers = timers
        self.user = user
        self.heeds_icmp = True
        """Whether a request that ICMP reports undelivered has failed at once (RFC 3261 18.4), on a transport that
        hears of it; settable."""
        self.hands_up_all = False
        """Whether failures after the final response of an INVITE are delivered, too, against RFC 3261 17.1.1.2;
        settable."""
        self.clients: dict[Key, Client] = {}
        self.servers: dict[Key, Server] = {}
        self.request_bytes = 0
        """Of the requests of all server transactions."""
        self.most_servers = MAX_SERVERS
        """See MAX_SERVERS; settable."""
        self._later: set[Timer] = set()

    @property
    def scheduled(self) -> bool:
        """Whether something is still to be sent by `later`."""
        return bool(self._later)

    def request(
        self,
        request: Message,
        hop: Hop,
        origin: Origin,
        on_response: Callable[[Message], None],
        how: Delivery = PLAIN,
    ) -> Client:
        """Send a request in a client transaction of its own. Not for ACK: see `send`.

        `on_response` gets every response that the state machine lets through. Set `on_failure` on the result. With a
        schedule of its own in `how` the request is sent again by that alone; its damages are made on its way out.
        """
        client = Client(self, request, hop, origin, on_response, how)
        self.clients[client.key] = client
        client.start()
        return client

    def send(self, data: bytes, hop: Hop, origin: Origin, how: Delivery = PLAIN, on_lost: OnLost | None = None) -> bool:
        """Send bytes once without a transaction (ACK to a 2xx); False if they did not leave. Of `how` only the cuts
        and the port count. `on_lost` is told what goes wrong later."""
        lost = on_lost or self.user.on_lost
        try:
            hop.transport.send(data, hop.remote, origin, pieces=how.pieces, port=how.port, on_lost=lost)
        except SendFailed as error:
            self.user.on_unsent(str(error))
            return False
        return True

    def later(self, delay: float, data: bytes, hop: Hop, origin: Origin, how: Delivery = PLAIN) -> None:
        """Send bytes once after so many seconds, whatever comes until then, without a transaction."""

        def send() -> None:
            self._later.discard(timer)
            self.send(data, hop, origin, how)

        timer = self.clock.after(delay, send)
        self._later.add(timer)

    def receive(self, message: Message, hop: Hop) -> None:
        """What a transport received."""
        if message.is_request:
            self._request_came(message, hop)
        else:
            self._response_came(message, hop)

    def invite_of(self, cancel: Message) -> Server | None:
        """The INVITE transaction that a CANCEL is for (RFC 3261 9.2)."""
        return self.servers.get(server_key(cancel, "INVITE"))

    def close(self) -> None:
        """Forget everything at once."""
        for timer in self._later:
            timer.cancel()
        self._later.clear()
        for kept in [*self.clients.values(), *self.servers.values()]:
            kept.stop()

    def _request_came(self, request: Message, hop: Hop) -> None:
        key = server_key(request)
        known = self.servers.get(key)
        if known is not None:
            known.receive(request)
        elif request.method == "ACK":
            self.user.on_ack(request, hop)
        elif self._has_room and parse_via(first_element(request.get("via") or "")):
            server = Server(self, request, hop, key)
            self.servers[key] = server
            self.request_bytes += len(request.data)
            self.user.on_request(server)

    @property
    def _has_room(self) -> bool:
        return len(self.servers) < self.most_servers and self.request_bytes < MAX_REQUEST_BYTES

    def _response_came(self, response: Message, hop: Hop) -> None:
        client = self.clients.get(response_key(response))
        if client is not None and _is_ours(response, client.request):
            client.receive(response)
        else:
            self.user.on_stray(response, hop)


def _is_ours(response: Message, request: Message) -> bool:
    """RFC 3261 18.1.2: a response whose top Via does not name us is discarded."""
    mine, theirs = request.get("via") or "", response.get("via") or ""
    return sent_by(first_element(theirs)) == sent_by(first_element(mine))
