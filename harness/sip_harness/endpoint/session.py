"""Our half of the media session of one call: what its SDP says and what is played (RFC 3264, RFC 8866)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import cached_property
from typing import Literal

from sip_harness.endpoint.media import DISCARD, Destination, Media, destination
from sip_harness.sip import sdp
from sip_harness.sip.message import Message


class Session:
    """SDP with one identity, its version counted up whenever the description changes (RFC 3264 8)."""

    def __init__(self, host: str, media: Media | None = None) -> None:
        """Without `media` the SDP names the discard port and nothing is played."""
        self._host = host
        self._media = media
        self._version = 1
        self._last = b""
        self._wanted: Literal["", "tone", "silence"] = ""
        self._tags = ("", "")
        self._peer: Destination | None = None

    @cached_property
    def _identity(self) -> int:
        """Session id; most calls are refused without ever needing one."""
        return secrets.randbits(31)

    @property
    def port(self) -> int:
        """Where RTP is expected."""
        return self._media.port if self._media is not None else DISCARD

    def offer(self) -> bytes:
        """Our description as an offer."""
        return self._renewed(
            lambda version: sdp.offer(self._host, self.port, session_id=self._identity, version=version)
        )

    def describe(self, request: Message) -> bytes:
        """Our description for a response: an answer to the request's offer, or an offer where it has none.

        Raises SipError if the offer cannot be read.
        """
        body = request.body
        if not body:
            return self.offer()
        return self._renewed(
            lambda version: sdp.answer(body, self._host, self.port, session_id=self._identity, version=version)
        )

    def play(self, kind: Literal["tone", "silence"]) -> None:
        """Play to where the peer's SDP wants it; if that is not known yet, as soon as it is."""
        self._wanted = kind
        self._play()

    def names(self, peer: bytes, local_tag: str, remote_tag: str) -> None:
        """The peer's SDP in this dialog, empty if it has none yet: what comes from the address that it names belongs to
        the dialog."""
        self._tags = local_tag, remote_tag
        self.learn(peer)

    def learn(self, peer: bytes) -> None:
        """The peer's SDP, perhaps once more, in the dialog of which something was last said."""
        if self._media is not None and (found := destination(peer)):
            self._peer = found
            self._media.names(found.remote, *self._tags)
            self._play()

    def _play(self) -> None:
        if self._wanted and self._peer is not None and self._media is not None:
            self._media.play(self._wanted, self._peer.remote, self._peer.payload_type, self._peer.codec)
            self._wanted = ""

    def close(self) -> None:
        """Play nothing more and free the port."""
        if self._media is not None:
            self._media.close()

    def _renewed(self, make: Callable[[int], bytes]) -> bytes:
        if self._last and make(self._version) != self._last:
            self._version += 1
        self._last = make(self._version)
        return self._last
