"""What every transaction of the layer does: what its state machine says is carried out here, and here its timers run.

`client` has requests of ours, `server` those from outside (RFC 3261 17.1, 17.2). The machines themselves know neither
sockets nor a clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from sip_harness.model.entry import Origin
from sip_harness.model.steps import PLAIN
from sip_harness.net.base import Hop, OnLost
from sip_harness.net.clock import Timer
from sip_harness.sip.message import Message
from sip_harness.sip.transaction import (
    Action,
    ClientTransaction,
    Deliver,
    Failed,
    ServerTransaction,
    Terminated,
    Transmit,
)

if TYPE_CHECKING:
    from sip_harness.endpoint.layer import Layer

Why = Literal["timeout", "transport"]


class Transaction:
    """What the layer keeps for one transaction: where it sends to, whose bytes it last sent, when it is due."""

    __slots__ = ("_how", "_layer", "_origin", "_stopped", "_timer", "_to", "on_failure")

    def __init__(self, layer: Layer, hop: Hop, origin: Origin) -> None:
        self._to = hop
        self.on_failure: Callable[[Why], None] = ignore
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
        on_lost: OnLost = (lambda why: self._lost(why, action)) if heard else ignore
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


def ignore(*_arguments: object) -> None:
    """Callback that nobody has set."""
