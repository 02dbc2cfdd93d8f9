"""Artefacts of results on disk: report, JUnit, records and captures."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from sip_harness.model.result import Result
from sip_harness.model.verdict import Outcome
from sip_harness.record import jsonl, pcapng
from sip_harness.report import html, junit

KEPT = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.BLOCKED)


def keep_all(results: Sequence[Result], directory: Path, suffix: str = "") -> None:
    """`report.html`, `junit.xml` (with a suffix to their names) and a capture for every record."""
    html.write(directory / f"report{suffix}.html", results)
    junit.write(directory / f"junit{suffix}.xml", results)
    for result in results:
        if result.record is not None:
            pcapng.write(_name(result, directory, "pcapng"), result.record, comments_of(result))


def keep_failures(results: Sequence[Result]) -> Path | None:
    """Record and capture of what did not pass, in a new temporary directory; None if there is nothing to keep."""
    kept = [r for r in results if r.verdict.outcome in KEPT and r.record is not None]
    if not kept:
        return None
    directory = Path(tempfile.mkdtemp(prefix="sip-harness-"))
    for result in kept:
        assert result.record is not None
        writer = jsonl.Writer(_name(result, directory, "jsonl"), result.record.header)
        for entry in result.record.entries:
            writer.write(entry)
        writer.close()
    keep_all(kept, directory)
    return directory


def comments_of(result: Result) -> dict[int, str]:
    """What the verdict says of single messages, by their number in the record."""
    if result.record is None:
        return {}
    messages = result.record.messages
    return {messages.index(f.message): f.seen for f in result.verdict.findings if f.message in messages}


def _name(result: Result, directory: Path, suffix: str) -> Path:
    number = f"-{result.repeat + 1}" if result.repeat else ""
    return directory / f"{result.scenario.id}{number}.{suffix}"
