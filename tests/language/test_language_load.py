"""Files, text and Python values to the same scenario."""

from __future__ import annotations

import dataclasses
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sip_harness.language import Diagnostic, LanguageError, from_python, load, load_text
from sip_harness.model.pattern import Event, RequestPattern, ResponsePattern, Trigger
from sip_harness.model.place import Place
from sip_harness.model.scenario import Scenario, Target
from sip_harness.model.steps import HangUp, Send, Silence, Wait
from sip_harness.model.wanted import AnyOrder, Expected, Never, Order, Reached, Sequence

EXAMPLE = """\
title: A phone that is busy everywhere stops the other phones
id: FK-01
cite: RFC 3261 16.7 step 5
needs: [ring]
tags: [busy]
targets: {bob: {ring: [desk, mobile, soft]}}
devices:
  desk:   {answer: [ringing, after: mobile sends 180, wait 100ms, busy-everywhere]}
  mobile: {answer: [ringing], stack: wire}
  soft:   {answers: [[486], [ringing, 200]]}
  tablet: {answer: [silence]}
calls:
  - {from: alice, to: bob, cancel: after mobile sends 180, hang up: 300ms, headers: {Subject: x}, name: a, stack: wire}
expect:
  alice:  [600 from desk]
  desk:   [INVITE, ACK to 600]
  mobile: [INVITE, CANCEL, ACK to 487]
  soft: reached
  tablet: never
order: [desk sends 600, mobile gets CANCEL, alice gets 600]
proof: [forks-on-after-6xx]
"""

IN_PYTHON: dict[str, object] = {
    "title": "A phone that is busy everywhere stops the other phones",
    "id": "FK-01",
    "cite": ("RFC 3261 16.7 step 5",),
    "needs": ["ring"],
    "tags": ["busy"],
    "targets": {"bob": {"ring": ("desk", "mobile", "soft")}},
    "devices": {
        "desk": {"answer": ["ringing", {"after": "mobile sends 180"}, {"wait": "100ms"}, "busy-everywhere"]},
        "mobile": {"answer": [180], "stack": "wire"},
        "soft": {"answers": [[486], ("ringing", 200)]},
        "tablet": {"answer": ["silence"]},
    },
    "calls": [
        {
            "from": "alice", "to": "bob", "cancel": "after mobile sends 180", "hang up": "300ms",
            "headers": {"Subject": "x"}, "name": "a", "stack": "wire",
        }
    ],
    "expect": {
        "alice": ["600 from desk"],
        "desk": ["INVITE", "ACK to 600"],
        "mobile": ["INVITE", "CANCEL", "ACK to 487"],
        "soft": "reached",
        "tablet": "never",
    },
    "order": ["desk sends 600", "mobile gets CANCEL", "alice gets 600"],
    "proof": ["forks-on-after-6xx"],
}  # fmt: skip

SMALL = """\
title: t
id: S-1
targets: {bob: {ring: [desk]}}
devices:
  desk: {answer: ANSWER}
calls: [{from: alice, to: bob}]
expect: {alice: [486]}
"""


