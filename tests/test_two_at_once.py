"""Every built-in system: two runs on one machine do not disturb each other, and one that is killed leaves nothing."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from outside import HARNESS, Command, is_free, until

from sip_harness.model.entry import Message, Record
from sip_harness.sip.message import Message as SipMessage
from sip_harness.systems.registry import describe

GRACE = 30.0
"""Seconds within which everything has to be gone."""
MARKS = {
    "kamailio": [pytest.mark.needs_kamailio],
    "kamailio-digest": [pytest.mark.needs_kamailio],
    "kamailio-tls": [pytest.mark.needs_kamailio, pytest.mark.needs_kamailio_tls],
    "kamailio-ws": [pytest.mark.needs_kamailio, pytest.mark.needs_kamailio_tls, pytest.mark.needs_kamailio_ws],
}
SYSTEMS = [pytest.param(about.name, marks=MARKS.get(about.name, [])) for about in describe()]
TRUNK = """
title: A registration that is watched
id: "{id}"
cite: RFC 3261 10.2
needs: [registers-at-carrier]
carriers: {{g1: {{registrar: {{challenge: yes, expires: 1s}}}}}}
watch: {long}
expect: {{g1: reached}}
"""
CALL = """
title: Two phones ring, one answers
id: "{id}"
cite: RFC 3261 16.7
targets: {{bob: {{ring: [desk, mobile]}}}}
devices:
  desk:   {{answer: [ringing, after: mobile sends 180, ok]{how}}}
  mobile: {{answer: [ringing]{how}}}
calls: [{{from: alice, to: bob, hang up: {long}{how}}}]
expect:
  alice:  [200 from desk]
  desk:   [INVITE, ACK to 200, BYE]
  mobile: [INVITE, CANCEL, ACK to 487]
"""


def scenarios(system: str, place: Path, number: int, long: str) -> str:
    """So many calls (or registrations) of this length, on the transport that the system is there for."""
    how = ", transport: tls" if system == "kamailio-tls" else ", transport: wss" if system == "kamailio-ws" else ""
    place.mkdir(parents=True, exist_ok=True)
    for n in range(number):
        text = (TRUNK if system == "reference-trunk" else CALL).format(id=f"T-{n}", long=long, how=how)
        (place / f"{n}.sip.yaml").write_text(text)
    return str(place)


def run(place: Path, system: str, folder: str, *more: str) -> Command:
    return Command(place, *HARNESS, "run", folder, "--system", system, "--stack", "wire", "--out", "out", *more)


def under_way(system: str, command: Command) -> Record:
    """Wait until a call is up, or a registration done."""

    def done(message: Message, sip: SipMessage) -> bool:
        return message.direction == "sent" and (sip.method == "ACK" or sip.code == 200)

    return command.seen("T-0.jsonl", "g1" if system == "reference-trunk" else "alice", done)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_killed_run_leaves_nothing(system: str, tmp_path: Path) -> None:
    folder = scenarios(system, tmp_path / "s", 2, "60s")
    with run(tmp_path / "c", system, folder, "-j", "2") as command:
        address = under_way(system, command).header.address
        assert not is_free(address)
        os.kill(command.process.pid, signal.SIGKILL)
        assert command.end(GRACE) == -signal.SIGKILL
        left = partial(left_by, command)
        until(lambda: not left(), lambda: f"the end of {left()}", GRACE)
        until(partial(is_free, address), f"{address} free again", GRACE)


def left_by(command: Command) -> list[str]:
    """Processes and files that are still there."""
    return [*map(str, command.family()), *(str(path) for path in command.temporary.iterdir())]


@pytest.mark.parametrize("system", SYSTEMS)
def test_two_runs_at_once_do_not_disturb_each_other(system: str, tmp_path: Path) -> None:
    """Both with the same scenarios, and so the same roles and numbers, each of them several times."""
    folder = scenarios(system, tmp_path / "s", 3, "300ms" if system != "reference-trunk" else "1200ms")
    with ExitStack() as stack:
        both = [stack.enter_context(run(tmp_path / c, system, folder, "-j", "3", "--repeat", "2")) for c in "ab"]
        for command in both:
            assert command.end() == 0, command.said
            assert "6 runs: 6 pass" in command.said
            assert not left_by(command)
        systems = {record.header.address for command in both if (record := command.record("T-0.jsonl")) is not None}
        assert len(systems) == 2
