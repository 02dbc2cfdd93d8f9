"""Records for tests, written as ladders.

    0.000 alice > INVITE          alice sends
    0.001 desk < INVITE           desk receives
    0.120 desk > 600
    0.125 alice < 600 from desk   the To-tag of a response is that of the device, or of the system

Times are seconds. Via branches, tags, CSeq and Call-IDs are made up as a proxy and its phones would.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sip_harness.language import load_text
from sip_harness.model.entry import Entry, Header, Message, Note, Record, Role
from sip_harness.model.policy import Kind, Policy, Timer
from sip_harness.model.scenario import Scenario
from sip_harness.model.verdict import Verdict
from sip_harness.sip.message import build
from sip_harness.verdict import judge

EPOCH = 1_790_000_000_000_000_000
SESSION = "qa7z"
TOKEN = f"{SESSION}x3"
LINE = re.compile(
    r"(?P<time>[\d.]+) (?P<agent>\w+) (?P<way>[<>]) (?P<what>[A-Z]+|\d{3})"
    r"(?: to (?P<to>\w+))?(?: from (?P<source>\w+))?"
    r"(?P<more>(?: \w+=\S+)*)$"
)
POLICY = Policy(0.4, 0.2, {"transaction": Timer(1.0), "ring": Timer(3.0)})
PORTS = {"system": 5060}


def scenario(devices: str, expect: str, more: str = "", calls: str = "[{from: alice, to: bob}]") -> Scenario:
    """A scenario with a ring target of these devices (`desk: {...}` lines) and these expectations."""
    names = ", ".join(line.split(":")[0] for line in devices.strip().splitlines())
    indented = "\n".join(f"  {line.strip()}" for line in devices.strip().splitlines())
    wanted = "\n".join(f"  {line.strip()}" for line in expect.strip().splitlines())
    text = (
        f"title: t\nid: T-1\ncite: RFC 3261 16.7 step 5\ntargets: {{bob: {{ring: [{names}]}}}}\n"
        f"devices:\n{indented}\ncalls: {calls}\n{more}\nexpect:\n{wanted}\n"
    )
    return load_text(text, "t.sip.yaml")


@dataclass
class Maker:
    """Turns lines into entries, keeping the state that real agents keep."""

    entries: list[Entry] = field(default_factory=list)
    branches: dict[tuple[str, str], str] = field(default_factory=dict)
    cseq: int = 1
    call: int = 1

    def line(self, text: str) -> None:
        match = LINE.match(text.strip())
        assert match, text
        more = dict(pair.split("=") for pair in match["more"].split())
        self.cseq, self.call = int(more.get("cseq", self.cseq)), int(more.get("call", self.call))
        sent = match["way"] == ">"
        agent, what = match["agent"], match["what"]
        at = EPOCH + round(float(match["time"]) * 1e9)
        data = self.message(agent, what, match["to"], match["source"], sent, more)
        origin = more.get("origin", "script" if sent else "system")
        slack = round(float(more.get("slack", "0")) * 1e9)
        direction = "sent" if sent else "received"
        local = "127.0.0.1", PORTS.setdefault(agent, 6000 + len(PORTS))
        addresses = local, ("127.0.0.1", int(more.get("remote", 5060)))
        transport = more.get("transport", "udp")
        self.entries.append(Message(at, slack, agent, direction, *addresses, data, origin, transport))

    def message(
        self, agent: str, what: str, to: str | None, source: str | None, sent: bool, more: dict[str, str]
    ) -> bytes:
        is_request = what.isalpha()
        method = what if is_request else (to or "INVITE")
        leg = agent if agent != "alice" else ""
        of_the_invite = method == "CANCEL" or (method == "ACK" and to and int(to) >= 300)
        transaction = "INVITE" if of_the_invite else method
        branch = self.branches.setdefault((f"{leg}{self.cseq}{self.call}", transaction), f"z9hG4bK{len(self.branches)}")
        branch = more.get("branch", branch)
        if is_request:
            tagged = source or (leg if method == "ACK" or (method == "BYE") else "")
        else:
            tagged = "" if what == "100" else (source or leg or "system")
        tag = f";tag={tagged}-{self.call}" if tagged else ""
        user = f"{leg}-{TOKEN}" if leg else f"bob-{TOKEN}"
        uri = more.get("uri", f"sip:{user}@127.0.0.1")
        start = f"{what} {uri} SIP/2.0" if is_request else f"SIP/2.0 {what} Phrase"
        headers = [
            ("Via", f"SIP/2.0/UDP 127.0.0.1;branch={branch}"),
            ("From", f"<sip:{more.get('caller', 'alice-' + TOKEN)}@h>;tag=a{self.call}"),
            ("To", f"<sip:{more.get('user', 'bob-' + TOKEN)}@h>{tag}"),
            ("Call-ID", more.get("callid", f"{TOKEN}-{self.call}")),
            ("CSeq", f"{self.cseq} {method}"),
        ]
        if "auth" in more:
            headers.append(("Proxy-Authorization", "Digest x"))
        return build(start, headers)


def record(ladder: str, *extra: Entry, kind: Kind = "proxy", uncertainty: int = 50_000, ended: bool = True) -> Record:
    """The record that a ladder describes; `extra` entries are put in by their time."""
    maker = Maker()
    for text in ladder.strip().splitlines():
        if text.strip():
            maker.line(text.split("#")[0])
    agents = dict.fromkeys(e.agent for e in maker.entries if isinstance(e, Message))
    roles = tuple(
        Role(a, "caller" if a == "alice" else "device", "wire", "", f"{a}-{TOKEN}", f"sip:{a}@h") for a in agents
    )
    entries = sorted([*maker.entries, *extra], key=lambda e: e.time)
    if ended:
        entries.append(Note(max(e.time for e in entries) + 200_000_000, "", "end", "", {"clock_step": "0"}))
    header = Header(
        "T-1", "t", "t.sip.yaml", "test", kind, ("127.0.0.1", 5060), POLICY, SESSION, 3, roles,
        started=EPOCH, uncertainty=uncertainty,
    )  # fmt: skip
    return Record(header, tuple(entries))


def verdict(of: Scenario, ladder: str, *extra: Entry, kind: Kind = "proxy") -> Verdict:
    """Judge a ladder."""
    return judge(of, record(ladder, *extra, kind=kind))


def at(seconds: float) -> int:
    """A time of a ladder as entries have it."""
    return EPOCH + round(seconds * 1e9)
