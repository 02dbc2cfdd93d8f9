"""`sip-harness codes`: what the table of response codes says, for people and for programs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sip_harness.script.pjsua2_limits import stack_adds
from sip_harness.sip.codes import CODES, Code, UnknownCode, class_rule, lookup

_CLASS = re.compile(r"([1-6])xx", re.IGNORECASE)
_CLASS_STYLE = {1: "cyan", 2: "green", 3: "blue", 4: "yellow", 5: "red", 6: "magenta"}
_HOST, _NONCE = "HOST", "(new each time)"
_COLUMNS = ("code", "name", "phrase", "next carrier", "caller")


@click.command("codes")
@click.argument("words", nargs=-1, metavar="[CODE|NAME|CLASS]...")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of the codes instead, each in full.")
def codes(words: tuple[str, ...], as_json: bool) -> None:
    """Show SIP response codes.

    All of them as a table, or in full those that are named: by number (486), by name (busy-here), or a whole class as a
    table (4xx).
    """
    asked = [_select(word) for word in words] or [tuple(CODES.values())]
    if as_json:
        listed = dict.fromkeys(code for group in asked for code in _group(group))
        click.echo(json.dumps([as_dict(code) for code in listed], indent=2, ensure_ascii=False))
        return
    console = Console(color_system=None if os.environ.get("NO_COLOR") else "auto", highlight=False)
    for number, group in enumerate(asked):
        if number:
            click.echo()
        if isinstance(group, Code):
            _show_one(console, group)
        else:
            _show_table(console, group)


def as_dict(code: Code) -> dict[str, object]:
    """One code as JSON has it. Header values stand as the harness would add them, with words for what varies."""
    return {
        "code": code.code,
        "name": code.name,
        "phrase": code.phrase,
        "class": code.family,
        "origin": code.origin,
        "rfc": code.rfc,
        "methods": code.methods,
        "meaning": code.meaning,
        "must": list(code.must),
        "should": list(code.should),
        "may": list(code.may),
        "adds": [list(header) for header in code.shown_headers(_HOST, _NONCE)],
        "pjsua2_adds": list(stack_adds(code.code)),
        "body_type": code.body_type,
        "q850": code.q850,
        "ends": code.ends if code.code >= 400 else "",
        "proxy": _proxy(code),
        "failover": code.failover,
        "failover_note": code.failover_note,
        "quirks": code.quirks,
        "variants": [as_dict(variant) for variant in code.variants],
    }


def _select(word: str) -> Code | tuple[Code, ...]:
    if found := _CLASS.fullmatch(word):
        return tuple(code for code in CODES.values() if code.code // 100 == int(found[1]))
    try:
        return lookup(word)
    except UnknownCode as error:
        raise click.UsageError(str(error)) from None


def _group(group: Code | tuple[Code, ...]) -> tuple[Code, ...]:
    return (group,) if isinstance(group, Code) else group


def _show_table(console: Console, rows: Iterable[Code]) -> None:
    cells = [(c, (str(c.code), c.name, c.phrase, c.failover, c.meaning)) for row in rows for c in (row, *row.variants)]
    if not console.is_terminal:
        texts = [_COLUMNS, *(texts for _, texts in cells)]
        widths = [max(len(text[i]) for text in texts) for i in range(len(_COLUMNS))]
        for text in texts:
            click.echo("  ".join(cell.ljust(width) for cell, width in zip(text, widths, strict=True)).rstrip())
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in _COLUMNS:
        table.add_column(column, no_wrap=column in ("code", "next carrier"), overflow="fold")
    for code, text in cells:
        style = _CLASS_STYLE[code.code // 100]
        table.add_row(Text(text[0], style), Text(text[1], style), *map(Text, text[2:]))
    console.print(table)


def _show_one(console: Console, code: Code) -> None:
    title = f"{code.code} {code.phrase}"
    lines = list(_lines(code))
    if not console.is_terminal:
        click.echo(title)
        for label, text in lines:
            click.echo(f"  {label:<17}{text}".rstrip())
        return
    console.print(Text(title, f"bold {_CLASS_STYLE[code.code // 100]}"))
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in lines:
        grid.add_row(Text(f"  {label}"), Text(text))
    console.print(grid)


def _lines(code: Code) -> Iterable[tuple[str, str]]:
    """Label and text, in the order in which a reader asks; what a code has nothing to say about is left out."""
    said = [
        ("name", code.name),
        ("class", code.family),
        ("origin", "" if code.origin == "iana" else _ORIGINS[code.origin]),
        ("defined in", code.rfc),
        ("answers", code.methods),
        ("caller", code.meaning),
        ("must carry", "; ".join(code.must)),
        ("should carry", "; ".join(code.should)),
        ("may carry", "; ".join(code.may)),
        *(("harness adds", f"{name}: {value}") for name, value in code.shown_headers(_HOST, _NONCE)),
        ("pjsua2 adds", ", ".join(stack_adds(code.code))),
        ("harness adds", f"a body, {code.body_type}" if code.body_type else ""),
        ("Q.850 cause", code.q850),
        ("in a dialog", f"ends the {code.ends}" if code.code >= 400 else ""),
        ("forking proxy", _proxy(code)),
        ("next carrier", f"{code.failover}: {code.failover_note}" if code.failover_note else code.failover),
        ("in the field", code.quirks),
    ]
    yield from ((label, text) for label, text in said if text)
    for variant in code.variants:
        yield "variant", f"{variant.name}: {code.code} {variant.phrase}; {variant.meaning}"
        yield from ((f"  {label}", text) for label, text in _own_lines(variant))


def _own_lines(variant: Code) -> Iterable[tuple[str, str]]:
    yield from (("adds", f"{name}: {value}") for name, value in variant.shown_headers(_HOST, _NONCE))
    yield "next carrier", f"{variant.failover}: {variant.failover_note}"
    yield "in the field", variant.quirks


def _proxy(code: Code) -> str:
    return "; ".join(filter(None, (class_rule(code.code), code.proxy)))


_ORIGINS = {
    "deprecated": "registered, but deprecated",
    "obsolete": "RFC 2543 only, dropped by RFC 3261",
    "vendor": "a variant from the field",
    "test": "in no registry; made up to probe a receiver",
    "unknown": "in no registry",
}
