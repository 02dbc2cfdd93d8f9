"""An outgoing call on a bench, with what its owner is told, and what every test of one does first."""

from __future__ import annotations

from typing import Any

from ua_bench import Bench

from sip_harness.endpoint.first import Wish
from sip_harness.endpoint.uac import OutgoingCall
from sip_harness.model.steps import Request
from sip_harness.sip.message import Message

CHALLENGE = 'Digest realm="b.test", nonce="n1", qop="auth"'
ROUTES = "Record-Route", "<sip:192.0.2.7;lr>, <sip:192.0.2.8:5090;lr>"


def contact(name: str) -> tuple[str, str]:
    return "Contact", f"<sip:{name}@192.0.2.9:5080>"


def reliable(number: object, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Headers of a provisional that asks for PRACK."""
    return ("Require", "100rel"), ("RSeq", str(number)), *more


class Owner:
    """Owns an outgoing call and counts what it is told."""

    def __init__(self, bench: Bench, *headers: tuple[str, str], **how: Any) -> None:
        self.bench = bench
        self.answered = self.refused = self.overs = self.ends = 0
        self.call = OutgoingCall(bench.ua, "sip:bob@b.test", bench.hop, self, wish=Wish(headers), **how)

    def on_answered(self) -> None:
        self.answered += 1

    def on_refused(self) -> None:
        self.refused += 1

    def on_over(self) -> None:
        self.overs += 1

    def ask(self, method: str, *headers: tuple[str, str], body: str = "", kind: str = "") -> Message:
        """Send a request within the call."""
        self.call.ask(Request(method, headers, body, kind), "script", self._ended)
        sent = self.bench.take()
        assert (sent.name, sent.origin) == (method, "script")
        return sent.message

    def _ended(self) -> None:
        self.ends += 1


def dial(*headers: tuple[str, str], password: str = "", **how: Any) -> tuple[Bench, Owner, Message]:
    """A call that has sent its INVITE."""
    bench = Bench(password=password)
    owner = Owner(bench, *headers, **how)
    return bench, owner, bench.take().message


def answered(*headers: tuple[str, str], password: str = "", body: bytes = b"") -> tuple[Bench, Owner, Message]:
    """A call that has been answered by `desk` and acknowledged."""
    bench, owner, invite = dial(password=password)
    bench.answer(invite, 200, contact("desk"), *headers, body=body)
    bench.take()
    return bench, owner, invite
