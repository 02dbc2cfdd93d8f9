"""A PBX that stands somewhere: a Kamailio that the tests start by hand, which the harness knows by a profile only."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sip_harness.net.authority import Authority
from sip_harness.systems.kamailio import find_binary
from sip_harness.systems.probe import free_port

CONFIG = Path(__file__).with_name("staging.cfg")
HOST = "127.0.0.1"
PASSWORD = "a-secret-of-staging"
_PATIENCE = 10.0
_ATTEMPTS = 3


_HUNTS = """\
  hunt:
    - dial: "700"
      members:
        - {{user: "121", password: $STAGING_PASSWORD}}
        - {{user: "122", password: $STAGING_PASSWORD}}
    - dial: "+493012345"
      carriers: [first, second]
carriers: {{first: "{host}:{first}", second: "{host}:{second}"}}
"""


class Staging:
    """Where it is and what it needs."""

    def __init__(self, port: int, trust: Path | None, carriers: tuple[int, int] = (0, 0)) -> None:
        self.port = port
        self.trust = trust
        self.carriers = carriers
        """Where it sends calls to its carriers."""

    def profile(self, directory: Path, more: str = "", guard: str = "calls per second: 1000") -> Path:
        """A profile of it, in that directory."""
        file = directory / "staging.system.yaml"
        first, second = self.carriers
        hunts = _HUNTS.format(host=HOST, first=first, second=second) if first else ""
        secure = f"transport: tls\ntrust: {self.trust}\n" if self.trust else ""
        file.write_text(
            f"""\
name: staging
kind: proxy
address: {HOST}:{self.port}
{secure}roles:
  alice: {{user: "100", password: $STAGING_PASSWORD}}
  carol: {{user: "103", password: $STAGING_PASSWORD}}
  bob:   {{user: "101", password: $STAGING_PASSWORD}}
  dora:  {{user: "102", password: $STAGING_PASSWORD}}
shapes:
  ring:
    - dial: "600"
      members:
        - {{user: "111", password: $STAGING_PASSWORD}}
        - {{user: "112", password: $STAGING_PASSWORD}}
    - dial: "603"
      members:
        - {{user: "113", password: $STAGING_PASSWORD}}
        - {{user: "114", password: $STAGING_PASSWORD}}
        - {{user: "115", password: $STAGING_PASSWORD}}
{hunts}policy: {{timers: {{transaction: 1s, ring: 3s}}}}
guard: {{{guard}}}
{more}"""
        )
        return file


@contextmanager
def staging(*, tls: bool = False) -> Iterator[Staging]:
    """Kamailio with digest (and TLS) on a free port of loopback."""
    directory = Path(tempfile.mkdtemp(prefix="staging-"))
    try:
        authority = Authority(directory) if tls else None
        certificate = authority.issue("system.pem") if authority is not None else None
        carriers = free_port(HOST), free_port(HOST)
        process, port = _start(directory, certificate, carriers)
        try:
            yield Staging(port, authority.certificate if authority is not None else None, carriers)
        finally:
            _end(process)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _start(directory: Path, certificate: Path | None, carriers: tuple[int, int]) -> tuple[subprocess.Popen[bytes], int]:
    """A process that answers, and its port: one that was free may be gone a moment later, so a few are tried."""
    for _ in range(_ATTEMPTS):
        port = free_port(HOST)
        log = directory / "log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                _command(directory, port, certificate, carriers), stdout=sink, stderr=sink, start_new_session=True
            )
        if _await(process, port, certificate is not None):
            return process, port
        _end(process)
    raise AssertionError(f"no Kamailio: {log.read_text(errors='replace')[-2000:]}")


def _command(directory: Path, port: int, certificate: Path | None, carriers: tuple[int, int]) -> list[str]:
    config = directory / "staging.cfg"
    config.write_text(CONFIG.read_text().replace("PORT_", str(port)))
    command = [find_binary(), "-f", str(config), "-DD", "-E", "-n", "1", "-N", "1", "-m", "32", "-M", "8"]
    command += ["-w", str(directory), "-Y", str(directory), "-P", f"{directory}/pid", "-A", f'PASSWORD="{PASSWORD}"']
    command += ["-A", f'FIRST="{carriers[0]}"', "-A", f'SECOND="{carriers[1]}"']
    if certificate is None:
        return [*command, "-l", f"udp:{HOST}:{port}", "-l", f"tcp:{HOST}:{port}"]
    return [*command, "-A", "TLS", "-A", f'CERTIFICATE="{certificate}"', "-l", f"tls:{HOST}:{port}"]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await(process: subprocess.Popen[bytes], port: int, tls: bool) -> bool:
    """Until it answers OPTIONS, or by TLS lets somebody in; False if it has ended or does not."""
    limit = time.monotonic() + _PATIENCE
    while time.monotonic() < limit and process.poll() is None:
        if _is_there(port, tls):
            return True
    return False


def _is_there(port: int, tls: bool) -> bool:
    if tls:
        with socket.socket() as sock:
            # To a port where nobody listens yet one may connect from that very port, and be one's own peer.
            return sock.connect_ex((HOST, port)) == 0 and sock.getsockname() != sock.getpeername()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((HOST, port))
        sock.settimeout(0.1)
        here = f"{HOST}:{sock.getsockname()[1]}"
        try:
            sock.send(
                f"OPTIONS sip:{HOST}:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKstaging\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:t@{here}>;tag=1\r\nTo: <sip:{HOST}>\r\nCall-ID: t@{here}\r\n"
                "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n".encode()
            )
            return sock.recv(4096).startswith(b"SIP/2.0")
        except OSError:
            return False
