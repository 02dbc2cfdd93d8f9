"""The record while it grows: what is on disk after every turn of the loop, and what a flood leaves in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from ladders import at, record
from on_loop import on_loop

from sip_harness.model.entry import Malformed, Message, Note
from sip_harness.record import jsonl
from sip_harness.run import tape as tape_module
from sip_harness.run.tape import Tape

HEADER = record("0.0 alice > INVITE").header
DESK, ELSEWHERE = ("127.0.0.1", 5070), ("127.0.0.1", 4444)


def note(number: int) -> Note:
    return Note(at(number), "", "step", f"step {number}")


def stray(number: int, size: int = 10) -> Malformed:
    return Malformed(at(number), "desk", DESK, ELSEWHERE, b"x" * size, "no start line")


def on_disk(path: Path) -> list[str]:
    return [e.text for e in jsonl.read(path).entries if isinstance(e, Note)]


@on_loop
async def test_entries_are_on_disk_after_the_turn_in_which_they_came(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    tape = Tape(path=path)
    tape.add(note(1))
    assert not path.exists()
    tape.open(HEADER)
    assert on_disk(path) == ["step 1"]
    tape.add(note(2))
    tape.add(note(3))
    assert on_disk(path) == ["step 1"]
    await asyncio.sleep(0)
    assert on_disk(path) == ["step 1", "step 2", "step 3"]
    tape.add(note(4))
    tape.close()
    assert on_disk(path) == ["step 1", "step 2", "step 3", "step 4"]
    await asyncio.sleep(0)  # the turn's own write finds nothing left to do


@on_loop
async def test_a_full_disk_costs_the_file_and_not_the_run(tmp_path: Path) -> None:
    for path, why in ((Path("/dev/full"), "No space left"), (tmp_path / "missing" / "r.jsonl", "No such file")):
        tape = Tape(path=path)
        tape.add(note(1))
        tape.open(HEADER)
        tape.add(note(2))
        await asyncio.sleep(0)
        kept = tape.close()
        assert [e.time for e in kept.entries] == [at(1), at(2)]
        assert why in tape.problem


@on_loop
async def test_a_disk_that_becomes_full_is_noticed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape = Tape(path=tmp_path / "r.jsonl")
    tape.open(HEADER)
    assert tape.problem == ""

    def full(_writer: object, *_entries: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(jsonl.Writer, "write", full)
    tape.add(note(1))
    await asyncio.sleep(0)
    assert "No space left" in tape.problem
    tape.add(note(2))
    assert len(tape.close().entries) == 2


@on_loop
async def test_the_record_is_in_order_of_time_and_the_same_as_the_file(tmp_path: Path) -> None:
    tape = Tape(path=tmp_path / "r.jsonl")
    tape.open(HEADER)
    for number in (3, 1, 2):
        tape.add(note(number))
    kept = tape.close()
    assert [e.time for e in kept.entries] == [at(1), at(2), at(3)]
    assert jsonl.read(tmp_path / "r.jsonl") == kept


def test_without_a_path_it_needs_neither_a_file_nor_a_loop() -> None:
    tape = Tape()
    tape.add(note(1))
    tape.open(HEADER)
    tape.add_stray(stray(2))
    assert len(tape.close().entries) == 2


@pytest.mark.parametrize(("limit", "size"), [("MAX_STRAYS", 10), ("MAX_STRAY_BYTES", 1)])
@on_loop
async def test_strays_stay_in_memory_up_to_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, size: int
) -> None:
    monkeypatch.setattr(tape_module, limit, 5)
    tape = Tape(path=tmp_path / "r.jsonl")
    tape.open(HEADER)
    for number in range(20):
        tape.add_stray(stray(number, size))
    tape.add(note(20))
    kept = tape.close()
    assert len([e for e in kept.entries if isinstance(e, Malformed)]) == 5
    [said] = [e for e in kept.entries if isinstance(e, Note) and e.kind == "strays"]
    assert said.data == {"strays": "20", "shown": "5", "in the file": "20"}
    assert len([e for e in jsonl.read(tmp_path / "r.jsonl").entries if isinstance(e, Malformed)]) == 20


@on_loop
async def test_the_file_is_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape_module, "MAX_FILE_BYTES", 100)
    monkeypatch.setattr(tape_module, "MAX_STRAYS", 3)
    tape = Tape(path=tmp_path / "r.jsonl")
    tape.add_stray(stray(0))
    tape.open(HEADER)
    for number in range(1, 50):
        tape.add_stray(stray(number))
    tape.add(note(50))
    tape.close()
    entries = jsonl.read(tmp_path / "r.jsonl").entries
    assert len([e for e in entries if isinstance(e, Malformed)]) == 10
    [said] = [e for e in entries if isinstance(e, Note) and e.kind == "strays"]
    assert said.data == {"strays": "50", "shown": "3", "in the file": "10"}


@on_loop
async def test_few_strays_are_not_spoken_of(tmp_path: Path) -> None:
    tape = Tape(path=tmp_path / "r.jsonl")
    tape.open(HEADER)
    message = Message(at(1), 0, "desk", "received", DESK, ELSEWHERE, b"OPTIONS sip:x SIP/2.0\r\n\r\n", "system")
    tape.add_stray(message)
    assert tape.close().entries == (message,)
