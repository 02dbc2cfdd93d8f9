"""What all tests share: the outside programs that some of them need."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from pathlib import Path

import pytest

# A shell that runs the tests in the background ignores SIGINT for all its children; tests that interrupt need it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["pytester"]

PROGRAMS = {
    "needs_kamailio": "kamailio",
    "needs_sipp": "sipp",
    "needs_sipsak": "sipsak",
    "needs_baresip": "baresip",
    "needs_openssl": "openssl",
    "needs_tshark": "tshark",
}
FILES = {
    "needs_kamailio_tls": ("usr/lib/*/kamailio/modules/tls.so", "Kamailio's TLS module"),
    "needs_kamailio_ws": ("usr/lib/*/kamailio/modules/websocket.so", "Kamailio's WebSocket module"),
}


def missing(mark: str) -> str:
    """Why a test with this mark cannot run here; empty if it can."""
    if mark == "needs_pjsua2":
        return "" if importlib.util.find_spec("pjsua2") else "no pjsua2 wheel for this Python"
    if mark in FILES:
        pattern, name = FILES[mark]
        return "" if any(Path("/").glob(pattern)) else f"{name} is not installed"
    program = PROGRAMS[mark]
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin")
    return "" if found else f"{program} is not installed"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in (*PROGRAMS, *FILES, "needs_pjsua2"):
            if item.get_closest_marker(mark) and (reason := missing(mark)):
                if os.environ.get("SIP_HARNESS_NO_SKIPS") and mark != "needs_pjsua2":
                    pytest.exit(f"{item.nodeid}: {reason}, and nothing may be skipped here", returncode=1)
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The top of the checkout."""
    return Path(__file__).parent.parent
