"""The page of the shipped scenarios: every sentence on it is linked to a scenario that exists."""

from __future__ import annotations

import re
from pathlib import Path

from sip_harness.language import load

LIBRARY = Path(__file__).parent.parent / "scenarios"
ALL = load([LIBRARY])
ROWS = [line for line in (LIBRARY / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
COVERED = re.compile(r"\| ([A-Z]{2}-[0-9]{2}): ")
CODES_OF_THE_TEXT = [
    "100",
    "180",
    "181",
    "182",
    "183",
    "200",
    "300",
    "301",
    "302",
    "305",
    "380",
    "400",
    "401",
    "402",
    "403",
    "404",
    "405",
    "406",
    "407",
    "408",
    "409",
    "410",
    "413",
    "414",
    "415",
    "416",
    "420",
    "421",
    "422",
    "423",
    "480",
    "481",
    "482",
    "483",
    "484",
    "485",
    "486",
    "487",
    "488",
    "491",
    "493",
    "500",
    "501",
    "502",
    "503",
    "504",
    "505",
    "513",
    "600",
    "603",
    "604",
    "606",
]


def test_every_sentence_is_linked_to_scenarios_that_are_there() -> None:
    files = {s.id: Path(s.place.file).resolve() for s in ALL}
    sentences = [row for row in ROWS if not row.startswith(("| sentence", "| behaviour"))]
    assert len(sentences) > 80
    for row in sentences:
        found = LINK.findall(row)
        assert found, row
        for name, path in found:
            assert files[name] == (LIBRARY / path).resolve(), row


def test_every_code_of_the_text_has_a_row() -> None:
    said = {match[1] for row in ROWS if (match := re.match(r"\| (\d{3})\b", row))}
    assert said >= set(CODES_OF_THE_TEXT)


def test_what_is_shown_under_another_name_is_said_by_the_page_and_by_the_scenarios_alike() -> None:
    said = {match[1]: {name for name, _ in LINK.findall(row)} for row in ROWS if (match := COVERED.match(row))}
    covers = {s.id: set(s.covers) for s in ALL}
    assert set(said) == {other for s in ALL for other in s.covers}
    for behaviour, names in said.items():
        assert all(behaviour in covers[name] for name in names), behaviour
    files = {(Path(s.place.file).resolve(), other) for s in ALL for other in s.covers}
    rows = [(match[1], row) for row in ROWS if (match := COVERED.match(row))]
    linked = {((LIBRARY / path).resolve(), other) for other, row in rows for _, path in LINK.findall(row)}
    assert files == linked


def test_no_scenario_is_named_after_what_others_are_said_to_show() -> None:
    named = {"-".join(s.id.split("-")[:2]) for s in ALL}
    assert not named & {other for s in ALL for other in s.covers}


def test_every_folder_is_where_a_reader_looks_for_it() -> None:
    page = (LIBRARY / "README.md").read_text(encoding="utf-8")
    index = page.partition("## What is where")[2].partition("## ")[0]
    folders = sorted(path.name for path in LIBRARY.iterdir() if path.is_dir())
    assert sorted(re.findall(r"\[([a-z]+)\]\(\1\)", index)) == folders
