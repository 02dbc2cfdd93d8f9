"""What the agents of a scenario can send at all; what waits for anything else would wait until the run is ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sip_harness.language.diagnostics import quoted
from sip_harness.language.expect_doc import messages
from sip_harness.language.fields import Misfit
from sip_harness.language.schema import ScenarioDoc
from sip_harness.language.waits import events
from sip_harness.language.words import METHODS, RE_INVITE
from sip_harness.model.pattern import Pattern, RequestPattern
from sip_harness.model.script import Reaction, Script
from sip_harness.model.steps import Challenge, ForwardBack, Grant, NoTrying, Raw, Request, Send, Silence, Step

_BY_ITSELF = frozenset({"ACK", "BYE", "CANCEL", "NOTIFY", "PRACK", "REGISTER"})
"""Requests that a user agent sends without being told."""
_IN_A_CALL = frozenset({491, 500})
"""What it answers to a re-INVITE at the wrong moment (RFC 3261 14.2)."""


@dataclass
class Sent:
    """What one agent can send."""

    anything: bool = False
    """Whether bytes or a foreign CSeq make everything possible."""
    requests: set[str] = field(default_factory=set)
    scripted: dict[str, set[int]] = field(default_factory=dict)
    """Codes that its script has, by the method that they answer; methods that are answered by the stack are missing."""
    automatic: set[int] = field(default_factory=set)
    """Codes that the stack answers an INVITE with although no script has them."""

    def never(self, pattern: Pattern) -> str | None:
        """What it sends instead, in words, if it never sends this; None if it may."""
        if self.anything:
            return None
        if isinstance(pattern, RequestPattern):
            known = pattern.method in self.requests | _BY_ITSELF
            return None if known else "a request is sent by 'send: ...' or by the 'method' of a call"
        if pattern.method not in self.scripted:
            return None
        codes = self.scripted[pattern.method]
        if pattern.codes & (codes | (self.automatic if pattern.method == "INVITE" else set())):
            return None
        return f"it sends {', '.join(map(str, sorted(codes)))}" if codes else "it sends no response at all"


def impossible(document: ScenarioDoc) -> Iterator[Misfit]:
    """Events that never happen, and responses to requests that nobody sends."""
    yield from _unheard_of(document)
    sent = {str(name): _by_device(device.script) for name, device in document.agents.items()}
    callers = _by_callers(document)
    for path, event in events(document):
        agent = sent.get(event.agent) or callers.get(event.agent)
        if event.verb == "sends" and agent is not None and (instead := agent.never(event.pattern)) is not None:
            yield Misfit(f"{quoted(event.agent)} never sends {event.pattern}", instead, *path)
    for path, name, wanted in document.expected:
        for below, one in messages(wanted):
            if name in callers and (hint := _unasked(callers[name], one.pattern)):
                yield Misfit(f"{quoted(name)} sends no {one.pattern.method}", hint, *path, *below)


def _unheard_of(document: ScenarioDoc) -> Iterator[Misfit]:
    """Methods that nobody has registered are those that some agent sends: any other is a slip of the pen."""
    calls = [one.call(0) for one in document.calls]
    steps = [
        s for c in calls for s in (*c.meanwhile, *c.early, *c.then, *_reacting(c.script.reactions if c.script else ()))
    ]
    scripts = [device.script for device in document.agents.values()]
    steps += [s for script in scripts for s in (*(s for a in script.lists for s in a), *_reacting(script.reactions))]
    known = {*METHODS, *(call.method for call in calls), *_requests(steps)}
    if _may_be_anything(steps) or any(call.raw is not None for call in calls):
        return
    patterns = [(path, event.pattern) for path, event in events(document)]
    patterns += [((*p, *b), one.pattern) for p, _, w in document.expected for b, one in messages(w)]
    for path, pattern in patterns:
        if pattern.method not in known:
            hint = f"a call sends it with 'method: {pattern.method}'"
            yield Misfit(f"nobody sends {quoted(pattern.method)}", hint, *path)


def _by_device(script: Script) -> Sent:
    steps = [step for attempt in script.lists for step in attempt]
    everything = [*steps, *_reacting(script.reactions)]
    scripted = _scripted(script.reactions)
    answered = {code for step in steps for code in _codes(step)} | _to_invite(script.reactions)
    automatic = _automatic(script, any(200 <= code <= 299 for code in answered))
    scripted["INVITE"] = answered | scripted.get("INVITE", set())
    return Sent(_may_be_anything(everything), _requests(everything), scripted, automatic)


def _automatic(script: Script, answers: bool) -> set[int]:
    found = set() if all(map(_says_no_100, script.lists)) else {100}
    if script.reaction("CANCEL") is None:
        found.add(487)
    return found | _IN_A_CALL if answers and script.reaction(RE_INVITE) is None else found


def _by_callers(document: ScenarioDoc) -> dict[str, Sent]:
    found: dict[str, Sent] = {}
    for call in (one.call(0) for one in document.calls):
        reactions = call.script.reactions if call.script else ()
        steps = [*call.meanwhile, *call.early, *call.then, *_reacting(reactions)]
        scripted = _scripted(reactions)
        if "INVITE" in scripted:
            scripted["INVITE"] |= _to_invite(reactions)
        one = found.setdefault(call.caller, Sent(scripted=scripted, automatic={100, 487}))
        one.anything = one.anything or call.raw is not None or _may_be_anything(steps)
        one.requests |= {call.method} | _requests(steps)
        # What one call leaves to the stack is not known of the caller.
        one.scripted = {m: codes | scripted[m] for m, codes in one.scripted.items() if m in scripted}
    return found


def _unasked(caller: Sent, pattern: Pattern) -> str:
    """Advice if this response can only answer a request that the caller does not send; empty if all is well."""
    if isinstance(pattern, RequestPattern) or caller.anything or pattern.method in caller.requests | _BY_ITSELF:
        return ""
    if pattern.method != "INVITE":
        return f"a call sends it with 'then: [send: {pattern.method}]', or is one with 'method: {pattern.method}'"
    return f"write '{pattern} to {next(m for m in METHODS if m in caller.requests)}'"


def _scripted(reactions: Iterable[Reaction]) -> dict[str, set[int]]:
    """Codes by the method that they answer."""
    return {
        "INVITE" if one.method == RE_INVITE else one.method: {
            code for attempt in one.lists for step in attempt for code in _codes(step)
        }
        for one in reactions
    }


def _codes(step: Step) -> tuple[int, ...]:
    """Codes with which a step answers the request that it is about."""
    if isinstance(step, Grant):
        return (200, 423) if step.least else (200,)
    return (step.code,) if isinstance(step, Challenge) or (isinstance(step, Send) and not step.to) else ()


def _to_invite(reactions: Iterable[Reaction]) -> set[int]:
    return {step.code for step in _reacting(reactions) if isinstance(step, Send) and step.to == "INVITE"}


def _reacting(reactions: Iterable[Reaction]) -> Iterator[Step]:
    return (step for one in reactions for attempt in one.lists for step in attempt)


def _may_be_anything(steps: Iterable[Step]) -> bool:
    return any(
        isinstance(step, Raw | ForwardBack) or (isinstance(step, Send) and bool(step.how.cseq)) for step in steps
    )


def _requests(steps: Iterable[Step]) -> set[str]:
    return {step.method for step in steps if isinstance(step, Request)}


def _says_no_100(steps: tuple[Step, ...]) -> bool:
    first = next((step for step in steps if isinstance(step, (Send, Silence, NoTrying))), None)
    return isinstance(first, (Silence, NoTrying))
