"""`sip-harness run`: scenarios through a system, one line each, and why where it failed."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from sip_harness.agents.pjsua2.wheel import available
from sip_harness.cli.files import library, load_or_exit
from sip_harness.cli.status import INTERRUPTED, TERMINATED
from sip_harness.language import LanguageError
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario, Stack
from sip_harness.model.verdict import Outcome, exit_code
from sip_harness.report import explain, summary
from sip_harness.report.files import keep_all, keep_failures
from sip_harness.run.plan import CannotCarryOut, StackMissing, Stacks, choose_stacks
from sip_harness.run.preview import preview
from sip_harness.run.select import BadExpression, select
from sip_harness.run.session import Options, Session, open_session
from sip_harness.run.systems import find_system
from sip_harness.systems.base import System, SystemFailed
from sip_harness.systems.external import External
from sip_harness.systems.names import UnknownName


@dataclass(frozen=True)
class View:
    """How results are shown."""

    console: Console
    verbose: bool
    strict: bool


@click.command(
    epilog="""\b
Exit status: 0 all held, 1 a scenario failed, 2 a scenario is wrong, 3 blocked or inconclusive,
5 nothing was judged, 130 interrupted.
"""
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option(
    "--system",
    "system_name",
    default="reference",
    show_default=True,
    metavar="NAME|FILE",
    help="System under test: a built-in one, or a profile.",
)
@click.option(
    "--stack",
    type=click.Choice(["auto", "pjsua2", "wire"]),
    default="auto",
    show_default=True,
    help="Stack of the devices whose scenario leaves it open.",
)
@click.option("-k", "expression", metavar="EXPR", help="Only scenarios that match: words joined by and, or, not.")
@click.option("-j", "--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Scenarios side by side.")
@click.option("--repeat", type=click.IntRange(1), default=1, show_default=True, help="Run everything so often.")
@click.option("--strict", is_flag=True, help="A broken SHOULD is a failure.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME",
    help="Make the system go wrong in this way (sip-harness systems SYSTEM lists them).",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write report.html, junit.xml and every record and capture here.",
)
@click.option("--disruptive", is_flag=True, help="Let disruptive scenarios onto an external system.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done; nothing is started.")
@click.option("--max-skips", type=click.IntRange(0), metavar="N", help="Fail if more than N scenarios were skipped.")
@click.option("-v", "--verbose", is_flag=True, help="Show the ladder of every scenario, not only of failures.")
def run(
    paths: tuple[Path, ...],
    system_name: str,
    stack: Stack,
    expression: str | None,
    jobs: int,
    repeat: int,
    strict: bool,
    faults: tuple[str, ...],
    out: Path | None,
    disruptive: bool,
    dry_run: bool,
    max_skips: int | None,
    verbose: bool,
) -> None:
    """Run scenarios (files or directories; by default the shipped library) through a system under test."""
    scenarios = load_or_exit(paths or [library()])
    try:
        chosen = _select(scenarios, expression) if expression else scenarios
        system = find_system(system_name, faults=faults, disruptive=disruptive)
    except LanguageError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    except (UnknownName, ValueError) as error:
        raise click.UsageError(str(error)) from error
    view = View(Console(highlight=False, soft_wrap=True), verbose, strict)
    if dry_run:
        status = _dry_run(chosen, Stacks(stack, available()), view)
        if isinstance(system, External):
            view.console.print(Text(preview(chosen * repeat, system)))
        sys.exit(status)
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = "it is a file" if out.exists() else error.strerror
            raise click.UsageError(f"--out: {out} cannot be a directory: {why}") from error
    options = Options(stack, jobs, out)
    results, status = _run_all(chosen * repeat, len(chosen), system, options, view)
    sys.exit(_finish(results, status, out, max_skips, view))


def _select(scenarios: list[Scenario], expression: str) -> list[Scenario]:
    """Those that match. Raises click.UsageError for an expression that cannot be read."""
    try:
        chosen = select(scenarios, expression)
    except BadExpression as error:
        raise click.UsageError(f"-k {expression!r}: {error}") from error
    if not chosen:
        click.echo(f"-k {expression!r} matches none of {len(scenarios)} scenarios", err=True)
    return chosen


def _run_all(
    scenarios: Sequence[Scenario], round_length: int, system: System, options: Options, view: View
) -> tuple[list[Result], int]:
    """All results that there are, and 0 or the status of what ended the run early."""
    results: list[Result] = []
    ended = 0

    async def work() -> None:
        nonlocal ended
        task = asyncio.current_task()
        assert task is not None

        def end(status: int) -> None:
            nonlocal ended
            if not ended:  # a second signal must not cut short what the first has begun: it is bounded in time
                ended = status
                task.cancel()

        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, end, INTERRUPTED)
        loop.add_signal_handler(signal.SIGTERM, end, TERMINATED)
        async with open_session(system, options, scenarios) as session:
            await _in_order(session, scenarios, round_length, results, view)

    try:
        asyncio.run(work())
    except KeyboardInterrupt:
        ended = INTERRUPTED
    except asyncio.CancelledError:
        ended = ended or INTERRUPTED
    except SystemFailed as error:
        view.console.print(Text(f"{system_label(system)} did not come up: {error}"), style="red")
        ended = 3
    return results, ended


async def _in_order(
    session: Session, scenarios: Sequence[Scenario], round_length: int, results: list[Result], view: View
) -> None:
    """Results in the order of the scenarios, each shown as soon as it and all before it are there."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(session.run(s, n // round_length)) for n, s in enumerate(scenarios)]
        for done, task in enumerate(tasks):
            if view.console.is_terminal:
                with view.console.status(f"{done + 1}/{len(tasks)} {scenarios[done].id} {scenarios[done].title}"):
                    result = await task
            else:
                result = await task
            results.append(result)
            show(result, view)


