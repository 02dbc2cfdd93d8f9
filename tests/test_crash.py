"""Runs on a system that is elsewhere: side by side in processes of their own, and killed in mid-call."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from outside import HARNESS, Command, acknowledged, invited, until

from sip_harness.model.system import User
from sip_harness.run.systems import find_system
from sip_harness.systems.external import External
from sip_harness.systems.visitor import Visitor
from support.staging import HOST, PASSWORD, Staging, staging

pytestmark = pytest.mark.needs_kamailio

TALKS = """\
title: A call that goes on for long
id: TALK
targets: {bob: {ring: [phone]}}
devices: {phone: {answer: [ringing, ok]}}
calls: [{from: alice, to: bob, hang up: 100s}]
expect: {alice: [200 from phone], phone: [INVITE, ACK, BYE]}
"""
SHORT = """\
title: A short call
id: SHORT
targets: {bob: {ring: [phone]}}
devices: {phone: {answer: [ringing, wait 200ms, ok]}}
calls: [{from: alice, to: bob}]
expect: {alice: [200 from phone], phone: [INVITE, ACK, BYE]}
"""


@pytest.fixture(params=["udp", pytest.param("tls", marks=[pytest.mark.needs_kamailio_tls, pytest.mark.needs_openssl])])
def pbx(request: pytest.FixtureRequest) -> Iterator[Staging]:
    with staging(tls=request.param == "tls") as running:
        yield running


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGING_PASSWORD", PASSWORD)


def running(place: Path, pbx: Staging, text: str, *more: str) -> Command:
    place.mkdir()
    (place / "one.sip.yaml").write_text(text)
    profile = pbx.profile(place)
    words = ["run", "one.sip.yaml", "--system", str(profile), "--out", "out", "--stack", "wire"]
    return Command(place, *HARNESS, *words, *more)


def passes(place: Path, pbx: Staging) -> str:
    with running(place, pbx, SHORT) as command:
        assert command.end() == 0, command.said
        return command.said


async def registered(profile: Path) -> tuple[str, ...]:
    system = find_system(str(profile))
    assert isinstance(system, External)
    await system.start()
    async with Visitor(system.info, User("101", system.info.domain, PASSWORD)) as guest:
        found = await guest.bindings()
        return (*found.own, *found.foreign)


def test_two_runs_at_once_take_turns(pbx: Staging, tmp_path: Path) -> None:
    more = (SHORT, "--repeat", "3")
    with running(tmp_path / "a", pbx, *more) as one, running(tmp_path / "b", pbx, *more) as other:
        assert (one.end(), other.end()) == (0, 0), one.said + other.said
        assert "3 runs: 3 pass" in one.said
        assert "3 runs: 3 pass" in other.said


def test_a_run_that_is_killed_leaves_no_registration_and_no_lock(pbx: Staging, tmp_path: Path) -> None:
    with running(tmp_path / "a", pbx, TALKS) as command:
        command.seen("TALK.jsonl", "alice", acknowledged)
        os.kill(command.process.pid, signal.SIGKILL)
        assert command.end() == -signal.SIGKILL
        profile = tmp_path / "a" / "staging.system.yaml"
        assert len(asyncio.run(registered(profile))) == 1, "nobody could take it back"
        passes(tmp_path / "b", pbx)
        assert asyncio.run(registered(profile)) == ()


@pytest.mark.parametrize(
    ("device", "sign", "ended"),
    [("ringing, ok", "ACK to 200", "BYE"), ("ringing", "180 Ringing", "CANCEL")],
    ids=["talks", "rings"],
)
def test_a_caller_that_is_killed_leaves_no_call(
    pbx: Staging, tmp_path: Path, device: str, sign: str, ended: str
) -> None:
    """The one that is called lives on in another process, and sees the end of the call."""
    profile = pbx.profile(tmp_path)
    with Command(tmp_path / "r", *HARNESS, "respond", device, "--user", "bob", "--system", str(profile)) as bob:
        until(lambda: "registered as" in bob.said, lambda: bob.said)
        words = ["call", "bob", "--as", "alice", "--system", str(profile), "--hang-up-after", "100s"]
        with Command(tmp_path / "c", *HARNESS, *words) as alice:
            until(lambda: sign in alice.said, lambda: alice.said)
            os.kill(alice.process.pid, signal.SIGKILL)
            until(lambda: f" {ended} ─" in bob.said, lambda: f"{alice.said}\n{bob.said}")
        os.kill(bob.process.pid, signal.SIGINT)
        assert bob.end() == 130


def test_a_phone_that_is_killed_leaves_no_call(pbx: Staging, tmp_path: Path) -> None:
    profile = str(pbx.profile(tmp_path))
    with Command(tmp_path / "r", *HARNESS, "respond", "ok", "--user", "bob", "--system", profile) as bob:
        until(lambda: "registered as" in bob.said, lambda: bob.said)
        words = ["call", "bob", "--as", "alice", "--system", profile, "--hang-up-after", "100s"]
        with Command(tmp_path / "c", *HARNESS, *words) as alice:
            until(lambda: "ACK to 200" in alice.said and "ACK" in bob.said, lambda: alice.said)
            os.kill(bob.process.pid, signal.SIGKILL)
            until(lambda: "─ BYE ─" in alice.said, lambda: f"{alice.said}\n{bob.said}")
            assert alice.end() == 0


def test_whoever_waits_for_an_account_is_told_who_has_it(pbx: Staging, tmp_path: Path) -> None:
    with running(tmp_path / "a", pbx, TALKS) as command:
        command.seen("TALK.jsonl", "phone", invited)
        words = ["call", "dora", "--as", "alice", "--system", str(tmp_path / "a" / "staging.system.yaml")]
        with Command(tmp_path / "c", *HARNESS, *words) as other:
            assert other.end() == 3
            assert f"account 100 is in use by process {command.process.pid}, and was not free within 1 s" in other.said
            assert HOST in other.said
