"""Calm: no full collection while something runs, and everything as before at the end."""

from __future__ import annotations

import gc

from sip_harness.run.memory import calm


class Knot:
    """Part of a cycle: only the collector frees it."""

    def __init__(self) -> None:
        self.self = self


def full_collections() -> int:
    return gc.get_stats()[2]["collections"]


def test_a_growing_record_causes_no_full_collection() -> None:
    with calm():
        before = full_collections()
        kept = [[n] for n in range(300_000)]
        assert full_collections() == before
    assert len(kept) == 300_000


def test_garbage_in_cycles_is_still_found() -> None:
    with calm():
        before = len(gc.get_objects())
        for _ in range(100_000):
            Knot()
        assert len(gc.get_objects()) - before < 50_000


def test_all_is_as_before_at_the_end_whatever_the_order() -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    one, two = calm(), calm()
    with one:
        two.__enter__()
        inside = gc.get_threshold()
    assert gc.get_threshold() == inside != before
    two.__exit__(None, None, None)
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, frozen)


def test_also_after_an_exception() -> None:
    before = gc.get_threshold()
    try:
        with calm():
            raise KeyError
    except KeyError:
        pass
    assert gc.get_threshold() == before
