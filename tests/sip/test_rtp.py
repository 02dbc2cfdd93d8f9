"""RTP packets: read, written, refused; what is missing between them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_harness.sip import rtp
from sip_harness.sip.rtp import NoRtp, Packet, Sequence, build, parse

PACKET = Packet(8, 65_535, 4_000_000_000, 0xDEADBEEF, b"payload", marker=True)
# Types 64 to 95 look like RTCP where both share a port (RFC 5761 4).
packets = st.builds(
    Packet, st.integers(0, 63) | st.integers(96, 127), st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1), st.binary(max_size=1400), st.booleans(),
)  # fmt: skip


def test_the_header_by_the_standard() -> None:
    assert build(PACKET) == bytes.fromhex("80 88 ffff ee6b2800 deadbeef") + b"payload"


@given(packets)
def test_what_is_written_is_read_back(packet: Packet) -> None:
    assert parse(build(packet)) == packet


@given(st.binary(max_size=300))
def test_any_bytes_give_a_packet_or_no_rtp(data: bytes) -> None:
    try:
        packet = parse(data)
    except NoRtp as error:
        assert str(error)  # noqa: PT017 - either outcome is right
    else:
        assert data[0] >> 6 == 2
        assert packet.payload in data


def test_numbers_wrap_around() -> None:
    packet = parse(build(Packet(0, 65_536 + 5, 2**32 + 7, 2**32 + 9, b"")))
    assert (packet.sequence, packet.timestamp, packet.ssrc) == (5, 7, 9)


def test_sources_extension_and_padding_are_no_payload() -> None:
    head = struct.pack("!BBHII", 0x80 | 0x20 | 0x10 | 2, 0, 1, 2, 3)
    sources, extension = b"\1\2\3\4" * 2, struct.pack("!HH", 0xBEDE, 1) + b"ext!"
    assert parse(head + sources + extension + b"sound" + b"\0\0\3").payload == b"sound"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "0 bytes"),
        (build(PACKET)[:11], "11 bytes"),
        (build(Packet(0, 1, 2, 3, b"x" * rtp.MAX_PACKET)), "2060 bytes"),
        (b"\x40" + build(PACKET)[1:], "version 1"),
        (b"INVITE sip:a SIP/2.0\r\n\r\n", "version 1"),
        (b"\x80\xc8" + bytes(26), "RTCP"),
        (b"\x82" + build(PACKET)[1:12] + b"1234567", "longer than the packet"),
        (b"\x90" + build(PACKET)[1:12] + b"12", "extension is cut off"),
        (b"\x90" + build(PACKET)[1:12] + struct.pack("!HH", 0, 2) + b"1234", "longer than the packet"),
        (b"\xa0" + build(PACKET)[1:12] + b"12\x04", "longer than the packet"),
        (b"\xa0" + build(PACKET)[1:12] + b"12\x00", "longer than the packet"),
    ],
)
def test_what_is_no_rtp_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(NoRtp, match=why):
        parse(data)


def counted(*numbers: int) -> Sequence:
    sequence = Sequence(numbers[0])
    for number in numbers[1:]:
        sequence.add(number)
    return sequence


@pytest.mark.parametrize(
    ("numbers", "lost"),
    [
        ((7,), 0),
        ((7, 8, 9), 0),
        ((7, 9), 1),
        ((7, 9, 8), 0),
        ((7, 7, 7), 0),
        ((65_534, 65_535, 0, 1), 0),
        ((65_534, 2), 3),
        ((10, 9, 8, 11), 0),
        ((100, 101, 60_000, 102), 0),
    ],
)
def test_what_is_missing(numbers: tuple[int, ...], lost: int) -> None:
    sequence = counted(*numbers)
    assert (sequence.lost, sequence.received) == (lost, len(numbers))


@given(st.integers(0, 65_535), st.sets(st.integers(1, 69_999), max_size=200))
def test_loss_across_any_wrap_around(first: int, gone: set[int]) -> None:
    sequence = Sequence(first)
    for n in range(1, 70_001):
        if n not in gone:
            sequence.add((first + n) & 0xFFFF)
    assert sequence.lost == len(gone)


@given(st.lists(st.integers(0, 65_535), min_size=1, max_size=500))
def test_no_order_of_numbers_makes_it_negative(numbers: list[int]) -> None:
    assert counted(*numbers).lost >= 0
