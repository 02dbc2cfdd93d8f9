"""Datagrams and streams out of frames: link layers, fragments, segments in any order, and SIP out of them."""

from __future__ import annotations

import random
import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_harness.capture.files import Frame
from sip_harness.capture.network import units
from sip_harness.capture.packets import Packet
from sip_harness.capture.streams import messages
from sip_harness.record.frames import exported_pdu, udp_packet

HERE, THERE = ("192.0.2.1", 5060), ("192.0.2.2", 5070)
SIX, OTHER_SIX = ("2001:db8::1", 5060), ("2001:db8::2", 5070)
ETHERNET, RAW, NULL, SLL, SLL2, PDU = 1, 101, 0, 113, 276, 252


def udp(data: bytes, *, six: bool = False) -> bytes:
    found = udp_packet(SIX, OTHER_SIX, data) if six else udp_packet(HERE, THERE, data)
    assert found is not None
    return found


def only(*frames: Frame) -> Packet:
    found = list(units(frames))
    assert len(found) == 1
    assert isinstance(found[0], Packet)
    return found[0]


LINKS = [
    pytest.param(RAW, b"", id="raw"),
    pytest.param(NULL, struct.pack("<I", 2), id="null"),
    pytest.param(ETHERNET, bytes(12) + b"\x08\x00", id="ethernet"),
    pytest.param(ETHERNET, bytes(12) + b"\x81\x00\x00\x07\x08\x00", id="vlan"),
    pytest.param(ETHERNET, bytes(12) + b"\x88\xa8\x00\x07\x81\x00\x00\x08\x08\x00", id="two vlans"),
    pytest.param(SLL, bytes(14) + b"\x08\x00", id="any interface"),
    pytest.param(SLL2, b"\x08\x00" + bytes(18), id="any interface, second version"),
]


@pytest.mark.parametrize(("link", "before"), LINKS)
def test_link_layers(link: int, before: bytes) -> None:
    assert only(Frame(7, link, before + udp(b"hello"))) == Packet(7, HERE, THERE, b"hello")


def test_ipv6_with_headers_before_the_datagram() -> None:
    packet = udp(b"hello", six=True)
    hop = bytes([17, 0]) + bytes(6)
    behind = packet[:4] + struct.pack("!HB", len(packet) - 40 + 8, 0) + packet[7:40] + hop + packet[40:]
    assert only(Frame(7, RAW, packet)) == Packet(7, SIX, OTHER_SIX, b"hello")
    assert only(Frame(7, RAW, behind)) == Packet(7, SIX, OTHER_SIX, b"hello")


def test_padding_of_short_ethernet_frames_is_no_part_of_the_datagram() -> None:
    assert only(Frame(7, ETHERNET, bytes(12) + b"\x08\x00" + udp(b"hi") + bytes(20))).data == b"hi"


@pytest.mark.parametrize("six", [False, True])
def test_fragments_in_any_order(six: bool) -> None:
    data = random.Random(1).randbytes(3000)
    pieces = fragments(udp(data, six=six), six=six)
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0], [2, 1, 0]):
        assert only(*(Frame(at, RAW, pieces[i]) for at, i in enumerate(order))).data == data
    assert not list(units(Frame(0, RAW, piece) for piece in pieces[:2]))


def fragments(packet: bytes, *, six: bool) -> list[bytes]:
    head, payload = (packet[:40], packet[40:]) if six else (packet[:20], packet[20:])
    found = []
    for at in range(0, len(payload), 1400):
        piece, more = payload[at : at + 1400], at + 1400 < len(payload)
        if six:
            fragment = struct.pack("!BBHI", 17, 0, at | more, 99)
            found.append(head[:4] + struct.pack("!HB", len(piece) + 8, 44) + head[7:] + fragment + piece)
        else:
            flags = at // 8 | (0x2000 if more else 0)
            found.append(head[:2] + struct.pack("!HHH", len(piece) + 20, 99, flags) + head[8:] + piece)
    return found


def test_exported_messages_carry_their_addresses_with_them() -> None:
    assert only(Frame(7, PDU, exported_pdu(HERE, THERE, b"x", "tls"))) == Packet(7, HERE, THERE, b"x", "tcp")
    assert only(Frame(7, PDU, exported_pdu(SIX, OTHER_SIX, b"x", "udp"))) == Packet(7, SIX, OTHER_SIX, b"x", "udp")


@given(st.binary(max_size=200), st.sampled_from([NULL, ETHERNET, RAW, SLL, SLL2, PDU, 147]))
def test_whatever_a_frame_holds_gives_datagrams_or_nothing(data: bytes, link: int) -> None:
    list(messages(units([Frame(0, link, data), Frame(1, link, b"\x45" + data), Frame(2, link, b"\x60" + data)])))


def sip(number: int, body: str = "") -> bytes:
    head = f"SIP/2.0 {number} Whatever\r\nCall-ID: {number}\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


def tcp(number: int, data: bytes, flags: int = 0x18) -> bytes:
    source, target = (ip_address(host).packed for host in (HERE[0], THERE[0]))
    segment = struct.pack("!HHIIBBHHH", HERE[1], THERE[1], number % (1 << 32), 0, 0x50, flags, 0, 0, 0) + data
    return struct.pack("!BBHHHBBH", 0x45, 0, len(segment) + 20, 0, 0, 64, 6, 0) + source + target + segment


def received(*segments: bytes) -> list[tuple[int, bytes]]:
    found = messages(units(Frame(at, RAW, segment) for at, segment in enumerate(segments)))
    return [(packet.time, packet.data) for packet in found]


def test_messages_of_a_stream_have_the_time_of_their_last_segment() -> None:
    both = sip(180) + sip(486, "busy")
    cut = len(sip(180)) + 10
    assert received(tcp(99, b"", 2), tcp(100, both[:cut]), tcp(100 + cut, both[cut:])) == [
        (1, sip(180)),
        (2, sip(486, "busy")),
    ]


def test_segments_out_of_order_again_and_overlapping() -> None:
    data = sip(180) + sip(183) + sip(486)
    begin = (1 << 32) - 20  # the numbers run over
    parts = [tcp(begin + at, data[at : at + 30]) for at in range(0, len(data), 30)]
    shuffled = [
        tcp(begin - 1, b"", 2),
        parts[1],
        parts[0],
        parts[0],
        tcp(begin + 15, data[15:75]),
        *reversed(parts[2:]),
    ]
    assert [data for _, data in received(*shuffled)] == [sip(180), sip(183), sip(486)]


def test_a_stream_that_was_already_open_is_read_from_the_next_message_on() -> None:
    rest = b"a=sendrecv\r\n"
    segments = [tcp(5, rest), tcp(5 + len(rest), sip(180))]
    assert [data for _, data in received(*segments)] == [sip(180)]


def test_bytes_that_were_never_captured_cost_their_message_only() -> None:
    lost = sip(180)
    after = [sip(200, "x" * 60_000) for _ in range(20)]
    begin = 1000 + len(lost)
    segments = [tcp(999, b"", 2), *(tcp(begin + i * len(after[0]), one) for i, one in enumerate(after))]
    assert [data for _, data in received(*segments)] == after


def test_keep_alives_and_other_protocols_are_no_messages() -> None:
    assert received(tcp(1, b"\r\n\r\n" + sip(200) + b"\r\n")) == [(0, sip(200))]
    assert received(tcp(1, b"GET / HTTP/1.1\r\n\r\n"), tcp(19, b"\x16\x03\x01\x00\x10" + bytes(16))) == []
