"""What did not hold, in the words of a profile: for whoever decides that some of it is a known habit of the system."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from sip_harness.model.result import Result
from sip_harness.model.verdict import UNEXPECTED, Finding, Outcome
from sip_harness.report.escape import visible

_HEAD = """\
# What did not hold. What of it is a known habit of {system} goes into its profile, below `policy: {{deviations: ...}}`,
# with the reason for which it is accepted: from then on it is a deviation instead of a failure, and if it ever holds
# again, that is reported.
deviations:
"""


def write(path: Path, results: Sequence[Result]) -> None:
    """If there is nothing to declare there is no such file afterwards. Raises OSError."""
    if not (entries := list(_entries(results))):
        path.unlink(missing_ok=True)
    else:
        names = sorted({visible(result.system) for result in results})
        path.write_text(_HEAD.format(system=" and ".join(names)) + "".join(entries), encoding="utf-8")


def _entries(results: Sequence[Result]) -> Iterator[str]:
    seen: set[tuple[str, str, str]] = set()
    for result in results:
        for finding in result.verdict.findings:
            key = (result.scenario.id, finding.expected, finding.observed)
            if _may_be_known(finding) and key not in seen:
                seen.add(key)
                yield _entry(*key, finding)


def _may_be_known(finding: Finding) -> bool:
    """Whether a profile can declare it; that what it declares did not show cannot be declared in turn."""
    return finding.observed not in ("", UNEXPECTED) and finding.outcome in (Outcome.FAIL, Outcome.WARN)


def _entry(scenario: str, expectation: str, observed: str, finding: Finding) -> str:
    """A mapping whose texts are those of JSON, which YAML reads as they are."""
    what = visible(f"{finding.place}: {finding.seen}" if finding.place.file else finding.seen)
    return (
        f"  # {what}\n"
        f"  - scenario: {_text(scenario)}\n"
        f"    expectation: {_text(expectation)}\n"
        f"    observed: {_text(observed)}\n"
        '    reason: ""\n'
    )


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=True)
