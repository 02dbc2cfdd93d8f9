"""Captures: their blocks by the format's own rules, and tshark as a witness that they are SIP."""

from __future__ import annotations

import json
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from sip_harness.model.entry import Header, Log, Malformed, Message, Record
from sip_harness.model.policy import Policy
from sip_harness.record import pcapng
from sip_harness.sip.message import build

A, B, P = ("127.0.0.1", 42001), ("127.0.0.1", 42002), ("127.0.0.1", 5060)
HEADER = Header("FK-01", "Title", "a.sip.yaml", "kamailio", "proxy", P, Policy(), "s", 1, ())
TIME = 1_790_000_000_123_456_789


def sip(start: str, method: str = "INVITE", body: bytes = b"") -> bytes:
    headers = [
        ("Via", "SIP/2.0/UDP 127.0.0.1:42001;branch=z9hG4bK1"), ("From", "<sip:a@test.invalid>;tag=1"),
        ("To", "<sip:b@test.invalid>"), ("Call-ID", "1@test.invalid"), ("CSeq", f"1 {method}"),
    ]  # fmt: skip
    return build(start, headers, body)


INVITE = Message(TIME, 0, "alice", "sent", A, P, sip("INVITE sip:b@127.0.0.1 SIP/2.0"), "script")
BUSY = Message(TIME + 1_000_001, 0, "alice", "received", A, P, sip("SIP/2.0 600 Busy Everywhere"), "system")
ACK = Message(TIME + 2_000_000, 0, "alice", "sent", A, B, sip("ACK sip:b@127.0.0.1 SIP/2.0", "ACK"), "protocol")
ACK_GOT = replace(ACK, time=ACK.time + 300_000, agent="bob", direction="received", local=B, remote=A, origin="system")


def blocks(path: Path) -> list[tuple[int, bytes]]:
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        kind, length = struct.unpack("<II", data[at : at + 8])
        assert length % 4 == 0
        assert struct.unpack("<I", data[at + length - 4 : at + length])[0] == length
        found.append((kind, data[at + 8 : at + length - 4]))
        at += length
    return found


