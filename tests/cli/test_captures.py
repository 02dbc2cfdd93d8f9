"""`sip-harness reproduce`, and `judge` with a capture: what they print, refuse and ask."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from told import ALICE, G1, G2, PBX, START, Told, carrier_call

from sip_harness.capture.packets import Packet
from sip_harness.cli.main import main
from sip_harness.language import load
from sip_harness.model.entry import Address

SCENARIO = """\
title: The second carrier takes what the first has no room for
id: T-1
cite: RFC 3261 21.5.4
targets: {pstn: {hunt: [g1, g2]}}
carriers: {g1: {answer: [503]}, g2: {answer: [183, ok]}}
calls: [{from: alice, to: pstn}]
expect: {alice: [200], g1: [INVITE, ACK to 503], g2: [INVITE, ACK to 200, BYE]}
order: [g1 sends 503, g2 gets INVITE]
"""


def sip_harness(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def trace(packets: list[Packet]) -> str:
    """As sngrep saves it."""
    return "\n\n".join(
        f"2026/11/27 10:15:{(p.time - START) / 1e9:09.6f} {p.source[0]}:{p.source[1]} -> {p.target[0]}:{p.target[1]}\n"
        + p.data.decode()
        for p in packets
    )


@pytest.fixture
def ticket(tmp_path: Path) -> Path:
    path = tmp_path / "ticket 4711.txt"
    path.write_text(trace(carrier_call().packets), encoding="utf-8")
    return path


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "t.sip.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


def two_calls() -> Told:
    told = carrier_call()
    told.ask(9, ALICE, PBX, "INVITE", call="b", user="4940")
    told.ask(9.1, PBX, G1, "INVITE", call="b", user="4940")
    told.answer(9.2, G1, PBX, "404 Not Found", call="b")
    return told


def test_a_ticket_becomes_a_scenario_that_is_read(ticket: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.sip.yaml"
    done = sip_harness("reproduce", ticket, "-o", out)
    assert (done.exit_code, done.stdout) == (0, f"{out} is written; read it, then: sip-harness run {out}\n")
    assert done.stderr.splitlines() == [
        "the system  192.0.2.1:5060", "alice       192.0.2.7:5060", "g1          203.0.113.1:5060",
        "g2          203.0.113.2:5060",
    ]  # fmt: skip
    [scenario] = load([out])
    assert (scenario.id, [device.name for device in scenario.devices]) == ("ticket-4711", ["g1", "g2"])
    assert sip_harness("reproduce", ticket, "--id", "X-1").output.splitlines()[5] == "id: X-1"


def test_a_file_that_is_there_is_left_alone(ticket: Path, scenario: Path) -> None:
    done = sip_harness("reproduce", ticket, "-o", scenario)
    assert (done.exit_code, done.output) == (2, f"{scenario} is there already; nothing was written\n")
    assert scenario.read_text(encoding="utf-8") == SCENARIO
    assert "cannot be written" in sip_harness("reproduce", ticket, "-o", scenario / "x").output


def test_several_calls_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "calls.txt"
    path.write_text(trace(two_calls().packets), encoding="utf-8")
    done = sip_harness("reproduce", path)
    assert done.exit_code == 2
    assert done.output.splitlines() == [
        f"{path}: 2 calls; say `--call N`",
        "    1  2026-11-27 10:15:00  to 4930123               g1 answers 503 All circuits busy, g2 answers 200 OK",
        "    2  2026-11-27 10:15:09  to 4940                  g1 answers 404 Not Found",
    ]
    second = sip_harness("reproduce", path, "--call", "2").stdout
    assert "g1: {answer: [wait 100ms, 404]}" in second
    assert "calls.txt, call 2, 2026" in second
    assert "\nid: calls-2\n" in second
    assert "there is no call 3, only 2" in sip_harness("reproduce", path, "--call", "3").output


@pytest.mark.parametrize("name", ["null.txt", "line\nbreak: x.txt", "\udcff.txt", "y" * 200 + ".txt"])
def test_a_file_may_have_any_name(name: str, tmp_path: Path, ticket: Path) -> None:
    odd = ticket.rename(tmp_path / name)
    done = sip_harness("reproduce", odd)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("# Made from ")


def test_what_is_no_id_is_refused(ticket: Path) -> None:
    done = sip_harness("reproduce", ticket, "--id", "a: b")
    assert (done.exit_code, "'a: b' is no id: letters, digits, dashes and dots" in done.output) == (2, True)


def test_a_full_disk_leaves_no_half_scenario(ticket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    out = tmp_path / "t.sip.yaml"
    true_open = Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, *a, **k: (true_open(self, *a, **k).close(), Full())[1] if self == out
        else true_open(self, *a, **k),
    )  # fmt: skip
    done = sip_harness("reproduce", ticket, "-o", out)
    assert (done.exit_code, done.output) == (2, f"{out}: cannot be written: No space left on device\n")
    assert not out.exists()


@pytest.mark.parametrize("command", ["reproduce", "judge"])
def test_what_is_no_capture(command: str, tmp_path: Path, scenario: Path) -> None:
    before = [scenario] if command == "judge" else []
    odd = tmp_path / "odd"
    odd.write_bytes(b"\x89PNG\r\n\x1a\n")
    for path, why in ((odd, "no SIP message in it"), (tmp_path / "none", "No such file or directory")):
        done = sip_harness(command, *before, path)
        assert done.exit_code == 2
        assert why in done.output


@pytest.mark.parametrize("address", ["", ":5060", "host:0", "host:65536", "host:sip", "[]:5060"])
def test_what_is_no_address(address: str, ticket: Path) -> None:
    done = sip_harness("reproduce", ticket, "--at", address)
    assert done.exit_code == 2
    assert "is no address: HOST or HOST:PORT" in done.output


@pytest.mark.parametrize("address", ["192.0.2.1", "192.0.2.1:5060"])
def test_the_system_may_be_named(address: str, ticket: Path) -> None:
    assert "carriers:" in sip_harness("reproduce", ticket, "--at", address).output
    wrong = sip_harness("reproduce", ticket, "--at", "192.0.2.99")
    assert "no call through 192.0.2.99; INVITEs were seen between 192.0.2.7:5060, 192.0.2.1:5060" in wrong.output


def test_a_capture_is_judged(ticket: Path, scenario: Path) -> None:
    done = sip_harness("judge", scenario, ticket)
    assert done.exit_code == 0, done.output
    assert "PASS  T-1" in done.output
    assert "503 All circuits busy" in done.output


def test_what_the_system_did_wrong_in_a_capture_is_a_failure(ticket: Path, scenario: Path) -> None:
    scenario.write_text(SCENARIO.replace("g2: [INVITE, ACK to 200, BYE]", "g2: never"), encoding="utf-8")
    done = sip_harness("judge", scenario, ticket)
    assert done.exit_code == 1
    assert "expected  g2: never" in done.output


def test_who_is_who_is_asked_where_it_cannot_be_told(tmp_path: Path, scenario: Path) -> None:
    told = Told()
    told.ask(0, ALICE, PBX, "INVITE")
    for phone in (G1, G2):
        told.ask(0.001, PBX, phone, "INVITE")
    path = tmp_path / "fork.txt"
    path.write_text(trace(told.packets), encoding="utf-8")
    scenario.write_text(SCENARIO.replace("{hunt: [g1, g2]}", "{hunt: [g1]}"), encoding="utf-8")
    asked = sip_harness("judge", scenario, path)
    assert asked.exit_code == 2
    assert "203.0.113.1:5060 says nothing; 203.0.113.2:5060 says nothing: who of them is g1?" in asked.output
    assert "Say `--agent g1=203.0.113.1:5060`" in asked.output
    left = sip_harness("judge", scenario, path, "--agent", "g1=203.0.113.1")
    assert "203.0.113.2:5060 says nothing: none of the scenario's devices is left for it" in left.output
    assert "has no g9; it has g1, g2" in sip_harness("judge", scenario, path, "--agent", "g9=203.0.113.1").output
    assert "is no agent with its address" in sip_harness("judge", scenario, path, "--agent", "g1").output
    told_all = sip_harness("judge", scenario, path, "--agent", "g1=203.0.113.1", "--agent", "g2=203.0.113.2")
    assert (told_all.exit_code, "alice never got 200" in told_all.output) == (1, True)


def seen_by(tmp_path: Path, *peers: Address) -> Path:
    """A capture that shows only these others of the carrier call."""
    path = tmp_path / "part.txt"
    packets = [p for p in carrier_call().packets if {p.source, p.target} & set(peers)]
    path.write_text(trace(packets), encoding="utf-8")
    return path


def test_of_a_capture_without_the_caller_the_carriers_are_judged(tmp_path: Path, scenario: Path) -> None:
    done = sip_harness("judge", scenario, seen_by(tmp_path, G1, G2))
    assert done.exit_code == 0, done.output
    assert "1 expectation is not judged, for alice is not in the capture: alice: 200\n" in done.output
    scenario.write_text(SCENARIO.replace("ACK to 503", "ACK to 500"), encoding="utf-8")
    broken = sip_harness("judge", scenario, seen_by(tmp_path, G1, G2))
    assert (broken.exit_code, "g1 got ACK to 503 instead" in broken.output) == (1, True)


def test_of_a_capture_at_one_carrier_only_that_is_judged(tmp_path: Path, scenario: Path) -> None:
    """Whether the other one was called is not known, and not taken for granted."""
    path = seen_by(tmp_path, G2)
    asked = sip_harness("judge", scenario, path)
    assert asked.exit_code == 2
    assert "203.0.113.2:5060 answers 200 OK: who of them is g1 and who is g2?" in asked.output
    assert "or `--unseen g1` if it is not in the capture" in asked.output
    for option in (["--unseen", "g1"], ["--agent", "g2=203.0.113.2"]):
        done = sip_harness("judge", scenario, path, *option)
        assert done.exit_code == 0, done.output
        assert "3 expectations are not judged, for alice and g1 are not in the capture: alice: 200; " in done.output
        assert "order: g1 sends 503, g2 gets INVITE" in done.output


def test_at_the_caller_the_carriers_are_not_judged_if_they_cannot_be_seen(tmp_path: Path, scenario: Path) -> None:
    path = seen_by(tmp_path, ALICE)
    plain = sip_harness("judge", scenario, path, "--at", PBX[0])
    assert (plain.exit_code, "g1 never got INVITE" in plain.output) == (1, True)
    assert "It shows nobody whom the system called; if it cannot show them, say `--unseen NAME`." in plain.stderr
    unseen = ["--at", PBX[0], "--unseen", "g1", "--unseen", "g2"]
    assert sip_harness("judge", scenario, path, *unseen).exit_code == 0
    scenario.write_text(SCENARIO.replace("alice: [200]", "alice: [200 from g2]"), encoding="utf-8")
    done = sip_harness("judge", scenario, path, *unseen)
    assert (done.exit_code, "alice: 200: that it is from g2" in done.output) == (0, True)
    scenario.write_text(SCENARIO.replace("alice: [200]", "alice: [486]"), encoding="utf-8")
    assert sip_harness("judge", scenario, path, *unseen).exit_code == 1
    assert "has no g9; it has g1, g2" in sip_harness("judge", scenario, path, "--unseen", "g9").output


def test_where_nothing_can_be_judged_nothing_has_passed(tmp_path: Path, scenario: Path) -> None:
    head = SCENARIO.partition("expect")[0]
    scenario.write_text(head + "expect: {alice: [200], g1: [INVITE, ACK to 503]}\n", encoding="utf-8")
    done = sip_harness("judge", scenario, seen_by(tmp_path, G2), "--unseen", "g1")
    assert done.exit_code == 5, done.output
    assert "SKIP  T-1" in done.output
    assert "nothing of it can be judged: 2 expectations are not judged" in done.output


def test_every_call_of_a_capture_is_judged(tmp_path: Path, scenario: Path) -> None:
    path = tmp_path / "calls.txt"
    path.write_text(trace(two_calls().packets), encoding="utf-8")
    done = sip_harness("judge", scenario, path)
    assert done.exit_code == 1
    lines = done.output.splitlines()
    assert lines[0].startswith("pass            1  2026-11-27 10:15:00  to 4930123")
    assert lines[1].startswith("fail            2  2026-11-27 10:15:09  to 4940")
    assert f"call 2 of {path}" in lines
    assert f"call 1 of {path}" not in lines
    assert lines[-1] == "2 calls: 1 pass, 1 fail"
    assert sip_harness("judge", scenario, path, "--call", "1").exit_code == 0
    assert sip_harness("judge", scenario, path, "--call", "2").exit_code == 1
    assert "there is no call 3, only 2" in sip_harness("judge", scenario, path, "--call", "3").output


def test_calls_that_cannot_be_told_are_skipped_and_said(tmp_path: Path, scenario: Path) -> None:
    told = carrier_call()
    told.ask(9, ALICE, PBX, "INVITE", call="b", user="4940")
    for phone in (G1, G2):
        told.ask(9.1, PBX, phone, "INVITE", call="b", user="4940")
    path = tmp_path / "calls.txt"
    path.write_text(trace(told.packets), encoding="utf-8")
    done = sip_harness("judge", scenario, path)
    assert done.exit_code == 0, done.output
    assert "skip            2  " in done.output
    assert "who of them is g1?" in done.output
    assert done.output.splitlines()[-1] == "2 calls: 1 pass, 1 skip"


def test_the_profile_of_the_system_judges(ticket: Path, scenario: Path, tmp_path: Path) -> None:
    profile = tmp_path / "pbx.system.yaml"
    text = "name: pbx\nkind: proxy\naddress: 192.0.2.1:5060\nroles: {alice: {user: '1'}}\n"
    profile.write_text(f"{text}policy: {{prompt: 1ms}}\n", encoding="utf-8")
    done = sip_harness("judge", scenario, ticket, "--system", profile)
    assert (done.exit_code, "it was due within 1ms" in done.output) == (1, True)
    profile.write_text("name: k\nbuiltin: kamailio\n", encoding="utf-8")
    assert "is of a built-in system" in sip_harness("judge", scenario, ticket, "--system", profile).output


def test_what_was_heard_is_not_judged_by_a_capture(ticket: Path, scenario: Path) -> None:
    """A capture is read for its SIP messages alone: that nobody heard anything would be a lie."""
    scenario.write_text(
        SCENARIO.replace("alice: [200]", "alice: {gets: [200], hears: tone from g2}").replace(
            "183", "183: {media: tone}"
        ),
        encoding="utf-8",
    )
    done = sip_harness("judge", scenario, ticket)
    assert done.exit_code == 2, done.output
    assert "nothing can be said of `hears tone from g2`; leave that out" in done.output


def test_a_call_that_reaches_nobody_is_judged(tmp_path: Path, scenario: Path) -> None:
    told = Told()
    told.ask(0, ALICE, PBX, "INVITE")
    told.answer(0.1, PBX, ALICE, "404 Not Found")
    told.ask(0.11, ALICE, PBX, "ACK", to_tag=PBX[0])
    path = tmp_path / "refused.txt"
    path.write_text(trace(told.packets), encoding="utf-8")
    scenario.write_text(
        SCENARIO.partition("expect")[0] + "expect: {alice: [404 from system], g1: never, g2: never}\n", encoding="utf-8"
    )
    done = sip_harness("judge", scenario, path, "--at", PBX[0])
    assert done.exit_code == 0, done.output
    assert "there is nothing to answer" in sip_harness("reproduce", path, "--at", PBX[0]).output


@pytest.mark.parametrize(
    ("stamp", "why"), [("2026/11/27 10:15:{:02.0f}", "its times are of whole seconds"), ("", "it has no times")]
)
def test_vague_times_judge_nobody(stamp: str, why: str, tmp_path: Path, scenario: Path) -> None:
    """The second carrier gets its INVITE within 2 ms, and the log has another second for it."""
    told = carrier_call()
    before = next(n for n, p in enumerate(told.packets) if p.target == G2)
    lines = []
    for number, p in enumerate(told.packets):
        when = stamp.format(0 if number < before else 1)
        ways = f"{p.source[0]}:{p.source[1]} -> {p.target[0]}:{p.target[1]}"
        lines.append(f"{when} {ways}\n{p.data.decode()}")
    path = tmp_path / "log.txt"
    path.write_text("\n\n".join(lines), encoding="utf-8")
    done = sip_harness("judge", scenario, path)
    assert done.exit_code == 0, done.output
    assert f"{path}: {why}: only the order of its messages is judged" in done.stderr
    made = sip_harness("reproduce", path).stdout
    assert f"# How long it took is not known: {why}. Put in the waits that matter." in made
    assert "# g1: 100, 503\n" in made


def test_nothing_of_a_capture_steers_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "odd.txt"
    head = "From: <sip:a@x>;tag=1\nTo: <sip:b@x>\nCSeq: 1 INVITE\n"
    text = "INVITE sip:b\x9b{0}@[2001:db8::{0}] SIP/2.0\nVia: SIP/2.0/UDP p\x9bx:5060;branch=z9hG4bK{0}\nCall-ID: {0}\n"
    one, two = (f"{text.format(number)}{head}\n" for number in (1, 2))
    path.write_text(one, encoding="utf-8")
    alone = sip_harness("reproduce", path)
    assert "[2001:db8::1]:5060" in alone.stderr
    path.write_text(one + two, encoding="utf-8")
    for done in (alone, sip_harness("reproduce", path), sip_harness("reproduce", path, "--at", "192.0.2.1")):
        assert all(char.isprintable() or char == "\n" for char in done.output), done.output
