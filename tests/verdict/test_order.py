"""What can be said of the order of two events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from ladders import record

from sip_harness.verdict.order import Follows, Span, follows, span
from sip_harness.verdict.traffic import sort_out


def test_apart_is_decided_and_close_is_not() -> None:
    assert follows(Span(0, 0), Span(101, 101), 100) is Follows.YES
    assert follows(Span(101, 101), Span(0, 0), 100) is Follows.NO
    assert follows(Span(0, 0), Span(100, 100), 100) is Follows.UNDECIDED


times = st.integers(0, 10_000)
lengths = st.integers(0, 500)


@given(times, lengths, times, lengths, lengths, st.data())
def test_never_a_wrong_order_as_fact(a: int, la: int, b: int, lb: int, uncertainty: int, data: st.DataObject) -> None:
    """Whatever the true moments within their bounds are, they do not contradict the answer."""
    first, second = Span(a, a + la), Span(b, b + lb)
    true_first = data.draw(st.integers(first.earliest, first.latest))
    true_second = data.draw(st.integers(second.earliest, second.latest))
    answer = follows(first, second, uncertainty)
    if answer is Follows.YES:
        assert true_first < true_second
    if answer is Follows.NO:
        assert true_second < true_first


@given(times, times, lengths)
def test_the_answer_is_antisymmetric(a: int, b: int, uncertainty: int) -> None:
    opposite = {Follows.YES: Follows.NO, Follows.NO: Follows.YES, Follows.UNDECIDED: Follows.UNDECIDED}
    one, other = Span(a, a), Span(b, b)
    assert follows(other, one, uncertainty) is opposite[follows(one, other, uncertainty)]


def test_an_ack_bounds_the_sending_of_its_final_only() -> None:
    traffic = sort_out(record("0.0 desk < INVITE\n0.1 desk > 486 slack=0.5\n0.2 desk < ACK to 486"))
    invite, final, _ = traffic.items
    assert span(final, traffic).latest - span(final, traffic).earliest == 100_000_000
    assert span(invite, traffic).latest == span(invite, traffic).earliest


def test_without_an_ack_the_whole_slack_counts() -> None:
    traffic = sort_out(record("0.0 desk < INVITE\n0.1 desk > 486 slack=0.5"))
    final = span(traffic.items[1], traffic)
    assert final.latest - final.earliest == 500_000_000
