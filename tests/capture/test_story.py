"""Who called whom through which system, found out from addresses and messages."""

from __future__ import annotations

import pytest
from told import ALICE, G1, G2, G3, PBX, Told, carrier_call

from sip_harness.capture.legs import Node
from sip_harness.capture.packets import BadCapture
from sip_harness.capture.story import Story, stories

INSIDE = ("10.0.0.1", 5060)


def tried(story: Story) -> list[list[str]]:
    return [[leg.peer[0] for leg in group] for group in story.groups]


def test_the_system_is_who_is_called_and_calls() -> None:
    [story] = stories(carrier_call().packets)
    assert story.caller is not None
    assert (story.caller.peer, tried(story), story.number) == (ALICE, [[G1[0]], [G2[0]]], "4930123")


def test_without_the_caller_the_system_is_who_calls() -> None:
    [story] = stories([p for p in carrier_call().packets if ALICE not in (p.source, p.target)])
    assert (story.caller, tried(story)) == (None, [[G1[0]], [G2[0]]])


def test_a_fork_is_one_group() -> None:
    told = Told()
    told.ask(0, ALICE, PBX, "INVITE")
    for at, phone in ((0.001, G1), (0.01, G2), (1.0, G3)):
        told.ask(at, PBX, phone, "INVITE")
    told.answer(0.1, G1, PBX, "180 Ringing")
    [story] = stories(told.packets)
    assert tried(story) == [[G1[0], G2[0]], [G3[0]]]


def test_whoever_is_called_after_all_others_have_refused_is_tried_next_however_soon() -> None:
    told = Told()
    told.ask(0, ALICE, PBX, "INVITE")
    told.ask(0.001, PBX, G1, "INVITE")
    told.answer(0.002, G1, PBX, "486 Busy Here")
    told.ask(0.003, PBX, G2, "INVITE")
    assert tried(stories(told.packets)[0]) == [[G1[0]], [G2[0]]]


def test_a_b2bua_gives_every_leg_a_call_id_of_its_own() -> None:
    told = Told()
    told.ask(0, ALICE, PBX, "INVITE", user="0123", call="a")
    told.ask(0.5, ALICE, PBX, "INVITE", user="0999", call="b")
    told.ask(0.6, PBX, G1, "INVITE", user="49123", call="leg-1")
    told.ask(0.7, PBX, G2, "INVITE", user="0999", call="leg-2")
    told.ask(0.8, PBX, G3, "INVITE", user="0123", call="leg-3")
    first, second = stories(told.packets)
    assert (tried(first), tried(second)) == ([[G3[0]]], [[G1[0], G2[0]]])


def test_retransmissions_and_copies_from_two_interfaces_are_said_once() -> None:
    told = carrier_call()
    copies = [type(p)(p.time + 1000, p.source, p.target, p.data) for p in told.packets]
    again = [type(p)(p.time + 500_000_000, p.source, p.target, p.data) for p in told.packets if p.target == G1]
    packets = sorted([*told.packets, *copies, *again], key=lambda p: p.time)
    [story], [plain] = stories(packets), stories(told.packets)
    assert [[one.sip.start for one in leg.said] for leg in story.tried] == [
        [one.sip.start for one in leg.said] for leg in plain.tried
    ]
    assert [len(leg.everything) for leg in story.tried] == [len(plain.tried[0].said) + 2, len(plain.tried[1].said)]


def test_credentials_begin_no_attempt_of_their_own() -> None:
    told = Told()
    told.ask(0, PBX, G1, "INVITE")
    told.answer(0.1, G1, PBX, "407 Proxy Authentication Required")
    told.ask(0.2, PBX, G1, "INVITE", "Proxy-Authorization: Digest x", cseq=2)
    told.answer(0.3, G1, PBX, "503 Service Unavailable", cseq=2)
    told.ask(5.0, PBX, G1, "INVITE", cseq=3, branch="z9hG4bKagain")
    [story] = stories(told.packets)
    assert [len(attempt) for attempt in story.tried[0].attempts] == [4, 1]


def test_a_system_with_several_addresses_has_to_be_told() -> None:
    told = Told()
    told.ask(0, ALICE, PBX, "INVITE")
    told.ask(0.1, INSIDE, G1, "INVITE", call="b")
    with pytest.raises(BadCapture, match=r"which of 192\.0\.2\.7, 10\.0\.0\.1 is the system\?.*--at 192\.0\.2\.7"):
        stories(told.packets)
    [story] = stories(told.packets, [Node(PBX[0]), Node(INSIDE[0], 5060)])
    assert story.caller is not None
    assert tried(story) == [[G1[0]]]


