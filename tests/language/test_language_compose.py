"""YAML to a tree: where characters stand, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_harness.language.compose import compose
from sip_harness.language.diagnostics import Mistake
from sip_harness.language.source import File, Map, Seq, Text, walk
from sip_harness.model.place import Place


def tree(text: str) -> Map:
    root, mistakes = compose(File("f", text))
    assert not mistakes
    return root


def scalar(text: str) -> Text:
    node = tree(text)["k"]
    assert isinstance(node, Text)
    return node


def under(node: Text, text: str, word: str) -> str:
    """The characters of the file at which a word of a scalar points."""
    (found,) = [w for w in node.words(r"\S+") if str(w) == word]
    spot = found.spot
    return text[spot.begin : spot.end]


@pytest.mark.parametrize(
    "text",
    [
        "k: one two three",
        "k: 'one two three'",
        'k: "one two three"',
        "k: 'it''s one two three'",
        'k: "\\x41 \\u00e9 \\U0001F600 \\t one two three"',
        "k: one\n  two\n  three",
        "k: one\n\n\n  two three",
        'k: "one\n  two\n\n  three"',
        "k: 'one  \n  \n  two three'",
        'k: "one \\\n   two three"',
        "k:   one\r\n  two\r\n  three\r\n",
        "{k: one two three}",
        "? k\n: one two three",
    ],
)
def test_words_are_found_behind_quotes_escapes_and_line_breaks(text: str) -> None:
    for word in ("one", "two", "three"):
        assert under(scalar(text), text, word) == word


@pytest.mark.parametrize("text", ["k: |\n  one\n  two", "k: >-\n  one\n  two"])
def test_words_of_block_scalars_are_found_at_the_beginning(text: str) -> None:
    node = scalar(text)
    assert {w.place for w in node.words(r"\S+")} == {Place("f", 1, 4)}


WORDS = st.lists(st.text("abcXYZ019é'\"\\#:,-", min_size=1, max_size=5), min_size=1, max_size=6)


@given(WORDS, st.sampled_from(["single", "double", "escaped"]), st.sampled_from([" ", "\n  ", "  \n  ", "\r\n "]))
def test_every_character_of_quoted_text_leads_back(words: list[str], style: str, gap: str) -> None:
    if style == "single":
        text = "k: '" + gap.join(w.replace("'", "''") for w in words) + "'"
    elif style == "double":
        text = 'k: "' + gap.join(w.replace("\\", "\\\\").replace('"', '\\"') for w in words) + '"'
    else:
        text = 'k: "' + gap.join("".join(f"\\u{ord(c):04x}" for c in w) for w in words) + '"'
    node = scalar(text)
    assert node.split() == words
    for index, char in enumerate(node):
        begin = node.indices[index]
        if char == " ":
            assert text[begin] in " \r\n"
        elif style == "escaped":
            assert text[begin : begin + 6] == f"\\u{ord(char):04x}"
        else:
            assert text[begin] in (char, "\\")


def test_empty_values_are_none_and_quoted_ones_text() -> None:
    root = tree("{a: , b: ~, c: null, d: '', e: 'null', f: nil}")
    assert dict(root) == {"a": None, "b": None, "c": None, "d": "", "e": "null", "f": "nil"}


def test_places_of_lists_mappings_and_missing_values() -> None:
    root = tree("a:\n  - x\n  -\n  - {b: [c]}\n")
    assert walk(root, ["a"])[1].place == Place("f", 2, 3)
    assert walk(root, ["a", 1])[1].place.line == 3
    assert walk(root, ["a", 2, "b", 0])[1].place == Place("f", 4, 10)
    assert walk(root, ["a", 2, "b"], key=True)[1].place == Place("f", 4, 6)
    node, spot = walk(root, ["a", "<tag>", 0, "[key]"])
    assert (node, spot.place) == ("x", Place("f", 2, 5))


def test_the_item_before_is_known_between_brackets_only() -> None:
    flow = tree("[{k: [a, b]}]".replace("[{", "{x: {").replace("}]", "}}"))["x"]
    assert isinstance(flow, Map)
    items = flow["k"]
    assert isinstance(items, Seq)
    assert [item.before for item in items if isinstance(item, Text)] == [None, "a"]
    block = tree("k:\n- a\n- b")["k"]
    assert isinstance(block, Seq)
    assert [item.before for item in block if isinstance(item, Text)] == [None, None]


def test_keys_that_stand_twice_are_all_reported_and_the_first_counts() -> None:
    root, found = compose(File("f", "{a: 1, a: 2, b: 3, 'a': 4}"))
    assert dict(root) == {"a": "1", "b": "3"}
    assert [(d.message, d.place.column) for d in found] == [("'a' stands twice", 8), ("'a' stands twice", 21)]


@pytest.mark.parametrize(
    ("text", "message", "column"),
    [
        ("", "the file is empty", 1),
        ("# a comment", "the file is empty", 1),
        ("---\n", "a scenario is a mapping", 1),
        ("text", "a scenario is a mapping", 1),
        ("a: &x 1", "anchors", 4),
        ("a: *x", "aliases", 4),
        ("a: !x 1", "tags", 4),
        ("a: !!str 1", "tags", 4),
        ("a: !<tag:yaml.org,2002:python/object> 1", "tags", 4),
        ("&a a: 1", "anchors", 1),
        ("<<: *a", "aliases", 5),
        ("%TAG ! tag:x,2000:\n---\na: 1", "%TAG directives", 1),
        ("%YAML 2.0\n---\na: 1", "scenarios are YAML 1.2", 1),
        ("[a]: 1", "a key must be text", 1),
        ("? {a: b}\n: 1", "a key must be text", 3),
        ('a: "\\ud800"', "half of a surrogate pair", 4),
        ('a: "\\U00110000"', "an escape in this file", 1),
        ('a: "\\UFFFFFFFF"', "an escape in this file", 1),
        ('a: "\\xZZ"', "an escape needs more", 7),
        ("a: 'b", "this quote is never closed", 4),
        ("a: [b", "this list is not closed", 4),
        ("a: {b: c", "this mapping is not closed", 4),
        ("a: `b`", "this character cannot begin a text", 4),
        ("a: - b", "'- ' cannot begin a list here", 4),
        ("a: x\x00", "the control character U+0000", 5),
        ("a: 1\n...\nb: 2", "the scenario has ended above this line", 1),
        ("a: 1\n---\nb: 2", "a second document begins here", 1),
    ],
)
def test_refused(text: str, message: str, column: int) -> None:
    with pytest.raises(Mistake) as caught:
        compose(File("f", text))
    found = caught.value.diagnostic
    assert found.message.startswith(message), found
    assert found.place.column == column, found


@pytest.mark.parametrize(
    "text",
    [
        'a: "' + " " * 300_000 + '"',
        "a: '" + "'' " * 100_000 + "'",
        "a: " + "x" * 500_000,
        "a: " + "1" * 500_000 + "-",
        "a:" + "\n" * 300_000 + " x",
        "a: " + "b\n  " * 100_000,
    ],
)
def test_long_scalars_take_linear_time(text: str) -> None:
    """The quadratic way would take hours; the limit on every test is its judge."""
    assert isinstance(tree(text)["a"], Text)


@pytest.mark.parametrize(
    "text",
    ["[" * 500_000, "{a: " * 200_000, "- " * 400_000, "a: [" + "[]," * 300_000 + "]", "? " * 400_000, "!a " * 300_000],
    ids=["lists", "mappings", "dashes", "items", "keys", "tags"],
)
def test_large_structures_are_refused_early(text: str) -> None:
    with pytest.raises(Mistake):
        compose(File("f", text))
