"""Independent implementations call wire agents and are called by them: SIPp, sipsak, baresip, OpenSSL."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from pathlib import Path

import pytest
from on_loop import on_loop
from parts import CALL, part
from sipp_callee import answer, invited, receive, reply, scenario
from sipp_caller import ANSWERED, run_sipp
from wire_stage import Stage, relay_acked, stage
from witnesses import HOST, baresip, port, port_for_baresip, program, until_listening

from sip_harness.agents.base import SetupRefused
from sip_harness.agents.wire import WireAgent
from sip_harness.model.entry import Address
from sip_harness.model.scenario import Transport
from sip_harness.model.steps import HangUp, Send, Step
from sip_harness.net.authority import Authority
from sip_harness.sip.message import Message, parse

OK, RINGING, BUSY = Send(200, "OK"), Send(180, "Ringing"), Send(486, "Busy Here")
KINDS: tuple[Transport, ...] = ("udp", "tcp")
both = pytest.mark.parametrize("kind", KINDS)
ANSWERED_CALL = ["desk gets INVITE", "desk sends 180", "desk sends 200", "desk gets ACK"]


async def device(here: Stage, kind: Transport, *steps: Step, authority: Authority | None = None) -> WireAgent:
    agent = here.add(part(authority, kind, (HOST, 9), steps=steps or (RINGING, OK)))
    await agent.start()
    return agent


async def caller(here: Stage, kind: Transport, system: Address, authority: Authority | None = None) -> WireAgent:
    agent = here.add(part(authority, kind, system, name="alice"))
    await agent.start()
    return agent


def finals(here: Stage, agent: str) -> list[str]:
    """The ladder of an agent without provisionals, which a peer may send or not."""
    return [line for line in here.ladder(agent) if not re.search(r" 1\d\d$", line)]


# --- SIPp


@pytest.mark.needs_sipp
@both
@on_loop
async def test_sipp_calls(kind: Transport, tmp_path: Path) -> None:
    async with stage() as here:
        desk = await device(here, kind)
        counted = await run_sipp(tmp_path, ANSWERED, desk.local, calls=20, rate=100, transport=kind)
        assert counted.status == 0, counted.output
        assert (counted.successful, counted.failed, counted.retransmissions) == (20, 0, 0)
        await here.see(*["desk sends 200 to BYE"] * 20)


@pytest.mark.needs_sipp
@both
@on_loop
async def test_sipp_is_called(kind: Transport, tmp_path: Path) -> None:
    at = port()
    mode = {"udp": "u1", "tcp": "t1"}[kind]
    steps = (answer(180), answer(200, session=True), receive("ACK"), receive("BYE"), reply(200))
    (tmp_path / "callee.xml").write_text(scenario(invited(), *steps))
    command = ["sipp", "-sf", "callee.xml", "-i", HOST, "-p", str(at), "-t", mode, "-m", "1", "-nostdin"]
    command += ["-timeout", "15", "-timeout_error"]
    async with stage() as here, program(tmp_path, *command) as sipp:
        alice = await caller(here, kind, await until_listening(kind, at, sipp))
        alice.call(CALL, f"sip:service@{HOST}:{at}")
        await here.see("alice sends ACK")
        await alice.stop()
        assert finals(here, "alice") == [
            "alice sends INVITE", "alice gets 200", "alice sends ACK", "alice sends BYE", "alice gets 200 to BYE",
        ]  # fmt: skip
        assert await sipp.end() == 0, sipp.said


# --- sipsak


@pytest.mark.needs_sipsak
@both
@on_loop
async def test_sipsak_asks_for_options(kind: Transport, tmp_path: Path) -> None:
    async with stage() as here:
        desk = await device(here, kind)
        command = ["sipsak", "-v", "-E", kind, "-s", f"sip:desk@{HOST}:{desk.local[1]}"]
        async with program(tmp_path, *command) as sipsak:
            assert await sipsak.end() == 0, sipsak.said
            assert "200 OK" in sipsak.said
        assert here.ladder() == ["desk gets OPTIONS", "desk sends 200 to OPTIONS"]


# `sipsak -I` and `-M`, its modes for calls and messages, crash before they send a byte: 0.9.8.1-1 of Debian writes the
# answer that it prepares to an address that was never set (sprintf to NULL). With `-U` they call themselves through a
# registrar. What works is `-f`: the requests of a call one by one. It acknowledges the 2xx by itself, but without the
# To tag (RFC 3261 12.2.1.1), so that the ACK of the dialog has to be sent as well.
SIPSAK = (
    "{method} sip:desk@{host}:{port} SIP/2.0\r\nFrom: <sip:sipsak@x.test>;tag=s\r\nTo: <sip:desk@x.test>{tag}\r\n"
    "Call-ID: sipsak-{host}\r\nCSeq: {number} {cseq}\r\nContact: <sip:sipsak@{host}:9>\r\nMax-Forwards: 70\r\n"
    "Content-Length: 0\r\n\r\n"
)


@pytest.mark.needs_sipsak
@both
@on_loop
async def test_sipsak_makes_a_call(kind: Transport, tmp_path: Path) -> None:
    async with stage() as here:
        desk = await device(here, kind)

        def sipsak(method: str, number: int = 1, tag: str = "") -> list[str]:
            host, at = desk.local
            file = tmp_path / f"{method}.sip"
            file.write_text(SIPSAK.format(method=method, host=host, port=at, tag=tag, number=number, cseq=method))
            return ["sipsak", "-v", "-E", kind, "-f", str(file), "-s", f"sip:desk@{host}:{at}"]

        async with program(tmp_path, *sipsak("INVITE")) as inviting:
            assert await inviting.end() == 0, inviting.said
            assert "200 OK" in inviting.said
        tag = f";tag={here.message('desk sends 200').to_tag}"
        async with program(tmp_path, *sipsak("ACK", tag=tag)):
            await here.until(lambda: any(m.to_tag for m in acks(here)))
        async with program(tmp_path, *sipsak("BYE", 2, tag)) as leaving:
            assert await leaving.end() == 0, leaving.said
            assert "200 OK" in leaving.said
        await here.see("desk sends 200 to BYE")
        assert not here.notes("engine")


def acks(here: Stage) -> list[Message]:
    return [parse(m.data) for m in here.messages("desk") if m.data.startswith(b"ACK ")]


# --- baresip


@pytest.mark.needs_baresip
@both
@on_loop
async def test_baresip_calls(kind: Transport, tmp_path: Path) -> None:
    async with stage() as here:
        relay_acked(here, "desk")
        desk = await device(here, kind, RINGING, OK, HangUp())
        dial = f"/dial sip:desk@{HOST}:{desk.local[1]};transport={kind}"
        async with program(tmp_path, *baresip(tmp_path, kind, port_for_baresip(), dial)) as phone:
            await phone.until("Call established")
            await here.see("desk gets 200 to BYE")
            await phone.until("session closed")
        assert here.ladder("desk") == [*ANSWERED_CALL, "desk sends BYE", "desk gets 200 to BYE"]


@pytest.mark.needs_baresip
@both
@on_loop
async def test_baresip_is_called(kind: Transport, tmp_path: Path) -> None:
    at = port_for_baresip()
    async with stage() as here, program(tmp_path, *baresip(tmp_path, kind, at)) as phone:
        await phone.until("baresip is ready")
        alice = await caller(here, kind, (HOST, at))
        alice.call(CALL, f"sip:bare@{HOST}:{at}")
        await phone.until("Call established")
        await here.see("alice sends ACK")
        await alice.stop()
        await phone.until("session closed")
        assert finals(here, "alice") == [
            "alice sends INVITE", "alice gets 200", "alice sends ACK", "alice sends BYE", "alice gets 200 to BYE",
        ]  # fmt: skip


# --- OpenSSL

OPTIONS = (
    "OPTIONS sip:desk@x.test SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bKo;rport\r\n"
    "From: <sip:o@x.test>;tag=1\r\nTo: <sip:desk@x.test>\r\nCall-ID: openssl\r\nCSeq: 1 OPTIONS\r\n"
    "Content-Length: 0\r\n\r\n"
)
every_version = pytest.mark.parametrize(("option", "name"), [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.mark.needs_openssl
@every_version
@on_loop
async def test_openssl_asks_for_options(option: str, name: str, authority: Authority, tmp_path: Path) -> None:
    async with stage() as here:
        desk = await device(here, "tls", authority=authority)
        trust = ["-CAfile", authority.certificate, "-verify_return_error", "-verify_ip", HOST]
        command = ["openssl", "s_client", option, "-connect", f"{HOST}:{desk.local[1]}", "-brief", *trust]
        async with program(tmp_path, *command) as client:
            await client.until(f"Protocol version: {name}")
            client.type(OPTIONS.encode())
            said = await client.until("Content-Length: 0")
        assert "Verification: OK" in said
        assert "SIP/2.0 200 OK" in said
        assert here.ladder() == ["desk gets OPTIONS", "desk sends 200 to OPTIONS"]


@pytest.mark.needs_openssl
@every_version
@on_loop
async def test_openssl_is_called(option: str, name: str, authority: Authority, tmp_path: Path) -> None:
    at, certificate = port(), authority.issue("server.pem")
    command = [
        "openssl",
        "s_server",
        option,
        "-accept",
        f"{HOST}:{at}",
        "-cert",
        certificate,
        "-naccept",
        "1",
        "-brief",
    ]
    async with stage() as here, program(tmp_path, *command, "-key", certificate) as server:
        alice = await caller(here, "tls", await until_listening("tcp", at, server), authority)
        alice.call(CALL, f"sip:desk@{HOST}:{at}")
        said = await server.until("Content-Length: ")
        assert f"INVITE sip:desk@{HOST}:{at} SIP/2.0" in said
        assert f"Via: SIP/2.0/TLS {HOST}:{alice.local[1]}" in said
        assert name in said
        server.type(_busy(here.message("alice sends INVITE").data.decode()))
        await here.see("alice sends ACK")
        assert finals(here, "alice") == ["alice sends INVITE", "alice gets 486", "alice sends ACK"]


@pytest.mark.needs_openssl
@pytest.mark.parametrize(
    ("hosts", "trusted", "why"),
    [
        (("192.0.2.1",), True, "IP address mismatch"),
        ((HOST,), False, "unable to get local issuer certificate|certificate signature failure"),
    ],
)
@on_loop
async def test_openssl_with_the_wrong_certificate_is_a_refused_set_up(
    hosts: tuple[str, ...], trusted: bool, why: str, authority: Authority, tmp_path: Path
) -> None:
    at, certificate = port(), authority.issue("wrong.pem", hosts)
    believed = authority if trusted else Authority(tmp_path, "another")
    command = ["openssl", "s_server", "-accept", f"{HOST}:{at}", "-cert", certificate, "-key", certificate]
    async with stage() as here, program(tmp_path, *command) as server:
        alice = part(authority, "tls", await until_listening("tcp", at, server), name="alice")
        alice = dataclasses.replace(alice, trust=str(believed.certificate))
        with pytest.raises(SetupRefused, match=f"alice: connection to {HOST}:{at}: TLS handshake: .*({why})"):
            await here.add(alice).start()
        assert here.others() == []


@pytest.mark.needs_openssl
@on_loop
async def test_openssl_refuses_a_device_that_nobody_vouches_for(tmp_path: Path) -> None:
    async with stage() as here:
        desk = await device(here, "tls", BUSY)
        trust = ["-CAfile", Authority(tmp_path).certificate, "-verify_return_error"]
        async with program(tmp_path, "openssl", "s_client", "-connect", f"{HOST}:{desk.local[1]}", *trust) as client:
            assert await client.end() != 0
            assert "self-signed certificate" in client.said
        async with asyncio.timeout(10):
            while not here.others():
                await asyncio.sleep(0.01)
        here.entries.clear()  # what the desk was told of it


def _busy(invite: str) -> bytes:
    copied = re.findall(r"^(?:Via|From|Call-ID|CSeq): .*\r\n", invite, re.MULTILINE)
    to = re.search(r"^To: (.*)\r\n", invite, re.MULTILINE)
    assert to is not None
    lines = "".join(copied) + f"To: {to[1]};tag=o\r\nContent-Length: 0\r\n\r\n"
    return f"SIP/2.0 486 Busy Here\r\n{lines}".encode()
