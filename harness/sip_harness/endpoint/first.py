"""The request that begins a call, or stands by itself, as a script wants it: made anew for each try (RFC 3261 8.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sip_harness.endpoint import build
from sip_harness.endpoint.build import Headers
from sip_harness.endpoint.delivery import fill
from sip_harness.endpoint.within import Given, left_in, others, sender_of, without
from sip_harness.model.steps import PLAIN, Delivery, Raw
from sip_harness.sip.errors import SipError
from sip_harness.sip.fields import canonical
from sip_harness.sip.message import Message, parse

if TYPE_CHECKING:
    from sip_harness.endpoint.ua import UserAgent


@dataclass(frozen=True, slots=True)
class Wish:
    """What a script has to say of a request."""

    headers: Given = ()
    """Added; they replace ours of the same name. Placeholders as in `fill`, for the request as it would be without."""
    omit: frozenset[str] = frozenset()
    """Lower-case names of ours that are left out."""
    how: Delivery = PLAIN
    raw: Raw | None = None
    """Exact bytes instead of all of it."""
    is_odd: bool = False
    """Whether the peer may see no request in it, and drop it without a word."""


NO_WISH = Wish()


class First:
    """Makes the bytes of one request, with the next CSeq number and a new branch each time."""

    def __init__(
        self,
        ua: UserAgent,
        method: str,
        uri: str,
        *,
        to: str,
        own: Headers,
        wish: Wish = NO_WISH,
        body: bytes = b"",
        content_type: str = build.SDP,
        call_id: str = "",
    ) -> None:
        """`to` is the whole To value, `own` are headers of ours beyond those of every request; without a `call_id`
        one is made up."""
        self.wish = wish
        self._ua = ua
        self._method = method
        self._uri = uri
        self._to = to
        self._own = own
        self._body = body, content_type
        self._call_id = call_id or ua.new_call_id()
        self._sender = sender_of(ua, wish.headers)
        self._seq = 0
        self._ready: bytes | None = self._next([])
        self.message = _read(self._ready)
        """The first try, before any damage; None for bytes that are no SIP message."""

    @property
    def call_id(self) -> str:
        """Its Call-ID, the same in all tries; empty if it has none."""
        return self.message.call_id if self.message is not None else ""

    @property
    def tag(self) -> str:
        """Its From tag, the same in all tries; empty if it has none."""
        return self.message.from_tag if self.message is not None else ""

    def make(self, credentials: Headers) -> bytes:
        """The next try."""
        ready, self._ready = self._ready, None
        return ready if ready is not None else self._next(credentials)

    def _next(self, credentials: Headers) -> bytes:
        self._seq += 1
        via = build.new_via(self._ua.transport)
        given, omit = tuple(self._counted(*one) for one in self.wish.headers), self.wish.omit
        own = [*self._own, *credentials]
        if self.wish.raw is None and not any("{" in value for _, value in given):
            return self._build(via, self._sender, own, given, omit)
        plain = parse(self._build(via, self._sender, own, (), frozenset()))
        if self.wish.raw is not None:
            return self._fill(self.wish.raw.data, plain)
        filled = tuple((name, self._filled(value, plain)) for name, value in given)
        return self._build(via, self._filled(self._sender, plain), own, filled, omit)

    def _counted(self, name: str, value: str) -> tuple[str, str]:
        """The CSeq of an author is that of the first try; its number goes up by one with each other (RFC 3261 22.2)."""
        number, space, method = value.partition(" ")
        if self._seq == 1 or canonical(name) != "cseq" or not (number.isascii() and number.isdigit()):
            return name, value
        return name, f"{int(number[:10]) + self._seq - 1}{space}{method}"

    def _filled(self, text: str, plain: Message) -> str:
        return self._fill(text.encode("utf-8", "surrogateescape"), plain).decode("utf-8", "surrogateescape")

    def _fill(self, data: bytes, plain: Message) -> bytes:
        return fill(data, plain, self._ua.contact, self._ua.identity.token)

    def _build(self, via: str, sender: str, own: Headers, given: Given, omit: frozenset[str]) -> bytes:
        body, content_type = self._body
        return build.request(
            self._method,
            self._uri,
            via=via,
            sender=sender,
            to=self._to,
            call_id=self._call_id,
            cseq=self._seq,
            headers=[*left_in(without(own, given), omit), *others(given)],
            body=body,
            content_type=content_type,
            omit=omit,
        )


def _read(data: bytes) -> Message | None:
    try:
        return parse(data)
    except SipError:
        return None
