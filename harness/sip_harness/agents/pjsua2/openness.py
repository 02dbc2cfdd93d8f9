"""Which transactions are still open at this agent, read from its messages: what an orderly end waits for."""

from __future__ import annotations

from dataclasses import dataclass, field

from sip_harness.agents.pjsua2.origin import Bounded
from sip_harness.sip.message import Message


@dataclass
class Openness:
    """Fed with every message of the agent in order."""

    closing: bool = False
    """From now on our own refusals are waited for until they are acknowledged."""
    _open: Bounded[bool] = field(default_factory=Bounded, init=False)

    @property
    def closed(self) -> bool:
        """Whether every request of ours has its final response, and every refusal while closing its ACK."""
        return not len(self._open)

    def sent(self, message: Message) -> None:
        """Take note of a message that leaves."""
        if message.is_request:
            if message.method != "ACK":
                self._open.put((message.branch, message.method), True)
        elif self.closing and message.code >= 300 and message.cseq[1] == "INVITE":
            self._open.put((message.branch, "ACK"), True)

    def received(self, message: Message) -> None:
        """Take note of a message that arrives."""
        if message.method == "ACK":
            self._open.pop((message.branch, "ACK"))
        elif message.code >= 200:
            self._open.pop((message.branch, message.cseq[1]))
