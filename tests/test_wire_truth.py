"""The record against an independent witness: what tshark saw on the wire is what the records hold, byte for byte."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest
from dumpcap import Capture, MayNotCapture, Packet, WitnessMissed, cannot, witnesses
from outside import HARNESS, Command, invited

from sip_harness.language import load
from sip_harness.model.entry import Address, Malformed, Message, Record
from sip_harness.model.scenario import Scenario, Stack
from sip_harness.record.jsonl import read
from sip_harness.run.plan import CannotCarryOut, Stacks, choose_stacks
from sip_harness.sip.message import parse

pytestmark = [pytest.mark.needs_kamailio, pytest.mark.needs_tshark]

UNANSWERED = """
title: A phone that answers nothing is sent its INVITE again
id: AGAIN
cite: RFC 3261 17.1.1.2
targets: {bob: {ring: [desk]}}
devices: {desk: {answer: [silence]}}
calls: [{from: alice, to: bob}]
expect: {alice: [408], desk: reached}
"""
"""What only the wire stack can do: without it there would be no retransmissions."""
Datagram = tuple[Address, Address, bytes]
"""Source, destination, payload."""
NEAR = 1_000_000
"""Nanoseconds by which a recorded time may differ from the kernel's time in the capture."""


@dataclass(frozen=True)
class Witnessed:
    """One run of the command, as its records and as the capture have it."""

    records: tuple[Record, ...]
    packets: tuple[Packet, ...]

    @property
    def system(self) -> Address:
        [address] = {record.header.address for record in self.records}
        return address

    @property
    def has_silence(self) -> bool:
        """Whether a device was called that answered nothing."""
        return any(record.header.scenario == "AGAIN" for record in self.records)

    @property
    def messages(self) -> list[Message]:
        """The messages of all records."""
        return [message for record in self.records for message in record.messages]

    @property
    def at_system(self) -> list[Packet]:
        """Every datagram at the port of the system."""
        return [p for p in self.packets if self.system in (p.source, p.destination)]

    @property
    def of_agents(self) -> list[Packet]:
        """Every datagram between the system and anybody, the readiness probe aside."""
        probe = set(readiness_probe(self))
        return [p for p in self.at_system if p not in probe]


