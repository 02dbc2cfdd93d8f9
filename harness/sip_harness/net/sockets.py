"""What is the same for every socket."""

from __future__ import annotations

import ipaddress
import socket


def family_of(host: str) -> socket.AddressFamily:
    """IPv6 or IPv4. Raises OSError for what is no address: names are not looked up."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError as error:
        raise OSError(f"{host} is no IP address") from error
    return socket.AF_INET6 if version == 6 else socket.AF_INET
