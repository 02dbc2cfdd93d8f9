"""A record as a pcapng file, for Wireshark, tshark and sngrep.

Every message becomes one packet: over UDP an IP packet built from the recorded addresses, everything else (TCP, TLS,
WebSocket, and what no UDP datagram can hold) an exported PDU that names SIP as its protocol. Format: pcapng
(draft-ietf-opsawg-pcapng), link types LINKTYPE_RAW and LINKTYPE_WIRESHARK_UPPER_PDU.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from sip_harness.model.entry import Header, Malformed, Message, Record
from sip_harness.record.frames import exported_pdu, udp_packet
from sip_harness.record.merge import echoes

_RAW, _UPPER_PDU = 101, 252
_COMMENT, _USER_APPLICATION, _NAME, _RESOLUTION, _FLAGS = 1, 4, 2, 9, 2
_INBOUND, _OUTBOUND = 1, 2
_VERBS = {"received": "got", "sent": "sent"}
_MAX_COMMENT = 60_000
"""Bytes; an option's length has 16 bits."""


def write(path: Path, record: Record, comments: Mapping[int, str] | None = None) -> None:
    """Write the messages of a record, with comments by their index in `record.messages`. Raises OSError.

    A datagram that two agents recorded, as its sender and its receiver, is one packet with both comments. What came
    in and was no SIP message is written as well and says so in its comment.
    """
    with path.open("wb") as file:
        file.write(_section(record.header))
        file.write(_interface(_RAW, "udp") + _interface(_UPPER_PDU, "other"))
        for block in _packets(record, comments or {}):
            file.write(block)


def _packets(record: Record, comments: Mapping[int, str]) -> Iterator[bytes]:
    pairs = echoes(record.messages)
    spoken = {sent: got for got, sent in pairs.items()}
    index = -1
    for entry in record.entries:
        if isinstance(entry, Message):
            index += 1
            if index not in pairs:
                both = [comments[i] for i in (index, spoken.get(index, -1)) if i in comments]
                yield _packet(entry, "\n".join(dict.fromkeys(both)))
        elif isinstance(entry, Malformed):
            yield _packet(entry, f"{entry.agent} {_VERBS[entry.direction]} no SIP message: {entry.why}")


def _packet(entry: Message | Malformed, comment: str) -> bytes:
    """An enhanced packet block (pcapng 4.3)."""
    outbound = entry.direction == "sent"
    transport = entry.transport if isinstance(entry, Message) else "udp"
    source, target = (entry.local, entry.remote) if outbound else (entry.remote, entry.local)
    frame = udp_packet(source, target, entry.data) if transport == "udp" else None
    interface = 0 if frame is not None else 1
    frame = exported_pdu(source, target, entry.data, transport) if frame is None else frame
    options = _option(_FLAGS, struct.pack("<I", _OUTBOUND if outbound else _INBOUND))
    if comment:
        options += _option(_COMMENT, _comment(comment))
    stamp = struct.pack("<IIIII", interface, entry.time >> 32, entry.time & 0xFFFFFFFF, len(frame), len(frame))
    return _block(6, stamp + _padded(frame) + options + _option(0, b""))


def _section(header: Header) -> bytes:
    """The section header block (pcapng 4.1): what the capture is of."""
    about = f"{header.scenario} {header.title} on {header.system}"
    options = _option(_COMMENT, _comment(about)) + _option(_USER_APPLICATION, b"sip-harness") + _option(0, b"")
    return _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + options)


def _interface(link: int, name: str) -> bytes:
    """An interface description block (pcapng 4.2) with time stamps in nanoseconds."""
    options = _option(_NAME, name.encode()) + _option(_RESOLUTION, b"\x09") + _option(0, b"")
    return _block(1, struct.pack("<HHI", link, 0, 0) + options)


def _comment(text: str) -> bytes:
    data = text.encode("utf-8", "replace").replace(b"\0", b" ")
    return data[:_MAX_COMMENT].decode("utf-8", "ignore").encode()


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)
