"""What a PBX plays to a caller whose call has failed, before it tells him so (RFC 3960 3.1, RFC 3261 20.43)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from sip_harness.endpoint.media import Media, destination
from sip_harness.sip import sdp
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message
from sip_harness.systems.reference.core import is_loopback

if TYPE_CHECKING:
    from sip_harness.systems.reference.b2bua_core import Pbx

LENGTH = 0.4
"""Seconds of an announcement. It is a tone: nobody listens."""
_WARNED = re.compile(r"\s*3(?!99)[0-9]{2}\s")
"""A Warning that says something in particular; 399 is for whatever somebody has to say."""


def is_announced(response: Message | None) -> bool:
    """Whether this failure has a Warning for which there is an announcement."""
    return response is not None and any(_WARNED.match(value) for value in response.all("warning"))


class Announcement:
    """A tone to the caller from now on, for as long as an announcement takes."""

    def __init__(self, pbx: Pbx, invite: Message, then: Callable[[], None]) -> None:
        """Raises SipError if the caller takes no audio that we have, OSError if there is no port for it."""
        where = destination(invite.body)
        if where is None or not is_loopback(where.remote):
            raise SipError("nowhere to play an announcement to")
        host = pbx.station.address[0]
        self._media = Media(pbx.clock, host, "", lambda _entry: None, guard=is_loopback)
        try:
            self.answer = sdp.answer(invite.body, host, self._media.port, session_id=secrets.randbits(31))
            """The session description for the caller."""
        except SipError:
            self._media.close()
            raise
        self._media.play("tone", where.remote, where.payload_type, where.codec)
        self._timer = pbx.clock.after(LENGTH, then)

    def close(self) -> None:
        """Play no more. Closing twice does no harm."""
        self._timer.cancel()
        self._media.close()
