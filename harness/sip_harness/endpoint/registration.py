"""A registration of one contact: made, kept alive, taken back (RFC 3261 10.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sip_harness.endpoint import build
from sip_harness.endpoint.request import Request
from sip_harness.endpoint.transactions import Why
from sip_harness.endpoint.ua import UserAgent
from sip_harness.net.base import Hop
from sip_harness.net.clock import Timer
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, split_list
from sip_harness.sip.uri import header_params, parse_uri, uri_text

MAX_EXPIRES = 24 * 3600
"""Longest lifetime that a Min-Expires can make us ask for, seconds."""
RETRY, MAX_RETRY = 5.0, 300.0
"""Seconds until a refresh that failed is tried again, at first and at most."""
MAX_MOVES = 3
"""How often in a row a registration is made anew because a NAT shows us elsewhere each time."""
_MIN_REFRESH = 0.5


@dataclass(frozen=True, slots=True)
class Registered:
    """The registrar keeps the contact for so long."""

    expires: int
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The registrar did not take the contact."""

    code: int
    """Of its final response; 0 if none came."""
    reason: str
    """Its reason phrase, or `timeout` or `transport` if no response came."""


Outcome = Registered | Refused


class Registration:
    """The contact of a user agent at its registrar."""

    def __init__(
        self,
        ua: UserAgent,
        hop: Hop,
        registrar: str,
        expires: int,
        on_outcome: Callable[[Outcome], None],
        preference: float | None = None,
        *,
        refreshes: bool = True,
    ) -> None:
        """Nothing is sent yet. `registrar` is the Request-URI; `on_outcome` is told the outcome of every REGISTER that
        asks for a lifetime: the first and each refresh. `preference` is the contact's q (10.2.1.2), from 0 to 1.
        Without `refreshes` the contact is left to run out."""
        self._refreshes = refreshes
        self._preference = "" if preference is None else f";q={preference:.3g}"
        self._ua = ua
        self._stated = ua.contact
        """The contact that the last REGISTER has asked for."""
        self._left = ""
        """A contact of ours that is to be taken back, because we are seen elsewhere."""
        self._moves = 0
        self._hop = hop
        self._registrar = registrar
        self._asked = expires
        self._on_outcome = on_outcome
        self._call_id = ua.new_call_id()
        self._sender = ua.sender()
        self._seq = 0
        self._timer: Timer | None = None
        self._lengthened = False
        self._registered = False
        self._ended = False
        self._failures = 0
        self._recovered = -RETRY

    def register(self) -> None:
        """Send REGISTER; refresh it at half of the granted time for as long as it is not taken back."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if not self._ended:
            self._send(self._asked, self._answered, self._failed)

    def recover(self) -> None:
        """The connection that it was made on is gone: register anew, at once if that has not just been done."""
        if not self._registered or self._ended:
            return
        now = self._ua.clock.now()
        if now - self._recovered >= RETRY:
            self._recovered = now
            self.register()
        else:
            self._again()

    def unregister(self, on_over: Callable[[], None]) -> None:
        """Take the contact back; `on_over` once that is answered or has failed, at once if there is nothing to do."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        if not self._registered:
            on_over()
            return
        self._registered = False
        self._send(0, lambda _response: on_over(), lambda _why: on_over())

    def _send(self, expires: int, on_final: Callable[[Message], None], on_failure: Callable[[Why], None]) -> None:
        Request(
            self._ua.layer,
            lambda credentials: self._make(expires, credentials),
            self._hop,
            "protocol",
            self._ua.identity.credentials,
            on_final=on_final,
            on_failure=on_failure,
        )

    def _make(self, expires: int, credentials: build.Headers) -> bytes:
        self._seq += 1
        if not self._ended:
            self._stated = self._ua.contact
        left = [("Contact", f"{self._left};expires=0")] if self._left not in ("", self._stated) else []
        return build.request(
            "REGISTER",
            self._registrar,
            via=build.new_via(self._ua.transport),
            sender=self._sender,
            to=f"<{self._ua.identity.aor}>",
            call_id=self._call_id,
            cseq=self._seq,
            headers=[("Contact", f"{self._stated}{self._preference}"), *left, ("Expires", str(expires)), *credentials],
        )

    def _answered(self, response: Message) -> None:
        if response.code == 423 and not self._lengthened and self._lengthen(response):
            self.register()
        elif 200 <= response.code < 300:
            self._left = ""
            if not self._moved(response):
                self._granted(granted(response, self._stated, self._asked))
        else:
            self._on_outcome(Refused(response.code, response.reason))
            if response.code >= 500 or response.code == 408:
                self._again()

    def _moved(self, response: Message) -> bool:
        """Whether this very response says that we are seen elsewhere than at the contact that is registered now: then
        that one is taken back and the other registered at once, as phones behind a NAT do."""
        if self._ended or self._stated == self._ua.contact or self._moves >= MAX_MOVES:
            return False
        if not granted(response, self._stated, self._asked):
            return False
        self._moves += 1
        self._registered, self._left = True, self._stated
        self.register()
        return True

    def _lengthen(self, response: Message) -> bool:
        """Ask for what the registrar wants at least (RFC 3261 10.2.8), once."""
        wanted = _seconds(response.get("min-expires") or "")
        if wanted is None or not self._asked < wanted <= MAX_EXPIRES:
            return False
        self._lengthened, self._asked = True, wanted
        return True

    def _granted(self, expires: int) -> None:
        if expires == 0:
            self._on_outcome(Refused(200, "the contact is not among those that the registrar keeps"))
            return
        self._registered, self._moves, self._failures = True, 0, 0
        if self._refreshes and not self._ended:
            self._timer = self._ua.clock.after(max(expires / 2, _MIN_REFRESH), self.register)
        self._on_outcome(Registered(expires))

    def _failed(self, why: Why) -> None:
        self._on_outcome(Refused(0, why))
        self._again()

    def _again(self) -> None:
        """A registration that was there and could not be renewed is tried again, ever more slowly."""
        if self._registered and not self._ended:
            if self._timer is not None:
                self._timer.cancel()
            pause = min(RETRY * 2**self._failures, MAX_RETRY)
            self._failures = min(self._failures + 1, 10)
            self._timer = self._ua.clock.after(pause, self.register)


def granted(response: Message, contact: str, asked: int) -> int:
    """The lifetime that a 200 to REGISTER gives to this contact, seconds; 0 if it does not list it.

    The contact's own `expires`, else the Expires header, else what was asked for (RFC 3261 10.2.4).
    """
    for element in (e for value in response.all("contact") for e in split_list(value)):
        if _is_same(element, contact):
            own = _seconds(header_params(element).get("expires", ""))
            general = _seconds(response.get("expires") or "")
            return next((s for s in (own, general) if s is not None), asked)
    return 0


def _is_same(listed: str, contact: str) -> bool:
    """Whether a listed contact is ours. The user part decides where there is one, as it is unique: registrars behind
    NAT list the host as they see it."""
    mine = parse_uri(uri_text(contact))
    try:
        other = parse_uri(uri_text(listed))
    except SipError:
        return False
    return other.user == mine.user if mine.user else other.same(mine)


def _seconds(text: str) -> int | None:
    """A delta-seconds value (RFC 3261 25.1); None if it is none."""
    text = text.strip()
    return min(int(text), 2**32 - 1) if text.isascii() and text.isdigit() and len(text) <= 10 else None
