"""What is counted of one RTP stream, sent or received. No socket, no clock."""

from __future__ import annotations

from sip_harness.model import entry
from sip_harness.model.entry import Address, Direction, Level
from sip_harness.sip import g711
from sip_harness.sip.rtp import Packet, Sequence


class Stream:
    """The packets of one synchronisation source between two addresses."""

    __slots__ = (
        "_audible", "_audio", "_sequence", "_types", "direction", "first", "last", "local", "remote", "ssrc",
    )  # fmt: skip

    def __init__(self, direction: Direction, local: Address, remote: Address, packet: Packet, at: int) -> None:
        """It begins with this packet at this time (nanoseconds since the epoch)."""
        self.direction = direction
        self.local = local
        self.remote = remote
        self.ssrc = packet.ssrc
        self.first = self.last = at
        self._types: dict[int, None] = {}
        self._sequence = Sequence(packet.sequence)
        self._audio = self._audible = 0
        self._listen(packet)

    def add(self, packet: Packet, at: int) -> None:
        """Another packet."""
        self.last = max(self.last, at)
        self._sequence.add(packet.sequence)
        self._listen(packet)

    @property
    def level(self) -> Level:
        """Sound in a tenth of the packets or more is a tone: ringback is silent most of the time."""
        if not self._audio:
            return ""
        return "tone" if self._audible * 10 >= self._audio else "silence"

    def entry(self, agent: str, call_id: str, tags: tuple[str, str], *, ended: bool) -> entry.Media:
        """How a record has it now; `tags` are the local and the remote one of its dialog."""
        return entry.Media(
            time=self.last if ended else self.first,
            agent=agent,
            direction=self.direction,
            local=self.local,
            remote=self.remote,
            call_id=call_id,
            local_tag=tags[0],
            remote_tag=tags[1],
            ssrc=self.ssrc,
            payload_types=tuple(self._types),
            packets=self._sequence.received,
            lost=self._sequence.lost,
            first=self.first,
            last=self.last,
            level=self.level,
            ended=ended,
        )

    def _listen(self, packet: Packet) -> None:
        self._types[packet.payload_type] = None
        codec = g711.codec_of(packet.payload_type)
        if codec is not None:
            self._audio += 1
            self._audible += g711.is_audible(packet.payload, codec)
