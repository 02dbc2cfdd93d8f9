"""SIP out of text, as people paste it into tickets and as servers log it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_harness.capture.packets import BadCapture
from sip_harness.capture.reading import read_bytes
from sip_harness.capture.text import packets
from sip_harness.sip.message import parse

HEAD = """\
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK77
From: <sip:alice@example>;tag=1
To: <sip:4930123@example>{tag}
Call-ID: 4711
CSeq: 1 {method}
"""
INVITE = "INVITE sip:4930123@203.0.113.1 SIP/2.0\n" + HEAD.format(tag="", method="INVITE")
TRYING = "SIP/2.0 100 Trying\n" + HEAD.format(tag="", method="INVITE")
REFUSAL = "SIP/2.0 503 All circuits busy\n" + HEAD.format(tag=";tag=2", method="INVITE") + "Retry-After: 30\n"
ACK = "ACK sip:4930123@203.0.113.1 SIP/2.0\n" + HEAD.format(tag=";tag=2", method="ACK")
SYSTEM, CARRIER = ("192.0.2.1", 5060), ("203.0.113.1", 5060)

SNGREP = f"""\
2026/11/27 10:15:00.123456 192.0.2.1:5060 -> 203.0.113.1:5060
{INVITE}Content-Type: application/sdp
Content-Length: 8

v=0
s=-


2026/11/27 10:15:00.200000 203.0.113.1:5060 -> 192.0.2.1:5060
{REFUSAL}Content-Length: 0


2026/11/27 10:15:00.201000 192.0.2.1:5060 -> 203.0.113.1:5060
{ACK}Content-Length: 0

"""
NGREP = SNGREP.replace("2026/11/27", "\nU 2026/11/27")
DOTS = "\n".join(
    line if "->" in line or (not line and not body) else f"{line}."
    for line, body in zip(NGREP.split("\n"), [True, *map(bool, NGREP.split("\n"))], strict=False)
)
HOMER = SNGREP.replace("2026/11/27 ", "proto:UDP 2026-11-27T").replace(".123456 ", ".123456Z  ").replace("->", "--->")
_LOG = "VERBOSE[1] res_pjsip_logger.c:"
ASTERISK = f"""\
[2026-11-27 10:15:00.123] {_LOG} <--- Transmitting SIP request (300 bytes) to UDP:203.0.113.1:5060 --->
{INVITE}Content-Type: application/sdp
Content-Length:     8

v=0
s=-

[2026-11-27 10:15:00.200] {_LOG} <--- Received SIP response (300 bytes) from UDP:203.0.113.1:5060 --->
{REFUSAL}Content-Length: 0


[2026-11-27 10:15:00.201] {_LOG} <--- Transmitting SIP request (300 bytes) to UDP:203.0.113.1:5060 --->
{ACK}Content-Length: 0

"""
FREESWITCH = f"""\
send 300 bytes to udp/[203.0.113.1]:5060 at 10:15:00.123456:
------------------------------------------------------------------------
{INVITE}Content-Type: application/sdp
Content-Length: 8

v=0
s=-
------------------------------------------------------------------------
2026-11-27 10:15:00.130000 [NOTICE] switch_channel.c:1118 New Channel sofia/external/4930123
recv 300 bytes from udp/[203.0.113.1]:5060 at 10:15:00.200000:
------------------------------------------------------------------------
{REFUSAL}Content-Length: 0

------------------------------------------------------------------------
send 300 bytes to udp/[203.0.113.1]:5060 at 10:15:00.201000:
------------------------------------------------------------------------
{ACK}Content-Length: 0

------------------------------------------------------------------------
"""
AUDIOCODES = f"""\
---- Outgoing SIP Message to 203.0.113.1:5060 from SIPInterface #1 (Carrier) UDP TO(#1) ---- [Time:27-11@10:15:00.123]
{INVITE}Content-Type: application/sdp
Content-Length: 8

v=0
s=-

