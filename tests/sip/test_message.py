"""Messages: every byte is kept, every view comes from the bytes."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip_harness.sip.message import MAX_LINES, MAX_MESSAGE, Field, MalformedMessage, Message, build, parse, text

INVITE = (
    b"INVITE sip:bob@b.test SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5070;rport;branch=z9hG4bKone, SIP/2.0/TCP p.test;branch=z9hG4bKtwo\r\n"
    b"v: SIP/2.0/UDP q.test;branch=z9hG4bKthree\r\n"
    b'f: "Alice, ;tag=no" <sip:alice@a.test;tag=no>;tag=al\r\n'
    b"To: <sip:bob@b.test>\r\n"
    b"i: one@a.test\r\n"
    b"CSeq: 7 INVITE\r\n"
    b"X-Ward: 7\r\n"
    b"x-WARD:\t8 \r\n"
    b"Subject:\r\n"
    b"Content-Length: 4\r\n"
    b"\r\n"
    b"v=0\n and more"
)


def answer(first: str, *headers: str) -> Message:
    return parse("\r\n".join([first, *headers, "", ""]).encode())


def test_a_request() -> None:
    m = parse(INVITE)
    assert m.data == INVITE
    assert (m.is_request, m.method, m.uri, m.code, m.reason) == (True, "INVITE", "sip:bob@b.test", 0, "")
    assert (m.start, m.version) == ("INVITE sip:bob@b.test SIP/2.0", "2.0")
    assert (m.call_id, m.from_tag, m.to_tag, m.cseq, m.branch) == ("one@a.test", "al", "", (7, "INVITE"), "z9hG4bKone")
    assert m.summary == "INVITE"


def test_a_response() -> None:
    m = answer("SIP/2.0 486 Busy Here", "CSeq: 1 INVITE", "To: sip:b@b;tag=x-1.2")
    assert (m.is_request, m.method, m.uri, m.code, m.reason) == (False, "", "", 486, "Busy Here")
    assert (m.summary, m.to_tag) == ("486 Busy Here", "x-1.2")
    assert answer("SIP/2.0 200 OK", "CSeq: 1 BYE").summary == "200 OK (BYE)"
    assert answer("SIP/2.0 200 ").summary == "200 (?)"


def test_headers_by_any_spelling() -> None:
    m = parse(INVITE)
    assert m.all("x-ward") == m.all("X-WARD") == ["7", "8"]
    assert m.get("Call-ID") == m.get("call-id") == m.get("I") == "one@a.test"
    assert len(m.all("via")) == len(m.all("V")) == 2
    assert (m.get("subject"), m.get("s"), m.get("nothing"), m.all("nothing")) == ("", "", None, [])
    assert m.all("via") is not m.all("via")


def test_fields_as_they_stood() -> None:
    m = parse(INVITE)
    assert m.fields[1] == Field("v", "SIP/2.0/UDP q.test;branch=z9hG4bKthree")
    assert [f.key for f in m.fields[:5]] == ["via", "via", "from", "to", "call-id"]
    assert [(f.name, f.value) for f in m.fields if f.key == "x-ward"] == [("X-Ward", "7"), ("x-WARD", "8")]


def test_the_body_ends_where_content_length_says() -> None:
    m = parse(INVITE)
    assert (m.content_length, m.body, m.surplus) == (4, b"v=0\n", b" and more")


@pytest.mark.parametrize(
    ("headers", "length", "body"),
    [
        ("", None, b"12345"),
        ("Content-Length: 5\r\n", 5, b"12345"),
        ("l: 0\r\n", 0, b""),
        ("l:3\r\nContent-Length: 3\r\n", 3, b"123"),
        ("l: 3\r\nl: 4\r\n", None, b"12345"),
        ("l: 3\r\nl: x\r\n", None, b"12345"),
        ("l: 99\r\n", 99, b"12345"),
        ("l: -1\r\n", None, b"12345"),
        ("l: 99999999999\r\n", None, b"12345"),
        ("l: \xb2\r\n", None, b"12345"),
        ("l: 3;x\r\n", None, b"12345"),
        ("l:\r\n 3\r\n", 3, b"123"),
    ],
)
def test_content_length(headers: str, length: int | None, body: bytes) -> None:
    m = parse(f"INFO sip:b@b SIP/2.0\r\n{headers}\r\n12345".encode())
    assert (m.content_length, m.body) == (length, body)
    assert m.body + m.surplus == b"12345"
    assert m.truncated == (length == 99)


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        (b"X: a\r\n b", "a b"),
        (b"X: a  \r\n\t\t b \r\n c", "a b c"),
        (b"X:\r\n a", "a"),
        (b"X: a\r\n \r\n b", "a b"),
        (b"X: a\n b", "a b"),
        (b"X : a", "a"),
        (b"X\t:\ta\t", "a"),
        (b"X: a\rb", "a\rb"),
        (b"X: \xc2\xa0a", "\u00a0a"),
        (b"X: \xff", "\udcff"),
    ],
)
def test_values_have_their_folding_undone(lines: bytes, value: str) -> None:
    m = parse(b"INFO sip:b@b SIP/2.0\r\nA: 1\r\n" + lines + b"\r\nB: 2\r\n\r\n")
    assert (m.get("x"), m.get("a"), m.get("b")) == (value, "1", "2")
    assert m.fields == (Field("A", "1"), Field("X", value), Field("B", "2"))


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("blank", [b"\r\n", b"\n"])
def test_lines_may_end_with_lf_alone(end: bytes, blank: bytes) -> None:
    m = parse(b"INFO sip:b@b SIP/2.0" + end + b"A: 1" + end + b"B: 2" + end + blank + b"body\r\n\r\nmore")
    assert (m.start, m.get("a"), m.get("b"), m.body) == ("INFO sip:b@b SIP/2.0", "1", "2", b"body\r\n\r\nmore")
    assert m.complete
    assert m.uneven == (b"\r" not in end or b"\r" not in blank)


def test_the_first_empty_line_ends_the_head() -> None:
    m = parse(b"INFO sip:b@b SIP/2.0\r\nA: 1\r\n\nB: 2\r\n\r\nbody")
    assert (m.get("a"), m.get("b"), m.body) == ("1", None, b"B: 2\r\n\r\nbody")
    m = parse(b"INFO sip:b@b SIP/2.0\n\r\nB: 2\r\n\r\nbody")
    assert (m.fields, m.body) == ((), b"B: 2\r\n\r\nbody")
    m = parse(b"INFO sip:b@b SIP/2.0\r\n\r\nB: 2\r\n\r\n")
    assert (m.fields, m.body) == ((), b"B: 2\r\n\r\n")


@pytest.mark.parametrize(
    "tail", [b"", b"\r", b"\r\n", b"\n", b"\r\nA: 1", b"\r\nA: 1\r\n", b"\r\nA: 1\r\n\r", b"\nA: 1"]
)
def test_a_message_may_be_cut_off_in_its_head(tail: bytes) -> None:
    m = parse(b"SIP/2.0 200 OK" + tail)
    assert not m.complete
    assert (m.code, m.body, m.surplus) == (200, b"", b"")
    assert m.all("a") == ["1"] * (b"A" in tail)


def test_empty_lines_before_the_start_line_are_passed_over() -> None:
    m = parse(b"\r\n\r\n\n" + INVITE)
    assert m.data == b"\r\n\r\n\n" + INVITE
    assert (m.method, m.fields, m.body) == ("INVITE", parse(INVITE).fields, b"v=0\n")


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (b"INVITE sip:b@b SIP/2.0", ("INVITE", "sip:b@b", 0, "")),
        (b"X-1.%~ * sip/7.12", ("X-1.%~", "*", 0, "")),
        (b"INVITE  sip:b@b; lr \t SIP/2.0\t ", ("INVITE", "sip:b@b; lr", 0, "")),
        (b"INVITE\tsip:b@b SIP/2.0", ("INVITE", "sip:b@b", 0, "")),
        (b"INVITE sip:\xc3\xa4 SIP/2.0", ("INVITE", "sip:ä", 0, "")),
        (b"INVITE sip:b@b SIP/3.0 SIP/2.0", ("INVITE", "sip:b@b SIP/3.0", 0, "")),
        (b"SIP/2.0 200 OK", ("", "", 200, "OK")),
        (b"SIP/2.0 200 ", ("", "", 200, "")),
        (b"SIP/2.0 200", ("", "", 200, "")),
        (b"SIP/2.0  200 OK", ("", "", 200, "OK")),
        (b"SIP/2.0 200  O K ", ("", "", 200, " O K ")),
        (b"sip/2.0 099 SIP/2.0", ("", "", 99, "SIP/2.0")),
        (b"SIP/2.0 000 x", ("", "", 0, "x")),
        (b"SIP/7.0 799 \xff", ("", "", 799, "\udcff")),
    ],
)
def test_start_lines(line: bytes, parts: tuple[str, str, int, str]) -> None:
    m = parse(line + b"\r\nA: 1\r\n\r\n")
    assert (m.method, m.uri, m.code, m.reason) == parts
    assert (m.start, m.get("a")) == (text(line), "1")
    assert m.is_request == bool(parts[0])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"\0",
        b"hello",
        b"INVITE sip:b@b",
        b"INVITE SIP/2.0",
        b"INVITE  SIP/2.0",
        b" SIP/2.0",
        b"INVITE sip:b@b SIP/2",
        b"INVITE sip:b@b HTTP/1.1",
        b"INVITE sip:b@b SIP/2.0x",
        b"INVITE sip:b@b SIP/\xd9\xa3.0",
        b" INVITE sip:b@b SIP/2.0",
        b"IN@VITE sip:b@b SIP/2.0",
        b"\xc3\xa4 sip:b@b SIP/2.0",
        b"SIP/2.0 20 OK",
        b"SIP/2.0 2000 OK",
        b"SIP/2.0 4294967301 OK",
        b"SIP/2.0 -20 OK",
        b"SIP/2.0 abc OK",
        b"SIP/2.0 200OK",
        b"SIP/2.0",
        b"SIP/2.0 \xc2\xb2\xc2\xb2\xc2\xb2 OK",
        b"SIP/2.0 \xd9\xa1\xd9\xa1\xd9\xa1 OK",
        b"INVITE sip:b@b\r\n SIP/2.0",
        b"INVITE sip:b@b SIP/2.0\rVia: x",
    ],
)
@pytest.mark.parametrize("tail", [b"", b"\r\nA: 1\r\n\r\n"])
def test_refused_without_a_start_line(data: bytes, tail: bytes) -> None:
    with pytest.raises(MalformedMessage, match="no SIP start line"):
        parse(data + tail)


def test_limits() -> None:
    start = b"INFO sip:b@b SIP/2.0\r\n"
    assert len(parse(start + b"\r\n" + b"x" * (MAX_MESSAGE - len(start) - 2)).body) == MAX_MESSAGE - len(start) - 2
    with pytest.raises(MalformedMessage, match="65536 bytes"):
        parse(start + b"\r\n" + b"x" * (MAX_MESSAGE - len(start) - 1))
    for line in (b"A: 1\r\n", b"A: 1\n"):
        assert len(parse(start + line * (MAX_LINES - 1) + b"\r\n").fields) == MAX_LINES - 1
        with pytest.raises(MalformedMessage, match="more than 1024 lines"):
            parse(start + line * MAX_LINES + b"\r\n")
        with pytest.raises(MalformedMessage, match="more than 1024 lines"):
            parse(start + line * MAX_LINES)
    assert len(parse(start + b"\r\n" + b"\r\n" * 2 * MAX_LINES).body) == 4 * MAX_LINES
    assert parse(b"\r\n" * 2 * MAX_LINES + start + b"\r\n").method == "INFO"


@pytest.mark.parametrize(
    ("value", "cseq"),
    [
        ("1 INVITE", (1, "INVITE")),
        ("0009 \t INVITE", (9, "INVITE")),
        ("4294967295 X", (4294967295, "X")),
        ("99999999999 X", (-1, "")),
        ("1", (-1, "")),
        ("INVITE 1", (-1, "")),
        ("-1 X", (-1, "")),
        ("1 A B", (-1, "")),
        ("² X", (-1, "")),
        ("٣ X", (-1, "")),
        ("", (-1, "")),
    ],
)
def test_cseq(value: str, cseq: tuple[int, str]) -> None:
    assert answer("SIP/2.0 200 OK", f"CSeq: {value}").cseq == cseq


@pytest.mark.parametrize(
    ("via", "branch"),
    [
        ("SIP/2.0/UDP h;branch=z9hG4bK1", "z9hG4bK1"),
        ("SIP/2.0/UDP h ; Branch = z9hG4bK1.a-b ;rport", "z9hG4bK1.a-b"),
        ("SIP/2.0/UDP h;rport, SIP/2.0/UDP i;branch=other", ""),
        ('SIP/2.0/UDP h;x="a,b;branch=no";branch=yes, SIP/2.0/UDP i;branch=other', "yes"),
        (", SIP/2.0/UDP h;branch=1", "1"),
        ("", ""),
        (",,", ""),
    ],
)
def test_branch_of_the_top_via(via: str, branch: str) -> None:
    assert answer("SIP/2.0 200 OK", f"Via: {via}", "Via: SIP/2.0/UDP j;branch=never").branch == branch


def test_views_without_their_headers() -> None:
    m = parse(b"SIP/2.0 200 OK\r\n\r\n")
    assert (m.call_id, m.from_tag, m.to_tag, m.branch, m.cseq, m.fields, m.body) == ("", "", "", "", (-1, ""), (), b"")


def test_a_message_cannot_be_changed() -> None:
    m = parse(INVITE)
    with pytest.raises(AttributeError, match="method cannot be set"):
        m.method = "BYE"
    with pytest.raises(AttributeError, match="branch cannot be set"):
        m.branch = "x"
    with pytest.raises(AttributeError, match="data cannot be deleted"):
        del m.data
    assert (m.method, m.branch) == ("INVITE", "z9hG4bKone")


def test_messages_are_equal_when_their_bytes_are() -> None:
    one, same, other = parse(INVITE), parse(bytes(bytearray(INVITE))), parse(INVITE + b"x")
    assert one.branch == same.branch
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one != INVITE
    assert {one, same, other} == {one, other}


def test_messages_can_be_copied_and_sent_to_another_process() -> None:
    m = parse(INVITE)
    for again in (pickle.loads(pickle.dumps(m)), copy.copy(m), copy.deepcopy(m)):
        assert again == m
        assert again.call_id == "one@a.test"


def test_what_a_debugger_shows_is_short_and_harmless() -> None:
    assert repr(parse(b"SIP/2.0 200 \x1b[31m\r\n\r\n")) == "<Message 'SIP/2.0 200 \\x1b[31m', 21 bytes>"


def test_build_adds_a_length_where_there_is_none() -> None:
    assert (
        build("INFO sip:b@b SIP/2.0", [("A", "1")], b"xy")
        == b"INFO sip:b@b SIP/2.0\r\nA: 1\r\nContent-Length: 2\r\n\r\nxy"
    )
    assert build("INFO sip:b@b SIP/2.0", [("l", "9")]) == b"INFO sip:b@b SIP/2.0\r\nl: 9\r\n\r\n"


NAMES = st.text(st.sampled_from("abcXYZ0-.!%*_+`'~"), min_size=2, max_size=8)
VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30).map(lambda v: v.strip(" \t"))


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, VALUES), max_size=8), st.binary(max_size=40))
def test_what_is_built_is_read_again(headers: list[tuple[str, str]], body: bytes) -> None:
    m = parse(build("INFO sip:b@b SIP/2.0", headers, body))
    assert [(f.name, f.value) for f in m.fields] == [*headers, ("Content-Length", str(len(body)))]
    assert (m.body, m.surplus, m.uneven, m.odd_lines) == (body, b"", False, ())
    for name, _ in headers:
        assert m.all(name.swapcase()) == [v for n, v in headers if n.lower() == name.lower()]


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_text_loses_no_byte(data: bytes) -> None:
    assert text(data).encode("utf-8", "surrogateescape") == data
