"""What callers ask of the proxy: Request-Disposition (RFC 3841 9.1), 199 (RFC 6228 6)."""

from __future__ import annotations

import pytest
from proxy_stage import Stage

from sip_harness.sip.message import build, parse
from sip_harness.systems.reference.actions import Target
from sip_harness.systems.reference.asked import Asked, asked

A, B, C = (Target(f"sip:{name}@x") for name in "abc")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], Asked()),
        ([("Request-Disposition", "proxy, fork, parallel, recurse, cancel, queue")], Asked()),
        ([("Request-Disposition", "no-fork"), ("d", "NO-Recurse")], Asked(forks=False, recurses=False)),
        ([("d", "sequential,no-cancel")], Asked(parallel=False, cancels=False)),
        ([("Request-Disposition", ",,no-fork-at-all;x")], Asked()),
        ([("Supported", "timer, 199")], Asked(hears_of_ended=True)),
        ([("Supported", "199"), ("Require", "100rel")], Asked()),
    ],
)
def test_what_is_asked_for(headers: list[tuple[str, str]], expected: Asked) -> None:
    assert asked(parse(build("INVITE sip:x SIP/2.0", headers)), frozenset()) == expected


def test_targets_as_they_may_be_tried() -> None:
    groups = [[A, B], [C]]
    assert Asked().arranged(groups) == groups
    assert Asked(forks=False).arranged(groups) == [[A]]
    assert Asked(parallel=False).arranged(groups) == [[A], [B], [C]]
    assert Asked(forks=False).arranged([]) == Asked(parallel=False).arranged([]) == []


def test_redirections_are_followed_in_sequence_or_to_one_or_not_at_all() -> None:
    found = {}
    for what in ("sequential", "no-fork", "no-recurse", "recurse"):
        stage = Stage(recurse=True)
        far = [stage.carrier(name, 180, 0.3, 480) for name in ("g1", "g2")]
        stage.proxy.core.router.remove("bob")
        contacts = ", ".join(f"<{phone.uri}>" for phone in far)
        stage.phone("desk", (302, {"Contact": contacts}))
        stage.call(Request_Disposition=what)
        found[what] = [phone.times("INVITE") for phone in far], stage.alice.finals
    (first, later), finals = found["sequential"]
    assert later[0] >= first[0] + 0.3
    assert finals == [480]
    assert [len(times) for times in found["no-fork"][0]] == [1, 0]
    assert found["no-recurse"] == ([[], []], [302])
    assert found["recurse"][0][0] == found["recurse"][0][1] != []


def test_no_199_once_the_caller_has_given_up_or_has_an_answer() -> None:
    stage = Stage()
    stage.phone("desk", 180, cancel=(200, 0.1, 487))
    stage.phone("mobile", 180, cancel=(200, 0.3, 487))
    invite = stage.call(0.5, Supported="199")
    stage.alice.cancel(invite)
    stage.run(5)
    assert stage.alice.finals == [487]
    assert "199" not in stage.alice.got
    stage = Stage()
    stage.phone("desk", 180, 0.2, 200)
    stage.phone("mobile", 180)
    stage.call(Supported="199")
    assert stage.alice.finals == [200]
    assert "199" not in stage.alice.got
