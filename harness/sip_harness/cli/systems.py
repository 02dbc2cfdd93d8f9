"""`sip-harness systems`: what there is to test against without a profile."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sip_harness.language import EXAMPLES, TEMPLATE
from sip_harness.systems.names import UnknownName, check_names
from sip_harness.systems.registry import BuiltIn, describe

_MORE = "What can go wrong on request (run --fault NAME): sip-harness systems reference"


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array for programs.")
@click.option(
    "--template",
    is_flag=True,
    help="Print a profile of an external system to start from; with a NAME (asterisk) one of such a system.",
)
def systems(names: tuple[str, ...], as_json: bool, template: bool = False) -> None:
    """List the built-in systems and their capabilities; of those with these NAMEs the fault switches as well."""
    if template:
        click.echo(_template(names).read_text(encoding="utf-8"), nl=False)
        return
    found = {system.name: system for system in describe()}
    try:
        wanted = [found[name] for name in check_names("system", names, found) or found]
    except UnknownName as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(json.dumps([_as_data(system) for system in wanted], indent=2))
    elif sys.stdout.isatty():
        _show(Console(), wanted, faults=bool(names))
    else:
        for system in wanted:
            click.echo(_as_text(system, faults=bool(names)))
        if not names:
            click.echo(_MORE)


def _template(names: tuple[str, ...]) -> Path:
    try:
        found = [EXAMPLES[name] for name in check_names("template", names, EXAMPLES)]
    except UnknownName as error:
        raise click.UsageError(str(error)) from error
    if len(found) > 1:
        raise click.UsageError("one template at a time")
    return found[0] if found else TEMPLATE


def _as_data(system: BuiltIn) -> dict[str, object]:
    return {
        "name": system.name,
        "summary": system.summary,
        "kind": system.kind,
        "capabilities": list(system.capabilities),
        "faults": [{"name": f.name, "does": f.does, "breaks": f.breaks, "seen": f.seen} for f in system.faults],
    }


def _as_text(system: BuiltIn, *, faults: bool) -> str:
    listed = (f"  fault {f.name}: {f.does} (breaks {f.breaks}; seen: {f.seen})" for f in system.faults)
    lines = [
        f"{system.name}: {system.summary}",
        f"  kind: {system.kind}",
        f"  capabilities: {', '.join(system.capabilities)}",
        *(listed if faults else [f"  faults: {len(system.faults)}"]),
    ]
    return "\n".join(lines)


def _show(console: Console, systems: Sequence[BuiltIn], *, faults: bool) -> None:
    table = Table(title="Built-in systems", show_lines=True)
    table.add_column("system", no_wrap=True)
    for head in ("what it is", "capabilities", "faults"):
        table.add_column(head)
    for system in systems:
        what, can = f"{system.kind}: {system.summary}", ", ".join(system.capabilities)
        table.add_row(Text(system.name, "bold"), what, can, str(len(system.faults)))
    console.print(table)
    if faults:
        _show_faults(console, systems)
    else:
        console.print(Text(_MORE))


def _show_faults(console: Console, systems: Sequence[BuiltIn]) -> None:
    faults = Table(title="Fault switches", show_lines=True)
    faults.add_column("name", no_wrap=True)
    for head in ("what the system does then", "rule that it breaks", "seen"):
        faults.add_column(head)
    for fault in dict.fromkeys(fault for system in systems for fault in system.faults):
        having = [system.name for system in systems if fault in system.faults]
        others = "" if len(having) == len(systems) else f" (only {', '.join(having)})"
        faults.add_row(fault.name, fault.does + others, fault.breaks, fault.seen)
    console.print(faults)
