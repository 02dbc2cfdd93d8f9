"""sipp as the yardstick of `ci/bench`: its scenario files, and ports for it."""

from __future__ import annotations

import socket
import time
from pathlib import Path

UAS = """<?xml version="1.0" encoding="ISO-8859-1"?><scenario name="uas"><recv request="INVITE"/><send><![CDATA[
SIP/2.0 486 Busy Here
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send><recv request="ACK"/></scenario>"""
UAC = """<?xml version="1.0" encoding="ISO-8859-1"?><scenario name="uac"><send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:alice@[local_ip]>;tag=[call_number]
To: <sip:bob@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:alice@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Length: 0

]]></send><recv response="486"/><send><![CDATA[
ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
CSeq: 1 ACK
Content-Length: 0

]]></send></scenario>"""


def free_port() -> int:
    """A UDP port that is free now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for_port(port: int) -> None:
    """Wait until somebody has bound this UDP port, at most 5 s."""
    wanted = f"0100007F:{port:04X}"
    end = time.monotonic() + 5
    while wanted not in Path("/proc/net/udp").read_text():
        if time.monotonic() > end:
            raise SystemExit("sipp did not come up")
