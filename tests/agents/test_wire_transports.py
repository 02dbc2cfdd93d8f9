"""Wire agents call each other over every transport and both IP versions."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import json
import subprocess
from pathlib import Path

import pytest
from on_loop import on_loop
from parts import CALL, part
from streams import Listener, dead_port, raw
from wire_stage import Stage, stage

from sip_harness.agents.base import SetupRefused
from sip_harness.agents.wire import WireAgent
from sip_harness.model.entry import Address, Header, Record
from sip_harness.model.policy import Policy
from sip_harness.model.scenario import Transport
from sip_harness.model.steps import Delivery, Send, Step, Wait
from sip_harness.net.authority import Authority
from sip_harness.record.pcapng import write
from sip_harness.sip.message import build
from sip_harness.sip.transaction_tables import Timers
from sip_harness.sip.uri import parse_uri, uri_text
from sip_harness.sip.via import read_via

OK, RINGING, BUSY = Send(200, "OK"), Send(180, "Ringing"), Send(486, "Busy Here")
STREAMS: tuple[Transport, ...] = ("tcp", "tls", "ws", "wss")
HOSTS = ("127.0.0.1", "::1")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


async def called(
    here: Stage, authority: Authority, kind: Transport, host: str, *steps: Step, timers: Timers | None = None
) -> tuple[WireAgent, WireAgent]:
    """A device with these steps, and a caller that calls it."""
    desk = here.add(part(authority, kind, (host, 9), steps=steps), timers)
    await desk.start()
    alice = here.add(part(authority, kind, desk.local, name="alice"), timers)
    await alice.start()
    where = f"[{host}]" if ":" in host else host
    alice.call(CALL, f"sip:desk@{where}:{desk.local[1]}")
    return desk, alice


@pytest.mark.needs_openssl
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("kind", ["udp", *STREAMS])
@on_loop
async def test_an_answered_call(authority: Authority, kind: Transport, host: str) -> None:
    async with stage() as here:
        here.relays["desk gets ACK"] = "acked"
        _, alice = await called(here, authority, kind, host, RINGING, OK)
        await here.see("desk gets ACK")
        await alice.stop()
        await here.see("alice gets 200 to BYE")
        ladder = [line for line in here.ladder("desk") if "100" not in line]
        assert ladder == [
            "desk gets INVITE", "desk sends 180", "desk sends 200", "desk gets ACK", "desk gets BYE",
            "desk sends 200 to BYE",
        ]  # fmt: skip
        assert {m.transport for m in here.messages()} == {kind}
        assert {m.local[0] for m in here.messages()} == {m.remote[0] for m in here.messages()} == {host}
        assert not here.notes("refused") + here.notes("unsent")


@pytest.mark.needs_openssl
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(("kind", "name"), [("udp", ""), ("tcp", "tcp"), ("tls", "tls"), ("ws", "ws"), ("wss", "ws")])
@on_loop
async def test_via_and_contact_name_transport_and_port(
    authority: Authority, kind: Transport, name: str, host: str
) -> None:
    async with stage() as here:
        desk, alice = await called(here, authority, kind, host, RINGING, BUSY)
        await here.see("desk gets ACK")
        invite, ringing = here.message("desk gets INVITE"), here.message("alice gets 180")
        via = read_via(invite.get("via") or "")
        where = f"[{host}]" if ":" in host else host
        assert (via.transport, via.host, via.port) == (kind.upper(), where, alice.local[1])
        for message, agent in ((invite, alice), (ringing, desk)):
            contact = parse_uri(uri_text(message.get("contact") or ""))
            assert (contact.host, contact.port) == (where, agent.local[1])
            assert (contact.param("transport") or "") == name
        assert invite.call_id.endswith(f"@{where}")
        assert b"c=IN IP6 ::1\r\n" in invite.body if ":" in host else b"c=IN IP4 127.0.0.1\r\n" in invite.body


@on_loop
async def test_on_a_stream_nothing_is_sent_twice() -> None:
    """No Timers A, E and G (RFC 3261 17), but a 2xx until its ACK comes (13.3.1.4)."""
    fast = Timers(t1=0.02, t2=0.08, t4=0.08)
    async with stage() as here:
        desk = here.add(part(None, "tcp", ("127.0.0.1", 9), steps=(BUSY,)), fast)
        await desk.start()
        async with raw(desk.local) as peer:
            await peer.write(_invite(peer.address))
            await here.see("desk sends 486")
            await asyncio.sleep(0.3)
            assert here.ladder() == ["desk gets INVITE", "desk sends 486"]


@on_loop
async def test_a_response_finds_a_new_way_when_its_connection_is_gone() -> None:
    async with stage() as here, Listener() as listener:
        desk = here.add(part(None, "tcp", ("127.0.0.1", 9), steps=(RINGING, Wait(0.2), BUSY)))
        await desk.start()
        async with raw(desk.local) as peer:
            await peer.write(_invite(listener.address))
            await here.see("desk sends 180")
            await peer.read(len(here.entry("desk sends 180").data))
        anew = await listener.next()
        await here.see("desk sends 486")
        assert here.entry("desk sends 486").remote == listener.address
        assert (await anew.read(len(here.entry("desk sends 486").data))).startswith(b"SIP/2.0 486 ")


@on_loop
async def test_a_response_from_another_port_is_on_another_connection() -> None:
    other = Send(486, "Busy Here", how=Delivery(port="other"))
    async with stage() as here, Listener() as listener:
        desk = here.add(part(None, "tcp", ("127.0.0.1", 9), steps=(RINGING, other)))
        await desk.start()
        async with raw(desk.local) as peer:
            await peer.write(_invite(listener.address))
            anew = await listener.next()
            await here.see("desk sends 486")
            busy = here.entry("desk sends 486")
            assert await anew.read(len(busy.data)) == busy.data
            assert here.entry("desk sends 180").remote == peer.address
            assert busy.remote == listener.address
            assert busy.local[1] not in (desk.local[1], here.entry("desk sends 180").local[1])


@on_loop
async def test_a_call_to_a_port_that_closed_meanwhile_is_noted_and_ends() -> None:
    async with stage() as here:
        async with Listener() as listener:
            alice = here.add(part(None, "tcp", listener.address, name="alice"))
            await alice.start()
            (await listener.next()).writer.close()
        await asyncio.sleep(0.05)
        alice.call(CALL, f"sip:desk@127.0.0.1:{listener.address[1]}")
        await here.until(lambda: bool(here.notes("unsent")))
        assert here.notes("unsent")[0].text == f"connection to 127.0.0.1:{listener.address[1]}: Connection refused"
        assert here.notes("refused") == []
        assert here.ladder() == []


@pytest.mark.parametrize("kind", ["tcp", "ws"])
@on_loop
async def test_nobody_there_is_a_refused_set_up(kind: Transport) -> None:
    async with stage() as here:
        with dead_port() as nobody:
            for name, register in (("alice", False), ("desk", True)):
                agent = here.add(part(None, kind, nobody, name=name, register=register))
                with pytest.raises(SetupRefused) as caught:
                    await agent.start()
                where = f"connection to 127.0.0.1:{nobody[1]}"
                assert str(caught.value) == f"{name}: {where}: Connection refused"


@pytest.mark.needs_openssl
@on_loop
async def test_a_certificate_that_nobody_vouches_for_is_a_refused_set_up(authority: Authority) -> None:
    async with stage() as here:
        desk = here.add(dataclasses.replace(part(None, "tls", ("127.0.0.1", 9))))
        await desk.start()
        alice = here.add(part(authority, "tls", desk.local, name="alice"))
        with pytest.raises(SetupRefused, match="TLS handshake: certificate verify failed: self-signed certificate"):
            await alice.start()
        here.entries.clear()  # what the desk was told of it


@on_loop
async def test_a_file_that_is_missing_is_a_refused_set_up(tmp_path: Path) -> None:
    async with stage() as here:
        lost = dataclasses.replace(part(None, "tls", ("127.0.0.1", 9)), trust=str(tmp_path / "none.pem"))
        with pytest.raises(SetupRefused, match=r"desk: cannot open a port on 127\.0\.0\.1 by TLS: .*No such file"):
            await here.add(lost).start()


@on_loop
async def test_a_missing_package_is_a_refused_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "websockets" else find(name))
    async with stage() as here:
        with pytest.raises(SetupRefused, match=r"websockets is not installed: pip install 'sip-harness\[ws\]'"):
            await here.add(part(None, "ws", ("127.0.0.1", 9))).start()


@on_loop
async def test_an_agent_whose_wire_was_cut_on_purpose_blocks_nothing() -> None:
    async with stage() as here:
        desk = here.add(part(None, "tcp", ("127.0.0.1", 9), steps=(RINGING, Wait(0.1), BUSY)))
        await desk.start()
        async with raw(desk.local) as peer:
            await peer.write(_invite(peer.address))
            await here.see("desk sends 180")
            desk.disconnect("close")
            await here.until(lambda: bool(here.notes("unsent")))
            assert here.notes("unsent")[0].text == "the port is closed"
            assert here.notes("refused") == []


def _invite(via: Address) -> bytes:
    return build(
        "INVITE sip:desk@x.test SIP/2.0",
        [
            ("Via", f"SIP/2.0/TCP {via[0]}:{via[1]};branch=z9hG4bKpeer"),
            ("From", "<sip:peer@x.test>;tag=peer"),
            ("To", "<sip:desk@x.test>"),
            ("Call-ID", "peer-call"),
            ("CSeq", "1 INVITE"),
            ("Contact", f"<sip:peer@{via[0]}:{via[1]};transport=tcp>"),
        ],
    )


@pytest.mark.needs_openssl
@pytest.mark.needs_tshark
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("kind", ["udp", *STREAMS])
@on_loop
async def test_tshark_reads_the_capture_of_a_call(
    authority: Authority, kind: Transport, host: str, tmp_path: Path
) -> None:
    async with stage() as here:
        await called(here, authority, kind, host, RINGING, BUSY)
        await here.see("desk gets ACK")
        header = Header("T-1", "Title", "t.sip.yaml", "none", "proxy", (host, 9), Policy(), "s1", 1, ())
        record = Record(header, tuple(sorted(here.entries, key=lambda e: e.time)))
        sent = [line.partition(" sends ")[2] for line in here.ladder() if " sends " in line]
    write(tmp_path / "t.pcapng", record)
    source = "ipv6.src" if ":" in host else "ip.src"
    fields = ["sip.Method", "sip.Status-Code", "_ws.malformed", source, "udp.checksum.status"]
    arguments = ["-o", "udp.check_checksum:TRUE", "-n", "-Tjson", *(word for field in fields for word in ("-e", field))]
    ports = {m.local[1] for m in record.messages}
    arguments += [word for port in ports for word in ("-d", f"udp.port=={port},sip")]  # any of them may be known to it
    command = ["tshark", "-r", tmp_path / "t.pcapng", *arguments]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    layers = [row["_source"]["layers"] for row in rows]
    assert ["".join(layer.get("sip.Method", layer.get("sip.Status-Code", "?"))) for layer in layers] == sent
    assert not any("_ws.malformed" in layer for layer in layers)
    if kind == "udp":
        assert all((layer[source], layer["udp.checksum.status"]) == ([host], ["1"]) for layer in layers)  # 1: good
