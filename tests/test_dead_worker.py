"""A worker or a system that dies in the middle of a call: never a pass, never a failure of the system."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from outside import HARNESS, WORKER, Command, command_line, descendants, holder, invited, name, parent, until

from sip_harness.model.entry import Exit, Record

pytestmark = [pytest.mark.needs_kamailio, pytest.mark.needs_pjsua2]

RINGS = """
title: Two phones ring and the second answers
id: {id}
cite: RFC 3261 16.7
targets: {{bob: {{ring: [desk, mobile]}}}}
devices:
  desk:   {{answer: [ringing], stack: pjsua2}}
  mobile: {{answer: [ringing, wait {wait}, ok], stack: pjsua2}}
calls: [{{from: alice, to: bob}}]
expect:
  alice:  [200 from mobile]
  desk:   [INVITE, CANCEL, ACK to 487]
  mobile: [INVITE, ACK to 200, BYE]
"""
LINE = re.compile(r"^([a-z]+) {2,}([A-Z]-\d)", re.MULTILINE)
GRACE = 40.0


class Calling:
    """`sip-harness run` on two scenarios, while the phones of the first one ring."""

    def __init__(self, command: Command) -> None:
        self.command = command
        for agent in ("desk", "mobile"):
            self.record = command.seen("A-1.jsonl", agent, invited)

    def worker_of(self, agent: str) -> int:
        """The process that is this agent."""
        local = next(m.local for m in self.record.messages if m.agent == agent)
        pid = holder(self.command.family(), local)
        assert WORKER in command_line(pid)
        assert pid in descendants(self.command.process.pid)
        return pid

    def kamailio(self) -> int:
        """The main process of Kamailio, whose parent is its keeper."""
        [pid] = [p for p in self.command.family() if name(p) == "kamailio" and name(parent(p)) != "kamailio"]
        return pid

    def ends(self) -> tuple[int, dict[str, str]]:
        """The exit status, and every verdict by id."""
        status = self.command.end(GRACE)
        return status, {scenario: verdict for verdict, scenario in LINE.findall(self.command.said)}

    def record_of(self, scenario: str) -> Record:
        """The record when all is over."""
        record = self.command.record(f"{scenario}.jsonl")
        assert record is not None
        return record


@pytest.fixture
def calling(tmp_path: Path) -> Iterator[Calling]:
    scenarios = tmp_path / "scenarios"
    scenarios.mkdir()
    # The first call stays up long enough for a test to find its processes, and within Kamailio's ring timer of 3 s.
    for identity, wait in (("A-1", "2s"), ("A-2", "200ms")):
        (scenarios / f"{identity}.sip.yaml").write_text(RINGS.format(id=identity, wait=wait))
    arguments = ("run", str(scenarios), "--system", "kamailio", "--out", "out")
    with Command(tmp_path / "c", *HARNESS, *arguments) as command:
        yield Calling(command)
        until(lambda: not command.family(), lambda: f"the end of {command.family()}")
        assert not list(command.temporary.iterdir())


def exits(record: Record) -> list[tuple[str, int]]:
    return [(e.agent, e.status) for e in record.entries if isinstance(e, Exit)]


@pytest.mark.parametrize("agent", ["desk", "mobile"])
def test_a_dead_worker_makes_its_run_inconclusive_and_spoils_no_other(calling: Calling, agent: str) -> None:
    os.kill(calling.worker_of(agent), signal.SIGKILL)
    status, verdicts = calling.ends()
    said = calling.command.said
    assert verdicts == {"A-1": "inconclusive", "A-2": "pass"}, said
    assert status == 3
    assert re.search(rf"^the worker of {agent} was ended by signal 9\b", said, re.MULTILINE), said
    assert exits(calling.record_of("A-1")) == [(agent, -signal.SIGKILL)]
    assert exits(calling.record_of("A-2")) == []


def test_a_dead_system_is_no_verdict_on_it(calling: Calling) -> None:
    os.kill(calling.kamailio(), signal.SIGKILL)
    status, verdicts = calling.ends()
    said = calling.command.said
    # Nobody starts the system again: whoever comes after it is refused, and nobody is blamed for that.
    assert verdicts == {"A-1": "inconclusive", "A-2": "blocked"}, said
    assert status == 3
    assert re.search(r"^the system was ended by signal 9\b", said, re.MULTILINE), said
    assert exits(calling.record_of("A-1")) == [("", -signal.SIGKILL)]