def test_two_that_are_called_and_call_are_asked_about() -> None:
    told = Told()
    told.ask(0, ALICE, PBX, "INVITE")
    told.ask(0.1, PBX, INSIDE, "INVITE")
    told.ask(0.2, INSIDE, G1, "INVITE")
    with pytest.raises(
        BadCapture, match=r"which of 192\.0\.2\.1, 10\.0\.0\.1 is the system\? Each is called and calls"
    ):
        stories(told.packets)
    assert tried(stories(told.packets, [Node(INSIDE[0])])[0]) == [[G1[0]]]


def test_phones_that_call_one_another_are_not_the_system() -> None:
    told = Told()
    for at, (caller, called) in enumerate([(ALICE, G1), (G1, ALICE), (G2, G1)]):
        told.ask(at, caller, PBX, "INVITE", call=f"c{at}")
        told.ask(at + 0.1, PBX, called, "INVITE", call=f"c{at}")
    assert [tried(story) for story in stories(told.packets)] == [[[G1[0]]], [[ALICE[0]]], [[G1[0]]]]


def test_who_has_registered_is_known() -> None:
    told = carrier_call()
    told.ask(10, G3, PBX, "REGISTER", "Contact: <sip:x@10.9.9.9:5066>, <sip:no", "Contact: *", call="reg")
    told.ask(11, PBX, G1, "REGISTER", "Contact: <sip:trunk@192.0.2.1>", call="trunk")
    [story] = stories(told.packets)
    assert story.registered == {G3, ("10.9.9.9", 5066)}


def test_systems_and_phones_on_one_host_are_told_apart_by_their_ports() -> None:
    told = Told()
    told.ask(0, ("127.0.0.1", 6000), ("127.0.0.1", 5060), "INVITE", branch="z9hG4bK1")
    told.ask(0.1, ("127.0.0.1", 5060), ("127.0.0.1", 6001), "INVITE", branch="z9hG4bK2")
    [story] = stories(told.packets)
    assert [leg.peer for leg in story.tried] == [("127.0.0.1", 6001)]


def test_what_is_not_about_the_system_is_left_out() -> None:
    told = carrier_call()
    told.ask(0.5, G2, G3, "INVITE", branch="z9hG4bKelse")
    [story] = stories(told.packets, [Node(PBX[0])])
    assert tried(story) == [[G1[0]], [G2[0]]]
    with pytest.raises(BadCapture, match=r"no call through 10\.0\.0\.1; INVITEs were seen between 192\.0\.2\.7:5060, "):
        stories(told.packets, [Node(INSIDE[0])])


def test_a_capture_without_calls() -> None:
    told = Told()
    told.ask(0, ALICE, PBX, "OPTIONS")
    with pytest.raises(BadCapture, match="there is no INVITE outside of a dialog"):
        stories(told.packets)


def test_thousands_of_calls_side_by_side_are_told_apart() -> None:
    told = Told()
    for number in range(8000):
        call = f"{number:05}"
        told.ask(number / 1000, ALICE, PBX, "INVITE", call=f"in{call}", user=call)
        told.ask(number / 1000 + 0.02, PBX, G1, "INVITE", call=f"out{call}", user=call)
    told.packets.sort(key=lambda p: p.time)
    found = stories(told.packets)
    assert len(found) == 8000
    assert all(story.tried[0].call_id == story.number.join(("out", "")) for story in found)


def test_of_a_fork_without_end_a_part_is_told() -> None:
    told = Told()
    told.ask(0, ALICE, PBX, "INVITE")
    for number in range(1000):
        told.ask(0.001, PBX, (f"10.0.{number // 256}.{number % 256}", 5060), "INVITE")
    [story] = stories(told.packets)
    assert (len(story.tried), story.more) == (200, 800)


def test_a_capture_that_begins_in_the_middle_of_calls() -> None:
    told = carrier_call()
    told.packets = [p for p in told.packets if not p.data.startswith((b"INVITE", b"SIP/2.0"))]
    with pytest.raises(BadCapture, match=r"no INVITE outside of a dialog; it begins in the middle of 1 call$"):
        stories(told.packets)


def test_what_is_asked_stays_short() -> None:
    told = Told()
    for number in range(500):
        told.ask(number, (f"10.0.{number // 256}.{number % 256}", 5060), G1, "INVITE", call=str(number))
    with pytest.raises(BadCapture, match=r"10\.0\.0\.19 and 480 more is the system\?"):
        stories(told.packets)
    with pytest.raises(BadCapture, match=r"203\.0\.113\.1:5060, .* and 481 more$"):
        stories(told.packets, [Node("192.0.2.99")])


def test_a_registration_with_many_contacts_is_read() -> None:
    told = carrier_call()
    told.ask(10, G3, PBX, "REGISTER", f"Contact: {', '.join(['<sip:x@10.9.9.9:5066>'] * 400)}", call="reg")
    assert ("10.9.9.9", 5066) in stories(told.packets)[0].registered
