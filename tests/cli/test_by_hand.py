"""A telephone that answers as it is told, and one that calls it, each in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest
from click.testing import CliRunner

from sip_harness.cli.main import main
from support.staging import PASSWORD, Staging, staging

COMMAND = [sys.executable, "-m", "sip_harness"]
LIMIT = 60.0


@pytest.fixture(scope="module")
def pbx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with staging() as running:
        yield running.profile(tmp_path_factory.mktemp("by-hand"))


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGING_PASSWORD", PASSWORD)


class Phone:
    """A command that runs, and what it has shown."""

    def __init__(self, *arguments: str) -> None:
        environment = os.environ | {"COLUMNS": "160"}
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], env=environment, text=True, encoding="utf-8",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.shown = ""

    def until(self, words: str) -> str:
        """What it shows from now on, up to the line with these words."""
        assert self.process.stdout is not None
        read = ""
        for line in self.process.stdout:
            read += line
            if words in line:
                self.shown += read
                return read
        raise AssertionError(f"{words!r} was not shown: {self.shown}{read}")

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Its status after this signal, and what it has shown since."""
        self.process.send_signal(number)
        assert self.process.stdout is not None
        return self.process.wait(LIMIT), self.process.stdout.read()


@contextmanager
def phone(*arguments: str) -> Iterator[Phone]:
    """It is killed if it takes too long, so that no reading of it waits for ever."""
    running = Phone(*arguments)
    timer = Timer(LIMIT, running.process.kill)
    timer.start()
    try:
        yield running
    finally:
        timer.cancel()
        running.process.kill()
        running.process.communicate()


def called(profile: Path, to: str = "bob", *more: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["call", to, "--as", "alice", "--system", str(profile), *more])
    return result.exit_code, result.output


@pytest.mark.needs_kamailio
def test_a_phone_answers_as_it_is_told_and_leaves(pbx: Path) -> None:
    with phone("respond", "busy-here", "--user", "bob", "--system", str(pbx)) as bob:
        bob.until("registered as sip:101@")
        status, shown = called(pbx)
        assert (status, "answered with 486" in shown) == (1, True), shown
        assert "─ 486 Busy Here ─" in bob.until("ACK to 486")
        bob.type("bussy-here")
        wrong = bob.until("answers")
        assert "did you mean 'busy-here' or 'busy-everywhere'?\n  bussy-here\n  ^^^^^^^^^^\n" in wrong
        bob.type("{302: {headers: {Contact: '<sip:112@127.0.0.1>'}}}")
        wrong += bob.until("answers busy-here")
        assert "the guard refuses that bob leads it to sip:112@127.0.0.1: 112 is an emergency number" in wrong
        assert wrong.endswith("nothing has changed\nanswers busy-here\n")
        bob.type("600")
        bob.until("answers 600")
        status, shown = called(pbx)
        assert (status, "answered with 600" in shown) == (1, True), shown
        bob.type("ringing, ok")
        bob.until("answers ringing, ok")
        status, shown = called(pbx)
        assert (status, "200 OK to BYE" in shown) == (0, True), shown
        status, rest = bob.end(signal.SIGINT)
        assert status == 130
        assert "200 OK to REGISTER" in rest
    status, shown = called(pbx)
    assert (status, "answered with 480" in shown) == (1, True), shown


@pytest.mark.needs_kamailio_tls
@pytest.mark.needs_openssl
@pytest.mark.needs_kamailio
def test_both_telephones_over_tls(tmp_path: Path) -> None:
    with staging(tls=True) as secure:
        profile = secure.profile(tmp_path)
        with phone("respond", "ringing, ok", "--user", "bob", "--system", str(profile)) as bob:
            assert f"staging at 127.0.0.1:{secure.port} by tls\n" in bob.until("registered as sip:101@")
            status, shown = called(profile)
            assert (status, "answered with 200" in shown) == (0, True), shown
            assert bob.end(signal.SIGINT)[0] == 130
        status, shown = called(profile)
        assert (status, "answered with 480" in shown) == (1, True), shown


