"""How patterns read in reports."""

from __future__ import annotations

import pytest

from sip_harness.model.pattern import RequestPattern


@pytest.mark.parametrize(
    ("codes", "text"),
    [
        ({486}, "ACK to 486"),
        ({487, 486}, "ACK to 486 or 487"),
        (set(range(400, 500)), "ACK to 4xx"),
        ({*range(500, 700)}, "ACK to 5xx or 6xx"),
        ({302, *range(400, 500)}, "ACK to 302 or 4xx"),
        (set(range(401, 500)), "ACK to " + " or ".join(map(str, range(401, 500)))),
    ],
)
def test_a_whole_class_is_named_as_one(codes: set[int], text: str) -> None:
    assert str(RequestPattern("ACK", frozenset(codes))) == text
