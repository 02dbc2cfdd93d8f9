"""Captures against an independent witness: what tshark decodes is what we read, and what it writes we read alike."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
from dumpcap import Capture, MayNotCapture, cannot, witnesses

from sip_harness.capture.legs import Node
from sip_harness.capture.packets import Packet
from sip_harness.capture.reading import read
from sip_harness.capture.record import assign, record
from sip_harness.capture.story import stories
from sip_harness.language import load_text
from sip_harness.model.entry import Record
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.sip.message import parse
from sip_harness.systems.registry import create
from sip_harness.verdict import judge

pytestmark = pytest.mark.needs_tshark
FORK = """
title: A fork over {transport}
id: T-1
targets: {{bob: {{ring: [desk, mobile]}}}}
devices:
  desk:   {{answer: [ringing, wait 100ms, 600], transport: {transport}}}
  mobile: {{answer: [ringing], transport: {transport}}}
calls: [{{from: alice, to: bob, transport: {transport}}}]
expect: {{alice: [600 from desk], desk: [INVITE, ACK to 600], mobile: [INVITE, CANCEL, ACK to 487]}}
"""
FIELDS = ("frame.time_epoch", "ip.src", "ip.dst", "udp.srcport", "udp.dstport", "tcp.srcport", "tcp.dstport",
          "sip.Call-ID", "sip.CSeq", "sip.Request-Line", "sip.Status-Line")  # fmt: skip


@pytest.fixture(scope="module", params=["udp", "tcp"])
def captured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Record]:
    """The transport, the capture of one run of a fork on it, and its record."""
    place = tmp_path_factory.mktemp("capture")
    scenario = load_text(FORK.format(transport=request.param), "fork")

    async def work() -> Record:
        async with open_session(create("reference"), Options("wire"), [scenario]) as session:
            result = await session.run(scenario)
            assert result.verdict.outcome is Outcome.PASS
            assert result.record is not None
            return result.record

    try:
        for may_miss in witnesses():
            with may_miss, Capture(place, "udp or tcp") as capture:
                recorded = asyncio.run(work())
                break
    except MayNotCapture as error:
        cannot(f"capturing on loopback is not permitted: {error}")
    return request.param, capture.file, recorded


def by_tshark(file: Path, recorded: Record) -> list[tuple[str, ...]]:
    """Every SIP message of a run as tshark tells it; its time in microseconds first."""
    words = [word for field in FIELDS for word in ("-e", field)]
    ports = {address[1] for message in recorded.messages for address in (message.local, message.remote)}
    named = [word for port in ports for kind in ("udp", "tcp") for word in ("-d", f"{kind}.port=={port},sip")]
    only = f'sip.Call-ID contains "{recorded.header.token}"'
    tshark = ["tshark", "-n", "-r", str(file), *named, "-Y", only, "-T", "fields", "-E", "occurrence=a", *words]
    done = subprocess.run(tshark, capture_output=True, text=True, timeout=60, check=True)
    told = []
    for line in done.stdout.splitlines():
        time, source, target, *ports_and_more = line.split("\t")
        udp_source, udp_target, tcp_source, tcp_target, *rest = ports_and_more
        # Several messages in one segment stand in one line, their values with commas between.
        told.append((micro(time), source, target, udp_source or tcp_source, udp_target or tcp_target, *rest))
    return told


def micro(time: str) -> str:
    seconds, _, fraction = time.partition(".")
    return f"{seconds}.{fraction[:6]}"


def as_tshark(packet: Packet) -> tuple[str, ...]:
    m = parse(packet.data)
    time = f"{packet.time // 1_000_000_000}.{packet.time % 1_000_000_000:09}"
    ends = (packet.source[0], packet.target[0], str(packet.source[1]), str(packet.target[1]))
    lines = (m.start, "") if m.is_request else ("", m.start)
    return (micro(time), *ends, m.call_id, m.get("cseq") or "", *lines)


def test_every_message_is_read_as_tshark_reads_it(captured: tuple[str, Path, Record]) -> None:
    _, file, recorded = captured
    ours = [told for p in read(file).packets if recorded.header.token in (told := as_tshark(p))[5]]
    theirs = by_tshark(file, recorded)
    joined = [line for line in theirs if "," in line[5]]
    assert len(theirs) > 20
    assert [one for one in ours if one[0] not in {line[0] for line in joined}] == [t for t in theirs if t not in joined]
    for line in joined:  # compared as a whole: whose value is whose cannot be told from tshark's line
        inside = [one for one in ours if one[0] == line[0]]
        assert ",".join(one[5] for one in inside) == line[5]


@pytest.mark.parametrize("form", ["pcap", "nsecpcap", "pcapng"])
@pytest.mark.parametrize(("option", "transport"), [("-u", "udp"), ("-T", "tcp")])
def test_files_that_another_program_has_written(form: str, option: str, transport: str, tmp_path: Path) -> None:
    data = b"SIP/2.0 486 Busy Here\r\nCall-ID: 1\r\nContent-Length: 0\r\n\r\n"
    dump = "\n".join(f"{at:06x} {data[at : at + 16].hex(' ')}" for at in range(0, len(data), 16))
    command = ["text2pcap", "-q", "-F", form, option, "5060,5070", "-", str(tmp_path / "f")]
    subprocess.run(command, input=dump, text=True, timeout=60, check=True, capture_output=True)
    [packet] = read(tmp_path / "f").packets
    assert (packet.source[1], packet.target[1], packet.data, packet.transport) == (5060, 5070, data, transport)


def test_a_capture_from_the_wire_is_judged_as_the_run_was(captured: tuple[str, Path, Record]) -> None:
    transport, file, recorded = captured
    scenario = load_text(FORK.format(transport=transport), "fork")
    policy, system = recorded.header.policy, Node(*recorded.header.address)
    [story] = [s for s in stories(read(file).packets, [system]) if recorded.header.token in s.number]
    refused = next(leg.peer for leg in story.tried if any(s.sip.code == 600 for s in leg.said))
    cast = assign(story, scenario, {"desk": Node(*refused)})
    verdict = judge(scenario, record(story, scenario, cast, system="captured", policy=policy))
    assert verdict.outcome is Outcome.PASS, verdict
    swapped = assign(story, scenario, {"mobile": Node(*refused)})
    assert judge(scenario, record(story, scenario, swapped, system="x", policy=policy)).outcome is Outcome.FAIL
