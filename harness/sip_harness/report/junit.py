"""Results as JUnit XML, in the shape of pytest's xunit2, which pipelines read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from sip_harness.model.result import Result
from sip_harness.model.verdict import Outcome
from sip_harness.report import explain
from sip_harness.report.escape import visible
from sip_harness.report.summary import name

_FORBIDDEN = re.compile("[^\t\n -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ERRORS = {Outcome.BLOCKED, Outcome.INCONCLUSIVE, Outcome.ERROR}


def write(path: Path, results: Sequence[Result], *, strict: bool = False) -> None:
    """Write one test suite with one test case per result; with `strict`, a warning is a failure.

    A known deviation counts as skipped, as pytest has it for an expected failure. Raises OSError.
    """
    suite = ET.Element("testsuite", name="sip-harness")
    for result in results:
        suite.append(_case(result, strict=strict))
    kinds = {"errors": "error", "failures": "failure", "skipped": "skipped"}
    for attribute, tag in kinds.items():
        suite.set(attribute, str(len(suite.findall(f"testcase/{tag}"))))
    suite.set("tests", str(len(results)))
    suite.set("time", f"{sum(r.seconds for r in results):.3f}")
    root = ET.Element("testsuites", name="sip-harness tests")
    root.append(suite)
    ET.indent(root)
    path.write_bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def xml_text(text: str) -> str:
    """Text with everything escaped that XML 1.0 (2.2) forbids; a carriage return too, which parsers would change."""
    return _FORBIDDEN.sub(lambda m: f"\\x{ord(m[0]):02x}", text)


def _case(result: Result, *, strict: bool) -> ET.Element:
    place = result.scenario.place
    case = ET.Element("testcase", classname=xml_text(_class_name(place.file)), name=xml_text(name(result)))
    if place.file:  # GitLab leads from a failure to its file
        case.set("file", xml_text(place.file))
    case.set("time", f"{result.seconds:.3f}")
    case.append(_properties(result))
    outcome = result.verdict.outcome
    if outcome is Outcome.SKIP:
        ET.SubElement(case, "skipped", type="skip", message=_message(result))
    elif outcome is Outcome.DEVIATION:
        ET.SubElement(case, "skipped", type="deviation", message=_message(result)).text = _explanation(result)
    elif outcome is Outcome.FAIL or (strict and outcome is Outcome.WARN):
        ET.SubElement(case, "failure", message=_message(result)).text = _explanation(result)
    elif outcome in _ERRORS:
        ET.SubElement(case, "error", message=_message(result)).text = _explanation(result)
    elif outcome is Outcome.WARN:
        ET.SubElement(case, "system-out").text = _explanation(result)
    return case


def _properties(result: Result) -> ET.Element:
    scenario = result.scenario
    pairs = [("sip.id", scenario.id), ("sip.title", scenario.title)]
    pairs += [("sip.rfc", cite) for cite in scenario.cite]
    pairs += [("sip.covers", other) for other in scenario.covers]
    pairs += [("sip.system", result.system), ("sip.verdict", result.verdict.outcome.value)]
    if result.record is not None:
        header = result.record.header
        pairs += [(f"sip.stack.{r.name}", r.stack) for r in header.roles]
        pairs += [("sip.fault", fault) for fault in header.faults]
    if result.tries > 1:
        pairs.append(("sip.tries", str(result.tries)))
    if result.record_file:
        pairs.append(("sip.record", result.record_file))
    properties = ET.Element("properties")
    for key, value in pairs:
        ET.SubElement(properties, "property", name=xml_text(key), value=xml_text(value))
    return properties


def _class_name(file: str) -> str:
    return file.removesuffix(".yaml").removesuffix(".sip").strip("/").replace("/", ".") or "sip-harness"


def _message(result: Result) -> str:
    """One line that says why: what was seen first, or else the reason."""
    found = result.verdict.findings
    said = found[0].seen if found else result.verdict.reason.strip().partition("\n")[0]
    return xml_text(visible(said or result.verdict.outcome.value))


def _explanation(result: Result) -> str:
    return xml_text(explain.text(result))
