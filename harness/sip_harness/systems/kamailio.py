"""Debian's Kamailio as registrar, forking and hunting proxy, started on loopback for as long as it is wanted."""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from sip_harness.model.entry import Address, Exit, Log
from sip_harness.model.scenario import Scenario
from sip_harness.model.system import SystemInfo
from sip_harness.net import authority
from sip_harness.net.authority import AGENTS, CA, SYSTEM
from sip_harness.net.base import host_port
from sip_harness.systems.accounts import fresh_users
from sip_harness.systems.base import Binding, Lease, SystemFailed, Watch
from sip_harness.systems.kamailio_carriers import Carriers, check_carriers
from sip_harness.systems.kamailio_rpc import Rpc
from sip_harness.systems.kamailio_settings import FAULTS, Settings, capabilities, name_of
from sip_harness.systems.kept import TAIL, Kept
from sip_harness.systems.names import check_names
from sip_harness.systems.probe import free_port, until_answer, until_answer_on_tcp
from sip_harness.systems.watches import Watches

HOST, HOST6 = "127.0.0.1", "::1"
PASSWORD = "loopback-only"  # noqa: S105 - of made-up users on a system that only this machine reaches
DEFAULTS = Settings()
_CONFIG = Path(__file__).with_name("kamailio.cfg")
_ALSO = ("/usr/sbin", "/usr/local/sbin")  # not on every user's PATH
_ATTEMPTS = 5
_PATIENCE = 10.0
_GRACE = 0.1  # it ends within some milliseconds, and has nothing that an orderly end would save
_FIRST_ERRORS = 3
_MOST_LINES = 10_000
_ERROR = re.compile(r"\b(ERROR|CRITICAL)\b")
_IN_USE = "Address already in use"
_NO_MODULE = re.compile(r"could not find module <(?:\S*/)?(\w+)>")
_PACKAGES = {"tls": "kamailio-tls-modules", "websocket": "kamailio-websocket-modules"}


class Ports(NamedTuple):
    """Where it listens."""

    plain: int
    """UDP and TCP."""
    tls: int


