"""`sip-harness judge` on records that something has damaged: a clear word and exit status 2, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from ladders import record

from sip_harness.cli.main import main
from sip_harness.record import jsonl

SCENARIO = """\
title: t
id: T-1
cite: RFC 3261 16.7 step 5
targets: {bob: {ring: [desk]}}
devices: {desk: {answer: [ringing, 486]}}
calls: [{from: alice, to: bob}]
expect: {alice: [486], desk: [INVITE, ACK to 486]}
"""
LADDER = """
    0.000 alice > INVITE
    0.001 alice < 100
    0.002 desk < INVITE
    0.003 desk > 180
    0.004 alice < 180 from desk
    0.200 desk > 486
    0.201 desk < ACK to 486
    0.202 alice < 486 from desk
    0.203 alice > ACK to 486
"""


@pytest.fixture
def lines(tmp_path: Path) -> list[str]:
    """A sound record, line by line."""
    path = tmp_path / "sound.jsonl"
    jsonl.write(path, record(LADDER))
    return path.read_text(encoding="ascii").splitlines()


def judged(directory: Path, lines: list[str], end: str = "\n") -> Result:
    (directory / "t.sip.yaml").write_text(SCENARIO, encoding="utf-8")
    (directory / "T-1.jsonl").write_text("\n".join(lines) + end, encoding="utf-8")
    return CliRunner().invoke(main, ["judge", str(directory / "t.sip.yaml"), str(directory / "T-1.jsonl")])


def test_a_sound_record_is_judged(tmp_path: Path, lines: list[str]) -> None:
    result = judged(tmp_path, lines)
    assert (result.exit_code, result.output.split()[:2]) == (0, ["pass", "T-1"])


def test_a_record_that_ends_in_the_middle_of_a_line_says_nothing_of_the_system(
    tmp_path: Path, lines: list[str]
) -> None:
    result = judged(tmp_path, [*lines[:-1], lines[-1][:20]], end="")
    assert result.exit_code == 3
    assert "the record was cut: it has no end" in result.output


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "T-1.jsonl:4: no JSON"),
        ("[1]", "T-1.jsonl:4: each line must be an object"),
        ('{"type": "telepathy"}', "T-1.jsonl:4: unknown entry type 'telepathy'"),
        ('{"type": "message", "time": "soon"}', "T-1.jsonl:4: time must be a whole number, not 'soon'"),
        ('{"type": "note", "text": "' + "A" * jsonl.MAX_LINE + '"}', "T-1.jsonl:4: line longer than"),
    ],
    ids=["no JSON", "no object", "unknown type", "wrong type", "too long"],
)
def test_a_damaged_line_is_named(line: str, why: str, tmp_path: Path, lines: list[str]) -> None:
    result = judged(tmp_path, [*lines[:3], line, *lines[3:]])
    assert result.exit_code == 2
    assert why in result.output


def test_a_record_of_a_later_version_is_refused(tmp_path: Path, lines: list[str]) -> None:
    result = judged(tmp_path, [lines[0].replace('"format":1', '"format":7'), *lines[1:]])
    assert result.exit_code == 2
    assert "format 7 is not known here (this version reads format 1)" in result.output


def test_a_message_that_is_none_is_named(tmp_path: Path, lines: list[str]) -> None:
    one = json.loads(lines[1]) | {"text": "no SIP"}
    result = judged(tmp_path, [lines[0], json.dumps(one), *lines[2:]])
    assert result.exit_code == 2
    assert "message 1 (alice, sent) is no SIP message" in result.output


def variants(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Odd values of every member of an entry, by path."""
    if isinstance(value, dict):
        for key in value:
            yield from variants(value[key], (*path, key))
        yield path, {}
    elif isinstance(value, list):
        for n, one in enumerate(value):
            yield from variants(one, (*path, n))
        yield path, []
    elif isinstance(value, str):
        yield from ((path, odd) for odd in ("", "x", "\x1b[31m"))
    else:
        yield from ((path, odd) for odd in (0, -1, 10**17, 10**30, 1.5, None))


def put(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    copy = value.copy()
    copy[path[0]] = put(value[path[0]], path[1:], odd)
    return copy


def test_no_odd_value_ends_in_a_traceback(tmp_path: Path, lines: list[str]) -> None:
    entries = [json.loads(line) for line in lines]
    tried = 0
    for n in (0, 1, len(entries) - 1):  # the header, a message, the note of the end
        for path, odd in variants(entries[n]):
            changed = json.dumps(put(entries[n], path, odd))
            result = judged(tmp_path, [*lines[:n], changed, *lines[n + 1 :]])
            tried += 1
            assert isinstance(result.exception, (SystemExit, type(None))), (n, path, odd, result.exc_info)
            assert result.exit_code in (0, 1, 2, 3), (n, path, odd)
    assert tried > 100
