"""What a caller sends that nobody can answer: an ACK by itself, a response to nothing, bytes that are no SIP."""

from __future__ import annotations

from collections.abc import Collection

from sip_harness.agents.wire_meanwhile import Meanwhile
from sip_harness.agents.wire_parts import Owner
from sip_harness.endpoint.delivery import damage, fill
from sip_harness.endpoint.first import First, Wish
from sip_harness.endpoint.ua import UserAgent
from sip_harness.model.scenario import Call
from sip_harness.model.steps import Again, Raw, Request
from sip_harness.net.base import Hop
from sip_harness.sip.message import Message, build, parse


class Blind:
    """One such message. It is over as soon as it is out; what comes back is recorded."""

    def __init__(
        self,
        ua: UserAgent,
        call: Call,
        uri: str,
        hop: Hop,
        happened: Collection[str],
        owner: Owner,
        wish: Wish,
    ) -> None:
        """Send it."""
        self._ua = ua
        self._hop = hop
        self._how = call.how
        self._owner = owner
        first = First(ua, call.method or "OPTIONS", uri, to=f"<{uri}>", own=[], wish=wish)
        self.call_id = first.call_id
        self._message = first.message
        self._data = damage(first.make([]), call.how)
        for _ in range(call.how.copies):
            self._send(self._data)
        for delay in call.how.resend or ():
            ua.layer.later(delay, self._data, hop, "script", call.how)
        data = {"call": call.name, "call_id": self.call_id}
        self._meanwhile = Meanwhile(ua, call, happened, self, owner, data)
        self._meanwhile.poll()

    @property
    def done(self) -> bool:
        """Whether the script has nothing more to do."""
        return self._meanwhile.done

    @property
    def busy(self) -> bool:
        """Whether the script will go on at a time that is known."""
        return self._meanwhile.busy

    def poll(self) -> None:
        """Carry out what is due by now."""
        self._meanwhile.poll()
        if self.done:
            self._owner.over(self)

    def again(self, step: Again) -> None:
        """From the script: send it once more; on another branch only what has one."""
        if step.branch:
            self._owner.note("engine", "what is no request has no branch to be changed: it was not sent again")
        else:
            self._send(self._data)

    def cancel(self, _step: Request) -> None:
        """From the script: there is nothing that could be cancelled."""
        self._owner.note("engine", "what is no request cannot be cancelled: no CANCEL was sent")

    def raw(self, step: Raw) -> None:
        """From the script: send exact bytes."""
        message = self._message or _nothing()
        self._send(fill(step.data, message, self._ua.contact, self._ua.identity.token))

    def end(self) -> None:
        """Nothing is open."""
        self.stop()
        self._owner.over(self)

    def stop(self) -> None:
        """Do nothing more."""
        self._meanwhile.stop()

    def _send(self, data: bytes) -> None:
        self._ua.layer.send(data, self._hop, "script", self._how)


def _nothing() -> Message:
    """A message that has no header which a placeholder could stand for."""
    return parse(build("OPTIONS sip:nobody SIP/2.0", []))
