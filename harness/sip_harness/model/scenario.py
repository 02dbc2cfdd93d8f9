"""What an author declares: agents and their answers, calls, and what must be seen."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from sip_harness.model.expecting import Count, Heard, Match, Severity, Timing
from sip_harness.model.pattern import Event, Pattern, Trigger
from sip_harness.model.place import NOWHERE, Place
from sip_harness.model.policy import Kind
from sip_harness.sip.fields import COMPACT

Stack = Literal["auto", "pjsua2", "wire"]
Shape = Literal["ring", "hunt"]
Transport = Literal["udp", "tcp", "tls", "ws", "wss"]
NEEDED = frozenset({"via", "from", "to", "call-id", "cseq", "max-forwards", "content-length"})
"""Headers that every request has, and without which it may be none (RFC 3261 8.1.1)."""
URI_PLACEHOLDER = re.compile(r"\{(uri|user|host|hostport)\}")
"""What stands in the Request-URI, the headers and the bytes of a call for parts of what its target has in a run."""
Listens = Literal["", "closed", "never"]
"""Whether its port is open once it has taken its place: `closed` refuses (ICMP, RST), `never` drops what knocks as a
firewall does: a connection that is asked for is neither made nor refused."""
MutationKind = Literal["strip", "duplicate", "corrupt", "truncate"]


@dataclass(frozen=True, slots=True)
class Mutation:
    """A named damage to one message of ours, made on its bytes just before they leave."""

    kind: MutationKind
    """`strip` every header field of that name; `duplicate` the first one; `corrupt` the value of the first one
    (bytes that no grammar allows); `truncate` the message to so many bytes."""
    argument: str
    """A header name; for `truncate` a number of bytes."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a message leaves where that is not as any user agent would send it. Only the wire stack can."""

    to_tag: str | None = None
    """To-tag instead of the dialog's own: empty for none at all, `other` for one made up for this response alone,
    anything else as it stands. None: the dialog's own."""
    branch: str = ""
    """Branch of the topmost Via instead of the request's: `other` for one that nobody has seen."""
    cseq: str = ""
    """Method in CSeq instead of the request's."""
    resend: tuple[float, ...] | None = None
    """Seconds after its first sending at which the message is sent again, whatever comes; empty: never. None: as
    RFC 3261 17 and 13.3.1.4 have it."""
    copies: int = 1
    """How often it is sent at once."""
    port: Literal["own", "other", "elsewhere"] = "own"
    """`other`: from a port that nobody knows; `elsewhere`: from such a port of another address of loopback."""
    reliable: bool = False
    """A provisional that asks for PRACK (RFC 3262)."""
    media: Literal["", "tone", "silence"] = ""
    """RTP that goes out from this response on."""
    mutations: tuple[Mutation, ...] = ()
    pieces: tuple[int, ...] = ()
    """On a stream transport: cut the message after these numbers of bytes into writes of their own."""


PLAIN = Delivery()


@dataclass(frozen=True, slots=True)
class Send:
    """Answer a request with this response."""

    code: int
    reason: str
    """Reason phrase, the registry's own if the author gave none."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers to add, in order: the author's, and the defaults that the code must carry (RFC 3261 21 and others)."""
    omit: frozenset[str] = frozenset()
    """Lower-case names of headers that the author wants left out (written as null)."""
    body: str = ""
    content_type: str = ""
    place: Place = NOWHERE
    to: str = ""
    """`INVITE` in a reaction to another request: the response answers the pending INVITE (`487 to INVITE`). Empty: it
    answers the request that this script is about."""
    how: Delivery = PLAIN

    def __str__(self) -> str:
        to = f" to {self.to}" if self.to else ""
        return f"{self.code} {self.reason}".strip() + to


@dataclass(frozen=True, slots=True)
class Raw:
    """Send exactly these bytes to where the request came from. Placeholders `{via}`, `{from}`, `{to}`, `{call-id}`,
    `{cseq}`, `{contact}` stand for the request's header values (all Via fields; our own Contact), `{branch}` and
    `{sent-by}` for parts of its topmost Via, `{run}` for a text that no other run has."""

    data: bytes
    file: str
    """Where the bytes are from, for reports."""
    place: Place = NOWHERE

    def __str__(self) -> str:
        return f"bytes of {self.file}"


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass."""

    seconds: float
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class After:
    """Go on once this has happened in this run; at once if it already has."""

    event: Event
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Silence:
    """Receive and never answer, not even with 100."""

    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class NoTrying:
    """Answer this INVITE without the 100 that comes by itself (RFC 3261 17.2.1)."""

    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Unregister:
    """Take the contact back that it has registered (RFC 3261 10.2.2)."""

    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class ForwardBack:
    """Hand the INVITE back to where it came from, to the number that was dialled (To), and hand on the responses."""

    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the answered call with BYE."""

    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Request:
    """Send a request of one's own within the dialog."""

    method: str
    """`INVITE` is a re-INVITE."""
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    content_type: str = ""
    place: Place = NOWHERE
    omit: frozenset[str] = frozenset()
    """Lower-case names of headers of ours that are left out (written as null)."""
    how: Delivery = PLAIN

    def __str__(self) -> str:
        return "re-INVITE" if self.method == "INVITE" else self.method


