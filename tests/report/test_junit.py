"""JUnit XML: the shape that pipelines read, with nothing in it that XML forbids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import fork_records as made
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_harness.model.place import Place
from sip_harness.model.result import Result
from sip_harness.model.verdict import Finding, Outcome, Verdict
from sip_harness.report import junit


def suite(tmp_path: Path, *results: Result, strict: bool = False) -> ET.Element:
    junit.write(tmp_path / "junit.xml", results, strict=strict)
    found = ET.parse(tmp_path / "junit.xml").getroot().find("testsuite")
    assert found is not None
    return found


def judged(outcome: Outcome, reason: str = "because") -> Result:
    return made.result(None, verdict=Verdict(outcome, reason=reason))


def test_it_looks_as_it_should(tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    skipped = made.result(None, verdict=Verdict(Outcome.SKIP, reason="kamailio lacks hunt"), seconds=0.0)
    suite(tmp_path, made.good(), made.hostile(), skipped, replace(judged(Outcome.ERROR), repeat=1))
    golden("junit.xml", (tmp_path / "junit.xml").read_text(encoding="utf-8").rstrip("\n"))


@pytest.mark.parametrize(
    ("outcome", "strict", "tag"),
    [
        (Outcome.PASS, False, None), (Outcome.PASS, True, None), (Outcome.WARN, False, "system-out"),
        (Outcome.WARN, True, "failure"), (Outcome.DEVIATION, False, "skipped"), (Outcome.DEVIATION, True, "skipped"),
        (Outcome.FAIL, False, "failure"), (Outcome.SKIP, False, "skipped"), (Outcome.BLOCKED, False, "error"),
        (Outcome.INCONCLUSIVE, False, "error"), (Outcome.ERROR, False, "error"),
    ],
)  # fmt: skip
def test_outcomes_have_their_elements(tmp_path: Path, outcome: Outcome, strict: bool, tag: str | None) -> None:
    (case,) = suite(tmp_path, judged(outcome), strict=strict).findall("testcase")
    assert [c.tag for c in case if c.tag != "properties"] == ([tag] if tag else [])


def test_a_suite_counts_its_cases(tmp_path: Path) -> None:
    found = suite(tmp_path, *(judged(o) for o in Outcome))
    assert {k: found.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "8", "failures": "1", "errors": "3", "skipped": "2",
    }  # fmt: skip
    assert found.get("time") == f"{8 * 4.2:.3f}"


def test_properties_name_the_system_the_rules_and_every_stack(tmp_path: Path) -> None:
    (case,) = suite(tmp_path, made.missing()).findall("testcase")
    properties = {p.get("name"): p.get("value") for p in case.iter("property")}
    assert properties == {
        "sip.id": "FK-01", "sip.title": "A phone that is busy everywhere stops the other phones",
        "sip.rfc": "RFC 3261 16.7 step 5", "sip.system": "kamailio", "sip.verdict": "fail",
        "sip.stack.alice": "wire", "sip.stack.desk": "pjsua2", "sip.stack.mobile": "wire",
        "sip.record": "out/FK-01.jsonl",
    }  # fmt: skip
    assert (case.get("classname"), case.get("name")) == ("scenarios.forking.busy-everywhere", "FK-01")
    assert case.get("file") == "scenarios/forking/busy-everywhere.sip.yaml"


def test_every_rule_and_fault_is_a_property_of_its_own(tmp_path: Path) -> None:
    result = made.result(made.Wire(made.header(faults=("a", "b"))).record())
    result = replace(result, scenario=replace(made.scenario(cite=("RFC 1", "RFC 2")), covers=("FK-20", "SH-07")))
    pairs = [(p.get("name"), p.get("value")) for p in suite(tmp_path, result).iter("property")]
    assert [v for k, v in pairs if k == "sip.rfc"] == ["RFC 1", "RFC 2"]
    assert [v for k, v in pairs if k == "sip.covers"] == ["FK-20", "SH-07"]
    assert [v for k, v in pairs if k == "sip.fault"] == ["a", "b"]


def test_a_failure_says_why_and_explains(tmp_path: Path) -> None:
    failure = suite(tmp_path, made.missing()).find("testcase/failure")
    assert failure is not None
    assert str(failure.get("message")).startswith("mobile never got CANCEL, although desk sent 600")
    assert "✗ CANCEL missing" in str(failure.text)
    assert "RFC 3261 16.7 step 5" in str(failure.text)


def test_a_skip_has_its_reason(tmp_path: Path) -> None:
    skipped = suite(tmp_path, judged(Outcome.SKIP, "kamailio lacks hunt\nmore")).find("testcase/skipped")
    assert skipped is not None
    assert (skipped.get("message"), skipped.get("type")) == ("kamailio lacks hunt", "skip")


@given(st.text(st.characters()))
def test_any_text_is_xml(text: str) -> None:
    element = ET.Element("a", b=junit.xml_text(text))
    element.text = junit.xml_text(text)
    back = ET.fromstring(ET.tostring(element, encoding="utf-8"))
    assert (back.text or "") == back.get("b") == junit.xml_text(text)


def test_hostile_names_give_xml(tmp_path: Path) -> None:
    evil = "]]>\x00\x1b<&\"'\ufffe\udcff\r\n\x85\u202e"
    finding = Finding(Outcome.FAIL, evil, evil, evil, Place(evil, 1, 1), evil)
    result = made.result(made.fork().record(), finding, system=evil, record_file=evil)
    result = replace(result, scenario=made.scenario(id=evil, title=evil, cite=(evil,), place=Place(evil, 1, 1)))
    case = suite(tmp_path, result).find("testcase")
    assert case is not None
    assert str(case.get("name")).startswith("]]>\\x00\\x1b<&\"'")


@pytest.mark.parametrize(
    ("file", "name"),
    [("", "sip-harness"), ("/a/b.sip.yaml", "a.b"), ("b.yaml", "b"), ("x/y/z.sip.yaml", "x.y.z")],
)
def test_class_names_are_those_of_files(tmp_path: Path, file: str, name: str) -> None:
    result = replace(judged(Outcome.PASS), scenario=made.scenario(place=Place(file)))
    case = suite(tmp_path, result).find("testcase")
    assert case is not None
    assert case.get("classname") == name