def show(result: Result, view: View) -> None:
    """One line; and the explanation where the scenario did not pass."""
    view.console.print(Text.assemble(*summary.pieces(result)))
    quiet = (Outcome.PASS, Outcome.SKIP, Outcome.DEVIATION)
    if result.verdict.outcome is Outcome.DEVIATION and not view.verbose:
        view.console.print(Text(f"              known: {result.verdict.reason}", "dim"))
    if result.verdict.outcome not in quiet or (view.verbose and result.record is not None):
        view.console.print(explain.rich(result))
        view.console.print()


def _keep(results: list[Result], out: Path | None, view: View) -> None:
    """Raises OSError."""
    if out is not None:
        keep_all(results, out, strict=view.strict)
        view.console.print(Text(f"written: {out}"))
    elif (kept := keep_failures(results, strict=view.strict)) is not None:
        view.console.print(Text(f"records and captures of what did not pass: {kept}"))


def _finish(results: list[Result], ended: int, out: Path | None, max_skips: int | None, view: View) -> int:
    try:
        _keep(results, out, view)
    except OSError as error:
        view.console.print(Text(f"the reports could not be written: {error.strerror or error}"), style="red")
        ended = ended or exit_code([*(r.verdict.outcome for r in results), Outcome.BLOCKED], strict=view.strict)
    for short in summary.recap(results):
        view.console.print(Text.assemble(*short))
    view.console.print(Text.assemble(*summary.count_pieces(results)))
    skips = sum(r.verdict.outcome is Outcome.SKIP for r in results)
    if ended:
        return ended
    if max_skips is not None and skips > max_skips:
        view.console.print(Text(f"{skips} skipped, more than the {max_skips} allowed"))
        return 1
    return exit_code([r.verdict.outcome for r in results], strict=view.strict)


def _dry_run(scenarios: Sequence[Scenario], stacks: Stacks, view: View) -> int:
    status = 0
    for scenario in scenarios:
        view.console.print(Text(f"{scenario.id}  {scenario.title}"))
        try:
            for agent, choice in choose_stacks(scenario, stacks).items():
                view.console.print(Text(f"  {agent}: {choice.stack} ({choice.why})"))
        except (CannotCarryOut, StackMissing) as error:
            view.console.print(Text(f"  {error}"))
            status = 2 if isinstance(error, CannotCarryOut) else status
        for call in scenario.calls:
            ends = "".join(f", {what} {t}" for what, t in (("CANCEL", call.cancel), ("BYE", call.hang_up)) if t)
            view.console.print(Text(f"  {call.caller} sends INVITE to {call.target}{ends}"))
    return status


def system_label(system: System) -> str:
    """The name of a system that may not have come up."""
    if isinstance(system, External):
        return system.profile.name
    return type(system).__name__
