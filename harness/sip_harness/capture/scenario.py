"""A captured call as a scenario file: everybody answers as they did, and what was seen is expected.

What the capture shows is not always what is right. The file says so, and what it leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sip_harness.capture.script import (
    LONGEST,
    Did,
    Times,
    device,
    expected,
    names_somebody,
    quoted,
    unfinished,
    visible,
)
from sip_harness.capture.story import Leg, Said, Story, is_met, shown
from sip_harness.model.entry import Address
from sip_harness.model.pattern import seconds
from sip_harness.sip.codes import lookup

_PHONES = ("desk", "mobile", "tablet", "softphone")
_CANCELLED = 487
_LONGEST_TITLE = 200
"""Characters that a title may have."""
_LONGEST_ID = 56
"""Characters of an id that is made from the name of a file."""
_PATIENCE = 10.0
"""Seconds after which a caller hangs up whom somebody else was to hang up before."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who is who: the names that the scenario gives."""

    legs: dict[str, tuple[Leg, ...]]
    """What was said with each device or carrier, by its name, in the order in which the system first tried them."""
    groups: tuple[tuple[str, ...], ...]
    """Who was tried at once, in turn."""
    carriers: bool
    caller: str = "alice"

    @property
    def target(self) -> str:
        """What is dialled."""
        return "pstn" if self.carriers else "bob"

    @property
    def shape(self) -> str:
        """The shape of the target in words."""
        names = [group[0] if len(group) == 1 else f"[{', '.join(group)}]" for group in self.groups]
        if self.carriers or len(self.groups) > 1:
            return f"{{hunt: [{', '.join(names)}]}}"
        return f"{{ring: [{', '.join(self.groups[0])}]}}"

    @property
    def needs(self) -> str:
        """What the system has to be able to do."""
        if self.carriers:
            asked = any(is_met(s, leg.said) for legs in self.legs.values() for leg in legs for s in leg.said)
            return "carriers, carrier-accounts" if asked else "carriers"
        return "ring" if len(self.groups) == 1 else "mixed" if any(len(g) > 1 for g in self.groups) else "hunt"


def cast(story: Story, *, phones: bool | None = None) -> Cast:
    """Give names to those who were called: `phones` says what they are; None: it is found out."""
    carriers = _are_carriers(story) if phones is None else not phones
    names: dict[Address, str] = {}
    for leg in story.tried:
        number = len(names)
        phone = _PHONES[number] if number < len(_PHONES) else f"phone-{number + 1}"
        names.setdefault(leg.peer, f"g{number + 1}" if carriers else phone)
    legs = {name: tuple(leg for leg in story.tried if leg.peer == peer) for peer, name in names.items()}
    groups: list[tuple[str, ...]] = []
    for group in story.groups:
        new = tuple(dict.fromkeys(names[leg.peer] for leg in group if not _among(names[leg.peer], groups)))
        if new and carriers:  # a list of carriers is a list: who was tried at once stands there in turn
            groups += [(name,) for name in new]
        elif new:
            groups.append(new)
    return Cast(legs, tuple(groups), carriers)


def _are_carriers(story: Story) -> bool:
    """Whether those who were called look like carriers: none of them has registered, they were tried in turn, and the
    next one only for want of service."""
    if any(len(group) > 1 for group in story.groups) or any(leg.peer in story.registered for leg in story.tried):
        return False
    finals = [[s.sip.code for s in leg.said if not s.by_system and s.is_final] for leg in story.tried[:-1]]
    return all(lookup(codes[-1]).failover == "yes" for codes in finals if codes)


def write(story: Story, named: Cast, *, identity: str, source: str, exact: bool = False, vague: str = "") -> str:
    """The scenario as text. `identity` is its id, `source` what it was made from, `vague` what of its times is not
    known."""
    times = Times(exact)
    did = {name: [device(a, times) for leg in legs for a in leg.attempts] for name, legs in named.legs.items()}
    call, left_out = _call(story, named, times)
    left_out += [f"{name}: {what}" for name, all_did in did.items() for one in all_did for what in one.left_out]
    left_out += _within(story) + _transports(story)
    lines = [
        *_remarks(story, named, source, times, left_out, vague),
        f"title: {quoted(_title(story, named))}",
        f"id: {quoted(identity)}",
        f"needs: [{named.needs}]",
        "tags: [captured]",
        f"targets: {{{named.target}: {named.shape}}}",
        f"{'carriers' if named.carriers else 'devices'}:",
        *(f"  {name}: {_agent(all_did)}" for name, all_did in did.items()),
        f"calls: [{call}]",
        "expect:",
        *_expectations(story, named),
    ]
    return "\n".join(lines) + "\n"


