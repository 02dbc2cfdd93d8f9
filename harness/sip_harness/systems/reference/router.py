"""Where a dialled user is: registered contacts and the carriers of runs, in groups of equal preference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import groupby

from sip_harness.sip.errors import SipError
from sip_harness.sip.headers import seconds
from sip_harness.sip.message import Message
from sip_harness.sip.uri import unescape
from sip_harness.systems.reference.actions import Target
from sip_harness.systems.reference.overload import Throttle
from sip_harness.systems.reference.registrar import Contact, Registrar

LONGEST_BAN = 3600.0
"""Seconds that a Retry-After can take a carrier out."""


@dataclass
class Carrier:
    """A carrier of one run."""

    target: Target
    banned_until: float = 0.0
    """It asked to be left alone until then (RFC 3261 20.33)."""
    alive: bool = True
    """Whether it answered the last probe."""
    throttle: Throttle = field(default_factory=Throttle)
    """How much less it wants to be called."""


def _as_dialled(target: Target, user: str, dialled: str) -> Target:
    """A carrier for this user as it is called for what was dialled: with all its digits (RFC 3261 16.5)."""
    return target if user == dialled else replace(target, uri=f"sip:{dialled}@{_place(target)}")


def _place(target: Target) -> str:
    """Where it is, without who is called there."""
    return target.uri.rpartition("@")[2]


def _flows_together(contacts: Iterable[Contact], faults: frozenset[str]) -> list[Target]:
    """Of the flows of one instance the latest is the target, and has the others with it (RFC 5626 7)."""
    targets: dict[object, Target] = {}
    for number, contact in enumerate(contacts):
        target = Target(str(contact.uri), contact.q, path=contact.path)
        apart = contact.flow is None or "forks-to-all-flows" in faults
        key = number if apart or contact.flow is None else contact.flow[0]
        known = targets.get(key)
        targets[key] = target if known is None else replace(target, others=(replace(known, others=()), *known.others))
    return list(targets.values())


@dataclass
class Router:
    """The location service (RFC 3261 16.5)."""

    registrar: Registrar
    faults: frozenset[str] = frozenset()
    _routes: dict[str, list[Carrier]] = field(default_factory=dict)
    _wishes: dict[str, frozenset[str]] = field(default_factory=dict)

    def add(self, user: str, carriers: Iterable[Target]) -> list[Carrier]:
        """Route a user to carriers as well."""
        added = [Carrier(target) for target in carriers]
        self._routes.setdefault(unescape(user), []).extend(added)
        return added

    def wish(self, user: str, capabilities: Iterable[str]) -> None:
        """From now on calls to this user are treated as these optional capabilities say, in the words of `needs`."""
        self._wishes[unescape(user)] = frozenset(capabilities)

    def wished(self, user: str) -> frozenset[str]:
        """Optional capabilities that calls to this user are treated by."""
        return self._wishes.get(unescape(user), frozenset())

    def remove(self, user: str) -> None:
        """Forget a user's carriers and contacts."""
        self._wishes.pop(unescape(user), None)
        self._routes.pop(unescape(user), None)
        self.registrar.forget(user)

    def has_carriers(self, user: str) -> bool:
        """Whether calls to this user go to carriers, usable or not."""
        return unescape(self._known(user)) in self._routes

    def groups(self, user: str, now: float, *, urgent: bool = False) -> list[list[Target]]:
        """Targets of a user that can be tried, the most preferred group first (RFC 3261 16.6). An `urgent` call tries
        every carrier, whatever is known against it."""
        dialled, user = user, self._known(user)
        if "cuts-overlap-digits" in self.faults:
            dialled = user
        carriers = self._routes.get(unescape(user), ())
        targets = _flows_together(self.registrar.lookup(user, now), self.faults)
        targets += [_as_dialled(c.target, user, dialled) for c in carriers if urgent or self._usable(c, now)]
        if "ignores-q" in self.faults:
            return [targets] if targets else []
        if "rings-one-phone-only" in self.faults:
            targets = targets[:1]
        ordered = sorted(targets, key=lambda target: -target.q)
        return [list(group) for _, group in groupby(ordered, key=lambda target: target.q)]

    def _known(self, user: str) -> str:
        """Who has carriers and whose number this one begins with, if it is known itself to nobody (RFC 3578 3)."""
        plain = unescape(user)
        known = [one for one in self._routes if plain.startswith(one) and "overlap" in self.wished(one)]
        return max(known, key=len) if known and plain not in self._routes else user

    def ban(self, carrier: Target, pause: float, now: float) -> None:
        """Pass a carrier over for so many seconds."""
        for found in self._of(carrier):
            found.banned_until = now + min(pause, LONGEST_BAN)

    def throttle(self, carrier: Target, response: Message, now: float) -> bool:
        """Call a carrier so much less as it says in a response (RFC 7339). Whether it says something new."""
        return any(found.throttle.hear(response, now) for found in self._of(carrier))

    def _of(self, carrier: Target) -> list[Carrier]:
        """The carrier that this is, whatever number it is called with."""
        every = (c for carriers in self._routes.values() for c in carriers if c.target.carrier == carrier.carrier)
        return [c for c in every if _place(c.target) == _place(carrier)]

    def note(self, carrier: Target, response: Message, now: float) -> int:
        """Pass a carrier over for as long as its failure asks for (RFC 3261 20.33, 21.5.4). Seconds; 0 for not."""
        try:
            pause = seconds(response, "retry-after")
        except SipError:
            return 0
        outright = "bans-after-refusal" in self.faults or (response.code == 503 and "bans-after-503" in self.faults)
        if pause is None and outright:
            pause = round(LONGEST_BAN)
        if pause:
            self.ban(carrier, pause, now)
        return pause or 0

    def heeds(self, code: int, failover: frozenset[int]) -> bool:
        """Whether a failure with this code says something about the carrier, and not only about the call."""
        return code in failover or ("bans-after-refusal" in self.faults and code >= 300)

    def _usable(self, carrier: Carrier, now: float) -> bool:
        if carrier.banned_until > now and "ignores-retry-after" not in self.faults:
            return False
        if not carrier.alive and "calls-dead-carriers" not in self.faults:
            return False
        unheard = "ignores-overload-control" in self.faults
        return unheard or not carrier.throttle.diverts(now, for_ever="throttles-for-ever" in self.faults)
