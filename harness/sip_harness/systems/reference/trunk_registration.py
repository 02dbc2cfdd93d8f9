"""A trunk's registration at one carrier: made, kept alive, tried again with patience, taken back (RFC 3261 10.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sip_harness.endpoint import build
from sip_harness.endpoint.registration import MAX_EXPIRES, granted
from sip_harness.endpoint.request import Credentials, Request
from sip_harness.endpoint.transactions import Why
from sip_harness.model.system import User
from sip_harness.net.base import Hop, host_port
from sip_harness.net.clock import Timer
from sip_harness.sip import headers
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message
from sip_harness.systems.reference import redirects
from sip_harness.systems.reference.actions import Target
from sip_harness.systems.reference.trunk_account import account

if TYPE_CHECKING:
    from sip_harness.systems.reference.trunk_client import TrunkClient

MAX_WAIT = 24 * 3600.0
"""Seconds that a Retry-After, or a granted lifetime, can make it wait."""
_IMPATIENCE = 0.2
"""Seconds between two tries of a client that has gone wrong: fast enough to be seen, and no flood."""
_FOR_GOOD = frozenset({400, 401, 402, 403, 404, 405, 407, 410, 416, 420, 421, 485, 494})
"""What no later try changes (RFC 3261 21.4), besides every 3xx, which is not followed, and every 6xx."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Times of a trunk client, seconds."""

    expires: int = 60
    """Lifetime that it asks for."""
    transaction: float = 1.0
    """A REGISTER without an answer has failed after this."""
    begin: float = 0.1
    """Before the first REGISTER, so that the carriers of a run are there."""
    retry: float = 1.0
    """First pause after a failure; each further one is twice as long."""
    cap: float = 4.0
    """Longest such pause."""

    def __post_init__(self) -> None:
        """Raises ValueError for a time that is none."""
        for name in ("expires", "transaction", "begin", "retry", "cap"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name):g}s: it must be more")


class Registrar:
    """Where an account is registered, and as what."""

    def __init__(self, client: TrunkClient, user: User, hop: Hop) -> None:
        """`hop` is where it listens, and by which transport."""
        transport, address = hop.transport, host_port(hop.remote)
        self.hop = hop
        self.uri = f"sip:{address}{';transport=tcp' if transport.reliable else ''}"
        self.aor = f"sip:{user.name}@{address}"
        self.contact = client.station.contact(user.name, transport)
        self.sender = f"<{self.aor}>;tag={build.new_tag()}"
        self.call_id = f"{build.new_tag()}{build.new_tag()}@{transport.local[0]}"
        self.account = account(Credentials(user.name, user.password), client.faults)


