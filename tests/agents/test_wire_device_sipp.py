"""SIPp, an independent implementation, as the caller of devices that do what only a script wants."""

from __future__ import annotations

from pathlib import Path

import pytest
from on_loop import on_loop
from sipp_caller import receive, run_sipp, scenario, send
from wire_stage import stage

from sip_harness.model.steps import Delivery, NoTrying, Raw, Request, Send, Step, Wait

pytestmark = pytest.mark.needs_sipp

RINGING, OK, BUSY = Send(180, "Ringing"), Send(200, "OK"), Send(486, "Busy Here")
RELIABLE = Send(183, "Session Progress", how=Delivery(reliable=True))
KEEP_RSEQ = """<recv response="183" rrs="true"><action>
<ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" check_it="true" assign_to="1"/>
<ereg regexp="100rel" search_in="hdr" header="Require:" check_it="true" assign_to="2"/>
</action></recv>
<nop><action><log message="[$1] [$2]"/></action></nop>"""
REFUSED = send("ACK", answered=True, branch="[branch-{}]")


def prack(seq: int = 2) -> str:
    return send("PRACK", answered=True, seq=seq).replace("Max-Forwards: 70", "RAck: [$1] 1 INVITE\nMax-Forwards: 70")


def asked(method: str, code: int) -> str:
    """A request of the device, and the answer of SIPp."""
    return f"""<recv request="{method}"/><send><![CDATA[
SIP/2.0 {code} Word
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:sipp@[local_ip]:[local_port]>
Content-Length: 0

]]></send>"""


async def see(folder: Path, text: str, *steps: Step, on: dict[str, list[tuple[Step, ...]]] | None = None) -> list[str]:
    """Let SIPp call a device once; it must find everything as its scenario says. The ladder of the device."""
    async with stage() as here:
        desk = here.device("desk", steps, on=on)
        await desk.start()
        counted = await run_sipp(folder, text, desk.local)
        assert counted.status == 0, counted.output
        assert (counted.successful, counted.failed, counted.retransmissions) == (1, 0, 0)
        return here.ladder()


@on_loop
async def test_a_reliable_provisional_and_its_prack(tmp_path: Path) -> None:
    """From the INVITE to its ACK there are 183, the log, PRACK, 200 and 486: six steps."""
    text = scenario(
        send("INVITE"), receive(100, optional=True), KEEP_RSEQ, prack(), receive(200), receive(486),
        REFUSED.format(7),
    )  # fmt: skip
    ladder = await see(tmp_path, text, RELIABLE, Wait(0.3), BUSY)
    assert ladder.count("desk sends 183") == 1
    assert "desk sends 200 to PRACK" in ladder


@on_loop
async def test_a_prack_for_nothing_is_refused(tmp_path: Path) -> None:
    text = scenario(
        send("INVITE"), receive(100, optional=True), KEEP_RSEQ, prack(), receive(200), prack(3), receive(481),
        receive(486), REFUSED.format(9),
    )  # fmt: skip
    await see(tmp_path, text, RELIABLE, Wait(0.5), BUSY)


@on_loop
async def test_no_100_at_all(tmp_path: Path) -> None:
    """SIPp takes what it does not expect for a failure, a 100 as well."""
    text = scenario(send("INVITE"), receive(486), send("ACK", answered=True, branch="[branch-2]"))
    await see(tmp_path, text, NoTrying(), Wait(0.2), BUSY)


@on_loop
async def test_a_cancel_that_is_answered_by_script(tmp_path: Path) -> None:
    text = scenario(
        send("INVITE"), receive(100, optional=True), receive(180), send("CANCEL", branch="[branch-3]"), receive(481),
        receive(603), REFUSED.format(6),
    )  # fmt: skip
    on = {"CANCEL": [(Send(481, "Gone"), Wait(0.1), Send(603, "Decline", to="INVITE"))]}
    ladder = await see(tmp_path, text, RINGING, on=on)
    assert [line for line in ladder if "sends" in line] == [
        "desk sends 180",
        "desk sends 481 to CANCEL",
        "desk sends 603",
    ]


@on_loop
@pytest.mark.parametrize(
    ("method", "code"), [("MESSAGE", 202), ("OPTIONS", 404), ("REGISTER", 200), ("SUBSCRIBE", 489)]
)
async def test_requests_outside_of_a_call(tmp_path: Path, method: str, code: int) -> None:
    on = {method: [(Send(code, "Word"),)]}
    ladder = await see(tmp_path, scenario(send(method), receive(code)), BUSY, on=on)
    assert ladder == [f"desk gets {method}", f"desk sends {code} to {method}"]


@on_loop
async def test_requests_of_the_device(tmp_path: Path) -> None:
    text = scenario(
        send("INVITE"), receive(100, optional=True), receive(200), send("ACK", answered=True),
        asked("INFO", 200), asked("INVITE", 488), '<recv request="ACK"/>', asked("BYE", 200),
    )  # fmt: skip
    steps = (OK, Wait(0.2), Request("INFO"), Wait(0.2), Request("INVITE"), Wait(0.2), Request("BYE"))
    ladder = await see(tmp_path, text, *steps)
    assert ladder[-1] in ("desk sends BYE", "desk gets 200 to BYE")


@on_loop
async def test_exact_bytes(tmp_path: Path) -> None:
    text = scenario(
        send("INVITE"),
        '<recv response="699"><action><ereg regexp="^yes$" search_in="hdr" header="X-Odd: " check_it="true" '
        'assign_to="1"/></action></recv><nop><action><log message="[$1]"/></action></nop>',
        send("ACK", answered=True, branch="[branch-3]"),
    )
    data = (
        b"SIP/2.0 699 Overflow\r\nVia: {via}\r\nFrom: {from}\r\nTo: {to};tag=raw\r\nCall-ID: {call-id}\r\n"
        b"CSeq: {cseq}\r\nX-Odd: yes\r\nContent-Length: 0\r\n\r\n"
    )
    ladder = await see(tmp_path, text, Raw(data, "odd.sip"))
    assert ladder[:2] == ["desk gets INVITE", "desk sends 699"]
