"""Frames out of capture files, of both formats and both byte orders, whole, cut off and damaged."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_harness.capture.files import Frame, frames, is_capture
from sip_harness.capture.packets import BadCapture

TIME = 1_790_000_000_123_456_789
SECONDS, NANOSECONDS = divmod(TIME, 1_000_000_000)


def pcap(order: str, *data: bytes, nanoseconds: bool = False, link: int = 1) -> bytes:
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    fraction = NANOSECONDS if nanoseconds else NANOSECONDS // 1000
    head = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    records = [struct.pack(f"{order}IIII", SECONDS, fraction, len(one), len(one)) + one for one in data]
    return head + b"".join(records)


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + size + body + size


def section(order: str) -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str, *, link: int = 1, options: bytes = b"") -> bytes:
    return block(order, 1, struct.pack(f"{order}HHI", link, 0, 65535) + options)


def packet(order: str, data: bytes, units: int, *, number: int = 0) -> bytes:
    head = struct.pack(f"{order}IIIII", number, units >> 32, units & 0xFFFFFFFF, len(data), len(data))
    return block(order, 6, head + data)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcap_in_both_byte_orders(order: str) -> None:
    assert list(frames(pcap(order, b"one", b"two"))) == [
        Frame(TIME // 1000 * 1000, 1, b"one"),
        Frame(TIME // 1000 * 1000, 1, b"two"),
    ]


def test_pcap_with_nanoseconds_keeps_them() -> None:
    assert list(frames(pcap("<", b"one", nanoseconds=True, link=101))) == [Frame(TIME, 101, b"one")]


def test_a_pcap_that_was_cut_off_is_read_up_to_there() -> None:
    whole = pcap("<", b"one", b"two")
    for length in range(24, len(whole)):
        assert len(list(frames(whole[:length]))) == (length >= 24 + 16 + 3)


def test_a_damaged_pcap_gives_what_stands_before_the_damage() -> None:
    damaged = pcap("<", b"one") + struct.pack("<IIII", 1, 1, 0xFFFFFFF0, 1) + b"x"
    found = frames(damaged)
    assert next(found).data == b"one"
    with pytest.raises(BadCapture, match="damaged at byte 43: a frame of 4294967280 bytes"):
        next(found)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_with_interfaces_of_their_own_resolution(order: str) -> None:
    nano = struct.pack(f"{order}HHB3x", 9, 1, 9)
    binary = struct.pack(f"{order}HHB3x", 9, 1, 0x80 | 20)
    data = (
        section(order) + interface(order, link=101) + interface(order, options=nano) + interface(order, options=binary)
    )
    data += packet(order, b"micro", TIME // 1000) + packet(order, b"nano", TIME, number=1)
    data += packet(order, b"binary", SECONDS << 20, number=2)
    assert list(frames(data)) == [
        Frame(TIME // 1000 * 1000, 101, b"micro"),
        Frame(TIME, 1, b"nano"),
        Frame(SECONDS * 1_000_000_000, 1, b"binary"),
    ]


def test_an_offset_of_the_clock_is_added() -> None:
    offset = struct.pack("<HHq", 14, 8, 3600)
    data = section("<") + interface("<", options=offset) + packet("<", b"x", SECONDS * 1_000_000)
    assert [frame.time for frame in frames(data)] == [(SECONDS + 3600) * 1_000_000_000]


def test_a_second_section_has_a_byte_order_and_interfaces_of_its_own() -> None:
    data = section("<") + interface("<", link=1) + packet("<", b"one", 1)
    data += section(">") + interface(">", link=113) + packet(">", b"two", 1)
    assert [(frame.link, frame.data) for frame in frames(data)] == [(1, b"one"), (113, b"two")]


def test_packets_without_a_time_or_an_interface() -> None:
    simple = block("<", 3, struct.pack("<I", 3) + b"two")
    data = section("<") + interface("<") + packet("<", b"one", 7) + simple + packet("<", b"lost", 7, number=9)
    assert [(frame.time, frame.data) for frame in frames(data)] == [(7000, b"one"), (7000, b"two")]


def test_a_pcapng_that_was_cut_off_or_damaged() -> None:
    whole = section("<") + interface("<") + packet("<", b"one!", 1)
    assert [frame.data for frame in frames(whole + packet("<", b"two", 1)[:-1])] == [b"one!"]
    found = frames(whole + struct.pack("<III", 6, 13, 0))
    assert next(found).data == b"one!"
    with pytest.raises(BadCapture, match="a block of 13 bytes"):
        next(found)


def test_what_is_no_capture() -> None:
    assert not is_capture(b"INVITE sip:bob@example SIP/2.0")
    with pytest.raises(BadCapture, match="neither pcap nor pcapng"):
        frames(b"\xff\xd8\xff\xe0")


@given(st.binary(max_size=400), st.sampled_from([pcap("<"), pcap(">"), section("<"), section("<") + interface("<")]))
def test_whatever_follows_gives_frames_or_our_own_error(rest: bytes, begin: bytes) -> None:
    try:
        for frame in frames(begin + rest):
            assert len(frame.data) <= len(rest)
    except BadCapture:
        pass
