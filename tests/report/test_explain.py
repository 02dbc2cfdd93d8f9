"""An explanation says where, what was expected, what was seen, by which rule, and shows the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import fork_records as made
import pytest

from sip_harness.model.entry import Log, Media, Note, Record
from sip_harness.model.place import NOWHERE, Place
from sip_harness.model.verdict import Finding, Outcome, Verdict
from sip_harness.report import explain

Golden = Callable[[str, str], None]


@pytest.mark.parametrize("name", ["late", "missing", "hostile"])
def test_explanations_look_as_they_should(name: str, golden: Golden) -> None:
    golden(f"explain-{name}.txt", explain.text(getattr(made, name)(), made.source))


def test_a_finding_has_its_place_line_caret_and_rule() -> None:
    lines = explain.text(made.late(), made.source).splitlines()
    assert lines[2:8] == [
        f"✗ {made.FILE}:16:20",
        "   16 |   mobile: [INVITE, CANCEL, ACK to 487]",
        "      |                    ^^^^^^",
        "  expected  mobile: CANCEL",
        "  seen      CANCEL reached mobile 2.90 s after 600 from desk; it was due within 400ms. Until then",
        "            mobile was left ringing.",
    ]
    assert "  rule      RFC 3261 16.7 step 5" in lines


def test_the_offending_message_is_shown_without_its_body() -> None:
    wire = made.fork()
    sent = next(e for e in wire.record().messages if b"INVITE sip" in e.data)
    finding = Finding(Outcome.FAIL, "a", "b", message=sent)
    text = explain.text(made.result(wire.record(), finding))
    assert "  message   INVITE sip:bob@127.0.0.1 SIP/2.0\n            Via: " in text
    assert "m=audio" not in text


def test_a_long_message_is_cut() -> None:
    wire = made.fork()
    data = b"INVITE sip:b SIP/2.0\r\n" + b"X: y\r\n" * 300 + b"\r\n"
    finding = Finding(Outcome.FAIL, "a", "b", message=wire.message(1, "alice", "sent", data))
    text = explain.text(made.result(wire.record(), finding))
    assert text.count("X: y") == 23
    assert "… 277 more lines" in text


def test_without_source_there_is_no_excerpt() -> None:
    assert " | " not in explain.text(made.late(), None)
    assert " | " not in explain.text(made.late())  # no such file
    assert f"{made.FILE}:16:20" in explain.text(made.late(), None)


def test_source_lines_come_from_disk_by_default(tmp_path: Path) -> None:
    path = tmp_path / "a.sip.yaml"
    path.write_bytes(made.SOURCE.encode() + b"\xff")
    finding = replace(made.late().verdict.findings[0], place=Place(str(path), 16, 20))
    assert "   16 |   mobile: [INVITE" in explain.text(made.result(None, finding))


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (NOWHERE, []),
        (Place("f", 0, 0), []),
        (Place("f", 99, 1), []),
        (Place("f", 3), ["    3 | cite: RFC 3261 16.7 step 5"]),
        (Place("f", 3, 7), ["    3 | cite: RFC 3261 16.7 step 5", "      |       ^^^"]),
        (Place("f", 3, 999), ["    3 | cite: RFC 3261 16.7 step 5", "      | " + " " * 26 + "^"]),
    ],
)
def test_excerpts(place: Place, expected: list[str]) -> None:
    said = "x: RFC" if place.column == 7 else "x: other"
    assert explain.excerpt(place, said, made.source)[:1] == expected[:1]
    if len(expected) > 1:
        assert explain.excerpt(place, said, made.source)[1].rstrip() == expected[1]


def test_facts_that_matter_are_there_and_others_are_not() -> None:
    text = explain.text(made.missing(), made.source)
    for said in (
        "the worker of desk ended: SIGABRT", "pj_assert: Assertion `0' failed", "\\x1b[31mcore dumped",
        "stood still once, at most 120.0 ms in alice", "ERROR: tm [t_reply.c:1234]",
        "mobile: INVITE without final response",
        "desk    pjsua2  the stack carries its script out", "out/FK-01.jsonl", "kamailio 5.6.3",
    ):  # fmt: skip
        assert said in text
    assert "nothing of interest" not in text


def test_only_the_last_lines_of_a_log_are_shown() -> None:
    record = made.fork().record()
    logs = tuple(Log(made.START + n, f"line {n}") for n in range(100))
    text = explain.text(made.result(Record(record.header, (*record.entries, *logs))))
    assert "line 99" in text
    assert "line 89" not in text
    assert text.count("line ") == 10


def test_faults_partial_traces_and_refusals_are_named() -> None:
    header = made.header(faults=("forgets-cancel",))
    header = replace(header, roles=tuple(replace(r, trace="partial") for r in header.roles))
    entries = (Note(made.START, "desk", "refused", "403 Forbidden"),)
    text = explain.text(made.result(Record(header, entries), verdict=Verdict(Outcome.BLOCKED, reason="desk: refused")))
    assert text.startswith("BLOCKED  FK-01")
    assert "faults    forgets-cancel" in text
    assert "the stack carries its script out; trace partial" in text
    assert "desk: 403 Forbidden" in text
    assert "\ndesk: refused\n" in text


def test_a_result_without_a_record_has_its_reason() -> None:
    result = made.result(None, verdict=Verdict(Outcome.ERROR, reason="a.yaml:1:2: no\n\x1b[31mline"))
    lines = explain.text(result).splitlines()
    assert lines[0] == "ERROR  FK-01  A phone that is busy everywhere stops the other phones  on kamailio"
    assert lines[1:] == ["", "a.yaml:1:2: no", "\\x1b[31mline"]


def test_hundreds_of_findings_are_cut() -> None:
    findings = tuple(Finding(Outcome.FAIL, f"e{n}", "s") for n in range(300))
    text = explain.text(made.result(None, *findings))
    assert (text.count("expected"), "… 280 more findings" in text) == (20, True)


def test_the_outcome_of_a_finding_is_named_unless_it_failed() -> None:
    finding = Finding(Outcome.INCONCLUSIVE, "a", "b", "mobile")
    assert "? mobile (inconclusive)\n" in explain.text(made.result(None, finding))


def test_findings_alone() -> None:
    text = explain.findings(made.missing(), made.source)
    assert text.startswith(f"✗ {made.FILE}:16:20")
    assert "│" not in text


def test_nothing_from_outside_reaches_the_terminal_raw() -> None:
    evil = made.EVIL + "\x9b\r\n\x07"
    header = made.header(system=evil, faults=(evil,), versions={evil: evil}, roles=())
    base = made.hostile().record
    assert base is not None
    entries = (*base.entries, Log(1, evil), Note(2, evil, "refused", evil, {evil: evil}))
    findings = (Finding(Outcome.FAIL, evil, evil, evil, Place(evil, 1, 1), evil, base.messages[3], 5),)
    result = made.result(Record(header, entries), *findings, system=evil, record_file=evil)
    result = replace(result, scenario=made.scenario(id=evil, title=evil))
    for text in (explain.text(result, lambda _: [evil]), explain.rich(result).plain, explain.findings(result)):
        assert all(line.isprintable() for line in text.split("\n"))


def test_colours_change_no_letter() -> None:
    shown = explain.rich(made.missing(), made.source).plain
    assert [line.rstrip() for line in shown.split("\n")] == explain.text(made.missing(), made.source).split("\n")


def stream(**members: object) -> Media:
    desk, alice = ("127.0.0.1", 4002), ("127.0.0.1", 4000)
    begin = made.START + 5_000_000
    base = Media(
        begin, "alice", "received", alice, desk, "call", "a", "desk-1", 0xABC, (0,), 16, 1, begin, begin + 300_000_000,
        "tone", ended=True,
    )  # fmt: skip
    return replace(base, **members)  # type: ignore[arg-type]


def media_lines(*entries: Media) -> list[str]:
    result = made.late()
    assert result.record is not None
    changed = replace(result, record=Record(result.record.header, (*result.record.entries, *entries)))
    text = explain.text(changed, None)
    lines = text.splitlines()
    begin = next(i for i, line in enumerate(lines) if line.startswith("media"))
    return [line[7:].strip() for line in lines[begin:] if line.startswith(("media ", "       "))]


def test_every_stream_has_one_line_with_its_totals() -> None:
    lines = media_lines(
        stream(packets=1, ended=False), stream(), stream(ssrc=1, level="silence", payload_types=(8, 101))
    )
    assert len([line for line in lines if "SSRC" in line]) == 2
    assert "alice hears a tone of 127.0.0.1:4002 (tag desk-1) for 0.30 s: 16 packets, 1 lost" in lines[0]
    assert "payload type 0, SSRC 00000abc" in lines[0]
    assert "alice hears silence of" in lines[1]
    assert "payload type 8,101" in lines[1]


def test_what_is_played_unknown_or_never_ended_is_said() -> None:
    [line] = media_lines(stream(direction="sent", level="", remote_tag="", ended=False))[:1]
    assert "alice plays RTP to 127.0.0.1:4002 for an unknown time: 16 packets" in line


def test_hundreds_of_streams_are_cut() -> None:
    lines = media_lines(*(stream(ssrc=n) for n in range(500)))
    assert len([line for line in lines if "SSRC" in line]) == 20
    assert any("… 480 more streams" in line for line in lines)
