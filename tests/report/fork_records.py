"""Records as runs write them: alice calls bob through a proxy, which rings his desk phone and his mobile."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sip_harness.model.entry import (
    Address,
    Direction,
    Entry,
    Exit,
    Header,
    Lag,
    Log,
    Message,
    Note,
    Origin,
    Record,
    Role,
)
from sip_harness.model.pattern import RequestPattern, ResponsePattern
from sip_harness.model.place import Place
from sip_harness.model.policy import Policy, Timer
from sip_harness.model.result import Result
from sip_harness.model.scenario import Call, Device, Scenario, Target
from sip_harness.model.script import Script
from sip_harness.model.verdict import Finding, Outcome, Verdict
from sip_harness.model.wanted import Expected, Sequence
from sip_harness.sip.message import build

START = 1_790_000_000_000_000_000
PROXY: Address = ("127.0.0.1", 5060)
FILE = "scenarios/forking/busy-everywhere.sip.yaml"
SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
SOURCE = """\
title: A phone that is busy everywhere stops the other phones
id: FK-01
cite: RFC 3261 16.7 step 5
targets: {bob: {ring: [desk, mobile]}}

devices:
  desk:   {answer: [ringing, after: mobile sends 180, wait 100ms, busy-everywhere]}
  mobile: {answer: [ringing]}

calls:
  - {from: alice, to: bob}

expect:
  alice:  [600 from desk]
  desk:   [INVITE, ACK to 600]
  mobile: [INVITE, CANCEL, ACK to 487]
