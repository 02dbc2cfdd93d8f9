"""Free ports, and whether a SIP system answers on one."""

from __future__ import annotations

import asyncio
import secrets
import socket
from contextlib import suppress

from sip_harness.model.entry import Address
from sip_harness.net.base import host_port, in_uri
from sip_harness.net.sockets import family_of
from sip_harness.sip import message
from sip_harness.sip.errors import SipError

_FIRST_PAUSE, _LONGEST_PAUSE = 0.002, 0.05
_PORT_ATTEMPTS = 50


def free_port(host: str) -> int:
    """A port that is free for UDP and TCP on this address at this moment; somebody else may still be faster.

    Raises OSError if there is none.
    """
    for _ in range(_PORT_ATTEMPTS):
        family = family_of(host)
        with socket.socket(family, socket.SOCK_DGRAM) as udp, socket.socket(family, socket.SOCK_STREAM) as tcp:
            udp.bind((host, 0))
            port: int = udp.getsockname()[1]
            with suppress(OSError):
                tcp.bind((host, port))
                return port
    raise OSError(f"no port of {host} is free for UDP and TCP alike")


class _Probe(asyncio.DatagramProtocol):
    """Hands the first good answer on; refusals (ICMP: nobody has bound the port yet) need no attention."""

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        with suppress(SipError):
            answer = message.parse(data)
            if answer.code == 200 and answer.get("Organization") == self._instance and not self.answered.done():
                self.answered.set_result(None)


async def until_answer(system: Address, instance: str) -> None:
    """Ask with OPTIONS (RFC 3261 11) over UDP until there is a 200 that names this instance.

    Without the name two systems that race for one port could take each other's answer. The caller sets the deadline.
    """
    loop = asyncio.get_running_loop()
    transport, probe = await loop.create_datagram_endpoint(lambda: _Probe(instance), remote_addr=system)
    try:
        local: Address = transport.get_extra_info("sockname")[:2]
        pause, cseq = _FIRST_PAUSE, 0
        while not probe.answered.done():
            cseq += 1
            transport.sendto(_options(system, local, cseq))
            await asyncio.wait((probe.answered,), timeout=pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
    finally:
        transport.close()


async def until_answer_on_tcp(system: Address, instance: str) -> None:
    """Ask once with OPTIONS over TCP and wait until this instance answers; the caller sets the deadline.

    Raises OSError if the connection is refused or closed, or somebody else answers.
    """
    reader, writer = await asyncio.open_connection(*system, limit=message.MAX_MESSAGE)
    try:
        writer.write(_options(system, writer.get_extra_info("sockname")[:2], 1, "TCP"))
        answer = message.parse(await reader.readuntil(b"\r\n\r\n"))
        if answer.code != 200 or answer.get("Organization") != instance:
            raise OSError(f"somebody else answers on {system[0]}:{system[1]}: {answer.summary}")
    except (EOFError, asyncio.LimitOverrunError, SipError) as error:
        raise OSError(f"no answer on {system[0]}:{system[1]} over TCP: {error}") from error
    finally:
        writer.close()


def _options(system: Address, local: Address, cseq: int, transport: str = "UDP") -> bytes:
    here, there = host_port(local), host_port(system)
    return message.build(
        f"OPTIONS sip:{there} SIP/2.0",
        [
            ("Via", f"SIP/2.0/{transport} {here};branch=z9hG4bK{secrets.token_hex(8)}"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:probe@{here}>;tag={secrets.token_hex(4)}"),
            ("To", f"<sip:{there}>"),
            ("Call-ID", f"{secrets.token_hex(8)}@{in_uri(local[0])}"),
            ("CSeq", f"{cseq} OPTIONS"),
        ],
    )
