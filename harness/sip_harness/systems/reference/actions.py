"""What a response context says is to be done, and what it knows of each branch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sip_harness.endpoint.request import Credentials
from sip_harness.sip.message import Message
from sip_harness.systems.reference.best import Answer
from sip_harness.systems.reference.diversion import Way

MAX_EARLY = 20
"""Early dialogs of one branch of which the caller is told that they have ended."""


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
    others: tuple[Target, ...] = ()
    """Further flows of the same instance, of which one at a time is tried (RFC 5626 7)."""
    named: str = ""
    """The address by which that redirection named it, which may be one that others are known by here."""
    way: Way = field(default_factory=Way)
    """Of a call that was forwarded to it: who had it before."""


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
class Ended:
    """Tell the caller that the early dialog with this To tag has ended, by a failure with this code (RFC 6228 6)."""

    tag: str
    code: int


@dataclass(frozen=True, slots=True)
class Finish:
    """Answer with this, the last final response of the context, with these headers of other responses added."""

    answer: Answer
    challenges: Sequence[tuple[str, str]] = ()


Action = Start | Forward | Cancel | GiveUp | Ended | Finish


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
    early: set[str] = field(default_factory=set)
    """To tags of its early dialogs (RFC 3261 12.1) of which nobody has said that they have ended."""
    rang: bool = False
    """Whether it has said more than 100."""
    redirected: bool = False
    """Its final response has been followed to other targets."""
    final: int = 0
    """Code of its final response; 0 while it is open."""

    def hears(self, response: Message) -> None:
        """A provisional response makes an early dialog (RFC 3261 12.1), or says that one has ended (RFC 6228 5)."""
        if response.code == 199:
            self.early.discard(response.to_tag)
        elif response.to_tag and len(self.early) < MAX_EARLY:
            self.early.add(response.to_tag)
