"""Times on streams against an independent witness: what dumpcap saw of the same segments."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from dumpcap import Capture, MayNotCapture, cannot, witnesses
from on_loop import on_loop
from streams import ends, options

from sip_harness.model.entry import Address, Message

pytestmark = pytest.mark.needs_tshark

NEAR = 1_000_000
"""Nanoseconds between two stamps that the kernel gives to one segment."""
ROUNDS = 30


def segments(file: Path, port: int) -> dict[tuple[int, int, bytes], int]:
    """Times of the segments from or to this port that carry bytes, by their ports and bytes."""
    fields = ["frame.time_epoch", "tcp.srcport", "tcp.dstport", "tcp.payload"]
    command = ["tshark", "-r", file, "-n", "-Y", f"tcp.port=={port} && tcp.len>0", "-Tjson"]
    command += [word for field in fields for word in ("-e", field)]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    found = {}
    for row in rows:
        time, source, target, payload = (row["_source"]["layers"][field][0] for field in fields)
        seconds, _, fraction = time.partition(".")
        at = int(seconds) * 1_000_000_000 + int(fraction.ljust(9, "0"))
        found[int(source), int(target), bytes.fromhex(payload.replace(":", ""))] = at
    return found


async def exchanged(host: str, place: Path) -> tuple[dict[tuple[int, int, bytes], int], list[Message]]:
    """What the witness saw of some requests and their echoes, and what both ends recorded. Raises WitnessMissed."""
    try:
        with Capture(place, "udp or tcp") as capture:
            async with ends(2, bind=(host, 0)) as (one, two):
                two.react = lambda m, hop: hop.transport.send(options(1000 + m.cseq[0]), hop.remote, "script")
                for number in range(ROUNDS):
                    one.stream.send(options(number), two.local, "script")
                    await one.have(number + 1)
                entries = [*one.sent, *one.received, *two.sent, *two.received]
                port = two.local[1]
    except MayNotCapture as error:
        cannot(f"capturing on loopback is not permitted: {error}")
    return segments(capture.file, port), entries


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@on_loop
async def test_times_are_those_of_the_wire(host: str, tmp_path: Path) -> None:
    for may_miss in witnesses():
        with may_miss:
            seen, entries = await exchanged(host, tmp_path)
            break
    assert len(entries) == 4 * ROUNDS
    for entry in entries:
        source, target = _way(entry.direction == "sent", entry.local, entry.remote)
        at = seen[source, target, entry.data]
        if entry.direction == "sent":
            assert entry.time <= at <= entry.time + entry.slack
        else:
            assert entry.slack == 0
            assert abs(entry.time - at) < NEAR


def _way(outward: bool, local: Address, remote: Address) -> tuple[int, int]:
    return (local[1], remote[1]) if outward else (remote[1], local[1])
