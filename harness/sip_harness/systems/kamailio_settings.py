"""What can be set on our Kamailio, what it can do by it, and what may be expected of it then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sip_harness.model.policy import Deviation, Policy, Timer
from sip_harness.model.vocabulary import GRANTED
from sip_harness.systems import kamailio_malformed

FAULTS = (
    "forks-on-after-6xx",
    "one-486-ends-the-fork",
    "maps-600-to-486",
    "never-retransmits",
    "rings-for-ever",
    "swallows-second-2xx",
    "swallows-2xx-after-cancel",
    "hunts-on-after-6xx",
    "stops-hunting-at-486",
    "last-leg-wins",
    "ignores-callers-cancel",
    "calls-dead-carriers",
    "stays-with-the-backup",
    "takes-404-for-dead",
    "never-fails-over",
    "fails-over-on-486",
    "leaks-503",
    "forwards-loops",
    "takes-anonymous-calls",
    "keeps-any-number-of-contacts",
    "keeps-contacts-per-call-id",
    "follows-redirects-in-circles",
    "follows-redirects-to-premium-numbers",
)
"""Fault switches, named as in the vocabulary; each is a define of the configuration."""
CAPABILITIES = frozenset({
    *GRANTED,
    "register", "ring", "hunt", "mixed", "min-expires", "path", "carriers", "stays-after-ringing", "probing",
    "max-contacts", "anonymous-rejection", "recursion", "bars-premium-numbers", "tcp",
})  # fmt: skip
SHORTEST_TIMER = 0.25
"""Seconds. Kamailio's timers tick 16 times a second; much below this a timer is mostly rounding."""
_STRAYS = "passes on responses that match no transaction (RFC 6026 7.3 forbids it); seen with 5.6.3"
_EXTENSIONS = "passes on what asks for extensions that it does not know, as by default; seen with 5.6.3"
_NO_PAUSE = "reads no Retry-After: the dispatcher calls a carrier again at once (RFC 3261 20.33); seen with 5.6.3"
_HALVES = "keeps the contacts that come before one it refuses the REGISTER for (RFC 3261 10.3 step 7); seen with 5.6.3"
_DEAF = "waits fr_timer where ICMP says at once that nobody listens (RFC 3261 16.9, 18.4); seen with 5.6.3"
_REFUSED = "waits fr_timer where the connection is refused (RFC 3261 16.9; tm's failure_exec_mode); seen with 5.6.3"
_AT_ONCE = "g2: INVITE within policy.prompt of carol sends INVITE"
_GOES_ON = (
    "calls the next one at the ring limit before the last one has ended (against RFC 3261 16.8), so that "
    "both may answer; seen with 5.6.3"
)
_BREADTH = "does not read Max-Breadth and rings all phones at once (against RFC 5393 5.3.3); seen with 5.6.3"
_BY_BRANCH = "takes a CANCEL by its branch alone, whoever sent it (against RFC 3261 17.2.3); seen with 5.6.3"
_ROUTES = "copies Record-Route into its answer to REGISTER (RFC 3261 10.3 forbids it); seen with 5.6.3"
_LATE = "200 from desk within 1s of desk sends 200"
_TWO_CALLS = "INVITE, ACK to 503, INVITE after 2s of g1 sends 503, ACK to 503"
DEVIATIONS = (
    *(
        Deviation(
            name,
            f"alice: {code} from mobile",
            "408 Request Timeout made by the system itself",
            f"its own 408 for a dead branch wins over a real {code} (tm's faked_reply_prio is 0); seen with 5.6.3",
        )
        for name, code in (("FK-17", 486), ("FK-17-480", 480))
    ),
    Deviation("GW-02", "g1: INVITE after 2s of g1 sends 503", "early INVITE", _NO_PAUSE),
    *(
        Deviation("GW-02", f"g1: nothing but {_TWO_CALLS}", f"also {extra}", _NO_PAUSE)
        for extra in ("INVITE", "ACK to 503")
    ),
    Deviation("RB-03", "alice: nothing but 600 from desk", "also 200 OK from desk", _STRAYS),
    Deviation("RB-03", "alice: nothing but 600 from desk", "also 200 OK to OPTIONS", _STRAYS),
    Deviation(
        "TO-10",
        "alice: nothing but maybe 200 to MESSAGE",
        "also 408 Request Timeout to MESSAGE made by the system itself",
        "answers 408 to other requests than INVITE (RFC 4320 4.2 forbids it); seen with 5.6.3",
    ),
    Deviation("RG-12", "alice: nothing but 4xx or 5xx to REGISTER, 486 from desk", "also INVITE", _HALVES),
    Deviation("RG-12", "alice: nothing but 4xx or 5xx to REGISTER, 486 from desk", "also ACK to 480", _HALVES),
    Deviation("RG-12", "alice: 486 from desk", "480 Temporarily Unavailable made by the system itself", _HALVES),
    Deviation(
        "RG-07", "alice: 200 to REGISTER with Record-Route absent", "Record-Route: <sip:edge.invalid;lr>", _ROUTES
    ),
    Deviation("TO-12", _AT_ONCE, "late INVITE", _DEAF),
    Deviation("TO-16", _AT_ONCE, "late INVITE", _REFUSED),
    Deviation(
        "TO-12-phone",
        "carol: policy.503 from system within policy.prompt",
        "408 Request Timeout made by the system itself",
        _DEAF,
    ),
    *(
        Deviation(name, expectation, observed, _GOES_ON)
        for name in ("SH-04-late", "SH-05")
        for expectation, observed in (
            (f"alice: nothing but {_LATE}", "also 200 OK from mobile"),
            ("mobile: never", "INVITE"),
        )
    ),
    *(
        Deviation("CN-17", expectation, observed, _BY_BRANCH)
        for expectation, observed in (
            ("alice: 481 to CANCEL", "487 Request Terminated from desk"),
            ("alice: 486 from desk", "nothing"),
            ("desk: nothing but INVITE, ACK to 486", "also CANCEL"),
            ("desk: ACK to 486", "ACK to 487"),
        )
    ),
    Deviation(
        "FK-32",
        "alice: maybe 486 no earlier than 700ms after alice sends INVITE",
        "early 486 Busy Here",
        _BREADTH,
    ),
    Deviation("RB-20", "alice: 420 from system", "200 OK from desk", _EXTENSIONS),
    Deviation("RB-20", "desk: never", "INVITE", _EXTENSIONS),
    *kamailio_malformed.DEVIATIONS,
)
"""Where it is known not to do what a shipped scenario asks."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of Kamailio's tm and dispatcher that change what a call sees. Times in seconds."""

    transaction: float = 1.0
    """A branch that answers nothing counts as 408 after this time (timers B and F, RFC 3261 17.1; tm's `fr_timer`)."""
    ring: float = 3.0
    """A branch that only rings is cancelled after this time (Timer C, RFC 3261 16.8; tm's `fr_inv_timer`)."""
    probe: int = 1
    """Between two OPTIONS to a carrier, where carriers are probed (dispatcher's `ds_ping_interval`)."""
    probes_in_a_row: int = 1
    """Probes that have to say the same before a carrier counts as gone, or as back (`ds_probing_threshold` and
    `ds_inactive_threshold`)."""
    t1: float = 0.5
    """First retransmission (RFC 3261 17.1.1.1)."""
    t2: float = 4.0
    """Longest time between two retransmissions of anything but an INVITE."""
    failover: frozenset[int] = frozenset({408, 500, 502, 503, 504})
    """With these final responses, its own 408 included, a carrier passes the call on to the next."""
    remap_503_500: bool = True
    """A 503 goes on as 500 (RFC 3261 16.7 step 6)."""
    ipv6: bool = False
    """It stands on ::1 instead of 127.0.0.1, and has no carriers."""
    disable_6xx_block: bool = False
    """A 6xx ends only its own branch, against RFC 3261 16.7 step 5."""

    def __post_init__(self) -> None:
        """Raises ValueError for a timer below SHORTEST_TIMER, a probe interval below a second, and no final code."""
        for name, seconds in (("transaction", self.transaction), ("ring", self.ring), ("t1", self.t1), ("t2", self.t2)):
            if not seconds >= SHORTEST_TIMER:
                raise ValueError(f"timer {name} is {seconds:g}s: Kamailio needs at least {SHORTEST_TIMER:g}s")
        if not self.probe >= 1:
            raise ValueError(f"timer probe is {self.probe:g}s: Kamailio counts it in whole seconds, 1 at least")
        if not 1 <= self.probes_in_a_row <= 100:
            raise ValueError(f"setting probes-in-a-row is {self.probes_in_a_row}: from 1 to 100 make sense")
        if bad := sorted(code for code in self.failover if not 300 <= code <= 699):
            raise ValueError(f"failover codes are final failures, 300 to 699, not {', '.join(map(str, bad))}")

    def defines(self) -> Iterator[tuple[str, str]]:
        """Defines of the configuration, those without a value empty."""
        for name in ("transaction", "ring"):
            yield f"{name.upper()}_TIMER", str(round(getattr(self, name) * 1000))
        for name in ("t1", "t2"):
            yield name.upper(), str(round(getattr(self, name) * 1000))
        yield "PROBE_INTERVAL", str(self.probe)
        yield "PROBES_IN_A_ROW", str(self.probes_in_a_row)
        yield "FAILOVER_CODES", '"' + ("|".join(map(str, sorted(self.failover))) or "none") + '"'
        if not self.remap_503_500:
            yield "RELAYS_503", ""
        if self.disable_6xx_block:
            yield "DISABLE_6XX_BLOCK", ""

    def policy(self, digest: bool = False) -> Policy:
        """What Kamailio may take its time for; `digest`: whether it asks callers for credentials.

        It reacts within some milliseconds even on two busy processors; `prompt` leaves much more and still tells a
        reaction from a timer. Timers fire up to a tick (1/16 s) early.
        """
        timers = {"transaction": Timer(self.transaction), "ring": Timer(self.ring), "probe": Timer(self.probe)}
        return Policy(
            prompt=min(0.4, *(timer.seconds / 2 for timer in timers.values())),
            settle=0.2,
            timers=timers,
            codes={"503": 500 if self.remap_503_500 else 503, "ring-timeout": 408},
            deviations=tuple(d for d in DEVIATIONS if not digest or d.scenario not in kamailio_malformed.BEHIND_DIGEST),
            failover=tuple(sorted(self.failover)),
        )


def capabilities(digest: bool = False, tls: bool = False, ws: bool = False) -> frozenset[str]:
    """What it can do in this variant, in the words of `needs`."""
    return CAPABILITIES | {name for name, has in (("digest", digest), ("tls", tls or ws), ("ws", ws)) if has}


def name_of(digest: bool = False, tls: bool = False, ws: bool = False) -> str:
    """Name of this variant."""
    return "kamailio" + ("-digest" if digest else "") + ("-ws" if ws else "-tls" if tls else "")