def identity_of(stem: str) -> str:
    """An id made from the name of a file."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", stem).strip("-.")[:_LONGEST_ID] or "captured"


def summary(story: Story, named: Cast) -> str:
    """What became of each that was tried, in words."""
    return ", ".join(f"{name} {fate(legs[-1])}" for name, legs in named.legs.items()) or "nobody is tried"


def who(story: Story, named: Cast) -> list[str]:
    """Whose address each name stands for, line by line. It belongs beside the scenario, not into it."""
    first = story.legs[0]
    node = first.invite.packet.target if first.incoming else first.invite.packet.source
    caller = (named.caller, shown(story.caller.peer) if story.caller else "not in the capture")
    rest = [(name, shown(legs[0].peer)) for name, legs in named.legs.items()]
    lines = [("the system", shown(node)), caller, *rest]
    width = max(len(name) for name, _ in lines)
    return [f"{name:{width}}  {address}" for name, address in lines]


def _among(name: str, groups: Sequence[tuple[str, ...]]) -> bool:
    return any(name in group for group in groups)


def _title(story: Story, named: Cast) -> str:
    title = f"As captured - {summary(story, named)}"
    return title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 3]}..."


def fate(leg: Leg) -> str:
    """What became of one that was tried, in words."""
    answers = [s.sip for s in leg.said if not s.by_system and s.answers]
    cancelled = any(s.by_system and s.sip.method == "CANCEL" for s in leg.said)
    if not answers:
        return "says nothing"
    last = answers[-1]
    if cancelled and last.code in (_CANCELLED, *range(100, 200)):
        return "is cancelled"
    phrase = "" if names_somebody(last.reason) else visible(last.reason)
    words = f"{last.code} {phrase}".strip()
    return f"answers {words}" if last.code >= 200 else f"says {words} and nothing more"


def _agent(all_did: Sequence[Did]) -> str:
    """A device or a carrier in flow style."""
    scripts = [f"[{', '.join(one.steps)}]" for one in all_did]
    same = all(script == scripts[0] for script in scripts)
    parts = [f"answer: {scripts[0]}" if same else f"answers: [{', '.join(scripts)}]"]
    on = {method: reaction for one in all_did for method, reaction in one.on.items()}
    if on:
        parts.append(f"on: {{{', '.join(f'{method}: {reaction}' for method, reaction in on.items())}}}")
    return f"{{{', '.join(parts)}}}"


def _call(story: Story, named: Cast, times: Times) -> tuple[str, list[str]]:
    """The call in flow style, and what of it is not repeated."""
    parts, left_out = [f"from: {named.caller}", f"to: {named.target}"], list[str]()
    if story.caller is None:
        if (given_up := _given_up(story)) is not None:
            parts.append(f"cancel: {_when(given_up, story.begin, named, times)}")
        left_out.append("the caller, who is not in the capture")
        return f"{{{', '.join(parts)}}}", left_out
    said = story.caller.said
    begin = [s for s in said if s.begins][-1].time
    cancel = next((s for s in said if not s.by_system and s.sip.method == "CANCEL"), None)
    answer = next((s for s in said if s.by_system and s.is_final and s.sip.code < 300), None)
    bye = next((s for s in said if not s.by_system and s.sip.method == "BYE"), None)
    if cancel is not None:
        parts.append(f"cancel: {_when(cancel.time, begin, named, times)}")
        left_out += ["the Reason of the CANCEL"] if cancel.sip.get("reason") else []
    if answer is not None and bye is not None and (pause := times.wait(bye.time - answer.time)):
        parts.append(f"hang up: {pause}")
    elif answer is not None and any(s.by_system and s.sip.method == "BYE" for s in said):
        parts.append(f"hang up: {seconds(_PATIENCE)}")  # the other side hangs up before
    return f"{{{', '.join(parts)}}}", left_out


def _when(time: int, begin: int, named: Cast, times: Times) -> str:
    """A time in words: after the last response of somebody before it, or else after the call was made."""
    before: dict[tuple[str, int], int] = {}
    for name, legs in named.legs.items():
        for one in (s for leg in legs for s in leg.said if _may_cause(s) and s.time < time):
            before.setdefault((name, one.sip.code), one.time)
    if not before:
        return times.wait(time - begin) or "20ms"
    (name, code), last = max(before.items(), key=lambda item: item[1])
    pause = times.wait(time - last)
    return f"{pause} after {name} sends {code}" if pause else f"after {name} sends {code}"


def _may_cause(said: Said) -> bool:
    """Whether a caller may wait for it: 100 says nothing, and 487 what the system itself has asked for."""
    return said.answers and said.sip.code not in (100, _CANCELLED)


def _given_up(story: Story) -> int | None:
    """When the caller gave up, nanoseconds since the epoch, if all that was open was cancelled at once and
    nobody had answered; None if that was not so."""
    cancels = [s.time for leg in story.tried for s in leg.said if s.by_system and s.sip.method == "CANCEL"]
    last = story.groups[-1]
    cancelled = all(any(s.sip.method == "CANCEL" for s in leg.said) for leg in last)
    decided = any(s.is_final and s.sip.code // 100 in (2, 6) for leg in story.tried for s in leg.said)
    return min(cancels) if cancels and cancelled and not decided else None


def _within(story: Story) -> list[str]:
    """Requests within the call beyond those that every call has."""
    usual = ("INVITE", "ACK", "CANCEL", "BYE")
    said = [s.sip for leg in story.legs for s in leg.said if s.sip.is_request]
    methods = [m.method for m in said if m.method not in usual]
    methods += ["re-INVITE" for m in said if m.method == "INVITE" and m.to_tag]
    return [f"requests within the call: {', '.join(dict.fromkeys(methods))}"] if methods else []


def _transports(story: Story) -> list[str]:
    """How it went, where that was not by UDP."""
    used = dict.fromkeys(s.packet.transport.upper() for leg in story.legs for s in leg.said)
    return [f"that it went by {' and '.join(used)}"] if set(used) != {"UDP"} else []


def _expectations(story: Story, named: Cast) -> list[str]:
    heard = _heard(story, named)
    lines = [f"  {named.caller}: [{', '.join(heard or _guessed(story))}]"]
    if not heard:
        lines[0] += "  # not in the capture: say what the caller has to hear"
    for name, legs in named.legs.items():
        got = [word for leg in legs for attempt in leg.attempts for word in expected(attempt)]
        lines.append(f"  {name}: [{', '.join(got)}]")
    return lines


def _heard(story: Story, named: Cast) -> list[str]:
    """The final responses that the caller got, challenges that it has met left out, and a BYE."""
    if story.caller is None:
        return []
    said = story.caller.said
    words = []
    for one in said:
        if one.by_system and one.is_final and not is_met(one, said):
            source = _source(one, named)
            words.append(f"{one.sip.code} from {source}" if source else str(one.sip.code))
        elif one.by_system and one.sip.method == "BYE":
            words.append("BYE")
    return words


def _guessed(story: Story) -> list[str]:
    """What the caller will have heard, as far as that can be said."""
    finals = [s.sip.code for leg in story.tried for s in leg.said if not s.by_system and s.is_final]
    return ["2xx"] if any(code < 300 for code in finals) else ["3xx or 4xx or 5xx or 6xx"]


def _source(one: Said, named: Cast) -> str:
    """Who had said so to the system; empty if nobody had, or several, of whom any could have been passed on, or if a
    proxy has made it out of what they said. A 487 is what cancelling comes to, whoever says it."""
    if one.sip.code == _CANCELLED:
        return ""
    said = {name: [s for leg in legs for s in leg.said if _says_the_same(s, one)] for name, legs in named.legs.items()}
    some = [name for name, found in said.items() if found]
    return some[0] if len(some) == 1 and any(_passed_on(s, one) for s in said[some[0]]) else ""


def _passed_on(said: Said, one: Said) -> bool:
    """Whether one may be the other: a proxy leaves its To tag (RFC 3261 16.7), a B2BUA has a call of its own."""
    return said.sip.call_id != one.sip.call_id or said.sip.to_tag == one.sip.to_tag


def _says_the_same(said: Said, one: Said) -> bool:
    return not said.by_system and said.is_final and said.sip.code == one.sip.code and said.time <= one.time


def _remarks(story: Story, named: Cast, source: str, times: Times, left_out: Sequence[str], vague: str) -> list[str]:
    """What stands above the scenario."""
    begun = datetime.fromtimestamp(story.begin // 1_000_000_000, UTC)
    day = f", {begun:%Y-%m-%d %H:%M:%S} UTC" if begun.year > 1970 else ""
    lines = [f"Made from {visible(source)}{day}. `expect` is what happened there: change it to what has to happen."]
    lines += [f"{name}: {_timetable(legs, timed=not vague)}" for name, legs in named.legs.items()]
    if vague:
        lines.append(f"How long it took is not known: {vague}. Put in the waits that matter.")
    if times.shortened:
        lines.append(f"Waits of more than {seconds(LONGEST)} are made {seconds(LONGEST)} (--exact-times keeps them).")
    if any(unfinished(attempt) for legs in named.legs.values() for leg in legs for attempt in leg.attempts):
        lines.append("The capture ends before the call does: what follows there is made up.")
    lines += [f"Not repeated: {what}." for what in dict.fromkeys(left_out)]
    return [f"# {line}" for line in lines]


def _timetable(legs: Sequence[Leg], *, timed: bool) -> str:
    """What came, and when, in words."""
    parts = []
    for leg in legs:
        for s in leg.said:
            cancelled = s.by_system and s.sip.method == "CANCEL"
            if cancelled or (not s.by_system and s.answers):
                what = "CANCEL" if cancelled else str(s.sip.code)
                after = seconds(round((s.time - leg.invite.time) / 1e9, 3))
                parts.append(f"{what} at {after}" if timed else what)
    return ", ".join(parts) or "nothing"
