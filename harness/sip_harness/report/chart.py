"""What a ladder shows, before anybody draws it: lanes, arrows between them, and events that concern one agent.

Terminal and HTML ladders are drawings of the same chart, so they cannot tell different stories.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sip_harness.model.entry import Entry, Exit, Malformed, Message, Note, Record
from sip_harness.model.verdict import Finding, Outcome, Verdict
from sip_harness.record.merge import echoes
from sip_harness.record.seen import Reader, Seen
from sip_harness.report.escape import visible
from sip_harness.report.lanes import Lane, Lanes
from sip_harness.report.registers import uneventful
from sip_harness.sip.errors import SipError

Tone = Literal["request", "provisional", "success", "failure", "other"]
MARKS = {
    Outcome.FAIL: "✗", Outcome.ERROR: "✗", Outcome.WARN: "!", Outcome.DEVIATION: "~",
    Outcome.INCONCLUSIVE: "?", Outcome.BLOCKED: "?",
}  # fmt: skip
"""How a ladder marks what a finding is about."""
_EVENTS = {"limit", "cut", "engine", "refused"}


@dataclass(frozen=True, slots=True)
class Arrow:
    """One message, with its retransmissions; or one that is missing."""

    time: int
    tail: int
    """Lane where it starts."""
    head: int
    """Lane where it ends."""
    label: str
    """Its name, safe to show."""
    detail: str = ""
    """What else is worth a word where there is room: `(SDP)`."""
    number: int | None = None
    """Index in the record's messages; None for one that is missing or was no SIP message."""
    times: tuple[int, ...] = ()
    """When it was seen, retransmissions included."""
    mark: str = ""
    missing: bool = False
    engine: bool = False
    """The agent's stack made it by itself."""
    tone: Tone = "other"
    register: bool = False
    """Part of a registration: its time counts, but times do not count from it."""

    @property
    def suffix(self) -> str:
        """What must not be lost from the label: the count and who made it."""
        count = f" x{len(self.times)}" if len(self.times) > 1 else ""
        return f"{count}{' [engine]' if self.engine else ''}"


@dataclass(frozen=True, slots=True)
class Event:
    """Something else that an agent or the run met."""

    time: int
    lane: int | None
    text: str
    mark: str = ""


Row = Arrow | Event


@dataclass(frozen=True, slots=True)
class Chart:
    """A whole ladder."""

    lanes: tuple[Lane, ...]
    rows: tuple[Row, ...]
    """In time order."""
    system: int
    """Lane of the system."""
    start: int
    """Time of the first message that is shown and no part of a registration; offsets count from here."""

    def gap(self, arrow: Arrow) -> int:
        """Which gap between lanes (0: first and second) is next to the agent of an arrow: where its label belongs."""
        low, high = sorted((arrow.tail, arrow.head))
        return low if high <= self.system else high - 1


def ending(status: int) -> str:
    """How a process ended, from its status as subprocess reports it: a negative one is a signal."""
    try:
        return signal.Signals(-status).name if status < 0 else f"status {status}"
    except ValueError:
        return f"signal {-status}"


def build(record: Record, verdict: Verdict | None = None) -> Chart:
    """The chart of a record; with a verdict, what its findings are about is marked and missing messages are added."""
    findings = verdict.findings if verdict else ()
    lanes = Lanes.of(record, tuple(f.agent for f in findings if f.agent))
    arrows = _arrows(record, lanes, findings)
    start = min((a.time for a in arrows if not a.register), default=record.header.started)
    rows: list[Row] = [*arrows, *_events(record.entries, lanes), *_missing(findings, lanes)]
    return Chart(lanes.all, tuple(sorted(rows, key=lambda row: row.time)), lanes.system, start)


def _arrows(record: Record, lanes: Lanes, findings: Sequence[Finding]) -> list[Arrow]:
    messages = record.messages
    doubled = echoes(messages)
    heard_by = {sent: messages[got].agent for got, sent in doubled.items()}
    marks = _marks(messages, doubled, findings)
    reader, seen = Reader(), list[tuple[int, Seen | Message]]()
    for number, message in enumerate(messages):
        if number not in doubled:
            seen.append((number, _read(reader, message)))
    hidden = uneventful([s for _, s in seen if isinstance(s, Seen)], record.entries, _concerned(findings))
    folded: dict[object, Arrow] = {}
    for number, one in seen:
        if isinstance(one, Seen) and one.entry in hidden:
            continue
        key = (one.retransmission_key, one.sip.body) if isinstance(one, Seen) else number
        first = folded.get(key) or _arrow(one, number, lanes, heard_by.get(number))
        time = one.time
        folded[key] = replace(first, times=(*first.times, time), mark=first.mark or marks.get(number, ""))
    return [*folded.values(), *(_malformed(e, lanes) for e in record.entries if isinstance(e, Malformed))]


