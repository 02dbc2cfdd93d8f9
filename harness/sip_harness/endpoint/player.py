"""Plays one payload as RTP: the n-th packet is due n periods after the first, however late one of them was."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from sip_harness.endpoint.stream import Stream
from sip_harness.model.entry import Address
from sip_harness.net.base import SendFailed
from sip_harness.net.clock import Clock, Timer
from sip_harness.net.rtp import RtpPort
from sip_harness.sip import g711, rtp
from sip_harness.sip.rtp import Packet

PERIOD = 0.020
"""Seconds between two packets."""
MAX_CATCH_UP = 5
"""Packets sent at once after the loop was late; what should have gone out before them is left out."""


class Player:
    """Sends packets of one source from the moment it is made until `stop`."""

    def __init__(
        self,
        clock: Clock,
        port: RtpPort,
        remote: Address,
        payload_type: int,
        payload: bytes,
        on_begin: Callable[[Stream], None],
        on_unsent: Callable[[str], None],
    ) -> None:
        """Send the first packet at once. `on_begin` is told of it; `on_unsent` why nothing more can be sent."""
        self._clock = clock
        self._port = port
        self._remote = remote
        self._payload_type = payload_type
        self._payload = payload
        self._on_begin = on_begin
        self._on_unsent = on_unsent
        self._ssrc, self._timestamp = secrets.randbits(32), secrets.randbits(32)  # at random: RFC 3550 5.1
        self._sequence = secrets.randbits(16)
        self._marker = True
        self._due = clock.now()
        self._timer: Timer | None = None
        self._stream: Stream | None = None
        self._tick()

    def stop(self) -> Stream | None:
        """Send nothing more; what was sent, None if nothing was."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return self._stream

    def _tick(self) -> None:
        """Send what is due and come back for the next."""
        self._timer = None
        now = self._clock.now()
        missed = int((now - self._due) / PERIOD) + 1 - MAX_CATCH_UP
        if missed > 0:
            self._skip(missed)
        try:
            while self._due <= now:
                self._send()
        except SendFailed as error:
            self._on_unsent(str(error))
            return
        self._timer = self._clock.at(self._due, self._tick)

    def _skip(self, packets: int) -> None:
        """Time passed in which nothing was sent: the time stamp shows it, the sequence does not (RFC 3551 4.1)."""
        self._due += packets * PERIOD
        self._timestamp += packets * g711.FRAME
        self._marker = True

    def _send(self) -> None:
        number = self._sequence & 0xFFFF
        packet = Packet(self._payload_type, number, self._timestamp, self._ssrc, self._payload, self._marker)
        at = self._port.send(rtp.build(packet), self._remote)
        self._due += PERIOD
        self._sequence += 1
        self._timestamp += g711.FRAME
        self._marker = False
        if self._stream is None:
            self._stream = Stream("sent", self._port.local, self._remote, packet, at)
            self._on_begin(self._stream)
        else:
            self._stream.add(packet, at)
