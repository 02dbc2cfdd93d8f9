"""Scenarios in Python, with the words of scenario files: what a user can say in a test of his own.

They run on the system that the command line names (`--sip-system`), Kamailio if it names none.
"""

from __future__ import annotations

import pytest

from sip_harness.model.verdict import Outcome
from sip_harness.pytest_sip import Sip

pytestmark = pytest.mark.needs_kamailio


def test_a_carrier_says_why_it_refuses_a_call(sip: Sip) -> None:
    """The phrase and the Reason are what support has to go by: a proxy hands on both untouched."""
    sip.cite("RFC 3261 16.7 step 9", "RFC 3326")
    cause = 'Q.850 ;cause=21;text="Call rejected, no credit"'
    refusal = {403: {"reason": "Insufficient funds", "headers": {"Reason": cause, "Warning": None}}}
    sip.ring("bob", desk=["wait 50ms", refusal])
    sip.call("alice", to="bob")
    carried = {"Reason": "/cause=21/", "Call-ID": "same as desk", "To": "same as desk", "Retry-After": "absent"}
    funds = {"from": "desk", "headers": carried, "reason": "Insufficient funds", "body": "absent"}
    sip.expect(
        alice=[{"403 within 1s of desk sends 403": funds}],
        desk=[{"INVITE": {"headers": {"Call-ID": "same as alice", "Max-Forwards": "present"}}}, "ACK to 403"],
    )
    assert sip.run().verdict.outcome is Outcome.PASS


def test_one_phone_that_is_busy_everywhere_stops_the_others(sip: Sip) -> None:
    """What must be, and what only should be: an advice that is broken is a warning, and the test passes."""
    sip.cite("RFC 3261 16.7 steps 5 and 6")
    sip.ring("bob", desk=["ringing", "after mobile sends 180", "wait 100ms", "busy-everywhere"], mobile=["ringing"])
    sip.call("alice", to="bob")
    sip.expect(
        alice=["180 1 to 2 times", "600 from desk", {"should": ["199 from desk"]}],
        desk=["INVITE once", "ACK to 600"],
        mobile=["INVITE", "CANCEL within policy.prompt of desk sends 600", "ACK to 487"],
    )
    sip.order("desk sends 600", "mobile gets CANCEL")
    verdict = sip.run().verdict
    assert verdict.outcome is Outcome.WARN
    assert [finding.expected for finding in verdict.findings] == ["alice: should 199 from desk"]


def test_a_phone_that_was_busy_is_called_again(sip: Sip) -> None:
    """Two calls, each with what it owes, and what both owe together."""
    sip.cite("RFC 3261 16.6")
    sip.device("desk", answers=[["busy-here"], ["ringing", "wait 100ms", "ok"]])
    sip.say(targets={"bob": {"ring": ["desk"]}})
    sip.call("alice", to="bob", name="first", expect={"alice": [486], "desk": ["INVITE", "ACK to 486"]})
    sip.call(
        "alice",
        to="bob",
        name="second",
        expect={
            "alice": [180, "200 100ms to 1s after desk sends 180"],
            "desk": {"proxy": ["INVITE", "ACK", "BYE"], "b2bua": ["INVITE", "ACK", "BYE"]},
        },
    )
    sip.expect(desk="reached 2 times")
    assert sip.run().verdict.outcome is Outcome.PASS


def test_a_hunt_goes_on_after_486(sip: Sip) -> None:
    """Busy is this phone's own: the next one rings, and the caller hears nothing of it."""
    sip.cite("RFC 3261 16.7 step 6", "RFC 3261 21.4.24")
    sip.needs("hunt")
    sip.hunt("bob", desk=["busy-here"], mobile=["ringing", "wait 50ms", "ok"])
    sip.call("alice", to="bob")
    sip.expect(alice=["200 from mobile"], desk=["INVITE", "ACK to 486"], mobile=["INVITE", "ACK to 200", "BYE"])
    sip.order("desk sends 486", "mobile gets INVITE")
    assert sip.run().verdict.outcome is Outcome.PASS


@pytest.mark.parametrize("code", [600, 603, 604, 606, 699])
def test_a_hunt_ends_at_every_6xx(sip: Sip, code: int) -> None:
    """What `for` is in a file is a parameter of the test here."""
    sip.cite("RFC 3261 16.7 step 5")
    sip.needs("hunt")
    sip.hunt("bob", desk=["ringing", code], mobile=["ok"])
    sip.call("alice", to="bob")
    sip.expect(alice=[f"{code} from desk"], desk=["INVITE", f"ACK to {code}"], mobile="never")
    assert sip.run().verdict.outcome is Outcome.PASS


def test_a_caller_gives_up(sip: Sip) -> None:
    """Every phone that rings is cancelled, and the caller hears 487."""
    sip.cite("RFC 3261 16.10", "RFC 3261 9.2")
    sip.ring("bob", desk=["ringing"], mobile=["ringing"])
    sip.call("alice", to="bob", cancel="100ms after mobile sends 180")
    cancelled = ["INVITE", {"any order": ["CANCEL", "ACK to 487"]}]
    sip.expect(alice=["200 to CANCEL", 487], desk=cancelled, mobile=cancelled)
    assert sip.run().verdict.outcome is Outcome.PASS


def test_a_carrier_that_has_no_room(sip: Sip) -> None:
    """503 moves the call on to the next carrier; its Retry-After stays where it is."""
    sip.cite("RFC 3261 21.5.4", "RFC 3261 16.7 step 6")
    sip.needs("carriers")
    sip.carrier("g1", {503: {"reason": "CPS limit", "headers": {"Retry-After": 1}}})
    sip.carrier("g2", {183: {"media": "tone"}}, "wait 100ms", "ok")
    sip.hunt("pstn", "g1", "g2")
    sip.call("alice", to="pstn", hang_up="300ms")
    sip.expect(
        alice={"gets": [{"200 from g2": {"headers": {"Retry-After": "absent"}}}], "hears": "tone from g2"},
        g1=["INVITE", "ACK to 503"],
        g2=["INVITE", "ACK", "BYE"],
    )
    assert sip.run().verdict.outcome is Outcome.PASS


def test_no_expectation_has_to_be_written_for_a_fork(sip: Sip) -> None:
    """What a conforming proxy owes for these answers follows from the rules."""
    sip.ring("bob", desk=["ringing", "wait 100ms", 404], mobile=["ringing", "wait 200ms", 486], attic=["ringing", 503])
    sip.call("alice", to="bob")
    sip.conforms()
    assert sip.run().verdict.outcome is Outcome.PASS
