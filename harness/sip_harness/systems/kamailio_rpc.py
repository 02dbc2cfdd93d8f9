"""Kamailio's remote control: JSON-RPC 2.0 in datagrams over a UNIX socket in its directory."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
from contextlib import suppress
from pathlib import Path

from sip_harness.systems.base import SystemFailed

SOCKET = "control"
"""Name of the socket in the directory that Kamailio runs in."""
_PATIENCE = 5.0
_LONGEST = 65_535
_PAUSE = 0.01  # between two changes of dispatcher sets


class Rpc:
    """One command at a time. Belongs to the event loop on which it is used."""

    def __init__(self, directory: Path) -> None:
        """Raises SystemFailed if there is no such socket."""
        self._ids = itertools.count(1)
        self._turn = asyncio.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            # Answers come to an address of the kernel's choice, that is no file (unix(7), autobind).
            self._socket.bind("")
            self._connect(directory)
        except OSError as error:
            self._socket.close()
            raise SystemFailed(f"no remote control at {directory / SOCKET}: {error}") from error

    def _connect(self, directory: Path) -> None:
        """By the directory's descriptor: the path of a socket has 107 bytes at most, a directory's may have more."""
        place = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self._socket.connect(f"/proc/self/fd/{place}/{SOCKET}")
        finally:
            os.close(place)

    def close(self) -> None:
        """No command after this."""
        self._socket.close()

    async def call(self, method: str, *parameters: str | int) -> object:
        """The result of a command. Raises SystemFailed if it is refused or there is no answer."""
        async with self._turn:
            return await self._call(method, parameters)

    async def change(self, method: str, *parameters: str | int) -> None:
        """A command that makes dispatcher copy its sets. It keeps the copy before for whoever still reads it, but not
        the one before that: so changes leave time to readers. Raises as `call`.
        """
        async with self._turn:
            await self._call(method, parameters)
            await asyncio.sleep(_PAUSE)

    async def _call(self, method: str, parameters: tuple[str | int, ...]) -> object:
        number = next(self._ids)
        command = {"jsonrpc": "2.0", "method": method, "params": parameters, "id": number}
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_PATIENCE):
                await loop.sock_sendall(self._socket, json.dumps(command).encode())
                while True:
                    answer = _parsed(await loop.sock_recv(self._socket, _LONGEST))
                    if answer.get("id") == number:
                        break
        except OSError as error:  # TimeoutError is one
            raise SystemFailed(f"kamailio does not obey {method}: {error or 'no answer'}") from error
        if "error" in answer:
            raise SystemFailed(f"kamailio refuses {method}{list(parameters)}: {answer['error']}")
        return answer.get("result")


def _parsed(data: bytes) -> dict[str, object]:
    with suppress(ValueError):
        if isinstance(answer := json.loads(data), dict):
            return answer
    return {}