@dataclass(frozen=True, slots=True)
class Again:
    """Send the first request of the call once more, whatever has come back: the very bytes, outside of every state
    machine, or as another request that is the same in all but its branch (a merged one, RFC 3261 8.2.2.2)."""

    branch: Literal["", "other"] = ""
    place: Place = NOWHERE

    def __str__(self) -> str:
        return "again on another branch" if self.branch else "again"


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Do something to the transport: `close` the port (UDP: what comes next meets ICMP; TCP: a regular end), `reset`
    the connection (RST), or keep it open and never read again (`half-open`)."""

    kind: Literal["close", "reset", "half-open"]
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Challenge:
    """Go on only if the request has the right digest credentials; else challenge it with a fresh nonce, and that is
    all that it gets (RFC 3261 22, RFC 7616, RFC 8760). The request that comes back belongs to the same attempt."""

    code: int = 401
    """401 (a user agent or registrar asks) or 407 (a proxy does)."""
    user: str = ""
    """User name; empty: that of the agent's own account."""
    password: str = field(default="", repr=False)
    """Empty: that of the agent's own account."""
    realm: str = ""
    """Empty: the domain of the agent's account."""
    algorithms: tuple[str, ...] = ("MD5",)
    """A challenge for each, the preferred one first (RFC 8760 2.3)."""
    qop: str = "auth"
    """Empty for a challenge as RFC 2069 knew it."""
    place: Place = NOWHERE
    stale: bool = False
    """Whether the first right credentials come too late: their nonce counts as used up (RFC 7616 3.3)."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Accept a registration as a registrar does (RFC 3261 10.3): 200 with every contact and its lifetime, or 423 with
    Min-Expires to a lifetime that is too short."""

    expires: int = 0
    """Seconds that are granted at most; 0: what is asked for."""
    least: int = 0
    """Seconds that have to be asked for at least, unless the contact is taken back."""
    place: Place = NOWHERE


Step = (
    Send
    | Raw
    | Wait
    | After
    | Silence
    | NoTrying
    | HangUp
    | Request
    | Again
    | Disconnect
    | Challenge
    | Grant
    | Unregister
    | ForwardBack
)


@dataclass(frozen=True, slots=True)
class When:
    """Which requests something is for; whatever is stated has to hold."""

    headers: tuple[tuple[str, str], ...] = ()
    """Header names with `present`, `absent`, `/regular expression/` (found anywhere in a value) or a whole value."""
    user: str = ""
    """The user part of the Request-URI, in the same forms; empty: any."""
    caller: str = ""
    """The agent whose account stands in From; empty: any."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is done with the requests that match; they are counted in no attempt."""

    when: When
    steps: tuple[Step, ...]
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Reaction:
    """What an agent does with requests of one method, instead of what any user agent would do."""

    method: str
    """`re-INVITE` is an INVITE within a dialog."""
    attempts: tuple[tuple[Step, ...], ...]
    """By number of the request of that method in the run (retransmissions, and what answers a `challenge`, are none);
    the last serves all further."""
    place: Place = NOWHERE
    cases: tuple[Case, ...] = ()
    """Asked first, in this order."""

    @property
    def lists(self) -> tuple[tuple[Step, ...], ...]:
        """All lists of steps."""
        return *self.attempts, *(case.steps for case in self.cases)

    def steps(self, attempt: int) -> tuple[Step, ...]:
        """Steps for the request with this number, counted from 0."""
        return self.attempts[min(attempt, len(self.attempts) - 1)]


