"""What a fault switch is."""

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
