"""Certificates made with the openssl program."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from sip_harness.net import authority
from sip_harness.net.authority import AGENTS, CA, SYSTEM, Authority, NoCertificate, self_signed

pytestmark = pytest.mark.needs_openssl


def shown(file: Path) -> str:
    command = ["openssl", "x509", "-in", file, "-noout", "-text"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_what_an_authority_issues_is_verified_by_its_certificate(tmp_path: Path) -> None:
    made = Authority(tmp_path)
    leaf = made.issue("leaf.pem", ("127.0.0.1", "::1", "phone.test"))
    verify = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", made.certificate, leaf]
    assert subprocess.run(verify, check=True, capture_output=True, text=True).stdout == f"{leaf}: OK\n"
    text = shown(leaf)
    assert "IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, DNS:phone.test" in text
    assert "CA:FALSE" in text
    assert "CA:TRUE" in shown(made.certificate)


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    made = Authority(tmp_path)
    leaf = made.issue("leaf.pem")
    assert oct(leaf.stat().st_mode)[-3:] == oct((tmp_path / "ca.key").stat().st_mode)[-3:] == "600"
    assert b"PRIVATE KEY" not in made.certificate.read_bytes()
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(leaf)


def test_the_self_signed_one_is_made_once() -> None:
    assert self_signed() is self_signed()
    assert b"BEGIN PRIVATE KEY" in self_signed()
    assert b"BEGIN CERTIFICATE" in self_signed()


def test_without_the_program_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoCertificate, match="no openssl program on PATH: install Debian's package openssl"):
        Authority(tmp_path)


def test_a_refusal_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoCertificate, match="openssl made no certificate: "):
        Authority(tmp_path / "nowhere")


def test_as_a_program_it_becomes_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", authority.__file__, str(tmp_path), "127.0.0.1", "--", "ls", str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert set(done.stdout.split()) == {CA, "ca.key", SYSTEM, AGENTS}
    assert "IP Address:127.0.0.1\n" in shown(tmp_path / SYSTEM)


def test_as_a_program_it_says_what_is_wrong(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", authority.__file__, str(tmp_path), "--", "true"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": str(tmp_path)})
    assert done.returncode == 1
    assert "install Debian's package openssl" in done.stderr
