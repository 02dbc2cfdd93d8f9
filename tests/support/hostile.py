"""Hostile SIP, broken SIP, and bytes that are none."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

TORTURE = Path(__file__).parent.parent / "sip" / "rfc4475"
HALF = b"INVITE sip:mobile@h SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nContent-Length: 9\r\n\r\nhalf"


def hostile(port: int) -> list[bytes]:
    """Messages that some parser somewhere stumbled over, from this port; `%d` is another number each time."""
    via = f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK%d\r\n".encode()
    rest = b"From: <sip:x@h>;tag=%d\r\nTo: <sip:y@h>\r\nCall-ID: c%d\r\n"
    return [
        b"INVITE sip:desk@h SIP/2.0\r\n" + via + rest + b"CSeq: 1 INVITE\r\n\r\n",
        b"INVITE sip:desk@h SIP/2.0\r\n" + via + rest + b"CSeq: 1 BYE\r\n\r\n",
        b"CANCEL sip:desk@h SIP/2.0\r\n" + via + rest + b"CSeq: 1 CANCEL\r\n\r\n",
        b"BYE sip:desk@h SIP/2.0\r\n" + via + rest + b"CSeq: 1 BYE\r\n\r\n",
        b"ACK sip:desk@h SIP/2.0\r\n" + via + rest + b"CSeq: 1 ACK\r\n\r\n",
        b"OPTIONS sip:desk@h SIP/2.0\r\n" + via + via + rest + b"CSeq: 99999999999 OPTIONS\r\n\r\n",
        b"SIP/2.0 200 OK\r\n" + via + rest + b"CSeq: 1 INVITE\r\nContact: <sip:127.0.0.1>\r\n\r\n",
        b"SIP/2.0 486 Busy\r\n" + via + rest + b"CSeq: 1 INVITE\r\n\r\n",
        b"INVITE sip:desk@h SIP/2.0\r\nVia: \xff\xfe;;;=,,\r\n" + rest + b"CSeq: -1 INVITE\r\n\r\n",
        b"INVITE sip:desk@h SIP/2.0\r\n" + b"Via: a,\r\n" * 200 + rest + b"\r\n",
        b"INVITE sip:%d SIP/2.0\r\nContent-Length: 99999999999999\r\n\r\n",
        b"REGISTER sip:%d SIP/2.0\r\n" + via + b'To: "<>;tag=;\r\nFrom: <<<<\r\n\r\n',
        b"INVITE sip:%d@h SIP/7.0\r\n" + via + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: %d\r\n\r\n",
        b"%d",
    ]


def torture() -> list[bytes]:
    """The torture messages of RFC 4475."""
    return [path.read_bytes() for path in sorted(TORTURE.glob("*.dat"))]


def datagrams(seed: int, port: int) -> Iterator[bytes]:
    """An endless flood, the same for the same seed. None of them is a keep-alive."""
    rng = random.Random(seed)
    fixed, made = torture(), hostile(port)
    while True:
        kind = rng.randrange(4)
        if kind == 0:
            yield rng.choice(fixed)
        elif kind == 1:
            yield b"\x01" + rng.randbytes(rng.randrange(1, 300))
        else:
            text = rng.choice(made)
            whole = text % tuple(rng.randrange(1, 65_535) for _ in range(text.count(b"%d")))
            yield whole[: rng.randrange(1, len(whole) + 1)] if kind == 2 else whole
