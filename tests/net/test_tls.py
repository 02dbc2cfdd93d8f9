"""TLS: versions, certificates, names, and what is said when they are wrong."""

from __future__ import annotations

import asyncio
import re
import ssl
import subprocess
from pathlib import Path

import pytest
from on_loop import on_loop
from streams import End, Listener, ends, options, raw

from sip_harness.net.authority import Authority
from sip_harness.net.base import SendFailed
from sip_harness.net.codec import Broken
from sip_harness.net.tls import Tls, TlsFiles, client_context, server_context

pytestmark = pytest.mark.needs_openssl


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def files(authority: Authority) -> TlsFiles:
    return TlsFiles(str(authority.certificate), str(authority.issue("agents.pem")))


def expired(authority: Authority, folder: Path) -> Path:
    """A certificate of this authority whose time is over."""
    key, request, certificate, names = (folder / f"old.{end}" for end in ("key", "csr", "pem", "names"))
    names.write_text("subjectAltName=IP:127.0.0.1\n")
    new = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subprocess.run([*new, "-subj", "/CN=old", "-keyout", key, "-out", request], check=True, capture_output=True)
    sign = ["openssl", "x509", "-req", "-in", request, "-CA", authority.certificate, "-CAkey", folder / "ca.key"]
    sign += ["-CAcreateserial", "-days", "-1", "-extfile", names, "-out", certificate]
    subprocess.run(sign, check=True, capture_output=True)
    both = folder / "old.both.pem"
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both


async def refusal(client: TlsFiles, server: TlsFiles) -> tuple[str, list[str]]:
    """Why a connection does not come about: as we hear it, and what the other side recorded."""
    one, two = End("tls", "one", tls=client), End("tls", "two", tls=server)
    try:
        one.stream.send(options(1), two.local, "script", on_lost=one.on_lost)
        with pytest.raises(SendFailed) as caught:
            await one.stream.reach(two.local)
        await one.until(lambda: one.lost)
        await two.until(lambda: two.rubbish and not two.stream.connections)
        assert one.lost == [str(caught.value)]
        assert one.entries == []
        assert two.received == []
        return str(caught.value), [entry.why for entry in two.rubbish]
    finally:
        one.stream.close()
        two.stream.close()


# --- one connection without a network


def shake(client: Tls, server: Tls) -> None:
    for _ in range(10):
        client.feed(server.seal(b"")) if (out := client.seal(b"")) == b"" else server.feed(out)
        if client.ready and server.ready:
            return
        if said := server.seal(b""):
            client.feed(said)
    raise AssertionError("no end of the handshake")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_carry_bytes(files: TlsFiles, version: ssl.TLSVersion) -> None:
    context = client_context(files)
    context.minimum_version = context.maximum_version = version
    client = Tls(context, server=False, name="127.0.0.1")
    server = Tls(server_context(files), server=True)
    shake(client, server)
    assert server.feed(client.seal(b"hello")) == b"hello"
    assert server.whole
    assert client.feed(server.seal(b"there")) == b"there"
    first, second = client.seal(b"one"), client.seal(b"two")
    assert server.feed(first + second[:7]) == b"one"
    assert not server.whole
    assert server.feed(second[7:]) == b"two"
    assert server.whole
    assert not server.over
    server.feed(client.end())
    assert server.over


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:.*TLSv1.*:DeprecationWarning")
def test_older_versions_are_refused(files: TlsFiles, version: ssl.TLSVersion) -> None:
    context = client_context(files)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = version
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    client = Tls(context, server=False, name="127.0.0.1")
    with pytest.raises(Broken, match="TLS handshake: unsupported protocol"):
        Tls(server_context(files), server=True).feed(client.seal(b""))


def test_a_name_is_sent_and_an_address_is_not(files: TlsFiles) -> None:
    for name, sent in (("phone.test", True), ("127.0.0.1", False), ("::1", False)):
        hello = Tls(client_context(files), server=False, name=name).seal(b"")
        assert (name.encode() in hello) == sent


def test_rubbish_in_a_session_is_broken(files: TlsFiles) -> None:
    client = Tls(client_context(files), server=False, name="127.0.0.1")
    server = Tls(server_context(files), server=True)
    shake(client, server)
    with pytest.raises(Broken, match="TLS: "):
        server.feed(b"\x17\x03\x03\x00\x20" + b"x" * 32)


# --- who is believed


