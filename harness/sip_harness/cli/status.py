"""Exit statuses that are no verdict."""

from __future__ import annotations

INTERRUPTED, TERMINATED = 130, 143
"""128 and the number of the signal, as shells have it."""
