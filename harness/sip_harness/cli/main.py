"""The command `sip-harness`."""

from __future__ import annotations

import errno
import os
import sys
from collections import UserDict
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from sip_harness import __version__
from sip_harness.cli.status import INTERRUPTED, UNWRITTEN

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
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
    """Ends with 130 when it is interrupted, and with 3 when the disk to which it writes is full. With 1 it would say
    that a scenario has failed."""

    def invoke(self, ctx: click.Context) -> Any:
        """Carry the command out."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)
        except (OSError, BaseExceptionGroup) as error:
            full = _full_disk(error)
            if full is None:
                raise
            with suppress(OSError, ValueError):  # what is still in the buffer would end the process with another status
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            click.echo(f"the output cannot be written: {full.strerror}", err=True)
            ctx.exit(UNWRITTEN)


def _full_disk(error: BaseException) -> OSError | None:
    """What of an error says that there is no room any more."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for one in error.exceptions if (found := _full_disk(one)) is not None), None)
    return error if isinstance(error, OSError) and error.errno in _FULL else None


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