---- Incoming SIP Message from 203.0.113.1:5060 to SIPInterface #1 (Carrier) UDP TO(#1) ---- [Time:27-11@10:15:00.200]
{REFUSAL}Content-Length: 0

---- Outgoing SIP Message to 203.0.113.1:5060 from SIPInterface #1 (Carrier) UDP TO(#1) ---- [Time:27-11@10:15:00.201]
{ACK}Content-Length: 0

"""
MADE_UP = ("system.invalid", 5060)


@pytest.mark.parametrize(
    ("text", "here"),
    [
        pytest.param(SNGREP, SYSTEM, id="sngrep"),
        pytest.param(NGREP, SYSTEM, id="ngrep"),
        pytest.param(DOTS, SYSTEM, id="ngrep byline"),
        pytest.param(HOMER, SYSTEM, id="homer"),
        pytest.param(ASTERISK, MADE_UP, id="asterisk"),
        pytest.param(FREESWITCH, MADE_UP, id="freeswitch"),
        pytest.param(AUDIOCODES, MADE_UP, id="audiocodes"),
        pytest.param(SNGREP.replace("\n", "\r\n"), SYSTEM, id="carriage returns"),
        pytest.param("".join(f"> {line}\n" for line in SNGREP.splitlines()), SYSTEM, id="quoted in a mail"),
        pytest.param("".join(f"    {line}\n" for line in SNGREP.splitlines()), SYSTEM, id="indented"),
    ],
)
def test_what_servers_and_tools_write(text: str, here: tuple[str, int]) -> None:
    found, timed = packets(text)
    assert timed
    assert [(p.source, p.target) for p in found] == [(here, CARRIER), (CARRIER, here), (here, CARRIER)]
    parsed = [parse(p.data) for p in found]
    assert [m.start for m in parsed] == [
        INVITE.partition("\n")[0],
        "SIP/2.0 503 All circuits busy",
        ACK.partition("\n")[0],
    ]
    assert parsed[0].body == b"v=0\r\ns=-\r\n"
    assert parsed[1].get("retry-after") == "30"
    assert not any(m.faults for m in parsed if m.code)
    pauses = [(later.time - earlier.time) / 1e6 for earlier, later in pairwise(found)]
    assert pauses == pytest.approx([76.544, 1], abs=0.6)


def test_bare_messages_have_the_addresses_of_their_via_and_no_times() -> None:
    found, timed = packets(f"Hello,\n\nthis is what we got:\n\n{INVITE}\n{REFUSAL}\nBest regards")
    assert not timed
    assert [(p.source, p.target) for p in found] == [(SYSTEM, CARRIER), (CARRIER, SYSTEM)]
    assert parse(found[1].data).get("retry-after") == "30"


def bare(start: str, vias: list[str], call: str = "a", *headers: str) -> str:
    lines = [start, *(f"Via: SIP/2.0/UDP {via};branch=z9hG4bK{via[-4:]}" for via in vias), "From: <sip:a@x>;tag=1"]
    method = "INVITE" if start.startswith("SIP/2.0") else start.split(" ", 1)[0]
    return "\n".join([*lines, "To: <sip:b@x>", f"Call-ID: {call}", f"CSeq: 1 {method}", *headers, "", ""])


def test_bare_messages_of_a_whole_fork_are_told_apart() -> None:
    """As Wireshark's Follow Stream and Cisco's debug show them: nothing but messages, those of all legs."""
    text = bare("INVITE sip:bob@pbx.example SIP/2.0", ["192.0.2.7:5061"])
    text += bare("INVITE sip:bob@192.0.2.20:5071 SIP/2.0", ["192.0.2.1:5060", "192.0.2.7:5061"])
    text += bare("INVITE sip:bob@[2001:db8::2]:5072 SIP/2.0", ["192.0.2.1:5062", "192.0.2.7:5061"])
    text += bare("INVITE sip:bob@far.example SIP/2.0", ["192.0.2.1:5063"], "b", "Route: <sip:203.0.113.9;lr>")
    text += bare("SIP/2.0 486 Busy Here", ["192.0.2.1:5060", "192.0.2.7:5061"])
    assert [(p.source, p.target) for p in packets(text)[0]] == [
        (("192.0.2.7", 5061), ("192.0.2.1", 5060)),
        (("192.0.2.1", 5060), ("192.0.2.20", 5071)),
        (("192.0.2.1", 5062), ("2001:db8::2", 5072)),
        (("192.0.2.1", 5063), ("203.0.113.9", 5060)),
        (("192.0.2.20", 5071), ("192.0.2.1", 5060)),
    ]


def test_a_response_without_its_request_is_from_somebody() -> None:
    [packet] = packets(REFUSAL)[0]
    assert (packet.source, packet.target) == (("peer.invalid", 5060), SYSTEM)


def test_times_of_whole_seconds_leave_the_order_of_the_file() -> None:
    text = ASTERISK.replace("00.123]", "00]").replace("00.200]", "00]").replace("00.201]", "00]")
    found = read_bytes(text.encode(), "full.log").packets
    assert [parse(p.data).start[:3] for p in found] == ["INV", "SIP", "ACK"]
    assert len({p.time for p in found}) == 3
    assert found[2].time - found[0].time < 1000


def test_times_without_a_date_go_on_past_midnight() -> None:
    found, _ = packets(FREESWITCH.replace("10:15:00.1", "23:59:59.1").replace("10:15:00.2", "00:00:00.2"))
    assert [(later.time - earlier.time) / 1e6 for earlier, later in pairwise(found)] == pytest.approx([1076.544, 1])


def test_a_separator_that_is_no_newline_ends_no_line() -> None:
    assert parse(packets(REFUSAL.replace("busy", "bu\u2028s\x85y"))[0][0].data).reason == "All circuits bu\u2028s\x85y"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_files_of_windows_are_read(encoding: str) -> None:
    [packet] = read_bytes(INVITE.encode(encoding), "mail.txt").packets
    assert packet.target == CARRIER


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"\x1f\x8b\x08\x00", "unpack it first"), (b"PK\x03\x04", "unpack it first"), (b"", "it is empty")],
)
def test_what_is_no_capture_says_what_to_do(data: bytes, why: str) -> None:
    with pytest.raises(BadCapture, match=f"x.pcap.gz: .*{why}"):
        read_bytes(data, "x.pcap.gz")


def test_a_body_has_the_length_that_it_has() -> None:
    """Who makes a trace anonymous changes lengths and forgets to say so."""
    text = f"{INVITE}Content-Length: 900\nContent-Type: application/sdp\n\nv=0\no=- 1 1 IN IP4 X\n\nand so on\n"
    message = parse(packets(text)[0][0].data)
    assert (message.body, message.truncated) == (b"v=0\r\no=- 1 1 IN IP4 X\r\n", False)


def test_other_bodies_end_at_an_empty_line() -> None:
    text = f"{REFUSAL}Content-Type: text/plain\nContent-Length: 3\n\nno more\ncredit\n\nregards\n"
    assert parse(packets(text)[0][0].data).body == b"no more\r\ncredit\r\n"


def test_folded_headers_stay_folded() -> None:
    text = REFUSAL.replace("Retry-After: 30", "Reason: Q.850\n ;cause=34")
    assert parse(packets(text)[0][0].data).get("reason") == "Q.850 ;cause=34"


def test_a_sentence_about_a_message_is_none() -> None:
    with pytest.raises(BadCapture, match="mail: no SIP message in it: neither a capture"):
        read_bytes(b"They answer SIP/2.0 503 and INVITE sip:bob@example SIP/2.0 never comes.\n", "mail")


@given(st.text(max_size=300), st.sampled_from([SNGREP, ASTERISK, FREESWITCH, REFUSAL]))
def test_whatever_stands_around_them(text: str, told: str) -> None:
    packets(f"{text}\n{told}\n{text}")
    packets(told[: len(text)] + text + told[len(text) :])
