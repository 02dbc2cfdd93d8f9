"""Acknowledging reliable provisional responses (RFC 3262 4)."""

from __future__ import annotations

from sip_harness.endpoint.build import Headers
from sip_harness.endpoint.dialog import Dialog
from sip_harness.endpoint.layer import Layer
from sip_harness.endpoint.request import Credentials, Request
from sip_harness.sip.message import Message, split_list

OPTION = "100rel"
"""The option tag."""
MAX_RSEQ = 2**32 - 1


class Pracks:
    """The reliable provisionals of one INVITE in one dialog: each is acknowledged once, and in order."""

    def __init__(self, layer: Layer, dialog: Dialog, credentials: Credentials) -> None:
        """`credentials` are what a challenge to a PRACK is answered with."""
        self._layer = layer
        self._dialog = dialog
        self._credentials = credentials
        self._last: int | None = None

    def take(self, provisional: Message) -> None:
        """Send PRACK for this response if it asks for it and none before it is missing.

        One that comes again has its PRACK already, whose transaction cares for its arrival; one beyond the next number
        must not be acknowledged (RFC 3262 4).
        """
        number = rseq(provisional)
        if number is None or (self._last is not None and number != self._last + 1):
            return
        self._last = number
        seq, method = provisional.cseq
        rack = "RAck", f"{number} {seq} {method}"

        def make(credentials: Headers) -> bytes:
            return self._dialog.request("PRACK", [rack, *credentials])

        Request(
            self._layer,
            make,
            self._dialog.next_hop(),
            "protocol",
            self._credentials,
            on_final=_done,
            on_failure=_done,
        )


def rseq(response: Message) -> int | None:
    """RSeq of a provisional that asks for PRACK; None for any other response (RFC 3262 3, 7.1)."""
    if not 100 < response.code < 200:
        return None
    required = (token.strip().lower() for value in response.all("require") for token in split_list(value))
    text = (response.get("rseq") or "").strip()
    if OPTION not in required or not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    return int(text) if 0 < int(text) <= MAX_RSEQ else None


def _done(_outcome: object) -> None:
    """Nothing follows from the end of a PRACK: a peer that refuses it decides for itself (RFC 3262 3)."""
