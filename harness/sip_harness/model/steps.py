"""The steps of a script: what an agent does of itself, and how what it sends leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sip_harness.model.pattern import Event
from sip_harness.model.place import NOWHERE, Place

NEEDED = frozenset({"via", "from", "to", "call-id", "cseq", "max-forwards", "content-length"})
"""Headers that every request has, and without which it may be none (RFC 3261 8.1.1)."""
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
    `{sent-by}` for parts of its topmost Via, `{more-vias}` for the others, `{run}` for a text that no other run has."""

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
