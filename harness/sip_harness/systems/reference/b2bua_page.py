"""A MESSAGE through the back-to-back user agent: a request of its own to every device of who is meant (RFC 3428)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sip_harness.endpoint import build
from sip_harness.endpoint.build import Headers
from sip_harness.endpoint.request import Request
from sip_harness.endpoint.server import Server
from sip_harness.net.clock import Timer
from sip_harness.sip.codes import phrase
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message
from sip_harness.systems.reference.actions import Target
from sip_harness.systems.reference.b2bua_account import NOBODY
from sip_harness.systems.reference.b2bua_failure import Failure, best
from sip_harness.systems.reference.b2bua_leg import hop_to
from sip_harness.systems.reference.b2bua_relay import NO_ANSWER, SLOW
from sip_harness.systems.reference.headers import content_type, hops_left, party, passed

if TYPE_CHECKING:
    from sip_harness.systems.reference.b2bua_core import Pbx


class Page:
    """One MESSAGE, until its sender has been answered: at the first 2xx or 6xx, or when the last device has refused."""

    def __init__(self, pbx: Pbx, server: Server, targets: list[Target]) -> None:
        self._pbx = pbx
        self._server = server
        self._targets = targets
        self._requests: list[Request] = []
        self._failures: list[Failure] = []
        self._tag = build.new_tag()
        self._patience: Timer | None = None

    @property
    def sender(self) -> str:
        """From value of the MESSAGE."""
        return self._server.request.get("from") or ""

    def start(self) -> None:
        """Send it to all devices at once."""
        self._pbx.pages.add(self)
        self._patience = self._pbx.clock.after(self._pbx.settings.transaction, self._out_of_patience)
        for target in self._targets:
            self._send(target)

    def close(self) -> None:
        """Wait for nothing any more."""
        self._pbx.pages.discard(self)
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        for request in self._requests:
            request.retry = False

    def _send(self, target: Target) -> None:
        request = self._server.request
        try:
            hop = hop_to(self._pbx, target.uri)
        except SipError:
            self._failed(Failure(480))
            return
        call_id = f"{build.new_tag()}{build.new_tag()}@{hop.transport.local[0]}"
        sender = f"{party(request.get('from') or '')};tag={build.new_tag()}"
        tries = 0

        def make(credentials: Headers) -> bytes:
            nonlocal tries
            tries += 1
            return build.request(
                "MESSAGE",
                target.uri,
                via=build.new_via(hop.transport),
                sender=sender,
                to=party(request.get("to") or ""),
                call_id=call_id,
                cseq=tries,
                headers=[("Max-Forwards", str(hops_left(request))), *credentials, *passed(request)],
                body=request.body,
                content_type=content_type(request),
            )

        self._requests.append(
            Request(
                self._pbx.station.layer,
                make,
                hop,
                "protocol",
                target.account or NOBODY,
                on_final=self._final,
                on_failure=lambda _why: self._failed(Failure(NO_ANSWER)),
            )
        )

    def _final(self, response: Message) -> None:
        if response.code < 300:
            self._answer(response.code, response)
        elif response.code >= 600:  # it is for the user wherever he is, and nothing can be taken back that is under way
            self._answer(self._pbx.mapped(response.code), response)
        else:
            self._failed(Failure(response.code, response))

    def _failed(self, failure: Failure) -> None:
        self._failures.append(failure)
        if len(self._failures) == len(self._targets):
            self._give_up()

    def _out_of_patience(self) -> None:
        missing = len(self._targets) - len(self._failures)
        self._failures += [Failure(NO_ANSWER)] * missing
        self._give_up()

    def _give_up(self) -> None:
        """Nobody may say 408 to anything but an INVITE (RFC 4320 4.2)."""
        told = [failure for failure in self._failures if failure.code != NO_ANSWER] or [Failure(SLOW)]
        failure = best(told)
        self._answer(self._pbx.mapped(failure.code), failure.response)

    def _answer(self, code: int, response: Message | None) -> None:
        if self not in self._pbx.pages:
            return
        self.close()
        if response is None:
            self._pbx.station.respond(self._server, code, tag=self._tag)
            return
        self._pbx.station.respond(
            self._server,
            code,
            response.reason if response.code == code else phrase(code),
            tag=self._tag,
            headers=self._pbx.told(response),
            body=response.body,
            content_type=content_type(response),
        )
