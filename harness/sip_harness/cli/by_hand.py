"""What `respond` and `call` have in common: the system, signals, errors, and what would be done."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from sip_harness.agents.base import Emit, SetupRefused
from sip_harness.cli.run import system_label
from sip_harness.cli.status import INTERRUPTED, TERMINATED
from sip_harness.language import LanguageError
from sip_harness.model.entry import Entry
from sip_harness.model.profile import Account, Profile
from sip_harness.model.scenario import Scenario
from sip_harness.net.base import host_port
from sip_harness.report.live import Live
from sip_harness.run.by_hand import Stand, WrongName, dialled
from sip_harness.run.plan import CannotCarryOut, StackMissing
from sip_harness.run.systems import find_system
from sip_harness.systems.base import CannotBind, System, SystemFailed
from sip_harness.systems.description import rules
from sip_harness.systems.external import External
from sip_harness.systems.names import UnknownName

BLOCKED = 3
MISTAKES = (LanguageError, WrongName, CannotCarryOut, StackMissing)
"""What can be wrong with words."""
_ADDRESS = re.compile(r"(?P<host>[\w.-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})", re.ASCII)
PATIENCE = 1.0
"""Seconds that somebody at the keyboard waits for an account that another run has."""

system_option = click.option(
    "--system",
    "system_name",
    required=True,
    metavar="NAME|FILE|HOST:PORT",
    help="A profile of the system that is there, a built-in one, which is started, or where one listens on this host.",
)
stack_option = click.option(
    "--stack", type=click.Choice(["wire", "pjsua2"]), default="wire", show_default=True, help="Stack of the telephone."
)
dry_option = click.option("--dry-run", is_flag=True, help="Only say what would be done; nothing is started or sent.")


def console() -> Console:
    """Where everything is shown; each line at once."""
    return Console(highlight=False, soft_wrap=True)


def system_or_exit(name: str, user: str) -> System:
    """The named system, not started; without a profile this user has an account on it. What is wrong with its name or
    profile ends the command with status 2."""
    if found := _ADDRESS.fullmatch(name):
        return External(_here(found["host"].strip("[]"), int(found["port"]), user), patience=PATIENCE)
    try:
        system = find_system(name)
    except LanguageError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    except (UnknownName, ValueError) as error:
        raise click.UsageError(str(error)) from error
    return External(system.profile, patience=PATIENCE) if isinstance(system, External) else system


def _here(host: str, port: int, user: str) -> Profile:
    """A profile of what listens on this machine. Elsewhere a profile has to say who may be called."""
    if not 0 < port < 65536:
        raise click.UsageError(f"{port} is no port")
    host = "127.0.0.1" if host == "localhost" else host
    try:
        near = ipaddress.ip_address(host).is_loopback
    except ValueError:
        near = False
    if not near:
        raise click.UsageError(
            f"{host_port((host, port))} is not on this machine: that needs a profile, which says what may be done "
            "there (sip-harness systems --template prints one)"
        )
    domain = host_port((host, port))
    return Profile("system", "proxy", (host, port), domain, roles={user: Account(user)})


def perform(work: Coroutine[Any, Any, int], system: System) -> int:
    """See the work through, with the status that it ends with; SIGINT and SIGTERM end it in order, with their own."""
    status = 0

    async def watched() -> int:
        task = asyncio.ensure_future(work)

        def end(code: int) -> None:
            nonlocal status
            if sys.stdout.isatty():
                click.echo()  # the terminal has shown ^C where the cursor was
            if not status:  # a second signal must not cut short what the first has begun: it is bounded in time
                status = code
                task.cancel()

        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, end, INTERRUPTED)
        loop.add_signal_handler(signal.SIGTERM, end, TERMINATED)
        return await task

    try:
        result = asyncio.run(watched())
        return status or result
    except asyncio.CancelledError:
        return status or INTERRUPTED
    except (CannotBind, SystemFailed, SetupRefused) as error:
        click.echo(_of_system(system, str(error)), err=True)
        return status or BLOCKED


def _of_system(system: System, error: str) -> str:
    """What went wrong, with the name of an external system unless it begins with that."""
    name = system_label(system)
    return f"{name}: {error}" if isinstance(system, External) and not error.startswith(name) else error


def shower(output: Console, live: Live) -> Emit:
    """Prints what there is to see of an entry as it comes."""

    def show(entry: Entry) -> None:
        live.columns = output.width if output.is_terminal else 0
        for line in live.lines(entry):
            output.print(line)

    return show


def announce(output: Console, stand: Stand) -> None:
    """Where a system that was started for this listens; one that was there before has been named already."""
    info = stand.info
    if info.is_external:
        return
    more = "".join(f", {host_port(address)} by {name.upper()}" for name, address in info.addresses.items())
    output.print(Text(f"{info.name} listens on {host_port(info.address)} by UDP{more}, for any client on this machine"))
    if info.trust:
        output.print(Text(f"its certificate authority is in {info.trust}"))
    if info.password:
        output.print(Text(f"every user has the password {info.password}"))


def name_it(output: Console, system: System) -> str:
    """Say which external system is looked for, as that may take seconds; its name for the ladder."""
    if not isinstance(system, External):
        return "system"
    profile = system.profile
    at = profile.outbound_proxy or profile.address
    output.print(Text(f"{profile.name} at {host_port(at)} by {profile.transport}"))
    return profile.name


def words_or_exit(make: Callable[[], Scenario]) -> Scenario:
    """What the words on the command line come to. Wrong ones are told and end the command with status 2."""
    try:
        return make()
    except MISTAKES as error:
        click.echo(told(error), err=True)
        sys.exit(2)


def told(error: Exception) -> str:
    """A mistake in words that stand in no file."""
    return error.reason if isinstance(error, CannotCarryOut) else str(error)


def account_of(system: System, name: str) -> str:
    """The address of record that a name stands for, as far as it is known before anything is started."""
    if not isinstance(system, External):
        return f"sip:{name}@ the system"
    account: Account | None = system.profile.roles.get(name)
    if account is None:
        known = ", ".join(sorted(system.profile.roles)) or "none"
        raise click.UsageError(f"no role {name!r} in the profile; its roles: {known}")
    return f"sip:{account.user}@{system.profile.domain}"


def refused_account(system: System, name: str) -> str:
    """What a challenge means that is left after all tries, for an account of a profile."""
    account = system.profile.roles.get(name) if isinstance(system, External) else None
    if account is None:
        return ""
    if not account.password:
        return f": it asks for credentials, and the profile has no password for {name}"
    return f": it does not take the credentials of {name}"


def where(system: System, name: str) -> str:
    """What happens before the agent registers or calls, for a dry run."""
    if not isinstance(system, External):
        return f"starts {name} on this machine"
    profile = system.profile
    through = f" through {host_port(profile.outbound_proxy)}" if profile.outbound_proxy else ""
    return f"looks for {profile.name} at {host_port(profile.address)} by {profile.transport}{through}"


def target_of(system: System, to: str) -> str:
    """The Request-URI of a call, and why the guard would refuse it."""
    if not isinstance(system, External):
        return f"sip:{to}@ the system"
    profile = system.profile
    uri = f"sip:{dialled(system, to)}@{profile.domain}"
    why = rules(profile, [profile.address[0]]).uri_refusal(uri)
    return f"{uri} (refused: {why})" if why else uri
