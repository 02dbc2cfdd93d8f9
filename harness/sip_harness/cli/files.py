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
    try:
        return load(paths)
    except LanguageError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
