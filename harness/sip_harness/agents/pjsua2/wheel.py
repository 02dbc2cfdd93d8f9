"""Whether a pjsua2 wheel can be used here, found out without importing it."""

from __future__ import annotations

import importlib.util
import platform
import sys
from importlib import metadata

DISTRIBUTION = "pjsua2-python"
MODULE = "pjsua2"
VERSIONS = ("2.15.1",)
"""Releases of pjproject whose behaviour was verified."""
LAST_PYTHON = (3, 12)


def available() -> str:
    """Empty if the pjsua2 stack can be used in this environment, else the reason in a plain sentence."""
    if importlib.util.find_spec(MODULE) is None:
        return _why_missing(platform.system(), platform.machine(), sys.version_info[:2])
    try:
        version = metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return f"pjsua2 is here but does not come from {DISTRIBUTION}: its version cannot be told"
    return why_unfit(version)


def why_unfit(version: str) -> str:
    """Empty if this version of the distribution is one whose behaviour is known, else the reason."""
    if version.partition(".post")[0] in VERSIONS:
        return ""
    return f"pjsua2 {version} is installed, but only {' and '.join(VERSIONS)} is known to behave as scripts need it"


def _why_missing(system: str, machine: str, python: tuple[int, int]) -> str:
    if python > LAST_PYTHON:
        here, last = (".".join(map(str, v)) for v in (python, LAST_PYTHON))
        return f"no pjsua2 wheel for Python {here}: the last Python with one is {last}"
    if (system, machine) != ("Linux", "x86_64"):
        return f"no pjsua2 wheel for {system} on {machine}: there are some for Linux on x86_64 only"
    return f"pjsua2 is not installed ({DISTRIBUTION})"