def options(data: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while True:
        code, length = struct.unpack("<HH", data[at : at + 4])
        if code == 0:
            assert data[at + 4 :] == b""
            return found
        found[code] = data[at + 4 : at + 4 + length]
        at += 4 + length + -length % 4


def packets(path: Path) -> list[tuple[int, int, bytes, dict[int, bytes]]]:
    """Interface, time, frame and options of every packet."""
    found = []
    for kind, body in blocks(path):
        if kind == 6:
            interface, high, low, length, _ = struct.unpack("<IIIII", body[:20])
            rest = 20 + length + -length % 4
            found.append((interface, (high << 32) + low, body[20 : 20 + length], options(body[rest:])))
    return found


def written(tmp_path: Path, *entries: object, comments: dict[int, str] | None = None) -> Path:
    path = tmp_path / "r.pcapng"
    pcapng.write(path, Record(HEADER, entries), comments)  # type: ignore[arg-type]
    return path


def test_sections_and_interfaces(tmp_path: Path) -> None:
    found = blocks(written(tmp_path))
    assert [kind for kind, _ in found] == [0x0A0D0D0A, 1, 1]
    assert options(found[0][1][16:])[1] == b"FK-01 Title on kamailio"
    assert [struct.unpack("<H", body[:2])[0] for _, body in found[1:]] == [101, 252]
    assert all(options(body[8:])[9] == b"\x09" for _, body in found[1:])


def test_one_packet_per_message_with_time_direction_and_comment(tmp_path: Path) -> None:
    out, back = packets(written(tmp_path, INVITE, Log(TIME + 5, "x"), BUSY, comments={1: "expected 486"}))
    assert (out[0], out[1], back[1]) == (0, TIME, BUSY.time)
    assert (out[2][28:], back[2][28:]) == (INVITE.data, BUSY.data)
    assert struct.unpack("!HH", out[2][20:24]) == (42001, 5060)
    assert struct.unpack("!HH", back[2][20:24]) == (5060, 42001)
    assert out[3] == {2: struct.pack("<I", 2)}
    assert back[3] == {2: struct.pack("<I", 1), 1: b"expected 486"}


def test_a_datagram_that_two_agents_recorded_is_one_packet_with_both_comments(tmp_path: Path) -> None:
    only = packets(written(tmp_path, ACK, ACK_GOT, comments={0: "alice sends", 1: "bob gets"}))
    assert [(p[1], p[3][1]) for p in only] == [(ACK.time, b"alice sends\nbob gets")]
    assert len(packets(written(tmp_path, ACK, replace(ACK, time=ACK.time + 5), ACK_GOT))) == 2


def test_what_is_no_udp_goes_as_exported_pdu(tmp_path: Path) -> None:
    large = replace(INVITE, data=sip("INVITE sip:b@x SIP/2.0", body=b"v" * 65_535))
    found = packets(written(tmp_path, replace(INVITE, transport="tls"), large, INVITE))
    assert [p[0] for p in found] == [1, 1, 0]


def test_what_was_no_sip_is_kept_and_said(tmp_path: Path) -> None:
    bad = Malformed(TIME, "desk", B, P, b"\0\1garbage", "no SIP start line")
    (only,) = packets(written(tmp_path, bad))
    assert (only[2][28:], only[3][1]) == (bad.data, b"desk got no SIP message: no SIP start line")


@pytest.mark.parametrize("comment", ["ü" * 60_000, "\udcff\0\x1b[2J", "", "a\nb"])
def test_any_comment_can_be_written(tmp_path: Path, comment: str) -> None:
    (only,) = packets(written(tmp_path, INVITE, comments={0: comment}))
    stored = only[3].get(1, b"").decode()
    assert len(stored.encode()) <= 60_000
    assert "\0" not in stored
    assert bool(stored) == bool(comment)


def tshark(path: Path, *fields: str) -> list[list[str]]:
    arguments = [f"-e{f}" for f in fields]
    checks = ["-oudp.check_checksum:TRUE", "-oip.check_checksum:TRUE"]
    command = ["tshark", "-r", str(path), "-n", *checks, "-Tjson", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    layers = [p["_source"]["layers"] for p in json.loads(done.stdout)]
    return [[",".join(layer.get(f, [])) for f in fields] for layer in layers]


@pytest.mark.needs_tshark
def test_tshark_reads_every_packet_as_sip_with_its_comment(tmp_path: Path) -> None:
    ipv6 = replace(INVITE, local=("::1", 42001), remote=("::1", 5060))
    made = [INVITE, BUSY, ACK, ACK_GOT, ipv6, replace(INVITE, transport="tls"), replace(BUSY, transport="tcp")]
    path = written(tmp_path, *made, comments=dict(enumerate("abcdefg")))
    checks = ("ip.checksum.status", "udp.checksum.status")
    rows = tshark(path, "sip.Method", "sip.Status-Code", "frame.comment", "frame.time_epoch", *checks)
    assert [row[:3] for row in rows] == [
        ["INVITE", "", "a"], ["", "600", "b"], ["ACK", "", "c\nd"], ["INVITE", "", "e"],
        ["INVITE", "", "f"], ["", "600", "g"],
    ]  # fmt: skip
    assert [row[4:] for row in rows] == [["1", "1"]] * 3 + [["", "1"]] + [["", ""]] * 2  # 1: good
    assert rows[1][3].endswith(".124456790")


@pytest.mark.needs_tshark
def test_tshark_reads_sip_on_any_port_that_agents_get(tmp_path: Path) -> None:
    ports = range(32768, 61000, 97)
    made = [replace(INVITE, time=TIME + p, local=("127.0.0.1", p), remote=("127.0.0.1", p + 1)) for p in ports]
    rows = tshark(written(tmp_path, *made), "sip.Method", "udp.srcport")
    assert [port for method, port in rows if method != "INVITE"] == []
