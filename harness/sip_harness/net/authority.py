"""Certificates for TLS in tests, made when they are needed and valid for two days.

They are made by the `openssl` program (3.0 or newer), which every Debian machine has and which takes some 10 ms for
one: the Python packages that could do it (cryptography, trustme) would put a compiled library of many megabytes on
everybody who never uses TLS.

Run as a program, `python -I -S authority.py DIRECTORY HOST... -- COMMAND...`, it makes an authority and two
certificates in DIRECTORY (ca.pem, system.pem, agents.pem), then becomes COMMAND. So whoever removes the directory
after the command leaves no key behind. It imports only what starts fast.
"""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

DAYS = 2
HERE = ("127.0.0.1", "::1", "localhost")
"""What the certificates of this machine are for, unless said otherwise."""
CA, SYSTEM, AGENTS = "ca.pem", "system.pem", "agents.pem"
"""Files that the program makes: the authority's certificate; certificate and key of the system and of the agents."""
_CONFIG = "[req]\ndistinguished_name=name\n[name]\n"  # none of the machine's own settings
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_PATIENCE = 20.0


class NoCertificate(OSError):
    """A certificate could not be made: no openssl program, or it refuses."""


class Authority:
    """A certificate authority in a directory; `certificate` is the file that others have to trust."""

    def __init__(self, directory: Path, name: str = "sip-harness") -> None:
        """Make a new one: key and certificate. Raises NoCertificate."""
        self.certificate = directory / CA
        self._key = directory / "ca.key"
        self._directory = directory
        usage = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
        _request(name, self.certificate, self._key, usage)
        self._key.chmod(0o600)

    def issue(self, file: str, hosts: tuple[str, ...] = HERE) -> Path:
        """Certificate and key for these host names and addresses, in one file of that name. Raises NoCertificate."""
        path = self._directory / file
        path.touch(0o600)
        by = ("-CA", str(self.certificate), "-CAkey", str(self._key))
        _request(hosts[0], path, path, (_names(hosts), *_LEAF), by)
        return path


_LEAF = ("basicConstraints=critical,CA:FALSE", "extendedKeyUsage=serverAuth,clientAuth")


@lru_cache(maxsize=1)
def self_signed() -> bytes:
    """Key and certificate that no authority vouches for; made once per process. Raises NoCertificate."""
    return _request("sip-harness", None, None, (_names(HERE), *_LEAF))


def _names(hosts: tuple[str, ...]) -> str:
    return "subjectAltName=" + ",".join(f"{'IP' if _is_address(host) else 'DNS'}:{host}" for host in hosts)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _request(
    name: str, certificate: Path | None, key: Path | None, extensions: tuple[str, ...], more: tuple[str, ...] = ()
) -> bytes:
    """One certificate with a new key; into the files, or both out as they are."""
    command = ["openssl", "req", "-config", "/dev/stdin", "-x509", "-days", str(DAYS), "-subj", f"/CN={name}"]
    command += [*_KEY, "-keyout", str(key or "-"), "-out", str(certificate or "-"), *more]
    for extension in extensions:
        command += ["-addext", extension]
    try:
        done = subprocess.run(command, input=_CONFIG.encode(), capture_output=True, timeout=_PATIENCE, check=False)
    except FileNotFoundError as error:
        raise NoCertificate("no openssl program on PATH: install Debian's package openssl") from error
    except subprocess.TimeoutExpired as error:
        raise NoCertificate(f"openssl made no certificate within {_PATIENCE:g} s") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
        raise NoCertificate(f"openssl made no certificate: {' / '.join(said)}")
    return done.stdout


def main(arguments: list[str]) -> None:
    """Entry point of the program."""
    cut = arguments.index("--")
    directory, *hosts = arguments[:cut]
    try:
        authority = Authority(Path(directory))
        for file in (SYSTEM, AGENTS):
            authority.issue(file, tuple(hosts) or HERE)
    except NoCertificate as error:
        sys.exit(str(error))
    command = arguments[cut + 1 :]
    os.execvp(command[0], command)  # noqa: S606 - no shell on purpose


if __name__ == "__main__":
    main(sys.argv[1:])
