"""What newcomers get wrong, and what they are told.

Each `mistakes/NAME.sip.yaml` has its messages in `mistakes/NAME.txt`. After a wanted change of a message write all of
them anew with `REWRITE_MISTAKES=1 pytest tests/language/test_mistakes.py` and read the difference before you keep it.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from pathlib import Path

import pytest

from sip_harness.language import LanguageError, load

MISTAKES = Path(__file__).parent / "mistakes"
SOUND = """\
title: t
id: M-1
targets: {bob: {ring: [desk]}}
devices: {desk: {answer: [486]}}
calls: [{from: alice, to: bob}]
expect: {alice: [486]}
"""
CASES = sorted(path.name.removesuffix(".sip.yaml") for path in MISTAKES.glob("*.sip.yaml"))


def told(name: str) -> str:
    """The messages for a file, which must not be free of mistakes; read from its directory, so that none is named."""
    with contextlib.chdir(MISTAKES), pytest.raises(LanguageError) as caught:
        load([Path(f"{name}.sip.yaml")])
    return str(caught.value) + "\n"


@pytest.mark.parametrize("name", CASES)
def test_messages_are_as_agreed(name: str) -> None:
    golden = MISTAKES / f"{name}.txt"
    messages = told(name)
    if os.environ.get("REWRITE_MISTAKES"):
        golden.write_text(messages, encoding="utf-8")
    assert messages == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_each_message_has_a_place_and_carets_below_its_line(name: str) -> None:
    for block in told(name).rstrip("\n").split("\n\n"):
        head, source, carets = block.split("\n")
        place = re.match(rf"(?:{re.escape(name)}\.sip|[a-z-]+\.piece)\.yaml:(\d+):\d+: \S", head)
        assert place
        assert source.startswith(f"  {place[1]} | ")
        assert re.fullmatch(r" *\| *\^+", carets)


def test_a_file_of_10_mb_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "large.sip.yaml"
    path.write_bytes(b"title: a\n" + b"x: [[[[[[[[[[\n" * 800_000)
    begun = time.process_time()
    with pytest.raises(LanguageError, match=r"large\.sip\.yaml: larger than 1 MB; one file holds one scenario"):
        load([path])
    assert time.process_time() - begun < 1


def test_an_id_belongs_to_one_scenario(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.sip.yaml").write_text(SOUND, encoding="utf-8")
    with contextlib.chdir(tmp_path), pytest.raises(LanguageError) as caught:
        load([Path()])
    assert str(caught.value) == (
        "b.sip.yaml:2:5: id 'M-1' is taken; the first is in a.sip.yaml:2:5\n  2 | id: M-1\n    |     ^^^"
    )


def test_ids_that_differ_by_case_only_are_one_file_name_on_many_disks(tmp_path: Path) -> None:
    for name, case in (("a", "M-1"), ("b", "m-1")):
        (tmp_path / f"{name}.sip.yaml").write_text(SOUND.replace("M-1", case), encoding="utf-8")
    with contextlib.chdir(tmp_path), pytest.raises(LanguageError) as caught:
        load([Path()])
    assert str(caught.value).splitlines()[0] == (
        "b.sip.yaml:2:5: id 'm-1' differs from 'M-1' by case only, and files are named after ids; "
        "the first is in a.sip.yaml:2:5"
    )


@pytest.mark.parametrize(("name", "hint"), [("busy.yaml", "busy.sip.yaml for busy.yaml"), ("a.sip.yml", "a.sip.yaml")])
def test_a_directory_in_which_files_only_have_another_name(name: str, hint: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(SOUND, encoding="utf-8")
    with pytest.raises(LanguageError, match=rf"no file \*\.sip\.yaml; name them so, as {hint}"):
        load([tmp_path])
    assert [scenario.id for scenario in load([tmp_path / name])] == ["M-1"]  # by its name it is read all the same


def test_a_byte_order_mark_and_windows_line_ends_are_no_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "a.sip.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SOUND.replace("\n", "\r\n").encode())
    assert [scenario.id for scenario in load([path])] == ["M-1"]


NEWCOMERS = {
    "wrong code name": "unknown-code-name",
    "tab": "tab-indentation",
    "wrong indent": "bad-indentation",
    "missing device": "devices-missing",
    "typo in a key": "unknown-key",
    "expectation on an unknown agent": "unknown-agent-in-expectation",
    "header with CR/LF": "header-injection",
    "cyclic include": "include-cyclic",
    "YAML bomb": "yaml-bomb",
    "anchors": "anchor",
    "unquoted comma in a reason phrase": "comma-in-reason",
}
"""Beside these: a file of 10 MB and an id that is taken (below); a step that the named stack cannot do (`check`)."""


def test_what_newcomers_get_wrong_has_a_golden_file() -> None:
    assert set(NEWCOMERS.values()) <= set(CASES)


def test_every_golden_file_has_its_scenario() -> None:
    assert len(CASES) >= 25
    assert sorted(path.stem for path in MISTAKES.glob("*.txt")) == CASES


def test_all_mistakes_of_all_files_come_at_once_and_sorted() -> None:
    with pytest.raises(LanguageError) as caught:
        load([MISTAKES])
    places = [diagnostic.place for diagnostic in caught.value.diagnostics]
    assert places == sorted(places)
    files = {Path(place.file).name for place in places} - {path.name for path in MISTAKES.glob("*.piece.yaml")}
    in_pieces = {"include-cyclic", "include-wrong-inside", "include-with-id"}
    assert {name.removesuffix(".sip.yaml") for name in files} == set(CASES) - in_pieces
