"""Before the tap is trusted: a few datagrams to ourselves must come out of it as they are. Worker processes only."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field

import pjsua2 as pj  # noqa: TID251 - this runs in a worker process

from sip_harness.agents.base import Assignment
from sip_harness.agents.pjsua2.directors import Account, Call
from sip_harness.agents.pjsua2.library import Library, unknown_layout
from sip_harness.agents.pjsua2.stack import LOOPBACK, Stack
from sip_harness.agents.pjsua2.tap import TapFailed, TapTracing
from sip_harness.model.entry import Address
from sip_harness.model.system import User
from sip_harness.sip.message import build

LIMIT = 2.0
"""Seconds; on a healthy machine it takes a millisecond."""
GARBAGE = b"\r\nno SIP message, but long enough to be looked at as one\r\n\r\n"


@dataclass
class _Seen:
    """A host to whom nothing happens, and a sink that keeps what it is given."""

    inward: list[tuple[bytes, Address]] = field(default_factory=list)
    outward: list[tuple[bytes, Address]] = field(default_factory=list)
    refused: list[tuple[bytes, Address]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """In words: an exception keeps alive all that its traceback refers to, and so the Endpoint."""

    def received(self, data: bytes, remote: Address) -> None:
        self.inward.append((data, remote))

    def sent(self, data: bytes, remote: Address) -> None:
        self.outward.append((data, remote))

    def dropped(self, data: bytes, remote: Address, why: str) -> None:
        self.refused.append((data, remote))

    def stopped(self, why: str) -> None:
        """There is no guard."""

    def broke(self, error: Exception) -> None:
        self.errors.append(str(error))

    def incoming(self, account: Account, call: int, invite: str) -> None:
        """No INVITE is sent."""

    def changed(self, call: Call, info: pj.CallInfo) -> None:
        """There is no call."""

    def rejected(self, code: int, reason: str, invite: str) -> None:
        """No INVITE is sent."""

    def registration(self, code: int, reason: str, expires: int) -> None:
        """Nothing is registered."""


def check(library: Library) -> str:
    """Send OPTIONS and garbage to an Endpoint of our own and compare; empty if the tap shows the truth, else why not.

    Raises pj.Error if not even an Endpoint can be made.
    """
    seen = _Seen()
    stack = Stack(seen, TapTracing(library))
    try:
        if why := unknown_layout(stack.endpoint):
            return why
        stack.start(seen)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind((LOOPBACK, 0))
            peer.settimeout(LIMIT)
            stack.add_account(seen, _assignment(peer.getsockname()))
            return _compare(stack, seen, peer)
    except TapFailed as error:
        return str(error)
    finally:
        stack.close()


def _compare(stack: Stack, seen: _Seen, peer: socket.socket) -> str:
    own = peer.getsockname()
    question = _options(own, stack.local)
    peer.sendto(GARBAGE, stack.local)
    peer.sendto(question, stack.local)
    end = time.monotonic() + LIMIT
    while not seen.outward and not seen.errors and time.monotonic() < end:
        stack.poll()
    if seen.errors:
        return f"the tap fails: {seen.errors[0]}"
    if not seen.outward:
        return f"the tap shows no answer to OPTIONS within {LIMIT:g} s"
    expected = [(question, own)], [(peer.recv(65536), own)], [(GARBAGE, own)]
    if (seen.inward, seen.outward, seen.refused) != expected:
        return "the tap shows other bytes or addresses than those on the wire"
    return ""


def _assignment(system: Address) -> Assignment:
    return Assignment("selftest", "device", User("selftest", LOOPBACK), "selftest", system, "selftest")


def _options(source: Address, target: Address) -> bytes:
    headers = [
        ("Via", f"SIP/2.0/UDP {source[0]}:{source[1]};branch=z9hG4bKselftest"),
        ("Max-Forwards", "70"),
        ("From", f"<sip:selftest@{source[0]}>;tag=selftest"),
        ("To", f"<sip:selftest@{target[0]}>"),
        ("Call-ID", f"selftest@{source[0]}"),
        ("CSeq", "1 OPTIONS"),
    ]
    return build(f"OPTIONS sip:selftest@{target[0]}:{target[1]} SIP/2.0", headers)
