"""`sip-harness systems`."""

from __future__ import annotations

import io
import json

import pytest
from click.testing import CliRunner
from rich.console import Console

from sip_harness.cli import systems as command
from sip_harness.model.faults import FAULTS
from sip_harness.model.vocabulary import GRANTED
from sip_harness.systems.registry import describe

ALL = [
    "register", "ring", "hunt", "mixed", "min-expires", "max-contacts", "path", "outbound", "carriers",
    "stays-after-ringing", "overlap", "overload-control", "emergency", "probing", "damped-probing", "recursion",
    "use-proxy", "bars-premium-numbers", "anonymous-rejection",
    "request-disposition", "ended-dialogs", "hears-of-lost-connections", "digest", "tcp", *GRANTED,
]  # fmt: skip
"""What the reference can do where it asks for credentials."""


def output(*arguments: str) -> str:
    done = CliRunner().invoke(command.systems, arguments)
    assert done.exit_code == 0, done.output
    return done.output


def test_piped_it_is_plain_text():
    text = output(*(system.name for system in describe()))
    assert text.isascii()
    assert "\x1b" not in text
    assert text.startswith("reference: embedded")
    assert f"  capabilities: {', '.join(ALL)}\n" in text
    for fault in FAULTS.values():
        assert f"  fault {fault.name}: {fault.does} (breaks {fault.breaks}; seen: {fault.seen})\n" in text


def test_all_of_them_fit_a_screen_and_say_where_the_faults_are():
    text = output()
    lines = text.splitlines()
    assert len(lines) == 4 * len(describe()) + 1
    assert f"  faults: {len(describe()[0].faults)}" in text
    assert lines[-1].endswith("sip-harness systems reference")


def test_json_has_all_there_is():
    data = json.loads(output("--json"))
    assert [system["name"] for system in data] == [system.name for system in describe()]
    digest = data[1]
    assert digest["kind"] == "proxy"
    assert digest["capabilities"] == ALL
    fault = digest["faults"][0]
    assert fault == {
        "name": fault["name"],
        **{k: getattr(FAULTS[fault["name"]], k) for k in ("does", "breaks", "seen")},
    }


def test_one_system_by_its_name():
    text = output("reference-trunk")
    assert text.startswith("reference-trunk: ")
    assert "\nkamailio" not in text
    assert [system["name"] for system in json.loads(output("--json", "kamailio", "reference"))] == [
        "kamailio",
        "reference",
    ]
    wrong = CliRunner().invoke(command.systems, ["kamailo"])
    assert wrong.exit_code == 2
    assert "unknown system 'kamailo'; did you mean kamailio?" in wrong.output


@pytest.mark.parametrize("width", [60, 80, 160])
def test_on_a_terminal_it_is_a_table(width):
    screen = io.StringIO()
    console = Console(file=screen, width=width, force_terminal=True, color_system=None)
    command._show(console, describe(), faults=True)
    text = screen.getvalue()
    assert "Built-in systems" in text
    for system in describe():
        assert f" {system.name} " in text
        for fault in system.faults:
            assert text.count(f" {fault.name} ") == 1
    assert max(map(len, text.splitlines())) <= width


def test_the_terminal_decides(monkeypatch):
    shown = []
    monkeypatch.setattr(command, "_show", lambda _console, systems, *, faults: shown.append((systems, faults)))
    monkeypatch.setattr(command.sys.stdout.__class__, "isatty", lambda self: True, raising=False)
    command.systems.callback(names=(), as_json=False)
    command.systems.callback(names=("reference",), as_json=False)
    assert shown == [(list(describe()), False), ([describe()[0]], True)]


def test_help_names_the_purpose():
    assert "fault switches" in output("--help")
