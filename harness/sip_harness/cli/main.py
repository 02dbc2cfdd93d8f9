"""The command `sip-harness`."""

from __future__ import annotations

from collections import UserDict
from importlib import import_module
from typing import Any

import click

from sip_harness import __version__
from sip_harness.cli.status import INTERRUPTED

_COMMANDS = {
    "run": "run:run",
    "check": "judge:check",
    "codes": "codes:codes",
    "systems": "systems:systems",
    "schema": "schema:schema",
    "judge": "judge:judge",
    "reproduce": "reproduce:reproduce",
    "respond": "respond:command",
    "call": "call:command",
}
"""Module and name of each."""


class Loaded(UserDict[str, Any]):
    """Commands by name, each loaded when it is asked for: loading all would take longer than most of them run."""

    def __getitem__(self, name: str) -> click.Command:
        module, _, attribute = self.data[name].partition(":")
        found = getattr(import_module(f"sip_harness.cli.{module}"), attribute)
        assert isinstance(found, click.Command)
        return found


class Interruptible(click.Group):
    """Ends with 130 when it is interrupted. With click's own 1 it would say that a scenario has failed."""

    def invoke(self, ctx: click.Context) -> Any:
        """Carry the command out."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)


@click.group(
    cls=Interruptible,
    commands=Loaded(_COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  sip-harness run                          the shipped scenarios on the embedded reference
  sip-harness run my/scenarios -k busy     some of your own
  sip-harness check my/scenarios           only read and judge the files
  sip-harness codes busy-here              what a response code means and must carry
  sip-harness reproduce ticket.pcap        a scenario made from a capture
""",
)
@click.version_option(__version__, prog_name="sip-harness")
def main() -> None:
    """Test SIP systems: scripted phones answer as a scenario says, real calls go through the system under test, and
    what everybody saw is judged."""