@dataclass(frozen=True, slots=True)
class Loss:
    """Messages that an agent is deaf to, as if they had been lost on the way to it. They are recorded all the same."""

    pattern: Pattern
    first: int = 0
    """Only so many, retransmissions counted; 0: all."""
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class Script:
    """What a device does when it is called, by attempt: the last entry serves all further attempts.

    An attempt is a new out-of-dialog INVITE transaction; a retry with credentials does not count.
    """

    attempts: tuple[tuple[Step, ...], ...]
    reactions: tuple[Reaction, ...] = ()
    losses: tuple[Loss, ...] = ()
    cases: tuple[Case, ...] = ()
    """What is done with the calls that match, asked first in this order."""

    @property
    def lists(self) -> tuple[tuple[Step, ...], ...]:
        """All lists of steps that answer calls."""
        return *self.attempts, *(case.steps for case in self.cases)

    def steps(self, attempt: int) -> tuple[Step, ...]:
        """Steps for the attempt with this number, counted from 0."""
        return self.attempts[min(attempt, len(self.attempts) - 1)]

    @property
    def plays(self) -> bool:
        """Whether some response of it sends RTP."""
        scripts = (*self.lists, *(steps for reaction in self.reactions for steps in reaction.lists))
        return any(isinstance(step, Send) and bool(step.how.media) for steps in scripts for step in steps)

    def reaction(self, method: str) -> Reaction | None:
        """The scripted reaction to requests of this method, or None for what any user agent would do."""
        return next((r for r in self.reactions if r.method == method), None)


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
class Schedule:
    """How a message has to be retransmitted: at these seconds after its first sending, or doubling from `first` up to
    `cap` until a timer of the system ends it."""

    at: tuple[float, ...] = ()
    first: float = 0.0
    """Seconds; 0: only `at` counts, and an empty `at` means never."""
    cap: float = 0.0
    """Seconds between two sendings at most; 0: none (Timer A, RFC 3261 17.1.1.2)."""
    until: str = ""
    """Name of the system's timer that ends it."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One message that an agent must (or, with `maybe`, may) get."""

    pattern: Pattern
    maybe: bool = False
    source: str = ""
    """The device whose response this must be, or `system` for one that the system made by itself."""
    place: Place = NOWHERE
    resent: Schedule | None = None
    """How it must be retransmitted; None: retransmissions do not matter."""
    matches: tuple[Match, ...] = ()
    """What it must carry."""
    count: Count | None = None
    """How often it comes, one after the other; None: once."""
    timing: Timing | None = None
    """When it comes; None: promptly."""
    severity: Severity = "must"

    def __str__(self) -> str:
        word = "maybe " if self.maybe else "should " if self.severity == "should" else ""
        source = f" from {self.source}" if self.source else ""
        more = "".join(f" {part}" for part in (self.count, self.timing) if part is not None)
        return f"{word}{self.pattern}{source}{more}"


@dataclass(frozen=True, slots=True)
class AnyOrder:
    """Messages that may come in any order, all of them due."""

    items: tuple[Expected, ...]
    place: Place = NOWHERE

    def __str__(self) -> str:
        return f"any order: {', '.join(map(str, self.items))}"


@dataclass(frozen=True, slots=True)
class ItemsByKind:
    """Messages that depend on the kind of system; a kind that is not named owes none."""

    options: tuple[tuple[Kind, tuple[Expected | AnyOrder, ...]], ...]
    place: Place = NOWHERE

    def __str__(self) -> str:
        return "; ".join(f"{kind}: {', '.join(map(str, items))}" for kind, items in self.options)


@dataclass(frozen=True, slots=True)
class Sequence:
    """What an agent gets, in this order: closed for finals and requests, open for unnamed provisionals."""

    agent: str
    items: tuple[Expected | AnyOrder | ItemsByKind, ...]
    place: Place = NOWHERE
    severity: Severity = "must"
    call: str = ""
    """Name of the call that this is about; empty: the whole run."""


@dataclass(frozen=True, slots=True)
class Never:
    """An agent that no call may reach."""

    agent: str
    place: Place = NOWHERE
    severity: Severity = "must"
    call: str = ""


@dataclass(frozen=True, slots=True)
class Reached:
    """An agent that must be called; what else it sees is left open."""

    agent: str
    place: Place = NOWHERE
    count: Count | None = None
    """How often; None: at least once."""
    severity: Severity = "must"
    call: str = ""

    def __str__(self) -> str:
        return f"reached {self.count}" if self.count else "reached"


@dataclass(frozen=True, slots=True)
class ByKind:
    """What an agent gets, by the kind of system."""

    agent: str
    options: tuple[tuple[Kind, Sequence | Never | Reached], ...]
    place: Place = NOWHERE
    call: str = ""


@dataclass(frozen=True, slots=True)
class ByFailover:
    """What an agent gets, by whether the system tries the next carrier after this code."""

    agent: str
    code: int
    tried: Sequence | Never | Reached
    other: Sequence | Never | Reached
    place: Place = NOWHERE
    call: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """Events that must follow one another across agents, by kernel receive times."""

    events: tuple[Event, ...]
    place: Place = NOWHERE
    severity: Severity = "must"


@dataclass(frozen=True, slots=True)
class Conforms:
    """Every fork must be as the rules want it (RFC 3261 16): who is tried, who is cancelled, what the caller hears."""

    place: Place = NOWHERE


Expectation = Sequence | Never | Reached | ByKind | ByFailover | Heard | Order | Conforms


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
        """Whether some agent sends RTP."""
        scripts = [*(d.script for d in self.devices), *(c.script for c in self.calls if c.script is not None)]
        return any(script.plays for script in scripts)

    def device(self, name: str) -> Device | None:
        """The device of that name, or None."""
        return next((d for d in self.devices if d.name == name), None)
