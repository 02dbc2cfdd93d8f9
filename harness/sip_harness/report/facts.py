"""What a record says of its run besides messages: stacks, policy, exits, lateness of the harness, the system's log.

Each fact is a heading with lines that are safe to show; the terminal and the HTML report print the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sip_harness.model.entry import Exit, Header, Lag, Log, Malformed, Media, Note, Record
from sip_harness.model.policy import Policy
from sip_harness.model.result import Result
from sip_harness.report.chart import ending
from sip_harness.report.escape import clip, visible
from sip_harness.report.ladder import offset

MAX_LINES = 10
"""Lines of a log or of stderr that are shown, the last ones."""
MAX_STREAMS = 20
"""RTP streams that are shown, the first ones."""
_WIDTH = 300
_NOTES = ("refused", "unsent", "engine", "limit", "cut", "strays")
_ALARM = re.compile(r"\b(error|err|warn|warning|crit|critical|alert|emerg|bug|panic|fatal)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fact:
    """One heading with its lines."""

    name: str
    lines: tuple[str, ...]


def of_run(result: Result) -> list[Fact]:
    """How the run was set up: stacks with the reason for each, the policy, faults that were on, versions."""
    if result.record is None:
        return []
    header = result.record.header
    facts = [
        Fact("stacks", tuple(_stacks(header))),
        Fact("policy", (policy(header.policy),)),
        Fact("faults", (visible(", ".join(header.faults)),) if header.faults else ()),
        Fact("tries", (_tries(result.tries),) if result.tries > 1 else ()),
        Fact("versions", (visible(", ".join(f"{k} {v}" for k, v in sorted(header.versions.items()))),)),
    ]
    return [f for f in facts if any(f.lines)]


def of_trouble(result: Result, start: int) -> list[Fact]:
    """What went wrong beside the messages; times are offsets from `start` (nanoseconds since the epoch)."""
    if (record := result.record) is None:
        return []
    facts = [
        *_exits(record, start),
        Fact("notes", tuple(_notes(record, start))),
        Fact("lag", tuple(_lags(record, start))),
        Fact("no SIP", tuple(_malformed(record, start))),
        Fact("log", tuple(_log(record, start))),
    ]
    return [f for f in facts if f.lines]


def of_media(result: Result, start: int) -> list[Fact]:
    """The RTP streams of the run, a line for each; times are offsets from `start` (nanoseconds since the epoch)."""
    if (record := result.record) is None:
        return []
    latest: dict[tuple[object, ...], Media] = {}
    for entry in record.entries:
        if isinstance(entry, Media):  # its begin, then its end
            latest[entry.agent, entry.direction, entry.local, entry.remote, entry.ssrc, entry.first] = entry
    lines = [_stream(entry, start) for entry in list(latest.values())[:MAX_STREAMS]]
    if (more := len(latest) - MAX_STREAMS) > 0:
        lines.append(f"… {more} more streams")
    return [Fact("media", tuple(lines))] if lines else []


def _stream(entry: Media, start: int) -> str:
    """`12.3 ms: alice hears a tone of 127.0.0.1:4000 (desk-tag) for 0.30 s: 16 packets, 0 lost, type 0`."""
    verb = "plays" if entry.direction == "sent" else "hears"
    sound = {"tone": "a tone", "silence": "silence"}.get(entry.level, "RTP")
    way = "to" if entry.direction == "sent" else "of"
    types = ",".join(map(str, entry.payload_types))
    tag = f" (tag {entry.remote_tag})" if entry.remote_tag else ""
    seconds = f"{(entry.last - entry.first) / 1e9:.2f} s" if entry.ended else "an unknown time"
    return _short(
        f"{offset(entry.first, start).strip()}: {entry.agent} {verb} {sound} {way} {entry.remote[0]}:{entry.remote[1]}"
        f"{tag} for {seconds}: {entry.packets} packets, {entry.lost} lost, payload type {types}, SSRC {entry.ssrc:08x}"
    )


def policy(of: Policy) -> str:
    """A policy in one line."""
    timers = [f"{visible(n)} {t.seconds:g} s (-{t.early:g} +{t.late:g})" for n, t in sorted(of.timers.items())]
    next_one = [] if of.failover is None else [f"next carrier after {' '.join(map(str, of.failover)) or 'none'}"]
    return ", ".join([f"prompt {of.prompt:g} s", f"settle {of.settle:g} s", *timers, *next_one])


def _stacks(header: Header) -> Iterator[str]:
    width = max((len(r.name) for r in header.roles), default=0)
    for role in header.roles:
        partial = "; trace partial" if role.trace == "partial" else ""
        yield visible(f"{role.name:{width}}  {role.stack:6}  {role.why}{partial}")


def _exits(record: Record, start: int) -> Iterator[Fact]:
    for entry in record.entries:
        if isinstance(entry, Exit):
            who = f"worker of {entry.agent}" if entry.agent else "system"
            what = f"{offset(entry.time, start).strip()}: the {who} ended: {ending(entry.status)}"
            yield Fact("exit", (visible(what), *(f"  {_short(line)}" for line in entry.stderr[-MAX_LINES:])))


def _notes(record: Record, start: int) -> Iterator[str]:
    for entry in record.entries:
        if isinstance(entry, Note) and entry.kind in _NOTES:
            who = f"{entry.agent}: " if entry.agent else ""
            data = "".join(f"; {k}: {v}" for k, v in entry.data.items())
            yield _short(f"{offset(entry.time, start).strip()}: {who}{entry.text}{data}")


def _tries(number: int) -> str:
    return f"{number}: this machine stood still in the run{'s' if number > 2 else ''} before and left it undecided"


def _lags(record: Record, start: int) -> Iterator[str]:
    lags = [e for e in record.entries if isinstance(e, Lag) and e.time >= record.header.started]
    if not lags:
        return
    worst = max(lags, key=lambda e: e.lag)
    where = f" in {visible(worst.agent)}" if worst.agent else ""
    at = offset(worst.time, start).strip()
    yield f"this machine stood still {_times(len(lags))}, at most {worst.lag / 1e6:.1f} ms{where} (until {at})"


def _malformed(record: Record, start: int) -> Iterator[str]:
    entries = [e for e in record.entries if isinstance(e, Malformed)]
    for entry in entries[:MAX_LINES]:
        peer = f"{entry.remote[0]}:{entry.remote[1]}"
        how = f"got from {peer}" if entry.direction == "received" else f"sent to {peer}"
        yield _short(f"{offset(entry.time, start).strip()}: {entry.agent} {how}: {entry.why}")


def _log(record: Record, start: int) -> Iterator[str]:
    """The last lines that speak of trouble or of this run, or else simply the last ones."""
    logs = [e for e in record.entries if isinstance(e, Log)]
    token = record.header.token
    telling = [e for e in logs if _ALARM.search(e.text) or token in e.text]
    for entry in (telling or logs)[-MAX_LINES:]:
        yield f"{offset(entry.time, start).strip()}: {_short(entry.text.strip())}"


def _short(text: str) -> str:
    return clip(visible(text[: 2 * _WIDTH]), _WIDTH)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def table(facts: Sequence[Fact]) -> Iterator[str]:
    """Facts as lines of text, headings in a column of their own."""
    width = max((len(f.name) for f in facts), default=0)
    for fact in facts:
        for i, line in enumerate(fact.lines):
            yield f"{fact.name if not i else '':{width}}  {line}"
