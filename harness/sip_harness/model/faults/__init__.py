"""Fault switches: named ways in which real systems go wrong, each breaking one rule. By topic."""

from __future__ import annotations

from sip_harness.model.faults import (
    bridging,
    callers,
    cancelling,
    carriers,
    dialogs,
    forking,
    reading,
    redirecting,
    registering,
    relaying,
    repeating,
    trunking,
)
from sip_harness.model.faults.fault import Fault

__all__ = ["FAULTS", "Fault"]

_TOPICS = (
    forking, cancelling, carriers, relaying, repeating, reading, redirecting, registering, callers, bridging, dialogs,
    trunking,
)  # fmt: skip
FAULTS = {fault.name: fault for topic in _TOPICS for fault in topic.FAULTS}
"""All of them by name."""
