"""What an author declares: agents and their answers, calls, and what must be seen."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from sip_harness.model.expecting import Heard
from sip_harness.model.pattern import Event, Trigger
from sip_harness.model.place import NOWHERE, Place
from sip_harness.model.script import Script
from sip_harness.model.steps import NEEDED, PLAIN, Delivery, Raw, Step
from sip_harness.model.wanted import Expectation
from sip_harness.sip.fields import COMPACT

Stack = Literal["auto", "pjsua2", "wire"]
Shape = Literal["ring", "hunt"]
Transport = Literal["udp", "tcp", "tls", "ws", "wss"]
URI_PLACEHOLDER = re.compile(r"\{(uri|user|host|hostport)\}")
"""What stands in the Request-URI, the headers and the bytes of a call for parts of what its target has in a run."""
LED_TO = re.compile(r"\{(uri|user|host|hostport) of ([A-Za-z0-9-]+)\}")
"""What stands in a header that an agent writes for where another role of the scenario is reached in a run."""
Listens = Literal["", "closed", "never"]
"""Whether its port is open once it has taken its place: `closed` refuses (ICMP, RST), `never` drops what knocks as a
firewall does: a connection that is asked for is neither made nor refused."""


@dataclass(frozen=True, slots=True)
class Device:
    """A scripted user agent that the system reaches."""

    name: str
    script: Script
    stack: Stack = "auto"
    place: Place = NOWHERE
    transport: Transport = "udp"
    kind: Literal["device", "carrier"] = "device"
    """A carrier is a peer that the system routes to: it does not register."""
    expires: int | None = None
    """Seconds for which it registers, once; None: for as long as the run takes."""
    listens: Listens = ""


@dataclass(frozen=True, slots=True)
class Target:
    """What dialling a name reaches: `ring` all members at once, or `hunt` through them in turn."""

    name: str
    shape: Shape
    members: tuple[str, ...]
    place: Place = NOWHERE
    together: tuple[tuple[str, ...], ...] = ()
    """For a hunt through groups: the members of each step, all at once. Empty: each member is a step of its own."""

    @property
    def steps(self) -> tuple[tuple[str, ...], ...]:
        """Who is tried at once, in turn."""
        if self.shape == "ring":
            return (self.members,)
        return self.together or tuple((member,) for member in self.members)


@dataclass(frozen=True, slots=True)
class Account:
    """What a caller proves itself with."""

    password: str = field(default="", repr=False)
    user: str = ""
    """Empty: that of its own account."""
    agent: str = ""
    """Who it passes itself off as: the agent whose account it uses, with password and all."""
    address: str = ""
    """The address of record of that agent in this run, known once it is planned: From, and To of a REGISTER."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call that a caller makes. Calls without `at` are made in turn: each when all before it are over."""

    name: str
    caller: str
    target: str
    cancel: Trigger | None = None
    """CANCEL; without an event the delay counts from the INVITE."""
    hang_up: Trigger | None = None
    """BYE; without an event the delay counts from the answer. Without a trigger: as soon as the answering device
    has its ACK."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers to add to the request, or instead of ours. `{uri}`, `{user}` and `{host}` stand for what the target has
    in this run, and the placeholders of `Raw` for what the request would have without them."""
    stack: Stack = "auto"
    place: Place = NOWHERE
    transport: Transport = "udp"
    method: str = "INVITE"
    """A call is an INVITE; any other method is a single request outside of a dialog."""
    then: tuple[Step, ...] = ()
    """What the caller does from the answer on, step by step (re-INVITE, UPDATE, REFER, ...). If it does not hang up by
    itself, the call ends as `hang_up` says, but not before every step is carried out and every request answered."""
    ack: Trigger | Literal["never"] | None = None
    """When the final response is acknowledged, a failure like a 2xx; None: at once. Without an event the delay counts
    from that response. What a challenge gets that is answered, and the 2xx to a re-INVITE, is acknowledged at once."""
    prack: Literal["never"] | None = None
    """Whether reliable provisionals are acknowledged (RFC 3262); None: at once."""
    script: Script | None = None
    """How the caller reacts to requests (`on`) and what it is deaf to (`lose`)."""
    at: Trigger | None = None
    """When it is made, whatever other calls do; without an event the delay counts from the beginning of the run."""
    early: tuple[Step, ...] = ()
    """What the caller does from the first early dialog on (RFC 3261 12.1), until the final response."""
    account: Account | None = None
    """What it answers challenges with; None: its own account."""
    uri: str = ""
    """Request-URI, with `{uri}`, `{user}`, `{host}` and `{hostport}` for what the target has in this run; empty:
    the target's."""
    body: str = ""
    """Instead of the SDP offer of an INVITE, or of none."""
    content_type: str = ""
    omit: frozenset[str] = frozenset()
    """Lower-case names of headers of ours that are left out (written as null)."""
    how: Delivery = PLAIN
    """How its request leaves."""
    raw: Raw | None = None
    """Its request as exact bytes, with the placeholders of `headers`. `method` is that of the bytes: empty for what is
    no request. Challenges are not answered."""
    meanwhile: tuple[Step, ...] = ()
    """What the caller does from its request on, step by step and whatever comes back: it says the request again, sends
    CANCEL whether that is right or not, and exact bytes."""

    @property
    def is_odd(self) -> bool:
        """Whether its request may be one that nobody has to answer: a system may drop it without a word."""
        named = self.omit | {COMPACT.get(name.lower(), name.lower()) for name, _ in self.headers}
        return self.raw is not None or bool(self.how.mutations) or bool(named & NEEDED)


@dataclass(frozen=True, slots=True)
class Watch:
    """A time in which the system is watched while it acts by itself (registers, probes), beside all calls."""

    seconds: float
    """How long; with `until` at most."""
    until: Event | None = None
    """It ends with this event, which is due."""
    place: Place = NOWHERE
    gives_up: bool = False
    """Whether the system is then told to give its accounts at the carriers up, and watched while it does."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario, checked: every name in it resolves."""

    id: str
    title: str
    cite: tuple[str, ...]
    targets: tuple[Target, ...]
    devices: tuple[Device, ...]
    calls: tuple[Call, ...]
    expectations: tuple[Expectation, ...]
    needs: frozenset[str] = frozenset()
    """Capabilities that a system must have, else the scenario is skipped."""
    tags: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()
    """Ids of further behaviours that it shows besides the one that it is named after."""
    proof: tuple[str, ...] = ()
    """Faults under which this scenario must fail."""
    disruptive: bool = False
    """Whether it disturbs others on a shared system (`impact: disruptive`)."""
    place: Place = NOWHERE
    watch: Watch | None = None
    """None: the run is over with its calls."""

    @property
    def callers(self) -> tuple[str, ...]:
        """Names of the callers, each once, in order of appearance."""
        return tuple(dict.fromkeys(call.caller for call in self.calls))

    @property
    def timed(self) -> bool:
        """Whether its calls may overlap, or something is to happen beside them: events then count once per run, else
        once per call."""
        return self.watch is not None or any(call.at is not None for call in self.calls)

    @property
    def media(self) -> bool:
        """Whether some agent sends RTP, or is to hear what the system itself sends."""
        if any(isinstance(wanted, Heard) for wanted in self.expectations):
            return True
        scripts = [*(d.script for d in self.devices), *(c.script for c in self.calls if c.script is not None)]
        return any(script.plays for script in scripts)

    def device(self, name: str) -> Device | None:
        """The device of that name, or None."""
        return next((d for d in self.devices if d.name == name), None)
