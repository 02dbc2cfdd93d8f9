"""What the schema for editors accepts, refuses and explains."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from yamlcore import CoreLoader  # type: ignore[import-untyped]

from sip_harness.language.entries import Entry
from sip_harness.language.json_schema import scenario_schema
from sip_harness.language.reference import sections, whole

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "scenarios").rglob("*.sip.yaml"))
SCHEMA = scenario_schema()
VALIDATOR = Draft7Validator(SCHEMA)
ENTRIES = [(f"{title}: {name}", entry) for title, entries in sections() for name, entry in entries.items()]


class Loader(CoreLoader):  # type: ignore[misc]
    """Reads YAML as an editor does: keys are text, and a mapping can be one too."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, Any]:
        return {str(key.value): self.construct_object(value, deep=True) for key, value in node.value}


def read(text: str) -> Any:
    return yaml.load(text, Loader)


def wrong(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(read(text))]


def subschemas(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from subschemas(value)
    elif isinstance(node, list):
        for value in node:
            yield from subschemas(value)


def test_it_is_a_schema() -> None:
    Draft7Validator.check_schema(SCHEMA)


def test_every_property_is_explained() -> None:
    found = [s["properties"] for s in subschemas(SCHEMA) if isinstance(s.get("properties"), dict) and "type" in s]
    assert len(found) >= 12
    for properties in found:
        for name, one in properties.items():
            assert len(one["description"]) > 10, name
            assert "```yaml" in one["markdownDescription"], name


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_scenarios_are_valid(path: Path) -> None:
    assert wrong(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(("name", "entry"), ENTRIES, ids=[name for name, _ in ENTRIES])
def test_examples_of_the_reference_are_valid(name: str, entry: Entry) -> None:
    assert wrong(whole(entry)) == []


SOUND = """\
title: t
id: S-1
targets: {bob: {ring: [desk]}}
devices: {desk: {answer: [ringing, 486]}}
calls: [{from: alice, to: bob}]
expect: {alice: [486]}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "titel: t\n"),
        ("title: t\n", ""),
        ("calls:", "call:"),
        ("{ring: [desk]}", "[desk]"),
        ("{ring:", "{rings:"),
        ("answer: [ringing, 486]", "answer: 486"),
        ("ringing", "rining"),
        ("486]}}", "4866]}}"),
        ("486]}}", "486: {reson: Busy}]}}"),
        ("486]}}", "{wait: 100}]}}"),
        ("486]}}", "{after: mobile}]}}"),
        ("486]}}", "{486: {}, 487: {}}]}}"),
        ("486]}}", "486], stack: pjsua}}"),
        ("486]}}", "486], transport: sctp}}"),
        ("to: bob", "too: bob"),
        ("to: bob", "to: bob, cancel: 300"),
        ("expect: {alice: [486]}", "expect: {alice: 486}"),
        ("expect: {alice: [486]}", "expect: {alice: {any order: [486]}}"),
        ("expect: {alice: [486]}", "proof: [no-such-fault]"),
    ],
)
def test_mistakes_are_not_valid(old: str, new: str) -> None:
    assert wrong(SOUND) == []
    assert wrong(SOUND.replace(old, new, 1))


def test_what_a_piece_may_bring_is_not_missing() -> None:
    assert wrong("include: x.piece.yaml\ntitle: t\nid: S-1\n") == []


def test_files_with_mistakes_of_shape_are_refused_by_both() -> None:
    """Of the newcomer's mistakes those that concern shapes and keys; names and order are beyond a schema."""
    names = (
        "unknown-key", "unknown-key-in-call", "unknown-key-in-step", "unknown-stack", "unknown-capability",
        "unknown-fault", "unknown-code-name", "answer-not-a-list", "attempt-not-a-list", "call-without-list",
        "missing-title-and-id", "transport-unknown", "on-without-list", "title-is-a-list",
        "resend-mistyped", "reliable-true", "id-path", "id-too-long", "devices-missing", "wait-without-unit",
        "wait-in-two-words", "step-sleep", "step-of-a-class", "answer-invite", "expect-optional", "expect-not",
        "call-from-a-uri", "call-to-a-uri", "keys-of-sipp", "target-parallel", "header-list", "code-1000",
    )  # fmt: skip
    found = {name: wrong((ROOT / f"tests/language/mistakes/{name}.sip.yaml").read_text()) for name in names}
    assert [name for name, errors in found.items() if not errors] == []
