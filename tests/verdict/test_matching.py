"""Laying out what was wanted beside what came."""

from __future__ import annotations

import pytest
from ladders import record, scenario

from sip_harness.model.wanted import Sequence
from sip_harness.record.seen import matches
from sip_harness.verdict.matching import Pair, lay_out
from sip_harness.verdict.traffic import Item, sort_out


def rows(expected: str, ladder: str) -> list[str]:
    """The layout for desk, a line each: `INVITE = INVITE`, `CANCEL = -`, `- = BYE`."""
    wanted = scenario("desk: {answer: [180]}", f"desk: {expected}").expectations[0]
    assert isinstance(wanted, Sequence)
    got = sort_out(record(ladder)).at("desk", received=True)

    def is_open(item: Item) -> bool:
        return 100 <= item.seen.sip.code < 200

    pairs = lay_out(wanted.items, got, lambda e, i: matches(e.pattern, i.seen), is_open)
    return [show(pair) for pair in pairs]


def show(pair: Pair) -> str:
    return f"{pair.expected or '-'} = {pair.item.seen.name if pair.item else '-'}"


LADDER = """
    0.0 desk < INVITE
    0.1 desk > 180
    0.2 desk < CANCEL
    0.3 desk > 487
    0.4 desk < ACK to 487
"""


@pytest.mark.parametrize(
    ("expected", "layout"),
    [
        ("[INVITE, CANCEL, ACK to 487]", ["INVITE = INVITE", "CANCEL = CANCEL", "ACK to 487 = ACK to 487"]),
        ("[INVITE, ACK to 487]", ["INVITE = INVITE", "- = CANCEL", "ACK to 487 = ACK to 487"]),
        (
            "[INVITE, CANCEL, ACK to 487, BYE]",
            ["INVITE = INVITE", "CANCEL = CANCEL", "ACK to 487 = ACK to 487", "BYE = -"],
        ),
        (
            "[INVITE, maybe CANCEL, ACK to 486 or 487]",
            ["INVITE = INVITE", "maybe CANCEL = CANCEL", "ACK to 486 or 487 = ACK to 487"],
        ),
        (
            "[INVITE, maybe BYE, CANCEL, ACK]",
            ["INVITE = INVITE", "maybe BYE = -", "CANCEL = CANCEL", "ACK = ACK to 487"],
        ),
        ("[any order: [CANCEL, INVITE], ACK]", ["INVITE = INVITE", "CANCEL = CANCEL", "ACK = ACK to 487"]),
    ],
)
def test_layout(expected: str, layout: list[str]) -> None:
    assert rows(expected, LADDER) == layout


def test_one_deviation_does_not_drag_the_rest_along() -> None:
    layout = rows("[INVITE, BYE, CANCEL, ACK to 487]", LADDER)
    assert layout == ["INVITE = INVITE", "BYE = -", "CANCEL = CANCEL", "ACK to 487 = ACK to 487"]


def test_nothing_came() -> None:
    assert rows("[INVITE, maybe CANCEL]", "0.0 alice > INVITE") == ["INVITE = -", "maybe CANCEL = -"]
