"""Regular expressions in linear time mean what Python's mean, and nobody makes them slow."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip_harness.model.linear import MAX_PATTERN, BadExpression, expression

ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", r"\.", "^", "$"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.tuples(inner, inner).map("|".join),
        st.tuples(inner, st.sampled_from(["", "*", "+", "?", "{2}", "{1,3}"])).map(lambda t: f"({t[0]}){t[1]}"),
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(PATTERNS, st.text("ab1.\n", max_size=6))
def test_it_finds_what_python_finds(pattern: str, text: str) -> None:
    python = re.compile(pattern.replace("$", r"\Z"), re.DOTALL)
    assert expression(pattern).found_in(text) == bool(python.search(text))


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|aa)+$", "(a|a?)+b", ".*.*.*.*b"])
def test_hostile_text_costs_no_more_than_its_length(pattern: str) -> None:
    begin = time.process_time()
    assert not expression(pattern).found_in("a" * 20_000 + "c")
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    ("pattern", "message", "at"),
    [
        ("(a", "this group is not closed", 0),
        ("a)", "this parenthesis closes nothing", 1),
        ("[a", "this set is not closed", 0),
        ("a**", "two repetitions of the same thing", 2),
        ("*a", "there is nothing to repeat", 0),
        (r"(a)\1", "'\\1' is not known here", 3),
        ("(?=a)", "groups that begin with '?' are not known here", 0),
        ("a{3,2}", "the second number is the smaller one", 1),
        ("a{,2}", r"write {3}, {2,5} or \{", 1),
        ("[b-a]", "no set of characters: bad character range b-a", 0),
        ("((a{99}){99}){99}", "this repeats too much", 12),
        ("a" * (MAX_PATTERN + 1), f"longer than {MAX_PATTERN} characters", MAX_PATTERN),
        ("a\\", "a backslash at the end", 1),
    ],
)
def test_what_cannot_be_read(pattern: str, message: str, at: int) -> None:
    with pytest.raises(BadExpression) as caught:
        expression(pattern)
    assert caught.value.message == message
    if "repeats" not in message:
        assert caught.value.at == at
