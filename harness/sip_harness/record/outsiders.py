"""Messages that neither the system nor an agent of the run can have sent: a port scan, another tester, a flood.

They come from an address that is not the system's and carry no name of the session. They are recorded, and matter to
nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sip_harness.model.entry import Address


class Outsiders:
    """Tells what outsiders wrote from the traffic of a run."""

    def __init__(self, system: Iterable[Address], session: str) -> None:
        """`system` is where the system listens; `session` begins every lease token of this process: whatever it is
        part of is ours."""
        self._system = frozenset(system)
        self._hosts = frozenset(host for host, _ in self._system)
        self._names = re.compile(rb"(?<![a-z0-9])" + re.escape(session.encode()) + rb"x\d", re.IGNORECASE)

    def wrote(self, data: bytes, remote: Address, transport: str) -> bool:
        """Whether an outsider wrote this message, or is the one whom it answers (a response repeats the names of its
        request). On a stream only the host tells: connections come from any port of the system."""
        if remote in self._system or (transport.lower() != "udp" and remote[0] in self._hosts):
            return False
        return self._names.search(data) is None