@on_loop
async def test_the_wrong_authority(files: TlsFiles, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    why, heard = await refusal(TlsFiles(str(other.certificate)), files)
    assert re.fullmatch(
        r"connection to 127\.0\.0\.1:\d+: TLS handshake: certificate verify failed: "
        r"(unable to get local issuer certificate|certificate signature failure|self-signed.*)", why
    )  # fmt: skip
    assert len(heard) == 1
    assert re.search(r"TLS.*alert (unknown ca|decrypt error)", heard[0])


@on_loop
async def test_without_an_authority_of_its_own_the_machine_decides(files: TlsFiles) -> None:
    why, _ = await refusal(TlsFiles(), files)
    assert "certificate verify failed: " in why


@on_loop
async def test_the_wrong_name(files: TlsFiles, authority: Authority) -> None:
    elsewhere = TlsFiles(files.trust, str(authority.issue("elsewhere.pem", ("192.0.2.1", "phone.test"))))
    why, heard = await refusal(files, elsewhere)
    assert why.endswith("certificate verify failed: IP address mismatch, certificate is not valid for '127.0.0.1'.")
    assert "alert" in heard[0]
    why, _ = await refusal(TlsFiles(files.trust, name="desk.test"), elsewhere)
    assert why.endswith("certificate verify failed: Hostname mismatch, certificate is not valid for 'desk.test'.")


@on_loop
async def test_the_right_name_at_another_address(files: TlsFiles, authority: Authority) -> None:
    server = TlsFiles(files.trust, str(authority.issue("phone.pem", ("phone.test",))))
    one, two = End("tls", tls=TlsFiles(files.trust, name="phone.test")), End("tls", tls=server)
    try:
        await one.stream.reach(two.local)
        one.stream.send(options(1), two.local, "script")
        await two.have(1)
    finally:
        one.stream.close()
        two.stream.close()


@on_loop
async def test_an_expired_certificate(files: TlsFiles, authority: Authority, folder: Path) -> None:
    why, heard = await refusal(files, TlsFiles(files.trust, str(expired(authority, folder))))
    assert why.endswith("certificate verify failed: certificate has expired")
    assert "alert certificate expired" in heard[0]


@on_loop
async def test_without_a_certificate_there_is_one_that_nobody_believes(files: TlsFiles) -> None:
    why, _ = await refusal(files, TlsFiles())
    assert "certificate verify failed: self-signed certificate" in why


def test_it_believes_what_is_in_its_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        client_context(TlsFiles(str(tmp_path / "none.pem")))
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing\n")
    with pytest.raises(OSError, match=r"no certificate|NO_CERTIFICATE"):
        client_context(TlsFiles(str(empty)))
    with pytest.raises(OSError, match="PEM"):
        server_context(TlsFiles(certificate=str(empty)))


# --- what is no TLS


@on_loop
async def test_plain_sip_on_a_tls_port_is_kept_and_ends_the_connection(files: TlsFiles) -> None:
    async with ends(1, "tls", tls=files) as (one,), raw(one.local) as peer:
        await peer.write(options(1))
        await peer.read_to_end()
        await one.until(lambda: one.rubbish and not one.stream.connections)
        assert one.rubbish[0].data == options(1)
        assert one.rubbish[0].why.startswith("TLS handshake: ")


@on_loop
async def test_a_peer_that_speaks_no_tls(files: TlsFiles) -> None:
    async with Listener() as listener, ends(1, "tls", tls=files) as (one,):
        one.stream.send(options(1), listener.address, "script", on_lost=one.on_lost)
        peer = await listener.next()
        await peer.write(b"SIP/2.0 400 No TLS here\r\n\r\n")
        await one.until(lambda: one.lost)
        assert re.search(r"TLS handshake: (wrong version number|.*unknown)", one.lost[0])


@on_loop
async def test_rubbish_inside_of_tls_is_kept_in_plain(files: TlsFiles) -> None:
    async with ends(1, "tls", tls=files) as (one,):
        context = client_context(files)
        reader, writer = await asyncio.open_connection(*one.local, ssl=context)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        assert one.rubbish[0].data == b"GET / HTTP/1.1\r\n\r\n"


@on_loop
async def test_the_end_of_a_session_is_the_end_of_the_connection(files: TlsFiles) -> None:
    async with ends(2, "tls", tls=files) as (one, two):
        await one.stream.reach(two.local)
        await two.until(lambda: two.stream.connections == 1)
        one.stream.disconnect("close")
        await two.until(lambda: two.stream.connections == 0)
        assert two.entries == []
