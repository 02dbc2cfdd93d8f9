"""The ladder of calls while they happen."""

from __future__ import annotations

from sip_harness.model.entry import Direction, Malformed, Message
from sip_harness.report.live import MAX_CALLS, Live

HERE, THERE = ("127.0.0.1", 5060), ("127.0.0.1", 5070)


def message(start: str, *, time: int = 0, call_id: str = "a", cseq: str = "1 INVITE", sent: bool = False) -> Message:
    data = (
        f"{start}\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK1\r\nFrom: <sip:a\x1b@x>;tag=1\r\nTo: <sip:b@x>\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq}\r\nContent-Length: 0\r\n\r\n"
    ).encode()
    direction: Direction = "sent" if sent else "received"
    return Message(time, 0, "bob", direction, HERE, THERE, data, "script")


def shown(live: Live, *entries: Message | Malformed) -> list[str]:
    return [line.plain for entry in entries for line in live.lines(entry)]


def test_times_count_within_a_call_and_retransmissions_are_told() -> None:
    invite, again = (message("INVITE sip:b@x SIP/2.0", time=time) for time in (0, 500_000_000))
    busy = message("SIP/2.0 486 Busy Here", time=501_000_000, sent=True)
    other = message("INVITE sip:b@x SIP/2.0", time=9_000_000_000, call_id="b")
    _, first, second, answer, head, third = shown(Live("bob", "pbx"), invite, again, busy, other)
    assert first.startswith("   0.0 ms  bob ◀─")
    assert " INVITE ─" in first
    assert " INVITE (again) ─" in second
    assert answer.startswith(" 501.0 ms  bob ─")
    assert answer.endswith("▶ pbx")
    assert " 486 Busy Here ─" in answer
    assert head.startswith("INVITE from ")
    assert third.startswith("   0.0 ms")


def test_nothing_that_a_peer_sends_moves_a_cursor() -> None:
    lines = shown(Live("bob", "pbx"), message("INVITE sip:b@x SIP/2.0"), message("SIP/2.0 486 \x1b[2J", time=1))
    assert len(lines) == 3
    assert not any("\x1b" in line for line in lines)
    assert "486 \\x1b[2J" in lines[2]


def test_refreshes_of_a_registration_can_be_left_out() -> None:
    register = message("REGISTER sip:x SIP/2.0", cseq="1 REGISTER", sent=True)
    assert len(shown(Live("bob", "pbx"), register)) == 1
    assert shown(Live("bob", "pbx", registers=False), register) == []


def test_on_a_narrow_terminal_the_arrows_are_short() -> None:
    live = Live("bob", "pbx")
    [_, wide] = shown(live, message("INVITE sip:b@x SIP/2.0"))
    live.columns = 60
    [narrow] = shown(live, message("SIP/2.0 486 A very long reason phrase indeed it is", time=1))
    assert (len(wide) > 60, len(narrow)) == (True, 60)
    live.columns = 10
    assert len(shown(live, message("SIP/2.0 180 Ringing", time=1))[0]) < len(narrow)


def test_bytes_that_are_no_sip_are_counted_and_old_calls_forgotten() -> None:
    live = Live("bob", "pbx")
    [line] = shown(live, Malformed(0, "bob", HERE, THERE, b"\x1b\x1b", "no SIP"))
    assert "no SIP (2 bytes)" in line
    calls = [message("INVITE sip:b@x SIP/2.0", call_id=str(number)) for number in range(MAX_CALLS + 1)]
    shown(live, *calls)
    assert len(shown(live, calls[-1])) == 1
    assert len(shown(live, calls[0])) == 2, "the oldest begins anew"
