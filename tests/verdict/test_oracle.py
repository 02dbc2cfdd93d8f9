"""The rules of forking against hand-computed forks and against what a real proxy was measured to do."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_harness.verdict.oracle import SYSTEM, Answer, Branch, Fork, Owed, Timers, Window

TIMERS = Timers(transaction=1.0, ring=3.0, late=0.1)
SILENT = Branch("b")
RINGING = Branch("b", provisional=0.05)

MEASURED = """
A\\B      486    600    603    503    500    404    480    408    403    488    302    401    407   none   ring
486      486A   600B   603B   486A   486A   404B   480B   408B   403B   486A   302B   401B   407B    408    408
600      600A   600A   600A   600A   600A   600A   600A   600A   600A   600A   600A   600A   600A   600A   600A
603      603A   603A   603A   603A   603A   603A   603A   603A   603A   603A   603A   603A   603A   603A   603A
503      486B   600B   603B    500   500B   404B   480B   408B   403B   488B   302B   401B   407B    408    408
500      486B   600B   603B   500A   500A   404B   480B   408B   403B   488B   302B   401B   407B    408    408
404      404A   600B   603B   404A   404A   404A   404A   404A   403B   404A   302B   401B   407B   404A   404A
480      480A   600B   603B   480A   480A   404B   480A   408B   403B   480A   302B   401B   407B    408    408
408      408A   600B   603B   408A   408A   404B   408A   408A   403B   408A   302B   401B   407B   408A   408A
403      403A   600B   603B   403A   403A   403A   403A   403A   403A   403A   302B   401B   407B   403A   403A
488      486B   600B   603B   488A   488A   404B   480B   408B   403B   488A   302B   401B   407B    408    408
302      302A   600B   603B   302A   302A   302A   302A   302A   302A   302A   302A   302A   302A   302A   302A
401      401A   600B   603B   401A   401A   401A   401A   401A   401A   401A   302B    401    401   401A   401A
407      407A   600B   603B   407A   407A   407A   407A   407A   407A   407A   302B    401    407   407A   407A
none      408   600B   603B    408    408   404B    408    408   403B    408   302B   401B   407B    408    408
ring      408   600B   603B    408    408   404B    408    408   403B    408   302B   401B   407B    408    408
"""
"""What Kamailio 5.6.3 tells the caller when a says the row at 0.15 s and b the column at 0.4 s; the letter tells whose
response it is, without one the proxy made it."""


def branch(device: str, does: str, at: float) -> Branch:
    if does == "none":
        return Branch(device)
    ringing = Branch(device, provisional=0.05)
    return ringing if does == "ring" else Branch(device, provisional=0.05, final=at, code=int(does))


def cells() -> list[tuple[str, str, str]]:
    head, *rows = (line.split() for line in MEASURED.strip().splitlines())
    return [(row[0], column, cell) for row in rows for column, cell in zip(head[1:], row[1:], strict=True)]


def cancelled_by(a: str, b: str) -> Branch:
    """b after a 6xx of a: whoever has sent a provisional is cancelled before it says what it would have said."""
    return branch("b", b, 0.4) if b == "none" else Branch("b", provisional=0.05, final=0.16, code=487)


def test_the_whole_table_is_there() -> None:
    assert len(cells()) == 225


@pytest.mark.parametrize(("a", "b", "cell"), cells())
def test_what_a_real_proxy_does_is_among_what_the_rules_want(a: str, b: str, cell: str) -> None:
    second = cancelled_by(a, b) if a in ("600", "603") else branch("b", b, 0.4)
    first = branch("a", a, 0.15)
    if b in ("600", "603") and a == "ring":
        first = Branch("a", provisional=0.05, final=0.41, code=487)
    if {a, b} & {"401", "407"} and not cell[-1].isalpha():  # both challenges in one response (16.7 step 7)
        cell = f"{cell}{'A' if cell == a else 'B'}"
    owed = Fork((first, second), TIMERS).owed()
    device = {"A": "a", "B": "b"}.get(cell[-1], SYSTEM)
    assert Answer(int(cell[:3]), device) in owed.wanted
    assert owed.wanted <= owed.finals
    assert not owed.answers


def owed(*branches: Branch, cancel: float = math.inf, steps: tuple[tuple[str, ...], ...] = ()) -> Owed:
    return Fork(branches, TIMERS, steps, cancel).owed()


def test_a_6xx_must_be_told_and_is_held_back_until_all_is_over() -> None:
    told = owed(Branch("a", final=0.2, code=486), Branch("b", provisional=0.1, final=0.5, code=603))
    assert told.finals == told.wanted == {Answer(603, "b")}
    assert told.over == Window(0.5, 0.5)


def test_a_6xx_cancels_who_still_rings_and_waits_for_it() -> None:
    told = owed(Branch("a", provisional=0.1, final=0.3, code=600), Branch("b", provisional=0.1, final=0.31, code=487))
    assert told.cancelled == {"b": Window(0.3, 0.3)}
    assert told.over.due == 0.31
    assert told.finals == {Answer(600, "a")}


def test_nobody_is_cancelled_before_a_provisional() -> None:
    late = Branch("b", provisional=0.8, final=0.81, code=487)
    assert owed(Branch("a", provisional=0.1, final=0.3, code=600), late).cancelled == {"b": Window(0.8, 0.8)}
    assert "b" not in owed(Branch("a", final=0.3, code=600), SILENT).cancelled


def test_every_answer_is_owed_and_nothing_else() -> None:
    told = owed(Branch("a", provisional=0.1, final=0.3, code=200), Branch("b", provisional=0.1, final=0.3, code=200))
    assert told.answers == (Answer(200, "a"), Answer(200, "b"))
    assert not told.finals


def test_an_answer_beats_a_6xx_in_the_race() -> None:
    told = owed(Branch("a", provisional=0.1, final=0.3, code=600), Branch("b", provisional=0.1, final=0.31, code=200))
    assert told.answers == (Answer(200, "b"),)
    assert not told.finals
    assert told.cancelled == {"b": Window(0.3, 0.3)}


def test_an_answer_after_the_ring_timer_may_come_second() -> None:
    told = owed(Branch("a", provisional=0.1, final=3.15, code=200))
    assert told.answers == (Answer(200, "a"),)
    assert told.finals == {Answer(408)}


def test_a_response_of_a_branch_that_was_given_up_counts_for_nothing() -> None:
    told = owed(Branch("a", final=1.5, code=200))
    assert not told.answers
    assert told.finals == {Answer(408)}


def test_a_lone_503_may_be_told_but_should_not() -> None:
    told = owed(Branch("a", final=0.2, code=503))
    assert told.finals == {Answer(503, "a"), Answer(500)}
    assert told.wanted == {Answer(500)}


def test_within_4xx_those_that_help_to_ask_again_come_first() -> None:
    told = owed(Branch("a", final=0.2, code=486), Branch("b", final=0.3, code=407))
    assert told.wanted == {Answer(407, "b")}
    assert told.finals == {Answer(407, "b"), Answer(486, "a")}


def test_a_caller_who_gives_up_hears_487() -> None:
    told = owed(Branch("a", provisional=0.1, final=0.52, code=487), cancel=0.5)
    assert told.cancelled == {"a": Window(0.5, 0.5)}
    assert told.finals == {Answer(487, "a"), Answer(487)}
    assert told.over.due == 0.52


def test_a_caller_who_gives_up_may_hear_487_though_a_challenge_came() -> None:
    told = owed(Branch("a", final=0.2, code=407), Branch("b", provisional=0.1, final=0.52, code=487), cancel=0.5)
    assert told.wanted == {Answer(407, "a"), Answer(487, "b"), Answer(487)}


def test_a_branch_that_was_given_up_need_not_count() -> None:
    told = owed(Branch("a", final=0.2, code=500), Branch("b"))
    assert told.wanted == {Answer(500, "a"), Answer(408)}


def test_a_hunt_tries_one_after_the_other() -> None:
    steps = (("a",), ("b",), ("c",))
    told = owed(Branch("a", 0, 0, 0.1, 0.2, 486), Branch("b", 1, 0.21, 0.3, 0.4, 200), steps=steps)
    assert told.tried == {"a": Window(0, 0), "b": Window(0.2, 0.2)}
    assert told.untried == {"c"}


@pytest.mark.parametrize("code", [200, 299, 600, 603, 699])
def test_a_hunt_ends_with_an_answer_and_with_any_6xx(code: int) -> None:
    told = owed(Branch("a", 0, 0, 0.1, 0.2, code), steps=(("a",), ("b", "c")))
    assert told.untried == {"b", "c"}


def test_a_hunt_ends_when_the_caller_gives_up() -> None:
    told = owed(Branch("a", 0, 0, 0.1, 0.35, 487), cancel=0.3, steps=(("a",), ("b",)))
    assert told.untried == {"b"}


def test_a_hunt_goes_on_when_the_ring_timer_ends() -> None:
    told = owed(Branch("a", 0, 0, 0.1, 3.2, 487), Branch("b", 1, 3.25, 3.3, 3.5, 200), steps=(("a",), ("b",)))
    assert told.cancelled["a"] == Window(pytest.approx(3.0), pytest.approx(3.2))
    assert told.tried["b"] == Window(pytest.approx(3.0), 3.2)
    assert told.answers == (Answer(200, "b"),)


@pytest.mark.parametrize("code", [200, 699])
def test_what_a_phone_says_at_once_does_not_speak_against_its_own_call(code: int) -> None:
    """It may be over before the latest time at which it had to be tried."""
    steps = (("a",), ("b",), ("c",))
    told = owed(Branch("a", 0, 0, 0.1, math.inf, 0), Branch("b", 1, 3.12, 3.13, 3.14, code), steps=steps)
    assert set(told.tried) == {"a", "b"}
    assert told.untried == {"c"}


def test_the_best_of_a_hunt_is_that_of_all_its_groups() -> None:
    told = owed(Branch("a", 0, 0, 0.1, 0.2, 486), Branch("b", 1, 0.21, 0.3, 0.4, 500), steps=(("a",), ("b",)))
    assert told.wanted == {Answer(486, "a")}


CODES = st.sampled_from([0, 180, 200, 299, 302, 399, 401, 404, 407, 480, 486, 487, 499, 500, 503, 599, 600, 603, 699])


@st.composite
def forks(draw: st.DrawFn) -> Fork:
    branches = []
    for device in "abcde"[: draw(st.integers(1, 5))]:
        code = draw(CODES)
        rings = draw(st.floats(0, 0.9)) if code else math.inf
        at = rings + draw(st.floats(0, 4)) if code >= 200 else math.inf
        branches.append(Branch(device, 0, 0.0, rings, at, code if code >= 200 else 0))
    cancel = draw(st.one_of(st.just(math.inf), st.floats(0, 4)))
    return Fork(tuple(branches), TIMERS, (tuple(b.device for b in branches),), cancel)


@given(forks())
def test_whatever_devices_do_something_is_owed_and_it_is_consistent(fork: Fork) -> None:
    told = fork.owed()
    assert told.answers or told.finals
    assert told.wanted <= told.finals
    assert bool(told.wanted) == bool(told.finals)
    assert all(a.code < 300 for a in told.answers)
    assert all(a.code >= 300 for a in told.finals)
    real = {Answer(b.code, b.device) for b in fork.branches}
    assert set(told.answers) <= real
    assert all(a in real or a.device == SYSTEM for a in told.finals)
    assert told.over.begin <= told.over.due < math.inf
    for device, window in told.cancelled.items():
        [branch] = [b for b in fork.branches if b.device == device]
        assert branch.provisional <= window.begin < branch.final
        assert window.begin <= window.due
    if any(a.code >= 600 for a in told.finals):
        assert all(a.code >= 600 for a in told.finals)


@given(forks())
def test_the_order_in_which_branches_stand_does_not_matter(fork: Fork) -> None:
    shuffled = Fork(fork.branches[::-1], fork.timers, fork.steps, fork.caller_cancels)
    assert shuffled.owed().finals == fork.owed().finals
    assert set(shuffled.owed().answers) == set(fork.owed().answers)
