"""What an ACK acknowledges where a device has said more than one final thing."""

from __future__ import annotations

import pytest
from ladders import record

from sip_harness.record.seen import Reader

CALL = "0.000 alice > INVITE\n0.002 desk < INVITE\n"


@pytest.mark.parametrize(
    ("ladder", "acks"),
    [
        ("0.1 desk > 200\n0.2 desk > 486\n0.3 desk < ACK\n0.4 desk < ACK to 486", [200, 486]),
        ("0.1 desk > 200\n0.2 desk > 486\n0.3 desk < ACK to 486\n0.4 desk < ACK", [486, 200]),
        ("0.1 desk > 486\n0.2 desk < ACK to 486\n0.3 desk > 603\n0.4 desk < ACK to 603", [486, 603]),
        ("0.1 desk > 503\n0.2 desk > 200\n0.3 desk < ACK to 503\n0.4 desk < ACK", [503, 200]),
        ("0.1 desk > 486\n0.2 desk < ACK to 486 branch=z9hG4bKother", [486]),
        ("0.1 desk < ACK", [0]),
    ],
)
def test_an_ack_to_a_failure_has_its_branch_and_one_to_an_answer_has_not(ladder: str, acks: list[int]) -> None:
    reader = Reader()
    seen = [reader.read(message) for message in record(CALL + ladder).messages]
    assert [one.acks for one in seen if one.sip.method == "ACK"] == acks
