"""Whose a message is, which attempt an INVITE is, and what is still open: decided from messages alone."""

from __future__ import annotations

import pytest

from sip_harness.agents.pjsua2.openness import Openness
from sip_harness.agents.pjsua2.origin import Bounded, Origins
from sip_harness.model.entry import Origin
from sip_harness.sip.message import Message, build, parse


def message(start: str, cseq: str, *, call: str = "c1", branch: str = "b1", to: str = "", headers: str = "") -> Message:
    tag = f";tag={to}" if to else ""
    own = [tuple(line.split(": ", 1)) for line in headers.split("\n") if line]
    fields = [
        ("Via", f"SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK{branch}"),
        ("From", "<sip:a@x>;tag=f"),
        ("To", f"<sip:b@x>{tag}"),
        ("Call-ID", call),
        ("CSeq", cseq),
        *((name, value) for name, value in own),
    ]
    return parse(build(start, fields))


def request(method: str, number: int = 1, **options: str) -> Message:
    return message(f"{method} sip:b@x SIP/2.0", f"{number} {method}", **options)


def response(code: int, method: str = "INVITE", number: int = 1, **options: str) -> Message:
    return message(f"SIP/2.0 {code} Reason", f"{number} {method}", **options)


INVITE = request("INVITE")


def test_an_ordered_response_is_the_scripts_and_so_are_its_retransmissions() -> None:
    origins = Origins()
    origins.order_response(INVITE, 486, "script")
    assert origins.of(response(486, to="t")) == "script"
    assert origins.of(response(486, to="t")) == "script"


def test_the_same_code_that_nobody_ordered_is_the_engines() -> None:
    origins = Origins()
    origins.order_response(INVITE, 486, "script")
    assert origins.of(response(486, call="c2", branch="b2", to="t")) == "engine"
    assert origins.of(response(486, branch="b2", to="t")) == "engine"
    assert origins.of(response(600, to="t")) == "engine"
    assert origins.of(response(486, to="t")) == "script"


def test_an_order_that_could_not_be_carried_out_counts_no_more() -> None:
    origins = Origins()
    origins.order_response(INVITE, 486, "script")
    origins.withdraw_response(INVITE, 486)
    assert origins.of(response(486, to="t")) == "engine"


def test_a_scripted_100_is_told_from_the_automatic_one() -> None:
    origins = Origins()
    assert origins.of(response(100)) == "protocol"
    origins.order_response(INVITE, 100, "script")
    assert origins.of(response(100)) == "script"
    assert origins.of(response(100)) == "script"


def test_a_487_is_protocol_after_a_bye_within_the_early_dialog() -> None:
    origins = Origins()
    origins.received(request("BYE", 2, call="c2", branch="b2", to="t"))
    assert origins.of(response(487, to="t")) == "engine"
    origins.received(request("BYE", 2, branch="b2", to="t"))
    assert origins.of(response(487, branch="b3", to="t")) == "protocol"


def test_a_487_is_protocol_only_after_a_cancel_of_that_very_invite() -> None:
    origins = Origins()
    assert origins.of(response(487, to="t")) == "engine"
    origins.received(request("CANCEL", branch="b2"))
    assert origins.of(response(487, branch="b2", to="t")) == "protocol"
    assert origins.of(response(487, branch="b3", to="t")) == "engine"


@pytest.mark.parametrize(
    ("code", "method", "origin"),
    [
        (200, "BYE", "protocol"), (481, "BYE", "protocol"), (500, "BYE", "engine"),
        (200, "CANCEL", "protocol"), (481, "CANCEL", "protocol"),
        (200, "PRACK", "protocol"), (200, "OPTIONS", "protocol"), (500, "OPTIONS", "engine"),
        (200, "MESSAGE", "engine"), (200, "UPDATE", "engine"), (500, "INFO", "engine"), (482, "INVITE", "engine"),
        (200, "INVITE", "engine"), (603, "REFER", "engine"),
    ],
)  # fmt: skip
def test_unordered_responses(code: int, method: str, origin: Origin) -> None:
    assert Origins().of(response(code, method, to="t")) == origin


@pytest.mark.parametrize(
    ("method", "origin"),
    [("ACK", "protocol"), ("REGISTER", "protocol"), ("PRACK", "protocol"), ("BYE", "engine"), ("CANCEL", "engine"),
     ("UPDATE", "engine"), ("OPTIONS", "engine"), ("INVITE", "engine")],
)  # fmt: skip
def test_unordered_requests(method: str, origin: Origin) -> None:
    assert Origins().of(request(method)) == origin


def test_ordered_requests_also_when_they_leave_later_and_again() -> None:
    origins = Origins()
    origins.order_request("c1", "CANCEL", "script")
    origins.order_request("c2", "BYE", "protocol")
    assert [origins.of(request("CANCEL")) for _ in range(2)] == ["script", "script"]
    assert origins.of(request("BYE", 2, call="c2", branch="x")) == "protocol"
    assert origins.of(request("BYE", 2, call="c3", branch="y")) == "engine"


def test_a_bye_for_a_call_whose_cancel_came_too_late_is_what_has_to_be() -> None:
    origins = Origins()
    origins.order_request("c1", "CANCEL", "script")
    assert origins.of(request("BYE", 2, branch="bye")) == "protocol"


def test_one_order_makes_one_call() -> None:
    origins = Origins()
    origins.order_invite()
    assert origins.of(request("INVITE")) == "script"
    assert origins.of(request("INVITE")) == "script", "a retransmission"
    assert origins.of(request("INVITE", call="c2", branch="b2")) == "engine"


@pytest.mark.parametrize(("final", "origin"), [(401, "script"), (407, "script"), (422, "engine"), (302, "engine")])
def test_a_call_tried_again_with_credentials_is_the_scripts(final: int, origin: Origin) -> None:
    origins = Origins()
    origins.order_invite()
    origins.of(request("INVITE"))
    origins.received(response(100))
    origins.received(response(final, to="t"))
    assert origins.of(request("INVITE", 2, branch="b2")) == origin


def test_a_re_invite_is_never_ordered() -> None:
    origins = Origins()
    origins.order_invite()
    assert origins.of(request("INVITE", to="t")) == "engine"
    assert origins.of(request("INVITE", call="c2", branch="b2")) == "script", "the order still stands"


def test_what_is_remembered_is_bounded() -> None:
    kept: Bounded[int] = Bounded(3)
    for number in range(10):
        kept.put(number, number)
        kept.put(0, 0)
    assert len(kept) == 3
    assert kept.get(0) == 0
    assert kept.get(5) is None
    assert kept.pop(9) == 9
    assert kept.pop(9) is None


def test_requests_are_open_until_their_final_response() -> None:
    openness = Openness()
    assert openness.closed
    openness.sent(request("BYE", 2))
    openness.sent(request("ACK"))
    openness.received(response(100, "BYE", 2))
    assert not openness.closed
    openness.received(response(200, "BYE", 2, branch="other"))
    assert not openness.closed
    openness.received(response(481, "BYE", 2))
    assert openness.closed


def test_refusals_are_waited_for_only_while_closing() -> None:
    openness = Openness()
    openness.sent(response(486, to="t"))
    assert openness.closed
    openness.closing = True
    openness.sent(response(180, to="t"))
    openness.sent(response(200, "CANCEL"))
    openness.sent(response(200, to="t"))
    assert openness.closed
    openness.sent(response(480, to="t"))
    assert not openness.closed
    openness.received(request("ACK", to="t"))
    assert openness.closed
