"""Awaited events found in the traffic."""

from __future__ import annotations

from ladders import record, scenario

from sip_harness.record.seen import Reader
from sip_harness.run.hub import Hub, events_of
from sip_harness.script.machine import ACKED

SCENARIO = scenario(
    "desk: {answer: [ringing, after: mobile sends 180, 486]}\n"
    "mobile: {answer: [ringing, after: desk gets ACK to 486, 200]}",
    "alice: [200]",
    calls="[{from: alice, to: bob, cancel: after alice gets 6xx}]",
)


def fired(ladder: str, hub: Hub | None = None) -> list[list[str]]:
    hub = hub or Hub(events_of(SCENARIO), {"desk", "mobile"})
    reader = Reader()
    return [names for m in record(ladder).messages if (names := hub.feed(reader.read(m)))]


def test_events_of_scripts_and_calls() -> None:
    assert sorted(events_of(SCENARIO)) == ["alice gets 6xx", "desk gets ACK to 486", "mobile sends 180"]


def test_an_event_fires_once_and_only_at_its_agent() -> None:
    ladder = "0.0 mobile < INVITE\n0.1 desk > 180\n0.2 mobile > 180\n0.3 mobile > 180"
    assert fired(ladder) == [["mobile sends 180"]]


def test_an_ack_is_told_by_what_it_acknowledges() -> None:
    assert fired("0.0 desk < INVITE\n0.1 desk > 486\n0.2 desk < ACK to 486") == [["desk gets ACK to 486"]]
    assert fired("0.0 desk < INVITE\n0.1 desk > 480\n0.2 desk < ACK to 480") == []


def test_the_ack_of_an_answer_is_told_by_itself() -> None:
    assert fired("0.0 desk < INVITE\n0.1 desk > 200\n0.2 desk < ACK to 200") == [[ACKED]]


def test_a_class_of_codes() -> None:
    assert fired("0.0 alice > INVITE\n0.1 alice < 603 from desk") == [["alice gets 6xx"]]


def test_another_call_begins_anew() -> None:
    hub = Hub(events_of(SCENARIO), {"desk", "mobile"})
    assert fired("0.2 mobile > 180", hub) == [["mobile sends 180"]]
    assert fired("0.3 mobile > 180", hub) == []
    hub.forget()
    assert fired("0.4 mobile > 180", hub) == [["mobile sends 180"]]


COUNTING = scenario(
    "desk: {answer: [after: desk gets 2 INVITE, 200]}",
    "alice: [200]",
    calls="[{from: alice, to: bob}, {from: carol, to: bob, at: 50ms}]",
)


def test_an_event_that_counts_counts_no_retransmissions() -> None:
    hub = Hub(events_of(COUNTING), {"desk"}, overlapping=True)
    assert fired("0.0 desk < INVITE call=1\n0.5 desk < INVITE call=1\n1.0 desk < INVITE call=2", hub) == [
        ["desk gets 2 INVITE"]
    ]


def test_where_calls_overlap_each_has_an_ack_of_its_own() -> None:
    hub = Hub(events_of(COUNTING), {"desk"}, overlapping=True)
    ladder = "0.0 desk < INVITE\n0.1 desk > 200\n0.2 desk < ACK to 200"
    [[first]] = fired(ladder, hub)
    assert first.startswith(f"{ACKED} in ")
