"""A device on a bench: its calls, what it was told about them, and the hands of its caller."""

from __future__ import annotations

from ua_bench import Bench

from sip_harness.endpoint.server import Server
from sip_harness.endpoint.uas import IncomingCall
from sip_harness.model.steps import Send
from sip_harness.sip import sdp
from sip_harness.sip.message import Message

OFFER = sdp.offer("192.0.2.9", 4000, session_id=1)
RINGING = Send(180, "Ringing")
OK = Send(200, "OK")
BUSY = Send(486, "Busy Here")
FAR = ("Contact", "<sip:bob@192.0.2.9:5080>")
E_SCHEDULE = [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]


class Desk:
    """A device on a bench that holds its calls, with what it was told about them."""

    def __init__(self) -> None:
        self.bench = Bench(on_invite=self._invited)
        self.calls: list[IncomingCall] = []
        self.told: list[str] = []

    def _invited(self, server: Server) -> None:
        self.calls.append(IncomingCall(self.bench.ua, server, self))

    @property
    def call(self) -> IncomingCall:
        return self.calls[-1]

    def on_stopped(self) -> None:
        self.told.append("stopped")

    def on_over(self) -> None:
        self.told.append("over")

    def on_engine(self, why: str) -> None:
        self.told.append(why)

    def invite(self, *headers: tuple[str, str], branch: str = "z9hG4bKinv", body: bytes = OFFER) -> Message:
        return self.bench.ask("INVITE", FAR, *headers, branch=branch, body=body)

    def ack(self, tag: str, *, branch: str = "") -> None:
        self.bench.ask("ACK", to_tag=tag, branch=branch)

    def answered(self) -> str:
        """A call that is answered and acknowledged; its To tag."""
        self.invite()
        self.call.respond(OK, "script")
        tag = self.bench.take_all()[-1].message.to_tag
        self.ack(tag)
        return tag
