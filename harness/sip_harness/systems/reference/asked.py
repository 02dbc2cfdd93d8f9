"""What a caller asks of the proxies on the way: Request-Disposition (RFC 3841 9.1), and 199 (RFC 6228). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sip_harness.sip.errors import SipError
from sip_harness.sip.headers import listed
from sip_harness.sip.message import Message
from sip_harness.systems.reference.actions import Target


@dataclass(frozen=True, slots=True)
class Asked:
    """Wishes of one caller; without any, what proxies do by themselves."""

    forks: bool = True
    """Whether more than one target may be tried."""
    parallel: bool = True
    """Whether targets that are equal may be tried at once."""
    recurses: bool = True
    """Whether redirections may be followed."""
    cancels: bool = True
    """Whether an answer cancels the other branches. A 6xx always does."""
    hears_of_ended: bool = False
    """Whether the caller is to be told which early dialog has ended (199)."""

    def arranged(self, groups: Sequence[Sequence[Target]]) -> list[list[Target]]:
        """Targets as they may be tried: without a fork the best one, in sequence each by itself."""
        if not self.forks:
            return [list(groups[0][:1])] if groups else []
        return [list(group) for group in groups] if self.parallel else [[one] for group in groups for one in group]


def asked(request: Message, faults: frozenset[str]) -> Asked:
    """What this request asks for; directives that are not known here mean nothing."""
    said = set() if "ignores-request-disposition" in faults else _words(request, "request-disposition")
    supported, required = _words(request, "supported"), _words(request, "require")
    # A proxy cannot send anything reliably (RFC 6228 6).
    ended = "199" in supported and "100rel" not in required and "tells-of-no-ended-dialog" not in faults
    return Asked(
        forks="no-fork" not in said,
        parallel="sequential" not in said,
        recurses="no-recurse" not in said,
        cancels="no-cancel" not in said,
        hears_of_ended=ended or "sends-199-to-everybody" in faults,
    )


def _words(request: Message, name: str) -> set[str]:
    try:
        return {word.lower() for word in listed(request, name)}
    except SipError:
        return set()
