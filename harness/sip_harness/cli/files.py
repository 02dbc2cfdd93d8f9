"""Scenario files on the command line."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from sip_harness.language import LanguageError, load
from sip_harness.model.scenario import Scenario


def library() -> Path:
    """The shipped scenarios: beside the package when installed, at the top of the checkout when not."""
    installed = Path(__file__).parent.parent / "library"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "scenarios"


def load_or_exit(paths: Iterable[Path]) -> list[Scenario]:
    """Scenarios of these files; all mistakes are printed at once and end the command with status 2."""
    asked = list(paths)
    try:
        return load(asked)
    except LanguageError as error:
        click.echo(str(error), err=True)
        for path in filter(None, map(_shipped, asked)):
            click.echo(f"the shipped scenarios have it: {path}", err=True)
        sys.exit(2)


def _shipped(path: Path) -> Path | None:
    """Where the shipped scenarios have what is missing here: `busy`, `scenarios/busy`."""
    parts = path.parts[1:] if path.parts[:1] == ("scenarios",) else path.parts
    if path.exists() or path.is_absolute() or not parts or ".." in parts:
        return None
    found = library().joinpath(*parts)
    return found if found.exists() else None
