"""`sip-harness check` and `sip-harness judge`: what needs no system and no network."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from sip_harness.capture.legs import Node
from sip_harness.cli.captured import judge_calls
from sip_harness.cli.captures import Named, at_option, call_option, is_record, stop
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


@click.command(
    epilog="""\b
Examples:
  sip-harness judge FK-01.sip.yaml results/FK-01.jsonl     what a run has recorded, once more
  sip-harness judge FK-01.sip.yaml ticket.pcap             what happened elsewhere, by our rules
"""
)
@click.argument("scenario_file", metavar="SCENARIO", type=click.Path(path_type=Path))
@click.argument("record_file", metavar="RECORD", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="A broken SHOULD is a failure.")
@at_option
@click.option(
    "--agent",
    "agents",
    type=Named(),
    multiple=True,
    metavar="NAME=ADDRESS",
    help="In a capture, the address of a device or carrier of the scenario.",
)
@click.option(
    "--unseen",
    "hidden",
    multiple=True,
    metavar="NAME",
    help="A device or carrier that the capture cannot show: nothing is judged of it; again for each further one.",
)
@call_option
@click.option("--system", "profile", type=click.Path(path_type=Path), metavar="FILE",
              help="Profile of the system in a capture: its kind, its timers, its known deviations.")  # fmt: skip
def judge(
    scenario_file: Path,
    record_file: Path,
    strict: bool,
    systems: tuple[Node, ...],
    agents: tuple[tuple[str, Node], ...],
    hidden: tuple[str, ...],
    number: int | None,
    profile: Path | None,
) -> None:
    """Judge RECORD by a scenario, perhaps one that was changed since.

    RECORD is what a run has kept (ID.jsonl), or a capture from anywhere (pcap, pcapng, a log with SIP messages in it):
    then the system is found as `reproduce` finds it, and who of the scenario is who by the order in which they were
    tried, unless `--agent` says so. Of several calls each is judged, unless `--call` names one.

    What is expected of an agent that is not in the capture is not judged, and the verdict says so: a capture taken at a
    carrier shows neither the caller nor other carriers. Where nothing is left to judge the exit status is 5.
    """
    scenarios = load_or_exit([scenario_file])
    if not is_record(record_file):
        judge_calls(
            scenarios, scenario_file, record_file, systems, dict(agents), hidden, number, profile, strict=strict
        )
    scenario, record = _stored(scenarios, scenario_file, record_file)
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


def _stored(scenarios: Sequence[Scenario], scenario_file: Path, record_file: Path) -> tuple[Scenario, Record]:
    """What a run has kept, and the scenario that it is of."""
    try:
        record = jsonl.read(record_file)
    except (jsonl.BadRecord, OSError) as error:
        stop(str(error))
    if unreadable := next(_unreadable(record), ""):
        stop(f"{record_file}: {unreadable}")
    scenario = next((s for s in scenarios if s.id == record.header.scenario), None)
    if scenario is None:
        ids = ", ".join(s.id for s in scenarios)
        stop(f"{record_file} is a record of {record.header.scenario}; {scenario_file} has {ids}")
    return scenario, record
