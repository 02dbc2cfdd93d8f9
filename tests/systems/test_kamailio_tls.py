"""Kamailio with TLS: its certificates, its listening side, what it leaves behind, what it says when it cannot."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from on_loop import on_loop

from sip_harness.model.vocabulary import GRANTED
from sip_harness.systems import kamailio
from sip_harness.systems.base import SystemFailed
from sip_harness.systems.kamailio import Kamailio

pytestmark = [pytest.mark.needs_kamailio, pytest.mark.needs_kamailio_tls, pytest.mark.needs_openssl]


@on_loop
async def test_what_it_tells_of_itself_and_leaves_behind() -> None:
    system = Kamailio(tls=True)
    await system.start()
    try:
        info = system.info
        assert (info.name, info.kind) == ("kamailio-tls", "proxy")
        assert info.capabilities == {
            *GRANTED,
            "register",
            "ring",
            "hunt",
            "mixed",
            "min-expires",
            "path",
            "carriers",
            "stays-after-ringing",
            "probing",
            "recursion",
            "max-contacts",
            "bars-premium-numbers",
            "anonymous-rejection",
            "tcp",
            "tls",
        }
        assert set(info.addresses) == {"tcp", "tls"}
        assert info.address_of("tcp") == info.address == info.address_of("udp")
        assert info.address_of("tls") not in (info.address, None)
        with pytest.raises(KeyError):
            info.address_of("ws")
        folder = Path(info.trust).parent
        assert Path(info.certificate).parent == folder
        assert oct(folder.stat().st_mode)[-3:] == "700"
    finally:
        await system.stop()
    assert not folder.exists()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@on_loop
async def test_it_shows_a_certificate_of_its_own_authority(version: ssl.TLSVersion) -> None:
    system = Kamailio(tls=True)
    await system.start()
    try:
        context = ssl.create_default_context(cafile=system.info.trust)
        context.minimum_version = context.maximum_version = version
        reader, writer = await asyncio.open_connection(*system.info.address_of("tls"), ssl=context)
        assert writer.get_extra_info("ssl_object").version() == version.name.replace("_", ".")
        writer.write(b"\r\n\r\n")
        assert await asyncio.wait_for(reader.readexactly(2), 10) == b"\r\n"
        writer.close()
    finally:
        await system.stop()


@on_loop
async def test_with_digest_as_well() -> None:
    system = Kamailio(tls=True, digest=True)
    await system.start()
    try:
        assert system.info.name == "kamailio-digest-tls"
        assert system.info.capabilities == {
            *GRANTED,
            "register",
            "ring",
            "hunt",
            "mixed",
            "min-expires",
            "path",
            "carriers",
            "stays-after-ringing",
            "probing",
            "recursion",
            "max-contacts",
            "bars-premium-numbers",
            "anonymous-rejection",
            "tcp",
            "tls",
            "digest",
        }
        assert system.info.password
    finally:
        await system.stop()


@pytest.mark.parametrize(("module", "package"), [("tls", "tls"), ("websocket", "websocket")])
@on_loop
async def test_without_its_module_the_remedy_is_named(
    module: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "kamailio.cfg"
    config.write_text(kamailio._CONFIG.read_text().replace(f'"{module}.so"', f'"missing/{module}.so"'))
    monkeypatch.setattr(kamailio, "_CONFIG", config)
    with pytest.raises(SystemFailed, match="kamailio-ws ended while starting") as caught:
        await Kamailio(ws=True).start()
    assert f"Its module {module} is missing: install Debian's package kamailio-{package}-modules." in str(caught.value)


@on_loop
async def test_without_openssl_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = kamailio.find_binary()
    monkeypatch.setattr(kamailio, "find_binary", lambda: binary)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemFailed, match="no openssl program on PATH: install Debian's package openssl"):
        await Kamailio(tls=True).start()


@on_loop
async def test_without_tls_it_needs_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = kamailio.find_binary()
    monkeypatch.setattr(kamailio, "find_binary", lambda: binary)
    monkeypatch.setenv("PATH", str(tmp_path))
    system = Kamailio()
    await system.start()
    assert (system.info.trust, system.info.certificate, set(system.info.addresses)) == ("", "", {"tcp"})
    await system.stop()
