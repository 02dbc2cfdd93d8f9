"""The last will of agents: what is sent to a system that is elsewhere should this process be killed in mid-call.

There nobody would end the call, and on a PBX a leg that nobody ends may stand for hours. A small process outlives this
one and does it; see `executor`. Who ends in order leaves nothing to be done.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from sip_harness.agents.base import Assignment
from sip_harness.endpoint.ua import UserAgent
from sip_harness.model.entry import Address
from sip_harness.sip.transaction import cancel_for
from sip_harness.sip.transaction_tables import State

_EXECUTOR = Path(__file__).with_name("executor.py")
_PATIENCE = 1.0


class Wills:
    """Those of all agents of this process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Have the executor ready, before a call could be delayed by that. Never raises: without it a process that is
        killed leaves its calls behind."""
        if self._process is None:
            command = [sys.executable, "-I", "-S", str(_EXECUTOR)]
            with suppress(OSError):
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
                )

    def put(self, key: str, will: dict[str, object] | None) -> None:
        """Have this done under that key; None: nothing any more. Never raises."""
        if self._process is None or self._process.stdin is None:
            return
        with suppress(OSError):
            self._process.stdin.write(json.dumps({"key": key, **(will or {})}).encode() + b"\n")
            self._process.stdin.flush()

    def close(self) -> None:
        """All is in order: the executor ends."""
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        with suppress(OSError):
            process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)


class Will:
    """One agent's: BYE for every call that is up, CANCEL for every one that rings."""

    def __init__(self, wills: Wills, assignment: Assignment, host: str) -> None:
        """`host` is the local address."""
        wills.start()
        self._wills = wills
        self._assignment = assignment
        self._host = host
        self._made: dict[str, object] = {}
        """What each request depends on: it is made anew when that changes."""

    def update(self, ua: UserAgent) -> None:
        """Say what would have to be sent now."""
        wanted: dict[str, object] = {}
        for leg in ua.legs.values():
            if leg.is_up:
                dialog = leg.dialog
                key, hop = "/".join(dialog.id), dialog.next_hop()
                wanted[key] = (dialog.local_seq, dialog.target)
                if self._made.get(key) != wanted[key]:
                    self._put(key, dialog.request("BYE", [], seq=dialog.local_seq + 1), hop.remote)
        for client in ua.layer.clients.values():
            if client.request.method == "INVITE" and client.transaction.state is State.PROCEEDING:
                key = client.request.branch
                wanted[key] = True
                if key not in self._made:
                    self._put(key, cancel_for(client.request), client.hop.remote)
        for key in self._made.keys() - wanted.keys():
            self._wills.put(self._name(key), None)
        self._made = wanted

    def revoke(self) -> None:
        """Nothing is left to be done."""
        for key in self._made:
            self._wills.put(self._name(key), None)
        self._made = {}

    def _put(self, key: str, data: bytes, remote: Address) -> None:
        part = self._assignment
        if part.transport in ("udp", "tcp", "tls"):
            self._wills.put(
                self._name(key),
                {
                    "data": base64.b64encode(data).decode(),
                    "by": part.transport,
                    "from": self._host,
                    "to": list(remote),
                    "trust": part.trust,
                    "name": part.certified,
                },
            )

    def _name(self, key: str) -> str:
        return f"{self._assignment.token} {self._assignment.name} {key}"
