"""Records on disk: nothing is lost, nothing hostile is believed, a crash costs one line at most."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sip_harness.model.entry import Exit, Header, Lag, Log, Malformed, Media, Message, Note, Record, Role
from sip_harness.model.policy import Deviation, Policy, Timer
from sip_harness.record import jsonl
from sip_harness.record.jsonl import BadRecord, Writer, read, write

HEADER = Header(
    "FK-01", "Title", "a.sip.yaml", "reference", "proxy", ("127.0.0.1", 5060),
    Policy(0.4, 0.2, {"ring": Timer(3.0)}, {"ring-timeout": 408}, (Deviation("FK-17", "alice: 486", "408", "so"),)),
    "s", 3, (Role("alice", "caller", "wire", "why", "s3a", "sip:s3a@test.invalid"),),
    faults=("forgets-cancel",), versions={"kamailio": "5.6.3"}, started=5, uncertainty=7,
)  # fmt: skip
A, B = ("127.0.0.1", 5070), ("127.0.0.1", 5060)
INVITE = Message(10, 1, "alice", "sent", A, B, b"INVITE sip:b@x SIP/2.0\r\n\r\n", "script")

times = st.integers(0, 2**63 - 1)
words = st.text(max_size=30)
# Surrogates are those of `surrogateescape`, which stand for bytes that were no UTF-8.
names = st.text(st.characters(exclude_categories=["Cs"]) | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF))
blobs = st.binary(max_size=200) | st.text(max_size=100).map(str.encode)
addresses = st.tuples(st.sampled_from(["127.0.0.1", "::1", "fe80::1%lo", "pbx.test.invalid"]), st.integers(0, 65535))
maps = st.dictionaries(names, names, max_size=4)
directions, origins = st.sampled_from(["sent", "received"]), st.sampled_from(["script", "protocol", "engine", "system"])
entries = st.one_of(
    st.builds(
        Message, times, times, names, directions, addresses, addresses, blobs, origins, st.sampled_from(["udp", "tcp"])
    ),
    st.builds(Note, times, names, names, names, maps),
    st.builds(Lag, times, names, times),
    st.builds(Exit, times, names, st.integers(-64, 255), st.lists(names, max_size=4).map(tuple)),
    st.builds(Log, times, names),
    st.builds(Malformed, times, names, addresses, addresses, blobs, names),
    st.builds(
        Media,
        times,
        names,
        directions,
        addresses,
        addresses,
        names,
        names,
        names,
        st.integers(0, 2**32 - 1),
        st.lists(st.integers(0, 127), max_size=3).map(tuple),
        times,
        times,
        times,
        times,
        st.sampled_from(["tone", "silence", ""]),
        st.booleans(),
    ),
)
seconds = st.floats(1, 1000)
timers = st.builds(Timer, seconds, st.floats(0, 1), st.floats(0, 1))
policies = st.builds(Policy, st.floats(0, 0.5), st.floats(0, 100), st.dictionaries(names, timers, max_size=3))
roles = st.builds(
    Role, names, st.sampled_from(["device", "caller"]), st.sampled_from(["wire", "pjsua2"]), names, names, names,
    st.sampled_from(["full", "partial"]),
)  # fmt: skip
headers = st.builds(
    Header, names, names, names, names, st.sampled_from(["proxy", "b2bua", "trunk-client"]), addresses, policies, names,
    st.integers(0, 10**6), st.lists(roles, max_size=3).map(tuple), st.lists(names, max_size=3).map(tuple), maps, times,
    times,
)  # fmt: skip


@given(headers, st.lists(entries, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_what_is_written_is_read_back(tmp_path: Path, header: Header, made: list) -> None:
    path = tmp_path / "r.jsonl"
    write(path, Record(header, tuple(made)))
    assert read(path) == Record(header, tuple(sorted(made, key=lambda e: e.time)))
    assert path.read_bytes().isascii()
    assert path.read_bytes().count(b"\n") == 1 + len(made)


@given(st.binary(max_size=400))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_give_a_record_or_a_bad_record(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "r.jsonl"
    for prefix in (b"", header_line()):
        path.write_bytes(prefix + data)
        try:
            record = read(path)
        except BadRecord as error:
            assert str(error).startswith(str(path))  # noqa: PT017 - either outcome is right
        else:
            assert record.header == HEADER


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(entries, st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_a_member_of_the_wrong_kind_is_refused_or_still_well_typed(
    tmp_path: Path, entry: object, data: st.DataObject
) -> None:
    path = tmp_path / "r.jsonl"
    write(path, Record(HEADER, (entry,)))  # type: ignore[arg-type]
    first, second = path.read_text().splitlines()
    members = json.loads(second)
    key = data.draw(st.sampled_from(sorted(members)))
    members[key] = data.draw(json_values)
    path.write_text(f"{first}\n{json.dumps(members)}\n")
    try:
        record = read(path)
    except BadRecord as error:
        assert error.line == 2  # noqa: PT017 - either outcome is right
    else:
        write(path, record)
        assert read(path) == record


def header_line() -> bytes:
    from sip_harness.record.codec import encode_header

    return encode_header(HEADER).encode() + b"\n"


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_first_line_is_the_header_with_its_format(tmp_path: Path) -> None:
    write(tmp_path / "r", Record(HEADER, (INVITE,)))
    first, second = lines_of(tmp_path / "r")
    assert (first["type"], first["format"], first["scenario"]) == ("header", 1, "FK-01")
    assert first["policy"]["timers"] == {"ring": {"seconds": 3.0, "early": 0.1, "late": 0.3}}
    assert second["text"] == "INVITE sip:b@x SIP/2.0\r\n\r\n"


def test_bytes_that_are_no_utf_8_are_base64(tmp_path: Path) -> None:
    message = replace(INVITE, data=b"INVITE \xff\xfe\x00")
    write(tmp_path / "r", Record(HEADER, (message,)))
    line = lines_of(tmp_path / "r")[1]
    assert (line["base64"], "text" in line) == ("SU5WSVRFIP/+AA==", False)
    assert read(tmp_path / "r").messages == (message,)


def test_mappings_of_any_kind_can_be_written(tmp_path: Path) -> None:
    note = Note(1, "", "step", "x", MappingProxyType({"a": "b"}))
    header = replace(HEADER, versions=MappingProxyType({"kamailio": "5"}))
    write(tmp_path / "r", Record(header, (note,)))
    record = read(tmp_path / "r")
    assert (record.header.versions, record.entries[0]) == ({"kamailio": "5"}, replace(note, data={"a": "b"}))


def test_entries_come_back_in_time_order_and_stable(tmp_path: Path) -> None:
    made = (Log(3, "c"), Log(1, "a1"), Log(2, "b"), Log(1, "a2"))
    write(tmp_path / "r", Record(HEADER, made))
    assert [e.text for e in read(tmp_path / "r").entries if isinstance(e, Log)] == ["a1", "a2", "b", "c"]


def test_every_entry_is_in_the_file_before_write_returns(tmp_path: Path) -> None:
    with Writer(tmp_path / "r", HEADER) as writer:
        for count in range(1, 4):
            writer.write(INVITE)
            assert len(read(tmp_path / "r").entries) == count


def test_a_killed_writer_loses_nothing_that_was_written(tmp_path: Path) -> None:
    code = (
        "import sys, os, signal; sys.path.insert(0, sys.argv[2]); from pathlib import Path; import test_jsonl as t\n"
        "w = t.Writer(Path(sys.argv[1]), t.HEADER)\n"
        "for n in range(50): w.write(t.Log(n, 'x'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "r"), str(Path(__file__).parent)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert len(read(tmp_path / "r").entries) == 50


@pytest.mark.parametrize("cut", [1, 2, 40])
def test_a_cut_last_line_is_left_out_and_said(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "r"
    write(path, Record(HEADER, (INVITE, replace(INVITE, time=30))))
    os.truncate(path, path.stat().st_size - 1 - cut)
    record = read(path)
    assert record.messages == (INVITE,)
    note = record.entries[-1]
    assert isinstance(note, Note)
    assert (note.kind, note.time) == ("cut", 10)


def test_a_last_line_that_lacks_only_its_end_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "r"
    write(path, Record(HEADER, (INVITE,)))
    os.truncate(path, path.stat().st_size - 1)
    assert read(path).entries == (INVITE,)


def test_every_prefix_of_a_record_can_be_read_once_its_header_is_there(tmp_path: Path) -> None:
    path = tmp_path / "r"
    write(path, Record(HEADER, (INVITE, Log(20, "x"), Lag(30, "alice", 4))))
    whole = path.read_bytes()
    begin = whole.index(b"\n")
    counts = []
    for size in range(begin, len(whole) + 1):
        path.write_bytes(whole[:size])
        counts.append(sum(not isinstance(e, Note) for e in read(path).entries))
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 3)


def test_a_cut_header_is_a_bad_record(tmp_path: Path) -> None:
    (tmp_path / "r").write_bytes(header_line()[:50])
    with pytest.raises(BadRecord, match=r"r:1: no JSON"):
        read(tmp_path / "r")


BAD_ENTRIES = {
    "no JSON": "{",
    "each line must be an object": "[1]",
    "type is missing": "{}",
    "type must be text, not 3": '{"type":3}',
    "unknown entry type 'packet'": '{"type":"packet"}',
    "time is missing": '{"type":"log","text":"x"}',
    "time must be a whole number, not True": '{"type":"log","time":true,"text":"x"}',
    "time must be a whole number, not 1.5": '{"type":"log","time":1.5,"text":"x"}',
    "time must not be negative": '{"type":"log","time":-1,"text":"x"}',
    "time is out of range": '{"type":"log","time":9223372036854775808,"text":"x"}',
    "NaN is no number": '{"type":"log","time":NaN,"text":"x"}',
    "unknown member 'colour'": '{"type":"log","time":1,"text":"x","colour":"red"}',
    "nested too deeply": '{"type":' + "[" * 200_000 + "]" * 200_000 + "}",
    "Exceeds the limit": '{"type":"log","time":' + "9" * 5000 + "}",
    "direction must be one of sent, received, not 'up'": '"direction":"up"',
    "origin must be one of script, protocol, engine, system": '"origin":"god"',
    "local must be a pair of host and port": '"local":["h",65536]',
    "local must be a pair": '"local":["h",true]',
    "remote must be a list|remote must be a pair": '"remote":"h:1"',
    "exactly one of text and base64": '"base64":"QQ=="',
    "bytes cannot be restored": '"text":"\\ud800"',
    "slack must not be negative": '"slack":-1',
}


@pytest.mark.parametrize("why", BAD_ENTRIES)
def test_a_bad_entry_is_refused_with_its_line_and_reason(tmp_path: Path, why: str) -> None:
    bad = BAD_ENTRIES[why]
    if bad.startswith('"'):  # one member of an otherwise good message
        members = json.loads('{"type":"message","time":1,"slack":0,"agent":"a","direction":"sent","local":["h",1],'
                             '"remote":["h",2],"origin":"script","transport":"udp","text":"x"}')  # fmt: skip
        bad = json.dumps({**members, **json.loads(f"{{{bad}}}")})
    path = tmp_path / "r"
    path.write_bytes(header_line() + b'{"type":"log","time":1,"text":"fine"}\n' + bad.encode() + b"\n")
    with pytest.raises(BadRecord, match=why) as caught:
        read(path)
    assert (caught.value.path, caught.value.line) == (path, 3)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("bad", ["!!!!", "QQ=", "Q Q==", "ü"])
def test_bad_base64_is_refused(tmp_path: Path, bad: str) -> None:
    line = {
        "type": "malformed",
        "time": 1,
        "agent": "",
        "local": ["h", 1],
        "remote": ["h", 1],
        "why": "",
        "base64": bad,
    }
    (tmp_path / "r").write_bytes(header_line() + json.dumps(line).encode() + b"\n")
    with pytest.raises(BadRecord, match="cannot be restored"):
        read(tmp_path / "r")


def policy(prompt: float, timer: dict[str, float]) -> dict[str, object]:
    return {"prompt": prompt, "settle": 1, "timers": {"t": timer}, "codes": {}, "deviations": []}


BAD_HEADERS = {
    "begins with its header, not with 'log'": {"type": "log"},
    "format 2 is not known": {"format": 2},
    "format must be a whole number": {"format": "1"},
    "kind must be one of proxy, b2bua, trunk-client": {"kind": "pbx"},
    "policy: prompt 2s exceeds half": {"policy": policy(2.0, {"seconds": 3, "early": 0, "late": 0})},
    r"policy\.timers\.t\.late is missing": {"policy": policy(0.1, {"seconds": 3, "early": 0})},
    r"policy\.prompt is out of range": {"policy": policy(-1, {"seconds": 3, "early": 0, "late": 0})},
    "roles must be a list of objects": {"roles": [1]},
    r"roles\[0\]\.stack must be one of pjsua2, wire|roles\[0\]\.name is missing": {"roles": [{"stack": "sofia"}]},
    "versions must be an object of text": {"versions": {"a": 1}},
    "faults must be a list of text": {"faults": [1]},
    "unknown member 'extra'": {"extra": 1},
}  # fmt: skip


@pytest.mark.parametrize("why", BAD_HEADERS)
def test_a_bad_header_is_refused(tmp_path: Path, why: str) -> None:
    members = {**json.loads(header_line()), **BAD_HEADERS[why]}
    (tmp_path / "r").write_text(json.dumps(members) + "\n")
    with pytest.raises(BadRecord, match=why) as caught:
        read(tmp_path / "r")
    assert caught.value.line == 1


def test_files_that_are_not_there_or_empty(tmp_path: Path) -> None:
    with pytest.raises(BadRecord, match="cannot be read: No such file"):
        read(tmp_path / "none")
    with pytest.raises(BadRecord, match="cannot be read"):
        read(tmp_path)
    (tmp_path / "empty").touch()
    with pytest.raises(BadRecord, match="empty: a record begins with its header"):
        read(tmp_path / "empty")


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "r", Record(HEADER, (INVITE,) * 10))
    with pytest.raises(BadRecord, match="record larger than 1500 bytes"):
        read(tmp_path / "r", max_bytes=1500)
    monkeypatch.setattr(jsonl, "MAX_LINE", 1000)
    (tmp_path / "r").write_bytes(header_line() + b" " * 2000)
    with pytest.raises(BadRecord, match=":2: line longer than 1000 bytes"):
        read(tmp_path / "r")


def test_an_endless_file_is_refused() -> None:
    with pytest.raises(BadRecord, match="line longer"):
        read(Path("/dev/zero"))


def test_the_writer_refuses_what_could_not_be_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(tmp_path / "r", HEADER)
    monkeypatch.setattr(jsonl, "MAX_LINE", 1000)
    with pytest.raises(ValueError, match="longer than the 1000 bytes"):
        writer.write(Log(1, "x" * 1000))
    writer.write(INVITE)
    writer.close()
    writer.close()
    assert read(tmp_path / "r").entries == (INVITE,)
    with pytest.raises(ValueError, match="closed"):
        writer.write(INVITE)


def test_a_policy_that_json_cannot_hold_creates_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        Writer(tmp_path / "r", replace(HEADER, policy=Policy(settle=math.nan)))
    assert not (tmp_path / "r").exists()


def test_a_full_disk_is_an_error_and_no_line_follows_half_of_another() -> None:
    with pytest.raises(OSError, match="No space left"):
        Writer(Path("/dev/full"), HEADER)


def test_writing_a_message_is_cheap(tmp_path: Path) -> None:
    """Thousands of calls per second are recorded: the bound is far above what it takes, but far below a mistake."""
    import time

    body = b"INVITE sip:b@x SIP/2.0\r\n" + b"X: some value of a header\r\n" * 25 + b"\r\n"
    messages = [replace(INVITE, time=n, data=body + b"%d" % n) for n in range(3000)]
    with Writer(tmp_path / "r", HEADER) as writer:
        begin = time.process_time()
        for message in messages:
            writer.write(message)
        each = (time.process_time() - begin) / len(messages)
    assert each < 100e-6


def test_entries_of_one_write_are_all_there_or_none_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "MAX_LINE", 1000)
    with Writer(tmp_path / "r", HEADER) as writer:
        writer.write()
        writer.write(INVITE, Log(20, "x"), Lag(30, "alice", 4))
        with pytest.raises(ValueError, match="longer than the 1000 bytes"):
            writer.write(Log(40, "y"), Log(41, "x" * 1000))
        writer.write(Log(50, "z"))
    assert [e.time for e in read(tmp_path / "r").entries] == [10, 20, 30, 50]