def without_places(value: Any) -> Any:
    """The same value with every place empty."""
    if isinstance(value, Place):
        return Place()
    if isinstance(value, tuple):
        return tuple(map(without_places, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changes = {f.name: without_places(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **changes)
    return value


def leaves(value: Any) -> list[Any]:
    if isinstance(value, (tuple, frozenset)):
        return [leaf for item in value for leaf in leaves(item)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [leaf for f in dataclasses.fields(value) for leaf in leaves(getattr(value, f.name))]
    return [value]


def answer(steps: str) -> tuple[object, ...]:
    """The steps of a device that answers so."""
    return load_text(SMALL.replace("ANSWER", steps), "s").devices[0].script.attempts[0]


def sent(steps: str) -> Send:
    (step,) = answer(f"[{steps}]")
    assert isinstance(step, Send)
    return step


def mistakes(text: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(LanguageError) as caught:
        load_text(text, "s")
    return caught.value.diagnostics


def test_the_example() -> None:
    scenario = load_text(EXAMPLE, "fk.sip.yaml")
    assert (scenario.id, scenario.cite, scenario.tags) == ("FK-01", ("RFC 3261 16.7 step 5",), ("busy",))
    assert scenario.place == Place("fk.sip.yaml", 2, 5)
    assert scenario.needs == {"ring"}
    assert scenario.targets == (Target("bob", "ring", ("desk", "mobile", "soft"), Place("fk.sip.yaml", 6, 11)),)
    assert [device.name for device in scenario.devices] == ["desk", "mobile", "soft", "tablet"]
    assert scenario.callers == ("alice",)
    (call,) = scenario.calls
    at = Place("fk.sip.yaml", 13, 42)
    assert call.cancel == Trigger(Event("mobile", "sends", ResponsePattern(frozenset({180})), at))
    assert call.hang_up == Trigger(delay=0.3)
    assert (call.name, call.stack, call.headers) == ("a", "wire", (("Subject", "x"),))


def test_steps_of_the_example() -> None:
    desk, mobile, soft, tablet = load_text(EXAMPLE, "f").devices
    assert [str(step) for step in desk.script.steps(0) if isinstance(step, Send)] == [
        "180 Ringing",
        "600 Busy Everywhere",
    ]
    assert desk.script.steps(0)[2] == Wait(0.1, Place("f", 8, 55))
    assert (desk.stack, mobile.stack) == ("auto", "wire")
    assert [len(soft.script.steps(attempt)) for attempt in (0, 1, 2)] == [1, 2, 2]
    assert tablet.script.attempts == ((Silence(Place("f", 11, 21)),),)


def test_expectations_of_the_example_keep_their_places() -> None:
    alice, _, mobile, soft, tablet, order = load_text(EXAMPLE, "f").expectations
    wanted = Expected(ResponsePattern(frozenset({600})), source="desk", place=Place("f", 15, 12))
    assert alice == Sequence("alice", (wanted,), Place("f", 15, 3))
    assert isinstance(mobile, Sequence)
    assert mobile.items[2] == Expected(RequestPattern("ACK", frozenset({487})), place=Place("f", 17, 28))
    assert (soft, tablet) == (Reached("soft", Place("f", 18, 3)), Never("tablet", Place("f", 19, 3)))
    assert isinstance(order, Order)
    assert [str(event) for event in order.events] == ["desk sends 600", "mobile gets CANCEL", "alice gets 600"]


def test_python_values_make_the_same_scenario() -> None:
    scenario = from_python(IN_PYTHON, Place("test_x.py", 7))
    text = EXAMPLE.replace("mobile: {answer: [ringing]", "mobile: {answer: [180]")
    assert without_places(scenario) == without_places(load_text(text, "f"))
    assert {leaf.place for leaf in scenario.devices} == {Place("test_x.py", 7)}


def test_a_scenario_holds_plain_values_only() -> None:
    """Texts that know their file would keep the whole file alive and travel to every worker."""
    for scenario in (load_text(EXAMPLE, "f"), from_python(IN_PYTHON, Place("p"))):
        assert {type(leaf) for leaf in leaves(scenario)} <= {str, int, float, bool, type(None)}
        assert pickle.loads(pickle.dumps(scenario)) == scenario


def test_full_form_of_a_step() -> None:
    full = sent(
        "busy-here: {reason: Line in use, headers: {Retry-After: 30, Warning: [a, b], Contact: null}, "
        "body: hello, type: text/plain}"
    )
    assert (full.code, full.reason) == (486, "Line in use")
    assert full.headers == (("Retry-After", "30"), ("Warning", "a"), ("Warning", "b"))
    assert full.omit == {"contact"}
    assert (full.body, full.content_type) == ("hello", "text/plain")


@pytest.mark.parametrize("steps", ["486", "busy-here", "486: {}", "busy-here: null", "'486 Busy Here'"])
def test_forms_of_the_same_step(steps: str) -> None:
    assert without_places(sent(steps)) == Send(486, "Busy Here")


def test_an_empty_reason_is_no_reason_at_all() -> None:
    assert sent("486: {reason: ''}").reason == ""
    assert sent("486: {headers: {X-A: 1}}").reason == "Busy Here"


def test_headers_that_a_code_must_carry_are_added() -> None:
    assert [name for name, _ in sent("401").headers] == ["WWW-Authenticate"]
    assert sent("302: {headers: {X-A: 1}}").headers == (("X-A", "1"), ("Contact", "<sip:moved@127.0.0.1>"))


@pytest.mark.parametrize("name", ["Contact", "contact", "m", "M"])
def test_a_header_that_the_author_gave_is_not_added(name: str) -> None:
    assert sent(f"302: {{headers: {{{name}: '<sip:a@b>'}}}}").headers == ((name, "<sip:a@b>"),)


@pytest.mark.parametrize("name", ["Contact", "m"])
def test_a_header_that_the_author_left_out_is_not_added(name: str) -> None:
    step = sent(f"302: {{headers: {{{name}: null}}}}")
    assert not step.headers
    assert step.omit == {"contact"}


def test_a_body_that_a_code_must_carry_is_added_unless_its_type_is_left_out() -> None:
    assert sent("380").content_type == "application/3gpp-ims+xml"
    assert "emergency" in sent("380").body
    assert sent("380: {headers: {Content-Type: null}}").body == ""
    assert sent("380: {body: x, type: text/plain}").body == "x"


def test_a_body_is_kept_exactly() -> None:
    assert sent('200: {body: "v=0\\r\\ns= x \\r\\n", type: application/sdp}').body == "v=0\r\ns= x \r\n"


def test_scalars_are_text() -> None:
    step = sent(
        "486: {reason: on, headers: {X-Number: +4930123, X-Octal: 012, X-Time: 1:30, X-Yes: yes, X-Tilde: '~'}}"
    )
    assert step.reason == "on"
    assert [value for _, value in step.headers] == ["+4930123", "012", "1:30", "yes", "~"]


@pytest.mark.parametrize(
    "steps",
    ["[200, hang up]", "[200, wait 300ms, hang up]", "[ringing, ok, after desk gets BYE, hang up]"],
)
def test_an_answered_call_can_be_hung_up(steps: str) -> None:
    assert isinstance(answer(steps)[-1], HangUp)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("[486, 180]", "a provisional response cannot follow 486 Busy Here: it is a final response"),
        ("[486, wait 1s]", "no step follows this one: it does nothing"),
        ("[486, hang up]", "486 Busy Here ends the call: nothing is left to hang up"),
        ("[302, silence]", "'silence' cannot follow 302 Moved Temporarily: that is an answer"),
        ("[200, 180]", "a provisional response cannot follow 200 OK: it is a final response"),
        ("[200, silence]", "'silence' cannot follow 200 OK: that is an answer"),
        ("[200, hang up, hang up]", "nothing can follow 'hang up'"),
        ("[180, hang up]", "only an answered call can be hung up"),
        ("[silence, 180]", "nothing can follow 'silence'"),
        ("[]", "an answer needs at least one step"),
    ],
)
def test_steps_in_the_wrong_order(steps: str, message: str) -> None:
    assert [d.message for d in mistakes(SMALL.replace("ANSWER", steps))] == [message]


def test_any_order_and_several_orders() -> None:
    text = EXAMPLE.replace("[INVITE, CANCEL, ACK to 487]", "[INVITE, any order: [CANCEL, ACK to 487]]")
    text = text.replace(
        "[desk sends 600, mobile gets CANCEL, alice gets 600]",
        "\n  - [desk sends 600, alice gets 6xx]\n  - [desk gets INVITE, desk sends 180]",
    )
    scenario = load_text(text, "f")
    group = next(e for e in scenario.expectations if isinstance(e, Sequence) and e.agent == "mobile").items[1]
    assert isinstance(group, AnyOrder)
    assert str(group) == "any order: CANCEL, ACK to 487"
    orders = [e for e in scenario.expectations if isinstance(e, Order)]
    assert [len(order.events) for order in orders] == [2, 2]
    assert [order.place.line for order in orders] == [21, 22]


def test_calls_without_a_name_are_numbered() -> None:
    text = SMALL.replace("ANSWER", "[486]").replace(
        "{from: alice, to: bob}", "{from: alice, to: bob}, {from: carol, to: bob}"
    )
    assert [call.name for call in load_text(text, "f").calls] == ["call-1", "call-2"]


def test_hunting_is_understood() -> None:
    text = SMALL.replace("ANSWER", "[486]").replace("ring:", "hunt:")
    assert load_text(text, "f").targets[0].shape == "hunt"


@pytest.mark.parametrize(
    ("hunt", "together", "steps"),
    [
        ("[desk, mobile, soft]", (), (("desk",), ("mobile",), ("soft",))),
        ("[[desk, mobile], soft]", (("desk", "mobile"), ("soft",)), (("desk", "mobile"), ("soft",))),
        ("[[desk], mobile, [soft]]", (), (("desk",), ("mobile",), ("soft",))),
    ],
)
def test_a_hunt_goes_through_devices_and_groups(hunt: str, together: object, steps: object) -> None:
    devices = "[486]}\n  mobile: {answer: [486]}\n  soft: {answer: [486]"
    text = SMALL.replace("ANSWER", devices).replace("ring: [desk]", f"hunt: {hunt}")
    target = load_text(text, "f").targets[0]
    assert target.members == ("desk", "mobile", "soft")
    assert (target.together, target.steps) == (together, steps)


def test_a_trigger_that_nobody_fires_is_found_for_method_invite_only() -> None:
    text = SMALL.replace("ANSWER", "[after desk sends 183, 486]")
    assert [d.message for d in mistakes(text)] == ["'desk' never sends 183"]
    load_text(SMALL.replace("ANSWER", "[after desk sends 200 to CANCEL, 486]"), "f")
    load_text(SMALL.replace("ANSWER", "[after desk sends 100, 486]"), "f")


def test_a_mistyped_key_hides_no_other_mistake() -> None:
    text = (
        SMALL.replace("ANSWER", "[486]")
        .replace("devices:", "device:")
        .replace("alice: [486]", "alice: [486 from dask]")
    )
    assert [(d.message, d.hint) for d in mistakes(text)] == [
        ("unknown key 'device'", "did you mean 'devices'?"),
        ("unknown device 'dask'", "did you mean 'desk'?"),
    ]


def test_names_are_not_judged_by_a_list_that_cannot_be_read() -> None:
    text = SMALL.replace("ANSWER", "[486]").replace("{from: alice, to: bob}", "{to: bob}")
    assert [d.message for d in mistakes(text)] == ["'from' is missing"]


def test_one_bad_code_key_makes_one_message() -> None:
    text = SMALL.replace("ANSWER", "[busy-hear: Line in use]")
    assert [d.message for d in mistakes(text)] == ["unknown response 'busy-hear'"]


def test_line_ends_and_a_byte_order_mark_do_not_move_places() -> None:
    text = SMALL.replace("ANSWER", "[busy-hear]")
    places = [
        mistakes(t)[0].place for t in (text, text.replace("\n", "\r\n"), text.replace("\n", "\r"), f"\ufeff{text}")
    ]
    assert places == [Place("s", 5, 19)] * 4


def test_a_diagnostic_is_harmless_on_a_terminal() -> None:
    text = SMALL.replace("ANSWER", '["\\e[31m", "\\u202e", a\u202eb]')
    shown = "\n".join(map(str, mistakes(text)))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\x1b[31m" in shown


def test_long_lines_are_cut_around_the_mistake() -> None:
    text = SMALL.replace("ANSWER", f"[{'wait 1s, ' * 40}busy-hear, {'wait 1s, ' * 40}486]")
    source, carets = mistakes(text)[0].excerpt.split("\n")
    assert len(source) < 120
    assert source[carets.index("^") : carets.rindex("^") + 1] == "busy-hear"


def test_python_mistakes_name_the_path_of_keys() -> None:
    document = {**IN_PYTHON, "devices": {"desk": {"answer": [180, "busy-hear"]}}, "proof": [("a",)]}
    with pytest.raises(LanguageError) as caught:
        from_python(document, Place("test_x.py", 3))
    told = str(caught.value)
    assert "test_x.py:3: devices.desk.answer[1]: unknown response 'busy-hear'; did you mean 'busy-here'" in told
    assert "test_x.py:3: proof[0]: expected a fault, found a list" in told
    assert "test_x.py:3: targets.bob.ring[1]: unknown device 'mobile'" in told


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (True, "found true and false mean nothing here"),
        (object(), "found a object"),
        (b"bytes", "found a bytes"),
        ({1, 2}, "found a set"),
        ("\ud800", "half of a surrogate pair"),
        (10**400, "this number is too long"),
    ],
)
def test_python_values_that_are_no_text(value: object, message: str) -> None:
    with pytest.raises(LanguageError, match=message):
        from_python({**IN_PYTHON, "title": value}, Place("p"))


def test_a_python_list_that_holds_itself() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(LanguageError, match="nested more than"):
        from_python({**IN_PYTHON, "tags": endless}, Place("p"))


def test_python_keys_that_become_the_same() -> None:
    document = {**IN_PYTHON, "devices": {"1": {"answer": [486]}, 1: {"answer": [486]}}}
    with pytest.raises(LanguageError, match="'1' stands twice"):
        from_python(document, Place("p"))


def scenario_file(path: Path, identity: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SMALL.replace("ANSWER", "[486]").replace("S-1", identity), encoding="utf-8")
    return path


def ids(scenarios: list[Scenario]) -> list[str]:
    return [scenario.id for scenario in scenarios]


def test_directories_are_searched_in_order_and_files_read_once(tmp_path: Path) -> None:
    second = scenario_file(tmp_path / "b" / "x.sip.yaml", "B")
    first = scenario_file(tmp_path / "a.sip.yaml", "A")
    scenario_file(tmp_path / "other.yaml", "C")
    assert ids(load([tmp_path])) == ["A", "B"]
    assert ids(load([second, tmp_path, first])) == ["B", "A"]
    assert ids(load([tmp_path / "other.yaml"])) == ["C"]
    assert load([]) == []


def test_an_id_belongs_to_one_file(tmp_path: Path) -> None:
    scenario_file(tmp_path / "a.sip.yaml", "SAME")
    scenario_file(tmp_path / "b.sip.yaml", "SAME")
    with pytest.raises(LanguageError) as caught:
        load([tmp_path])
    (found,) = caught.value.diagnostics
    assert found.place == Place(str(tmp_path / "b.sip.yaml"), 2, 5)
    assert str(tmp_path / "a.sip.yaml:2:5") in found.hint
    assert found.excerpt.startswith("  2 | id: SAME\n")


def test_paths_without_scenarios(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.sip.yaml")
    (tmp_path / "empty").mkdir()
    bad = tmp_path / "bad\x1b.sip.yaml"
    with pytest.raises(LanguageError) as caught:
        load([tmp_path / "gone", tmp_path / "empty", tmp_path / "pipe.sip.yaml", bad, Path("nul\0")])
    told = str(caught.value)
    assert f"{tmp_path / 'gone'}: there is no such file or directory" in told
    assert f"{tmp_path / 'empty'}: no scenario in this directory: no file *.sip.yaml" in told
    assert "pipe.sip.yaml: this is no regular file" in told
    assert "bad\\x1b.sip.yaml: there is no such file" in told
    assert len(caught.value.diagnostics) == 5


def test_limits_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "large.sip.yaml").write_text("#" * 1_000_001)
    (tmp_path / "many.sip.yaml").write_text(f"title: [{'a, ' * 6000}]")
    (tmp_path / "deep.sip.yaml").write_text("title: " + "[" * 50 + "]" * 50)
    with pytest.raises(LanguageError) as caught:
        load([tmp_path])
    messages = [d.message for d in caught.value.diagnostics]
    assert messages == ["nested more than 16 levels deep", "larger than 1 MB", "more than 5000 values"]


def test_errors_survive_pickling() -> None:
    """Workers of pytest-xdist send exceptions as bytes."""
    with pytest.raises(LanguageError) as caught:
        load_text("title: x", "s")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.diagnostics == caught.value.diagnostics
    assert str(copy) == str(caught.value)


def test_importing_the_package_loads_neither_pydantic_nor_yaml() -> None:
    code = "import sys, sip_harness.language; print(sorted({'pydantic', 'yaml'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_package_has_no_other_names() -> None:
    import sip_harness.language as language

    with pytest.raises(AttributeError, match="'loads'"):
        _ = language.loads


def test_the_schema_can_be_given_to_editors() -> None:
    from sip_harness.language.schema import ScenarioDoc

    schema = ScenarioDoc.model_json_schema()
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["title", "id"]
    assert set(schema["$defs"]) >= {"DeviceDoc", "TargetDoc", "CallDoc", "ResponseDoc", "GroupDoc"}
    assert {"from", "hang up", "ack", "then"} <= set(schema["$defs"]["CallDoc"]["properties"])
    assert {"to tag", "resend", "pieces"} <= set(schema["$defs"]["ResponseDoc"]["properties"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[486]}", "[486: {type: text/plain}]}", "a type is out of place: there is no body"),
        (
            "[486]}",
            "[486: {body: x, type: a/b, headers: {c: a/b}}]}",
            "a type is out of place: the headers have a Content-Type too",
        ),
        ("answer: [486]", "answers: []", "'answers' needs at least one attempt"),
        ("[486]}", "['']}", "a step is missing"),
        ("[486]}", "[486: {headers: {A: []}}]}", "an empty list of values"),
        ("[486]}", "[486: {headers: {A: [b, [c]]}}]}", "a header value is text"),
        ("[486]}", "[486: {headers: {'': b}}]}", "a header needs a name"),
        ("[486]}", f"[486: {{headers: {{A: {'x' * 8001}}}}}]}}", "a header value is longer than 8000 characters"),
        ("[486]}", f"[486: {{body: {'é' * 30001}, type: a/b}}]}}", "a body has at most 60000 bytes"),
        ("alice: [486]", "alice: [any order: [486]]", "'any order' needs at least two messages"),
        ("alice: [486]", "alice: []", "an empty list of messages"),
        ("alice: [486]", "alice:", "expected a list of messages, 'never' or 'reached', found nothing"),
        ("alice: [486]", "carol: [486]", "unknown agent 'carol'"),
        ("title: t", "title: ' '", "this text is empty"),
        ("title: t", f"title: {'t' * 201}", "a title has at most 200 characters"),
        ("ring: [desk]", "ring: [alice]", "'alice' is a caller, not a device"),
        ("ring: [desk]", "ring: [desk, desk]", "'desk' stands twice"),
        ("ring: [desk]", "ring: []", "a target needs at least one device"),
        ("{ring: [desk]}", "{}", "a target needs 'ring' (all at once) or 'hunt' (in turn)"),
        ("from: alice", "from: ''", "a name is missing"),
        ("from: alice", f"from: {'a' * 33}", "a name has at most 32 characters"),
        ("calls: [{from: alice, to: bob}]", "calls: [[alice, bob]]", "expected a mapping, found a list"),
        ("calls: [{from: alice, to: bob}]", "calls:", "expected a list, found nothing"),
        ("  desk: {answer: [486]}", "  {}", "a scenario needs at least one device"),
    ],
)
def test_what_else_is_refused(old: str, new: str, message: str) -> None:
    text = SMALL.replace("ANSWER", "[486]")
    assert old in text
    assert message in [d.message for d in mistakes(text.replace(old, new, 1))]


