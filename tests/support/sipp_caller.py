"""SIPp as an independent caller: a scenario file of our own, one run, what it counted."""

from __future__ import annotations

import asyncio
import csv
from dataclasses import dataclass
from pathlib import Path

from sip_harness.model.entry import Address

_REQUEST = """<send{retrans}><![CDATA[
{method} sip:desk@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}
From: <sip:sipp@[local_ip]:[local_port]>;tag=[call_number]s
To: <sip:desk@[remote_ip]:[remote_port]>{to}
Call-ID: [call_id]
CSeq: {seq} {method}
Contact: <sip:sipp@[local_ip]:[local_port]>
Max-Forwards: 70
{tail}
]]></send>"""

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


def send(method: str, *, seq: int = 1, answered: bool = False, branch: str = "[branch]") -> str:
    """A request; in a dialog it has the To tag of the last response."""
    retrans = "" if method == "ACK" else ' retrans="500"'
    tail = _SDP if method == "INVITE" else _EMPTY
    to = "[peer_tag_param]" if answered else ""
    return _REQUEST.format(retrans=retrans, method=method, to=to, seq=seq, tail=tail, branch=branch)


def receive(code: int, *, optional: bool = False) -> str:
    """A response that must, or may, come."""
    may = ' optional="true"' if optional else ""
    return f'<recv response="{code}"{may}/>'


def scenario(*steps: str) -> str:
    """A whole scenario file."""
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', '<scenario name="caller">', *steps, "</scenario>"])


REFUSED = scenario(
    send("INVITE"),
    receive(100, optional=True),
    receive(180, optional=True),
    receive(486),
    send("ACK", answered=True, branch="[branch-4]"),
)
"""A call that must get 486. The ACK has the branch of its INVITE, four steps before."""

ANSWERED = scenario(
    send("INVITE"), receive(100, optional=True), receive(180, optional=True), receive(200), send("ACK", answered=True),
    send("BYE", answered=True, seq=2), receive(200),
)  # fmt: skip
"""A call that must be answered, acknowledged and ended."""


@dataclass(frozen=True)
class Counted:
    """What SIPp says about its run."""

    status: int
    """Exit status; 0 if every call went as its scenario says."""
    output: str
    statistics: dict[str, str]
    """Last row of its statistics, by column."""

    @property
    def successful(self) -> int:
        return int(self.statistics["SuccessfulCall(C)"])

    @property
    def failed(self) -> int:
        return int(self.statistics["FailedCall(C)"])

    @property
    def retransmissions(self) -> int:
        return int(self.statistics["Retransmissions(C)"])


async def run_sipp(
    folder: Path,
    text: str,
    target: Address,
    *,
    calls: int = 1,
    rate: int = 10,
    seconds: int = 15,
    transport: str = "udp",
) -> Counted:
    """Make so many calls at so many per second by UDP or TCP; it ends by itself."""
    file, statistics = folder / "caller.xml", folder / "statistics.csv"
    file.write_text(text)
    command = [
        "sipp",
        f"{target[0]}:{target[1]}",
        "-sf",
        str(file),
        "-m",
        str(calls),
        "-r",
        str(rate),
        "-i",
        "127.0.0.1",
        "-t",
        {"udp": "u1", "tcp": "t1"}[transport],
    ]
    command += ["-nostdin", "-timeout", f"{seconds}s", "-timeout_error", "-trace_stat", "-stf", str(statistics)]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(seconds + 10):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    rows = list(csv.DictReader(statistics.read_text().splitlines(), delimiter=";")) if statistics.exists() else []
    return Counted(process.returncode or 0, output.decode(errors="replace"), rows[-1] if rows else {})
