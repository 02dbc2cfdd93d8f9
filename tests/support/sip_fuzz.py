"""Hostile SIP: everything that can be asked of a message, and valid messages made wrong at random."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sip_harness.sip import headers
from sip_harness.sip.address import parse_address, tag_of
from sip_harness.sip.errors import SipError
from sip_harness.sip.framing import Framer
from sip_harness.sip.message import Message, first_element, parse, split_list
from sip_harness.sip.transaction_key import response_key, server_key
from sip_harness.sip.uri import header_params, read_uri, unescape, uri_text
from sip_harness.sip.values import split_params, unquote, without_comments
from sip_harness.sip.via import parse_via, read_via, response_address, sent_by, with_source

SEEDS = tuple(path.read_bytes() for path in sorted((Path(__file__).parent.parent / "sip/rfc4475").glob("*.dat")))

PLAIN = (
    "start", "method", "uri", "code", "reason", "fields", "odd_lines", "body", "surplus", "complete", "uneven",
    "truncated", "version", "content_length", "call_id", "from_tag", "to_tag", "cseq", "branch", "summary",
    "is_request", "faults",
)  # fmt: skip
"""Attributes of a message; none of them may raise anything."""

VIEWS: tuple[Callable[[Message], object], ...] = (
    headers.vias,
    headers.contacts,
    headers.routes,
    headers.record_routes,
    headers.media_type,
    headers.max_forwards,
    lambda m: headers.address(m, "from"),
    lambda m: headers.address(m, "to"),
    lambda m: headers.listed(m, "supported"),
    lambda m: headers.seconds(m, "expires"),
    lambda m: headers.seconds(m, "retry-after"),
)
"""Views of a message that may raise SipError."""

TOTAL: tuple[Callable[[str], object], ...] = (
    split_list,
    first_element,
    split_params,
    unquote,
    unescape,
    without_comments,
    tag_of,
    uri_text,
    header_params,
    parse_via,
    sent_by,
    lambda v: with_source(v, "192.0.2.1", 5060),
    lambda v: response_address(v, "192.0.2.1", 5060),
)
"""Functions of a value that take any text."""

READERS: tuple[Callable[[str], object], ...] = (parse_address, read_uri, read_via)
"""Functions of a value that may raise SipError."""


def ask_everything(data: bytes) -> Message | None:
    """Ask a message all that can be asked; None if it was refused. Raises what should never be raised."""
    try:
        message = parse(data)
    except SipError:
        return None
    assert message.data == data
    for name in PLAIN:
        getattr(message, name)
    (server_key if message.is_request else response_key)(message)
    attempt(VIEWS, message)
    for value in {message.uri, *(field.value for field in message.fields)}:
        ask_a_value(value)
    return message


def ask_a_value(value: str) -> None:
    """Hand a value to everything that reads values."""
    for function in TOTAL:
        function(value)
    attempt(READERS, value)


def attempt(functions: tuple[Callable[[Any], object], ...], argument: object) -> None:
    """Call each; a SipError is an answer."""
    for function in functions:
        try:
            function(argument)
        except SipError:
            continue


def cut(data: bytes, size: int) -> None:
    """Hand data to a framer in segments of this size; a SipError is an answer."""
    framer = Framer()
    try:
        for at in range(0, len(data), size):
            framer.feed(data[at : at + size])
    except SipError:
        return


TOKENS = (
    b"\r\n", b"\n", b"\r", b"\r\n ", b"\r\n\t", b"\r\n\r\n", b'"', b"\\", b"\0", b"\xff", b"\xc3", b"<", b">", b";",
    b",", b":", b"=", b"@", b"%", b"%00", b"[", b"]", b"(", b")", b" ", b"\t", b"*", b"?", b"&", b";tag=",
    b";branch=z9hG4bK", b"99999999999", b"-1", b"\xd9\xa3", b"\xc2\xb2", b"\xc2\x85", b"\xe2\x80\xa8", b"SIP/2.0",
    b"Content-Length: 7\r\n", b"l: x\r\n", b"Via: ", b"v:", b"\x1c", b"\x85", b"tel:", b"sip:", b"[::1]",
)  # fmt: skip


def mutate(data: bytes, rng: random.Random) -> bytes:
    """A few random changes: bytes, tokens, pieces moved, doubled, cut out or off."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5, 9))):
        at, until = sorted(rng.randrange(len(changed) + 1) for _ in range(2))
        until = min(until, at + rng.choice((1, 2, 8, 60, 400)))
        kind = rng.randrange(7)
        if kind == 0:
            changed[at:until] = rng.randbytes(until - at)
        elif kind == 1:
            changed[at:at] = rng.choice(TOKENS) * rng.choice((1, 1, 1, 2, 30))
        elif kind == 2:
            changed[at:until] = rng.choice(TOKENS)
        elif kind == 3:
            changed[at:at] = changed[at:until] * rng.choice((1, 2, 20))
        elif kind == 4:
            del changed[at:until]
        elif kind == 5:
            del changed[at:]
        else:
            other = rng.choice(SEEDS)
            begin = rng.randrange(len(other))
            changed[at:until] = other[begin : begin + rng.choice((4, 40, 400))]
    return bytes(changed[:70_000])
