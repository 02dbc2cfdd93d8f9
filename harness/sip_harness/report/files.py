"""Artefacts of results on disk: report, JUnit, records and captures."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from sip_harness.model.result import Result
from sip_harness.model.verdict import Outcome
from sip_harness.record import jsonl

PASSED = (Outcome.PASS, Outcome.SKIP, Outcome.DEVIATION)


def keep_all(results: Sequence[Result], directory: Path, *, suffix: str = "", strict: bool = False) -> None:
    """`report.html`, `junit.xml`, `deviations.yaml` if something did not hold (with a suffix to their names), and a
    capture for every record. Raises OSError."""
    # Most runs pass and write nothing: they need not wait for what writes.
    from sip_harness.record import pcapng
    from sip_harness.report import deviations, html, junit
    from sip_harness.report.comments import comments

    html.write(directory / f"report{suffix}.html", results)
    junit.write(directory / f"junit{suffix}.xml", results, strict=strict)
    deviations.write(directory / f"deviations{suffix}.yaml", results)
    for result in results:
        if result.record is not None:
            pcapng.write(_path(result, directory, "pcapng"), result.record, comments(result.record, result.verdict))


def keep_failures(results: Sequence[Result], *, strict: bool = False) -> Path | None:
    """Record, capture and report of what did not pass, in a new temporary directory; None if there is nothing."""
    kept = [r for r in results if r.verdict.outcome not in PASSED and r.record is not None]
    if not kept:
        return None
    directory = Path(tempfile.mkdtemp(prefix="sip-harness-"))
    for result in kept:
        assert result.record is not None
        jsonl.write(_path(result, directory, "jsonl"), result.record)
    keep_all(kept, directory, strict=strict)
    return directory


def _path(result: Result, directory: Path, suffix: str) -> Path:
    number = f"-{result.repeat + 1}" if result.repeat else ""
    return directory / f"{result.scenario.id}{number}.{suffix}"
