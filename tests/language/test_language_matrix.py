"""One file, many cases; and what files share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sip_harness.language import LanguageError, from_python, load, load_text
from sip_harness.model.place import Place
from sip_harness.model.scenario import Scenario
from sip_harness.model.steps import Send
from sip_harness.model.wanted import Sequence
from sip_harness.sip.codes import CODES

SMALL = """\
title: A phone answers {code}
id: M-1
for: MATRIX
targets: {bob: {ring: [desk]}}
devices:
  desk: {answer: [ringing, {code}]}
calls: [{from: alice, to: bob}]
expect:
  alice: ["{code} from desk"]
  desk: [INVITE, "ACK to {code}"]
"""


def of(text: str, tmp_path: Path) -> list[Scenario]:
    path = tmp_path / "m.sip.yaml"
    path.write_text(text, encoding="utf-8")
    return load([path])


def matrix(matrix: str, tmp_path: Path) -> list[Scenario]:
    return of(SMALL.replace("MATRIX", matrix), tmp_path)


def final(scenario: Scenario) -> Send:
    step = scenario.devices[0].script.attempts[0][-1]
    assert isinstance(step, Send)
    return step


def refused(text: str, tmp_path: Path) -> str:
    with pytest.raises(LanguageError) as caught:
        of(text, tmp_path)
    return re.sub(r"^.*/", "", str(caught.value), flags=re.MULTILINE)


def test_every_case_is_a_scenario_of_its_own(tmp_path: Path) -> None:
    busy, everywhere = matrix("{code: [busy-here, 600]}", tmp_path)
    assert [one.id for one in (busy, everywhere)] == ["M-1-busy-here", "M-1-600"]
    assert (busy.title, everywhere.title) == ("A phone answers busy-here", "A phone answers 600")
    assert (final(busy).code, final(everywhere).code) == (486, 600)
    written = load_text(
        SMALL.replace("for: MATRIX\n", "").replace("{code}", "600").replace("id: M-1", "id: M-1-600"), ""
    )
    assert [str(one) for one in _items(everywhere)] == [str(one) for one in _items(written)]


def _items(scenario: Scenario) -> list[Any]:
    return [item.pattern for e in scenario.expectations if isinstance(e, Sequence) for item in e.items]  # type: ignore[union-attr]


def test_places_are_those_of_the_file(tmp_path: Path) -> None:
    (scenario,) = matrix("{code: 486}", tmp_path)
    alice, desk = scenario.expectations
    assert isinstance(desk, Sequence)
    assert (scenario.place.line, scenario.place.column) == (2, 5)
    assert (desk.items[1].place.line, desk.items[1].place.column) == (10, 19)
    assert (final(scenario).place.line, final(scenario).place.column) == (6, 29)
    assert alice.place.line == 9


def test_classes_are_the_codes_of_the_table(tmp_path: Path) -> None:
    codes = [final(one).code for one in matrix("{code: [6xx, 486, 4xx, 499]}", tmp_path)]
    of_class = [code for code in CODES if 400 <= code <= 499 and code != 486]
    assert codes == [*(code for code in CODES if code >= 600), 486, *of_class]
    unknown = [final(one).code for one in of(_without_ack("{code: [unknown]}"), tmp_path)]
    assert unknown == [code for code, row in CODES.items() if row.origin == "test"]
    known = [final(one).code for one in of(_without_ack("{code: known}"), tmp_path)]
    assert sorted(known + unknown) == list(CODES)


def _without_ack(matrix: str) -> str:
    text = SMALL.replace("MATRIX", matrix).replace('  desk: [INVITE, "ACK to {code}"]\n', "")
    return text.replace('["{code} from desk"]', '["maybe {code} from desk"]')


def test_two_variables_make_every_combination(tmp_path: Path) -> None:
    text = SMALL.replace("MATRIX", "{code: [486, 600], other: [a, b]}").replace("A phone", "Phone {other}")
    assert [one.id for one in of(text, tmp_path)] == ["M-1-486-a", "M-1-486-b", "M-1-600-a", "M-1-600-b"]


def test_rows_hold_values_that_belong_together(tmp_path: Path) -> None:
    rows = "[{code: 403, told: '{code} Forbidden, no credit'}, {code: [486, 480], told: '{code} busy'}]"
    found = of(SMALL.replace("MATRIX", rows).replace("title: A phone answers {code}", 'title: "{told}"'), tmp_path)
    assert [(one.id, one.title) for one in found] == [
        ("M-1-403", "403 Forbidden, no credit"),
        ("M-1-486", "486 busy"),
        ("M-1-480", "480 busy"),
    ]


def test_a_value_may_be_a_list_or_a_mapping_or_nothing(tmp_path: Path) -> None:
    rows = (
        "[{code: 486, full: {reason: On the phone}, seen: [486]}, {code: 480, full: null, seen: ['{code} from desk']}]"
    )
    text = SMALL.replace("MATRIX", rows).replace("{code}]}", '{"{code}": {full}}]}')
    one, other = of(
        text.replace('["{code} from desk"]', "{seen}")
        .replace("seen: [486]", "seen: [[486]]")
        .replace("seen: ['{code} from desk']", "seen: [['{code} from desk']]"),
        tmp_path,
    )
    assert (final(one).code, final(one).reason) == (486, "On the phone")
    assert (final(other).code, final(other).reason) == (480, "Temporarily Unavailable")
    assert [pattern.codes for pattern in _items(other)[:1]] == [frozenset({480})]


def test_keys_have_placeholders_too(tmp_path: Path) -> None:
    text = SMALL.replace("MATRIX", "{code: [486], who: [desk]}").replace("  desk: {answer", '  "{who}": {answer')
    assert of(text, tmp_path)[0].devices[0].name == "desk"
    assert "unknown placeholder '{cod}'" in refused(text.replace("calls:", '"{cod}alls":'), tmp_path)
    twice = text.replace("MATRIX", "x").replace("  desk: [INVITE", '  "{who}": reached\n  desk: [INVITE')
    assert "'desk' stands twice" in refused(twice, tmp_path)


def test_a_choice_says_what_differs_between_cases(tmp_path: Path) -> None:
    chosen = "{by code: {503: [500], 6xx: [600 or 699], other: ['{code} from desk']}}"
    text = SMALL.replace('["{code} from desk"]', chosen)
    found = of(text.replace("MATRIX", "{code: [486, 503, 600]}"), tmp_path)
    assert [_items(one)[0].codes for one in found] == [{486}, {500}, {600, 699}]
    busy = of(text.replace("MATRIX", "{code: [service-unavailable, 480, 699]}"), tmp_path)
    assert [_items(one)[0].codes for one in busy] == [{500}, {480}, {600, 699}]


def test_a_variable_may_be_chosen_by_another(tmp_path: Path) -> None:
    text = SMALL.replace("MATRIX", "{code: [486, 503], got: {by code: {503: 500, other: '{code}'}}}")
    found = of(text.replace("{code} from desk", "{got} from desk"), tmp_path)
    assert [(one.id, _items(one)[0].codes) for one in found] == [("M-1-486", {486}), ("M-1-503", {500})]


def test_an_id_may_say_where_the_values_stand(tmp_path: Path) -> None:
    text = SMALL.replace("MATRIX", "{code: [486, 600]}").replace("id: M-1", "id: M-{code}-x")
    assert [one.id for one in of(text, tmp_path)] == ["M-486-x", "M-600-x"]


def test_doubled_braces_are_braces(tmp_path: Path) -> None:
    (one,) = of(SMALL.replace("MATRIX", "{code: 486}").replace("A phone", "The {{code}} of a {{phone}}"), tmp_path)
    assert one.title == "The {code} of a {phone} answers 486"


def test_braces_mean_nothing_where_there_is_no_matrix() -> None:
    text = SMALL.replace("for: MATRIX\n", "").replace("{code}]}", "486]}").replace("{code} from desk", "486")
    assert load_text(text.replace("ACK to {code}", "ACK to 486"), "f").title == "A phone answers {code}"


def test_a_mistake_of_some_cases_names_them_and_one_of_all_does_not(tmp_path: Path) -> None:
    message = refused(SMALL.replace("MATRIX", "{code: [486, 4066]}").replace("bob}]", "bobb}]"), tmp_path)
    assert "m.sip.yaml:7:27: unknown target 'bobb'; did you mean 'bob'?\n" in message
    assert "m.sip.yaml:6:29: '4066' is no response code: they go from 100 to 699 (in case M-1-4066)\n" in message
    twice = refused(SMALL.replace("MATRIX", "{code: [486, 183, 180]}"), tmp_path)
    assert "a provisional response gets no ACK (in case M-1-183 and 1 more)" in twice


def test_of_many_wrong_values_only_a_few_are_told(tmp_path: Path) -> None:
    values = ", ".join(f"x{n}" for n in range(100))
    message = refused(SMALL.replace("MATRIX", f"{{code: [{values}]}}"), tmp_path)
    assert message.count("m.sip.yaml:6:29:") == 3
    assert "unknown response 'x2' (in case M-1-x2), and 97 more mistakes here" in message


def test_a_small_file_stays_small(tmp_path: Path) -> None:
    """Values made of values double with each step, in length, in number or in depth."""

    def chain(value: str) -> str:
        below = [f"  v{n}: {value}".replace("{v}", f"{{v{n - 1}}}") for n in range(1, 40)]
        return "\n".join(["for:", "  v0: x", *below, 'title: "{v39}"'])

    assert "come to too much text" in refused(chain("'{v}{v}'"), tmp_path)
    assert "come to too much text" in refused(chain("[['{v}', '{v}']]"), tmp_path)
    assert "nested more than 16 levels deep" in refused(chain("[['{v}']]"), tmp_path)


def test_a_matrix_needs_a_file_of_its_own() -> None:
    text = SMALL.replace("MATRIX", "{code: [486, 600]}")
    with pytest.raises(LanguageError, match="a matrix of 2 cases, where one is wanted"):
        load_text(text, "f")
    with pytest.raises(LanguageError, match="a matrix is for files; use a loop"):
        from_python({"title": "t", "id": "P-1", "for": {"code": [486]}}, Place("test_x.py", 3))


PIECE = """\
targets: {bob: {ring: [desk, mobile]}, carol: {ring: [mobile]}}
devices:
  desk: {answer: [ringing]}
  mobile: {answer: [486]}
