"""What a response context says is to be done, and what it knows of each branch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sip_harness.endpoint.request import Credentials
from sip_harness.sip.message import Message
from sip_harness.systems.reference.best import Answer


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request may go."""

    uri: str
    q: float = 1.0
    """The higher, the earlier; equals are tried at once (RFC 3261 16.6)."""
    carrier: str = ""
    """Name of the carrier; empty for a device."""
    account: Credentials | None = None
    """What the carrier knows us by; None where it does not ask."""
    path: tuple[str, ...] = ()
    """Route values that lead to it (RFC 3327 5.3)."""
    redirected_by: str = ""
    """URI of the target whose redirection has named this one; empty if none has."""


@dataclass(frozen=True, slots=True)
class Start:
    """Forward the request to this target, as the branch of this number."""

    branch: int
    target: Target
    breadth: int
    """How many branches it may become further on (Max-Breadth, RFC 5393 5.3.3)."""


@dataclass(frozen=True, slots=True)
class Forward:
    """Pass this response on at once: a provisional or a 2xx."""

    branch: int
    message: Message
    past: bool = False
    """Whether the state machine of the transaction would not let it through: a fault."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Send a CANCEL for this branch, with this Reason (RFC 3326); empty: the caller's own."""

    branch: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Forget the transaction of this branch: whatever it still sends belongs to nothing."""

    branch: int


@dataclass(frozen=True, slots=True)
class Finish:
    """Answer with this, the last final response of the context, with these headers of other responses added."""

    answer: Answer
    challenges: Sequence[tuple[str, str]] = ()


Action = Start | Forward | Cancel | GiveUp | Finish


@dataclass(slots=True)
class Branch:
    """One target being tried."""

    target: Target
    group: int
    due: float
    """When Timer C, or the patience with a cancelled branch, ends."""
    provisional: bool = False
    wants_cancel: str | None = None
    """Reason of the CANCEL that it is to get; None while nobody wants one."""
    cancelled: bool = False
    rang_out: bool = False
    breadth: int = 1
    """Its share of the branches that may be open at one time."""
    tag: str = ""
    """To tag of its first ringing."""
    rang: bool = False
    """Whether it has said more than 100."""
    redirected: bool = False
    """Its final response has been followed to other targets."""
    final: int = 0
    """Code of its final response; 0 while it is open."""
