"""Is every scenario able to fail, and every fault caught? Runs scenarios against the fault switches of systems.

Exit status 1 if not: an empty row is a scenario that no fault of its proof makes fail at the rule that the fault
breaks, an empty column a fault that no scenario catches so. Every fault has a system of its own; as many faults are
tried at a time as --workers says, each by a process of its own. What is doubtful in the end is tried once more, alone.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from kills import Matrix, Seen, able, built_in, complaints, samples, seen

from sip_harness.language import load
from sip_harness.model.scenario import Scenario
from sip_harness.systems.registry import describe

LIBRARY = Path(__file__).parent.parent / "scenarios"
SAME = frozenset({"kamailio-digest", "kamailio-tls", "kamailio-ws"})
"""Variants whose faults are those of another system, carried out by the same lines: only if asked for."""


@dataclass(frozen=True)
class Job:
    """One fault of one system (empty for none) and what is to be run under it."""

    system: str
    fault: str
    ids: tuple[str, ...]


def tried(paths: Sequence[Path], job: Job, jobs: int) -> tuple[list[Seen], float]:
    """In a process of its own: what the scenarios say, and the seconds that they took."""
    begin = time.monotonic()
    chosen = [s for s in load(paths) if s.id in set(job.ids)]
    return asyncio.run(seen(job.system, job.fault, chosen, jobs=jobs)), time.monotonic() - begin


def faults_of(system: str) -> list[str]:
    """The faults to try on a system: of one that asks for credentials those that the same one without them lacks, for
    the others are carried out by the same lines, behind the credentials."""
    own = [fault.name for fault in built_in(system).faults]
    plain = system.removesuffix("-digest")
    there = {fault.name for fault in built_in(plain).faults} if plain != system else set()
    return [name for name in own if name not in there]


def jobs_of(systems: Sequence[str], scenarios: Sequence[Scenario], *, proofs: bool) -> Iterator[Job]:
    """All that is to be run: each system without a fault first."""
    for system in systems:
        here = able(system, scenarios)
        faults = faults_of(system)
        if proofs:
            here = [s for s in here if set(s.proof) & set(faults)]
        yield Job(system, "", tuple(s.id for s in here))
        for fault in faults:
            chosen = tuple(s.id for s in here if not proofs or fault in s.proof)
            if chosen:
                yield Job(system, fault, chosen)


class Work:
    """The jobs on their way, and the matrices that they fill."""

    def __init__(self, args: argparse.Namespace, scenarios: Sequence[Scenario]) -> None:
        self._args = args
        self._scenarios = scenarios
        self._begin = time.monotonic()
        names = args.system or [one.name for one in describe() if one.faults and one.name not in SAME]
        self.matrices = {name: Matrix(name) for name in names}

    def fill(self) -> None:
        """Run everything, side by side."""
        todo = list(jobs_of(list(self.matrices), self._scenarios, proofs=self._args.proofs))
        # A process must not begin with the event loop and the sockets of another.
        with ProcessPoolExecutor(self._args.workers, mp_context=get_context("spawn")) as pool:
            running: dict[Future[tuple[list[Seen], float]], Job] = {
                pool.submit(tried, self._args.paths, job, self._args.jobs): job for job in todo
            }
            for number, done in enumerate(as_completed(running), 1):
                results, seconds = done.result()
                self._enter(running[done], results, seconds, f"{number}/{len(todo)}")

    def again(self) -> None:
        """Try once more, one by one, what says no clear word where it should: the machine may have been at fault."""
        for name, matrix in self.matrices.items():
            unclear = [
                n for n, outcome in matrix.without.items() if outcome.value in ("inconclusive", "blocked", "fail")
            ]
            doubtful: dict[str, list[str]] = {"": unclear} if unclear else {}
            for s, fault, _ in matrix.wrong_proofs(self._scenarios):
                doubtful.setdefault(fault, []).append(s.id)
            for fault, ids in doubtful.items():
                job = Job(name, fault, tuple(ids))
                results, seconds = tried(self._args.paths, job, 1)
                self._enter(job, results, seconds, "again")

    def _enter(self, job: Job, results: Sequence[Seen], seconds: float, where: str) -> None:
        matrix = self.matrices[job.system]
        matrix.enter(job.fault, results)
        if self._args.out:
            self._write(matrix)
        ran = f"{len(results)} scenarios in {seconds:.1f} s"
        kills = f", {len(matrix.caught(job.fault))} catch it" if job.fault and matrix.without else ""
        passed = time.monotonic() - self._begin
        what = f"{job.system} {job.fault or 'without a fault'}"
        print(f"[{passed:6.0f} s] {where} {what}: {ran}{kills}", file=sys.stderr, flush=True)

    def _write(self, matrix: Matrix) -> None:
        """What is known by now, so that a run that is ended early was not in vain."""
        out: Path = self._args.out
        out.mkdir(parents=True, exist_ok=True)
        (out / f"kills-{matrix.system}.md").write_text(matrix.page(self._scenarios), encoding="utf-8")
        (out / f"kills-{matrix.system}.json").write_text(matrix.data(self._scenarios), encoding="utf-8")


def main() -> int:
    """Exit status 0 if all is proved and caught."""
    parser = argparse.ArgumentParser(
        prog="ci/faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="*", type=Path, default=[LIBRARY], help="scenarios (default: all shipped)")
    parser.add_argument(
        "--system", action="append", choices=[one.name for one in describe() if one.faults], metavar="NAME",
        help="system, may be repeated (default: all with faults, of Kamailio's variants only the plain one)",
    )  # fmt: skip
    parser.add_argument("--proofs", action="store_true", help="only what scenarios name as their proof")
    parser.add_argument("--samples", action="store_true", help="of every file one case for each proof, not all of them")
    parser.add_argument("-j", "--jobs", type=int, default=8, help="scenarios side by side under one fault (default 8)")
    parser.add_argument(
        "-w", "--workers", type=int, default=2 * (os.cpu_count() or 1),
        help="faults side by side (default: twice the processors, for much of it is waiting)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, help="directory for kills-SYSTEM.md and kills-SYSTEM.json, written as it goes"
    )
    args = parser.parse_args()
    scenarios = samples(load(args.paths)) if args.samples else load(args.paths)
    work = Work(args, scenarios)
    work.fill()
    work.again()
    for matrix in work.matrices.values():
        tally = f"{len(matrix.without)} scenarios, {len(matrix.found)} faults"
        print(f"{matrix.system}: {tally}, {len(matrix.empty_columns())} of them uncaught")
    wrong = complaints(list(work.matrices.values()), scenarios, whole=not args.proofs)
    print("\n".join(wrong) if wrong else "every scenario is proved" + ("" if args.proofs else ", every fault caught"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
