"""One entry of the language's reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True)
class Entry:
    """What a construct means, in a paragraph, and how it is written.

    The example is part of a scenario: what it needs beside it (title, id, a device, a call) is added where it is
    missing, and it must load.
    """

    text: str
    example: str
    files: Mapping[str, str] = field(default_factory=dict)
    """Files that the example names, with their text."""


Entries: TypeAlias = Mapping[str, Entry]
"""By key, or by the first words of a construct that is written in words."""
