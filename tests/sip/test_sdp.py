"""SDP keeps every byte; offers and answers obey RFC 3264."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sip_harness.sip.errors import SipError
from sip_harness.sip.sdp import DIRECTIONS, acceptable, answer, offer, parse
from sip_harness.sip.sdp_lines import MAX_LINES, MAX_SDP

PHONE = (
    b"v=0\r\n"
    b"o=jdoe 2890844526 2890842807 IN IP4 10.47.16.5\r\n"
    b"s=-\r\n"
    b"i=A Seminar \xe9\r\n"
    b"c=IN IP4 224.2.17.12/127\r\n"
    b"t=2873397496 2873404696\r\n"
    b"a=sendonly\r\n"
    b"m=audio 49170/2 RTP/AVP 9 0 96 101\r\n"
    b"a=rtpmap:96 opus/48000/2\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\n"
    b"a=x-unknown:  kept  \r\n"
    b"m=video 51372 RTP/AVP 99\r\n"
    b"c=IN IP6 2001:db8::1\r\n"
    b"a=rtpmap:99 h263-1998/90000\r\n"
    b"a=recvonly\r\n"
    b"m=image 6000 udptl t38\r\n"
)


def sdp(*media: str, session: str = "") -> bytes:
    """An offer with these lines after a plain session section."""
    lines = ["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", *session.split("|"), *media]
    return "\r\n".join([*filter(None, lines), ""]).encode()


def replied(data: bytes, **changes: object):
    """Our answer to an offer, parsed."""
    return parse(answer(data, **{"host": "127.0.0.1", "port": 4000, "session_id": 7, **changes}))


def test_every_byte_comes_back():
    assert bytes(parse(PHONE)) == PHONE


@pytest.mark.parametrize(
    "data",
    [
        b"v=0",
        b"v=0\n",
        b"v=0\r\n",
        b"v=0\r\n\r\n\r\n",
        b"v=0\n\n",
        b"v=0\r\ns=\r\nQ=what\n",
        b"v=0\r\ns= \xff\xfe ==\r\na=\r\n",
        b"v=1\r\nm=audio  5   RTP/AVP  0  \r\n",
    ],
)
def test_odd_but_readable_bodies_come_back(data):
    assert bytes(parse(data)) == data


TEXT = st.binary(max_size=30).map(lambda b: b.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b""))
LETTER = st.sampled_from([bytes([c]) for c in b"abciokprstuzyQ"])
MEDIA = st.builds(
    "m={} {} {} {}".format,
    st.sampled_from(["audio", "video", "image", "message"]),
    st.integers(0, 65_535) | st.just("5/2"),
    st.sampled_from(["RTP/AVP", "RTP/SAVP", "udptl", "rtp/avp"]),
    st.lists(st.integers(0, 140).map(str) | st.just("t38"), min_size=1, max_size=5).map(" ".join),
).map(str.encode)
ATTRIBUTE = st.sampled_from(
    ["a=rtpmap:0 G729/8000", "a=rtpmap:96 pcmu/8000/1", "a=rtpmap:96 PCMA/8000", "a=rtpmap:x", "c=IN IP4 0.0.0.0", "c="]
    + [f"a={direction}" for direction in DIRECTIONS]
).map(str.encode)
LINE = st.builds(lambda letter, text: letter + b"=" + text, LETTER, TEXT) | MEDIA | ATTRIBUTE
END = st.sampled_from([b"\r\n", b"\n"])
BODY = st.lists(st.tuples(LINE, END), max_size=30).map(
    lambda pairs: b"v=0\r\n" + b"".join(line + end for line, end in pairs)
)


@settings(deadline=None)
@given(BODY)
def test_whatever_is_built_of_lines_is_read_and_comes_back(data):
    parsed = parse(data)
    assert bytes(parsed) == data
    assert len(parsed.media) == sum(line.type == "m" for line in parsed.lines)
    assert parsed.session + tuple(line for media in parsed.media for line in media.lines) == parsed.lines


@settings(deadline=None)
@given(BODY | st.binary(max_size=300) | st.binary(max_size=100).map(b"v=0\r\nm=audio ".__add__))
@example(b"")
@example(b"\r\n")
@example(b"v=0\r")
@example(b"v=0\r\r\n")
@example(b"v=0\n" + b"\n" * 60_000)
@example(b"v=0\n" + b"\r" * 60_000)
@example(b"v=0\r\nm=audio " + b"1" * 5000)
@example(b"v=0\r\nm=" + b"a " * 20_000 + b"\xff")
@example(b"v=0\r\nm=audio 1 RTP/AVP 0\r\na=rtpmap:" + "٣ PCMU/8000".encode())
def test_hostile_bytes_raise_nothing_but_sip_error(data):
    try:
        ours, refusal = answer(data, "127.0.0.1", 4000, session_id=1), "SDP"
    except SipError as error:
        ours, refusal = None, str(error)
    assert refusal.startswith("SDP")
    assert refusal.isprintable()
    assert len(refusal) < 500
    if ours is None:
        return
    parsed = parse(data)
    assert bytes(parsed) == data
    for media in parsed.media:
        assert media.direction in DIRECTIONS
        assert isinstance(media.host, str)
        assert set(media.codecs) <= set(media.formats)
    theirs = parse(ours)
    assert len(theirs.media) == len(parsed.media)
    assert sum(m.port != 0 for m in theirs.media) == acceptable(data)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", 1),
        (b"\r\n\r\n", 1),
        (b"garbage", 1),
        (b"s=-\r\nv=0\r\n", 1),
        (b"m=audio 5 RTP/AVP 0\r\n", 1),
        (b"v=0\r\ngarbage\r\nm=audio x\r\n", 2),
        (b"v=0\r\n\r\ns=-\r\n", 2),
        (b"v=0\r\n =x\r\n", 2),
        (b"v=0\r\ns =x\r\n", 2),
        (b"v=0\r\n\xc3=x\r\n", 2),
        (b"v=0\r\ns=a\rb=c\r\n", 2),
        (b"v=0\r\ns=-\r\r\n", 2),
        (b"v=0\r\ns=-\r\ni=\0\r\n", 3),
        (b"v=0\r\nm=audio\r\n", 2),
        (b"v=0\r\nm=audio x RTP/AVP 0\r\n", 2),
        (b"v=0\r\nm=audio 70000 RTP/AVP 0\r\n", 2),
        (b"v=0\r\nm=audio -1 RTP/AVP 0\r\n", 2),
        (b"v=0\r\nm=audio 5 RTP/AVP\r\n", 2),
        (b"v=0\r\nm=audio 5 RTP/AVP \xff\r\n", 2),
    ],
)
def test_error_names_the_line(data, line):
    with pytest.raises(SipError, match=rf"^SDP line {line}: "):
        parse(data)


def test_limits():
    fits = b"v=0\n" + b"a=x\n" * (MAX_LINES - 1)
    assert len(parse(fits).lines) == MAX_LINES
    with pytest.raises(SipError, match="more than"):
        parse(fits + b"a=x\n")
    with pytest.raises(SipError, match="longer than"):
        parse(b"v=0\n" + b"a" * MAX_SDP)


def test_views():
    parsed = parse(PHONE)
    audio, video, image = parsed.media
    assert (audio.kind, audio.port, audio.count, audio.protocol) == ("audio", 49170, 2, "RTP/AVP")
    assert audio.formats == ("9", "0", "96", "101")
    assert audio.codecs == {"9": "G722/8000", "0": "PCMU/8000", "96": "opus/48000/2", "101": "telephone-event/8000"}
    assert (audio.direction, audio.host) == ("sendonly", "224.2.17.12")
    assert (video.direction, video.host) == ("recvonly", "2001:db8::1")
    assert (image.kind, image.protocol, image.formats, image.codecs) == ("image", "udptl", ("t38",), {})
    assert parsed.value("o") == "jdoe 2890844526 2890842807 IN IP4 10.47.16.5"
    assert parsed.value("m") is parsed.value("z") is None
    assert parsed.value("i").encode("utf-8", "surrogateescape") == b"A Seminar \xe9"
    assert [line.media for line in parsed.lines] == [-1] * 7 + [0] * 4 + [1] * 4 + [2]


def test_direction_and_host_without_a_line():
    (media,) = parse(b"v=0\r\nm=audio 5 RTP/AVP 0\r\n").media
    assert (media.direction, media.host) == ("sendrecv", "")
    assert parse(b"v=0\r\nc=junk\r\nm=audio 5 RTP/AVP 0\r\n").media[0].host == ""


def test_offer():
    assert offer("127.0.0.1", 4000, session_id=42) == (
        b"v=0\r\n"
        b"o=- 42 1 IN IP4 127.0.0.1\r\n"
        b"s=-\r\n"
        b"c=IN IP4 127.0.0.1\r\n"
        b"t=0 0\r\n"
        b"m=audio 4000 RTP/AVP 0 8 101\r\n"
        b"a=rtpmap:0 PCMU/8000\r\n"
        b"a=rtpmap:8 PCMA/8000\r\n"
        b"a=rtpmap:101 telephone-event/8000\r\n"
        b"a=fmtp:101 0-15\r\n"
        b"a=sendrecv\r\n"
    )


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("::1", "IN IP6 ::1"),
        ("[::1]", "IN IP6 ::1"),
        ("pbx.example", "IN IP4 pbx.example"),
        ("192.0.2.1", "IN IP4 192.0.2.1"),
    ],
)
def test_addresses(host, address):
    parsed = parse(offer(host, 4000, session_id=1))
    assert parsed.value("c") == address
    assert parsed.value("o") == f"- 1 1 {address}"


@settings(deadline=None)
@given(st.sampled_from(DIRECTIONS), st.integers(0, 65_535), st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_any_offer_of_ours_is_read_as_meant(direction, port, session_id, version):
    parsed = parse(offer("127.0.0.1", port, direction=direction, session_id=session_id, version=version))
    (media,) = parsed.media
    assert (media.port, media.direction, media.host) == (port, direction, "127.0.0.1")
    assert parsed.value("o") == f"- {session_id} {version} IN IP4 127.0.0.1"


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "a b"},
        {"host": ""},
        {"host": "x\r\na=evil"},
        {"port": -1},
        {"port": 65_536},
        {"direction": "both"},
        {"session_id": -1},
        {"version": 2**63},
    ],
    ids=str,
)
def test_arguments_that_cannot_stand_in_sdp(changes):
    arguments = {"host": "127.0.0.1", "port": 4000, "session_id": 1, **changes}
    with pytest.raises(SipError):
        offer(**arguments)
    with pytest.raises(SipError):
        answer(offer("127.0.0.1", 5000, session_id=1), **arguments)


def test_answer_to_our_own_offer():
    data = offer("192.0.2.9", 5000, session_id=1)
    assert acceptable(data)
    assert answer(data, "127.0.0.1", 4000, session_id=2, version=3) == offer("127.0.0.1", 4000, session_id=2, version=3)


def test_answer_takes_payload_types_and_order_of_the_offer():
    data = sdp(
        "m=audio 5000 RTP/AVP 18 97 8 120 0 96",
        "a=rtpmap:97 opus/48000/2",
        "a=rtpmap:120 TELEPHONE-EVENT/8000",
        "a=rtpmap:96 pcmu/8000/1",
    )
    (media,) = replied(data).media
    assert media.formats == ("8", "120", "0", "96")
    assert media.codecs == {"8": "PCMA/8000", "120": "TELEPHONE-EVENT/8000", "0": "PCMU/8000", "96": "pcmu/8000"}
    assert "fmtp:120 0-15" in [line.value for line in media.lines]


def test_rtpmap_of_the_offer_overrules_the_static_type():
    data = sdp("m=audio 5000 RTP/AVP 0 8", "a=rtpmap:0 G729/8000")
    assert replied(data).media[0].formats == ("8",)


def test_answer_has_a_line_for_each_of_the_offer_in_order():
    data = sdp(
        "m=video 6000 RTP/AVP 31",
        "m=audio 0 RTP/AVP 0",
        "m=audio 5000 RTP/SAVP 0",
        "m=audio 5002 RTP/AVP 9",
        "m=audio 5004/2 RTP/AVP 0 8",
        "m=audio 5006 RTP/AVP 0",
        "m=image 6002 udptl t38",
    )
    media = replied(data).media
    assert [(m.kind, m.port) for m in media] == [
        ("video", 0), ("audio", 0), ("audio", 0), ("audio", 0), ("audio", 4000), ("audio", 0), ("image", 0),
    ]  # fmt: skip
    offered = parse(data).media
    assert [m.protocol for m in media] == [m.protocol for m in offered]
    assert [m.formats for m in media] == [m.formats for m in offered]


@pytest.mark.parametrize(
    "media",
    [
        "m=video 6000 RTP/AVP 0",
        "m=audio 0 RTP/AVP 0",
        "m=audio 5000 RTP/SAVP 0",
        "m=audio 5000 RTP/AVP 9 18",
        "m=audio 5000 RTP/AVP 101|a=rtpmap:101 telephone-event/8000",
        "m=audio 5000 RTP/AVP 00 200",
        "m=image 5000 udptl t38",
    ],
)
def test_nothing_to_accept(media):
    data = sdp(*media.split("|"))
    assert not acceptable(data)
    assert [m.port for m in replied(data).media] == [0]


def test_offer_without_media_gets_an_answer_without_media():
    assert not acceptable(sdp())
    assert replied(sdp()).media == ()


@pytest.mark.parametrize(
    ("theirs", "ours", "result"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendonly", "sendrecv", "recvonly"),
        ("recvonly", "sendrecv", "sendonly"),
        ("inactive", "sendrecv", "inactive"),
        ("sendrecv", "sendonly", "sendonly"),
        ("sendrecv", "recvonly", "recvonly"),
        ("sendrecv", "inactive", "inactive"),
        ("sendonly", "sendonly", "inactive"),
        ("recvonly", "recvonly", "inactive"),
        ("sendonly", "recvonly", "recvonly"),
    ],
)
@pytest.mark.parametrize("where", ["session", "media"])
def test_direction_of_an_answer(theirs, ours, result, where):
    media = ["m=audio 5000 RTP/AVP 0"]
    data = sdp(*media, session=f"a={theirs}") if where == "session" else sdp(*media, f"a={theirs}")
    assert replied(data, direction=ours).media[0].direction == result


def test_media_direction_beats_that_of_the_session():
    data = sdp("m=audio 5000 RTP/AVP 0", "a=recvonly", session="a=inactive")
    assert replied(data).media[0].direction == "sendonly"


def test_hold_by_the_null_address():
    data = sdp("m=audio 5000 RTP/AVP 0", "c=IN IP4 0.0.0.0")
    assert replied(data).media[0].direction == "recvonly"


@pytest.mark.parametrize(("times", "kept"), [("5 6", "5 6"), ("junk", "0 0"), ("٣ ٤", "0 0"), (" 5 6 ", "5 6")])
def test_times_of_the_offer_are_kept(times, kept):
    data = sdp("m=audio 5000 RTP/AVP 0").replace(b"t=0 0", f"t={times}".encode())
    assert replied(data).value("t") == kept


@settings(deadline=None)
@given(BODY)
def test_an_answer_obeys_rfc_3264(data):
    offered, answered = parse(data).media, replied(data).media
    assert len(answered) == len(offered)
    assert sum(m.port != 0 for m in answered) <= 1
    for theirs, ours in zip(offered, answered, strict=True):
        assert (ours.kind, ours.protocol) == (theirs.kind, theirs.protocol)
        assert set(ours.formats) <= set(theirs.formats)
        assert ours.port == 0 or theirs.port != 0
        if ours.port:
            assert ours.codecs.items() <= theirs.codecs.items()
            assert theirs.direction != "inactive" or ours.direction == "inactive"
