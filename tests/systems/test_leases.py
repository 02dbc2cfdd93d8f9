"""Leases never repeat."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from sip_harness.systems.leases import Leases, new_session


def test_a_session_can_be_told_from_its_numbers():
    for _ in range(2000):
        assert re.fullmatch(r"[a-wyz][a-wyz0-9]{3}", new_session())


def test_sessions_differ():
    assert len({new_session() for _ in range(500)}) > 490


def test_numbers_count_from_one():
    leases = Leases("ab12")
    assert [leases.take().token for _ in range(3)] == ["ab12x1", "ab12x2", "ab12x3"]
    assert leases.take().session == leases.session == "ab12"


def test_without_a_name_the_session_is_made_up_once():
    leases = Leases()
    assert leases.take().session == leases.take().session == leases.session


def test_threads_never_get_the_same_lease():
    leases = Leases()
    with ThreadPoolExecutor(8) as pool:
        tokens = list(pool.map(lambda _: leases.take().token, range(4000)))
    assert len(set(tokens)) == 4000
    assert leases.take().number == 4001


@pytest.mark.parametrize("name", ["abxd", "1abc", "abc", "abcde", "ABCD", "ab-d", "abc\n", "äbcd", " "])
def test_a_session_that_tokens_could_not_carry_is_refused(name):
    with pytest.raises(ValueError, match="without `x`"):
        Leases(name)
