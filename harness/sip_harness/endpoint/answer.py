"""One request on its way to being answered: responses built, dressed, damaged and sent as a script has it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sip_harness.endpoint import build
from sip_harness.endpoint.delivery import Made, damage, dress, fill
from sip_harness.endpoint.own import needs_session, own_headers
from sip_harness.endpoint.server import Server
from sip_harness.endpoint.session import Session
from sip_harness.endpoint.ua import UserAgent
from sip_harness.model.entry import Origin
from sip_harness.model.steps import PLAIN, Delivery, Raw, Send
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, parse
from sip_harness.sip.transaction_key import COOKIE


@dataclass(frozen=True, slots=True)
class Reply:
    """One response, ready to be sent."""

    code: int
    data: bytes
    """Final bytes."""
    message: Message
    """The response before it was damaged: what its tag and its numbers were meant to be."""
    origin: Origin
    how: Delivery


class Answer:
    """Answers one request of any method, as often as the script wants."""

    def __init__(
        self, ua: UserAgent, server: Server, tag: str, session: Session, on_engine: Callable[[str], None]
    ) -> None:
        """`tag` is our To tag where the request has none; `on_engine` is told what had to be decided here."""
        self.server = server
        self.session = session
        self.tag = server.request.to_tag or tag
        self._ua = ua
        self._on_engine = on_engine

    @property
    def request(self) -> Message:
        """The request."""
        return self.server.request

    def make(self, step: Send, origin: Origin, extra: build.Headers | None = None) -> Reply:
        """A response; `extra` are headers of ours beyond those of its code and method."""
        etag = secrets.token_hex(8) if self.request.method == "PUBLISH" else ""
        own = own_headers(self.request, step.code, self._ua.contact, etag) + (extra or [])
        body, kind = step.body.encode("utf-8", "surrogateescape"), step.content_type or build.SDP
        typed = "content-type" not in step.omit  # whoever leaves that out wants no session description of ours
        if not body and typed and (step.how.media or needs_session(self.request, step.code)):
            body, kind = self._description(), build.SDP
        plain = build.response(
            self.request,
            step.code,
            step.reason,
            source=self.server.source.remote,
            tag=self.tag,
            own=own,
            headers=step.headers,
            omit=step.omit,
            body=body,
            content_type=kind,
        )
        if step.how is PLAIN:
            return Reply(step.code, plain, _read(plain), origin, PLAIN)
        dressed = dress(plain, step.how, Made(build.new_tag(), COOKIE + secrets.token_hex(9)))
        return Reply(step.code, damage(dressed, step.how), _read(dressed), origin, step.how)

    def send(self, reply: Reply) -> None:
        """Send it in the transaction, or once past it where the state machine allows none of its kind any more."""
        if not self.server.respond(reply.code, reply.data, reply.origin, reply.how):
            self.server.send_past(reply.data, reply.origin, reply.how)
        self.schedule(reply)

    def schedule(self, reply: Reply) -> None:
        """Send it again when its own schedule says so, whatever comes, and begin to play what comes with it."""
        for delay in reply.how.resend or ():
            self._ua.layer.later(delay, reply.data, self.server.hop, reply.origin, reply.how)
        if self.request.method == "INVITE" and reply.code > 100:
            self.session.names(self.request.body, reply.message.to_tag, self.request.from_tag)
        if reply.how.media:
            self.session.play(reply.how.media)

    def raw(self, step: Raw, origin: Origin) -> Message | None:
        """Send exact bytes to where the request came from. What they are if they are a response to this request."""
        data = fill(step.data, self.request, self._ua.contact, self._ua.identity.token)
        self._ua.layer.send(data, self.server.source, origin)
        try:
            sent = parse(data)
        except SipError:
            return None
        answers = (sent.call_id, sent.cseq) == (self.request.call_id, self.request.cseq)
        return sent if answers and not sent.is_request else None

    def _description(self) -> bytes:
        try:
            return self.session.describe(self.request)
        except SipError as error:
            self._on_engine(f"no SDP in the answer: {error}")
            return b""


def _read(data: bytes) -> Message:
    """Our own response; of one that is longer than any message may be only the start line."""
    try:
        return parse(data)
    except SipError:
        return parse(data.partition(b"\r\n")[0])
