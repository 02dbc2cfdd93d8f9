"""Captures on the command line: addresses in them, and which call is meant."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from sip_harness.capture.cast import cast, summary
from sip_harness.capture.legs import Node
from sip_harness.capture.packets import BadCapture, Capture
from sip_harness.capture.reading import read
from sip_harness.capture.story import Story, stories
from sip_harness.capture.wording import visible

_WIDEST = 60
"""Characters of a number in the list of calls."""


class Endpoint(click.ParamType[Node]):
    """HOST or HOST:PORT."""

    name = "address"

    def convert(self, value: object, _param: click.Parameter | None, _context: click.Context | None) -> Node:
        """Raises click.BadParameter."""
        text = str(value)
        host, colon, port = text.rpartition(":")
        if not colon or (":" in host and not host.startswith("[")):
            host, port = text, ""
        whole = not port or (port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65536)
        if not whole or not host.strip("[]"):
            self.fail(f"{text!r} is no address: HOST or HOST:PORT, as in 192.0.2.1:5060")
        return Node(host.strip("[]").lower(), int(port or 0))


class Named(click.ParamType[tuple[str, Node]]):
    """NAME=HOST or NAME=HOST:PORT."""

    name = "agent"

    def convert(self, value: object, param: click.Parameter | None, context: click.Context | None) -> tuple[str, Node]:
        """Raises click.BadParameter."""
        name, equals, address = str(value).partition("=")
        if not equals or not name:
            self.fail(f"{value!r} is no agent with its address: NAME=HOST:PORT, as in desk=192.0.2.7:5060")
        return name, Endpoint().convert(address, param, context)


at_option = click.option(
    "--at",
    "systems",
    type=Endpoint(),
    multiple=True,
    metavar="ADDRESS",
    help="The system's address in the capture, HOST or HOST:PORT; again for each further one.",
)
call_option = click.option(
    "--call",
    "number",
    type=click.IntRange(min=1),
    metavar="N",
    help="Which call of the capture, where there are several; without it all are listed, or judged.",
)


def is_record(path: Path) -> bool:
    """Whether a file is a record of a run rather than a capture; one that cannot be read is said to be a record."""
    try:
        with path.open("rb") as file:
            return file.read(1) in (b"{", b"")
    except OSError:
        return True


def choose(
    capture: Path, systems: Sequence[Node], number: int | None, *, judged: bool = False
) -> tuple[list[Story], Capture]:
    """The call that is meant, and the capture. To be `judged` is also a call that the system has passed on to nobody,
    of vague times no more than the order, and where no number is given every call. Ends the command with status 2 where
    there is none, or several of which one has to be named."""
    try:
        found = read(capture)
        calls = stories(found.in_order() if judged and found.vague else found.packets, systems)
    except BadCapture as error:
        stop(str(error) if str(error).startswith(str(capture)) else f"{capture}: {error}")
    for remark in found.remarks:
        click.echo(remark, err=True)
    led = [story for story in calls if story.tried or judged]
    if not led:
        stop(f"{capture}: the system passes none of {len(calls)} calls on: there is nothing to answer")
    if number is not None and number > len(led):
        stop(f"{capture}: there is no call {number}, only {len(led)}")
    if number is None and len(led) > 1 and not judged:
        stop("\n".join([f"{capture}: {len(led)} calls; say `--call N`", *map(listed, range(1, len(led) + 1), led)]))
    return (led if number is None else [led[number - 1]]), found


def stop(why: str) -> NoReturn:
    """End the command with status 2."""
    click.echo("\n".join(map(visible, why.split("\n"))), err=True)
    sys.exit(2)


def listed(number: int, story: Story) -> str:
    """One call in a line."""
    begun = datetime.fromtimestamp(story.begin / 1e9, UTC)
    when = f"{begun:%Y-%m-%d %H:%M:%S}" if begun.year > 1970 else f"{begun:%H:%M:%S}"
    return f"  {number:3}  {when}  to {visible(story.number)[:_WIDEST] or '?':20}  {summary(story, cast(story))}"
