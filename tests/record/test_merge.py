"""Streams of many agents as one, and datagrams that both ends recorded."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sip_harness.model.entry import Log, Message
from sip_harness.record.merge import ECHO_WITHIN, echoes, merge

A, B, P = ("127.0.0.1", 5071), ("127.0.0.1", 5072), ("127.0.0.1", 5060)
SENT = Message(1000, 0, "alice", "sent", A, B, b"ACK sip:b SIP/2.0\r\n\r\n", "protocol")
GOT = Message(2000, 0, "bob", "received", B, A, SENT.data, "system")


@given(st.lists(st.lists(st.integers(0, 50), max_size=8), max_size=4))
def test_merging_sorts_and_keeps_the_order_of_equal_times(streams: list[list[int]]) -> None:
    made = [[Log(time, f"{s}.{n}") for n, time in enumerate(times)] for s, times in enumerate(streams)]
    merged = merge(made)
    assert [e.time for e in merged] == sorted(t for times in streams for t in times)
    for time in {e.time for e in merged}:
        expected = [e for stream in made for e in stream if e.time == time]
        assert [e for e in merged if e.time == time] == expected


def test_both_ends_of_one_datagram_are_a_pair() -> None:
    assert echoes([SENT, GOT]) == {1: 0}
    assert echoes([GOT, SENT]) == {0: 1}


def test_what_goes_through_the_system_is_no_pair() -> None:
    through = replace(SENT, remote=P), replace(GOT, remote=P)
    assert echoes(through) == {}


def test_other_bytes_are_no_pair() -> None:
    assert echoes([SENT, replace(GOT, data=GOT.data + b" ")]) == {}


def test_ends_that_are_far_apart_are_no_pair() -> None:
    assert echoes([SENT, replace(GOT, time=SENT.time + ECHO_WITHIN)]) == {1: 0}
    assert echoes([SENT, replace(GOT, time=SENT.time + ECHO_WITHIN + 1)]) == {}
    assert echoes([replace(GOT, time=1000), replace(SENT, time=1001 + ECHO_WITHIN)]) == {}


def test_each_retransmission_pairs_once() -> None:
    sent = [replace(SENT, time=t) for t in (0, 500, 1000)]
    got = [replace(GOT, time=t) for t in (100, 600)]
    assert echoes([sent[0], got[0], sent[1], got[1], sent[2]]) == {1: 0, 3: 2}


def test_a_lost_datagram_does_not_steal_the_pair_of_a_later_one() -> None:
    later = 5 * ECHO_WITHIN
    assert echoes([SENT, replace(SENT, time=later), replace(GOT, time=later + 10)]) == {2: 1}


def test_one_agent_is_no_pair_with_itself() -> None:
    assert echoes([SENT, replace(GOT, agent="alice")]) == {}
