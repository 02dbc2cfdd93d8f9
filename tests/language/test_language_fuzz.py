"""Whatever stands in a file, its author gets a LanguageError with places, never anything else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sip_harness.language import Diagnostic, LanguageError, from_python, load, load_text
from sip_harness.model.place import Place

BASE = """\
title: t
id: S-1
cite: [a, b]
needs: [ring]
tags: [busy]
targets: {bob: {ring: [desk, mobile]}, pstn: {hunt: [g1]}}
devices:
  desk: {answer: [ringing, after: mobile sends 180, wait 100ms, '486 Line in use']}
  mobile:
    answers: [[ringing, {busy-here: {headers: {A: [b, c], D: null}, body: "x", type: text/plain}}], [200, hang up]]
    transport: tcp
    on: {CANCEL: [200, wait 1s, 487 to INVITE], OPTIONS: [[silence], [200: {to tag: other, resend: [1s, 2s]}]]}
    lose: [first 2 ACK, CANCEL]
carriers:
  g1: {answer: [no 100, 183: {reliable: yes, media: tone}, send: {INFO: {headers: {A: b}}}, 503: {copies: 2, strip: To,
    duplicate: [Via, From], corrupt: From, truncate: 40, from: other port, branch: other}, 603: {resend: never}, close]}
calls:
- {from: alice, to: bob, cancel: 300ms after desk sends 180, headers: {Subject: x}, ack: after 2s, prack: never,
   then: [wait 100ms, send: re-INVITE, hang up], on: {BYE: [481]}, lose: [first 1 200]}
- {from: carol, to: pstn, method: OPTIONS}
expect: {alice: [maybe 180 or 183, 486 from desk], mobile: [INVITE, any order: [CANCEL, ACK to 487]], desk: reached,
  g1: [INVITE: {resent: [500ms, 1s]}, BYE: {resent: doubling}]}
order: [[desk sends 486, alice gets 4xx]]
proof: [maps-600-to-486]
"""

MATRIX = """\
title: A phone answers {code} ({{{code}}})
id: S-{code}
for: [{who: desk, code: [503, 600], full: {reason: a}}, {who: desk, code: 480, full: {headers: {X: "{code}"}}}]
targets: {bob: {ring: [desk]}}
devices: {"{who}": {answer: [ringing, {"{code}": {full}}]}}
calls: [{from: alice, to: bob}]
expect: {alice: {by code: {503: [500], 4xx: ["{code} from {who}"], other: [{code}]}}}
"""

WORDS = st.sampled_from(
    """title id cite needs tags targets devices calls expect order proof ring hunt answer answers stack from to cancel
    headers name reason body type wait after sends gets silence never reached maybe or system desk mobile alice bob
    on lose carriers transport then ack prack method to-tag resend copies strip corrupt truncate pieces reliable media
    resent doubling bytes send re-INVITE first close reset half-open tcp OPTIONS yes tone g1 40
    486 busy-here 6xx 18x 700 INVITE CANCEL ACK BYE 100ms 2s 100 -1s 1e9s Contact null ~ FK-01 , : ''
    """.split()  # noqa: SIM905
) | st.sampled_from(
    [
        "hang up",
        "any order",
        "to tag",
        "no 100",
        "other port",
        "487 to INVITE",
        "first 2 ACK",
        "../x",
        "",
        " ",
        "\n",
        "\0",
        "\r\n",
        "é",
        "\u202e",
        "\U0001f600",
        "x" * 9000,
    ]
)
TEXTS = st.lists(WORDS | st.text(max_size=4), max_size=5).map(" ".join)
LEAVES = TEXTS | st.none() | st.integers() | st.floats() | st.booleans()
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | TEXTS, inner, max_size=4), max_leaves=12
)
DOCUMENTS = st.dictionaries(WORDS | TEXTS, VALUES, max_size=8)
MANY = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def told(read: Callable[[], object]) -> tuple[Diagnostic, ...]:
    """The mistakes that this found; nothing but a LanguageError may come."""
    try:
        read()
    except LanguageError as error:
        return error.diagnostics or (Diagnostic(Place(), "an error without a mistake"),)
    return ()


def judged(text: str) -> None:
    """Read it; if it is refused, every mistake says where and what."""
    for diagnostic in told(lambda: load_text(text, "f")):
        assert diagnostic.message
        assert diagnostic.place.file == "f"
        assert 1 <= diagnostic.place.line <= len(text) + 1
        assert diagnostic.place.column >= 1
        assert str(diagnostic).count("\n") == 2


def test_the_text_that_is_damaged_below_is_right() -> None:
    assert load_text(BASE, "f").id == "S-1"
    assert told(lambda: load_text(MATRIX, "f"))[0].message == "a matrix of 3 cases, where one is wanted"


@MANY
@given(st.text())
@example("\ufeff")
@example('a: "\\ud800"')
@example("\x85")
def test_random_text(text: str) -> None:
    judged(text)


@MANY
@given(st.lists(st.sampled_from(list("abc \n\t:-?[]{},'\"#&*!|>%@`\\1~=<\r\u2028")) | WORDS, max_size=40).map("".join))
def test_random_punctuation(text: str) -> None:
    judged(text)


@MANY
@given(st.integers(0, len(BASE)), st.integers(0, 12), TEXTS | st.text("[]{}:,-'\"\t \n", max_size=4))
def test_a_scenario_with_a_hole(at: int, cut: int, patch: str) -> None:
    judged(BASE[:at] + patch + BASE[at + cut :])


@MANY
@given(
    st.integers(0, len(MATRIX)),
    st.integers(0, 8),
    st.lists(st.sampled_from(["{", "}", "{code}", "for: ", "by code: ", "known", "4xx", "[", "]", ","]), max_size=3),
)
@example(0, 0, ["include: ../x.piece.yaml\n"])
def test_a_matrix_with_a_hole(at: int, cut: int, patch: list[str]) -> None:
    judged(MATRIX[:at] + "".join(patch) + MATRIX[at + cut :])


@MANY
@given(DOCUMENTS, st.booleans())
def test_random_yaml(document: dict[str, Any], flow: bool) -> None:
    judged(yaml.safe_dump(document, default_flow_style=flow, allow_unicode=True, sort_keys=False))


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(p for key, inner in below for p in paths(inner, (*path, key)))]


@MANY
@given(st.data())
def test_a_right_document_with_one_wrong_value(data: st.DataObject) -> None:
    document = yaml.load(BASE, yaml.BaseLoader)
    *above, last = data.draw(st.sampled_from(paths(document)[1:]))
    holder = document
    for key in above:
        holder = holder[key]
    holder[last] = data.draw(VALUES)
    if isinstance(holder, dict):
        holder[data.draw(WORDS)] = data.draw(VALUES)
    judged(yaml.safe_dump(document, allow_unicode=True))
    assert {d.place for d in told(lambda: from_python(document, Place("p", 1)))} <= {Place("p", 1)}


@MANY
@given(
    st.dictionaries(
        st.text() | st.integers() | st.none() | st.tuples(st.text()),
        VALUES | st.binary() | st.sets(st.integers()) | st.text(st.characters(categories=["Cs"])),
    )
)
def test_random_python_values(document: dict[str, object]) -> None:
    assert all(d.message and d.place == Place("p") for d in told(lambda: from_python(document, Place("p"))))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.binary(max_size=200)
    | st.binary(max_size=20).map(lambda damage: BASE.encode()[:60] + damage + BASE.encode()[60:])
)
def test_random_bytes_in_a_file(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "x.sip.yaml"
    file.write_bytes(data)
    assert all(d.message and d.place.file == str(file) for d in told(lambda: load([file])))
