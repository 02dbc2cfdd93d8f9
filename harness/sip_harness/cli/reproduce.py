"""`sip-harness reproduce`: a scenario out of a capture, for the ticket that comes with one."""

from __future__ import annotations

from pathlib import Path

import click

from sip_harness.capture.cast import cast, who
from sip_harness.capture.legs import Node
from sip_harness.capture.scenario import identity_of, write
from sip_harness.capture.wording import visible
from sip_harness.cli.captures import at_option, call_option, choose, stop
from sip_harness.language import LanguageError, load_text


@click.command(
    epilog="""\b
Examples:
  sip-harness reproduce ticket-4711.pcap                    the scenario, on the screen
  sip-harness reproduce ticket-4711.pcap -o 4711.sip.yaml   into a file, to be run at once
  sip-harness reproduce pbx.log --at 192.0.2.1 --call 3     the third call through that PBX
"""
)
@click.argument("capture", type=click.Path(path_type=Path))
@at_option
@call_option
@click.option(
    "--phones/--carriers",
    "phones",
    default=None,
    help="What those are that were called; without it, carriers if none of them registers and the next one was tried "
    "only for want of service.",
)
@click.option("--exact-times", is_flag=True, help="Keep waits and sessions as long as they were.")
@click.option("--id", "identity", metavar="ID", help="Id of the scenario; without it, from the name of the file.")
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="FILE",
              help="Write there instead of to the screen; an existing file is left alone.")  # fmt: skip
def reproduce(
    capture: Path,
    systems: tuple[Node, ...],
    number: int | None,
    phones: bool | None,
    exact_times: bool,
    identity: str | None,
    out: Path | None,
) -> None:
    """Make a scenario out of CAPTURE: everybody does as they did there, within the call too.

    CAPTURE is a pcap or pcapng file, or text with SIP messages in it: what sngrep, ngrep or Homer save, the SIP logs of
    Asterisk and FreeSWITCH, or a message pasted from a mail. Codes, reason phrases, headers, order and pauses are
    kept; users, numbers, addresses, keys pressed and credentials are not, and what else is not repeated stands in a
    comment. What was seen is expected: read it, and change it to what has to happen. Who is who in the capture is said
    on the screen alone.
    """
    if identity is not None and identity_of(identity) != identity:
        raise click.UsageError(f"--id: {identity!r} is no id: letters, digits, dashes and dots, as in TICKET-4711")
    [story], found = choose(capture, systems, number)
    named = cast(story, phones=phones)
    made = identity_of(capture.stem) + (f"-{number}" if number else "")
    source = capture.name + (f", call {number}" if number else "")
    text = write(story, named, identity=identity or made, source=source, exact=exact_times, vague=found.vague)
    try:
        load_text(text, str(out or "the scenario"))
    except LanguageError as error:
        stop(f"{text}\n{error}\nThe capture holds what the language cannot say; the scenario above has to be mended.")
    _deliver(text, out)
    click.echo("\n".join(map(visible, who(story, named))), err=True)


def _deliver(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        file = out.open("x", encoding="utf-8")
    except FileExistsError:
        stop(f"{out} is there already; nothing was written")
    except OSError as error:
        stop(f"{out}: cannot be written: {error.strerror or error}")
    try:
        with file:
            file.write(text)
    except OSError as error:
        out.unlink(missing_ok=True)  # half a scenario is none
        stop(f"{out}: cannot be written: {error.strerror or error}")
    click.echo(f"{out} is written; read it, then: sip-harness run {out}")
