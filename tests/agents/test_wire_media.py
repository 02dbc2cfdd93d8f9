"""Early media from device to caller, on real sockets: enough to tell who was heard, when, and what."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dumpcap import Capture, MayNotCapture, cannot, witnesses
from ladders import scenario
from on_loop import on_loop
from wire_stage import TOKEN, Stage, stage

from sip_harness.agents.base import Assignment
from sip_harness.agents.wire import WireAgent
from sip_harness.model.entry import Address, Media, Message
from sip_harness.model.result import Result
from sip_harness.model.scenario import Call
from sip_harness.model.steps import Delivery, Send, Wait
from sip_harness.model.system import User
from sip_harness.model.verdict import Outcome
from sip_harness.record import jsonl
from sip_harness.run.session import Options, open_session
from sip_harness.sip import sdp
from sip_harness.sip.message import parse
from sip_harness.systems.kamailio import Kamailio

CALL = Call("c1", "alice", "bob")
NOT_FOUND = Send(404, "Not Found")
TONE = Send(183, "Session Progress", how=Delivery(media="tone"))
SILENCE = Send(183, "Session Progress", how=Delivery(media="silence"))


def caller(here: Stage, system: Address, *, media: bool = True) -> WireAgent:
    user = User("alice", "x.test")
    return here.add(Assignment("alice", "caller", user, f"{TOKEN}alice", system, TOKEN, patience=20.0, media=media))


def streams(here: Stage, agent: str, *, ended: bool = True) -> list[Media]:
    return [e for e in here.entries if isinstance(e, Media) and e.agent == agent and e.ended == ended]


async def called(here: Stage, desk: WireAgent, *, media: bool = True) -> None:
    """Alice calls the desk directly until that has refused."""
    alice = caller(here, desk.local, media=media)
    await alice.start()
    alice.call(CALL, f"sip:desk@127.0.0.1:{desk.local[1]}")
    await here.see("desk gets ACK")
    await here.until(lambda: not media or bool(streams(here, "alice")))


@pytest.mark.parametrize(("progress", "level"), [(TONE, "tone"), (SILENCE, "silence")])
@on_loop
async def test_the_caller_hears_early_media_until_the_refusal(progress: Send, level: str) -> None:
    async with stage() as here:
        desk = here.device("desk", (progress, Wait(0.4), NOT_FOUND), media=True)
        await desk.start()
        await called(here, desk)
        [heard], [played] = streams(here, "alice"), streams(here, "desk")
        [begin] = streams(here, "alice", ended=False)
        answer = here.message("desk sends 183")
        progress_at = here.entry("desk sends 183").time
    assert 10 < heard.packets <= 22
    assert (heard.level, heard.lost, heard.payload_types) == (level, 0, (0,))
    assert heard.ssrc == played.ssrc
    assert played.packets >= heard.packets  # the last one may cross the end of the call
    assert begin.first == heard.first >= played.first > progress_at
    assert heard.remote == ("127.0.0.1", sdp.parse(answer.body).media[0].port)
    assert (heard.call_id, heard.remote_tag) == (answer.call_id, answer.to_tag)
    assert played.local_tag == answer.to_tag
    assert played.remote_tag == answer.from_tag == heard.local_tag


@on_loop
async def test_the_first_packet_comes_promptly() -> None:
    async with stage() as here:
        desk = here.device("desk", (TONE, Wait(0.1), NOT_FOUND), media=True)
        await desk.start()
        behind = []
        for _ in range(3):  # one stall of the machine is no lateness of ours
            here.entries.clear()
            here._count.clear()
            await called(here, desk)
            behind.append(streams(here, "alice")[0].first - here.entry("alice gets 183").time)
    assert min(behind) < 40_000_000


@on_loop
async def test_without_media_no_call_has_a_socket() -> None:
    async with stage() as here:
        desk = here.device("desk", (Send(183, "Session Progress"), NOT_FOUND))
        await desk.start()
        await called(here, desk, media=False)
        ports = [sdp.parse(here.message(line).body).media[0].port for line in ("alice sends INVITE", "desk sends 183")]
        assert ports == [9, 9]
        assert not [e for e in here.entries if isinstance(e, Media)]


@on_loop
async def test_a_device_whose_script_plays_needs_no_telling() -> None:
    async with stage() as here:
        desk = here.device("desk", (TONE, Wait(0.05), NOT_FOUND))
        await desk.start()
        await called(here, desk)
        assert streams(here, "desk")[0].level == "tone"


@contextmanager
def wire(place: Path) -> Iterator[Capture]:
    try:
        with Capture(place) as capture:
            yield capture
    except MayNotCapture as refusal:
        cannot(f"capturing on loopback is not permitted: {refusal}")


@pytest.mark.needs_tshark
@on_loop
async def test_tshark_sees_the_same_rtp(tmp_path: Path) -> None:
    for may_miss in witnesses():
        with may_miss, wire(tmp_path) as capture:
            async with stage() as here:
                desk = here.device("desk", (TONE, Wait(0.2), NOT_FOUND), media=True)
                await desk.start()
                await called(here, desk)
                [heard] = streams(here, "alice")
            break
    port = heard.local[1]
    fields = ("rtp.version", "rtp.p_type", "rtp.ssrc", "rtp.seq", "rtp.timestamp", "rtp.marker", "rtp.payload")
    command = [
        "tshark",
        "-n",
        "-r",
        str(capture.file),
        "-d",
        f"udp.port=={port},rtp",
        "-Y",
        f"rtp && udp.dstport=={port}",
    ]
    command += ["-T", "fields", *(word for field in fields for word in ("-e", field))]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(rows) >= heard.packets >= 5  # the last one may cross the end of the call
    assert {(row[0], row[1], int(row[2], 16)) for row in rows} == {("2", "0", heard.ssrc)}
    first = rows[0]
    assert [(int(row[3]) - int(first[3])) & 0xFFFF for row in rows] == list(range(len(rows)))
    assert [(int(row[4]) - int(first[4])) & 0xFFFFFFFF for row in rows] == [160 * n for n in range(len(rows))]
    assert [row[5] in ("1", "True") for row in rows] == [True] + [False] * (len(rows) - 1)
    assert {len(row[6].replace(":", "")) for row in rows} == {2 * 160}


FORK = scenario(
    "desk: {answer: [{183: {media: tone}}, after: mobile sends 183, wait 200ms, 486]}\n"
    "mobile: {answer: [{183: {media: silence}}, after: desk sends 183, wait 200ms, 486]}",
    "alice: [486]\ndesk: [INVITE, ACK to 486]\nmobile: [INVITE, ACK to 486]",
)


@pytest.mark.needs_kamailio
def test_the_early_dialogs_of_a_fork_are_told_apart(tmp_path: Path) -> None:
    async def run() -> Result:
        async with open_session(Kamailio(), Options(stack="wire", records=tmp_path), [FORK]) as session:
            return await session.run(FORK)

    result = asyncio.run(run())
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    record = jsonl.read(Path(result.record_file))
    heard = {e.remote_tag: e for e in record.entries if isinstance(e, Media) and e.agent == "alice" and e.ended}
    sent = [e for e in record.entries if isinstance(e, Message) and e.direction == "sent"]
    tags = {e.agent: parse(e.data).to_tag for e in sent if parse(e.data).code == 183}
    assert heard[tags["desk"]].level == "tone"
    assert heard[tags["mobile"]].level == "silence"
    assert len({(e.remote, e.ssrc) for e in heard.values()}) == len(heard) == 2
