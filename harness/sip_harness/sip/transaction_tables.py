"""The four transaction state machines of RFC 3261 17, with the Accepted states of RFC 6026, as tables.

Everything that decides about a transition stands here; `transaction` only carries the rows out. A row reads:
in this state, on this event, go to that state and do these things, in order. What has no row is absorbed: it changes
nothing and causes nothing. Entering a state starts the timers that the state owns; a timer that the next state does not
own stops, one that both own runs on.

Events are `1xx`, `2xx`, `3-6xx` (a response received by a client, or handed down to a server), `request` (the request
came again), `ACK`, `error` (the transport could not send) and the letters of the timers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

Event = Literal[
    "1xx", "2xx", "3-6xx", "request", "ACK", "error", "A", "B", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M"
]
Letter = Literal["A", "B", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M"]
Do = Literal["send", "again", "ack", "deliver", "timeout", "transport"]
"""`send` what was handed down; send the last thing `again`; `ack` this non-2xx final; `deliver` the message to the
transaction user; report that the peer gave no answer (`timeout`) or that nothing could be sent (`transport`)."""


class State(Enum):
    """States of all four machines, by the RFC's names."""

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True)
class Timers:
    """The three times that all timers derive from (RFC 3261 17.1.1.1, table 4). Seconds."""

    t1: float = 0.5
    """Estimate of the round trip."""
    t2: float = 4.0
    """Longest interval between retransmissions of anything but an INVITE."""
    t4: float = 5.0
    """How long a message may stay in the network."""

    @property
    def lifetime(self) -> float:
        """64*T1: after this time without an answer the peer is taken for dead."""
        return 64 * self.t1

    def duration(self, letter: Letter, *, reliable: bool = False) -> float | None:
        """First duration of a timer, seconds; None where it is not used (nothing is resent on a reliable transport)."""
        if letter in "AEG":
            return None if reliable else self.t1
        if letter in "DJ":
            return 0.0 if reliable else self.lifetime
        if letter in "IK":
            return 0.0 if reliable else self.t4
        return self.lifetime


