"""What a record holds: one header, then typed entries in time order.

All times are nanoseconds since the Unix epoch on the machine's real-time clock, which is what kernel receive times use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sip_harness.model.policy import Kind, Policy

Direction = Literal["sent", "received"]
Origin = Literal["script", "protocol", "engine", "system"]
"""Who made a message: the `script`; what any user agent must do (`protocol`); the stack's own idea (`engine`);
or, for everything received, the `system`."""

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Message:
    """One SIP message, as its bytes were on the wire; on a system that is elsewhere with digest responses of zeros."""

    time: int
    slack: int
    """How much later than `time` the event may really have been: 0 for a kernel receive time; for a sent message the
    time that the send call took; for a partial trace the resolution of its clock."""
    agent: str
    direction: Direction
    local: Address
    remote: Address
    data: bytes
    origin: Origin
    transport: str = "udp"


@dataclass(frozen=True, slots=True)
class Note:
    """Something that an agent or the run did or found: a script step, a call event, a registration, the end.

    Kinds: `step` (script step carried out), `call` (INVITE made; `data` has `call`, `call_id`, and for a single request
    of another method `method`), `registered`,
    `refused` (registration or call set-up refused), `unsent` (a connection was refused or broke before a message was
    through), `engine` (the stack acted by itself, with why),
    `strays` (more strays came than are shown; `data` has how many), `closed` (all transactions and dialogs over),
    `nat` (the system sees the agent elsewhere than it is; `data` says where),
    `limit` (the run was ended by its deadline; `data` lists what was open), `end` (the record is complete), `cut`
    (read back: the last line of the file was incomplete).
    """

    time: int
    agent: str
    """Empty for the run itself."""
    kind: str
    text: str
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lag:
    """The harness itself was late: its loop did not run for so long (nanoseconds)."""

    time: int
    agent: str
    lag: int


@dataclass(frozen=True, slots=True)
class Exit:
    """A worker or a system ended although it should not have."""

    time: int
    agent: str
    """Empty for the system."""
    status: int
    stderr: tuple[str, ...]
    """Its last lines on stderr."""


@dataclass(frozen=True, slots=True)
class Log:
    """A line that the system logged."""

    time: int
    text: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """A datagram that is no SIP message: kept, never judged as one."""

    time: int
    agent: str
    local: Address
    remote: Address
    data: bytes
    why: str
    direction: Direction = "received"
    """`sent` for bytes that a script wanted just so."""


Level = Literal["tone", "silence", ""]


@dataclass(frozen=True, slots=True)
class Media:
    """One RTP stream at an agent: written when it begins, and again with its totals when it ends."""

    time: int
    """Of its first packet for the entry of its begin, of its last one for that of its end."""
    agent: str
    direction: Direction
    local: Address
    remote: Address
    call_id: str
    """Call-ID of the call that it belongs to."""
    local_tag: str
    """The agent's own tag in the dialog that it belongs to; empty where that is not known."""
    remote_tag: str
    """The peer's tag, which tells the dialogs of a fork apart; empty where the stream comes from an address that no
    response has named."""
    ssrc: int
    """Synchronisation source: with `remote` what tells streams apart (RFC 3550 8)."""
    payload_types: tuple[int, ...]
    """In the order of their appearance."""
    packets: int
    lost: int
    """Packets that are missing in the sequence (RFC 3550 A.3)."""
    first: int
    """Time of the first packet: the kernel's receive time, or just before the send call."""
    last: int
    """Time of the last packet."""
    level: Level
    """What can be heard in G.711: a `tone` (or any other sound) or `silence`. Empty for other codecs."""
    ended: bool
    """False for the entry of the begin."""


Entry = Message | Note | Lag | Exit | Log | Malformed | Media


@dataclass(frozen=True, slots=True)
class Role:
    """How one agent of the scenario took part."""

    name: str
    kind: Literal["device", "caller"]
    stack: Literal["pjsua2", "wire"]
    why: str
    """Why this stack: chosen by the author, by option, or by what the script needs."""
    user: str
    """User part of its Contact, unique to this run."""
    aor: str
    """Address of record, `sip:user@domain`."""
    trace: Literal["full", "partial"] = "full"


@dataclass(frozen=True)
class Header:
    """The first line of a record: all that a verdict needs besides the scenario."""

    scenario: str
    """Id of the scenario."""
    title: str
    source: str
    """File of the scenario."""
    system: str
    kind: Kind
    address: Address
    policy: Policy
    session: str
    """Prefix of the lease tokens of this session; a token is `<session>x<number>`."""
    lease: int
    """Number of this run's lease. A lower number of the same session is an older lease."""
    roles: tuple[Role, ...]
    faults: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    started: int = 0
    uncertainty: int = 0
    """Measured: two events closer than this (nanoseconds) have no order."""

    @property
    def token(self) -> str:
        """The lease token, part of every user name, Contact and Call-ID of this run."""
        return f"{self.session}x{self.lease}"

    def role(self, name: str) -> Role | None:
        """The role of that name, or None."""
        return next((r for r in self.roles if r.name == name), None)


@dataclass(frozen=True)
class Record:
    """A whole record, read back or still in memory."""

    header: Header
    entries: tuple[Entry, ...]

    @property
    def messages(self) -> tuple[Message, ...]:
        """The SIP messages in time order."""
        return tuple(e for e in self.entries if isinstance(e, Message))
