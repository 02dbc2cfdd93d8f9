"""When a socket is known to have had nothing to read."""

from __future__ import annotations

import asyncio
import socket
import time

from on_loop import on_loop

from sip_harness.net.silence import Silence, silence_of


def test_what_is_silent_is_so_until_the_last_look() -> None:
    silence = Silence()
    one, two = socket.socketpair()
    with one, two:
        silence.enter(two.fileno())
        assert silence.until(two.fileno()) == 0
        before = time.time_ns()
        silence.look()
        first = silence.until(two.fileno())
        assert before <= first <= time.time_ns()
        one.send(b"x")
        assert silence.until(two.fileno()) == first
        silence.look()
        silence.look()
        assert silence.until(two.fileno()) == first  # it has had something to read since
        two.recv(10)
        silence.drained(two.fileno())
        silence.look()
        assert silence.until(two.fileno()) > first
        silence.leave(two.fileno())


def test_each_for_itself() -> None:
    silence = Silence()
    one, two = socket.socketpair()
    with one, two:
        silence.enter(one.fileno())
        silence.enter(two.fileno())
        silence.look()
        one.send(b"x")
        silence.look()
        assert silence.until(one.fileno()) > silence.until(two.fileno()) > 0
        silence.leave(one.fileno())
        silence.leave(two.fileno())


def test_nobody_costs_nothing() -> None:
    silence = Silence()
    silence.look()
    assert silence.until(0) == 0


def test_a_number_in_use_again_has_no_past() -> None:
    silence = Silence()
    one, two = socket.socketpair()
    with one, two:
        silence.enter(two.fileno())
        silence.look()
        one.send(b"x")
        silence.look()
        spoken = silence.until(two.fileno())
        silence.leave(two.fileno())
        silence.enter(two.fileno())
        assert silence.until(two.fileno()) > spoken
        silence.leave(two.fileno())


@on_loop
async def test_one_for_each_loop() -> None:
    loop = asyncio.get_running_loop()
    assert silence_of(loop) is silence_of(loop)
    other = asyncio.new_event_loop()
    try:
        assert silence_of(other) is not silence_of(loop)
    finally:
        other.close()
