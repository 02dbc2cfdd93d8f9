"""Fault switches: named ways in which real systems go wrong, each breaking one rule."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One named way in which real systems go wrong."""

    name: str
    does: str
    """What the system does under this fault, in a sentence."""
    breaks: str
    """The rule that it breaks."""
    seen: str
    """Where it was seen in the field."""


FAULTS = {
    f.name: f
    for f in (
        Fault(
            "forks-on-after-6xx",
            "treats a 6xx from one device like any other failure and lets the other devices ring on",
            "RFC 3261 16.7 step 5",
            "Kamailio with tm's disable_6xx_block; OpenSER 1.2",
        ),
        Fault(
            "one-486-ends-the-fork",
            "cancels every other device as soon as one answers 486",
            "RFC 3261 16.7 step 6, 21.4.24",
            "RestComm-Connect issue 720",
        ),
        Fault(
            "maps-600-to-486",
            "tells the caller 486 where a device said 600",
            "RFC 3261 16.7 step 6",
            "Asterisk: hangup cause 17 stands for both",
        ),
        Fault(
            "never-retransmits",
            "sends a request that nobody answers only once",
            "RFC 3261 17.1.1.2",
            "UDP transports that leave retransmission to the network",
        ),
        Fault(
            "rings-for-ever",
            "never gives up a device that has said 100 or 180",
            "RFC 3261 16.8",
            "proxies without Timer C: the caller listens to ringback until he gives up",
        ),
        Fault(
            "swallows-second-2xx",
            "passes on only the first answer of a fork and loses all others",
            "RFC 3261 16.7 step 5",
            "phones that stay off-hook after two people picked up",
        ),
        Fault(
            "swallows-2xx-after-cancel",
            "loses an answer that crosses the caller's CANCEL",
            "RFC 3261 16.7 step 5, 9.1",
            "livekit/sip pull request 756, siphon-sip issue 362",
        ),
    )
}
