"""RTP of one call: plays a tone or silence, counts and times whatever arrives (RFC 3550, RFC 3551).

Only calls of agents that have to do with media open one: a scenario without media costs no socket, and its SDP names
the discard port.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sip_harness.endpoint.player import Player
from sip_harness.endpoint.stream import Stream
from sip_harness.model import entry
from sip_harness.model.entry import Address, Malformed
from sip_harness.net.base import Guard
from sip_harness.net.clock import Clock
from sip_harness.net.rtp import RtpPort
from sip_harness.sip import g711, rtp, sdp
from sip_harness.sip.errors import SipError
from sip_harness.sip.g711 import Codec, Sound
from sip_harness.sip.rtp import NoRtp

if TYPE_CHECKING:
    from sip_harness.endpoint.ua import UserAgent

DISCARD = 9
"""The discard port: an SDP of ours names it where no media is wanted; nothing is sent to it."""
MAX_STREAMS = 64
"""Streams counted at one port; packets of further ones are only counted as ignored."""
MAX_MALFORMED = 100
"""Datagrams that are no RTP which one port records."""

Emit = Callable[[entry.Media | Malformed], None]
OpenMedia = Callable[[str], "Media"]
"""Opens the RTP port of the call with this Call-ID. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an SDP wants our audio, and how."""

    remote: Address
    payload_type: int
    codec: Codec


def open_media(ua: UserAgent, call_id: str) -> Media | None:
    """The RTP port of a call of this user agent; None if it has nothing to do with media, or none could be opened."""
    if ua.media is None:
        return None
    try:
        return ua.media(call_id)
    except OSError as error:
        ua.on_unsent(f"no RTP port: {error}")
        return None


def destination(body: bytes) -> Destination | None:
    """Where this SDP wants G.711 sent: its first audio stream that takes any. None if there is none, it is on hold, it
    names the discard port, or its host is no IPv4 address (names are not looked up)."""
    try:
        sections = sdp.parse(body).media if body else ()
    except SipError:
        return None
    return next((found for media in sections if (found := _of(media)) is not None), None)


class Media:
    """The RTP port of one call, from its opening to `close`."""

    def __init__(
        self,
        clock: Clock,
        host: str,
        agent: str,
        emit: Emit,
        *,
        call_id: str = "",
        guard: Guard | None = None,
        on_unsent: Callable[[str], None] = lambda _why: None,
    ) -> None:
        """Open a free port of `host` and listen. `emit` takes the entries for the record; `on_unsent` is told why
        something could not be played. Raises OSError."""
        self.ignored = 0
        """Packets that were not counted: no RTP, or of one stream too many."""
        self.call_id = call_id
        self._clock = clock
        self._agent = agent
        self._emit = emit
        self._on_unsent = on_unsent
        self._dialogs: dict[Address, tuple[str, str]] = {}
        self._streams: dict[tuple[Address, int], Stream] = {}
        self._malformed = 0
        self._player: Player | None = None
        self._closed = False
        self._port = RtpPort(clock, host, self._received, guard)

    @property
    def port(self) -> int:
        """Where RTP is expected: for the SDP."""
        return self._port.local[1]

    @property
    def heard(self) -> tuple[entry.Media, ...]:
        """What has arrived so far, by stream."""
        return tuple(self._entry(stream, ended=self._closed) for stream in self._streams.values())

    def names(self, remote: Address, local_tag: str, remote_tag: str) -> None:
        """The SDP of this dialog names this address: streams from or to it belong to the dialog."""
        if len(self._dialogs) < MAX_STREAMS:
            self._dialogs[remote] = (local_tag, remote_tag)

    def play(self, kind: Sound, remote: Address, payload_type: int = 0, codec: Codec | None = None) -> None:
        """Send 20 ms packets from now on until `stop`, instead of what is played now. The codec is that of the payload
        type unless it is given (a dynamic type); PCMU where neither says."""
        self.stop()
        if not self._closed:
            found = codec or g711.codec_of(payload_type) or "PCMU"
            payload = g711.frame(kind, found)
            self._player = Player(self._clock, self._port, remote, payload_type, payload, self._began, self._on_unsent)

    def stop(self) -> None:
        """Play nothing more. Harmless if nothing is played."""
        player, self._player = self._player, None
        if player is not None and (stream := player.stop()) is not None:
            self._emit(self._entry(stream, ended=True))

    def close(self) -> None:
        """Stop, free the port and record the totals of what arrived. Closing twice does no harm."""
        if self._closed:
            return
        self.stop()
        self._port.close()
        self._closed = True
        for heard in self.heard:
            self._emit(heard)

    def _began(self, stream: Stream) -> None:
        self._emit(self._entry(stream, ended=False))

    def _entry(self, stream: Stream, *, ended: bool) -> entry.Media:
        return stream.entry(self._agent, self.call_id, self._dialogs.get(stream.remote, ("", "")), ended=ended)

    def _received(self, data: bytes, remote: Address, at: int) -> None:
        try:
            packet = rtp.parse(data)
        except NoRtp as error:
            self._refuse(data, remote, at, str(error))
            return
        stream = self._streams.get((remote, packet.ssrc))
        if stream is not None:
            stream.add(packet, at)
        elif len(self._streams) < MAX_STREAMS:
            stream = Stream("received", self._port.local, remote, packet, at)
            self._streams[remote, packet.ssrc] = stream
            self._began(stream)
        else:
            self.ignored += 1

    def _refuse(self, data: bytes, remote: Address, at: int, why: str) -> None:
        self.ignored += 1
        if rtp.is_rtcp(data):
            return
        self._malformed += 1
        if self._malformed <= MAX_MALFORMED:
            self._emit(Malformed(at, self._agent, self._port.local, remote, data, f"no RTP: {why}"))


def _of(media: sdp.Media) -> Destination | None:
    if media.kind != "audio" or media.protocol.upper() != "RTP/AVP" or media.port in (0, DISCARD):
        return None
    if media.direction not in ("sendrecv", "recvonly"):
        return None
    try:
        host = ipaddress.IPv4Address(media.host)
    except ValueError:
        return None
    for number, name in media.codecs.items():
        codec = next((c for c in ("PCMU", "PCMA") if name.upper() == f"{c}/8000"), None)
        if codec is not None and not host.is_unspecified:
            return Destination((str(host), media.port), int(number), "PCMU" if codec == "PCMU" else "PCMA")
    return None
