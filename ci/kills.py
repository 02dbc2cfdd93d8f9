"""What a scenario proves: which fault of which system makes it fail, and whether it does so at the rule.

A scenario kills a fault if it passes without it and fails with it. It does so at the rule if one of its failures cites
what the fault breaks (RFC and section). Shared by `ci/faults`, which fills the whole matrix, and by the tests of the
library, which keep the pairs that scenarios name as their proof.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from sip_harness.model.faults import FAULTS
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.systems.registry import BuiltIn, create, describe

FINE = (Outcome.PASS, Outcome.WARN, Outcome.DEVIATION)
UNJUDGED = (Outcome.BLOCKED, Outcome.INCONCLUSIVE, Outcome.ERROR)
SIGNS = {"rule": "●", "elsewhere": "○", "alive": "·", "skip": " ", "unclear": "?"}
"""What a cell of the matrix is, and how it is shown."""
_RFC = re.compile(r"RFC (\d+)\b")
_SECTION = re.compile(r"(?:steps? \d+(?: and \d+)*)|(\d+(?:\.\d+)*)")


def rules(text: str) -> frozenset[tuple[str, str]]:
    """RFC and section of all that a text cites: `RFC 3261 16.7 step 5, 9.1` gives 3261 16.7 and 3261 9.1."""
    pieces = _RFC.split(text)[1:]
    pairs = zip(pieces[::2], pieces[1::2], strict=True)
    return frozenset((number, section) for number, rest in pairs for section in _SECTION.findall(rest) if section)


def samples(scenarios: Iterable[Scenario]) -> list[Scenario]:
    """A case of every file for all that its cases have as proof: a few stand for hundreds."""
    return list({(s.place.file, s.proof): s for s in scenarios}.values())


def able(system: str, scenarios: Iterable[Scenario]) -> list[Scenario]:
    """Those whose needs this built-in system meets: the others are skipped, and belong to another one."""
    capabilities = set(built_in(system).capabilities)
    return [s for s in scenarios if s.needs <= capabilities]


def built_in(system: str) -> BuiltIn:
    """What a system says of itself."""
    return next(one for one in describe() if one.name == system)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one scenario said in one run."""

    scenario: str
    outcome: Outcome
    cited: frozenset[tuple[str, str]] = frozenset()
    """Rules that its findings cite."""
    told: tuple[str, ...] = ()
    """What its findings say."""

    @classmethod
    def of(cls, result: Result) -> Seen:
        """What counts of a result."""
        cited = frozenset[tuple[str, str]]().union(*(rules(one.cite) for one in result.verdict.findings))
        told = tuple(f"{result.scenario.id}: expected {one.expected}: {one.seen}" for one in result.verdict.findings)
        return cls(result.scenario.id, result.verdict.outcome, cited, told)


async def seen(
    system: str, fault: str, scenarios: Sequence[Scenario], stack: str = "wire", jobs: int = 8
) -> list[Seen]:
    """Run these on a system of their own under this fault; `fault` may be empty for none."""
    if not scenarios:
        return []
    under_test = create(system, faults=(fault,) if fault else ())
    async with open_session(under_test, Options("wire", jobs), []) as session:
        return [Seen.of(result) for result in await asyncio.gather(*(session.run(s) for s in scenarios))]


def cell(fault: str, without: Outcome | None, found: Seen) -> str:
    """What a scenario does under a fault: a key of SIGNS. `without` is its verdict with no fault."""
    if found.outcome is Outcome.SKIP or without not in FINE:
        return "skip"
    if found.outcome in UNJUDGED:
        return "unclear"
    worse = found.outcome is Outcome.FAIL or (found.outcome is Outcome.WARN and without is not Outcome.WARN)
    if not worse:
        return "alive"
    return "rule" if found.cited & rules(FAULTS[fault].breaks) else "elsewhere"


