"""Link-layer frames around recorded messages, as capture files need them."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

from sip_harness.model.entry import Address

_UDP = 17
_MAX_UDP = 65_535 - 8
_MAX_UDP_IN_IPV4 = _MAX_UDP - 20
_PORT_TYPES = {"tcp": 2, "tls": 2, "ws": 2, "wss": 2, "sctp": 1}  # Wireshark's port_type; UDP is 3
_END, _DISSECTOR, _PORT_TYPE, _SOURCE_PORT, _TARGET_PORT = 0, 12, 24, 25, 26
_SOURCE_IP = {4: 20, 6: 22}
_TARGET_IP = {4: 21, 6: 23}

Ip = IPv4Address | IPv6Address


def udp_packet(source: Address, target: Address, data: bytes) -> bytes | None:
    """An IP packet with one UDP datagram (RFC 768, 791, 8200) and right checksums.

    None where there can be none: addresses that are no IP addresses of one family, or too many bytes.
    """
    here, there = _ip(source[0]), _ip(target[0])
    if here is None or there is None or here.version != there.version:
        return None
    if len(data) > (_MAX_UDP_IN_IPV4 if here.version == 4 else _MAX_UDP):
        return None
    head = struct.pack("!HHH", source[1], target[1], len(data) + 8)
    pseudo = here.packed + there.packed + struct.pack("!HH", _UDP, len(data) + 8)
    datagram = head + struct.pack("!H", checksum(pseudo + head + data)) + data
    return _ip_head(here, there, len(datagram)) + datagram


def exported_pdu(source: Address, target: Address, data: bytes, transport: str) -> bytes:
    """Data with the tags of Wireshark's exported PDU, which hands it to the SIP dissector whatever carried it."""
    tags = _tag(_DISSECTOR, b"sip")
    for (host, _), by_version in ((source, _SOURCE_IP), (target, _TARGET_IP)):
        if (ip := _ip(host)) is not None:
            tags += _tag(by_version[ip.version], ip.packed)
    tags += _number(_PORT_TYPE, _PORT_TYPES.get(transport, 3))
    tags += _number(_SOURCE_PORT, source[1]) + _number(_TARGET_PORT, target[1])
    return tags + _tag(_END, b"") + data


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071). Never 0, which to UDP would mean that there is none."""
    padded = data + bytes(len(data) % 2)
    return 0xFFFF - int.from_bytes(padded, "big") % 0xFFFF  # 2**16 is 1 modulo 0xFFFF: the remainder is the folded sum


def _ip_head(here: Ip, there: Ip, length: int) -> bytes:
    if here.version == 6:
        return struct.pack("!IHBB", 6 << 28, length, _UDP, 64) + here.packed + there.packed
    head = struct.pack("!BBHHHBB", 0x45, 0, length + 20, 0, 0x4000, 64, _UDP)
    addresses = here.packed + there.packed
    return head + struct.pack("!H", checksum(head + addresses)) + addresses


def _ip(host: str) -> Ip | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _tag(code: int, value: bytes) -> bytes:
    padded = value + bytes(-len(value) % 4)
    return struct.pack("!HH", code, len(padded)) + padded


def _number(code: int, value: int) -> bytes:
    return _tag(code, struct.pack("!I", value))
