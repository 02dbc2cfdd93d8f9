"""Is every scenario able to fail, and every fault caught? Runs scenarios against the fault switches of a system.

A scenario kills a fault if it passes without it and fails with it. It does so at the rule if one of its failures cites
what the fault breaks (RFC and section).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sip_harness.language import load
from sip_harness.model.faults import FAULTS
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.systems.registry import create, describe

LIBRARY = Path(__file__).parent.parent / "scenarios"
FINE = (Outcome.PASS, Outcome.WARN, Outcome.DEVIATION)
UNJUDGED = (Outcome.BLOCKED, Outcome.INCONCLUSIVE, Outcome.ERROR)
SIGNS = {"rule": "●", "elsewhere": "○", "alive": "·", "skip": " ", "unclear": "?"}
AT_ONCE = 4
"""Faults that are tried at the same time, each on a system of its own."""
_RFC = re.compile(r"RFC (\d+)\b")
_SECTION = re.compile(r"(?:steps? \d+(?: and \d+)*)|(\d+(?:\.\d+)*)")


def rules(text: str) -> set[tuple[str, str]]:
    """RFC and section of all that a text cites: `RFC 3261 16.7 step 5, 9.1` gives 3261 16.7 and 3261 9.1."""
    pieces = _RFC.split(text)[1:]
    pairs = zip(pieces[::2], pieces[1::2], strict=True)
    return {(number, section) for number, rest in pairs for section in _SECTION.findall(rest) if section}


@dataclass
class Matrix:
    """What every scenario said under every fault of one system."""

    system: str
    without: dict[str, Outcome] = field(default_factory=dict)
    cells: dict[str, dict[str, str]] = field(default_factory=dict)
    """By scenario and fault: a key of SIGNS."""

    def enter(self, fault: str, result: Result) -> None:
        """Take one result."""
        name, outcome = result.scenario.id, result.verdict.outcome
        if not fault:
            self.without[name] = outcome
            return
        self.cells.setdefault(name, {})[fault] = self._sign(fault, result)

    def _sign(self, fault: str, result: Result) -> str:
        outcome = result.verdict.outcome
        if outcome is Outcome.SKIP or self.without.get(result.scenario.id) not in FINE:
            return "skip"
        if outcome in UNJUDGED:
            return "unclear"
        worse = outcome is Outcome.FAIL or (
            outcome is Outcome.WARN and self.without[result.scenario.id] is not Outcome.WARN
        )
        if not worse:
            return "alive"
        cited = {rule for finding in result.verdict.findings for rule in rules(finding.cite)}
        return "rule" if cited & rules(FAULTS[fault].breaks) else "elsewhere"

    def kills(self, scenario: str, fault: str) -> bool:
        """Whether this scenario fails because of this fault, at its rule."""
        return self.cells.get(scenario, {}).get(fault) == "rule"


async def fill(matrix: Matrix, fault: str, scenarios: Sequence[Scenario], jobs: int) -> None:
    """Run these scenarios under one fault; `fault` may be empty for none."""
    system = create(matrix.system, faults=(fault,) if fault else ())
    async with open_session(system, Options("wire", jobs), scenarios) as session:
        for result in await asyncio.gather(*(session.run(s) for s in scenarios)):
            matrix.enter(fault, result)


def chosen(scenarios: Sequence[Scenario], fault: str, proofs_only: bool) -> list[Scenario]:
    """Scenarios to run under a fault."""
    return [s for s in scenarios if not proofs_only or fault in s.proof]


async def work(system: str, scenarios: Sequence[Scenario], args: argparse.Namespace) -> Matrix:
    """The matrix of one system."""
    [about] = [one for one in describe() if one.name == system]
    matrix = Matrix(system)
    begin = time.monotonic()
    named = {fault for s in scenarios for fault in s.proof}
    faults = [f.name for f in about.faults if not args.proofs or f.name in named]
    base = [s for s in scenarios if not args.proofs or set(s.proof) & set(faults)]
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(fault: str) -> None:
        async with slots:
            await fill(matrix, fault, chosen(base, fault, args.proofs), args.jobs)
        if sys.stderr.isatty():
            print(f"\r{system}: {fault:40}", end="", file=sys.stderr, flush=True)

    await fill(matrix, "", base, args.jobs)
    await asyncio.gather(*(one(fault) for fault in faults))
    print(f"{system}: {len(base)} scenarios, {len(faults)} faults, {time.monotonic() - begin:.1f} s", flush=True)
    return matrix


def complaints(matrices: Sequence[Matrix], scenarios: Sequence[Scenario], proofs_only: bool) -> list[str]:
    """What is not as it should be, a line each."""
    found: list[str] = []
    for matrix in matrices:
        for name, outcome in matrix.without.items():
            if outcome not in (*FINE, Outcome.SKIP):
                found.append(f"{name} on {matrix.system}: {outcome.value} without any fault")
        for s in scenarios:
            for fault in s.proof:
                cell = matrix.cells.get(s.id, {}).get(fault, "skip")
                if cell not in ("rule", "skip"):
                    does = {"elsewhere": "fails at another rule", "alive": "does not fail"}.get(cell, "is not judged")
                    found.append(f"{s.id} on {matrix.system}: {does} under {fault}, which it names as proof")
    for s in scenarios:
        if not any(matrix.kills(s.id, fault) for matrix in matrices for fault in s.proof):
            found.append(f"{s.id}: proved by no fault on any of these systems")
    return found if proofs_only else found + list(_uncaught(matrices, scenarios))


def _uncaught(matrices: Sequence[Matrix], scenarios: Sequence[Scenario]) -> Iterable[str]:
    for fault in sorted({f for m in matrices for cells in m.cells.values() for f in cells}):
        if not any(m.kills(s.id, fault) for m in matrices for s in scenarios):
            yield f"{fault}: no scenario catches it"


def page(matrix: Matrix) -> str:
    """The matrix as Markdown: a row for each scenario, a column for each fault, numbered below."""
    faults = list(dict.fromkeys(f for cells in matrix.cells.values() for f in cells))
    lines = [f"# {matrix.system}", "", f"| scenario | {' | '.join(str(n) for n, _ in enumerate(faults, 1))} |"]
    lines.append("|---" * (len(faults) + 1) + "|")
    for name, cells in matrix.cells.items():
        lines.append(f"| {name} | {' | '.join(SIGNS[cells.get(f, 'skip')] for f in faults)} |")
    lines += ["", *(f"{n}. {fault}" for n, fault in enumerate(faults, 1)), ""]
    legend = "● fails, and cites the rule that the fault breaks; ○ fails; · does not notice; ? not judged"
    return "\n".join([*lines, legend, ""])


def main() -> int:
    """Exit status 0 if all is proved and caught."""
    parser = argparse.ArgumentParser(prog="ci/faults", description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path, default=[LIBRARY], help="scenarios (default: all shipped)")
    parser.add_argument("--system", action="append", help="system, may be repeated (default: every one with faults)")
    parser.add_argument("--proofs", action="store_true", help="only what scenarios name as their proof")
    parser.add_argument("-j", "--jobs", type=int, default=8, help="scenarios side by side (default 8)")
    parser.add_argument("--out", type=Path, help="directory for kills-SYSTEM.md and kills-SYSTEM.json")
    args = parser.parse_args()
    scenarios = load(args.paths)
    names = args.system or [one.name for one in describe() if one.faults]
    matrices = [asyncio.run(work(name, scenarios, args)) for name in names]
    for matrix in matrices if args.out else ():
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / f"kills-{matrix.system}.md").write_text(page(matrix), encoding="utf-8")
        (args.out / f"kills-{matrix.system}.json").write_text(json.dumps(matrix.cells, indent=1), encoding="utf-8")
    wrong = complaints(matrices, scenarios, args.proofs)
    print("\n".join(wrong) if wrong else "every scenario is proved" + ("" if args.proofs else ", every fault caught"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
