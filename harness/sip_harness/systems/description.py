"""What a profile says of a system that is elsewhere, in the terms of a run: its addresses, looked up, and what the
guard lets through to it."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress

from sip_harness.model.entry import Address
from sip_harness.model.guard import GuardRules
from sip_harness.model.profile import Account, Profile
from sip_harness.model.system import SystemInfo
from sip_harness.net.base import host_port
from sip_harness.systems.base import SystemFailed


async def describe(profile: Profile) -> SystemInfo:
    """The system as the profile has it, its hosts looked up. Raises SystemFailed for one that is not known."""
    address = await _resolved(profile.address)
    proxy = await _resolved(profile.outbound_proxy) if profile.outbound_proxy else address
    hosts = {address[0], proxy[0]}
    for host in (*profile.guard.hosts, *(host for host, _ in profile.others.values())):
        hosts.add((await _resolved((host, 0)))[0])
    named = profile.outbound_proxy or profile.address
    return SystemInfo(
        name=profile.name,
        kind=profile.kind,
        address=proxy,
        domain=profile.domain,
        policy=profile.policy,
        capabilities=profile.capabilities,
        addresses=await _addresses(profile, proxy),
        trust=profile.trust,
        transport=profile.transport,
        bind=profile.bind or _towards(proxy),
        advertise=profile.advertise,
        certified=named[0],
        guard=rules(profile, hosts),
        pace=profile.guard.calls_per_second,
    )


async def _addresses(profile: Profile, address: Address) -> dict[str, Address]:
    """By transport other than UDP. An outbound proxy takes everything that has no address of its own."""
    host = profile.outbound_proxy[0] if profile.outbound_proxy else profile.address[0]
    found: dict[str, Address] = {}
    for transport, (at, port) in profile.others.items():
        found[transport] = await _resolved((host if at == profile.address[0] else at, port))
    if profile.transport != "udp":
        found[profile.transport] = address
    return found


def rules(profile: Profile, hosts: Iterable[str] = ()) -> GuardRules:
    """What the profile lets through; `hosts` are the IP addresses behind the names in it."""
    guard = profile.guard
    proxy = [profile.outbound_proxy[0]] if profile.outbound_proxy else []
    domain = profile.domain.rpartition(":")[0] if profile.domain.rpartition(":")[2].isdigit() else profile.domain
    # A redirection whose author leaves its Contact open names 127.0.0.1: nobody elsewhere is reached by that.
    further = (host for host, _ in profile.others.values())
    names = {domain.strip("[]"), profile.address[0], *proxy, *further, *guard.hosts, "127.0.0.1"}
    return GuardRules(
        hosts=frozenset(hosts),
        names=frozenset(name.lower() for name in names),
        numbers=guard.numbers,
        premium=guard.premium,
        emergency=guard.emergency,
        accounts=frozenset(account.user for account in _accounts(profile)),
    )


def _accounts(profile: Profile) -> Iterator[Account]:
    for role in profile.roles:
        yield from profile.accounts_of(role)
    for group in profile.groups:
        yield from group.members


async def _resolved(address: Address) -> Address:
    """The IP address of a host that the profile names: the only names that are ever looked up. Raises SystemFailed."""
    host, port = address
    with suppress(ValueError):
        return str(ipaddress.ip_address(host)), port
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError as error:
        raise SystemFailed(f"host {host} of the profile is not known: {error.strerror or error}") from error
    return str(found[0][4][0]), port


def _towards(remote: Address) -> str:
    """The local address that the machine would use; nothing is sent to find out. Raises SystemFailed."""
    family = socket.AF_INET6 if ":" in remote[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(remote)
        except OSError as error:
            raise SystemFailed(f"there is no way to {host_port(remote)}: {error.strerror}") from error
        return str(sock.getsockname()[0])