@pytest.mark.needs_kamailio
def test_a_wrong_password_is_told_as_such(pbx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGING_PASSWORD", "wrong-one")
    status, shown = called(pbx)
    assert (status, shown.endswith("answered with 407: it does not take the credentials of alice\n")) == (1, True), (
        shown
    )
    result = CliRunner().invoke(main, ["respond", "ok", "--user", "bob", "--system", str(pbx)])
    assert result.exit_code == 3
    assert "staging: account 101: REGISTER for sip:101@" in result.output
    assert "refused: 401 Unauthorized" in result.output
    assert "wrong-one" not in result.output + shown


@pytest.mark.needs_kamailio
def test_a_call_is_cancelled_or_hung_up_by_time_and_by_ctrl_c(pbx: Path) -> None:
    with phone("respond", "ringing", "--user", "bob", "--system", str(pbx)) as bob:
        bob.until("registered as")
        status, shown = called(pbx, "bob", "--cancel-after", "100ms")
        assert (status, "answered with 487" in shown) == (1, True), shown
        with phone("call", "bob", "--as", "alice", "--system", str(pbx)) as alice:
            alice.until("180 Ringing")
            status, rest = alice.end(signal.SIGINT)
        assert status == 130
        assert rest.index("CANCEL") < rest.index("487") < rest.index("ACK to 487")
        bob.type("ok")
        bob.until("answers ok")
        with phone("call", "bob", "--as", "alice", "--system", str(pbx), "--hang-up-after", "60s") as alice:
            alice.until("ACK to 200")
            status, rest = alice.end(signal.SIGINT)
        assert status == 130
        assert rest.index("BYE") < rest.index("200 OK to BYE")
        assert called(pbx, "bob", "--method", "OPTIONS")[0] == 0
        assert bob.end(signal.SIGTERM)[0] == 143


@pytest.mark.needs_kamailio
@pytest.mark.needs_pjsua2
def test_a_real_stack_answers_as_it_is_told_too(pbx: Path) -> None:
    with phone("respond", "486", "--user", "bob", "--system", str(pbx), "--stack", "pjsua2") as bob:
        bob.until("registered as")
        bob.type("silence")
        assert "bob cannot be on the pjsua2 stack" in bob.until("answers 486")
        bob.type("600")
        bob.until("answers 600")
        status, shown = called(pbx)
        assert (status, "answered with 600" in shown) == (1, True), shown
        assert bob.end(signal.SIGINT)[0] == 130
    assert "answered with 480" in called(pbx)[1]


@pytest.mark.needs_kamailio
def test_an_account_is_for_one_at_a_time(pbx: Path) -> None:
    with phone("respond", "ok", "--user", "alice", "--system", str(pbx)) as alice:
        alice.until("registered as")
        status, shown = called(pbx)
        assert status == 3
        assert "was not free within 1 s" in shown
        assert alice.end(signal.SIGINT)[0] == 130


@pytest.mark.needs_kamailio
def test_a_number_that_the_guard_refuses_is_not_called(pbx: Path) -> None:
    status, shown = called(pbx, "112")
    assert status == 3
    assert "the guard refuses to call 112" in shown
    assert "INVITE" not in shown


def test_a_system_that_is_started_says_where_other_phones_reach_it(tmp_path: Path) -> None:
    with phone("respond", "603", "--user", "bob", "--system", "reference") as bob:
        listening = bob.until("registered as sip:bob@")
        bob.type("challenge, ok")
        assert "the system has no account here with a password" in bob.until("answers 603")
        port = int(listening.partition("listens on 127.0.0.1:")[2].split()[0])
        status, shown = called(Staging(port, None).profile(tmp_path), "bob")
        assert status == 1
        assert "answered with 404" in shown or "answered with 480" in shown, shown  # the profile's bob is 101
        profile = tmp_path / "here.system.yaml"
        profile.write_text(f"name: here\nkind: proxy\naddress: 127.0.0.1:{port}\nroles: {{alice: {{user: alice}}}}\n")
        status, shown = called(profile, "bob")
        assert (status, "answered with 603" in shown) == (1, True), shown
        profile.write_text(profile.read_text().replace("roles: {", "roles: {bob: {user: bob}, "))
        second = CliRunner().invoke(main, ["respond", "ok", "--user", "bob", "--system", str(profile)])
        assert second.exit_code == 3
        assert f"account bob is in use by process {bob.process.pid}" in second.output
        assert bob.end(signal.SIGINT)[0] == 130


def test_without_any_profile_two_terminals_are_all_that_is_needed() -> None:
    with phone("respond", "ringing,", "603", "--user", "bob", "--system", "reference") as bob:
        told = bob.until("registered as sip:bob@").partition("from another terminal: sip-harness ")[2].splitlines()[0]
        done = CliRunner().invoke(main, told.split())
        assert (done.exit_code, "answered with 603" in done.output) == (1, True), done.output
        at = told.split()[-1]
        other = CliRunner().invoke(main, ["call", "112", "--as", "carol", "--system", at])
        assert (other.exit_code, "the guard refuses to call 112" in other.output) == (3, True), other.output


@pytest.mark.parametrize("address", ["192.0.2.1:5060", "pbx.example:5060", "[2001:db8::1]:5060"])
def test_an_address_elsewhere_needs_a_profile(address: str) -> None:
    done = CliRunner().invoke(main, ["call", "bob", "--as", "alice", "--system", address])
    assert done.exit_code == 2
    assert f"{address} is not on this machine: that needs a profile" in done.output
    no_port = CliRunner().invoke(main, ["call", "bob", "--as", "alice", "--system", "localhost:70000"])
    assert (no_port.exit_code, "70000 is no port" in no_port.output) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["respond", "bussy-here", "--user", "bob"], "did you mean 'busy-here'"),
        (["respond", "ok", "--user", "sip:bob"], "'sip:bob' is no user"),
        (["respond", "ok", "--user", "nobody"], "no role 'nobody' in the profile; its roles: alice, bob, carol, dora"),
        (["call", "bob", "--as", "alice", "--cancel-after", "soon"], "soon"),
        (["call", "bob", "--as", "alice", "--cancel-after", "1s", "--method", "OPTIONS"], "'cancel' is for calls"),
    ],
)
def test_wrong_words_are_told_and_nothing_starts(tmp_path: Path, arguments: list[str], wanted: str) -> None:
    profile = Staging(9, None).profile(tmp_path)
    result = CliRunner().invoke(main, [*arguments, "--system", str(profile)])
    assert (result.exit_code, wanted in result.output) == (2, True), result.output


def test_a_dry_run_says_what_would_be_sent(tmp_path: Path) -> None:
    profile = str(Staging(9, None).profile(tmp_path))
    result = CliRunner().invoke(main, ["call", "112", "--as", "alice", "--system", profile, "--dry-run"])
    assert "INVITE sip:112@127.0.0.1:9 (refused: 112 is an emergency number" in result.output
    assert "from sip:100@127.0.0.1:9" in result.output
    result = CliRunner().invoke(main, ["respond", "ringing,", "ok", "--user", "bob", "--system", profile, "--dry-run"])
    assert "registers as sip:101@127.0.0.1:9 (wire)\nanswers ringing, ok\n" in result.output
    assert (result.exit_code, PASSWORD in result.output) == (0, False)
