"""Every response code, in answer to every method that it fits: read back exactly by a raw peer, decoded by tshark."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from on_loop import on_loop
from wire_stage import Peer, Stage, peer, stage

from sip_harness.agents.wire import WireAgent
from sip_harness.model.entry import Header, Message, Record
from sip_harness.model.policy import Policy
from sip_harness.model.steps import Delivery, Mutation, Send
from sip_harness.record.pcapng import write
from sip_harness.sip import message as sip
from sip_harness.sip.codes import CODES, Code, default_body, default_headers

METHODS = ("INVITE", "re-INVITE", "REGISTER", "OPTIONS", "MESSAGE", "SUBSCRIBE", "BYE", "UPDATE", "INFO", "REFER")
WITHIN = ("re-INVITE", "BYE", "UPDATE", "INFO", "REFER")
ERROR = 8_388_608
"""PI_ERROR: tshark's word for what is broken, beyond what is merely odd."""


def fits(row: Code, method: str) -> bool:
    """Whether the table says that this code answers such requests."""
    if method == "INVITE":
        return True
    words = re.findall(r"[A-Za-z-]+", row.methods)
    if row.code < 200 and method != "re-INVITE":
        return False
    if words[0] == "any" or (method in WITHIN and "in a dialog" in row.methods):
        return True
    return ("INVITE" if method == "re-INVITE" else method) in words


def codes_for(method: str) -> list[int]:
    return [code for code, row in CODES.items() if fits(row, method)]


def response(code: int) -> Send:
    """The response as the language makes it of nothing but the code."""
    kind, body = default_body(code)
    return Send(code, CODES[code].phrase, default_headers(code, "127.0.0.1"), body=body.decode(), content_type=kind)


async def answer(far: Peer, desk: WireAgent, method: str, step: Send, number: int, tag: str) -> sip.Message:
    """Send a request; its response of that code. An INVITE is seen through to its ACK."""
    branch, call_id = f"z9hG4bK{number}", "peer-call" if tag else f"call-{number}"
    name = "INVITE" if method == "re-INVITE" else method
    far.ask(desk.local, name, branch=branch, call_id=call_id, to_tag=tag, seq=number + 2)
    while True:
        got = await far.get()
        if name == "INVITE" and got.code >= 200:
            acked = branch if got.code >= 300 else ""
            far.ask(desk.local, "ACK", branch=acked, call_id=call_id, to_tag=got.to_tag, seq=number + 2)
        if got.code == step.code and got.branch == branch and got.call_id == call_id:
            return got


async def refuse(far: Peer, desk: WireAgent, number: int) -> None:
    """Wait for the 486 after a provisional, and acknowledge it."""
    while (got := await far.get()).code < 200:
        pass
    branch, call_id = f"z9hG4bK{number}", f"call-{number}"
    far.ask(desk.local, "ACK", branch=branch, call_id=call_id, to_tag=got.to_tag, seq=number + 2)


def check(got: sip.Message, step: Send, name: str) -> None:
    """Exactly the line, the headers in their order, each once, and the body that were asked for."""
    assert got.start == f"SIP/2.0 {step.code} {step.reason}"
    assert got.cseq[1] == name
    assert got.faults == ()
    given = [(f.name, f.value) for f in got.fields if f.name in dict(step.headers)]
    assert given == list(step.headers)
    if step.body:
        assert (got.body.decode(), got.get("content-type")) == (step.body, step.content_type)
    assert int(got.get("content-length") or "-1") == len(got.body)
    for once in ("from", "to", "call-id", "cseq", "content-length"):
        assert len(got.all(once)) == 1


async def dialog(here: Stage, far: Peer, desk: WireAgent) -> str:
    """Tag of the desk in a call that is up."""
    far.ask(desk.local, "INVITE")
    ok = await far.get()
    far.ask(desk.local, "ACK", to_tag=ok.to_tag)
    await here.see("desk gets ACK")
    return ok.to_tag


