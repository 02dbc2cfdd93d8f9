"""Whatever comes from the network: nothing but SipError is raised, and nobody can make the reader slow."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sip_fuzz import PLAIN, READERS, SEEDS, TOKENS, TOTAL, VIEWS, ask_a_value, ask_everything, attempt, cut, mutate

from sip_harness.sip.errors import SipError
from sip_harness.sip.message import MAX_MESSAGE, Message, parse

HEAD = b"INVITE sip:b@b SIP/2.0\r\nCall-ID: c\r\n"


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    ask_everything(data)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_behind_a_start_line(data: bytes) -> None:
    assert ask_everything(HEAD + data) is not None
    assert ask_everything(b"SIP/2.0 200 OK\r\n" + data) is not None


@settings(deadline=None)
@given(st.lists(st.sampled_from(TOKENS) | st.binary(max_size=4), max_size=40).map(b"".join))
@pytest.mark.parametrize(
    "name", [b"Via", b"From", b"Contact", b"CSeq", b"Content-Length", b"Retry-After", b"Warning", b"x"]
)
def test_any_value_of_a_header(name: bytes, value: bytes) -> None:
    assert ask_everything(HEAD + name + b": " + value + b"\r\n\r\nbody") is not None


@settings(deadline=None)
@given(
    st.text(max_size=80)
    | st.lists(st.sampled_from(TOKENS).map(lambda t: t.decode("latin-1")), max_size=30).map("".join)
)
def test_any_text_as_a_value(value: str) -> None:
    ask_a_value(value)


@settings(deadline=None)
@given(st.sampled_from(SEEDS), st.integers(0, 2**32))
def test_valid_messages_made_wrong(seed: bytes, number: int) -> None:
    data = mutate(seed, random.Random(number))
    ask_everything(data)
    cut(data, 1 + number % 97)


@settings(deadline=None)
@given(st.sampled_from(SEEDS), st.data())
def test_messages_cut_off_anywhere(seed: bytes, data: st.DataObject) -> None:
    ask_everything(seed[: data.draw(st.integers(0, len(seed)))])


def test_mutations_reach_both_fates() -> None:
    """The mutations above are of use: many are still read, many are refused, most have faults."""
    rng = random.Random(4475)
    read = [m for m in (ask_everything(mutate(rng.choice(SEEDS), rng)) for _ in range(400)) if m is not None]
    assert 100 < len(read) < 400
    assert len({fault for m in read for fault in m.faults}) > 100


def filled(before: bytes, piece: bytes, after: bytes = b"\r\n\r\n") -> bytes:
    """A message of the largest size with as many pieces as fit."""
    room = MAX_MESSAGE - len(HEAD) - len(before) - len(after)
    return HEAD + before + piece * (room // len(piece)) + after


PIECES = (
    b";", b",", b'"', b"\\", b"<", b">", b"<>", b"(", b"()", b" ", b"\t", b"=", b"@", b":", b"%", b"%41", b"&", b"?",
    b"[", b"[:", b"*", b"\0", b"\xff", b"\xc3\xa4", b"a", b"1", b"0", b'"";', b'"\\', b"a,", b"a;", b"; ", b"a=b;",
    b";a=", b",<", b'"a" ', b";rport ", b";branch", b";tag", b"tag=", b";received=", b"\r", b"/", b" /", b"SIP/",
)  # fmt: skip
PREFIXES = (
    b"Via: SIP/2.0/UDP h;branch=1", b"Via: ", b"Via: SIP/", b"From: <sip:a@h>;tag=1", b"From: ", b'To: "',
    b"Contact: <sip:", b"Contact: sip:a@h;", b"Route: <sip:p;lr>, ", b"CSeq: 1 ", b"CSeq: ", b"Content-Length: ",
    b"Retry-After: 1 ", b"Supported: a", b"Warning: 300 h ", b'Warning: 300 h "', b"", b"Date: ",
    b"Content-Type: a/b;", b"v:SIP/2.0/UDP h;rport",
)  # fmt: skip


LIMIT = 0.5


def seconds(work: Callable[[], object]) -> float:
    """CPU time; the least of three where the first was long, as a busy machine makes it at times."""
    taken = [LIMIT]
    while min(taken) >= LIMIT and len(taken) < 4:
        begin = time.thread_time()
        work()
        taken.append(time.thread_time() - begin)
    return min(taken[1:])


@pytest.mark.parametrize("before", PREFIXES)
def test_no_64_kb_value_is_slow(before: bytes) -> None:
    for piece in PIECES:
        each_is_quick(filled(before, piece))


@pytest.mark.parametrize(
    "data",
    [
        filled(b"", b"\r\n", b""),
        filled(b"Subject:", b"\r\n a"),
        filled(b"Subject:", b"\r\n\t"),
        filled(b"Via: SIP/2.0/UDP h", b"\n ;a"),
        filled(b"Via:", b"\r\n" + b" " * 1000 + b"a;"),
        filled(b"", b"Via: SIP/2.0/UDP h\r\n", b"\r\n"),
        filled(b"", b"v:x\r\n", b"\r\n"),
        filled(b"", b"a:\n", b"\n"),
        filled(b"", b"Contact: " + b"<sip:a@h>, " * 7 + b"\r\n", b"\r\n"),
        filled(b"", b"Via: SIP/2.0/UDP h;branch=" + b"x" * 40 + b"\r\n", b"\r\n"),
        filled(b"", b"no colon\r\n", b"\r\n"),
        filled(b"", b"a" * 70 + b"\0: b\r\n", b"\r\n"),
        filled(b"l: 1\r\n\r\n", b"\r\n\r\n", b""),
        filled(b"\r\n", b"\n", b""),
        b"\r\n" * 30_000 + HEAD + b"\r\n",
        b"A" * MAX_MESSAGE,
        b"A " * (MAX_MESSAGE // 2),
        b"INVITE " + b" " * 65_000 + b"SIP/2.0\r\n\r\n",
        b"INVITE " + b"a " * 32_000 + b"SIP/2.0\r\n\r\n",
        b"INVITE sip:" + b"a" * 65_000 + b" SIP/2.0\r\n\r\n",
        b"INVITE sip:" + b"a:" * 32_000 + b" SIP/2.0\r\n\r\n",
        b"INVITE sip:b@h" + b";a" * 32_000 + b" SIP/2.0\r\n\r\n",
        b"SIP/2.0 200 " + b" " * 65_000 + b"\r\n\r\n",
        b"SIP/2.0" + b" " * 65_000 + b"200\r\n\r\n",
        b"SIP/" + b"2" * 65_000 + b".0 200 OK\r\n\r\n",
    ],
    ids=lambda data: ascii(data[:60])[2:-1] + "_" + ascii(data[-20:])[2:-1],
)
def test_no_64_kb_message_is_slow(data: bytes) -> None:
    each_is_quick(data)


def each_is_quick(data: bytes) -> None:
    """Nothing that can be asked of a message of 64 KB takes 50 ms of CPU time: a quadratic reader takes seconds."""
    assert len(data) <= MAX_MESSAGE
    try:
        message = parse(data)
    except SipError:
        assert seconds(lambda: attempt((parse,), data)) < LIMIT
        return
    whole = max([message.uri, *(field.value for field in message.fields)], key=len)
    tasks = [*((lambda m, n=name: getattr(m, n)) for name in PLAIN), *VIEWS]
    for task in tasks:
        once = seconds(lambda task=task: attempt((task,), parse(data)))  # type: ignore[misc]
        assert once < LIMIT, (task, once)
    for reader in (*TOTAL, *READERS):
        once = seconds(lambda reader=reader: attempt((reader,), whole))  # type: ignore[misc]
        assert once < LIMIT, (reader, once)


def test_all_messages_of_the_test_have_the_size_that_they_claim() -> None:
    message = parse(filled(b"Via: ", b";"))
    assert isinstance(message, Message)
    assert len(message.get("via") or "") > 65_000
