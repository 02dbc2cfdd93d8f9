"""The messages of RFC 4475 as requests of a caller, at the reference and at Kamailio: both live on, no byte is lost.

A system answers to the address in Via, which in these messages is somebody else's: here the caller puts its own there,
and nothing else is changed. In another run not even that.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from sip_harness.language import load
from sip_harness.model.entry import Exit, Malformed, Message, Note
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.sip.message import parse
from sip_harness.systems.registry import create

FILES = sorted((Path(__file__).parent.parent / "sip" / "rfc4475").glob("*.dat"))
NAMES = [file.stem for file in FILES]
VIA = re.compile(rb"^((?:via|v)\s*:\s*SIP\s*/\s*[0-9.]+\s*/\s*\S+\s+)[^;\s,]+", re.IGNORECASE | re.MULTILINE)
HEAD = """\
title: Messages that torture a parser
id: RB-15
cite: RFC 4475
needs: [ring]
targets: {bob: {ring: [desk]}}
devices: {desk: {answer: [486]}}
expect: {desk: never}
calls:
"""
ALIVE = """\
  - {{from: alice, to: bob, method: OPTIONS, uri: 'sip:{{hostport}}', name: {}, at: {},
     expect: {{alice: [200 to OPTIONS]}}}}"""

RESPONSES = {"bcast", "bigcode", "noreason", "scalarlg", "unreason"}
"""Responses to nothing, good ones and bad ones: whoever gets them drops them (3.1.1.12, 3.1.2.19, 3.3.9)."""
VALID = {
    "wsinv", "intmeth", "esc01", "escnull", "esc02", "lwsdisp", "longreq", "dblreq", "semiuri", "transports", "mpart01",
    "badbranch", "baddate", "cparam01", "cparam02", "regescrt", "inv2543", "invut", "regaut01", "sdp01", "unksm2",
}  # fmt: skip
"""What a proxy has nothing to object to: it may relay it or not (3.1.1, 3.1.2.12, 3.2.1, 3.3, 3.4.1)."""
OWED = {
    "badvers": {505},
    "mismatch01": {400},
    "mismatch02": {400, 501},
    "scalar02": {400},
    "insuf": {400},
    "clerr": {400},
    "bext01": {420},
    "unkscm": {416},
    "novelsc": {416},
    "ltgtruri": {400, 416},
    "zeromf": {483},
}
"""What the RFC says of a proxy. All other broken ones may be refused with 400, or not be looked into so far: the
reference relays to nobody elsewhere (403), and a request within an unknown dialog it cannot place (500)."""


def made(directory: Path, *, exact: bool) -> Scenario:
    calls = [ALIVE.format("before", "0ms")]
    for number, file in enumerate(FILES):
        data = file.read_bytes()
        (directory / file.name).write_bytes(data if exact else VIA.sub(rb"\1{sent-by}", data, count=1))
        at = f"{100 + 10 * number}ms"
        calls.append(f"  - {{from: c{number}, to: bob, bytes: {file.name}, name: {file.stem}, at: {at}}}")
    calls.append(ALIVE.format("after", "2s"))
    scenario = directory / "rb15.sip.yaml"
    scenario.write_text(HEAD + "\n".join(calls) + "\n")
    [one] = load([scenario])
    return one


def run(system: str, scenario: Scenario) -> Result:
    async def work() -> Result:
        async with open_session(create(system), Options("wire"), []) as session:
            return await session.run(scenario)

    return asyncio.run(work())


def finals(result: Result) -> dict[str, list[int]]:
    """Codes from 200 that came back, by name of the message, each once."""
    found: dict[str, list[int]] = {name: [] for name in NAMES}
    assert result.record is not None
    for entry in result.record.messages:
        number = entry.agent[1:]
        code = parse(entry.data).code if entry.direction == "received" and number.isdigit() else 0
        if code >= 200 and code not in found[NAMES[int(number)]]:
            found[NAMES[int(number)]].append(code)
    return found


def check_alive(result: Result) -> None:
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert result.record is not None
    assert not [entry for entry in result.record.entries if isinstance(entry, Exit)]


SYSTEMS = ["reference", pytest.param("kamailio", marks=pytest.mark.needs_kamailio)]


@pytest.mark.parametrize("system", SYSTEMS)
def test_it_lives_on_and_the_record_has_every_byte(system: str, tmp_path: Path) -> None:
    result = run(system, made(tmp_path, exact=True))
    check_alive(result)
    assert result.record is not None
    sent = {e.data for e in result.record.entries if isinstance(e, Message | Malformed) and e.direction == "sent"}
    assert [file.name for file in FILES if file.read_bytes() not in sent] == []
    begun = [e for e in result.record.entries if isinstance(e, Note) and e.kind == "call" and e.agent != "alice"]
    assert len(begun) == len(FILES) >= 49


def test_the_reference_answers_as_the_rfc_says(tmp_path: Path) -> None:
    result = run("reference", made(tmp_path, exact=False))
    check_alive(result)
    got = finals(result)
    assert {name: got[name] for name in RESPONSES} == {name: [] for name in RESPONSES}
    for name in sorted(set(NAMES) - RESPONSES):
        [code] = got[name]
        allowed = OWED.get(name) or ({403, 500} if name in VALID else {400, 403, 500})
        assert code in allowed, f"{name}: {code}"


@pytest.mark.needs_kamailio
def test_what_kamailio_answers_is_in_the_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = run("kamailio", made(tmp_path, exact=False))
    check_alive(result)
    got = finals(result)
    with capsys.disabled():
        print("\nKamailio and RFC 4475:", ", ".join(f"{name} {codes or '-'}" for name, codes in got.items()))
    assert sum(bool(codes) for codes in got.values()) > 20
    assert not any(got[name] for name in RESPONSES)