@dataclass
class Matrix:
    """What every scenario did under every fault of one system."""

    system: str
    without: dict[str, Outcome] = field(default_factory=dict)
    """By scenario: its verdict with no fault."""
    found: dict[str, dict[str, Seen]] = field(default_factory=dict)
    """By fault and scenario."""

    def enter(self, fault: str, results: Iterable[Seen]) -> None:
        """Take results; `fault` is empty for those without any. What is entered again replaces what was."""
        if fault:
            self.found.setdefault(fault, {})  # tried, even if by nobody: then its column is empty
        for one in results:
            if fault:
                self.found[fault][one.scenario] = one
            else:
                self.without[one.scenario] = one.outcome

    def cell(self, scenario: str, fault: str) -> str:
        """A key of SIGNS."""
        one = self.found.get(fault, {}).get(scenario)
        return "skip" if one is None else cell(fault, self.without.get(scenario), one)

    def kills(self, scenario: str, fault: str) -> bool:
        """Whether this scenario fails because of this fault, at its rule."""
        return self.cell(scenario, fault) == "rule"

    def caught(self, fault: str) -> list[str]:
        """Who kills this fault at its rule."""
        return [name for name in self.found.get(fault, {}) if self.kills(name, fault)]

    def empty_rows(self, scenarios: Iterable[Scenario]) -> list[str]:
        """Scenarios that run here and kill nothing of what they name as their proof."""
        ran = [s for s in scenarios if self.without.get(s.id, Outcome.SKIP) is not Outcome.SKIP]
        return [s.id for s in ran if not any(self.kills(s.id, fault) for fault in s.proof)]

    def empty_columns(self) -> list[str]:
        """Faults that no scenario kills at the rule."""
        return [fault for fault in self.found if not self.caught(fault)]

    def wrong_proofs(self, scenarios: Iterable[Scenario]) -> Iterator[tuple[Scenario, str, str]]:
        """What scenarios name as their proof here and do not kill at the rule: scenario, fault, a key of SIGNS."""
        for s in scenarios:
            for fault in s.proof:
                if (sign := self.cell(s.id, fault)) not in ("rule", "skip"):
                    yield s, fault, sign

    def page(self, scenarios: Sequence[Scenario]) -> str:
        """As Markdown: what is empty, then a row for each scenario, a column for each fault, numbered below."""
        faults = list(self.found)
        rows, columns = self.empty_rows(scenarios), self.empty_columns()
        lines = [
            f"# {self.system}",
            "",
            f"{len(self.without)} scenarios, {len(faults)} faults.",
            f"Scenarios proved by no fault here: {', '.join(rows) or 'none'}.",
            f"Faults caught by no scenario: {', '.join(columns) or 'none'}.",
            "",
            f"| scenario | {' | '.join(str(n) for n, _ in enumerate(faults, 1))} |",
            "|---" * (len(faults) + 1) + "|",
        ]
        for name in self.without:
            lines.append(f"| {name} | {' | '.join(SIGNS[self.cell(name, f)] for f in faults)} |")
        lines += ["", *(f"{n}. {fault}: {len(self.caught(fault))}" for n, fault in enumerate(faults, 1)), ""]
        legend = "● fails, and cites the rule that the fault breaks; ○ fails; · does not notice; ? not judged"
        return "\n".join([*lines, legend, ""])

    def data(self, scenarios: Sequence[Scenario]) -> str:
        """The same as JSON."""
        cells = {name: {fault: self.cell(name, fault) for fault in self.found} for name in self.without}
        whole = {
            "system": self.system,
            "without": {name: outcome.value for name, outcome in self.without.items()},
            "cells": cells,
            "empty_rows": self.empty_rows(scenarios),
            "empty_columns": self.empty_columns(),
        }
        return json.dumps(whole, indent=1)


async def judge_again(matrix: Matrix, scenarios: Sequence[Scenario]) -> None:
    """Run what the machine has kept from being judged once more, one by one."""
    unjudged = [("", s) for s in scenarios if matrix.without.get(s.id) in UNJUDGED]
    unjudged += [(fault, s) for s, fault, sign in matrix.wrong_proofs(scenarios) if sign == "unclear"]
    for fault, s in unjudged:
        matrix.enter(fault, await seen(matrix.system, fault, [s], jobs=1))


def complaints(matrices: Sequence[Matrix], scenarios: Sequence[Scenario], *, whole: bool) -> list[str]:
    """What is not as it should be, a line each; `whole` if every fault was tried, not only what is named as proof."""
    found: list[str] = []
    for matrix in matrices:
        for name, outcome in matrix.without.items():
            if outcome not in (*FINE, Outcome.SKIP):
                found.append(f"{name} on {matrix.system}: {outcome.value} without any fault")
        for s, fault, sign in matrix.wrong_proofs(scenarios):
            does = {"elsewhere": "fails at another rule", "alive": "does not fail"}.get(sign, "is not judged")
            found.append(f"{s.id} on {matrix.system}: {does} under {fault}, which it names as proof")
        if whole:
            found += [f"{fault} on {matrix.system}: no scenario catches it" for fault in matrix.empty_columns()]
    proved = _proved(matrices, scenarios)
    ran = {name for matrix in matrices for name, outcome in matrix.without.items() if outcome is not Outcome.SKIP}
    return found + [f"{s.id}: proved by no fault" for s in scenarios if s.id in ran and s.id not in proved]


def _proved(matrices: Sequence[Matrix], scenarios: Iterable[Scenario]) -> Collection[str]:
    return {s.id for s in scenarios if any(matrix.kills(s.id, fault) for matrix in matrices for fault in s.proof)}
