"""The dialogs that one INVITE of ours sets up: early, confirmed, superfluous (RFC 3261 12.1.2, 13.2.2.4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sip_harness.endpoint.dialog import Dialog, as_caller
from sip_harness.endpoint.leg import Leg
from sip_harness.endpoint.prack import Pracks
from sip_harness.endpoint.session import Session
from sip_harness.endpoint.ua import UserAgent
from sip_harness.endpoint.within import given_credentials
from sip_harness.model.entry import Origin
from sip_harness.model.steps import Request
from sip_harness.net.base import Hop
from sip_harness.sip.message import Message

MAX_DIALOGS = 100
"""Dialogs that one INVITE may set up; further To tags are recorded and not followed."""


@dataclass(frozen=True, slots=True)
class Prong:
    """One dialog of the fork."""

    leg: Leg
    pracks: Pracks


class Fork:
    """All dialogs of one call, by their To tags."""

    def __init__(self, ua: UserAgent, hop: Hop, session: Session, on_closed: Callable[[], None]) -> None:
        """`on_closed` is called each time that a confirmed dialog has ended."""
        self._ua = ua
        self._hop = hop
        self._session = session
        self._on_closed = on_closed
        self._prongs: dict[str, Prong] = {}
        self._open: set[str] = set()

    @property
    def dialogs(self) -> list[Dialog]:
        """The dialogs that responses have set up so far."""
        return [prong.leg.dialog for prong in self._prongs.values()]

    @property
    def first(self) -> Leg | None:
        """The dialog that was set up first."""
        return next((prong.leg for prong in self._prongs.values()), None)

    @property
    def is_open(self) -> bool:
        """Whether a confirmed dialog has not ended."""
        return bool(self._open)

    def early(self, invite: Message, provisional: Message, *, prack: bool) -> None:
        """A provisional with a tag: the dialog that it sets up, or belongs to; with its PRACK if it asks for one."""
        prong = self._prong(invite, provisional)
        if prong is not None:
            self._hear(prong.leg, provisional)
            if prack:
                prong.pracks.take(provisional)

    def confirm(self, invite: Message, response: Message) -> tuple[Leg, bool] | None:
        """The dialog of a 2xx and whether this is the first one for it; None if there are too many. Its ACK is made
        and not sent."""
        prong = self._prong(invite, response)
        if prong is None:
            return None
        leg, dialog = prong.leg, prong.leg.dialog
        if dialog.confirmed:
            return leg, False
        dialog.learn(response)
        dialog.confirmed = True
        dialog.ack = dialog.request("ACK", given_credentials(invite), seq=response.cseq[0])
        self._open.add(dialog.remote_tag)
        self._hear(leg, response)
        return leg, True

    def acknowledge(self, origin: Origin, only: Leg | None = None) -> None:
        """Send the ACK of every confirmed dialog, or of this one."""
        for dialog in [only.dialog] if only is not None else self.dialogs:
            if dialog.ack:
                self._ua.layer.send(dialog.ack, dialog.next_hop(), origin)

    def bye(self, leg: Leg, origin: Origin, step: Request | None = None) -> None:
        """End this dialog; `step` has what a script adds to the BYE."""
        leg.bye(origin, lambda: self._closed(leg.dialog.remote_tag), step)

    def clear(self) -> None:
        """Forget all dialogs: the INVITE that set them up was refused, and is made anew (RFC 3261 12.3)."""
        self.close()
        self._prongs.clear()

    def close(self) -> None:
        """No request within any of the dialogs finds anything any more."""
        for prong in self._prongs.values():
            prong.leg.close()

    def _prong(self, invite: Message, response: Message) -> Prong | None:
        tag = response.to_tag
        prong = self._prongs.get(tag)
        if prong is None and len(self._prongs) < MAX_DIALOGS:
            dialog = as_caller(invite, response, self._hop)
            leg = Leg(self._ua, dialog, lambda: self._closed(tag))
            leg.session = self._session
            prong = self._prongs[tag] = Prong(leg, Pracks(self._ua.layer, dialog, self._ua.identity.credentials))
        return prong

    def _hear(self, leg: Leg, response: Message) -> None:
        self._session.names(response.body, leg.dialog.local_tag, leg.dialog.remote_tag)

    def _closed(self, tag: str) -> None:
        self._open.discard(tag)
        self._on_closed()
