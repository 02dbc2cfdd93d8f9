"""Leases of a session: names that no other run has, on this or any other process."""

from __future__ import annotations

import re
import secrets
import string
import threading

from sip_harness.systems.base import Lease

_LETTERS = string.ascii_lowercase.replace("x", "")  # `x` parts session and number in a token
_LENGTH = 4
_SESSION = re.compile(f"[{_LETTERS}][{_LETTERS}{string.digits}]{{{_LENGTH - 1}}}")


def new_session() -> str:
    """Four random letters and digits: a letter first, never an `x`."""
    return secrets.choice(_LETTERS) + "".join(secrets.choice(_LETTERS + string.digits) for _ in range(_LENGTH - 1))


class Leases:
    """Gives out the leases of one session; may be asked from any thread."""

    def __init__(self, session: str = "") -> None:
        """A session of that name, or of a new random one. Raises ValueError for a name that tokens could not carry."""
        self.session = session or new_session()
        if not _SESSION.fullmatch(self.session):
            raise ValueError(
                f"session {session!r} is not {_LENGTH} lower-case letters and digits, a letter first, without `x`"
            )
        self._number = 0
        self._lock = threading.Lock()

    def take(self) -> Lease:
        """The next lease; numbers count from 1."""
        with self._lock:
            self._number += 1
            return Lease(self.session, self._number)
