"""A shared system after a run: nobody is registered, and nobody is called, because of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sip_harness.language.loading import load_text
from sip_harness.model.entry import Address
from sip_harness.model.result import Result
from sip_harness.model.verdict import Outcome
from sip_harness.run.session import Options, open_session
from sip_harness.run.systems import find_system
from sip_harness.sip.message import Message, build
from sip_harness.sip.uri import header_params, parse_uri, uri_text
from support.quiet import Ear, ear

PROFILE = """\
name: pbx
kind: KIND
address: 127.0.0.1:PORT
roles: {alice: {user: "101"}, bob: {user: "103"}}
policy: {prompt: 100ms, settle: 20ms, timers: {transaction: 300ms}}
"""
SILENT = """\
title: One phone
id: ONE
targets: {bob: {ring: [phone]}}
devices: {phone: {answer: [silence]}}
calls: [{from: alice, to: bob}]
expect: {alice: [486], phone: [INVITE]}
"""
REGISTERS = """\
title: Somebody registers in another's name
id: ONE
targets: {bob: {ring: [phone]}}
devices: {phone: {answer: [486]}}
calls: [{from: alice, to: bob, as: phone, method: REGISTER, headers: {Contact: CONTACT}}]
expect: {alice: [200 to REGISTER], phone: never}
"""


class Pbx:
    """Binds where a request came from, as PBXs do for phones behind a NAT: to take a binding back one has to stand
    where it was made. It tells every caller at once that somebody is busy, and calls whoever is bound."""

    def __init__(self) -> None:
        self.bound: dict[Address, str] = {}
        self.starred = 0
        self.ear: Ear | None = None

    def answer(self, request: Message, source: Address) -> tuple[int, list[tuple[str, str]]] | None:
        if request.method == "REGISTER":
            self._register(request, source)
            return 200, [("Contact", f"<sip:{user}@{host}:{port}>") for (host, port), user in self.bound.items()]
        if request.method == "INVITE":
            self._hand_on()
            return 486, []
        return (404, []) if request.method == "OPTIONS" else None

    def _register(self, request: Message, source: Address) -> None:
        for contact in request.all("contact"):
            if contact.strip() == "*":
                self.starred += 1
                self.bound.clear()
            elif "0" in (header_params(contact).get("expires"), request.get("expires")):
                self.bound.pop(source, None)
            else:
                self.bound[source] = parse_uri(uri_text(contact)).user

    def _hand_on(self) -> None:
        assert self.ear is not None
        for (host, port), user in self.bound.items():
            here = "{}:{}".format(*self.ear.address)
            headers = [
                ("Via", f"SIP/2.0/UDP {here};branch=z9hG4bKpbx"), ("From", f"<sip:101@{here}>;tag=p"),
                ("To", f"<sip:103@{here}>"), ("Call-ID", "leg-1"), ("CSeq", "7 INVITE"), ("Max-Forwards", "70"),
                ("Contact", f"<sip:{here}>"),
            ]  # fmt: skip
            data = build(f"INVITE sip:{user}@{host}:{port} SIP/2.0", headers)
            self.ear.transport.sendto(data, (host, port))


async def perform(directory: Path, text: str, pbx: Pbx, kind: str = "b2bua") -> tuple[Result, list[Message]]:
    async with ear("127.0.0.1", pbx.answer) as pbx.ear:
        file = directory / "pbx.system.yaml"
        file.write_text(PROFILE.replace("PORT", str(pbx.ear.address[1])).replace("KIND", kind))
        one = load_text(text, "one.sip.yaml")
        async with open_session(find_system(str(file)), Options("wire"), [one]) as session:
            result = await session.run(one)
        await asyncio.sleep(0)
        return result, pbx.ear.heard


def test_what_a_crashed_run_has_left_goes_also_where_bindings_are_made_for_the_sender(tmp_path: Path) -> None:
    pbx = Pbx()
    pbx.bound["127.0.0.1", 9] = "phone-abcdx7"
    result, _ = asyncio.run(perform(tmp_path, SILENT, pbx))
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert (pbx.bound, pbx.starred) == ({}, 1)


def test_somebody_else_is_never_taken_away_with_it(tmp_path: Path) -> None:
    pbx = Pbx()
    pbx.bound |= {("127.0.0.1", 9): "phone-abcdx7", ("127.0.0.1", 8): "somebody"}
    result, _ = asyncio.run(perform(tmp_path, SILENT, pbx))
    assert result.verdict.outcome is Outcome.BLOCKED
    assert "somebody@127.0.0.1:8" in result.verdict.reason
    assert (len(pbx.bound), pbx.starred) == (2, 0)


def test_what_callers_register_is_taken_back_whatever_they_call_it(tmp_path: Path) -> None:
    for contact in ("'{contact}'", "'<sip:bad@127.0.0.1:9>'"):
        pbx = Pbx()
        result, heard = asyncio.run(perform(tmp_path, REGISTERS.replace("CONTACT", contact), pbx))
        assert result.verdict.outcome is Outcome.PASS, result.verdict
        assert any("bad@" in (m.get("contact") or "") or "alice-" in (m.get("contact") or "") for m in heard)
        assert pbx.bound == {}


def test_a_call_that_nobody_answers_is_refused_at_the_end_and_it_is_no_matter_of_the_run(tmp_path: Path) -> None:
    result, heard = asyncio.run(perform(tmp_path, SILENT, Pbx()))
    assert result.verdict.outcome is Outcome.PASS, result.verdict
    assert [m.code for m in heard if m.call_id == "leg-1"] == [480]
    assert result.record is not None
    assert not any(b"480" in m.data and b"leg-1" in m.data for m in result.record.messages)


def test_a_proxy_is_not_told(tmp_path: Path) -> None:
    """It would pass on what it has given up waiting for."""
    _, heard = asyncio.run(perform(tmp_path, SILENT, Pbx(), kind="proxy"))
    assert not [m for m in heard if m.call_id == "leg-1"]
