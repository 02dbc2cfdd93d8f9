"""sipp as an independent witness: it calls a device on the pjsua2 stack."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from on_loop import on_loop
from pjsua2_peer import RINGING, Desk, a_desk, a_peer, a_pool, device

from sip_harness.model.steps import Send
from sip_harness.sip import message as sip

pytestmark = [pytest.mark.needs_pjsua2, pytest.mark.needs_sipp]

INVITE = """
  <send retrans="500"><![CDATA[
    INVITE sip:desk@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: "Witness" <sip:sipp@[local_ip]:[local_port]>;tag=[call_number]
    To: <sip:desk@[remote_ip]:[remote_port]>
    Call-ID: [call_id]
    CSeq: 1 INVITE
    Contact: <sip:sipp@[local_ip]:[local_port]>
    Max-Forwards: 70
    Content-Type: application/sdp
    Content-Length: [len]

    v=0
    o=user1 53655765 2353687637 IN IP[local_ip_type] [local_ip]
    s=-
    c=IN IP[media_ip_type] [media_ip]
    t=0 0
    m=audio [media_port] RTP/AVP 0
    a=rtpmap:0 PCMU/8000
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
"""
ACK = """
  <send><![CDATA[
    ACK sip:desk@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch{offset}]
    From: "Witness" <sip:sipp@[local_ip]:[local_port]>;tag=[call_number]
    To: <sip:desk@[remote_ip]:[remote_port]>[peer_tag_param]
    Call-ID: [call_id]
    CSeq: 1 ACK
    Max-Forwards: 70
    Content-Length: 0
  ]]></send>
"""
BYE = """
  <send retrans="500"><![CDATA[
    BYE [next_url] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: "Witness" <sip:sipp@[local_ip]:[local_port]>;tag=[call_number]
    To: <sip:desk@[remote_ip]:[remote_port]>[peer_tag_param]
    Call-ID: [call_id]
    CSeq: 2 BYE
    Max-Forwards: 70
    Content-Length: 0
  ]]></send>
  <recv response="200"/>
"""


def scenario(code: int) -> str:
    """An sipp scenario that calls, wants this final and ends the call as it should."""
    final = f'<recv response="{code}" rrs="true"/>'
    rest = ACK.format(offset="+1") + BYE if code < 300 else ACK.format(offset="-0").replace("[branch-0]", "[branch-1]")
    return f'<?xml version="1.0"?><scenario name="one call">{INVITE}{final}{rest}</scenario>'


async def sipp(d: Desk, path: Path, code: int) -> tuple[int, str]:
    """Exit status and output of one sipp call to the device."""
    (path / "uac.xml").write_text(scenario(code))
    command = (
        "sipp", f"127.0.0.1:{d.agent.local[1]}", "-sf", "uac.xml", "-i", "127.0.0.1", "-m", "1", "-nostdin",
        "-timeout", "20", "-timeout_error", "-trace_err", "-error_file", "errors.log",
    )  # fmt: skip
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=path, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    output, _ = await process.communicate()
    errors = path / "errors.log"
    said = errors.read_text(errors="replace") if errors.exists() else ""
    return process.returncode or 0, said or output.decode(errors="replace")


@on_loop
async def test_sipp_gets_what_the_script_says(tmp_path: Path) -> None:
    codes = (200, 302, 404, 486, 503, 600, 699)
    attempts = tuple((RINGING, Send(code, f"Number {code}")) for code in codes)
    async with a_pool() as pool, a_peer() as peer, a_desk(pool, device(peer.local, *attempts)) as d:
        for code in codes:
            status, said = await sipp(d, tmp_path, code)
            assert status == 0, said
    sent = [(sip.parse(m.data).code, m.origin) for m in d.sent() if sip.parse(m.data).cseq[1] == "INVITE"]
    received = [sip.parse(m.data).method for m in d.messages if m.direction == "received"]
    assert sent == [found for code in codes for found in ((100, "protocol"), (180, "script"), (code, "script"))]
    assert received == ["INVITE", "ACK", "BYE", *["INVITE", "ACK"] * (len(codes) - 1)]
