"""Where carriers of a run listen on a system that we start: loopback addresses that nobody else has."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterable

from sip_harness.model.entry import Address
from sip_harness.systems.probe import free_port

LOOPBACK = "127.0.0.1"


def carrier_addresses(names: Iterable[str]) -> dict[str, Address]:
    """An address for each, free at this moment. Raises OSError if there is none.

    Where all of 127/8 is loopback (RFC 1122 3.2.1.3 asks for it, Linux has it) each gets a host of its own at random,
    so that no two runs on a machine meet even if they pick at the same time; elsewhere a free port has to do.
    """
    return {name: (host, free_port(host)) for name in names for host in [_host()]}


def _host() -> str:
    if sys.platform != "linux":
        return LOOPBACK
    return ".".join(["127", *(str(1 + secrets.randbelow(254)) for _ in range(3))])
