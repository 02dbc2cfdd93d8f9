"""The traffic of one of several calls.

A caller's own messages are told apart by their Call-ID, which the run has noted; so is all that a proxy passes on. A
B2BUA gives every leg a Call-ID of its own: a leg belongs to the call that began last before it among those that could
reach its agent, best one whose caller the leg names in From.
"""

from __future__ import annotations

from dataclasses import dataclass

from sip_harness.model.entry import Note, Record
from sip_harness.model.scenario import Call, Scenario
from sip_harness.verdict.traffic import Item, Owner, Traffic


@dataclass(frozen=True, slots=True)
class _Begun:
    call: Call
    call_id: str
    time: int


def of_call(scenario: Scenario, record: Record, traffic: Traffic, name: str) -> Traffic:
    """What belongs to the call of that name; nothing if it was never made."""
    begun = _begun(scenario, record, traffic)
    by_id = {one.call_id: one.call.name for one in begun}
    for item in traffic.items:
        call_id = item.seen.sip.call_id
        if item.owner is Owner.CALL and call_id not in by_id:
            by_id[call_id] = _call_of_leg(item, begun, scenario, record)
    return Traffic(tuple(i for i in traffic.items if i.owner is Owner.CALL and by_id[i.seen.sip.call_id] == name))


def _begun(scenario: Scenario, record: Record, traffic: Traffic) -> list[_Begun]:
    calls = {call.name: call for call in scenario.calls}
    firsts: dict[str, int] = {}
    for item in traffic.items:
        firsts.setdefault(item.seen.sip.call_id, item.time)
    notes = (e for e in record.entries if isinstance(e, Note) and e.kind == "call")
    found = [
        _Begun(calls[note.data["call"]], note.data["call_id"], firsts.get(note.data["call_id"], note.time))
        for note in notes
        if note.data.get("call") in calls and note.data.get("call_id")
    ]
    return sorted(found, key=lambda one: one.time)


def _call_of_leg(item: Item, begun: list[_Begun], scenario: Scenario, record: Record) -> str:
    members = {target.name: target.members for target in scenario.targets}
    agent = item.seen.agent
    near = [
        one
        for one in begun
        if one.time <= item.time and (agent == one.call.caller or agent in members.get(one.call.target, ()))
    ]
    named = [one for one in near if _names(item, one.call.caller, record)]
    return (named or near)[-1].call.name if near else ""


def _names(item: Item, caller: str, record: Record) -> bool:
    role = record.header.role(caller)
    return role is not None and role.user in (item.seen.sip.get("from") or "")