class Kamailio:
    """Kamailio with our configuration: rings devices at once or in turn, routes to carriers in turn; with or
    without digest, TLS and WebSocket.

    It may be started again after `stop`, and belongs to the event loop that started it.
    """

    def __init__(
        self,
        *,
        digest: bool = False,
        tls: bool = False,
        ws: bool = False,
        faults: Sequence[str] = (),
        settings: Settings = DEFAULTS,
    ) -> None:
        """`ws` has TLS as well, for secure WebSockets. Raises UnknownName for a fault that it does not have."""
        self.name = name_of(digest, tls, ws)
        self._digest = digest
        self._tls = tls or ws
        self._ws = ws
        self._faults = check_names("fault", faults, FAULTS)
        self._settings = settings
        self._info: SystemInfo | None = None
        self._kept: Kept | None = None
        self._rpc: Rpc | None = None
        self._carriers: Carriers | None = None
        self._guard: asyncio.Task[None] | None = None
        self._watches = Watches()
        self._said: list[str] = []
        """Its log while it starts."""

    @property
    def info(self) -> SystemInfo:
        """Known after `start`, and still after `stop`; before, raises SystemFailed."""
        if self._info is None:
            raise SystemFailed(f"{self.name} has not been started")
        return self._info

    async def start(self) -> None:
        """Start on a free port of loopback, the same for UDP and TCP, and wait until it answers OPTIONS.

        Raises SystemFailed with the reason; nothing runs then.
        """
        if self._kept is not None:
            raise SystemFailed(f"{self.name} has already been started")
        binary = find_binary()
        version = await asyncio.to_thread(version_of, binary)
        try:
            ports = await self._start_somewhere(binary)
            self._rpc = self._control()
        except BaseException:
            await self.stop()
            raise
        self._carriers = Carriers(self._rpc)
        directory = self._directory
        self._info = SystemInfo(
            name=self.name,
            kind="proxy",
            address=(self._host, ports.plain),
            # A Request-URI that the proxy knows for its own needs the port (RFC 3261 19.1.4).
            domain=host_port((self._host, ports.plain)),
            policy=self._settings.policy(self._digest),
            capabilities=self._capabilities(),
            addresses=self._addresses(ports),
            trust=str(directory / CA) if self._tls else "",
            certificate=str(directory / AGENTS) if self._tls else "",
            faults=self._faults,
            versions={"kamailio": version},
            password=PASSWORD if self._digest else "",
        )

    @property
    def _host(self) -> str:
        return HOST6 if self._settings.ipv6 else HOST

    def _capabilities(self) -> frozenset[str]:
        """Carriers have addresses of 127/8."""
        over_ipv4 = {"carriers", "stays-after-ringing", "probing", "damped-probing"} if self._settings.ipv6 else set()
        damped = {"damped-probing"} if self._settings.probes_in_a_row >= 3 else set()
        return (capabilities(self._digest, self._tls, self._ws) | damped) - over_ipv4

    def _control(self) -> Rpc:
        try:
            return Rpc(self._directory)
        except SystemFailed as error:
            raise SystemFailed(self._explain(f"has {error}", 1)) from error

    def _addresses(self, ports: Ports) -> dict[str, Address]:
        plain, secure = ["tcp", *(["ws"] if self._ws else [])], ["tls", *(["wss"] if self._ws else [])]
        found: dict[str, Address] = dict.fromkeys(plain, (self._host, ports.plain))
        return found | {name: (self._host, ports.tls) for name in secure if self._tls}

    @property
    def _directory(self) -> Path:
        assert self._kept is not None
        assert self._kept.directory is not None
        return self._kept.directory

    async def _start_somewhere(self, binary: str) -> Ports:
        """Try free ports in turn, because one that was free may be gone a moment later."""
        for attempt in range(1, _ATTEMPTS + 1):
            self._said.clear()
            kept = self._kept = Kept(self._log, grace=_GRACE)
            try:
                ports = Ports(free_port(self._host), free_port(self._host))
                problem = await self._try(kept, binary, ports)
            except OSError as error:
                raise SystemFailed(f"{self.name} could not be started: {error}") from error
            if not problem:
                self._guard = asyncio.create_task(self._report_exit(kept))
                return ports
            await self.stop()
            if attempt == _ATTEMPTS or not any(_IN_USE in line for line in self._said):
                raise SystemFailed(self._explain(problem, attempt))
        raise AssertionError("the last attempt returns or raises")

    async def _try(self, kept: Kept, binary: str, ports: Ports) -> str:
        """Start it there. Empty once it is ready, else what is wrong; raises OSError if no process can start."""
        instance = secrets.token_hex(8)
        await kept.start(self._command(binary, ports, instance))
        ready = asyncio.ensure_future(_until_ready((self._host, ports.plain), instance))
        end = asyncio.ensure_future(kept.ended())
        try:
            done, _ = await asyncio.wait((ready, end), timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
            if end in done:
                return "ended while starting"
            if ready not in done:
                return f"did not answer within {_PATIENCE:g}s"
            error = ready.exception()
            return f"did not answer as it should ({error})" if error else ""
        finally:
            for task in (ready, end):
                task.cancel()
            await asyncio.gather(ready, end, return_exceptions=True)

    def _command(self, binary: str, ports: Ports, instance: str) -> list[str]:
        defines = {
            "INSTANCE": instance,
            **dict(self._settings.defines()),
            **({"DIGEST": "", "PASSWORD": f'"{PASSWORD}"'} if self._digest else {}),
            **({"TLS": "", "CERTIFICATE": f'"{{dir}}/{SYSTEM}"', "AUTHORITY": f'"{{dir}}/{CA}"'} if self._tls else {}),
            **({"WEBSOCKET": ""} if self._ws else {}),
            **{fault.replace("-", "_").upper(): "" for fault in self._faults},
        }
        command = [binary, "-f", str(_CONFIG), "-DD", "-E", "-w", "{dir}", "-Y", ".", "-P", "{dir}/pid"]
        # One worker: it takes messages in the order in which they came, so none overtakes another inside the system.
        command += ["-n", "1", "-N", "1", "-m", "64", "-M", "8" if self._tls else "4"]
        plain = host_port((self._host, ports.plain))
        command += ["-l", f"udp:{plain}", "-l", f"tcp:{plain}"]
        if self._tls:
            command += ["-l", f"tls:{host_port((self._host, ports.tls))}"]
            command = [sys.executable, "-I", "-S", authority.__file__, "{dir}", self._host, "--", *command]
        for name, value in defines.items():
            command += ["-A", f"{name}={value}" if value else name]
        return command

    async def stop(self) -> None:
        """Stop it and wait until its processes, port and directory are gone. Never raises; may be repeated."""
        kept, self._kept = self._kept, None
        rpc, self._rpc, self._carriers = self._rpc, None, None
        if rpc is not None:
            rpc.close()
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.cancel()
        if kept is not None:
            await kept.stop()

    def processes(self) -> Sequence[int]:
        """Those of Kamailio."""
        return self._kept.processes() if self._kept is not None else ()

    def bind(self, scenario: Scenario, lease: Lease) -> Binding:
        """Fresh users for one run. Raises CannotBind with what is missing, SystemFailed before `start`."""
        binding = fresh_users(scenario, lease, self.info)
        check_carriers(scenario, self.name)
        return binding

    async def admit(self, scenario: Scenario, lease: Lease, binding: Binding) -> None:
        """Route to the carriers of the run; the rest needs nothing, every run has users of its own."""
        if self._carriers is None:
            raise SystemFailed(f"{self.name} is not running")
        await self._carriers.admit(scenario, lease, binding)

    async def release(self, lease: Lease) -> None:
        """Take down the routes to its carriers; the devices have unregistered."""
        if self._carriers is not None:
            await self._carriers.release(lease)

    def watch(self, sink: Watch) -> Callable[[], None]:
        """Hand every log line, and an exit that nobody asked for, to `sink` until the returned function is called."""
        return self._watches.add(sink)

    def _explain(self, problem: str, attempts: int) -> str:
        """What was wrong, its first errors (others follow from them) and its last lines."""
        tries = f" (attempt {attempts})" if attempts > 1 else ""
        last = self._said[-TAIL:]
        first = [line for line in self._said[:-TAIL] if _ERROR.search(line)][:_FIRST_ERRORS]
        missing = dict.fromkeys(found[1] for line in self._said if (found := _NO_MODULE.search(line)))
        remedies = [
            f"Its module {m} is missing: install Debian's package {_PACKAGES.get(m, 'kamailio')}." for m in missing
        ]
        lines = [*first, *(["[...]"] if len(self._said) > len(last) else []), *(last or ("(none)",)), *remedies]
        return "\n  ".join([f"{self.name} {problem}{tries}; its last log lines:", *lines])

    def _log(self, line: Log) -> None:
        if self._rpc is None and len(self._said) < _MOST_LINES:
            self._said.append(line.text)
        if self._kept is None:  # what it says while it is being stopped
            return
        self._watches.tell(line)

    async def _report_exit(self, kept: Kept) -> None:
        await kept.ended()
        known = kept.status is not None
        last = kept.tail if known else (*kept.tail, "(its keeper was killed, how it ended is not known)")
        self._watches.tell(Exit(time.time_ns(), "", kept.status if kept.status is not None else -9, last))


async def _until_ready(system: Address, instance: str) -> None:
    """Kamailio forks its TCP processes last and answers on UDP before. In between it is not quite there: a process that
    gets its SIGTERM while being forked misses it, and the main process then waits for that one in vain.
    """
    await until_answer(system, instance)
    await until_answer_on_tcp(system, instance)


def find_binary() -> str:
    """Path of the kamailio program. Raises SystemFailed with the remedy."""
    found = shutil.which("kamailio")
    for directory in _ALSO:
        found = found or shutil.which("kamailio", path=directory)
    if found is None:
        raise SystemFailed(f"no kamailio on PATH or in {' or '.join(_ALSO)}: install Debian's package kamailio")
    return found


@lru_cache(maxsize=8)
def version_of(binary: str) -> str:
    """Version that the program states, or `unknown`."""
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run([binary, "-v"], capture_output=True, timeout=_PATIENCE, check=False, text=True)
        if match := re.search(r"^version: kamailio (\S+)", done.stdout, re.MULTILINE):
            return match[1]
    return "unknown"
