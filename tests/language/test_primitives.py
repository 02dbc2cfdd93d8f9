"""Everything that no usual library can send, each as one line of a scenario that a wire agent carries out.

The other side is a raw socket that follows the ladder: it sends what the agent gets, and waits for what it sends.
Breaking a stream has its own tests beside the agents (`test_wire_device_losses`, `test_wire_device_answers`), bytes
that are no SIP as well.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from on_loop import on_loop
from wire_stage import FAST, TOKEN, Peer, Stage, peer, stage

from sip_harness.agents import wire
from sip_harness.agents.base import Assignment
from sip_harness.language import load_text
from sip_harness.model.entry import Malformed
from sip_harness.model.scenario import Scenario
from sip_harness.model.system import User
from sip_harness.sip.message import Message, parse

TEXT = """\
title: One primitive
id: P-1
targets: {{bob: {{ring: [desk]}}}}
devices: {{desk: {{{desk}}}}}
calls: [{{from: alice, to: bob{call}}}]
expect: {{desk: reached}}
"""
RAW = b"SIP/2.0 4294967301 Odd\r\nVia: {via}\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call-id}\r\nCSeq: {cseq}\r\n\r\n"
HUGE = RAW.replace(b"4294967301 Odd", b"486 Busy").replace(b"\r\n\r\n", b"\r\nX: " + 60_000 * b"x" + b"\r\n\r\n")
INSIDE = "< INVITE > 200 < ACK"
DEVICE = {
    "silence": ("answers: [[silence], [486]]", "< INVITE < INVITE > 486 < ACK"),
    "silence per method and number": ("answer: [486], on: {OPTIONS: [[silence], [200]]}", "< OPTIONS < OPTIONS > 200"),
    "delay": ("answer: [no 100, wait 30ms, 486]", "< INVITE > 486 < ACK"),
    "late 200 before the one to CANCEL": (
        "answer: [180], on: {CANCEL: [200 to INVITE, 200]}", "< INVITE > 180 < CANCEL > 200 > 200 < ACK"
    ),
    "late 200 after the one to CANCEL": (
        "answer: [180], on: {CANCEL: [200, wait 20ms, 200 to INVITE]}", "< INVITE > 180 < CANCEL > 200 > 200 < ACK"
    ),
    "a CANCEL that is ignored": (
        "answer: [180, wait 90ms, 200], on: {CANCEL: [silence]}", "< INVITE > 180 < CANCEL > 200"
    ),
    "a CANCEL that never came": ("answer: [180, wait 90ms, 200], lose: [CANCEL]", "< INVITE > 180 < CANCEL > 200"),
    "CANCEL answered alone": ("answer: [180], on: {CANCEL: [200]}", "< INVITE > 180 < CANCEL > 200"),
    "CANCEL refused": ("answer: [180], on: {CANCEL: [481]}", "< INVITE > 180 < CANCEL > 481"),
    "another final than 487": (
        "answer: [180], on: {CANCEL: [200, 603 to INVITE]}", "< INVITE > 180 < CANCEL > 200 > 603 < ACK"
    ),
    "no 100": ("answer: [no 100, 180, 486]", "< INVITE > 180 > 486 < ACK"),
    "only 100": ("answer: [100]", "< INVITE > 100"),
    "487 without CANCEL": ("answer: [487]", "< INVITE > 487 < ACK"),
    "a second final": ("answer: [486, 603]", "< INVITE > 486 > 603"),
    "several To tags": ("answer: [180: {to tag: a}, 180: {to tag: b}, 486: {to tag: a}]", "< INVITE > 180 > 180 > 486"),
    "no tag": ("answer: [486: {to tag: none}]", "< INVITE > 486"),
    "a foreign branch": ("answer: [486: {branch: other, resend: never}]", "< INVITE > 486"),
    "a foreign CSeq": ("answer: [486: {cseq: OPTIONS, resend: never}]", "< INVITE > 486"),
    "a lost ACK": ("answer: [486], lose: [first 1 ACK]", "< INVITE > 486 < ACK > 486 < ACK"),
    "retransmissions of its own": ("answer: [486: {resend: [10ms, 30ms]}]", "< INVITE > 486 > 486 > 486 < ACK"),
    "a gap in RSeq": (
        "answer: [183: {headers: {Require: 100rel, RSeq: 1}}, "
        "183: {headers: {Require: 100rel, RSeq: 3}, to tag: b}, 486]",
        "< INVITE > 183 > 183 > 486 < ACK",
    ),
    **{
        f"{code} to {method}": (f"answer: [200], on: {{{method}: [{code}]}}", f"{before} < {method} > {code}".strip())
        for code, method, before in (
            (503, "OPTIONS", ""), (423, "REGISTER", ""), (489, "SUBSCRIBE", ""), (415, "MESSAGE", ""),
            (481, "BYE", INSIDE), (504, "UPDATE", INSIDE), (469, "INFO", INSIDE), (603, "REFER", INSIDE),
        )
    },
    "488 to re-INVITE": ("answer: [200], on: {re-INVITE: [488]}", f"{INSIDE} < INVITE > 488 < ACK"),
    "481 to PRACK": (
        "answer: [183: {reliable: yes}, after: desk gets PRACK, 486], on: {PRACK: [481]}",
        "< INVITE > 183 < PRACK > 481",
    ),
    "a registrar": (
        'answer: [486], on: {REGISTER: [[401: {headers: {WWW-Authenticate: \'Digest realm="r", nonce="n"\'}}], '
        "[200: {headers: {Contact: '<sip:x@127.0.0.1>;expires=1'}}]]}",
        "< REGISTER > 401 < REGISTER > 200",
    ),
    "an empty phrase and strange headers": ("answer: [486: {reason: '', headers: {X-Odd: [a, b]}}]", "< INVITE > 486"),
    "exact bytes": ("answer: [bytes: raw.sip]", "< INVITE"),
    "60 KB": ("answer: [bytes: huge.sip]", "< INVITE > 486"),
    "damage": (
        "answer: [486: {strip: Contact, duplicate: To, corrupt: From, resend: never}]", "< INVITE > 486"
    ),
    "another port": ("answer: [486: {from: other port, resend: never}]", "< INVITE > 486"),
    "another address": ("answer: [486: {from: other address, resend: never}]", "< INVITE > 486"),
    "copies": ("answer: [180: {copies: 3}, 486]", "< INVITE > 180 > 180 > 180 > 486 < ACK"),
    "a closed port": ("answer: [180, close]", "< INVITE > 180"),
    "a request of its own": ("answer: [200], on: {INFO: [200, send: INFO]}", f"{INSIDE} < INFO > 200 > INFO"),
}  # fmt: skip
CALLER = {
    "no ACK": (", ack: never, hang up: 30ms", "> INVITE < 200 > BYE < 200"),
    "a late ACK": (", ack: after 30ms, hang up: 60ms", "> INVITE < 200 > ACK > BYE < 200"),
    "no PRACK": (", prack: never", "> INVITE < 183 < 486 > ACK"),
    "an early CANCEL": (", cancel: 10ms", "> INVITE < 180 > CANCEL < 200 < 487 > ACK"),
    "headers of its own": (
        ", headers: {Proxy-Require: foo, Max-Breadth: 1, Max-Forwards: 0}",
        "> INVITE < 420 > ACK",
        ("Proxy-Require: foo", "Max-Breadth: 1", "Max-Forwards: 0"),
    ),
    "a Via of its own": (
        ", headers: {Via: 'SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKown'}",
        "> INVITE",
        ("branch=z9hG4bKown",),
    ),
    "Contact: *": (", method: REGISTER, headers: {Contact: '*', Expires: 60}", "> REGISTER < 400", ("Contact: *",)),
    "a wrong RAck": (", method: PRACK, headers: {RAck: 9 1 INVITE}", "> PRACK < 481", ("RAck: 9 1 INVITE",)),
    "a stray CANCEL": (", method: CANCEL", "> CANCEL < 481"),
    "a body in a request within the call": (
        ", then: [send: {INFO: {body: x, type: text/plain}}, wait 50ms, hang up]",
        "> INVITE < 200 > ACK > INFO < 469 > BYE < 200",
    ),
    **{f"a single {m}": (f", method: {m}", f"> {m} < 404") for m in ("OPTIONS", "MESSAGE", "SUBSCRIBE", "PUBLISH")},
    "deaf to a final": (", lose: [first 1 486]", "> INVITE < 486 < 486 > ACK"),
    "a BYE refused": (", on: {BYE: [481]}, hang up: 2s", "> INVITE < 200 > ACK < BYE > 481"),
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """At its end an agent waits for nobody: what it says then is of no interest here."""
    monkeypatch.setattr(wire, "STOP_LIMIT", 0.01)


def scenario(folder: Path, desk: str = "answer: [486]", call: str = "") -> Scenario:
    (folder / "raw.sip").write_bytes(RAW)
    (folder / "huge.sip").write_bytes(HUGE)
    return load_text(TEXT.format(desk=desk, call=call), str(folder / "p.sip.yaml"))


def moves(ladder: str) -> list[tuple[str, str]]:
    words = ladder.split()
    return list(zip(words[::2], words[1::2], strict=True))


class Far:
    """The raw side of one call, or of requests without one."""

    def __init__(self, here: Stage, socket: Peer, agent: str) -> None:
        self.here = here
        self.socket = socket
        self.agent = agent
        self.invites = 0
        self.seq = 0

    async def ask(self, method: str) -> None:
        """Send a request as it has to be at this point."""
        if method not in ("ACK", "CANCEL"):
            self.seq += 1
        self.invites += method == "INVITE"
        said = [m for m in map(parse, (e.data for e in self.here.messages(self.agent))) if m.code >= 101]
        final = next((m for m in reversed(said) if m.cseq[1] == "INVITE" and m.code >= 200), None)
        hop = method in ("INVITE", "CANCEL") or (method == "ACK" and final is not None and final.code >= 300)
        tag = (said[-1] if final is None else final).to_tag if said and method != "CANCEL" else ""
        headers = [("RAck", f"{said[-1].get('rseq')} 1 INVITE")] if method == "PRACK" else []
        self.socket.ask(
            self.here.agents[0].local, method, *headers, branch=f"z9hG4bKi{self.invites}" if hop else "", to_tag=tag,
            seq=self.seq, call_id=f"call-{self.invites}" if not tag else self._call_of(said),
        )  # fmt: skip

    def _call_of(self, said: list[Message]) -> str:
        return said[-1].call_id

    async def answer(self, code: int, asked: Message) -> None:
        headers = [("Require", "100rel"), ("RSeq", "1")] if code == 183 else []
        self.socket.answer(asked, code, ("Contact", f"<sip:peer@127.0.0.1:{self.socket.address[1]}>"), *headers)


async def follow(here: Stage, far: Far, agent: str, ladder: str) -> None:
    """Go through the ladder of an agent; up to its end nothing else may have come."""
    asked: dict[str, Message] = {}
    lines: list[str] = []
    for way, what in moves(ladder):
        if way == ">":
            lines.append(f"{agent} sends {what}")
            await here.until(lambda: plain(here, agent).count(lines[-1]) >= lines.count(lines[-1]))
            if what.isalpha() and agent == "alice" and what != "ACK":
                asked[what] = await far.socket.find(what)
        else:
            lines.append(f"{agent} gets {what}")
            if what.isalpha():
                await far.ask(what)
            else:
                last = "INVITE" if what == "487" else list(asked)[-1]
                await far.answer(int(what), asked[last])
            await here.until(lambda: plain(here, agent).count(lines[-1]) >= lines.count(lines[-1]))
    assert sorted(plain(here, agent)[: len(lines)]) == sorted(lines)


def plain(here: Stage, agent: str) -> list[str]:
    """The ladder without the methods that responses are to."""
    return [line.partition(" to ")[0] for line in here.ladder(agent)]


@pytest.mark.parametrize("name", DEVICE)
@on_loop
async def test_device(name: str, tmp_path: Path) -> None:
    text, ladder = DEVICE[name]
    device = scenario(tmp_path, text).devices[0]
    assignment = Assignment(
        "desk", "device", User("desk", "x.test"), f"{TOKEN}desk", ("127.0.0.1", 9), TOKEN, device.script
    )
    async with stage() as here, peer() as socket:
        here.relays["desk gets PRACK"] = "desk gets PRACK"
        await here.add(assignment, FAST).start()
        await follow(here, Far(here, socket, "desk"), "desk", ladder)
        if name == "exact bytes":
            await here.until(lambda: any(isinstance(e, Malformed) for e in here.entries))
        if name in ("another port", "another address"):
            host, number = here.entry("desk sends 486").local
            assert number != here.agents[0].local[1]
            assert (host == here.agents[0].local[0]) is (name == "another port")


@pytest.mark.parametrize("name", CALLER)
@on_loop
async def test_caller(name: str, tmp_path: Path) -> None:
    text, ladder, headers = (*CALLER[name], ())[:3]
    call = scenario(tmp_path, call=text).calls[0]
    async with stage() as here, peer() as socket:
        alice = here.caller(socket.address, timers=FAST)
        await alice.start()
        alice.call(call, "sip:bob@x.test")
        await follow(here, Far(here, socket, "alice"), "alice", ladder)
        first = here.messages("alice")[0].data.decode()
        assert [header for header in headers if f"{header}\r\n" not in first] == []
