"""Messages that an agent is deaf to: recorded as they came, and lost before the transaction layer sees them."""

from __future__ import annotations

from collections.abc import Callable

from sip_harness.model.entry import Malformed
from sip_harness.model.entry import Message as MessageEntry
from sip_harness.model.script import Loss
from sip_harness.net.base import Hop, Receiver, Recorder
from sip_harness.record.seen import Reader, Seen, matches
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message


class Deafness:
    """What one agent misses. Asked once about every message that it receives, in the order of recording."""

    def __init__(self, losses: tuple[Loss, ...]) -> None:
        self._losses = losses
        self._missed = [0] * len(losses)

    def __bool__(self) -> bool:
        return bool(self._losses)

    def misses(self, seen: Seen) -> bool:
        """Whether this message is lost. Every loss that names it counts it, also one that has had its number."""
        if not seen.received:
            return False
        lost = False
        for index, loss in enumerate(self._losses):
            if matches(loss.pattern, seen):
                self._missed[index] += 1
                lost = lost or not loss.first or self._missed[index] <= loss.first
        return lost


class Ears:
    """Stands between a transport and everything above it, for an agent that is deaf to something.

    The recorder comes first with each message: what went before says which response an ACK acknowledges.
    """

    def __init__(
        self, losses: tuple[Loss, ...], record: Recorder, inside: Receiver, on_missed: Callable[[Message], None]
    ) -> None:
        """`on_missed` gets what is lost, for those who clean up in the end."""
        self._on_missed = on_missed
        self._deafness = Deafness(losses)
        self._reader = Reader()
        self._record = record
        self._inside = inside
        self._lost: bytes | None = None

    def listen(self, losses: tuple[Loss, ...]) -> None:
        """Be deaf to these from now on, instead of what it was."""
        self._deafness = Deafness(losses)

    def record(self, entry: MessageEntry | Malformed) -> None:
        """From the transport: something was sent, or is about to be handed to `receive`."""
        self._record(entry)
        self._lost = None
        if self._deafness and isinstance(entry, MessageEntry):
            try:
                seen = self._reader.read(entry)
            except SipError:  # bytes of a script
                return
            if self._deafness.misses(seen):
                self._lost = entry.data

    def receive(self, message: Message, hop: Hop) -> None:
        """From the transport: a message, which gets no further if it is lost."""
        if message.data == self._lost:
            self._on_missed(message)
        else:
            self._inside(message, hop)
