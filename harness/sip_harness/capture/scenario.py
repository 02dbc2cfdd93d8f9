"""A captured call as a scenario file: everybody answers as they did, and what was seen is expected.

What the capture shows is not always what is right. The file says so, and what it leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sip_harness.capture.caller import Around, Made, call, heard
from sip_harness.capture.cast import Cast, summary
from sip_harness.capture.exchanges import exchanges, moments
from sip_harness.capture.expected import of_device
from sip_harness.capture.items import Saying
from sip_harness.capture.reactions import on
from sip_harness.capture.remarks import remarks
from sip_harness.capture.script import Did, Scene, device
from sip_harness.capture.story import Story
from sip_harness.capture.timers import session_timers
from sip_harness.capture.wording import WIDEST, Part, Times, flow, laid_out, quoted

_LONGEST_TITLE = 200
"""Characters that a title may have."""
_LONGEST_ID = 56
"""Characters of an id that is made from the name of a file."""


def write(story: Story, named: Cast, *, identity: str, source: str, exact: bool = False, vague: str = "") -> str:
    """The scenario as text. `identity` is its id, `source` what it was made from, `vague` what of its times is not
    known."""
    times = Times(exact)
    sessions = session_timers(story)
    short = sessions.seen and not exact
    around = _around(story, named)
    decided = _decided(story)
    sayings = {name: Saying(short, named.target) for name in named.legs}
    did = {
        name: [
            device(attempt, times, sayings[name], Scene(around.moments[name], decided, around.end))
            for leg in legs
            for attempt in leg.attempts
        ]
        for name, legs in named.legs.items()
    }
    callers = Saying(short, named.target)
    made = call(story, named.caller, named.target, around, times, callers)
    left_out = callers.left_out + [f"{name}: {what}" for name, one in sayings.items() for what in one.left_out]
    left_out += _aside(story) + _transports(story)
    lines = [
        *remarks(story, named, source, times, left_out, vague),
        *(["# Sessions are made 2s, and so is what refreshes them (--exact-times keeps them)."] if short else []),
        f"title: {quoted(_title(story, named))}",
        f"id: {quoted(identity)}",
        f"needs: [{named.needs}{', session-timers' if sessions.at_work else ''}]",
        "tags: [captured]",
        f"targets: {{{named.target}: {named.shape}}}",
        f"{'carriers' if named.carriers else 'devices'}:",
        *(line for name, all_did in did.items() for line in _agent(name, all_did)),
        *_calls(made.parts),
        "expect:",
        *_expectations(story, named, around, made, did),
    ]
    return "\n".join(lines) + "\n"


def identity_of(stem: str) -> str:
    """An id made from the name of a file."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", stem).strip("-.")[:_LONGEST_ID] or "captured"


def _decided(story: Story) -> list[int]:
    """When the system went on: to whom it tried next, or to the caller with a final response."""
    finals = [s.time for s in story.caller.said if s.by_system and s.is_final] if story.caller is not None else []
    return sorted([*(leg.invite.time for leg in story.tried), *finals])


def _around(story: Story, named: Cast) -> Around:
    found = {}
    for name, legs in named.legs.items():
        said = sorted((s for leg in legs for s in leg.said), key=lambda s: s.time)
        found[name] = moments(name, said, exchanges(said))
    end = max(leg.everything[-1].time for leg in story.legs)
    return Around(named.legs, found, end)


def _title(story: Story, named: Cast) -> str:
    title = f"As captured - {summary(story, named)}"
    return title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 3]}..."


def _agent(name: str, all_did: Sequence[Did]) -> list[str]:
    """A device or a carrier."""
    scripts = [f"[{', '.join(one.steps)}]" for one in all_did]
    same = all(script == scripts[0] for script in scripts)
    parts: list[Part] = [("answer", all_did[0].steps) if same else ("answers", scripts)]
    if reaction := on(one for did in all_did for one in did.reactions):
        parts.append(("on", reaction))
    return laid_out(f"  {name}:", parts, 4)


def _calls(made: Sequence[Part]) -> list[str]:
    line = f"calls: [{flow(made)}]"
    return [line] if len(line) <= WIDEST else ["calls:", *laid_out("  -", made, 4)]


def _aside(story: Story) -> list[str]:
    """What of the call went past the system, or came from it alone."""
    found = []
    if story.past:
        found.append(f"what went past the system: {', '.join(sorted(story.past))}")
    if story.more:
        found.append(f"{story.more} more that were tried")
    if story.alone:
        found.append(f"{story.alone} call{'s' if story.alone > 1 else ''} that the system made by itself in that time")
    return found


def _transports(story: Story) -> list[str]:
    """How it went, where that was not by UDP."""
    used = dict.fromkeys(s.packet.transport.upper() for leg in story.legs for s in leg.said)
    return [f"that it went by {' and '.join(used)}"] if set(used) != {"UDP"} else []


def _expectations(story: Story, named: Cast, around: Around, made: Made, did: Mapping[str, Sequence[Did]]) -> list[str]:
    words_of = {named.caller: heard(story, around, made.sent)}
    for name, legs in named.legs.items():
        attempts = [attempt for leg in legs for attempt in leg.attempts]
        each = zip(attempts, did[name], strict=True)
        words_of[name] = [word for attempt, one in each for word in of_device(attempt, one.sent, story.past)]
    if not _somebody_asks(story):  # the system looks after its calls when it likes
        words_of = {name: [f"maybe {w}" if w == "OPTIONS" else w for w in words] for name, words in words_of.items()}
    got = words_of.pop(named.caller)
    lines = [f"  {named.caller}: [{', '.join(got or _guessed(story))}]"]
    if not got:
        lines[0] += "  # not in the capture: say what the caller has to hear"
    return lines + [f"  {name}: [{', '.join(words)}]" for name, words in words_of.items()]


def _somebody_asks(story: Story) -> bool:
    """Whether an agent, and not the system alone, sent OPTIONS within the call."""
    return any(s.is_request_within("OPTIONS") and not s.by_system for leg in story.legs for s in leg.said)


def _guessed(story: Story) -> list[str]:
    """What the caller will have heard, as far as that can be said."""
    finals = [s.sip.code for leg in story.tried for s in leg.said if not s.by_system and s.is_final]
    return ["2xx"] if any(code < 300 for code in finals) else ["3xx or 4xx or 5xx or 6xx"]
