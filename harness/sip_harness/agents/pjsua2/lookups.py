"""Keeps a worker process from asking the network for names. The library looks up the host in a peer's SDP by itself."""

from __future__ import annotations

import ctypes
from contextlib import suppress


def forbid_lookups() -> None:
    """From now on this process knows the names of the machine's own file only: no name service is asked.

    It is told to the C library, through which all lookups of the stack go; one that is not glibc is left as it is.
    """
    with suppress(AttributeError, OSError):
        configure = ctypes.CDLL(None)["__nss_configure_lookup"]
        configure.argtypes = (ctypes.c_char_p, ctypes.c_char_p)
        configure(b"hosts", b"files")
