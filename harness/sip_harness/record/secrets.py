"""Takes out of what is recorded by what a password could be found, or a request sent again in another's name. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from sip_harness.model.entry import Entry, Malformed, Message

_PROOF = re.compile(rb"(\b(?:response|rspauth)[ \t]*=[ \t\r\n]*\"?)([0-9a-f]{16,})", re.IGNORECASE)


def blanked(data: bytes) -> bytes:
    """A message whose digest responses (RFC 7616 3.4, 3.5) are zeros: as long as before, and worth nothing.

    They are not told to whoever reads a report: with the nonce beside it each one is the password for all who can try
    many, and some systems take it twice.
    """
    return _PROOF.sub(lambda found: found[1] + b"0" * len(found[2]), data)


def discreet(emit: Callable[[Entry], None]) -> Callable[[Entry], None]:
    """Hands on entries without such secrets."""

    def emit_blanked(entry: Entry) -> None:
        emit(replace(entry, data=blanked(entry.data)) if isinstance(entry, (Message, Malformed)) else entry)

    return emit_blanked
