"""Messages out of a byte stream, however it is cut into segments."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip_harness.sip.errors import SipError
from sip_harness.sip.framing import Framer, FramingError, KeepAlive
from sip_harness.sip.message import MAX_MESSAGE, parse

PING, PONG = KeepAlive.PING, KeepAlive.PONG
Items = list[bytes | KeepAlive]


def message(body: bytes = b"", *, length: str | None = None, start: str = "MESSAGE sip:b@b SIP/2.0") -> bytes:
    declared = f"Content-Length: {len(body)}\r\n" if length is None else length
    return f"{start}\r\nVia: SIP/2.0/TCP h\r\n{declared}\r\n".encode() + body


ONE, TWO = message(b"one\r\n\r\nSIP/2.0 200 no message\r\n\r\n"), message(b"", start="SIP/2.0 200 OK")


def feed(framer: Framer, data: bytes, size: int) -> Items:
    """Everything that comes out when the data arrives in segments of this size."""
    return [item for at in range(0, len(data), size) for item in framer.feed(data[at : at + size])]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 4096])
def test_messages_end_where_content_length_says(size: int) -> None:
    framer = Framer()
    assert feed(framer, ONE + TWO + ONE, size) == [ONE, TWO, ONE]
    assert framer.pending == 0


def test_nothing_comes_before_it_is_complete() -> None:
    framer = Framer()
    for at in range(len(ONE) - 1):
        assert framer.feed(ONE[at : at + 1]) == []
        assert framer.pending == at + 1
    assert framer.feed(ONE[-1:] + TWO[:5]) == [ONE]
    assert framer.pending == 5
    assert framer.feed(b"") == []
    assert framer.feed(TWO[5:]) == [TWO]


@pytest.mark.parametrize(
    "length",
    [
        "Content-Length: 3\r\n",
        "l: 3\r\n",
        "L : 3\r\n",
        "CONTENT-LENGTH:\r\n 3\r\n",
        "l:3\r\nContent-Length: 003\r\n",
        "l: 3\n",
    ],
)
def test_content_length_in_any_form(length: str) -> None:
    data = message(b"abc", length=length)
    assert Framer().feed(data + TWO) == [data, TWO]
    assert parse(data).body == b"abc"


@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\n\n", b"\r\n\n", b"\n\r\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 99])
def test_heads_end_where_the_parser_sees_it(end: bytes, size: int) -> None:
    data = b"INFO sip:b@b SIP/2.0\nA: 1\r\nl: 6" + end + b"\r\n\r\nab"
    assert feed(Framer(), data + TWO, size) == [data, TWO]
    assert parse(data).body == b"\r\n\r\nab"


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 99])
def test_pings(size: int) -> None:
    framer = Framer()
    data = b"\r\n\r\n" + ONE + b"\r\n\r\n\r\n\r\n" + TWO + b"\r\n" + ONE + b"\r\n\r\n\r\n" + TWO
    assert feed(framer, data, size) == [PING, ONE, PING, PING, TWO, ONE, PING, TWO]
    assert framer.feed(b"\r\n") == []
    assert framer.feed(b"\r\n") == [PING]


@pytest.mark.parametrize("size", [1, 2, 3, 99])
def test_pongs_where_we_opened_the_connection(size: int) -> None:
    assert feed(Framer(opened=True), b"\r\n" + ONE + b"\r\n\r\n" + TWO, size) == [PONG, ONE, PONG, PONG, TWO]


def test_the_answer_to_a_ping() -> None:
    assert (PING.value, PONG.value) == (b"\r\n\r\n", b"\r\n")
    assert Framer().feed(PING.value) == [PING]
    assert Framer(opened=True).feed(PONG.value) == [PONG]


@pytest.mark.parametrize("size", [1, 2, 99])
def test_stray_line_ends_are_passed_over(size: int) -> None:
    assert feed(Framer(), b"\n\r\r\n\n" + ONE + b"\r\n\n\r\n" + TWO, size) == [ONE, TWO]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (message(b"abc", length=""), "no Content-Length in 'MESSAGE sip:b@b SIP/2.0' (RFC 3261 18.3)"),
        (message(length="l: -1\r\n"), "Content-Length cannot be read: '-1'"),
        (message(length="l: 1\r\nl: 2\r\n"), "Content-Length cannot be read: '1, 2'"),
        (message(length="l: 99999999999\r\n"), "Content-Length cannot be read: '99999999999'"),
        (message(length="l: 1x\r\n"), "Content-Length cannot be read: '1x'"),
        (message(length=f"l: {MAX_MESSAGE}\r\n"), "a message of more than 65535 bytes"),
        (b"\x16\x03\x01\x02\x00\x01", "no start line: '\\x16\\x03\\x01\\x02\\x00\\x01"),
        (b"GET / HTTP/1.1\r\n", "no start line: 'GET / HTTP/1.1'"),
        (b"SIP/2.0 9999 x\r\n", "no start line: 'SIP/2.0 9999 x'"),
        (b" INVITE sip:b@b SIP/2.0\r\n", "no start line: ' INVITE sip:b@b SIP/2.0\\r\\n"),
        (b"\0", "no start line: '\\x00"),
        (b"INVITE sip:b@b SIP/2.0\r\n" + b"A: 1\r\n" * 1100 + b"\r\n", "more than 1024 lines before the body"),
    ],
)
def test_a_stream_that_cannot_be_cut_is_lost(data: bytes, why: str) -> None:
    framer = Framer()
    with pytest.raises(FramingError) as caught:
        framer.feed(ONE + b"\r\n\r\n" + data + TWO)
    found = caught.value
    assert found.why.startswith(why)
    assert (found.read, found.rest) == ((ONE, PING), data + TWO)
    assert str(found) == f"{found.why} ({len(data + TWO)} bytes left)"
    assert isinstance(found, SipError)
    with pytest.raises(FramingError) as again:
        framer.feed(ONE)
    assert (again.value.why, again.value.read, again.value.rest) == (found.why, (), b"")
    assert framer.pending == 0


def test_the_largest_message_and_one_byte_more() -> None:
    room = MAX_MESSAGE - len(message(length="l: 65500\r\n"))
    largest = message(b"x" * room, length=f"l: {room}\r\n")
    assert len(largest) == MAX_MESSAGE
    assert feed(Framer(), largest + ONE, 1000) == [largest, ONE]
    with pytest.raises(FramingError, match="more than 65535"):
        Framer().feed(message(length=f"l: {room + 1}\r\n"))


@pytest.mark.parametrize("filler", [b"x", b"X: y\r\n", b" "])
def test_a_head_without_end_is_given_up(filler: bytes) -> None:
    framer, piece = Framer(), filler * 1000
    assert framer.feed(b"INVITE sip:b@b SIP/2.0\r\n" if filler != b"x" else b"") == []
    while framer.pending + len(piece) <= MAX_MESSAGE:
        assert framer.feed(piece) == []
    with pytest.raises(FramingError, match="more than 65535") as caught:
        framer.feed(piece)
    assert len(caught.value.rest) <= MAX_MESSAGE + len(piece)


BODIES = st.one_of(st.binary(max_size=30), st.sampled_from([b"\r\n\r\n", b"\n\n", ONE, TWO, b"\r\n"]))
ITEMS = st.lists(
    st.one_of(st.just(PING), BODIES.map(message), BODIES.map(lambda b: message(b, start="SIP/2.0 180 x"))), max_size=6
)


@settings(deadline=None)
@given(ITEMS, st.data())
def test_any_segmentation_gives_the_same(items: Items, data: st.DataObject) -> None:
    stream = b"".join(item.value if isinstance(item, KeepAlive) else item for item in items)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    framer, read = Framer(), Items()
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        read += framer.feed(stream[begin:end])
    assert read == items
    assert framer.pending == 0


def outcome(framer: Framer, segments: list[bytes]) -> tuple[Items, str]:
    """What was read from the segments, and why reading ended (empty: it did not)."""
    read = Items()
    for segment in segments:
        try:
            read += framer.feed(segment)
        except FramingError as error:
            return [*read, *error.read], error.why.partition(":")[0]
    return read, ""


NOISE = st.binary(max_size=40) | st.text(st.sampled_from("INVITE SIP/2.0\r\n :l3"), max_size=60).map(str.encode)


@settings(deadline=None)
@given(ITEMS, NOISE, st.booleans(), st.integers(1, 9))
def test_any_segmentation_gives_the_same_up_to_garbage(items: Items, noise: bytes, opened: bool, size: int) -> None:
    stream = b"".join(item.value if isinstance(item, KeepAlive) else item for item in items) + noise
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert outcome(Framer(opened=opened), [stream]) == outcome(Framer(opened=opened), pieces)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=8))
def test_any_bytes_are_cut_or_refused(segments: list[bytes]) -> None:
    read, why = outcome(Framer(), segments)
    assert why or all(isinstance(item, KeepAlive) or parse(item).content_length is not None for item in read)


def test_a_slow_sender_costs_no_more_than_its_bytes() -> None:
    """Byte by byte, four times the bytes take about four times as long: nothing is scanned again and again."""

    def seconds(data: bytes) -> float:
        framer, begin = Framer(), time.thread_time()
        assert feed(framer, data, 1) in ([], [data])
        return time.thread_time() - begin

    start = b"INVITE sip:b@b SIP/2.0\r\n"
    for shape in (lambda n: start + b"X: " + b"y" * n, lambda n: b"x" * n, lambda n: message(b"\n" * n)):
        small, large = (min(seconds(shape(n)) for _ in range(3)) for n in (15_000, 60_000))
        assert large < 12 * small
