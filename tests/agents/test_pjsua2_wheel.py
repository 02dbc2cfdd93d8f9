"""Whether pjsua2 can be used here, and who loads it."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata, util
from types import SimpleNamespace

import pytest

from sip_harness.agents.pjsua2 import wheel


def test_nothing_is_wrong_with_the_wheel_that_was_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(util, "find_spec", lambda _name: SimpleNamespace())
    monkeypatch.setattr(metadata, "version", lambda _name: "2.15.1.post1")
    assert wheel.available() == ""


@pytest.mark.parametrize("version", ["2.16", "2.15", "2.15.10", "2.17.0.post2"])
def test_another_release_is_not_trusted(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(util, "find_spec", lambda _name: SimpleNamespace())
    monkeypatch.setattr(metadata, "version", lambda _name: version)
    assert wheel.available() == f"pjsua2 {version} is installed, but only 2.15.1 is known to behave as scripts need it"


def test_a_build_of_ones_own_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(util, "find_spec", lambda _name: SimpleNamespace())
    monkeypatch.setattr(metadata, "version", missing)
    assert "does not come from pjsua2-python" in wheel.available()


@pytest.mark.parametrize(
    ("python", "system", "machine", "why"),
    [
        ((3, 13), "Linux", "x86_64", "no pjsua2 wheel for Python 3.13: the last Python with one is 3.12"),
        ((4, 0), "Linux", "x86_64", "no pjsua2 wheel for Python 4.0: the last Python with one is 3.12"),
        ((3, 12), "Linux", "aarch64", "no pjsua2 wheel for Linux on aarch64: there are some for Linux on x86_64 only"),
        ((3, 11), "Darwin", "arm64", "no pjsua2 wheel for Darwin on arm64: there are some for Linux on x86_64 only"),
        ((3, 11), "Linux", "x86_64", "pjsua2 is not installed (pjsua2-python)"),
    ],
)
def test_why_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, python: tuple[int, int], system: str, machine: str, why: str
) -> None:
    monkeypatch.setattr(util, "find_spec", lambda _name: None)
    monkeypatch.setattr(wheel.sys, "version_info", (*python, 1))
    monkeypatch.setattr(wheel.platform, "system", lambda: system)
    monkeypatch.setattr(wheel.platform, "machine", lambda: machine)
    assert wheel.available() == why


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_runner_never_loads_the_library() -> None:
    loaded = modules_after(
        "from sip_harness.agents.pjsua2 import client, pool, wheel\nfrom sip_harness.script import pjsua2_limits\n"
        "wheel.available()"
    )
    assert not {m for m in loaded if m.startswith("pjsua2") or "_pjsua2" in m}


@pytest.mark.needs_pjsua2
def test_a_worker_loads_little() -> None:
    loaded = modules_after("import sip_harness.agents.pjsua2.worker")
    own = {m.split(".")[1] for m in loaded if m.startswith("sip_harness.")}
    assert own == {"agents", "model", "script", "sip"}
    assert not loaded & {"asyncio", "pydantic", "yaml", "click", "rich", "jinja2", "importlib.metadata", "email", "ssl"}
    assert "pjsua2" in loaded
