"""What is the same for every socket."""

from __future__ import annotations

import ipaddress
import socket

from sip_harness.net.base import SendFailed

MAX_STUFFING = 64
"""Connections that fill the queue of a port at most."""


def family_of(host: str) -> socket.AddressFamily:
    """IPv6 or IPv4. Raises OSError for what is no address: names are not looked up."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError as error:
        raise OSError(f"{host} is no IP address") from error
    return socket.AF_INET6 if version == 6 else socket.AF_INET


def other_host(host: str) -> str:
    """Another address of loopback. Raises SendFailed if there is none: elsewhere a machine may have only one."""
    address = ipaddress.ip_address(host)
    if address.version == 6 or not address.is_loopback:
        raise SendFailed(f"there is no other address beside {host}: only IPv4's loopback has several")
    return str(address + (1 if int(address) % 256 < 254 else -1))


def stuff(listening: socket.socket) -> list[socket.socket]:
    """Fill the queue of a listening socket that nobody accepts from: the kernel drops every SYN that comes then, as a
    firewall would. The sockets that fill it; the queue stays full while they are open."""
    listening.listen(0)
    filling: list[socket.socket] = []
    while len(filling) < MAX_STUFFING:
        sock = socket.socket(listening.family, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.connect_ex(listening.getsockname())
        try:
            sock.getpeername()
        except OSError:  # the handshake does not come to an end: the queue is full
            sock.close()
            return filling
        filling.append(sock)
    return filling
