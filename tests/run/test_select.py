"""Choosing scenarios by words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ladders import scenario

from sip_harness.run.select import BadExpression, select

BASE = scenario("desk: {answer: [486]}", "alice: [486]")
SCENARIOS = [
    replace(BASE, id="FK-01", title="Busy everywhere", tags=("busy", "fork")),
    replace(BASE, id="FK-02", title="Busy here", tags=("busy",)),
    replace(BASE, id="CN-01", title="The caller gives up", tags=("cancel",), covers=("CN-10", "RD-01")),
]


@pytest.mark.parametrize(
    ("expression", "ids"),
    [
        ("FK-01", ["FK-01"]),
        ("fk", ["FK-01", "FK-02"]),
        ("busy and not fork", ["FK-02"]),
        ("cancel or everywhere", ["FK-01", "CN-01"]),
        ("not (busy or cancel)", []),
        ("busy and (here or fork)", ["FK-01", "FK-02"]),
        ("not not gives", ["CN-01"]),
        ("rd-01", ["CN-01"]),
    ],
)
def test_select(expression: str, ids: list[str]) -> None:
    assert [s.id for s in select(SCENARIOS, expression)] == ids


@pytest.mark.parametrize("expression", ["", "and", "busy and", "(busy", "busy)", "busy fork", "not", "or busy"])
def test_an_unreadable_expression_is_refused(expression: str) -> None:
    with pytest.raises(BadExpression):
        select(SCENARIOS, expression)
