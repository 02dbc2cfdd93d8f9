"""`sip-harness respond`: one device that answers every call as it is told, until it is told otherwise."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

import click
from rich.console import Console
from rich.text import Text

from sip_harness.cli.by_hand import (
    MISTAKES,
    account_of,
    announce,
    console,
    dry_option,
    name_it,
    perform,
    shower,
    stack_option,
    system_option,
    system_or_exit,
    told,
    where,
    words_or_exit,
)
from sip_harness.language.diagnostics import visible
from sip_harness.model.entry import Exit
from sip_harness.model.scenario import Scenario
from sip_harness.net.base import host_port
from sip_harness.report.live import Live
from sip_harness.run.by_hand import Change, Stand, answering, respond
from sip_harness.run.plan import OneStack
from sip_harness.systems.base import System

MAX_LINE = 10_000
"""Characters of one line from the keyboard."""


@click.command(
    "respond",
    epilog="""\b
ANSWER is written as in a scenario: codes or their names (sip-harness codes), waits, silence, with commas between.
  sip-harness respond busy-here --user bob --system staging.system.yaml
  sip-harness respond ringing, wait 2s, ok --user bob --system kamailio
  sip-harness respond '{503: {headers: {Retry-After: 30}}}' --user bob --system kamailio
\b
While it runs, type another answer and Enter: 600, or ringing, wait 2s, busy-here. It serves from the next call on.
An empty line shows the present answer; Ctrl-C unregisters and ends.
\b
Exit status: 2 wrong words or a wrong profile, 3 the system is not there or refuses, 130 Ctrl-C, 143 SIGTERM.
""",
)
@click.argument("answer", nargs=-1, required=True)
@click.option("--user", required=True, metavar="USER", help="Who it is: a role; on a built-in, any name.")
@system_option
@stack_option
@dry_option
def command(answer: tuple[str, ...], user: str, system_name: str, stack: OneStack, dry_run: bool) -> None:
    """Register one telephone, answer every call with ANSWER, and show each call while it happens."""
    text = " ".join(answer)
    scenario = words_or_exit(lambda: answering(text, user, stack))
    system = system_or_exit(system_name, user)
    output = console()
    account = account_of(system, user)
    if dry_run:
        output.print(Text(f"{where(system, system_name)}\nregisters as {account} ({stack})\nanswers {visible(text)}"))
        sys.exit(0)
    sys.exit(perform(_respond(system, scenario, text, user, stack, output), system))


async def _respond(system: System, scenario: Scenario, text: str, user: str, stack: OneStack, output: Console) -> int:
    changes: asyncio.Queue[Change | Exit] = asyncio.Queue()
    live = Live(user, name_it(output, system))
    present, taken = text, False

    def ready(stand: Stand) -> None:
        nonlocal taken
        announce(output, stand)
        if stand.info.guard is None and not stand.info.password:
            at = host_port(stand.info.address)
            output.print(Text(f"to call it from another terminal: sip-harness call {user} --as alice --system {at}"))
        taken = True
        output.print(Text(f"registered as {stand.part.user.aor}, answers {visible(present)}; Ctrl-C ends", "bold"))
        live.system, live.registers = stand.info.name, False
        loop = asyncio.get_running_loop()
        threading.Thread(target=_read, args=(loop, typed), name="keyboard", daemon=True).start()

    def tell(wrong: str = "") -> None:
        if wrong:
            output.print(Text(f"{wrong}\nnothing has changed", "red"))
        output.print(Text(f"answers {visible(present)}", "bold"))

    def typed(line: str) -> None:
        if not line:
            tell()
            return
        try:
            changes.put_nowait(Change(line, answering(line, user, stack)))
        except MISTAKES as error:
            tell(told(error))

    def changed(change: Change, why: str) -> None:
        nonlocal present
        present = present if why else change.text
        tell(why)

    try:
        await respond(system, scenario, stack, shower(output, live), ready, changes, changed, lambda: _leaving(live))
    finally:
        if taken:
            output.print(Text(f"{user} has left"))
    return 0


def _leaving(live: Live) -> None:
    live.registers = True


def _read(loop: asyncio.AbstractEventLoop, take: Callable[[str], None]) -> None:
    """Hand on each line of standard input. Not through sys.stdin: the interpreter could not end while it is read."""
    rest = b""
    while data := _more():
        *lines, rest = (rest + data).split(b"\n")
        rest = rest[:MAX_LINE]
        for line in lines:
            with suppress(RuntimeError):  # the loop is closed: the command has ended
                loop.call_soon_threadsafe(take, line[:MAX_LINE].decode("utf-8", "replace").strip())


def _more() -> bytes:
    try:
        return os.read(0, 4096)
    except OSError:
        return b""
