"""`sip-harness check` and `sip-harness judge`: what needs no system and no network."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from sip_harness.cli.files import load_or_exit
from sip_harness.model.entry import Record
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import exit_code
from sip_harness.record import jsonl
from sip_harness.report import explain, summary
from sip_harness.run.plan import CannotCarryOut, Stacks, choose_stacks
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import parse
from sip_harness.verdict import judge as judge_record


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
def check(paths: tuple[Path, ...]) -> None:
    """Only read and judge scenario files; nothing is started.

    All mistakes of all files are shown at once, each with its place. Exit status 2 if there are any.
    """
    scenarios = load_or_exit(paths)
    if impossible := list(dict.fromkeys(_impossible(scenarios))):
        click.echo("\n".join(impossible), err=True)
        sys.exit(2)
    click.echo(f"{len(scenarios)} scenario{'s' if len(scenarios) != 1 else ''}, no mistakes")


def _impossible(scenarios: Iterable[Scenario]) -> Iterator[str]:
    """Scripts that the stack which their author names cannot carry out; a matrix says so once."""
    for scenario in scenarios:
        try:
            choose_stacks(scenario, Stacks())
        except CannotCarryOut as error:
            yield str(error)


def _unreadable(record: Record) -> Iterator[str]:
    """Messages of a record that are none: what was no SIP message on the wire is kept as `malformed`."""
    for number, entry in enumerate(record.messages, 1):
        try:
            parse(entry.data)
        except SipError as error:
            yield f"message {number} ({entry.agent}, {entry.direction}) is no SIP message: {error}"


@click.command()
@click.argument("scenario_file", metavar="SCENARIO", type=click.Path(path_type=Path))
@click.argument("record_file", metavar="RECORD", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="A broken SHOULD is a failure.")
def judge(scenario_file: Path, record_file: Path, strict: bool) -> None:
    """Judge a stored record (ID.jsonl) again by a scenario, perhaps a changed one."""
    scenarios = load_or_exit([scenario_file])
    try:
        record = jsonl.read(record_file)
    except (jsonl.BadRecord, OSError) as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    if unreadable := next(_unreadable(record), ""):
        click.echo(f"{record_file}: {unreadable}", err=True)
        sys.exit(2)
    scenario = next((s for s in scenarios if s.id == record.header.scenario), None)
    if scenario is None:
        ids = ", ".join(s.id for s in scenarios)
        click.echo(f"{record_file} is a record of {record.header.scenario}; {scenario_file} has {ids}", err=True)
        sys.exit(2)
    last = max((e.time for e in record.entries), default=record.header.started)
    result = Result(
        scenario,
        judge_record(scenario, record),
        record,
        (last - record.header.started) / 1e9,
        system=record.header.system,
        record_file=str(record_file),
    )
    click.echo(summary.line(result))
    click.echo(explain.text(result))
    sys.exit(exit_code([result.verdict.outcome], strict=strict))
