"""`sip-harness schema`: the JSON Schema of scenario files and of profiles."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(
    epilog="""\b
In an editor that speaks to yaml-language-server (VS Code, Neovim, Emacs), write it once and name it in the first line
of a scenario or a profile:
  sip-harness schema --out sip.schema.json
  # yaml-language-server: $schema=sip.schema.json
  sip-harness schema --profile --out system.schema.json
"""
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write it to this file instead of printing it.",
)
@click.option("--profile", is_flag=True, help="That of profiles (*.system.yaml) instead.")
def schema(out: Path | None, profile: bool) -> None:
    """Print the JSON Schema of scenario files, so that an editor completes, explains and checks them."""
    from sip_harness.language.json_schema import profile_schema, scenario_schema

    found = profile_schema() if profile else scenario_schema()
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{out}: {error.strerror}") from None
