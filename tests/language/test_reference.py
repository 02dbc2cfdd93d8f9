"""Every construct has an entry, every example loads, and the page is the one that the entries make."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sip_harness.language import expected, grammar, load, profile_schema, schema, timing
from sip_harness.language.answers import STEPS
from sip_harness.language.entries import PARTS, WORDS, Entry
from sip_harness.language.part import Part
from sip_harness.language.reference import page, sections, whole

PAGE = Path(__file__).parents[2] / "scenarios" / "LANGUAGE.md"
ALL = {f"{title}: {name}": entry for title, entries in sections() for name, entry in entries.items()}


def parts(part: type[Part] = Part) -> Iterator[type[Part]]:
    for one in part.__subclasses__():
        yield one
        yield from parts(one)


def test_every_key_has_an_entry() -> None:
    assert schema.ScenarioDoc in set(parts())
    scenario = [part for part in parts() if part.__module__ != profile_schema.__name__]  # profiles have a template
    keys = {part.__name__: [field.alias or name for name, field in part.model_fields.items()] for part in scenario}
    for shared in ("MessageDoc", "AskingDoc", "_AccountDoc"):  # no mappings of their own
        del keys[shared]
    assert {name: sorted(entries) for name, entries in PARTS.items()} == {n: sorted(k) for n, k in keys.items()}


def test_every_word_has_an_entry() -> None:
    assert set(STEPS) < set(WORDS["Steps in words"])
    described = " ".join(f"{name} {entry.text} {entry.example}" for name, entry in ALL.items())
    words = set(re.findall(r'"([^"]+)"', f"{grammar.__doc__}{expected.__doc__}{timing.__doc__}"))
    assert len(words) > 8
    assert {word for word in words if not re.search(rf"\b{re.escape(word)}\b", described)} == set()


@pytest.mark.parametrize("name", ALL)
def test_the_example_loads(name: str, tmp_path: Path) -> None:
    entry: Entry = ALL[name]
    for file, text in entry.files.items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    (tmp_path / "example.sip.yaml").write_text(whole(entry), encoding="utf-8")
    assert load([tmp_path / "example.sip.yaml"])


def test_the_example_shows_what_its_entry_is_about() -> None:
    for title, entries in sections():
        for name, entry in entries.items():
            shown = {
                "CODE": "486",
                "CODE to METHOD": "487 to INVITE",
                "METHOD": "INVITE",
                "sends, gets": "sends",
                "no later than, no earlier than": "no later than",
                "DURATION to DURATION": "250ms to 1s",
            }
            assert shown.get(name, name) in entry.example, f"{title}: {name}"


def test_the_page_is_up_to_date() -> None:
    """Write it with: python -m sip_harness.language.reference >scenarios/LANGUAGE.md"""
    assert PAGE.read_text(encoding="utf-8") == page()
