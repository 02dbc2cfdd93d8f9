"""One call that reached a wire device: carries out what its script machine says is due."""

from __future__ import annotations

from collections.abc import Collection

from sip_harness.agents.wire_parts import Owner
from sip_harness.agents.wire_steps import Steps
from sip_harness.endpoint.returned import Returned
from sip_harness.endpoint.server import Server
from sip_harness.endpoint.ua import UserAgent
from sip_harness.endpoint.uas import IncomingCall
from sip_harness.model.steps import Raw, Request, Send, Step
from sip_harness.sip.message import Message


class Attempt:
    """One INVITE at a device, answered by the script."""

    def __init__(
        self,
        ua: UserAgent,
        server: Server,
        steps: tuple[Step, ...],
        number: str,
        happened: Collection[str],
        owner: Owner,
    ) -> None:
        self._owner = owner
        self._data = {"attempt": number, "call_id": server.request.call_id}
        self._told_over = False
        self._ua = ua
        self._incoming = IncomingCall(ua, server, self)
        self._returned: Returned | None = None
        self._steps = Steps(ua, steps, happened, self, owner, self._data)

    @property
    def tag(self) -> str:
        """Our To tag in this call."""
        return self._incoming.tag

    @property
    def done(self) -> bool:
        """Whether the script has nothing more to do; it may still have when the call is over (a late response)."""
        return self._steps.done

    @property
    def busy(self) -> bool:
        """Whether the script will go on at a time that is known."""
        return self._steps.busy

    def begin(self) -> None:
        """Carry out what is due at once; if that is no response, say 100 unless the script wants none."""
        self.poll()
        if self._steps.says_trying and not self._incoming.mute:
            self._incoming.trying()

    def poll(self) -> None:
        """Carry out what is due by now."""
        self._steps.poll()
        if self._incoming.over and self.done:
            self._owner.over(self)

    def is_within(self, request: Message) -> bool:
        """Whether a request belongs to this call."""
        return self._incoming.is_within(request)

    def leave(self) -> None:
        """The caller has given up, and the script does not let us take note of it: say nothing more when it ends."""
        self._incoming.left = True

    def answer_invite(self, step: Send) -> None:
        """Answer the INVITE out of turn, in reaction to another request. A final response ends this script."""
        if step.code >= 200:
            self._steps.stop()
        self.respond(step)

    def end(self) -> None:
        """Refuse or hang up what is open. Who has kept silent until now does so to the end."""
        self._steps.stop()
        if self._steps.silent:
            self.leave()
        self._incoming.end()

    def stop(self) -> None:
        """Do nothing more."""
        self._steps.stop()

    def on_stopped(self) -> None:
        """From the endpoint: the call is not to be answered any further."""
        self._steps.stop()
        if self._returned is not None:
            self._returned.cancel()

    def on_over(self) -> None:
        """From the endpoint: nothing of the call is left."""
        self._told_over = True
        self._owner.over(self)

    def on_engine(self, why: str) -> None:
        """From the endpoint: it had to decide something by itself."""
        self._owner.note("engine", why, self._data)

    def respond(self, step: Send) -> None:
        """From the script: send a response; who has been silent speaks again."""
        self._incoming.mute = False
        self._incoming.respond(step, "script")
        self._look()

    def raw(self, step: Raw) -> None:
        """From the script: send exact bytes."""
        self._incoming.raw(step, "script")
        self._look()

    def fall_silent(self) -> None:
        """From the script: send nothing more by itself."""
        self._incoming.mute = True

    def hang_up(self) -> None:
        """From the script: end the call."""
        self._incoming.hang_up("script")

    def ask(self, step: Request) -> None:
        """From the script: send a request within the dialog."""
        self._incoming.ask(step, "script")

    def forward_back(self) -> None:
        """From the script: hand the call back to where it came from."""
        self._returned = Returned(self._ua, self._incoming)

    def _look(self) -> None:
        if self._told_over and not self._incoming.over:
            self._told_over = False
            self._owner.reopened(self)
