"""Scheduling, lateness, and how far the clocks can be trusted."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from on_loop import on_loop

from sip_harness.net import kernel
from sip_harness.net.clock import Clock, clock_offset, measure_uncertainty, uncertainty_of
from sip_harness.net.kernel import NoKernelTime, Probe, loop_socket, probe, stamp_of, warm_up


def hold_up(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@on_loop
async def test_calls_come_in_order_and_never_early() -> None:
    clock = Clock(asyncio.get_running_loop())
    done = asyncio.Event()
    calls: list[tuple[str, float]] = []
    begin = clock.now()

    def note(name: str) -> None:
        calls.append((name, clock.now() - begin))
        if len(calls) == 3:
            done.set()

    clock.after(0.03, lambda: note("third"))
    clock.at(begin + 0.01, lambda: note("first"))
    clock.after(0.02, lambda: note("second"))
    clock.after(0.015, lambda: note("never")).cancel()
    async with asyncio.timeout(10):
        await done.wait()
    assert [name for name, _ in calls] == ["first", "second", "third"]
    assert all(at >= due - 0.001 for (_, at), due in zip(calls, (0.01, 0.02, 0.03), strict=True))


@on_loop
async def test_one_stall_is_reported_once() -> None:
    lags: list[int] = []
    clock = Clock(asyncio.get_running_loop(), lags.append)
    done = asyncio.Event()
    for _ in range(5):
        clock.after(0.005, lambda: None)
    clock.after(0.006, done.set)
    hold_up(0.06)
    async with asyncio.timeout(10):
        await done.wait()
    assert len(lags) == 1
    assert 40_000_000 < lags[0] < 10_000_000_000


@on_loop
async def test_small_lateness_is_nothing() -> None:
    lags: list[int] = []
    clock = Clock(asyncio.get_running_loop(), lags.append)
    clock.late(0.020)
    assert lags == []
    hold_up(0.03)
    clock.late(0.021)
    assert lags == [21_000_000]


@on_loop
async def test_lateness_without_a_listener() -> None:
    clock = Clock(asyncio.get_running_loop())
    hold_up(0.001)
    clock.late(0.5)
    assert clock.loop is asyncio.get_running_loop()


def test_clock_offset_stands_still_and_leads_to_the_real_time() -> None:
    offsets = [clock_offset() for _ in range(20)]
    assert max(offsets) - min(offsets) < 20_000_000
    assert abs(time.monotonic_ns() + offsets[0] - time.time_ns()) < 1_000_000_000


def test_a_stepped_clock_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    before = clock_offset()
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 3_600_000_000_000)
    assert abs(clock_offset() - before - 3_600_000_000_000) < 100_000_000


def test_uncertainty_is_measured() -> None:
    found = measure_uncertainty()
    assert 0 < found < 100_000_000


def test_uncertainty_from_probes() -> None:
    inside = [Probe(before=100, after=120, stamp=107, read=130)] * 3
    assert uncertainty_of(inside) == 7
    early = Probe(before=100, after=120, stamp=90, read=130)
    late = Probe(before=100, after=120, stamp=145, read=150)
    assert uncertainty_of([*inside, early]) == 7 + 10
    assert uncertainty_of([*inside, late, early]) == 7 + 25
    assert uncertainty_of([Probe(100, 100, 100, 100)]) == 1


def test_after_warm_up_the_first_datagram_has_a_true_time() -> None:
    warm_up()
    with loop_socket() as sock:
        first = probe(sock)
    assert first.before <= first.stamp <= first.after < first.read


def test_warm_up_waits_until_stamps_are_true(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stamps that are made at reading, as before the kernel has begun, are told from true ones."""
    keeper: list[socket.socket] = []
    answers = [Probe(1, 2, 9, 3), Probe(11, 12, 19, 13), Probe(21, 22, 22, 23)]
    asked: list[Probe] = []

    def scripted(_sock: socket.socket) -> Probe:
        asked.append(answers[len(asked)])
        return asked[-1]

    monkeypatch.setattr(kernel, "_keeper", keeper)
    monkeypatch.setattr(kernel, "probe", scripted)
    warm_up()
    warm_up()
    assert asked == answers
    assert len(keeper) == 1
    keeper[0].close()


def test_a_kernel_that_never_stamps_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_keeper", [])
    monkeypatch.setattr(kernel, "_LIMIT", 0.01)
    monkeypatch.setattr(kernel, "probe", lambda _sock: Probe(1, 2, 9, 3))
    with pytest.raises(NoKernelTime, match="no true receive time"):
        warm_up()


def test_a_datagram_without_a_stamp_is_told() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())
        with pytest.raises(NoKernelTime, match="without its receive time"):
            probe(sock)


def test_foreign_ancillary_data_is_no_stamp() -> None:
    assert stamp_of([]) is None
    assert stamp_of([(socket.SOL_SOCKET, 1, b"\0" * 16), (0, kernel.SO_TIMESTAMPNS, b"\0" * 16)]) is None
    assert stamp_of([(socket.SOL_SOCKET, kernel.SO_TIMESTAMPNS, b"\0")]) is None


def test_a_socket_that_cannot_stamp_is_refused() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.close()
        with pytest.raises(NoKernelTime, match="refuses receive time stamps"):
            kernel.ask_for_stamps(sock)
