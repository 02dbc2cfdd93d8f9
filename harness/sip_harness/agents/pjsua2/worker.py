"""A worker process: loads pjsua2 once, then is one agent after another.

Started by the pool as `python -m sip_harness.agents.pjsua2.worker FD TRACE`, where FD is its end of a socketpair and
TRACE is `tap` or `log`. It ends by itself when the other end closes.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import socket
import sys
import traceback
from contextlib import suppress

from sip_harness.agents.base import Assignment
from sip_harness.agents.pjsua2 import ipc
from sip_harness.agents.pjsua2.engine import Lease
from sip_harness.agents.pjsua2.library import Library
from sip_harness.agents.pjsua2.logtrace import LogTracing
from sip_harness.agents.pjsua2.lookups import forbid_lookups
from sip_harness.agents.pjsua2.selftest import check
from sip_harness.agents.pjsua2.stack import LOOPBACK, Tracing
from sip_harness.agents.pjsua2.stamps import NoStamps, keep_stamping
from sip_harness.agents.pjsua2.tap import TapTracing

_CHUNK = 65536


class Pipe:
    """The worker's end of the socketpair."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._lines = ipc.Lines()
        self._gone = False

    def fileno(self) -> int:
        """For select()."""
        return self._socket.fileno()

    def send(self, value: object) -> None:
        """Tell the runner. Raises ConnectionError once if it is gone; from then on nobody is told anything."""
        if self._gone:
            return
        try:
            self._socket.sendall(ipc.encode(value))
        except ConnectionError:
            self._gone = True
            raise

    def receive(self) -> list[object]:
        """Wait for commands. Raises ConnectionError if the runner is gone."""
        data = self._socket.recv(_CHUNK)
        if not data:
            self._gone = True
            raise ConnectionResetError("the runner has closed the pipe")
        return list(self._lines.feed(data))


class Worker:
    """Serves leases until it is told to quit."""

    def __init__(self, pipe: Pipe, trace: str) -> None:
        self._pipe = pipe
        self._library = Library()
        self._stamping, no_stamps = _keep_stamping()
        no_tap = check(self._library) if trace == "tap" else "the log was asked for"
        self._tap = not no_tap
        why = no_tap or no_stamps
        pipe.send(ipc.Hello("partial" if why else "full", why))

    def serve(self) -> None:
        """Take leases until `Quit`. Raises OSError when the runner goes away."""
        while True:
            commands = self._pipe.receive()
            for index, command in enumerate(commands):
                if isinstance(command, ipc.Quit):
                    return
                if isinstance(command, ipc.Lease):
                    self._be(command.assignment, commands[index + 1 :])
                    break

    def _refuse(self, assignment: Assignment) -> None:
        why = "the pjsua2 stack cannot be guarded with this library, so it is refused for external systems; use wire"
        self._pipe.send(ipc.Refused(f"{assignment.name}: {why}"))
        self._pipe.send(ipc.Ended())

    def _be(self, assignment: Assignment, early: list[object]) -> None:
        if assignment.guard is not None and not self._tap:
            self._refuse(assignment)
            return
        own = tuple(host.lower() for host in (assignment.bind or LOOPBACK, assignment.advertise) if host)
        tap = TapTracing(self._library, assignment.guard, assignment.system, own)
        tracing: Tracing = tap if self._tap else LogTracing()
        lease = Lease(assignment, self._library, tracing, self._pipe, early)
        try:
            lease.run()
        except BaseException:
            # Whatever went wrong: what is open on the wire is ended before the process is.
            with suppress(Exception):
                lease.end()
            raise
        lease.end()
        del lease
        gc.collect()
        self._pipe.send(ipc.Ended())


def _keep_stamping() -> tuple[socket.socket | None, str]:
    try:
        return keep_stamping(), ""
    except NoStamps as error:
        return None, str(error)


def main() -> int:
    """Serve until told to quit or until the runner is gone; anything else is a failure with its traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    forbid_lookups()
    fd, trace = sys.argv[1:]
    worker = Worker(Pipe(int(fd)), trace)
    gc.freeze()
    with suppress(ConnectionError):
        worker.serve()
    return 0


if __name__ == "__main__":
    try:
        status = main()
    except BaseException:  # noqa: BLE001 - said here, because nothing of the interpreter's own ending is to run
        traceback.print_exc()
        status = 1
    sys.stderr.flush()
    # The library's destructors abort when they run in the interpreter's order.
    os._exit(status)
