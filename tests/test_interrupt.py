"""An interrupted, terminated or killed run leaves nothing behind, and ends its calls while it still can."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from outside import HARNESS, PYTEST, Command, acknowledged, cancelled, invited, is_free, name, until

from sip_harness.model.entry import Message, Record
from sip_harness.sip.message import Message as SipMessage
from sip_harness.sip.message import parse

pytestmark = [pytest.mark.needs_kamailio, pytest.mark.needs_pjsua2]

TALKS = """
title: A call that goes on for long
id: TALK
cite: RFC 3261 13.2
targets: {bob: {ring: [desk, mobile]}}
devices:
  desk:   {answer: [ringing, after: mobile sends 180, ok], stack: pjsua2}
  mobile: {answer: [ringing], stack: wire}
calls: [{from: alice, to: bob, hang up: 60s}]
expect:
  alice:  [200 from desk]
  desk:   [INVITE, ACK to 200, BYE]
  mobile: [INVITE, CANCEL, ACK to 487]
"""
RINGS = """
title: Two phones ring until the proxy gives up
id: {id}
cite: RFC 3261 16.8
targets: {{bob: {{ring: [desk, mobile]}}}}
devices:
  desk:   {{answer: [ringing], stack: wire}}
  mobile: {{answer: [ringing], stack: pjsua2}}
calls: [{{from: alice, to: bob, cancel: 60s}}]
expect:
  alice:  [408]
  desk:   [INVITE, CANCEL, ACK to 487]
  mobile: [INVITE, CANCEL, ACK to 487]
