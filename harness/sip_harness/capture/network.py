"""Datagrams and stream segments out of frames: link layers, IP with its fragments, UDP and TCP.

What is neither, or damaged, is passed over: a capture holds much that is none of our business.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from sip_harness.capture.files import Frame
from sip_harness.capture.packets import Packet
from sip_harness.model.entry import Address

_NULL, _ETHERNET, _LOOP, _SLL, _SLL2, _UPPER_PDU = 0, 1, 108, 113, 276, 252
_RAW = (12, 14, 101, 228, 229)
_IPV4, _IPV6, _VLANS = 0x0800, 0x86DD, (0x8100, 0x88A8, 0x9100)
_TCP, _UDP, _FRAGMENT = 6, 17, 44
_EXTENSIONS = (0, 43, 60)
"""Headers of IPv6 that may stand before the transport's: hop-by-hop, routing, destination options."""
_MAX_FRAGMENTS = 64
_MAX_UNFINISHED = 256
"""Datagrams of which fragments are kept."""
_SYN = 2
_END, _SOURCE_IPS, _TARGET_IPS, _PORT_TYPE, _SOURCE_PORT, _TARGET_PORT = 0, (20, 22), (21, 23), 24, 25, 26


_Unfinished = dict[tuple[object, ...], dict[int, tuple[bytes, bool]]]
"""Fragments by datagram and offset, with whether more follow."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a TCP stream."""

    time: int
    source: Address
    target: Address
    number: int
    """Sequence number of its first byte."""
    begins: bool
    """Whether it opens the connection (SYN)."""
    data: bytes


def units(frames: Iterable[Frame]) -> Iterator[Packet | Segment]:
    """Datagrams and segments in the order of the frames."""
    fragments: _Unfinished = {}
    for frame in frames:
        found: Packet | Segment | None = None
        try:
            if frame.link == _UPPER_PDU:
                found = _exported(frame)
            else:
                packet = _ip_of(frame)
                if packet is not None:
                    found = _transport(frame.time, _datagram(packet, fragments))
        except (struct.error, IndexError, ValueError):  # cut off by the snapshot length, or no such packet at all
            continue
        if found is not None:
            yield found


def _ip_of(frame: Frame) -> bytes | None:
    """The IP packet in a frame."""
    data = frame.data
    if frame.link in _RAW:
        return data
    if frame.link in (_NULL, _LOOP):
        return data[4:]
    if frame.link == _ETHERNET:
        at, kind = 14, int.from_bytes(data[12:14], "big")
        while kind in _VLANS:
            at, kind = at + 4, int.from_bytes(data[at + 2 : at + 4], "big")
    elif frame.link == _SLL:
        at, kind = 16, int.from_bytes(data[14:16], "big")
    elif frame.link == _SLL2:
        at, kind = 20, int.from_bytes(data[0:2], "big")
    else:
        return None
    return data[at:] if kind in (_IPV4, _IPV6) else None


@dataclass(frozen=True, slots=True)
class _Ip:
    protocol: int
    source: str
    target: str
    payload: bytes


def _datagram(packet: bytes, fragments: _Unfinished) -> _Ip | None:
    """A whole IP datagram; None while fragments of it are missing (RFC 791 3.2, RFC 8200 4.5)."""
    if packet[0] >> 4 == 4:
        return _v4(packet, fragments)
    if packet[0] >> 4 == 6:
        return _v6(packet, fragments)
    return None


def _v4(packet: bytes, fragments: _Unfinished) -> _Ip | None:
    length, number, flags = struct.unpack_from("!HHH", packet, 2)
    begin, protocol = (packet[0] & 15) * 4, packet[9]
    source, target = str(ip_address(packet[12:16])), str(ip_address(packet[16:20]))
    # A length of 0 is what a network card with segmentation offload leaves.
    payload = packet[begin : length or len(packet)]
    offset, more = (flags & 0x1FFF) * 8, bool(flags & 0x2000)
    if offset or more:
        whole = _assembled(fragments, (source, target, protocol, number), offset, payload, more=more)
        return None if whole is None else _Ip(protocol, source, target, whole)
    return _Ip(protocol, source, target, payload)


def _v6(packet: bytes, fragments: _Unfinished) -> _Ip | None:
    length, protocol = struct.unpack_from("!HB", packet, 4)
    source, target = str(ip_address(packet[8:24])), str(ip_address(packet[24:40]))
    at, end = 40, 40 + length if length else len(packet)
    while protocol in _EXTENSIONS:
        protocol, at = packet[at], at + (packet[at + 1] + 1) * 8
    if protocol == _FRAGMENT:
        protocol, _, place, number = struct.unpack_from("!BBHI", packet, at)
        payload = packet[at + 8 : end]
        whole = _assembled(fragments, (source, target, number), place & 0xFFF8, payload, more=bool(place & 1))
        return None if whole is None else _Ip(protocol, source, target, whole)
    return _Ip(protocol, source, target, packet[at:end])


def _assembled(
    fragments: _Unfinished, key: tuple[object, ...], offset: int, payload: bytes, *, more: bool
) -> bytes | None:
    parts = fragments.setdefault(key, {})
    parts[offset] = payload, more
    whole = b""
    while len(whole) in parts:
        piece, goes_on = parts[len(whole)]
        whole += piece
        if not goes_on:
            del fragments[key]
            return whole
        if not piece:
            break
    if len(parts) > _MAX_FRAGMENTS:
        del fragments[key]
    if len(fragments) > _MAX_UNFINISHED:
        del fragments[next(iter(fragments))]
    return None


def _transport(time: int, ip: _Ip | None) -> Packet | Segment | None:
    if ip is None or ip.protocol not in (_UDP, _TCP):
        return None
    data = ip.payload
    here, there = struct.unpack_from("!HH", data)
    source, target = (ip.source, here), (ip.target, there)
    if ip.protocol == _UDP:
        length = struct.unpack_from("!H", data, 4)[0]
        return Packet(time, source, target, data[8 : length or len(data)])
    number = struct.unpack_from("!I", data, 4)[0]
    begins = bool(data[13] & _SYN)
    # The SYN itself takes a number (RFC 9293 3.4).
    return Segment(time, source, target, (number + begins) % (1 << 32), begins, data[(data[12] >> 4) * 4 :])


def _exported(frame: Frame) -> Packet | None:
    """Wireshark's exported PDU: tags, then what some protocol carried."""
    hosts, ports, transport, at = ["", ""], [0, 0], "udp", 0
    while True:
        tag, size = struct.unpack_from("!HH", frame.data, at)
        value = frame.data[at + 4 : at + 4 + size]
        at += 4 + size
        if tag == _END:
            break
        if tag in _SOURCE_IPS:
            hosts[0] = str(ip_address(value))
        elif tag in _TARGET_IPS:
            hosts[1] = str(ip_address(value))
        elif tag == _SOURCE_PORT:
            ports[0] = int.from_bytes(value, "big")
        elif tag == _TARGET_PORT:
            ports[1] = int.from_bytes(value, "big")
        elif tag == _PORT_TYPE:
            transport = "tcp" if int.from_bytes(value, "big") == 2 else "udp"  # Wireshark's port_type
    return Packet(frame.time, (hosts[0], ports[0]), (hosts[1], ports[1]), frame.data[at:], transport)
