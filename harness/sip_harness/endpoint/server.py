"""A server transaction of the layer at work: a request from outside, to be answered (RFC 3261 17.2, 18.2.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sip_harness.endpoint.transactions import Transaction, ignore
from sip_harness.model.entry import Origin
from sip_harness.model.steps import PLAIN, Delivery
from sip_harness.net.base import Hop
from sip_harness.sip.message import Message, first_element
from sip_harness.sip.transaction import ServerTransaction, Transmit
from sip_harness.sip.transaction_key import Key
from sip_harness.sip.transaction_tables import State
from sip_harness.sip.via import parse_via, response_address

if TYPE_CHECKING:
    from sip_harness.endpoint.layer import Layer


class Server(Transaction):
    """A request from outside, to be answered."""

    __slots__ = ("_again", "_by_via", "key", "on_cancel", "on_confirmed", "source", "transaction")

    def __init__(self, layer: Layer, request: Message, source: Hop, key: Key) -> None:
        super().__init__(layer, _response_hop(request, source), "protocol")
        self._by_via = _hop_by_via(request, source)
        self._again = True
        self.source = source
        """Where the request came from."""
        self.key = key
        self.transaction = ServerTransaction(request, layer.timers, reliable=source.transport.reliable)
        self.on_confirmed: Callable[[], None] = ignore
        """Called when the ACK to a non-2xx final came; settable."""
        self.on_cancel: Callable[[Server], None] | None = None
        """Called with the transaction of a CANCEL for this INVITE; settable by the transaction user for itself."""

    @property
    def hop(self) -> Hop:
        """Where the request came from; once that connection is gone, the address in its Via (RFC 3261 18.2.2)."""
        return self._way(self._how)

    @property
    def request(self) -> Message:
        """The request as it came."""
        return self.transaction.request

    def respond(self, code: int, data: bytes, origin: Origin, how: Delivery = PLAIN) -> bool:
        """Send a response; False, and nothing sent, if the state machine allows none of this kind any more.

        Of `how` only what is about sending counts: the bytes are final. With a schedule of its own (`resend`) the
        transaction never sends this response again.
        """
        before = self._origin, self._how
        self._origin, self._how = origin, how
        actions = self.transaction.respond(code, data, self._layer.clock.now())
        if not actions:
            self._origin, self._how = before
            return False
        self._carry_out(actions)
        if how.resend is not None:
            self.transaction.hush()
        return True

    def send_past(self, data: bytes, origin: Origin, how: Delivery = PLAIN) -> None:
        """Send bytes once on the way of the responses, past the state machine: for scripts that break the rules."""
        for _ in range(how.copies):
            self._layer.send(data, self._way(how), origin, how)

    def _way(self, how: Delivery) -> Hop:
        """Nobody listens at the far end of the connection that the request came on: another one goes elsewhere."""
        transport = self._to.transport
        elsewhere = transport.reliable and how.port != "own"
        return self._by_via if elsewhere or not transport.reaches(self._to.remote) else self._to

    def release(self) -> None:
        """Let go of whoever used this transaction: it lingers for seconds and would keep the whole call in memory."""
        self.on_failure = self.on_confirmed = ignore
        self.on_cancel = None

    def receive(self, request: Message) -> None:
        """The request again, or an ACK that matches it."""
        before = self.transaction.state
        self._carry_out(self.transaction.receive(request, self._layer.clock.now()))
        if before is State.COMPLETED and request.method == "ACK":
            self.on_confirmed()

    def _lost(self, why: str, action: Transmit) -> None:
        """Once more by a connection of its own, as RFC 3261 18.2.2 wants it. Without connections the response is
        dropped and nothing else is (16.9): the client may be there again for the next one."""
        if not self._to.transport.reliable:
            self._layer.user.on_lost(why)
        elif self._again and not self._stopped:
            self._again = False
            self._transmit(action)
        else:
            super()._lost(why, action)

    def _transaction(self) -> ServerTransaction:
        return self.transaction

    def _deliver(self, message: Message) -> None:
        self._layer.user.on_ack(message, self.source)

    def _forget(self) -> None:
        if self._layer.servers.pop(self.key, None) is not None:
            self._layer.request_bytes -= len(self.request.data)


def _hop_by_via(request: Message, source: Hop) -> Hop:
    """The host that it came from, at the port that its Via names: there it listens."""
    parsed = parse_via(first_element(request.get("via") or ""))
    return Hop(source.transport, (source.remote[0], parsed.port if parsed else source.remote[1]))


def _response_hop(request: Message, source: Hop) -> Hop:
    if source.transport.reliable:
        return source
    via = first_element(request.get("via") or "")
    return Hop(source.transport, response_address(via, *source.remote))