"""
"""One call that is up for as long as it matters, and four that ring in turn."""
IDS = ("TALK", "RING-1", "RING-2", "RING-3", "RING-4")
GRACE = 30.0
"""Seconds within which everything has to be gone."""


class Busy:
    """A command in the middle of two calls, and all that has to be gone once it has ended."""

    def __init__(self, command: Command, rings: str) -> None:
        """Returns once one call is up and that in the record `rings` has reached both phones."""
        self.command = command
        records = [command.seen("TALK.jsonl", "alice", acknowledged)]
        records += [command.seen(f"{rings}.jsonl", agent, invited) for agent in ("desk", "mobile")]
        self.systems = {record.header.address for record in records}
        family = [name(pid) for pid in command.family()]
        assert family.count("kamailio") > len(self.systems), family
        assert len(family) > family.count("kamailio") + len(self.systems) + 2, "the command, keepers, two workers"
        made = [path for path in command.temporary.iterdir() if path.name.startswith("sip-harness-")]
        assert len(made) == len(self.systems), "each Kamailio has a directory"
        assert not any(map(is_free, self.systems))

    def signal(self, *numbers: signal.Signals, group: bool = False) -> None:
        """Signal the command alone, or its whole process group as a terminal does."""
        for number in numbers:
            (os.killpg if group else os.kill)(self.command.process.pid, number)

    def ends(self, status: int) -> list[Record]:
        """Assert that it ends with this status and that nothing of it is left. Returns the records of its calls."""
        assert self.command.end(GRACE) == status, self.command.said
        left = partial(left_by, self.command)
        until(lambda: not left(), lambda: f"the end of {left()}; it said: {self.command.said}", GRACE)
        assert all(map(is_free, self.systems))
        records = [self.command.record(file.name) for file in self.command.out.glob("*.jsonl")]
        return [record for record in records if record is not None]


def left_by(command: Command) -> list[str]:
    """Processes and files that are still there."""
    processes = [f"{pid} {name(pid)}" for pid in command.family()]
    return [*processes, *(str(path) for path in command.temporary.iterdir())]


@pytest.fixture
def scenarios(tmp_path: Path) -> Path:
    """A directory of scenarios in which there is always a call in progress."""
    directory = tmp_path / "scenarios"
    directory.mkdir()
    for number, identity in enumerate(IDS):
        text = RINGS.format(id=identity) if number else TALKS
        (directory / f"{number}.sip.yaml").write_text(text)
    return directory


@pytest.fixture
def running(scenarios: Path, tmp_path: Path) -> Iterator[Busy]:
    """`sip-harness run` with many runs still to come."""
    arguments = ("run", str(scenarios), "--system", "kamailio", "-j", "2", "--repeat", "3", "--out", "out")
    with Command(tmp_path / "c", *HARNESS, *arguments) as command:
        yield Busy(command, "RING-1")


def opened(pipe: Path) -> int | None:
    """Write end of a pipe that somebody reads."""
    try:
        return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


def sent(record: Record, agent: str) -> list[SipMessage]:
    return [parse(m.data) for m in record.messages if m.agent == agent and m.direction == "sent"]


def received(record: Record, agent: str) -> list[SipMessage]:
    return [parse(m.data) for m in record.messages if m.agent == agent and m.direction == "received"]


def assert_orderly(records: list[Record]) -> None:
    """Every call has come to its end, and every device that registered has unregistered."""
    assert "TALK" in {record.header.scenario for record in records}
    for record in records:
        for device in ("desk", "mobile"):
            assert_unregistered(record, device)
        if "INVITE" in [m.method for m in sent(record, "alice")]:
            assert_ended(record)


def assert_unregistered(record: Record, device: str) -> None:
    registers = [m for m in sent(record, device) if m.method == "REGISTER"]
    assert [m.get("Expires") for m in registers][-1] == "0", names(record)
    assert 200 in [m.code for m in received(record, device) if m.cseq == registers[-1].cseq], names(record)


def assert_ended(record: Record) -> None:
    """The caller has cancelled or either side has hung up, unless the proxy was faster; nothing is without a final."""
    final = next(m.code for m in received(record, "alice") if m.cseq[1] == "INVITE" and m.code >= 200)
    assert final in (200, 408, 480, 487), names(record)
    if final == 200:  # both sides hang up, so only one of them may have stayed for the answer
        answers = [m for agent in ("alice", "desk") for m in sent(record, agent) if m.cseq[1] == "BYE" and m.code]
        assert 200 in [m.code for m in answers], names(record)
    elif final != 408:
        assert "CANCEL" in [m.method for m in sent(record, "alice")], names(record)
    for agent in ("alice", "desk", "mobile"):
        assert_answered(received(record, agent), sent(record, agent), names(record))
        assert_answered(sent(record, agent), received(record, agent), names(record))


def assert_answered(requests: list[SipMessage], responses: list[SipMessage], shown: str) -> None:
    """Every INVITE and REGISTER has its final response."""
    finals = {(m.call_id, m.cseq) for m in responses if m.code >= 200}
    open_ = [m for m in requests if m.method in ("INVITE", "REGISTER") and (m.call_id, m.cseq) not in finals]
    assert not open_, f"{[f'{m.cseq} of {m.call_id}' for m in open_]} without a final response in\n{shown}"


def names(record: Record) -> str:
    """The messages of a record for a person who wonders."""
    return "\n".join(_line(m) for m in record.messages)


def _line(message: Message) -> str:
    first = message.data.decode("utf-8", "replace").partition("\r\n")[0]
    return f"{message.time} {message.agent} {message.direction} {first}"


class TestCommandLine:
    def test_interrupt(self, running: Busy) -> None:
        running.signal(signal.SIGINT)
        assert_orderly(running.ends(130))

    def test_interrupt_from_the_terminal(self, running: Busy) -> None:
        running.signal(signal.SIGINT, group=True)
        assert_orderly(running.ends(130))

    def test_interrupt_twice_at_once(self, running: Busy) -> None:
        running.signal(signal.SIGINT, signal.SIGINT)
        running.ends(130)

    def test_interrupt_again_while_calls_are_being_ended(self, running: Busy) -> None:
        running.signal(signal.SIGINT)
        running.command.seen("RING-1.jsonl", "alice", cancelled)
        running.signal(signal.SIGINT)
        running.ends(130)

    def test_terminate(self, running: Busy) -> None:
        running.signal(signal.SIGTERM)
        assert_orderly(running.ends(143))

    def test_kill(self, running: Busy) -> None:
        running.signal(signal.SIGKILL)
        running.ends(-signal.SIGKILL)

    def test_what_was_judged_before_is_reported(self, tmp_path: Path, scenarios: Path) -> None:
        """The first scenario has been judged, the next one is interrupted."""
        (scenarios / "0.sip.yaml").write_text(TALKS.replace("60s", "100ms"))
        arguments = ("run", str(scenarios), "--system", "kamailio", "--out", "out")
        with Command(tmp_path / "c", *HARNESS, *arguments) as command:
            until(lambda: "pass          TALK" in command.said, lambda: f"a verdict; it said: {command.said}")
            os.kill(command.process.pid, signal.SIGINT)
            assert command.end(GRACE) == 130
            assert "1 run: 1 pass" in command.said
            assert {"report.html", "junit.xml", "TALK.jsonl", "TALK.pcapng"} <= {p.name for p in command.out.iterdir()}

    def test_outside_of_a_run(self, scenarios: Path, tmp_path: Path) -> None:
        """Where nothing is running an interrupt must not say either that a scenario has failed."""
        pipe = tmp_path / "record.jsonl"
        os.mkfifo(pipe)
        with Command(tmp_path / "c", *HARNESS, "judge", str(scenarios / "0.sip.yaml"), str(pipe)) as command:
            # Somebody who does not wait can open a pipe for writing only once somebody reads it.
            writer = until(lambda: opened(pipe), lambda: f"the record is being read; it said: {command.said}")
            os.kill(command.process.pid, signal.SIGINT)
            assert command.end(GRACE) == 130, command.said
            os.close(writer)
            assert not left_by(command)

    @pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
    def test_while_the_system_is_being_started(
        self, scenarios: Path, tmp_path: Path, number: signal.Signals, status: int
    ) -> None:
        with Command(
            tmp_path / "c", *HARNESS, "run", str(scenarios), "--system", "kamailio", "--out", "out"
        ) as command:
            until(lambda: list(command.temporary.iterdir()), "Kamailio's directory")
            os.kill(command.process.pid, number)
            assert command.end(GRACE) == status, command.said
            left = partial(left_by, command)
            until(lambda: not left(), lambda: f"the end of {left()}", GRACE)


@pytest.fixture(params=["alone", "xdist"])
def pytest_running(request: pytest.FixtureRequest, scenarios: Path, tmp_path: Path) -> Iterator[Busy]:
    """pytest on the same scenarios, in one process or with two workers."""
    (scenarios / "pytest.ini").write_text("[pytest]\n")
    # What pytest itself keeps in its temporary directory is none of ours.
    arguments = [str(scenarios), "-c", str(scenarios / "pytest.ini"), f"--basetemp={tmp_path / 'pytests'}"]
    arguments += ["--sip-system", "kamailio", "--sip-out", "out"]
    arguments += ["--sip-jobs", "2"] if request.param == "alone" else ["-n", "2"]
    with Command(tmp_path / "c", *PYTEST, *arguments) as command:
        # xdist gives the first two items to one worker.
        yield Busy(command, "RING-1" if request.param == "alone" else "RING-2")


class TestPytest:
    """Workers of xdist ignore SIGINT. They get some seconds to finish what they are at, then they are killed: their
    calls cannot be ended in every case, but nothing may be left."""

    def test_interrupt(self, pytest_running: Busy) -> None:
        pytest_running.signal(signal.SIGINT)
        records = pytest_running.ends(2)
        if len(pytest_running.systems) == 1:
            assert_orderly(records)

    def test_interrupt_from_the_terminal(self, pytest_running: Busy) -> None:
        pytest_running.signal(signal.SIGINT, group=True)
        records = pytest_running.ends(2)
        if len(pytest_running.systems) == 1:
            assert_orderly(records)

    def test_interrupt_twice_at_once(self, pytest_running: Busy) -> None:
        pytest_running.signal(signal.SIGINT, signal.SIGINT)
        assert pytest_running.command.end(GRACE) in (2, -signal.SIGINT)
        pytest_running.ends(pytest_running.command.process.returncode)

    def test_terminate(self, pytest_running: Busy) -> None:
        pytest_running.signal(signal.SIGTERM)
        pytest_running.ends(-signal.SIGTERM)

    def test_kill(self, pytest_running: Busy) -> None:
        pytest_running.signal(signal.SIGKILL)
        pytest_running.ends(-signal.SIGKILL)
