"""Transactions: carry the rows of `transaction_tables` out. No socket and no clock: time is passed in.

A transaction is told what was received, what its user wants to send and what time it is (seconds on any monotonic
clock); it answers with actions for its owner to carry out, in order. `deadline` says when to call `tick` next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sip_harness.sip.message import Message, build, first_element
from sip_harness.sip.transaction_tables import (
    CLIENT,
    INVITE_CLIENT,
    INVITE_SERVER,
    SERVER,
    Event,
    Letter,
    State,
    Table,
    Timers,
)


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send these bytes."""

    data: bytes
    kind: Literal["first", "again", "ack"]
    """What was handed down, the same bytes once more, or an ACK that the transaction made by itself."""


@dataclass(frozen=True, slots=True)
class Deliver:
    """Pass a received message to the transaction user."""

    message: Message


@dataclass(frozen=True, slots=True)
class Failed:
    """Tell the transaction user that no answer (or no ACK) came in time, or that the transport could not send."""

    why: Literal["timeout", "transport"]


@dataclass(frozen=True, slots=True)
class Terminated:
    """The transaction is over: forget it. Always the last action."""


Action = Transmit | Deliver | Failed | Terminated


class Transaction:
    """What client and server transactions have in common."""

    __slots__ = ("_due", "_interval", "_last", "_reliable", "_table", "_timers", "request", "state")

    def __init__(self, table: Table, request: Message, timers: Timers, *, reliable: bool) -> None:
        self.request = request
        self.state = table.first
        self._table = table
        self._timers = timers
        self._reliable = reliable
        self._due: dict[Letter, float] = {}
        self._interval = timers.t1
        self._last = b""

    @property
    def deadline(self) -> float | None:
        """When to call `tick` next; None while no timer runs."""
        return min(self._due.values(), default=None)

    @property
    def terminated(self) -> bool:
        """Whether the transaction is over."""
        return self.state is State.TERMINATED

    def tick(self, now: float) -> list[Action]:
        """Fire every timer that is due by `now`."""
        actions: list[Action] = []
        while self._due:
            letter, due = min(self._due.items(), key=lambda item: item[1])
            if due > now:
                break
            del self._due[letter]
            if letter in "AEG":
                self._rearm(letter, now)
            actions += self._on(letter, now)
        return actions

    def transport_failed(self, now: float) -> list[Action]:
        """The bytes of a Transmit could not be sent (RFC 3261 17.1.4, 17.2.4)."""
        return self._on("error", now)

    def hush(self) -> None:
        """Never send the last message again, neither by timer nor for a request that comes again."""
        self._last = b""

    def _on(self, event: Event, now: float, message: Message | None = None, data: bytes = b"") -> list[Action]:
        row = self._table.rows.get((self.state, event))
        if row is None:
            return []
        if row.to is not self.state:
            self._enter(row.to, now)
        actions: list[Action] = []
        for do in row.do:
            if do == "send":
                self._last = data
                actions.append(Transmit(data, "first"))
            elif do == "again":
                if self._last:
                    actions.append(Transmit(self._last, "again"))
            elif do == "ack":
                assert message is not None
                actions.append(Transmit(ack_for_failure(self.request, message), "ack"))
            elif do == "deliver":
                assert message is not None
                actions.append(Deliver(message))
            else:
                actions.append(Failed(do))
        if row.to is State.TERMINATED:
            actions.append(Terminated())
        return actions

    def _enter(self, state: State, now: float) -> None:
        owned = self._table.timers.get(state, ())
        self._due = {letter: due for letter, due in self._due.items() if letter in owned}
        for letter in owned:
            if letter not in self._due:
                self._start(letter, now)
        self.state = state

    def _start(self, letter: Letter, now: float) -> None:
        duration = self._timers.duration(letter, reliable=self._reliable)
        if duration is not None:
            self._due[letter] = now + duration

    def _rearm(self, letter: Letter, now: float) -> None:
        """The next retransmission: an INVITE's doubles without end, any other up to T2 (RFC 3261 17)."""
        doubled = 2 * self._interval
        if letter != "A":
            waits_only = letter == "E" and self.state is State.PROCEEDING
            doubled = self._timers.t2 if waits_only else min(doubled, self._timers.t2)
        self._interval = doubled
        self._due[letter] = now + doubled


class ClientTransaction(Transaction):
    """A request of ours and its responses (RFC 3261 17.1). Not for ACK, which has no transaction of its own."""

    __slots__ = ()

    def __init__(self, request: Message, timers: Timers, *, reliable: bool = False) -> None:
        table = INVITE_CLIENT if request.method == "INVITE" else CLIENT
        super().__init__(table, request, timers, reliable=reliable)

    def start(self, now: float) -> list[Action]:
        """Send the request. Call it once, first."""
        self._last = self.request.data
        self._enter(self._table.first, now)
        return [Transmit(self._last, "first")]

    def receive(self, response: Message, now: float) -> list[Action]:
        """A response that matches this transaction; a code below 100 is none (RFC 3261 21)."""
        return self._on(response_class(response.code), now, response) if response.code >= 100 else []


class ServerTransaction(Transaction):
    """A request from outside and our responses (RFC 3261 17.2)."""

    __slots__ = ()

    def __init__(self, request: Message, timers: Timers, *, reliable: bool = False) -> None:
        table = INVITE_SERVER if request.method == "INVITE" else SERVER
        super().__init__(table, request, timers, reliable=reliable)

    def receive(self, request: Message, now: float) -> list[Action]:
        """A retransmission of the request, or an ACK that matches it."""
        return self._on("ACK" if request.method == "ACK" else "request", now, request)

    def respond(self, code: int, data: bytes, now: float) -> list[Action]:
        """Send a response. No action means that the state machine does not allow it any more."""
        return self._on(response_class(code), now, data=data)


def response_class(code: int) -> Event:
    """The event that a response is to a state machine; unknown classes count as failures (RFC 3261 8.1.3.2)."""
    if code < 200:
        return "1xx"
    return "2xx" if code < 300 else "3-6xx"


def ack_for_failure(invite: Message, response: Message) -> bytes:
    """The ACK to a non-2xx final response (RFC 3261 17.1.1.3): same branch as the INVITE, To of the response."""
    return _along(invite, "ACK", response.get("to") or invite.get("to") or "")


def cancel_for(invite: Message) -> bytes:
    """The CANCEL of an INVITE that has not got its final response (RFC 3261 9.1): same branch, same CSeq number."""
    return _along(invite, "CANCEL", invite.get("to") or "")


def _along(invite: Message, method: str, to: str) -> bytes:
    """A request that must take the very way of its INVITE."""
    headers = [("Via", first_element(invite.get("via") or "")), ("Max-Forwards", "70")]
    headers += [("Route", route) for route in invite.all("route")]
    headers += [("From", invite.get("from") or ""), ("To", to)]
    headers += [("Call-ID", invite.call_id), ("CSeq", f"{invite.cseq[0]} {method}")]
    return build(f"{method} {invite.uri} SIP/2.0", headers)
