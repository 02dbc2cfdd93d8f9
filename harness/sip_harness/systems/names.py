"""Names that people type: checked, with a hint at what they may have meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from sip_harness.model.faults import FAULTS

_AT_A_GLANCE = 40
"""So many names can be read in an error message."""


class UnknownName(ValueError):
    """A name that is not among those that exist here; carries all that an error report may want."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        self.what = what
        self.name = name
        self.known = tuple(known)
        self.guesses = tuple(difflib.get_close_matches(name, self.known, n=1, cutoff=0.5))
        super().__init__(what, name, self.known)

    def __str__(self) -> str:
        known = f"known: {', '.join(self.known)}" if self.known else "there is none"
        if self.what == "fault" and len(self.known) > _AT_A_GLANCE:
            known = f"`sip-harness systems NAME` lists all {len(self.known)}"
        if self.what == "fault" and self.name in FAULTS:
            return f"this system has no fault {self.name!r}: others have it; {known}"
        meant = f"did you mean {self.guesses[0]}? " if self.guesses else ""
        return f"unknown {self.what} {self.name!r}; {meant}{known}"


def check_names(what: str, names: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """The names, each once. Raises UnknownName for the first that is not known."""
    known = tuple(known)
    checked = tuple(dict.fromkeys(names))
    for name in checked:
        if name not in known:
            raise UnknownName(what, name, known)
    return checked