@pytest.mark.needs_tshark
@pytest.mark.parametrize("method", METHODS)
@on_loop
async def test_every_code(method: str, tmp_path: Path) -> None:
    codes = codes_for(method)
    steps = [response(code) for code in codes]
    final = Send(486, "Busy Here")
    attempts = [(step,) if step.code >= 200 else (step, final) for step in steps]
    async with stage() as here, peer() as far:
        if method == "INVITE":
            desk = here.device("desk", *attempts)
        else:
            desk = here.device("desk", (Send(200, "OK"),), on={method: attempts})
        await desk.start()
        tag = await dialog(here, far, desk) if method in WITHIN else ""
        for number, step in enumerate(steps):
            got = await answer(far, desk, method, step, number, tag)
            check(got, step, "INVITE" if method == "re-INVITE" else method)
            if method == "INVITE" and step.code < 200:
                await refuse(far, desk, number)
        messages = here.messages("desk")
    parsed = [sip.parse(m.data) for m in messages if m.direction == "sent"]
    assert set(codes) <= {m.code for m in parsed}
    sent = [(m.start, m.cseq[1], m.call_id, [m.to_tag] if m.to_tag else []) for m in parsed]
    layers = decoded(messages, tmp_path)
    assert [reading(layer) for layer in layers if "sip.Status-Line" in layer] == sent
    assert [bad for layer in layers if (bad := complaints(layer))] == []


@pytest.mark.needs_tshark
@on_loop
async def test_the_witness_sees_what_is_damaged(tmp_path: Path) -> None:
    """So that it says something when it is silent about the others."""
    broken = Delivery(mutations=(Mutation("truncate", "60"),), resend=())
    async with stage() as here, peer() as far:
        desk = here.device("desk", (Send(486, "Busy Here", how=broken),))
        await desk.start()
        far.ask(desk.local, "INVITE")
        await here.see("desk gets INVITE")
        await here.until(lambda: len(here.messages("desk")) == 2)
        messages = here.messages("desk")
    assert [complaints(layer) for layer in decoded(messages, tmp_path)][1] != []


def test_the_table_is_well_spread() -> None:
    counts = {method: len(codes_for(method)) for method in METHODS}
    assert counts["INVITE"] == len(CODES)
    assert all(count >= 20 for count in counts.values()), counts


def decoded(messages: list[Message], place: Path) -> list[dict[str, list[str]]]:
    """What tshark makes of each message."""
    header = Header("T-1", "Title", "t.sip.yaml", "none", "proxy", ("127.0.0.1", 9), Policy(), "s1", 1, ())
    write(place / "t.pcapng", Record(header, tuple(messages)))
    ports = {m.local[1] for m in messages}
    decode = [word for port in ports for word in ("-d", f"udp.port=={port},sip")]
    fields = (
        "sip.Status-Line", "sip.CSeq.method", "sip.Call-ID", "sip.to.tag",
        "_ws.malformed", "_ws.expert.severity", "_ws.expert.message",
    )  # fmt: skip
    asked = [word for field in fields for word in ("-e", field)]
    command = ["tshark", "-n", "-r", str(place / "t.pcapng"), *decode, "-Tjson", *asked]
    rows = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return [row["_source"]["layers"] for row in rows]


def reading(layer: dict[str, list[str]]) -> tuple[str, str, str, list[str]]:
    """What tshark reads in a response: its line, method, Call-ID and To tag."""
    [line], [method], [call_id] = (layer[f"sip.{name}"] for name in ("Status-Line", "CSeq.method", "Call-ID"))
    return line, method, call_id, layer.get("sip.to.tag", [])


def complaints(layer: dict[str, list[str]]) -> list[str]:
    """What tshark takes for broken in one message."""
    severe = [int(severity) >= ERROR for severity in layer.get("_ws.expert.severity", [])]
    said = layer.get("_ws.expert.message", [])
    return layer.get("_ws.malformed", []) + (said or ["error"] if any(severe) else [])