calls: [{from: alice, to: bob}]
expect: {alice: [486]}
"""


def test_what_the_including_file_says_wins(tmp_path: Path) -> None:
    (tmp_path / "pieces").mkdir()
    (tmp_path / "pieces" / "two.piece.yaml").write_text("include: one.piece.yaml\ntags: [shared]\n", encoding="utf-8")
    (tmp_path / "pieces" / "one.piece.yaml").write_text(PIECE, encoding="utf-8")
    text = """\
include: pieces/two.piece.yaml
title: t
id: I-1
devices: {desk: {answer: [480]}}
calls: [{from: alice, to: bob}, {from: alice, to: carol}]
"""
    (scenario,) = of(text, tmp_path)
    assert [device.name for device in scenario.devices] == ["mobile", "desk"]
    assert final_of(scenario, "desk").code == 480
    assert [call.target for call in scenario.calls] == ["bob", "carol"]
    assert scenario.tags == ("shared",)
    assert scenario.devices[0].place.file.endswith("one.piece.yaml")


def final_of(scenario: Scenario, name: str) -> Send:
    (device,) = [device for device in scenario.devices if device.name == name]
    step = device.script.attempts[0][-1]
    assert isinstance(step, Send)
    return step


def test_pieces_are_few_and_not_deep(tmp_path: Path) -> None:
    for n in range(12):
        (tmp_path / f"p{n}.piece.yaml").write_text(f"include: p{n + 1}.piece.yaml\n", encoding="utf-8")
    assert "included more than 8 levels deep" in refused("include: p0.piece.yaml\n", tmp_path)
    for n in range(4):
        more = f"include: [{', '.join([f'p{n + 1}.piece.yaml'] * 10)}]\n" if n < 3 else "tags: []\n"
        (tmp_path / f"p{n}.piece.yaml").write_text(more, encoding="utf-8")
    assert "more than 32 pieces" in refused("include: p0.piece.yaml\n", tmp_path)


def test_a_piece_is_bounded_and_stays_in_the_directory(tmp_path: Path) -> None:
    (tmp_path / "p.piece.yaml").write_bytes(b"#" * 1_000_001)
    assert "'p.piece.yaml' is larger than 1 MB" in refused("include: p.piece.yaml\n", tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "link.piece.yaml").symlink_to(tmp_path / "p.piece.yaml")
    assert "leads out of the scenario's directory" in refused("include: link.piece.yaml\n", tmp_path / "sub")
    assert "there is no such file; did you mean 'p.piece.yaml'?" in refused("include: pp.piece.yaml\n", tmp_path)


def test_python_can_include_too(tmp_path: Path) -> None:
    (tmp_path / "p.piece.yaml").write_text("targets: {bob: {ring: [desk]}}\n", encoding="utf-8")
    document: dict[str, object] = {
        "title": "t", "id": "P-1", "include": "p.piece.yaml", "devices": {"desk": {"answer": [486]}},
        "calls": [{"from": "alice", "to": "bob"}], "expect": {"alice": [486]},
    }  # fmt: skip
    assert from_python(document, Place(str(tmp_path / "test_x.py"), 1)).targets[0].name == "bob"
