"""SIPp as a caller that checks one scripted answer: status line and headers, byte for byte."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

from sip_harness.model.entry import Address
from sip_harness.model.steps import Send

SECONDS = 20
"""After which SIPp gives a call up."""
LINE_END = "[[:cntrl:]]"
_INVITE = """<send retrans="500"><![CDATA[

INVITE sip:desk@[remote_ip]:[remote_port] SIP/2.0
{head}To: <sip:desk@[remote_ip]:[remote_port]>
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=sipp 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 9 RTP/AVP 0
a=rtpmap:0 PCMU/8000

]]></send>"""
_LATER = """<send{retrans}><![CDATA[

{method} sip:desk@[remote_ip]:[remote_port] SIP/2.0
{head}To: <sip:desk@[remote_ip]:[remote_port]>[peer_tag_param]
CSeq: {seq} {method}
Content-Length: 0

]]></send>"""
_HEAD = """Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-{branch}-[pid]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]s
Call-ID: [call_id]
Max-Forwards: 70
"""


@dataclass(frozen=True)
class Call:
    """How one call of SIPp ended."""

    status: int
    """0 if everything came as it was expected."""
    said: str
    """Its error log."""


def scenario(responses: Iterable[Send], *, stack_says_100: bool) -> str:
    """A scenario file: one call that must get these responses, in this order, with exactly these headers."""
    steps = [_INVITE.format(head=_HEAD.format(branch="i"))]
    variable = 0
    final = 0
    for response in responses:
        if stack_says_100 and variable == 0:
            steps.append('<recv response="100" optional="true"/>')
        checks = list(_checks(response, variable + 1))
        variable += len(checks)
        steps.append(f'<recv response="{response.code}"><action>{"".join(checks)}</action></recv>')
        final = response.code
    if final >= 300:  # RFC 3261 17.1.1.3: the ACK has the branch of the INVITE
        steps.append(_later("ACK", 1, "i"))
    else:
        steps += [_later("ACK", 1, "a"), _later("BYE", 2, "b"), '<recv response="200"/>']
    numbers = ",".join(str(n + 1) for n in range(variable))
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<scenario name="one code">', *steps]
    return "\n".join([*lines, f'<Reference variables="{numbers}"/>', "</scenario>", ""])


def _later(method: str, seq: int, branch: str) -> str:
    retrans = "" if method == "ACK" else ' retrans="500"'
    return _LATER.format(retrans=retrans, method=method, seq=seq, head=_HEAD.format(branch=branch))


def _checks(response: Send, first: int) -> Iterable[str]:
    """The status line, every header with its value, and that none of them is there more often than it should be."""
    due = [f"^SIP/2\\.0 {response.code} {escaped(response.reason)}{LINE_END}"]
    twice = []
    headers = [*response.headers, *([("Content-Type", response.content_type)] if response.body else [])]
    for name in dict.fromkeys(name for name, _ in headers):
        lines = [f"{escaped(name)}: {escaped(value)}" for key, value in headers if key == name]
        due.append(LINE_END + f"{LINE_END}+".join(lines) + LINE_END)
        twice.append(f"({LINE_END}{escaped(name)} *:.*){{{len(lines) + 1}}}")
    if response.body:
        due.append(f"{LINE_END}+".join(map(escaped, ["", *response.body.splitlines()])))
    for number, regexp in enumerate([*due, *twice], first):
        check = "check_it" if number < first + len(due) else "check_it_inverse"
        yield f'<ereg regexp={quoteattr(regexp)} search_in="msg" {check}="true" assign_to="{number}"/>'


def escaped(text: str) -> str:
    """Text as a POSIX extended regular expression that matches it and nothing else."""
    return re.sub(r"([][.{}()*+?^$|\\])", r"\\\1", text)


async def call(folder: Path, text: str, target: Address) -> Call:
    """Make one call with this scenario file."""
    folder.mkdir()
    file, errors = folder / "call.xml", folder / "errors"
    file.write_text(text)
    command = ["sipp", f"{target[0]}:{target[1]}", "-sf", str(file), "-m", "1", "-i", "127.0.0.1", "-nostdin"]
    command += ["-timeout", f"{SECONDS}s", "-timeout_error", "-recv_timeout", f"{SECONDS}000"]
    command += ["-trace_err", "-error_file", str(errors)]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(2 * SECONDS):
            _, stderr = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    said = errors.read_text(errors="replace") if errors.exists() else ""
    return Call(process.returncode or 0, said + stderr.decode(errors="replace"))