@dataclass(frozen=True, slots=True)
class Row:
    """Outcome of one event in one state."""

    to: State
    do: tuple[Do, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """One state machine."""

    name: str
    first: State
    rows: Mapping[tuple[State, Event], Row]
    timers: Mapping[State, tuple[Letter, ...]]


_CALLING, _TRYING, _PROCEEDING = State.CALLING, State.TRYING, State.PROCEEDING
_COMPLETED, _CONFIRMED, _ACCEPTED, _OVER = State.COMPLETED, State.CONFIRMED, State.ACCEPTED, State.TERMINATED

INVITE_CLIENT = Table(
    "INVITE client",  # RFC 3261 17.1.1, RFC 6026 7.2
    _CALLING,
    {
        (_CALLING, "A"): Row(_CALLING, ("again",)),
        (_CALLING, "B"): Row(_OVER, ("timeout",)),
        (_CALLING, "error"): Row(_OVER, ("transport",)),
        (_CALLING, "1xx"): Row(_PROCEEDING, ("deliver",)),
        (_CALLING, "2xx"): Row(_ACCEPTED, ("deliver",)),
        (_CALLING, "3-6xx"): Row(_COMPLETED, ("ack", "deliver")),
        (_PROCEEDING, "1xx"): Row(_PROCEEDING, ("deliver",)),
        (_PROCEEDING, "2xx"): Row(_ACCEPTED, ("deliver",)),
        (_PROCEEDING, "3-6xx"): Row(_COMPLETED, ("ack", "deliver")),
        (_COMPLETED, "3-6xx"): Row(_COMPLETED, ("ack",)),
        (_COMPLETED, "error"): Row(_OVER, ("transport",)),
        (_COMPLETED, "D"): Row(_OVER),
        # The RFC has no row for the next two, as no proxy may cause them. A tester meets proxies that do: the 2xx
        # opened a dialog at its sender, to be acknowledged and ended; the failure would be resent until its ACK.
        (_COMPLETED, "2xx"): Row(_COMPLETED, ("deliver",)),
        (_ACCEPTED, "3-6xx"): Row(_ACCEPTED, ("ack",)),
        (_ACCEPTED, "2xx"): Row(_ACCEPTED, ("deliver",)),
        (_ACCEPTED, "M"): Row(_OVER),
    },
    {_CALLING: ("A", "B"), _COMPLETED: ("D",), _ACCEPTED: ("M",)},
)

CLIENT = Table(
    "non-INVITE client",  # RFC 3261 17.1.2
    _TRYING,
    {
        (_TRYING, "E"): Row(_TRYING, ("again",)),
        (_TRYING, "F"): Row(_OVER, ("timeout",)),
        (_TRYING, "error"): Row(_OVER, ("transport",)),
        (_TRYING, "1xx"): Row(_PROCEEDING, ("deliver",)),
        (_TRYING, "2xx"): Row(_COMPLETED, ("deliver",)),
        (_TRYING, "3-6xx"): Row(_COMPLETED, ("deliver",)),
        (_PROCEEDING, "E"): Row(_PROCEEDING, ("again",)),
        (_PROCEEDING, "F"): Row(_OVER, ("timeout",)),
        (_PROCEEDING, "error"): Row(_OVER, ("transport",)),
        (_PROCEEDING, "1xx"): Row(_PROCEEDING, ("deliver",)),
        (_PROCEEDING, "2xx"): Row(_COMPLETED, ("deliver",)),
        (_PROCEEDING, "3-6xx"): Row(_COMPLETED, ("deliver",)),
        (_COMPLETED, "K"): Row(_OVER),
    },
    {_TRYING: ("E", "F"), _PROCEEDING: ("E", "F"), _COMPLETED: ("K",)},
)

INVITE_SERVER = Table(
    "INVITE server",  # RFC 3261 17.2.1, RFC 6026 7.1
    _PROCEEDING,
    {
        (_PROCEEDING, "request"): Row(_PROCEEDING, ("again",)),
        (_PROCEEDING, "1xx"): Row(_PROCEEDING, ("send",)),
        (_PROCEEDING, "2xx"): Row(_ACCEPTED, ("send",)),
        (_PROCEEDING, "3-6xx"): Row(_COMPLETED, ("send",)),
        (_PROCEEDING, "error"): Row(_OVER, ("transport",)),
        (_COMPLETED, "request"): Row(_COMPLETED, ("again",)),
        (_COMPLETED, "G"): Row(_COMPLETED, ("again",)),
        (_COMPLETED, "H"): Row(_OVER, ("timeout",)),
        (_COMPLETED, "ACK"): Row(_CONFIRMED),
        (_COMPLETED, "error"): Row(_OVER, ("transport",)),
        (_CONFIRMED, "I"): Row(_OVER),
        (_ACCEPTED, "2xx"): Row(_ACCEPTED, ("send",)),
        (_ACCEPTED, "ACK"): Row(_ACCEPTED, ("deliver",)),
        (_ACCEPTED, "error"): Row(_ACCEPTED, ("transport",)),
        (_ACCEPTED, "L"): Row(_OVER),
    },
    {_COMPLETED: ("G", "H"), _CONFIRMED: ("I",), _ACCEPTED: ("L",)},
)

SERVER = Table(
    "non-INVITE server",  # RFC 3261 17.2.2
    _TRYING,
    {
        (_TRYING, "1xx"): Row(_PROCEEDING, ("send",)),
        (_TRYING, "2xx"): Row(_COMPLETED, ("send",)),
        (_TRYING, "3-6xx"): Row(_COMPLETED, ("send",)),
        (_PROCEEDING, "request"): Row(_PROCEEDING, ("again",)),
        (_PROCEEDING, "1xx"): Row(_PROCEEDING, ("send",)),
        (_PROCEEDING, "2xx"): Row(_COMPLETED, ("send",)),
        (_PROCEEDING, "3-6xx"): Row(_COMPLETED, ("send",)),
        (_PROCEEDING, "error"): Row(_OVER, ("transport",)),
        (_COMPLETED, "request"): Row(_COMPLETED, ("again",)),
        (_COMPLETED, "error"): Row(_OVER, ("transport",)),
        (_COMPLETED, "J"): Row(_OVER),
    },
    {_COMPLETED: ("J",)},
)