class TrunkRegistration:
    """One account at one carrier, which may have several registrars. 401, 407, 423, 503 and silence are met as they
    should be, 403 ends it."""

    def __init__(self, client: TrunkClient, user: User, registrars: Sequence[Hop], *, recurses: bool = False) -> None:
        """Nothing is sent yet. `registrars` are tried in this order (RFC 3263 4.3). With `recurses` redirections are
        followed."""
        self._recurses = recurses
        self._client = client
        self._user = user
        self._all = [Registrar(client, user, hop) for hop in registrars]
        self._at = 0
        self._asked = client.patience.expires
        self._pause = client.patience.retry
        self._seq = 0
        self._registered = False
        self._asking = False
        """Whether a REGISTER is under way that may bind the contact yet."""
        self._ended = False
        self._request: Request | None = None
        self._timer: Timer | None = None
        self._deadline: Timer | None = None

    def begin(self) -> None:
        """Register as soon as it is time."""
        self._later(self._client.patience.begin)

    def register(self) -> None:
        """Send REGISTER."""
        if not self._ended:
            self._asking = True
            self._send(self._asked)
            self._deadline = self._client.clock.after(self._client.patience.transaction, self._no_answer)

    def end(self) -> None:
        """Take the contact back, and wait for nothing but the answer to a REGISTER that is under way: its contact is
        taken back once it is bound."""
        self._ended = True
        for timer in (self._timer, self._deadline):
            if timer is not None:
                timer.cancel()
        if self._registered:
            self._take_back()

    def _take_back(self) -> None:
        self._asking = False
        if "forgets-to-unregister" not in self._client.faults:
            self._send(0)

    @property
    def _registrar(self) -> Registrar:
        return self._all[self._at]

    def _send(self, expires: int) -> None:
        registrar = self._registrar
        self._request = Request(
            self._client.station.layer,
            lambda credentials: self._make(expires, credentials),
            registrar.hop,
            "protocol",
            registrar.account.credentials,
            on_final=self._answered,
            on_failure=self._failed,
            challenged=registrar.account,
            known=registrar.account.again("REGISTER", registrar.uri),
        )

    def _make(self, expires: int, credentials: build.Headers) -> bytes:
        self._seq += 1
        registrar = self._registrar
        return build.request(
            "REGISTER",
            registrar.uri,
            via=build.new_via(registrar.hop.transport),
            sender=registrar.sender,
            to=f"<{registrar.aor}>",
            call_id=registrar.call_id,
            cseq=self._seq,
            headers=[("Contact", registrar.contact), ("Expires", str(expires)), *credentials],
        )

    def _answered(self, response: Message) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        asked, self._asking = self._asking, False
        code = response.code
        if self._ended:
            if asked and code < 300:
                self._take_back()
            return
        if code < 300:
            if "ignores-nextnonce" not in self._client.faults:
                self._registrar.account.informed(response)
            self._granted(granted(response, self._registrar.contact, self._asked))
        elif code == 423:
            self._too_brief(response)
        elif 300 <= code < 400 and self._recurses and self._follows(response):
            self.register()
        elif code in _FOR_GOOD or 300 <= code < 400 or code >= 600:
            self._refused(code)
        else:
            self._wait_as_told(response)

    def _granted(self, seconds: int) -> None:
        """Refresh at half the time that was granted (RFC 3261 10.2.4 wants it before the end)."""
        if not seconds and "takes-any-200" in self._client.faults:
            seconds = self._asked
        if not seconds:
            self._back_off()
            return
        self._registered = True
        self._pause = self._client.patience.retry
        if "never-refreshes" not in self._client.faults:
            self._later(min(seconds / 2, MAX_WAIT))

    def _too_brief(self, response: Message) -> None:
        """RFC 3261 10.2.8: what the carrier wants at least, unless that is absurd."""
        wanted = _seconds(response, "min-expires")
        if "ignores-min-expires" in self._client.faults:
            self._later(_IMPATIENCE)
        elif wanted is not None and self._asked < wanted <= MAX_EXPIRES:
            self._asked = wanted
            self.register()
        else:
            self._back_off()

    def _refused(self, code: int) -> None:
        """Nothing will change it: no further try, which would be hammering."""
        self._registered = False
        hammers = code not in (401, 407) and "hammers-after-403" in self._client.faults
        if hammers or (code in (401, 407) and "answers-challenge-for-ever" in self._client.faults):
            self._later(_IMPATIENCE)

    def _moves_on(self) -> bool:
        """Whether the next registrar of the carrier is asked at once (RFC 3263 4.3); not once all have failed."""
        if "knows-one-registrar-only" in self._client.faults:
            return False
        self._at = (self._at + 1) % len(self._all)
        if self._at:
            self.register()
        return self._at > 0

    def _follows(self, response: Message) -> bool:
        """The carrier names another registrar of its own, which is asked from now on (RFC 3261 8.1.3.4)."""
        known = [registrar.hop.remote for registrar in self._all]
        found = redirects.read(response, lambda uri: [Target(str(uri))], (), self._client.faults)
        hops = (self._client.station.hop(target.uri) for group in found.groups for target in group)
        hop = next((hop for hop in hops if hop is not None and hop.remote not in known), None)
        if hop is None or len(self._all) >= redirects.MAX_CIRCLES:
            return False
        if "sends-redirected-calls-back" in self._client.faults:
            hop = self._registrar.hop
        self._all = [*self._all, Registrar(self._client, self._user, hop)]
        self._at = len(self._all) - 1
        return True

    def _wait_as_told(self, response: Message) -> None:
        """RFC 3261 20.33: Retry-After says when; without it, with growing patience."""
        seconds = _seconds(response, "retry-after")
        if response.code == 503 and self._moves_on():
            return
        if seconds is None:
            self._back_off()
        elif "ignores-retry-after" in self._client.faults:
            self._later(_IMPATIENCE)
        else:
            self._later(min(seconds, MAX_WAIT))

    def _back_off(self) -> None:
        pause = self._pause
        if "retries-without-back-off" not in self._client.faults:
            self._pause = min(2 * pause, self._client.patience.cap)
        self._later(pause)

    def _no_answer(self) -> None:
        self._asking = False
        if self._request is not None:
            self._request.client.stop()
        if not self._moves_on():
            self._back_off()

    def _failed(self, why: Why) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._asking = False
        if not self._ended and not self._moves_on():
            self._back_off()

    def _later(self, seconds: float) -> None:
        self._timer = self._client.clock.after(seconds, self.register)


def _seconds(response: Message, name: str) -> int | None:
    """A number of seconds; None if there is none that can be read."""
    try:
        return headers.seconds(response, name)
    except SipError:
        return None