def _read(reader: Reader, message: Message) -> Seen | Message:
    try:
        return reader.read(message)
    except SipError:
        return message  # a record from elsewhere may hold anything


def _arrow(one: Seen | Message, number: int, lanes: Lanes, heard_by: str | None) -> Arrow:
    message = one.entry if isinstance(one, Seen) else one
    agent = lanes.index(message.agent)
    other = lanes.index(heard_by) if heard_by else lanes.at(message.remote, message.agent)
    tail, head = (agent, other) if message.direction == "sent" else (other, agent)
    engine = message.origin == "engine"
    if isinstance(one, Message):
        return Arrow(one.time, tail, head, f"no SIP ({len(one.data)} bytes)", number=number, engine=engine)
    detail = " (SDP)" if (one.sip.get("content-type") or "").lower().startswith("application/sdp") else ""
    name, tone, register = visible(name_of(one)), tone_of(one), one.sip.cseq[1] == "REGISTER"
    return Arrow(one.time, tail, head, name, detail, number, engine=engine, tone=tone, register=register)


def name_of(one: Seen) -> str:
    """What a ladder calls a message; not yet safe to show."""
    return "re-INVITE" if one.sip.method == "INVITE" and one.sip.to_tag else one.name


def tone_of(one: Seen) -> Tone:
    """What kind of message it is, for its colour."""
    if one.sip.is_request:
        return "request"
    return "provisional" if one.sip.code < 200 else "success" if one.sip.code < 300 else "failure"


def _malformed(entry: Malformed, lanes: Lanes) -> Arrow:
    agent, other = lanes.index(entry.agent), lanes.at(entry.remote, entry.agent)
    start, end = (agent, other) if entry.direction == "sent" else (other, agent)
    return Arrow(entry.time, start, end, f"no SIP ({len(entry.data)} bytes)", times=(entry.time,))


def _marks(messages: Sequence[Message], doubled: dict[int, int], findings: Sequence[Finding]) -> dict[int, str]:
    """Marks by index of message, each where its arrow is: at the sending, if two agents recorded it."""
    found = {f.message: MARKS.get(f.outcome, "") for f in reversed(findings) if f.message is not None}
    return {doubled.get(i, i): found[m] for i, m in enumerate(messages) if m in found}


def _concerned(findings: Sequence[Finding]) -> set[Message]:
    return {f.message for f in findings if f.message is not None}


def _missing(findings: Sequence[Finding], lanes: Lanes) -> list[Arrow]:
    """A dashed arrow for each message that did not come, at the time when it was due."""
    arrows: dict[tuple[str, str, int], Arrow] = {}
    for finding in findings:
        if finding.missing_at is None or finding.message is not None or not finding.agent:
            continue
        agent, wanted = lanes.index(finding.agent), finding.expected.removeprefix(f"{finding.agent}: ")
        mark = MARKS.get(finding.outcome, "")
        label = f"{mark} {visible(wanted)} missing".strip()
        arrow = Arrow(finding.missing_at, lanes.system, agent, label, mark=mark, missing=True)
        arrows.setdefault((finding.agent, wanted, finding.missing_at), arrow)
    return list(arrows.values())


def _events(entries: Sequence[Entry], lanes: Lanes) -> list[Event]:
    events = []
    for entry in entries:
        if isinstance(entry, Exit):
            text = f"{entry.agent or 'the system'} ended: {ending(entry.status)}"
            lane = lanes.index(entry.agent) if entry.agent else lanes.system
            events.append(Event(entry.time, lane, visible(text), "✗"))
        elif isinstance(entry, Note) and entry.kind in _EVENTS:
            text = f"{entry.agent}: {entry.text}" if entry.agent else entry.text
            events.append(Event(entry.time, lanes.index(entry.agent) if entry.agent else None, visible(text)))
    return events
