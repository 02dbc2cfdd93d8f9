"""A captured call as a record, so that a scenario can judge what happened where no agent of ours was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sip_harness.capture.packets import BadCapture
from sip_harness.capture.scenario import fate
from sip_harness.capture.story import Leg, Node, Said, Story, shown, user_of
from sip_harness.model.entry import Entry, Header, Message, Note, Record, Role
from sip_harness.model.expecting import Heard
from sip_harness.model.policy import Kind, Policy
from sip_harness.model.scenario import Scenario
from sip_harness.sip.uri import uri_text

_SESSION = "captured"


def assign(story: Story, scenario: Scenario, given: Mapping[str, Node]) -> dict[str, tuple[Leg, ...]]:
    """Who of the scenario is whom in the capture, the caller among them: as `given` says, else group by group in the
    order in which they were tried.

    Raises BadCapture where that cannot be told, where the capture does not show the caller, and for a scenario that is
    not about one call, or about what could be heard.
    """
    if len(scenario.calls) != 1:
        raise BadCapture(f"{scenario.id} is about {len(scenario.calls)} calls; a capture is judged call by call")
    call = scenario.calls[0]
    if media := next((one for one in scenario.expectations if isinstance(one, Heard)), None):
        raise BadCapture(f"only the SIP messages in it are read: nothing can be said of `{media}`; leave that out")
    if story.caller is None:
        raise BadCapture(f"it does not show the caller, so that nothing can be said of {call.caller}")
    groups = next(target.steps for target in scenario.targets if target.name == call.target)
    known = {device.name for device in scenario.devices}
    if strangers := sorted(set(given) - known):
        raise BadCapture(f"{scenario.id} has no {', '.join(strangers)}; it has {', '.join(sorted(known))}")
    found = {name: tuple(leg for leg in story.tried if node.has(leg.peer)) for name, node in given.items()}
    left = [[leg for leg in group if not any(leg in legs for legs in found.values())] for group in story.groups]
    names = [[name for name in group if name not in found] for group in groups]
    for there, here in zip([group for group in left if group], [group for group in names if group], strict=False):
        if len(there) > 1 or len(here) > 1:
            raise BadCapture(_who(there, here))
        found[here[0]] = tuple(there)
    nobody = [leg for group in left for leg in group if not any(leg in legs for legs in found.values())]
    if nobody:
        raise BadCapture(_who(nobody, []))
    return {call.caller: (story.caller,), **found}


def _who(legs: Sequence[Leg], names: Sequence[str]) -> str:
    seen = "; ".join(f"{shown(leg.peer)} {fate(leg)}" for leg in legs)
    which = f"who of them is {' and who is '.join(names)}" if names else "none of the scenario's devices is left for it"
    example = f"{names[0] if names else 'NAME'}={shown(legs[0].peer)}"
    return f"{seen}: {which}? Say `--agent {example}`"


def record(
    story: Story,
    scenario: Scenario,
    cast: Mapping[str, Sequence[Leg]],
    *,
    system: str,
    policy: Policy,
    kind: Kind | None = None,
) -> Record:
    """The record of a call. Without a `kind` a system that keeps the Call-ID is a proxy, any other one a B2BUA."""
    caller = story.caller
    assert caller is not None
    keeps = all(leg.call_id == caller.call_id for leg in story.tried)
    first = caller.invite
    header = Header(
        scenario=scenario.id,
        title=scenario.title,
        source=scenario.place.file,
        system=system,
        kind=kind or ("proxy" if keeps else "b2bua"),
        address=first.packet.target,
        policy=policy,
        session=_SESSION,
        lease=1,
        roles=tuple(_role(name, legs, is_caller=name == scenario.calls[0].caller) for name, legs in cast.items()),
        started=first.time,
    )
    entries = sorted(_entries(story, scenario, cast), key=lambda entry: entry.time)
    return Record(header, (*entries, Note(max(e.time for e in entries), "", "end", "the capture ends")))


def _role(name: str, legs: Sequence[Leg], *, is_caller: bool) -> Role:
    """An agent as it is in the capture."""
    sip = legs[0].invite.sip if legs else None
    aor = uri_text(sip.get("from" if is_caller else "to") or "") if sip else ""
    return Role(name, "caller" if is_caller else "device", "wire", "captured", user_of(aor), aor)


def _entries(story: Story, scenario: Scenario, cast: Mapping[str, Sequence[Leg]]) -> Iterator[Entry]:
    call = scenario.calls[0]
    for call_id in dict.fromkeys(leg.call_id for leg in story.legs):
        yield Note(
            story.legs[0].invite.time, call.caller, "call", "in the capture", {"call": call.name, "call_id": call_id}
        )
    for name, legs in cast.items():
        for leg in legs:
            for one in leg.everything:
                yield _message(name, one)


def _message(name: str, one: Said) -> Message:
    """A message as the agent at the far end of it would have recorded it."""
    packet = one.packet
    here, there = packet.source, packet.target
    if one.by_system:
        return Message(packet.time, 0, name, "received", there, here, packet.data, "system", packet.transport)
    return Message(packet.time, 0, name, "sent", here, there, packet.data, "script", packet.transport)
