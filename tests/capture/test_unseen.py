"""What of a scenario is left if some of its agents are not in the picture."""

from __future__ import annotations

import pytest

from sip_harness.capture.unseen import judged_part
from sip_harness.language import load_text
from sip_harness.model.wanted import Sequence

HEAD = """\
title: t
id: T-1
targets: {pstn: {hunt: [g1, g2]}}
carriers: {g1: {answer: [503]}, g2: {answer: [183, ok]}}
calls: [{from: alice, to: pstn}]
"""


@pytest.mark.parametrize(
    ("expect", "unseen", "left", "judged"),
    [
        ("g1: [INVITE]", (), [], 1),
        ("g1: [INVITE], alice: [200]", ("alice",), ["alice: 200"], 1),
        ("g1: never, g2: reached 2 times", ("g1", "g2"), ["g1: never", "g2: reached 2 times"], 0),
        ("alice: [200 from g2, 486 from system]", ("g2",),
         ["alice: 200: that it is from g2", "alice: 486: that it is from system"], 1),
        ("alice: [200 from g2]", ("g1",), [], 1),
        ("g2: ['INVITE within 1s of alice sends INVITE', BYE]", ("alice",),
         ["g2: INVITE: within 1s of alice sends INVITE"], 1),
        ("g2: [INVITE: {headers: {Call-ID: same as alice, Via: present}}]", ("alice",),
         ["g2: INVITE: Call-ID: same as alice"], 1),
        ("g2: [any order: [INVITE, {BYE: {when: after alice sends BYE}}]]", ("alice",),
         ["g2: BYE: after alice sends BYE"], 1),
        ("alice: {proxy: [200 from g2], b2bua: [200]}", ("alice",), ["alice: proxy: 200 from g2; b2bua: 200"], 0),
        ("alice: {proxy: [200 from g2], b2bua: [200]}", ("g2",), ["alice: 200: that it is from g2"], 1),
        ("alice: [{proxy: [200 from g2]}]", ("g2",), ["alice: 200: that it is from g2"], 1),
        ("alice: {if: policy.failover has 503, then: [200 from g2], else: [503]}", ("g2",),
         ["alice: 200: that it is from g2"], 1),
        ("alice: {if: policy.failover has 503, then: [200], else: [503]}", ("alice",), ["alice: 200, or 503"], 0),
    ],
)  # fmt: skip
def test_what_hangs_on_who_is_not_seen_is_left_out(
    expect: str, unseen: tuple[str, ...], left: list[str], judged: int
) -> None:
    part = judged_part(load_text(f"{HEAD}expect: {{{expect}}}\n", "t"), unseen)
    assert (list(part.left), part.judged, part.agents) == (
        left,
        judged,
        tuple(n for n in ("alice", "g1", "g2") if n in unseen),
    )
    assert {d.name for d in part.scenario.devices} == {"g1", "g2"} - set(unseen)


def test_the_rules_of_the_fork_need_everybody() -> None:
    scenario = load_text(f"{HEAD}expect: rfc3261\n", "t")
    assert judged_part(scenario, ()).judged == 1
    assert judged_part(scenario, ("alice",)).left == ("all that RFC 3261 16 wants of the fork",)


def test_an_order_needs_all_who_are_in_it() -> None:
    scenario = load_text(f"{HEAD}expect: {{g1: reached}}\norder: [g1 sends 503, g2 gets INVITE]\n", "t")
    assert judged_part(scenario, ("g2",)).left == ("order: g1 sends 503, g2 gets INVITE",)
    assert judged_part(scenario, ("alice",)).judged == 2


def test_what_is_said_of_it_stays_short() -> None:
    gets = ", ".join(["200"] * 60)
    part = judged_part(load_text(f"{HEAD}expect: {{alice: [{gets}], g1: never}}\n", "t"), ("alice",))
    assert str(part).startswith("1 expectation is not judged, for alice is not in the capture: alice: 200, 200")
    assert len(str(part)) < 200
    items = ", ".join(f"BYE: {{headers: {{X-{n}: same as alice}}}}" for n in range(20))
    part = judged_part(load_text(f"{HEAD}expect: {{g2: [INVITE, {items}]}}\n", "t"), ("alice",))
    assert str(part).startswith("20 expectations are not judged, ")
    assert str(part).endswith("; and 15 more")
    assert isinstance(part.scenario.expectations[0], Sequence)