"""


def source(_file: str) -> list[str]:
    return SOURCE.splitlines()


@dataclass
class Wire:
    """Collects entries; times are milliseconds after START."""

    header: Header
    entries: list[Entry] = field(default_factory=list)

    def port(self, agent: str) -> Address:
        names = [r.name for r in self.header.roles]
        return "127.0.0.1", 42000 + (names.index(agent) if agent in names else 99)

    def message(
        self,
        ms: float,
        agent: str,
        direction: Direction,
        data: bytes,
        remote: Address = PROXY,
        origin: Origin = "system",
    ) -> Message:
        made = Message(START + round(ms * 1e6), 0, agent, direction, self.port(agent), remote, data, origin)
        self.entries.append(made)
        return made

    def request(self, ms: float, agent: str, direction: Direction, method: str, **how: object) -> Message:
        """`leg` names the transaction, `to_tag` puts it into a dialog, `number` is its CSeq, `sdp` gives it a body."""
        leg = str(how.get("leg", agent))
        data = build(f"{method} sip:bob@127.0.0.1 SIP/2.0", _headers(leg, method, how), SDP if how.get("sdp") else b"")
        return self.message(ms, agent, direction, data, **_rest(how))  # type: ignore[arg-type]

    def response(self, ms: float, agent: str, direction: Direction, line: str, **how: object) -> Message:
        """`method` is that of the request that it answers."""
        leg, method = str(how.get("leg", agent)), str(how.get("method", "INVITE"))
        how = {"to_tag": "" if line.startswith("100") else f"to-{leg}", **how}
        data = build(f"SIP/2.0 {line}", _headers(leg, method, how), SDP if how.get("sdp") else b"")
        return self.message(ms, agent, direction, data, **_rest(how))  # type: ignore[arg-type]

    def record(self) -> Record:
        return Record(self.header, tuple(sorted(self.entries, key=lambda e: e.time)))


def _rest(how: dict[str, object]) -> dict[str, object]:
    return {k: how[k] for k in ("remote", "origin") if k in how}


def _headers(leg: str, method: str, how: dict[str, object]) -> list[tuple[str, str]]:
    to_tag, number = how.get("to_tag", ""), how.get("number", 1)
    headers = [
        ("Via", f"SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-{leg}-{number}"),
        ("From", "<sip:alice@test.invalid>;tag=from-alice"),
        ("To", f"<sip:bob@test.invalid>{f';tag={to_tag}' if to_tag else ''}"),
        ("Call-ID", str(how.get("call_id", "hx7-1@test.invalid"))),
        ("CSeq", f"{number} {method}"),
    ]
    return [*headers, ("Content-Type", "application/sdp")] if how.get("sdp") else headers


def header(**changes: object) -> Header:
    roles = (
        Role("alice", "caller", "wire", "a caller sees all that comes", "hx7a", "sip:hx7a@test.invalid"),
        Role("desk", "device", "pjsua2", "the stack carries its script out", "hx7d", "sip:hx7b@test.invalid", "full"),
        Role("mobile", "device", "wire", "asked for by --stack", "hx7m", "sip:hx7b@test.invalid"),
    )
    base = Header(
        "FK-01", "A phone that is busy everywhere stops the other phones", FILE, "kamailio", "proxy", PROXY,
        Policy(0.4, 0.2, {"ring": Timer(3), "transaction": Timer(2)}), "h", 7, roles,
        versions={"kamailio": "5.6.3", "sip-harness": "0.1.0"}, started=START, uncertainty=50_000,
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


def fork(
    cancel: float | None = 106.4, answer: str = "600 Busy Everywhere", forwarded: str = "", **changes: object
) -> Wire:
    """Both phones ring, the desk phone answers 600 after 105 ms, the mobile is cancelled at `cancel` (None: never)."""
    wire = Wire(header())
    for ms, phone in ((-30, "desk"), (-28, "mobile")):
        wire.request(ms, phone, "sent", "REGISTER", call_id=f"reg-{phone}", origin="protocol")
        wire.response(ms + 0.5, phone, "received", "200 OK", call_id=f"reg-{phone}", method="REGISTER")
    wire.request(0, "alice", "sent", "INVITE", origin="script", sdp=True)
    wire.response(0.4, "alice", "received", "100 Trying")
    for ms, phone in ((1.1, "desk"), (1.2, "mobile")):
        wire.request(ms, phone, "received", "INVITE", sdp=True)
        wire.response(ms + 0.2, phone, "sent", "100 Trying", origin="protocol")
        wire.response(ms + 2, phone, "sent", "180 Ringing", origin="script")
        wire.response(ms + 2.4, "alice", "received", "180 Ringing", to_tag=f"to-{phone}")
    wire.response(105.2, "desk", "sent", answer, origin="script")
    wire.request(105.9, "desk", "received", "ACK", to_tag="to-desk")
    wire.response(106.1, "alice", "received", forwarded or answer, to_tag="to-desk")
    wire.request(106.3, "alice", "sent", "ACK", to_tag="to-desk", origin="protocol")
    if cancel is not None:
        _cancelled(wire, cancel)
    wire.entries.append(Note(START + 4_000_000_000, "", "end", "complete"))
    return wire


def _cancelled(wire: Wire, ms: float) -> None:
    wire.request(ms, "mobile", "received", "CANCEL")
    wire.response(ms + 0.3, "mobile", "sent", "200 OK", method="CANCEL", origin="protocol")
    wire.response(ms + 0.5, "mobile", "sent", "487 Request Terminated", origin="protocol")
    wire.request(ms + 0.9, "mobile", "received", "ACK", to_tag="to-mobile")


def at(column: int, line: int = 16) -> Place:
    return Place(FILE, line, column)


def scenario(**changes: object) -> Scenario:
    expected = (Expected(RequestPattern("INVITE")), Expected(ResponsePattern(frozenset({600}))))
    base = Scenario(
        "FK-01", "A phone that is busy everywhere stops the other phones", ("RFC 3261 16.7 step 5",),
        (Target("bob", "ring", ("desk", "mobile")),), (Device("desk", Script(((),))), Device("mobile", Script(((),)))),
        (Call("", "alice", "bob"),), (Sequence("alice", expected),), place=Place(FILE, 1, 1), tags=("forking",),
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


def result(record: Record | None, *findings: Finding, **changes: object) -> Result:
    outcome = findings[0].outcome if findings else Outcome.PASS
    base = Result(scenario(), Verdict(outcome, findings), record, 4.2, 0, "kamailio")
    return replace(base, **changes)  # type: ignore[arg-type]


def good() -> Result:
    return result(fork().record())


def late() -> Result:
    """The CANCEL comes 2.9 s after the 600."""
    record = fork(cancel=3008.3).record()
    cancel = next(m for m in record.messages if m.data.startswith(b"CANCEL"))
    finding = Finding(
        Outcome.FAIL, "mobile: CANCEL",
        "CANCEL reached mobile 2.90 s after 600 from desk; "
        "it was due within 400ms. Until then mobile was left ringing.",
        "mobile", at(20), "RFC 3261 16.7 step 5", cancel,
    )  # fmt: skip
    return result(record, finding)


def missing() -> Result:
    """No CANCEL at all; the run's deadline ends it. The worker of the desk phone dies and the machine is late."""
    wire = fork(cancel=None)
    wire.entries += [
        Lag(START + 900_000_000, "alice", 120_000_000),
        Exit(START + 1_200_000_000, "desk", -6, ("pj_assert: Assertion `0' failed", "\x1b[31mcore dumped\x1b[0m")),
        Log(START + 1_000_000, "DEBUG: tm: nothing of interest"),
        Log(START + 106_000_000, "ERROR: tm [t_reply.c:1234]: no branch cancelled for hx7-1@test.invalid"),
        Note(
            START + 3_900_000_000,
            "",
            "limit",
            "the run was ended after 4 s",
            {"mobile": "INVITE without final response"},
        ),
    ]
    due = START + 505_200_000
    findings = (
        Finding(
            Outcome.FAIL, "mobile: CANCEL",
            "mobile never got CANCEL, although desk sent 600 at 105 ms; "
            "it was due within 400ms of that. It was left ringing.",
            "mobile", at(20), "RFC 3261 16.7 step 5", None, due,
        ),
        Finding(Outcome.FAIL, "mobile: ACK to 487", "mobile never got ACK to 487", "mobile", at(28), "RFC 3261 17.2.1"),
    )  # fmt: skip
    return result(wire.record(), *findings, record_file="out/FK-01.jsonl")


EVIL = "600 <script>alert(1)</script>\x1b[2J\x00\u202e&\"'"


def hostile() -> Result:
    """A device answers with markup, terminal escapes, NUL and a text direction override in its reason phrase."""
    record = fork(forwarded=EVIL).record()
    shown = next(m for m in record.messages if b"<script>" in m.data)
    seen = f"alice got {EVIL} instead"
    return result(
        record, Finding(Outcome.FAIL, "alice: 600 from desk", seen, "alice", at(12, 14), "RFC 3261 16.7", shown)
    )
