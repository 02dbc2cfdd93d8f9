"""The transactions of the layer at work: what their state machines say is carried out here, and here their timers run.

`Client` is a request of ours, `Server` one from outside (RFC 3261 17.1, 17.2). The machines themselves know neither
sockets nor a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from sip_harness.endpoint.delivery import damage
from sip_harness.model.entry import Origin
from sip_harness.model.steps import PLAIN, Delivery
from sip_harness.net.base import Hop, OnLost
from sip_harness.net.clock import Timer
from sip_harness.sip.message import Message, first_element
from sip_harness.sip.transaction import (
    Action,
    ClientTransaction,
    Deliver,
    Failed,
    ServerTransaction,
    Terminated,
    Transmit,
)
from sip_harness.sip.transaction_key import Key
from sip_harness.sip.transaction_tables import State
from sip_harness.sip.via import parse_via, response_address

if TYPE_CHECKING:
    from sip_harness.endpoint.layer import Layer

Why = Literal["timeout", "transport"]


class _Kept:
    """What the layer keeps for one transaction: where it sends to, whose bytes it last sent, when it is due."""

    __slots__ = ("_how", "_layer", "_origin", "_stopped", "_timer", "_to", "on_failure")

    def __init__(self, layer: Layer, hop: Hop, origin: Origin) -> None:
        self._to = hop
        self.on_failure: Callable[[Why], None] = _ignore
        """Called when no answer (or no ACK) came, or nothing could be sent; settable."""
        self._layer = layer
        self._origin = origin
        self._how = PLAIN
        self._timer: Timer | None = None
        self._stopped = False

    @property
    def hop(self) -> Hop:
        """Where its messages go."""
        return self._to

    def _transaction(self) -> ClientTransaction | ServerTransaction:
        raise NotImplementedError

    def _deliver(self, message: Message) -> None:
        raise NotImplementedError

    def _forget(self) -> None:
        raise NotImplementedError

    def _carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Transmit):
                self._transmit(action)
            elif isinstance(action, Deliver):
                self._deliver(action.message)
            elif isinstance(action, Failed):
                # Never from inside the call that caused it: its caller has not yet set what is to be called.
                self._layer.clock.loop.call_soon(self._fail, action.why)
            elif isinstance(action, Terminated):
                self._forget()
        self._arm()

    def _transmit(self, action: Transmit) -> None:
        origin = "protocol" if action.kind == "ack" else self._origin
        how = PLAIN if action.kind == "ack" else self._how
        copies = how.copies if action.kind == "first" else 1
        hop = self.hop
        heard = hop.transport.reliable or self._layer.heeds_icmp
        on_lost: OnLost = (lambda why: self._lost(why, action)) if heard else _ignore
        sent = [self._layer.send(action.data, hop, origin, how, on_lost) for _ in range(copies)]
        if not all(sent):
            self._carry_out(self._transaction().transport_failed(self._layer.clock.now()))

    def _lost(self, why: str, _action: Transmit) -> None:
        """The connection went before the message had, or ICMP says that nobody got it (RFC 3261 8.1.3.1, 18.4)."""
        if not self._stopped:
            self._layer.user.on_lost(why)
            self._carry_out(self._transaction().transport_failed(self._layer.clock.now()))

    def _fail(self, why: Why) -> None:
        self.on_failure(why)

    def _arm(self) -> None:
        deadline = None if self._stopped else self._transaction().deadline
        if self._timer is not None:
            if self._timer.when == deadline:
                return
            self._timer.cancel()
        self._timer = None if deadline is None else self._layer.clock.at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._carry_out(self._transaction().tick(self._layer.clock.now()))

    def stop(self) -> None:
        """Forget the transaction and its timers without a word to anyone."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._forget()


class Client(_Kept):
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


class Server(_Kept):
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
        self.on_confirmed: Callable[[], None] = _ignore
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
        self.on_failure = self.on_confirmed = _ignore
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


def _as_it_is(data: bytes) -> bytes:
    """What leaves as it was made."""
    return data


def _ignore(*_arguments: object) -> None:
    """Callback that nobody has set."""
