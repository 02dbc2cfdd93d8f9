"""A capture or a trace, whatever kind of file it is in."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from sip_harness.capture import text
from sip_harness.capture.files import frames, is_capture
from sip_harness.capture.network import units
from sip_harness.capture.packets import MAX_FILE, MAX_MESSAGES, BadCapture, Capture, Packet
from sip_harness.capture.streams import messages

_PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""How files of gzip, zip, bzip2, xz and zstd begin."""


def read(path: Path) -> Capture:
    """All SIP messages of a file in time order. Raises BadCapture for a file that cannot be opened, is too large, or in
    which nothing is SIP."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise BadCapture(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(data) > MAX_FILE:
        raise BadCapture(f"{path}: more than {MAX_FILE} bytes")
    return read_bytes(data, str(path))


def read_bytes(data: bytes, name: str) -> Capture:
    """The same from memory; `name` is what errors call it."""
    if is_capture(data):
        found, remarks, timed = *_captured(data, name), True
    else:
        found, timed = text.packets(_decoded(data))
        remarks = []
    if len(found) > MAX_MESSAGES:
        remarks.append(f"{name}: only the first {MAX_MESSAGES} messages were read")
    if not found:
        raise BadCapture("; ".join(remarks) or f"{name}: {_nothing(data)}")
    whole = timed and not any(packet.time % 1_000_000_000 for packet in found)
    return Capture(tuple(_one_after_another(found[:MAX_MESSAGES])), tuple(remarks), timed, whole)


def _one_after_another(found: list[Packet]) -> Iterator[Packet]:
    """The same in the order of their times, no two at the same: where those are of whole seconds, as in many a log, the
    order in which the file has them is all that is known."""
    last = -1
    for packet in sorted(found, key=lambda packet: packet.time):
        last = max(packet.time, last + 1)
        yield packet if packet.time == last else replace(packet, time=last)


def _captured(data: bytes, name: str) -> tuple[list[Packet], list[str]]:
    found: list[Packet] = []
    try:
        found.extend(islice(messages(units(frames(data))), MAX_MESSAGES + 1))
    except BadCapture as error:
        return found, [f"{name}: {error}"]
    return found, []


def _decoded(data: bytes) -> str:
    """Text of a file, also of one that Windows has written. Logs are not always UTF-8 throughout; what is odd stays as
    it is."""
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return data.decode("utf-16", "replace")
    return data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def _nothing(data: bytes) -> str:
    if is_capture(data):
        return (
            "no SIP message in it (of TLS and WebSocket only the decrypted messages can be read: in Wireshark, "
            "File > Export PDUs to File, OSI layer 7)"
        )
    if data.startswith(_PACKED):
        return "it is compressed; unpack it first"
    if not data:
        return "it is empty"
    return "no SIP message in it: neither a capture (pcap, pcapng) nor text with a start line of SIP"
