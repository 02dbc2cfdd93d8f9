"""For whom a forwarded call was, and why it went on: Diversion (RFC 5806) and History-Info (RFC 7044). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from sip_harness.endpoint.build import Headers
from sip_harness.sip.errors import SipError
from sip_harness.sip.headers import listed
from sip_harness.sip.message import Message

HEADERS = frozenset({"diversion", "history-info"})
MAX_VALUES = 20
"""Of each header; the oldest are left out. No call is forwarded so often."""


@dataclass(frozen=True, slots=True)
class Way:
    """The addresses that a call has been to, as it tells them to the next one."""

    diversions: tuple[str, ...] = ()
    """Values of Diversion, the latest first."""
    history: tuple[str, ...] = ()
    """Values of History-Info in order, without the address that the call is going to."""

    def headers(self, uri: str) -> Headers:
        """Headers of the INVITE to this address."""
        if not self.history:
            return [("Diversion", value) for value in self.diversions]
        index = _index(self.history[-1])
        here = f"<{uri}>;index={index}.1;mp={index}"
        return [
            *(("Diversion", value) for value in self.diversions),
            *(("History-Info", value) for value in (*self.history, here)),
        ]


def way_of(invite: Message) -> Way:
    """What a caller's INVITE tells."""
    return Way(_values(invite, "diversion"), _values(invite, "history-info"))


def forwarded(way: Way, uri: str, response: Message, *, rang: bool, faults: frozenset[str]) -> Way:
    """The way of a call that whoever has this address has forwarded with this response. Why, he may say himself in a
    Diversion of his (RFC 5806); else a phone that rang was asked to, and one that did not has been told before."""
    if response.code == 305:  # it is for the same one as before
        return way
    if "tells-nobody-of-diversions" in faults:
        return Way()
    why = "deflection" if rang else "unconditional"
    said = _values(response, "diversion")[:1] or (f"<{uri}>;reason={why};counter=1",)
    cause = quote(f"SIP;cause={response.code}", safe="")
    index = f"{_index(way.history[-1])}.1" if way.history else "1"
    mapped = f";mp={_index(way.history[-1])}" if way.history else ""
    entry = f"<{_bare(uri)}?Reason={cause}>;index={index}{mapped}"
    if "forgets-older-diversions" in faults:
        return Way(said, (f"<{_bare(uri)}?Reason={cause}>;index=1",))
    return Way((*said, *way.diversions)[:MAX_VALUES], (*way.history, entry)[-MAX_VALUES:])


def _index(entry: str) -> str:
    """Of a History-Info value; `1` if it does not say."""
    found = entry.rpartition(";index=")[2].partition(";")[0].strip() if ";index=" in entry else ""
    return found if found and set(found) <= set("0123456789.") else "1"


def _bare(uri: str) -> str:
    """The URI without headers."""
    return uri.partition("?")[0]


def _values(message: Message, name: str) -> tuple[str, ...]:
    try:
        return listed(message, name)[:MAX_VALUES]
    except SipError:
        return ()
