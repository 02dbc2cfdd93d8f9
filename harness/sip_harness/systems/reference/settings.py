"""What can be set about the reference, and the policy that follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from sip_harness.model.policy import Policy, Timer
from sip_harness.sip.transaction_tables import Letter, Timers

FAILOVER = frozenset({408, 500, 502, 503, 504})
"""Codes of a carrier after which the next one is tried; no answer at all and a broken connection count as well."""
RING_TIMEOUT, NO_TARGET, NO_CARRIER = 408, 480, 500
"""What the proxy says by itself: nobody answered in time, nobody is registered, every carrier is passed over."""
SHORTEST_TIMER = 0.1
"""Seconds; below this a busy machine is mistaken for a slow system."""


@dataclass(frozen=True)
class Settings:
    """Times in seconds."""

    transaction: float = 0.75
    """How long a branch may say nothing at all (in place of Timers B and F). Longer than T1, so that there is a
    retransmission to be seen."""
    ring: float = 1.5
    """How long a branch may say nothing final (Timer C; RFC 3261 16.6 step 11 wants more than 3 minutes)."""
    probe: float = 0.5
    """From the end of one probe of a carrier to the next."""
    failover: frozenset[int] = FAILOVER
    recurse: bool = False
    """Whether the contacts of a 3xx are always tried here (RFC 3261 16.7 step 4) instead of being passed on, not only
    in scenarios that need `recursion`."""
    too_many_contacts: int = 403
    """What a registration is refused with that is one too many; 503 is the other code that is seen."""
    ipv6: bool = False
    """Whether it stands on ::1 instead of 127.0.0.1; then it has no carriers, which have addresses of 127/8."""
    digest: bool = False
    password: str = ""
    """Of every user, where `digest` is on."""
    faults: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse timers that would mean nothing. Raises ValueError."""
        for name in ("transaction", "ring", "probe"):
            if not getattr(self, name) >= SHORTEST_TIMER:
                raise ValueError(f"timer {name} is {getattr(self, name):g}s: at least {SHORTEST_TIMER:g}s are needed")

        if not 400 <= self.too_many_contacts <= 599:
            raise ValueError(f"too-many-contacts is {self.too_many_contacts}: a registrar refuses with 400 to 599")

    def policy(self) -> Policy:
        """How it is to be judged: it reacts within a millisecond, its timers fire when they are due."""
        timers = {
            "transaction": Timer(self.transaction, early=0.02, late=0.15),
            "ring": Timer(self.ring, early=0.05, late=0.25),
            "probe": Timer(self.probe, early=0.05, late=0.25),
        }
        prompt = min(0.25, *(timer.seconds / 2 for timer in timers.values()))
        codes = {"ring-timeout": RING_TIMEOUT, "503": 500}
        return Policy(prompt=prompt, settle=0.2, timers=timers, codes=codes, failover=tuple(sorted(self.failover)))

    def timers(self) -> ProxyTimers:
        """Those of its transactions."""
        return ProxyTimers(without=unused(self.faults), give_up=self.transaction)


def unused(faults: frozenset[str]) -> str:
    """Letters of the timers that never fire under these faults."""
    return "AEG" if "never-retransmits" in faults else ""


@dataclass(frozen=True, slots=True)
class FaultyTimers(Timers):
    """The times of RFC 3261 17, only that some timers never fire."""

    without: str = ""
    """Their letters."""

    def duration(self, letter: Letter, *, reliable: bool = False) -> float | None:
        """See `Timers.duration`."""
        return None if letter in self.without else Timers.duration(self, letter, reliable=reliable)


@dataclass(frozen=True, slots=True)
class ProxyTimers(FaultyTimers):
    """And a request which nobody answers is given up sooner."""

    give_up: float = 0.75

    def duration(self, letter: Letter, *, reliable: bool = False) -> float | None:
        """See `Timers.duration`."""
        if letter in "BF":
            return self.give_up
        return FaultyTimers.duration(self, letter, reliable=reliable)
