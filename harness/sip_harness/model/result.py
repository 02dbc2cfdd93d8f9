"""One scenario run on one system, judged: what reports are made from."""

from __future__ import annotations

from dataclasses import dataclass

from sip_harness.model.entry import Record
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Verdict


@dataclass(frozen=True)
class Result:
    """The outcome of one run."""

    scenario: Scenario
    verdict: Verdict
    record: Record | None = None
    """None where nothing was started (skip, error)."""
    seconds: float = 0.0
    """From the first agent's start to the end of the run, settle time included."""
    repeat: int = 0
    """Number of this repetition, counted from 0."""
    system: str = ""
    record_file: str = ""
    """Where the record was written; empty if it was not kept."""
    tries: int = 1
    """How often it was run until this came out: again only where this machine stood still and left it undecided."""
