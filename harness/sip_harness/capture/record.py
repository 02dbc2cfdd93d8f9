"""A captured call as a record, so that a scenario can judge what happened where no agent of ours was."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from sip_harness.capture.cast import fate
from sip_harness.capture.legs import Leg, Node, Said, shown, user_of
from sip_harness.capture.packets import BadCapture
from sip_harness.capture.story import Story
from sip_harness.model.entry import Entry, Header, Message, Note, Record, Role
from sip_harness.model.expecting import Heard
from sip_harness.model.policy import Kind, Policy
from sip_harness.model.scenario import Scenario
from sip_harness.sip.uri import uri_text
from sip_harness.sip.values import split_list

_SESSION = "captured"


def assign(
    story: Story, scenario: Scenario, given: Mapping[str, Node], hidden: Collection[str] = ()
) -> dict[str, tuple[Leg, ...]]:
    """Who of the scenario is whom in the capture, the caller among them if he is in it: as `given` says, else group by
    group in the order in which they were tried. Whoever is `hidden` is nobody in it.

    Raises BadCapture where that cannot be told, and for a scenario that is not about one call, or about what could be
    heard.
    """
    if len(scenario.calls) != 1:
        raise BadCapture(f"{scenario.id} is about {len(scenario.calls)} calls; a capture is judged call by call")
    call = scenario.calls[0]
    if media := next((one for one in scenario.expectations if isinstance(one, Heard)), None):
        raise BadCapture(f"only the SIP messages in it are read: nothing can be said of `{media}`; leave that out")
    groups = next(target.steps for target in scenario.targets if target.name == call.target)
    known = {device.name for device in scenario.devices}
    if strangers := sorted({*given, *hidden} - known):
        raise BadCapture(f"{scenario.id} has no {', '.join(strangers)}; it has {', '.join(sorted(known))}")
    found = {name: tuple(leg for leg in story.tried if node.has(leg.peer)) for name, node in given.items()}
    left = [[leg for leg in group if not any(leg in legs for legs in found.values())] for group in story.groups]
    names = [[name for name in group if name not in found and name not in hidden] for group in groups]
    tried, open_places = [group for group in left if group], [group for group in names if group]
    if story.caller is None and 0 < len(tried) < len(open_places):  # the first of them may have been called elsewhere
        raise BadCapture(_who([leg for group in tried for leg in group], [n for group in open_places for n in group]))
    for there, here in zip(tried, open_places, strict=False):
        if len(there) > 1 or len(here) > 1:
            raise BadCapture(_who(there, here))
        found[here[0]] = tuple(there)
    nobody = [leg for group in left for leg in group if not any(leg in legs for legs in found.values())]
    if nobody:
        raise BadCapture(_who(nobody, []))
    return {**({call.caller: (story.caller,)} if story.caller is not None else {}), **found}


def unseen(
    story: Story, scenario: Scenario, cast: Mapping[str, Sequence[Leg]], hidden: Collection[str] = ()
) -> frozenset[str]:
    """Who of the scenario is not in the capture. With the caller in it, whoever was not called was not called; without
    him it was taken at somebody else's, and whoever has no leg in it and no address may have been called elsewhere."""
    if story.caller is not None:
        return frozenset(hidden)
    absent = {device.name for device in scenario.devices if device.name not in cast}
    return frozenset({scenario.calls[0].caller, *hidden, *absent})


def _who(legs: Sequence[Leg], names: Sequence[str]) -> str:
    seen = "; ".join(f"{shown(leg.peer)} {fate(leg)}" for leg in legs)
    example = f"--agent {names[0] if names else 'NAME'}={shown(legs[0].peer)}"
    if not names:
        return f"{seen}: none of the scenario's devices is left for it? Say `{example}`"
    more = f", or `--unseen {names[0]}` if it is not in the capture" if len(names) > len(legs) else ""
    return f"{seen}: who of them is {' and who is '.join(names)}? Say `{example}`{more}"


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
    first = story.legs[0]
    system_at = first.invite.packet.target if first.incoming else first.invite.packet.source
    header = Header(
        scenario=scenario.id,
        title=scenario.title,
        source=scenario.place.file,
        system=system,
        kind=kind or ("proxy" if _is_proxy(story) else "b2bua"),
        address=system_at,
        policy=policy,
        session=_SESSION,
        lease=1,
        roles=tuple(_role(name, legs, is_caller=name == scenario.calls[0].caller) for name, legs in cast.items()),
        started=first.invite.time,
    )
    entries = sorted(_entries(story, scenario, cast), key=lambda entry: entry.time)
    return Record(header, (*entries, Note(max(e.time for e in entries), "", "end", "the capture ends")))


def _is_proxy(story: Story) -> bool:
    """Whether the legs have the caller's Call-ID. Where he is not seen, whether they have his Via: a proxy adds its own
    (RFC 3261 16.6 step 8)."""
    if story.caller is not None:
        return all(leg.call_id == story.caller.call_id for leg in story.tried)
    return all(sum(len(split_list(value)) for value in leg.invite.sip.all("via")) > 1 for leg in story.tried)


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
