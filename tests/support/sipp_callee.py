"""SIPp as an independent callee: scenario files of our own that check what a caller of ours sends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from outside import PATIENCE

from sip_harness.model.entry import Address

_SDP = """Content-Type: application/sdp
Content-Length: [len]

v=0
o=sipp 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 9 RTP/AVP 0
a=rtpmap:0 PCMU/8000
"""
_EMPTY = "Content-Length: 0\n"
_KEPT = {"via": "Via:", "from": "From:", "to": "To:", "cseq": "CSeq:"}


def invited() -> str:
    """The INVITE, whose headers are kept for the responses to it that come later."""
    kept = "".join(
        f'<ereg regexp=".*" search_in="hdr" header="{header}" assign_to="{name}"/>' for name, header in _KEPT.items()
    )
    return f'<recv request="INVITE" crlf="true" rrs="true"><action>{kept}</action></recv>'


def receive(method: str, **checks: str) -> str:
    """A request that must come; each check is a header, `_` for `-`, and the expression that it must match."""
    found = "".join(
        f'<ereg regexp="{expression}" search_in="hdr" header="{name.replace("_", "-")}:" check_it="true" '
        f'assign_to="check"/>'
        for name, expression in checks.items()
    )
    return f'<recv request="{method}"><action>{found}</action></recv>' if found else f'<recv request="{method}"/>'


def answer(code: int, *headers: str, session: bool = False) -> str:
    """A response to the INVITE, sent again until it is acknowledged if it is final."""
    own = "Via:[$via]\nFrom:[$from]\nTo:[$to];tag=[call_number]desk\nCall-ID: [call_id]\nCSeq:[$cseq]\n"
    return _send(f"SIP/2.0 {code} Word\n{own}", headers, session, retrans=code >= 200)


def reply(code: int, *headers: str, session: bool = False, retrans: bool = False) -> str:
    """A response to the request that came last, within the call."""
    own = "[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\n"
    return _send(f"SIP/2.0 {code} Word\n{own}", headers, session, retrans=retrans)


def ask(method: str, *headers: str, seq: int = 1) -> str:
    """A request within the call."""
    start = f"{method} [next_url] SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"
    own = f"From:[$to];tag=[call_number]desk\nTo:[$from]\nCall-ID: [call_id]\nCSeq: {seq} {method}\nMax-Forwards: 70\n"
    return _send(start + own, headers, False, retrans=True)


def accepted(code: int) -> str:
    """A response that must come."""
    return f'<recv response="{code}"/>'


def only_with(username: str, password: str) -> str:
    """Goes on if the request that came last, an INFO, has these credentials; else refuses it and fails."""
    return (
        f'<recv request="INFO"><action><verifyauth assign_to="valid" username="{username}" password="{password}"/>'
        '</action></recv><nop test="valid" next="1"/>' + reply(403) + '<recv request="NEVER"/><label id="1"/>'
    )


def scenario(*steps: str) -> str:
    """A whole scenario file. Variables that are kept and not used are an error of SIPp's: they are named once."""
    named = ",".join(_KEPT) + (",check" if any('"check"' in step for step in steps) else "")
    begin = ['<?xml version="1.0" encoding="UTF-8"?>', '<scenario name="callee">']
    return "\n".join([*begin, *steps, f'<Reference variables="{named}"/>', "</scenario>"])


def _send(head: str, headers: tuple[str, ...], session: bool, *, retrans: bool) -> str:
    text = head + "Contact: <sip:desk@[local_ip]:[local_port]>\n" + "".join(f"{line}\n" for line in headers)
    again = ' retrans="500"' if retrans else ""
    return f"<send{again}><![CDATA[\n{text}{_SDP if session else _EMPTY}\n]]></send>"


@dataclass
class Callee:
    """A SIPp that waits for one call."""

    address: Address
    process: asyncio.subprocess.Process
    folder: Path
    _output: list[bytes] = field(default_factory=list)

    async def end(self) -> tuple[int, str]:
        """Exit status, 0 if the call went as its scenario says, and what it said."""
        async with asyncio.timeout(PATIENCE):
            output, _ = await self.process.communicate()
        logs = "".join(log.read_text(errors="replace") for log in self.folder.glob("*_errors.log"))
        return self.process.returncode or 0, output.decode(errors="replace")[-2000:] + logs


@contextlib.asynccontextmanager
async def callee(folder: Path, text: str, *, seconds: int = 15) -> AsyncIterator[Callee]:
    """Start it on a free port; it ends by itself after one call, or after so many seconds."""
    (folder / "callee.xml").write_text(text)
    address = _free()
    command = ["sipp", "-sf", "callee.xml", "-i", address[0], "-p", str(address[1]), "-m", "1", "-nostdin"]
    process = await asyncio.create_subprocess_exec(
        *command, "-timeout", f"{seconds}s", "-timeout_error", "-trace_err",
        cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        await _until_bound(address, process)
        yield Callee(address, process, folder)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _free() -> Address:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        host, port = sock.getsockname()
        return host, port


async def _until_bound(address: Address, process: asyncio.subprocess.Process) -> None:
    wanted = f"0100007F:{address[1]:04X}"
    async with asyncio.timeout(PATIENCE):
        while not any(line.split()[1] == wanted for line in Path("/proc/net/udp").read_text().splitlines()[1:]):
            if process.returncode is not None:
                output, _ = await process.communicate()
                raise AssertionError(output.decode(errors="replace"))
            await asyncio.sleep(0.01)
