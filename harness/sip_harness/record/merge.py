"""Entries of many agents as one sequence, and messages that two agents both recorded."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from itertools import chain

from sip_harness.model.entry import Address, Entry, Message

ECHO_WITHIN = 1_000_000_000
"""How far apart (nanoseconds) the two ends of one datagram may have recorded it."""


def merge(streams: Iterable[Iterable[Entry]]) -> tuple[Entry, ...]:
    """All entries in time order; entries of one time keep the order of their streams and within their stream.

    A stream need not be in order itself: an agent notes a send after the call that sent it.
    """
    return tuple(sorted(chain.from_iterable(streams), key=lambda entry: entry.time))


def echoes(messages: Sequence[Message]) -> dict[int, int]:
    """Index of each received message that another agent recorded as sent, with the index of that sending.

    Agents that talk without the system between them (an ACK to a 2xx through no Record-Route, RFC 3261 13.2.2.4)
    record each datagram twice: the same bytes, addresses swapped, close in time. Each sending is paired once, so
    that retransmissions stay as many as they were.
    """
    sent: dict[tuple[Address, Address, bytes], deque[int]] = defaultdict(deque)
    for index, message in enumerate(messages):
        if message.direction == "sent":
            sent[message.local, message.remote, message.data].append(index)
    pairs: dict[int, int] = {}
    for index, message in enumerate(messages):
        if message.direction == "received" and (waiting := sent.get((message.remote, message.local, message.data))):
            _pair(messages, index, waiting, pairs)
    return pairs


def _pair(messages: Sequence[Message], index: int, waiting: deque[int], pairs: dict[int, int]) -> None:
    got = messages[index]
    while waiting and messages[waiting[0]].time < got.time - ECHO_WITHIN:
        waiting.popleft()  # lost on the way
    if waiting and messages[waiting[0]].time <= got.time + ECHO_WITHIN and messages[waiting[0]].agent != got.agent:
        pairs[index] = waiting.popleft()
