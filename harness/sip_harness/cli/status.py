"""Exit statuses that are no verdict."""

from __future__ import annotations

INTERRUPTED, TERMINATED = 130, 143
"""128 and the number of the signal, as shells have it."""
UNWRITTEN = 3
"""The machine is at fault, as with what is blocked or inconclusive."""
