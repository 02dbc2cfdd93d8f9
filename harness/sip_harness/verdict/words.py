"""What the judge says, in sentences that a VoIP engineer understands at once."""

from __future__ import annotations

from collections.abc import Iterable

from sip_harness.model.entry import Exit, Note, Record
from sip_harness.model.pattern import Event, RequestPattern
from sip_harness.model.wanted import Expected, Order, Sequence
from sip_harness.verdict.causes import Cause
from sip_harness.verdict.order import Follows, Span
from sip_harness.verdict.traffic import Item


def duration(nanoseconds: int) -> str:
    """A measured time: `2.90 s`, `312 ms`, `0.4 ms`."""
    if abs(nanoseconds) >= 1_000_000_000:
        return f"{nanoseconds / 1e9:.2f} s"
    milliseconds = nanoseconds / 1e6
    return f"{milliseconds:.0f} ms" if abs(milliseconds) >= 10 else f"{milliseconds:.1f} ms"


def one_of(methods: Iterable[str]) -> str:
    """Any of these requests: `an INVITE`, `an INVITE or a MESSAGE`."""
    return " or ".join(f"{'an' if method[0] in 'AEIOU' else 'a'} {method}" for method in methods)


def missing(agent: str, expected: Expected, cause: Cause | None, prompt: str, begin: int) -> str:
    """A message that never came."""
    if cause is None:
        return f"{agent} never got {expected.pattern}{_from(expected)}"
    rang_on = " It was left ringing." if _is_cancel(expected) else ""
    return (
        f"{agent} never got {expected.pattern}, although {cause} at {duration(cause.time - begin)}; "
        f"it was due within {prompt} of that.{rang_on}"
    )


def either(said: str, others: list[str]) -> str:
    """What was said of a message that never came, and what could not come without it."""
    if not others:
        return said
    *most, last = others
    return f"{said.removesuffix('.')}; so {' and '.join(filter(None, (', '.join(most), last)))} did not come either."


def late(agent: str, item: Item, cause: Cause, lateness: int, prompt: str) -> str:
    """A message that came, but not promptly."""
    rang_on = f" Until then {agent} was left ringing." if item.seen.sip.method == "CANCEL" else ""
    return f"{item.seen.name} reached {agent} {duration(lateness)} after {cause}; it was due within {prompt}.{rang_on}"


def starved(agent: str, item: Item, cause: Cause, lateness: int) -> str:
    """Lateness for which the machine may be to blame."""
    return (
        f"{item.seen.name} reached {agent} {duration(lateness)} after {cause}, but this machine itself stood still in "
        "that time, so the system cannot be blamed"
    )


def overslept(longest: int, shortest: float) -> str:
    """Why nothing of a run can be held against the system."""
    return (
        f"but this machine itself stood still for {duration(longest)}, and the system's shortest timer is "
        f"{shortest:g}s: it may have fired too early for what was under way"
    )


def unasked(agent: str, item: Item, described: str, cause: Cause | None, begin: int) -> str:
    """A final response or request that nobody expected."""
    return f"{agent} also got {described}{_when(item, cause, begin)}"


def instead(agent: str, described: str, item: Item, cause: Cause | None, begin: int) -> str:
    """One message in place of another."""
    return f"{agent} got {described}{_when(item, cause, begin)}"


def reached(agent: str, item: Item, cause: Cause | None, begin: int) -> str:
    """A message at an agent that no call may reach."""
    return f"{agent} got {item.seen.name}{_when(item, cause, begin)}"


def closed(wanted: Sequence, subject: str) -> str:
    """What a sequence allows."""
    return f"{subject}: nothing but {', '.join(map(str, wanted.items)) or 'silence'}"


def order(wanted: Order) -> str:
    """The order that was asked for."""
    return "order: " + ", ".join(map(str, wanted.events))


def disorder(before: Event, after: Event, first: Span, second: Span, result: Follows) -> str:
    """Two events the wrong way round, or too close to tell."""
    if result is Follows.NO:
        return f"{after} came {duration(first.earliest - second.latest)} before {before}"
    apart = duration(second.earliest - first.earliest)
    sending = duration(first.latest - first.earliest)
    return f"{before} and {after} are too close to tell which came first: {apart} apart, where sending took {sending}"


def unattributed(item: Item) -> str:
    """A message that belongs to nobody."""
    remote = ":".join(map(str, item.seen.entry.remote))
    return (
        f"{item.seen.agent} got {item.seen.name} from {remote} that carries no name of this run "
        f"(Call-ID {item.seen.sip.call_id!r}): it could belong to anybody"
    )


def unfinished(note: Note) -> str:
    """A run that its deadline ended."""
    return f"{note.text}; still open: {note.data['open']}" if "open" in note.data else note.text


def exited(entry: Exit) -> str:
    """A process that died in the middle."""
    who = f"the worker of {entry.agent}" if entry.agent else "the system"
    ended = f"was ended by signal {-entry.status}" if entry.status < 0 else f"exited with status {entry.status}"
    last = f"; its last words: {' | '.join(entry.stderr[-3:])}" if entry.stderr else ""
    return f"{who} {ended}{last}"


def engine(item: Item, record: Record) -> str:
    """A response that no script asked for."""
    notes = (e for e in record.entries if isinstance(e, Note) and e.kind == "engine" and e.agent == item.seen.agent)
    why = "; ".join(dict.fromkeys(e.text for e in notes))
    return f"{item.seen.agent}'s own stack sent {item.seen.name}, which no script asked for{f': {why}' if why else ''}"


def _is_cancel(expected: Expected) -> bool:
    return isinstance(expected.pattern, RequestPattern) and expected.pattern.method == "CANCEL"


def _from(expected: Expected) -> str:
    return f" from {expected.source}" if expected.source else ""


def _when(item: Item, cause: Cause | None, begin: int) -> str:
    if cause is None:
        return f", {duration(item.time - begin)} into the run"
    # The cause may have been on its way a little later than its record says; here the plain difference reads best.
    return f", {duration(item.time - cause.item.time)} after {cause}"
