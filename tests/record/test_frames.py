"""Frames of capture files, checked against the standards' arithmetic and reader's expectations."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_harness.record.frames import checksum, exported_pdu, udp_packet

HERE, THERE = ("127.0.0.1", 5070), ("127.0.0.2", 5060)


def folded(data: bytes) -> int:
    """RFC 1071 by the book: the one's complement sum of 16-bit words."""
    total = 0
    for (word,) in struct.iter_unpack("!H", data + bytes(len(data) % 2)):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total


@given(st.binary(min_size=1, max_size=300).filter(any))
def test_data_with_its_checksum_sums_to_all_ones(data: bytes) -> None:
    even = data + bytes(len(data) % 2)
    assert folded(even + struct.pack("!H", checksum(data))) == 0xFFFF
    assert 0 < checksum(data) <= 0xFFFF


def test_the_example_of_rfc_1071() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


@given(st.binary(max_size=300))
def test_an_ipv4_packet_has_right_lengths_and_checksums(data: bytes) -> None:
    packet = udp_packet(HERE, THERE, data)
    assert packet is not None
    assert (packet[0], packet[9], packet[12:16], packet[16:20]) == (0x45, 17, b"\x7f\0\0\1", b"\x7f\0\0\2")
    assert struct.unpack("!H", packet[2:4])[0] == len(packet) == 28 + len(data)
    assert struct.unpack("!HHH", packet[20:26]) == (5070, 5060, 8 + len(data))
    assert folded(packet[:20]) == 0xFFFF
    assert folded(packet[12:20] + struct.pack("!HH", 17, 8 + len(data)) + packet[20:]) == 0xFFFF
    assert packet[28:] == data


def test_an_ipv6_packet() -> None:
    packet = udp_packet(("::1", 1), ("fe80::2%lo", 2), b"hello")
    assert packet is not None
    assert struct.unpack("!IHBB", packet[:8]) == (0x60000000, 13, 17, 64)
    assert (packet[8:24], packet[24:40]) == (bytes(15) + b"\1", bytes.fromhex("fe80" + "00" * 13 + "02"))
    assert folded(packet[8:40] + struct.pack("!HH", 17, 13) + packet[40:]) == 0xFFFF


@pytest.mark.parametrize(
    ("source", "target", "size"),
    [
        (("pbx.test.invalid", 1), THERE, 10),
        (("::1", 1), THERE, 10),
        (HERE, THERE, 65_508),
        (("::1", 1), ("::1", 2), 65_528),
    ],
)
def test_what_no_udp_packet_can_hold(source: tuple[str, int], target: tuple[str, int], size: int) -> None:
    assert udp_packet(source, target, bytes(size)) is None


def test_the_largest_datagrams_fit() -> None:
    assert len(udp_packet(HERE, THERE, bytes(65_507)) or b"") == 65_535
    assert len(udp_packet(("::1", 1), ("::1", 2), bytes(65_527)) or b"") == 65_575


def tags(pdu: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    found, at = [], 0
    while True:
        code, length = struct.unpack("!HH", pdu[at : at + 4])
        found.append((code, pdu[at + 4 : at + 4 + length]))
        at += 4 + length
        if code == 0:
            return found, pdu[at:]


def test_an_exported_pdu_names_its_protocol_and_addresses() -> None:
    found, data = tags(exported_pdu(HERE, ("::1", 7), b"SIP", "tls"))
    assert data == b"SIP"
    assert found == [
        (12, b"sip\0"), (20, b"\x7f\0\0\1"), (23, bytes(15) + b"\1"),
        (24, b"\0\0\0\2"), (25, struct.pack("!I", 5070)), (26, struct.pack("!I", 7)), (0, b""),
    ]  # fmt: skip


def test_an_exported_pdu_without_ip_addresses_has_none() -> None:
    found, _ = tags(exported_pdu(("pbx.test.invalid", 1), ("x", 2), b"", "udp"))
    assert [code for code, _ in found] == [12, 24, 25, 26, 0]
