"""The schema of profiles for editors, its texts, and the template: none of them lacks a key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from yamlcore import CoreLoader  # type: ignore[import-untyped]

from sip_harness.language import TEMPLATE, LanguageError, load_profile
from sip_harness.language import profile_schema as shapes
from sip_harness.language.entries.entry import Entry
from sip_harness.language.entries.profile import PROFILES
from sip_harness.language.json_schema import profile_schema
from sip_harness.language.part import Part

SCHEMA = profile_schema()
VALIDATOR = Draft7Validator(SCHEMA)
BASE = {"name": "name: x", "kind": "kind: proxy", "address": "address: 192.0.2.1:5060"}
ENTRIES = [(f"{part}: {key}", entry) for part, entries in PROFILES.items() for key, entry in entries.items()]
SOUND = "name: x\nkind: proxy\naddress: 192.0.2.1\nroles: {alice: {user: '1', password: $P}}\n"


def wrong(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(yaml.load(text, CoreLoader))]


def parts(part: type[Part] = Part) -> Iterator[type[Part]]:
    for one in part.__subclasses__():
        if one.__module__ == shapes.__name__:
            yield one
        yield from parts(one)


KEYS = {part.__name__: [field.alias or name for name, field in part.model_fields.items()] for part in parts()}


def whole(entry: Entry) -> str:
    keys = {line.partition(":")[0] for line in entry.example.splitlines()}
    base = {} if "builtin" in keys else BASE
    return "\n".join([*(line for key, line in base.items() if key not in keys), entry.example, ""])


def test_every_key_has_an_entry() -> None:
    assert len(KEYS) == 10
    assert {name: sorted(entries) for name, entries in PROFILES.items()} == {n: sorted(k) for n, k in KEYS.items()}


def test_every_key_stands_in_the_template_with_a_word_on_it() -> None:
    """Also those that are commented out: whoever fills it in has to see all that there is."""
    text = TEMPLATE.read_text(encoding="utf-8")
    for part, keys in KEYS.items():
        for key in keys:
            assert (
                re.search(rf"(^|[{{,# -]){re.escape(key)}: ", text, re.MULTILINE)
                or f"\n{key}:\n" in text
                or (re.search(rf"^ +{re.escape(key)}:$", text, re.MULTILINE))
            ), f"{part}: {key}"


@pytest.mark.parametrize(("name", "entry"), ENTRIES, ids=[name for name, _ in ENTRIES])
def test_examples_load_and_are_valid(name: str, entry: Entry, tmp_path: Path) -> None:
    for file, text in entry.files.items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    (tmp_path / "x.system.yaml").write_text(whole(entry), encoding="utf-8")
    assert load_profile(tmp_path / "x.system.yaml", {"PASSWORD_101": "secret", "PASSWORD_TRUNK": "secret"})
    assert wrong(whole(entry)) == []
    assert f"{name.partition(': ')[2]}: " in entry.example or f"{name.partition(': ')[2]}:\n" in entry.example


def test_it_is_a_schema_and_the_template_is_valid() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert wrong(TEMPLATE.read_text(encoding="utf-8")) == []
    for part in KEYS:
        for name, one in SCHEMA["$defs"][part]["properties"].items():
            assert len(one["description"]) > 10, name
            assert "```yaml" in one["markdownDescription"], name


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: x\n", ""),
        ("kind: proxy", "kind: proxi"),
        ("address:", "adress:"),
        ("192.0.2.1", "'192.0.2.1:port'"),
        ("$P", "secret"),
        ("user:", "usr:"),
        ("roles:", "transport: sctp\nroles:"),
        ("roles:", "impact: none\nroles:"),
        ("roles:", "capabilities: [flying]\nroles:"),
        ("roles:", "policy: {prompt: 500}\nroles:"),
        ("roles:", "policy: {timers: {ring: soon}}\nroles:"),
        ("roles:", "shapes: {ring: {dial: 1}}\nroles:"),
        ("roles:", "settings: {transaction: 2s}\nroles:"),
        ("roles:", "builtin: kamailio\nroles:"),
    ],
)
def test_mistakes_are_valid_neither_to_an_editor_nor_to_us(old: str, new: str, tmp_path: Path) -> None:
    assert wrong(SOUND) == []
    assert wrong(SOUND.replace(old, new, 1))
    (tmp_path / "x.system.yaml").write_text(SOUND.replace(old, new, 1))
    with pytest.raises(LanguageError):
        load_profile(tmp_path / "x.system.yaml", {"P": "secret"})


def test_a_built_in_system_is_valid() -> None:
    assert wrong("name: slow\nbuiltin: kamailio\nsettings: {transaction: 2s}\n") == []
    assert wrong("name: slow\nbuiltin: kamailio\nkind: proxy\n")


def test_the_texts_say_something_of_their_own() -> None:
    texts: list[Any] = [entry.text for _, entry in ENTRIES]
    assert len(set(texts)) == len(texts)