@pytest.fixture(scope="module", params=["wire", pytest.param("pjsua2", marks=pytest.mark.needs_pjsua2)])
def witnessed(request: pytest.FixtureRequest, checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Witnessed:
    """The shipped scenarios of one folder on one stack, run under a capture."""
    for may_miss in witnesses():
        with may_miss:
            return run_witnessed(request.param, checkout, tmp_path_factory.mktemp("wire"))
    raise AssertionError("the last witness misses nothing or raises")


def can_be_on(stack: Stack, scenario: Scenario) -> bool:
    """Whether this stack can carry a scenario out."""
    try:
        choose_stacks(scenario, Stacks(stack))
    except CannotCarryOut:
        return False
    return True


def run_witnessed(stack: Stack, checkout: Path, place: Path) -> Witnessed:
    """One run under one capture. Raises WitnessMissed."""
    shipped = sorted((checkout / "scenarios" / "busy").glob("*.sip.yaml"))
    paths = [path for path in shipped if all(can_be_on(stack, s) for s in load([path]))]
    assert len(paths) > 10
    if stack == "wire":
        paths.insert(0, place / "again.sip.yaml")
        paths[0].write_text(UNANSWERED)
    arguments = ("run", *map(str, paths), "--system", "kamailio", "--stack", stack, "-j", "2")
    try:
        with Capture(place) as capture, Command(place, *HARNESS, *arguments, "--out", "out") as command:
            status = command.end(100)
            assert status == 0, command.said
    except MayNotCapture as error:
        cannot(f"capturing on loopback is not permitted: {error}")
    records = tuple(read(file) for file in sorted(command.out.glob("*.jsonl")))
    assert records
    for record in records:
        stacks = {role.stack for role in record.header.roles if role.kind == "device"}
        assert stacks == {stack}
        assert {role.trace for role in record.header.roles} == {"full"}
    system = records[0].header.address
    agents = {message.local for record in records for message in record.messages}
    return Witnessed(records, tuple(capture.packets(system, agents)))


def readiness_probe(witnessed: Witnessed) -> list[Packet]:
    """The OPTIONS that ask whether the system is up, and their answers.

    They come from one port, under Call-IDs that are in no record, before any agent has said anything. The first answer
    ends the asking; those to the other questions may come later.
    """
    recorded = {parse(message.data).call_id for message in witnessed.messages}
    begin = min(message.time for message in witnessed.messages)
    early = [p for p in witnessed.at_system if p.time < begin and p.destination == witnessed.system]
    asked = {parse(p.data).call_id for p in early} - recorded
    probe = [p for p in witnessed.at_system if parse(p.data).call_id in asked]
    peers = {p.source if p.destination == witnessed.system else p.destination for p in probe}
    assert len(peers) == 1, f"the probe comes from one port, these are {peers}"
    assert {parse(p.data).cseq[1] for p in probe} == {"OPTIONS"}
    assert {parse(p.data).code for p in probe} == {0, 200}
    return probe


def as_datagram(message: Message) -> Datagram:
    """What a recorded message was on the wire."""
    ends = (message.local, message.remote)
    source, destination = ends if message.direction == "sent" else reversed(ends)
    return source, destination, message.data


def described(datagram: Datagram, number: int, agents: dict[Address, str]) -> str:
    """A datagram for a person who looks for it."""
    source, destination, data = datagram
    lines = data.decode("utf-8", "backslashreplace").split("\r\n")
    shown = [line for line in lines if line.lower().startswith(("cseq:", "call-id:"))]
    ends = " -> ".join(agents.get(end, f"{end[0]}:{end[1]}") for end in (source, destination))
    return f"{number} x {ends}: {lines[0]} | {' | '.join(shown)} | {len(data)} bytes"


def differences(left: Counter[Datagram], right: Counter[Datagram], agents: dict[Address, str]) -> Iterator[str]:
    for what, more, less in (("only on the wire", left, right), ("only in the records", right, left)):
        for datagram, number in (more - less).items():
            yield f"{what}: {described(datagram, number, agents)}"


def matched(packets: Sequence[Packet], messages: Sequence[Message]) -> Iterator[tuple[Packet, Message]]:
    """Each message with its packet; equal ones (retransmissions) in the order of their times."""
    by_datagram: dict[Datagram, list[Packet]] = defaultdict(list)
    for packet in packets:
        by_datagram[packet.source, packet.destination, packet.data].append(packet)
    for message in sorted(messages, key=lambda m: m.time):
        yield by_datagram[as_datagram(message)].pop(0), message


def test_the_records_hold_what_was_on_the_wire_and_nothing_else(witnessed: Witnessed) -> None:
    agents = {m.local: m.agent for m in witnessed.messages} | {witnessed.system: "kamailio"}
    seen = Counter((p.source, p.destination, p.data) for p in witnessed.of_agents)
    recorded = Counter(as_datagram(m) for m in witnessed.messages)
    found = list(differences(seen, recorded, agents))
    assert not found, "\n" + "\n".join(found)
    assert seen.total() > 20 * len(witnessed.records), "too little traffic for the calls that these scenarios make"
    again = {parse(data).method for (_, _, data), number in seen.items() if number > 1}
    assert not witnessed.has_silence or "INVITE" in again, "nothing was retransmitted"


def test_a_message_too_many_or_too_few_is_named(witnessed: Witnessed) -> None:
    """That the comparison above can fail."""
    recorded = Counter(as_datagram(m) for m in witnessed.messages)
    invite = next(m for m in witnessed.messages if invited(m, parse(m.data)))
    twice = recorded + Counter([as_datagram(invite)])
    agents = {invite.local: invite.agent}
    [lost] = differences(twice, recorded, agents)
    [added] = differences(recorded, twice, agents)
    assert re.match(rf"only on the wire: 1 x 127.0.0.1:\d+ -> {invite.agent}: INVITE sip:", lost)
    assert added.startswith("only in the records: 1 x")


def test_every_datagram_is_well_formed_sip_to_tshark(witnessed: Witnessed) -> None:
    strange = [p for p in witnessed.at_system if p.is_malformed or not p.is_sip]
    assert not strange, "\n".join(f"frame {p.number}: {p.data[:200]!r}" for p in strange)
    assert not [entry for record in witnessed.records for entry in record.entries if isinstance(entry, Malformed)]


def test_times_are_the_kernels(witnessed: Witnessed) -> None:
    """A received message has the kernel's receive time; a sent one left between its time and its time plus slack."""
    pairs = list(matched(witnessed.of_agents, witnessed.messages))
    received = [abs(p.time - m.time) for p, m in pairs if m.direction == "received"]
    early = [m.time - p.time for p, m in pairs if m.direction == "sent"]
    late = [p.time - (m.time + m.slack) for p, m in pairs if m.direction == "sent"]
    assert received
    assert early
    print(
        f"{len(received)} received: at most {max(received) / 1e3:.1f} us from the capture; {len(early)} sent: at most "
        f"{max(early) / 1e3:.1f} us before their time, {max(late) / 1e3:.1f} us after their time and slack"
    )
    assert max(received) < NEAR
    assert max(early) < NEAR
    assert max(late) < NEAR


def test_nothing_leaves_loopback(witnessed: Witnessed) -> None:
    ours = {m.local for m in witnessed.messages} | {witnessed.system}
    for packet in witnessed.packets:
        hosts = (packet.source[0], packet.destination[0])
        assert all(host.startswith("127.") for host in hosts), f"{packet} on {packet.interface}"
        assert packet.interface == "lo", packet
    assert {p.source for p in witnessed.at_system} | {p.destination for p in witnessed.at_system} >= ours


@pytest.mark.parametrize(
    ("counts", "misses"),
    [
        ("pcap:0/dumpcap:0/flushed:3/ps_ifdrop:0", False),
        ("pcap:1/dumpcap:0/flushed:0/ps_ifdrop:0", True),
        ("pcap:0/dumpcap:0/flushed:3/ps_ifdrop:2", True),
    ],
)
def test_a_witness_that_missed_something_is_none(counts: str, misses: bool, tmp_path: Path) -> None:
    (tmp_path / "dumpcap").write_text(f"Packets received/dropped on interface 'lo': 608/3 ({counts}) (99.5%)\n")
    with pytest.raises(WitnessMissed) if misses else nullcontext():
        Capture(tmp_path).refuse_drops()
