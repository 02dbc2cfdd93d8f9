"""`sip-harness call`: one call, shown while it happens."""

from __future__ import annotations

import sys

import click
from rich.text import Text

from sip_harness.cli.by_hand import (
    account_of,
    announce,
    console,
    dry_option,
    name_it,
    perform,
    refused_account,
    shower,
    stack_option,
    system_option,
    system_or_exit,
    target_of,
    where,
    words_or_exit,
)
from sip_harness.report.live import Live
from sip_harness.run.by_hand import Stand, call, calling
from sip_harness.run.plan import OneStack


@click.command(
    "call",
    epilog="""\b
  sip-harness call bob --as alice --system staging.system.yaml
  sip-harness call 600 --as alice --system staging.system.yaml --cancel-after 2s
  sip-harness call bob --as alice --system staging.system.yaml --hang-up-after 5s --stack pjsua2
  sip-harness call bob --as alice --system staging.system.yaml --method OPTIONS
\b
TO is a role of the profile or a number to dial. Without --hang-up-after an answered call is hung up at once;
Ctrl-C cancels a call that rings and hangs up one that is answered.
\b
Exit status: 0 answered with a 2xx, 1 not, 2 wrong words or a wrong profile, 3 the system is not there or refuses,
130 Ctrl-C, 143 SIGTERM.
""",
)
@click.argument("to")
@click.option("--as", "caller", required=True, metavar="USER", help="Who calls: a role; on a built-in, any name.")
@system_option
@click.option("--cancel-after", "cancel", default="", metavar="TIME", help="Cancel if it still rings then: 2s, 300ms.")
@click.option("--hang-up-after", "hang_up", default="", metavar="TIME", help="Hang up so long after the answer.")
@click.option("--method", default="INVITE", show_default=True, metavar="NAME", help="Another request instead.")
@stack_option
@dry_option
def command(
    to: str, caller: str, system_name: str, cancel: str, hang_up: str, method: str, stack: OneStack, dry_run: bool
) -> None:
    """Call TO, show the call while it happens, and tell by the exit status whether it was answered."""
    scenario = words_or_exit(lambda: calling(to, caller, stack, method=method, cancel=cancel, hang_up=hang_up))
    system = system_or_exit(system_name, caller)
    output, account = console(), account_of(system, caller)
    if dry_run:
        request = f"{method} {target_of(system, to)} from {account} ({stack})"
        output.print(Text(f"{where(system, system_name)}\nsends {request}"))
        sys.exit(0)
    live = Live(caller, name_it(output, system))

    def ready(stand: Stand) -> None:
        announce(output, stand)
        live.system = stand.info.name

    async def work() -> int:
        code = await call(system, scenario, stack, shower(output, live), ready)
        why = refused_account(system, caller) if code in (401, 407) else ""
        output.print(Text(f"answered with {code}{why}" if code else "no final response", "bold"))
        return 0 if 200 <= code < 300 else 1

    sys.exit(perform(work(), system))
