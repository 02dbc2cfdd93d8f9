"""dumpcap as a witness of what is on the wire, and tshark as its reader."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import pytest
from outside import PATIENCE, until

from sip_harness.model.entry import Address

ANYWHERE_ELSE = "udp and not (src net 127.0.0.0/8 and dst net 127.0.0.0/8)"
_FIELDS = (
    "frame.number", "frame.interface_name", "frame.time_epoch", "frame.protocols", "ip.src", "udp.srcport", "ip.dst",
    "udp.dstport", "udp.payload", "_ws.malformed",
)  # fmt: skip


class MayNotCapture(Exception):
    """This user may not capture on loopback; the message is dumpcap's own."""


class WitnessMissed(Exception):
    """The kernel had more than dumpcap could take, so its capture proves nothing; the message is dumpcap's own."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One UDP datagram as the kernel showed it to dumpcap and tshark decoded it."""

    number: int
    interface: str
    time: int
    """Kernel's time, nanoseconds since the epoch."""
    source: Address
    destination: Address
    data: bytes
    is_sip: bool
    """Whether tshark takes it for SIP."""
    is_malformed: bool
    """Whether tshark finds anything in it that it cannot decode."""


class Capture:
    """All UDP datagrams on loopback, and those that go anywhere else, for as long as the context is entered."""

    def __init__(self, place: Path, of: str = "udp") -> None:
        """Files go to the directory `place`; `of` is the filter on loopback and has to let UDP through."""
        self._of = of
        self.file = place / "wire.pcapng"
        self._said = place / "dumpcap"

    def __enter__(self) -> Capture:
        """Returns once datagrams are truly caught. Raises MayNotCapture."""
        interfaces = ["-i", "lo", "-f", self._of, "-i", "any", "-f", ANYWHERE_ELSE]
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                ["dumpcap", "-q", "-s", "65535", "-B", "64", *interfaces, "-w", str(self.file)],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        try:
            until(self._began, "dumpcap says that it captures")
            self._until_caught()
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the capture once everything that was sent so far is in it. Raises WitnessMissed."""
        try:
            if error is None:
                self._until_caught()
        finally:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(PATIENCE)
        if error is None:
            self.refuse_drops()

    @property
    def said(self) -> str:
        """What dumpcap said."""
        return self._said.read_text(errors="replace")

    def packets(self, system: Address, agents: Iterable[Address]) -> list[Packet]:
        """All datagrams from or to these ports in the order of their times, those of the system decoded as SIP.

        There are many others where tests run side by side.
        """
        ports = ",".join(str(port) for port in sorted({system[1], *(port for _, port in agents)}))
        tshark = ["tshark", "-n", "-r", str(self.file), "-Y", f"udp.port in {{{ports}}}", "-T", "ek"]
        tshark += ["-d", f"udp.port=={system[1]},sip"]
        command = [*tshark, *(word for field in _FIELDS for word in ("-e", field))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return sorted((_packet(line["layers"]) for line in lines if "layers" in line), key=lambda p: p.time)

    def refuse_drops(self) -> None:
        """Raises WitnessMissed if something is not in the file, by what dumpcap said in the end."""
        lines = re.findall(r"received/dropped on interface .*?: \d+/\d+ \((.*?)\)", self.said)
        assert lines, f"dumpcap does not say whether it dropped anything: {self.said}"
        # What it flushes at its end is later than the datagram of ours that was waited for.
        dropped = [re.sub(r"/?flushed:\d+", "", line) for line in lines]
        if any(int(count) for line in dropped for count in re.findall(r":(\d+)", line)):
            raise WitnessMissed(self.said.strip())

    def _began(self) -> bool:
        if self._process.poll() is not None:
            raise MayNotCapture(self.said.strip())
        return "Capturing on" in self.said

    def _until_caught(self) -> None:
        """Send datagrams to a port of our own until one of them is in the file."""
        mark = secrets.token_hex(16).encode()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))

            def caught() -> bool:
                sock.sendto(mark, sock.getsockname())
                return self.file.exists() and mark in self.file.read_bytes()

            until(caught, "a datagram of our own is in the capture")


def witnesses() -> Iterator[AbstractContextManager[None]]:
    """For attempts of which one has to be captured whole, however much the machine has to do besides."""
    yield suppress(WitnessMissed)
    yield suppress(WitnessMissed)
    yield nullcontext()


def cannot(why: str) -> NoReturn:
    """Skip the test; where nothing may be skipped, fail it."""
    if os.environ.get("SIP_HARNESS_NO_SKIPS"):
        pytest.fail(f"{why}, and nothing may be skipped here")
    pytest.skip(why)


def _packet(layers: dict[str, list[str]]) -> Packet:
    number, interface, time, protocols, source, from_port, destination, to_port, payload = (
        layers.get(field.replace(".", "_"), [""])[0] for field in _FIELDS[:-1]
    )
    return Packet(
        int(number),
        interface,
        _nanoseconds(time),
        (source, int(from_port or 0)),
        (destination, int(to_port or 0)),
        bytes.fromhex(payload.replace(":", "")),
        "sip" in protocols.split(":"),
        "_ws_malformed" in layers,
    )


def _nanoseconds(text: str) -> int:
    seconds, _, fraction = text.partition(".")
    return int(seconds) * 1_000_000_000 + int(fraction.ljust(9, "0")[:9])
