"""The command `sip-harness`."""

from __future__ import annotations

from typing import Any

import click

from sip_harness import __version__
from sip_harness.cli.call import command as call
from sip_harness.cli.codes import codes
from sip_harness.cli.judge import check, judge
from sip_harness.cli.respond import command as respond
from sip_harness.cli.run import INTERRUPTED, run
from sip_harness.cli.schema import schema
from sip_harness.cli.systems import systems


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
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  sip-harness run                          the shipped scenarios on the embedded reference
  sip-harness run my/scenarios -k busy     some of your own
  sip-harness check my/scenarios           only read and judge the files
  sip-harness codes busy-here              what a response code means and must carry
""",
)
@click.version_option(__version__, prog_name="sip-harness")
def main() -> None:
    """Test SIP systems: scripted phones answer as a scenario says, real calls go through the system under test, and
    what everybody saw is judged."""


for command in (run, check, codes, systems, schema, judge, respond, call):
    main.add_command(command)
