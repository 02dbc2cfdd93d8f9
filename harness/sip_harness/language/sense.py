"""Scenarios that can be read but make no sense: what no single part shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sip_harness.language import reaction_doc
from sip_harness.language.conduct import misplaced_before_answer, misplaced_in_call, misplaced_meanwhile
from sip_harness.language.diagnostics import quoted
from sip_harness.language.fields import Misfit
from sip_harness.language.leading import led_to
from sip_harness.language.schema import ScenarioDoc
from sip_harness.language.sent import impossible
from sip_harness.language.step_doc import StepDoc, located, steps_of
from sip_harness.language.waits import order_events
from sip_harness.model.steps import Disconnect, Request, Send, Step, Unregister

_Path = tuple[str | int, ...]
_TCP = "add 'transport: tcp'"


def senseless(document: ScenarioDoc) -> Iterator[Misfit]:
    """Everything in a readable scenario that its author cannot have meant."""
    yield from _assertions(document)
    yield from _idle(document)
    yield from _calls(document)
    yield from _called_callers(document)
    yield from _conduct(document)
    yield from _transports(document)
    yield from _registered(document)
    yield from impossible(document)


def _assertions(document: ScenarioDoc) -> Iterator[Misfit]:
    if not document.spoken_of and not document.order and document.rules is None:
        hint = "say under 'expect' what each agent gets, as 'alice: [486 from desk]'"
        yield Misfit("this scenario asserts nothing: it could never fail", hint, "expect", key=True)


def _idle(document: ScenarioDoc) -> Iterator[Misfit]:
    """Targets and devices that cannot take part.

    A device outside of every target is welcome if something is expected of it (`never`); without that it is a slip of
    the pen, and a silent one: the scenario would pass although the author thinks that this device was tried.
    """
    dialled = {call.to for call in document.calls} | led_to(document)
    for name, target in document.targets.items():
        registrars = document.watch is not None and set(map(str, target.members)) <= set(document.carriers)
        if name not in dialled and not registrars and (document.calls or document.watch):
            yield Misfit(f"no call dials {quoted(name)}", "drop this target or call it", "targets", str(name), key=True)
    members = {m for target in document.targets.values() for m in target.members}
    named = document.spoken_of | {event.agent for _, event in order_events(document)}
    for name in document.agents:
        if name not in members | named:
            hint = f"put it into a target, or expect '{name}: never', or drop it"
            message = f"{quoted(name)} is in no target and nothing is expected of it"
            yield Misfit(message, hint, document.section(name), str(name), key=True)


def _registered(document: ScenarioDoc) -> Iterator[Misfit]:
    """What only those can do who register with the system."""
    for name, carrier in document.carriers.items():
        if carrier.expires is not None:
            yield Misfit("a carrier does not register with the system", "", "carriers", str(name), "expires", key=True)
        for path, steps in carrier.lists:
            for index, step in enumerate(steps_of(steps)):
                if isinstance(step, Unregister):
                    where = ("carriers", str(name), *path, index)
                    yield Misfit("a carrier has not registered with the system", "", *where)


def _calls(document: ScenarioDoc) -> Iterator[Misfit]:
    seen: set[str] = set()
    for index, call in enumerate(document.calls):
        if call.name is not None and call.name in seen:
            yield Misfit(f"two calls are named {quoted(call.name)}", "", "calls", index, "name")
        seen.add(str(call.name))
    yield from _several_scripts(document)


def _several_scripts(document: ScenarioDoc) -> Iterator[Misfit]:
    """An agent has one way to react at a time: of calls that may overlap only one can bring another."""
    if not any(call.at is not None for call in document.calls):
        return
    callers = Counter(call.caller for call in document.calls)
    for index, call in enumerate(document.calls):
        key = next((key for key, said in (("on", call.on), ("lose", call.lose)) if said), "")
        if key and callers[call.caller] > 1:
            message = f"calls of {quoted(call.caller)} may overlap here: {quoted(key)} would be for all of them"
            yield Misfit(message, "let another caller make the other calls", "calls", index, key, key=True)


def _called_callers(document: ScenarioDoc) -> Iterator[Misfit]:
    for path, name, wanted in document.expected:
        if not isinstance(wanted, list) and name not in document.agents:
            message = f"{quoted(name)} makes calls: {quoted(str(wanted))} is for devices"
            yield Misfit(message, f"write what it gets, as '{name}: [486]'", *path)


def _conduct(document: ScenarioDoc) -> Iterator[Misfit]:
    """Steps of reactions and callers that cannot stand where they stand; answers have been looked at before."""
    for name, device in document.agents.items():
        for misfit in reaction_doc.misfits(device.on, caller=False):
            yield _below(misfit, document.section(name), str(name), "on")
    for index, call in enumerate(document.calls):
        for misfit in reaction_doc.misfits(call.on, caller=True):
            yield _below(misfit, "calls", index, "on")
        for key, steps, look in (
            ("meanwhile", call.meanwhile, misplaced_meanwhile),
            ("early", call.early, misplaced_before_answer),
            ("then", call.then, misplaced_in_call),
        ):
            if steps is not None and (wrong := look(steps_of(steps))):
                at, message, hint = wrong
                yield Misfit(message, hint, "calls", index, key, *([at] if at >= 0 else []))


def _below(misfit: Misfit, *path: str | int) -> Misfit:
    return Misfit(misfit.message, misfit.hint, *path, *misfit.path, key=misfit.key)


def _transports(document: ScenarioDoc) -> Iterator[Misfit]:
    """What needs a connection where there is none, and callers with two transports: an agent has one address."""
    for name, device in document.agents.items():
        section = document.section(name)
        lists = [*device.lists, *((("on", *path), one) for _, path, one in reaction_doc.lists_of(device.on))]
        if device.transport == "udp":
            yield from (_below(m, section, str(name)) for path, one in lists for m in _needs_connection(path, one))
    first: dict[str, str] = {}
    for index, call in enumerate(document.calls):
        lists = [((key,), getattr(call, key) or []) for key in ("meanwhile", "early", "then")]
        lists += [(("on", *path), one) for _, path, one in reaction_doc.lists_of(call.on)]
        if call.transport == "udp":
            if call.pieces:
                yield Misfit("'pieces' needs a connection, and udp has none", _TCP, "calls", index, "pieces")
            yield from (_below(m, "calls", index) for path, one in lists for m in _needs_connection(path, one))
        if (other := first.setdefault(call.caller, call.transport)) != call.transport:
            message = f"{quoted(call.caller)} calls over {other} before and over {call.transport} here"
            yield Misfit(message, "an agent has one transport; give all its calls the same", "calls", index)


def _needs_connection(path: _Path, steps: list[StepDoc]) -> Iterator[Misfit]:
    for below, step in located(steps):
        if key := _connected(step):
            message = f"{quoted(key)} needs a connection, and udp has none"
            yield Misfit(message, _TCP, *path, *below, *([key] if len(below) > 1 else []))


def _connected(step: Step) -> str:
    """The word of a step that needs a connection; empty if there is none."""
    if isinstance(step, Send | Request) and step.how.pieces:
        return "pieces"
    return "reset" if isinstance(step, Disconnect) and step.kind == "reset" else ""