def test_text_has_the_limit_of_a_file() -> None:
    assert [d.message for d in mistakes("#" * 1_000_001)] == ["larger than 1 MB"]


def test_python_values_have_the_limits_of_a_file() -> None:
    with pytest.raises(LanguageError, match="more than 5000 values"):
        from_python({**IN_PYTHON, "tags": ["a"] * 6000}, Place("p"))
    with pytest.raises(LanguageError, match="a scenario is a mapping"):
        from_python([IN_PYTHON], Place("p"))  # type: ignore[arg-type]


def test_python_none_leaves_a_header_out() -> None:
    document = {**IN_PYTHON, "devices": {**IN_PYTHON["devices"], "soft": {"answer": [{302: {"headers": {"m": None}}}]}}}  # type: ignore[dict-item]
    (step,) = from_python(document, Place("p")).devices[2].script.attempts[0]
    assert isinstance(step, Send)
    assert (step.code, step.omit) == (302, frozenset({"contact"}))


def test_files_are_shown_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    right = scenario_file(tmp_path / "a.sip.yaml", "A")
    assert load([right])[0].place.file == "a.sip.yaml"
    right.write_text("title: [", encoding="utf-8")
    with pytest.raises(LanguageError) as caught:
        load([right, tmp_path / "gone"])
    assert [d.place.file for d in caught.value.diagnostics] == ["a.sip.yaml", "gone"]


def test_what_a_scenario_shows_besides() -> None:
    text = SMALL.replace("ANSWER", "[486]")
    assert load_text(text, "a.sip.yaml").covers == ()
    assert load_text(f"{text}covers: [SH-07, QM-11, SH-07]\n", "a.sip.yaml").covers == ("SH-07", "QM-11")
    with pytest.raises(LanguageError, match="'SH 07' is no id"):
        load_text(f"{text}covers: [SH 07]\n", "a.sip.yaml")
