"""Programs of others as the other side of an agent: run one to its end, or keep one for as long as it is needed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sip_harness.model.entry import Address
from sip_harness.systems.probe import free_port

HOST = "127.0.0.1"
PATIENCE = 20.0


@dataclass
class Program:
    """A program that runs, or has ended."""

    process: asyncio.subprocess.Process
    said_in: Path

    @property
    def said(self) -> str:
        """Its output so far."""
        return self.said_in.read_text(errors="replace")

    async def until(self, text: str) -> str:
        """Wait until it has said this. Returns all that it has said."""
        try:
            async with asyncio.timeout(PATIENCE):
                while text not in self.said and self.process.returncode is None:
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"it never said {text!r}, but:\n{self.said}") from None
        assert text in self.said, self.said
        return self.said

    async def end(self) -> int:
        """Wait for its end; its exit status."""
        try:
            return await asyncio.wait_for(self.process.wait(), PATIENCE)
        except TimeoutError:
            raise AssertionError(f"it does not end; it said:\n{self.said}") from None

    def type(self, data: bytes) -> None:
        """Write to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(data)


@contextlib.asynccontextmanager
async def program(folder: Path, *command: str | Path) -> AsyncIterator[Program]:
    """A program in this directory; killed at the end if it has not ended by itself."""
    said = folder / f"{Path(command[0]).name}.said"
    with said.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *map(str, command), cwd=folder, stdin=asyncio.subprocess.PIPE, stdout=output, stderr=output
        )
    try:
        yield Program(process, said)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until_listening(kind: str, port: int, running: Program) -> Address:
    """Wait until somebody has bound this port of loopback, and listens there if it is TCP."""
    wanted, table = f"0100007F:{port:04X}", Path(f"/proc/net/{'udp' if kind == 'udp' else 'tcp'}")
    try:
        async with asyncio.timeout(PATIENCE):
            while not any(_is_open(line.split(), wanted) for line in table.read_text().splitlines()):
                assert running.process.returncode is None, running.said
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"nobody listens on {port}:\n{running.said}") from None
    return HOST, port


def _is_open(row: Sequence[str], wanted: str) -> bool:
    return row[1] == wanted and row[3] in ("07", "0A")  # UDP: unconnected; TCP: LISTEN


def port() -> int:
    """A port that is free now."""
    return free_port(HOST)


def port_for_baresip() -> int:
    """A port that is free now, and the next one as well: it takes that for TLS."""
    while True:
        found = port()
        with contextlib.suppress(OSError, OverflowError), socket.create_server((HOST, found + 1)):
            return found


BARESIP = """module_path {modules}
sip_listen {host}:{port}
net_interface {host}
audio_player aubridge,nil
audio_source aubridge,nil
audio_alert aubridge,nil
module g711.so
module aubridge.so
module_app account.so
module_app menu.so
"""
"""Without a sound card, a terminal or another network than loopback."""


def baresip(folder: Path, transport: str, at: int, *execute: str) -> list[str | Path]:
    """Command line of a telephone that answers by itself, at this port; `execute` is what it does first."""
    modules = next(m for m in Path("/usr").glob("lib*/**/baresip/modules") if m.is_dir())
    (folder / "config").write_text(BARESIP.format(modules=modules, host=HOST, port=at))
    (folder / "accounts").write_text(f"<sip:bare@{HOST};transport={transport}>;regint=0;answermode=auto\n")
    (folder / "contacts").touch()
    return ["baresip", "-f", folder, *(word for line in execute for word in ("-e", line))]
