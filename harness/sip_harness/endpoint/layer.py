"""The transaction layer: sends requests, answers them, and keeps the time for both (RFC 3261 17, 18).

It owns the transactions, looks them up in constant time and carries out what they say. Above it stands a transaction
user: a user agent core or a proxy. Below it stand transports, which call `receive`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, Protocol

from sip_harness.endpoint.delivery import damage
from sip_harness.model.entry import Origin
from sip_harness.model.steps import PLAIN, Delivery
from sip_harness.net.base import Hop, OnLost, SendFailed
from sip_harness.net.clock import Clock, Timer
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
from sip_harness.sip.transaction_key import Key, response_key, server_key
from sip_harness.sip.transaction_tables import State, Timers
from sip_harness.sip.via import parse_via, response_address, sent_by

MAX_SERVERS = 200_000
"""Server transactions at one time; what comes beyond is recorded and not answered. Each takes some 6 kB."""
MAX_REQUEST_BYTES = 128 << 20
"""Bytes of the requests of all server transactions; the same then."""

Why = Literal["timeout", "transport"]


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
