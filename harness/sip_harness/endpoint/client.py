"""A client transaction of the layer at work: a request of ours under way (RFC 3261 17.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from sip_harness.endpoint.delivery import damage
from sip_harness.endpoint.transactions import Transaction, Why
from sip_harness.model.entry import Origin
from sip_harness.model.steps import PLAIN, Delivery
from sip_harness.net.base import Hop
from sip_harness.sip.message import Message
from sip_harness.sip.transaction import ClientTransaction, Transmit
from sip_harness.sip.transaction_key import Key
from sip_harness.sip.transaction_tables import State

if TYPE_CHECKING:
    from sip_harness.endpoint.layer import Layer


class Client(Transaction):
    """A request of ours under way."""

    __slots__ = ("_held", "_holds", "_on_response", "data", "dress_ack", "transaction")

    def __init__(
        self,
        layer: Layer,
        request: Message,
        hop: Hop,
        origin: Origin,
        on_response: Callable[[Message], None],
        how: Delivery = PLAIN,
    ) -> None:
        super().__init__(layer, hop, origin)
        self._how = how
        self.data = damage(request.data, how)
        """The request as it leaves."""
        self.transaction = ClientTransaction(request, layer.timers, reliable=hop.transport.reliable)
        self.dress_ack: Callable[[bytes], bytes] = _as_it_is
        """What leaves instead of the ACK to a non-2xx final, empty for nothing; settable, for systems that break the
        rules."""
        self._on_response = on_response
        self._holds = False
        self._held: Transmit | None = None

    @property
    def request(self) -> Message:
        """The request as it was sent."""
        return self.transaction.request

    @property
    def key(self) -> Key:
        """How its responses find it."""
        return self.request.branch, self.request.method

    def start(self) -> None:
        """Send the request."""
        self._carry_out(self.transaction.start(self._layer.clock.now()))
        if self._how.resend is not None:
            self.transaction.hush()
            for delay in self._how.resend:
                self._layer.later(delay, self.data, self.hop, self._origin, self._how)

    def again(self, origin: Origin) -> None:
        """Send the request once more, whatever the state machine says."""
        self._layer.send(self.data, self.hop, origin, self._how)

    def receive(self, response: Message) -> None:
        """A response that matches."""
        again = response.code >= 300 and self.transaction.state in (State.COMPLETED, State.ACCEPTED)
        self._carry_out(self.transaction.receive(response, self._layer.clock.now()))
        if again and self._layer.hands_up_all:
            self._deliver(response)

    def give_up(self, why: Why) -> None:
        """It has failed, whatever its state: nobody is left who could answer."""
        self.stop()
        self._layer.clock.loop.call_soon(self._fail, why)

    def hold_ack(self) -> None:
        """From now on keep the ACK to a non-2xx final back (RFC 3261 17.1.1.3 sends it at once): for scripts that
        break the rules."""
        self._holds = True

    def release_ack(self, origin: Origin) -> None:
        """Send the ACK that was kept back, if any, and keep none back any more."""
        held, self._held, self._holds = self._held, None, False
        if held is not None:
            self._layer.send(held.data, self.hop, origin)

    def _transmit(self, action: Transmit) -> None:
        if action.kind != "ack":
            super()._transmit(replace(action, data=self.data))
        elif data := self.dress_ack(action.data):
            self._acknowledge(replace(action, data=data))

    def _acknowledge(self, ack: Transmit) -> None:
        if self._holds:
            self._held = ack
        else:
            super()._transmit(ack)

    def _transaction(self) -> ClientTransaction:
        return self.transaction

    def _deliver(self, message: Message) -> None:
        self._on_response(message)

    def _forget(self) -> None:
        self._layer.clients.pop(self.key, None)


def _as_it_is(data: bytes) -> bytes:
    """What leaves as it was made."""
    return data
