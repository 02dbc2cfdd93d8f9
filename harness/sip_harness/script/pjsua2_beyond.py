"""What only the wire stack carries out, and why the pjsua2 stack does not: everything that no telephone would send.

Pure, and without exception: whatever is named here is an obstacle, however it is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sip_harness.model.place import Place
from sip_harness.model.scenario import Call, Device
from sip_harness.model.script import Script
from sip_harness.model.steps import (
    Again,
    Challenge,
    Delivery,
    Disconnect,
    ForwardBack,
    Grant,
    NoTrying,
    Raw,
    Request,
    Silence,
    Step,
    Unregister,
)

Reason = tuple[str, Place]

_STEPS: dict[type[Step], str] = {
    Raw: "it sends no bytes as they stand",
    Silence: "it always answers an INVITE with 100",
    NoTrying: "it always answers an INVITE with 100",
    Request: "it sends nothing of its own in a call but BYE",
    Disconnect: "its port stays open",
    Again: "it sends a request again as RFC 3261 says",
    Challenge: "it asks nobody for credentials",
    Grant: "it is no registrar",
    Unregister: "it stays registered until the run is over",
    ForwardBack: "it hands no call on",
}


_ANSWERED = frozenset({"INVITE", "OPTIONS", "BYE", "CANCEL", "PRACK"})
"""Requests that it answers as its script says, or as any user agent has to."""


def in_step(step: Step) -> str:
    """Why it does not carry out a step of this kind; empty if it does."""
    return _STEPS.get(type(step), "")


def in_delivery(how: Delivery) -> Iterator[str]:
    """Why it does not send a message in this way; nothing for the ordinary one."""
    if how.to_tag is not None:
        yield "it puts the dialog's own To-tag into every response" if how.to_tag else "it cannot leave out the To-tag"
    if how.branch:
        yield "it answers with the branch of the request"
    if how.cseq:
        yield "it answers with the CSeq of the request"
    if how.resend is not None:
        yield "it retransmits as RFC 3261 says"
    if how.copies != 1:
        yield "it sends a message once at a time"
    if how.port != "own":
        yield "it sends from its own port only"
    if how.reliable:
        yield "its account asks for no PRACK"
    if how.media:
        yield "it sends no media that a script chooses"
    for mutation in how.mutations:
        yield f"it sends whole messages: it cannot {mutation.kind} {_object(mutation.kind, mutation.argument)}"
    if how.pieces:
        yield "it writes a message in one piece"


def _object(kind: str, argument: str) -> str:
    return "them" if kind == "truncate" else argument


def in_script(script: Script) -> Iterator[Reason]:
    """Why it does not react to requests, or turn a deaf ear, as this script says."""
    for reaction in script.reactions:
        yield f"it answers {reaction.method} as it sees fit", reaction.place
    for case in script.cases:
        yield "it answers calls by their number and looks into none", case.place
    for loss in script.losses:
        yield f"it hears every message, {loss.pattern} too", loss.place


def in_device(device: Device) -> Iterator[Reason]:
    """Why it does not stand for this device, whatever its script says."""
    if device.kind == "carrier":
        yield "it stands for a registered telephone, and a carrier never registers", device.place
    if device.transport != "udp":
        yield _other_transport(device.transport), device.place
    if device.expires is not None:
        yield "it registers anew before a registration runs out", device.place
    if device.listens:
        yield _STEPS[Disconnect], device.place


def in_visits(calls: Iterable[Call]) -> Iterator[Reason]:
    """Why it does not stand for a device that these calls may reach: what callers ask it besides calling, it answers by
    itself."""
    for call in calls:
        if call.method not in _ANSWERED:
            yield f"it answers {call.method} as it sees fit", call.place
        for step in (*call.early, *call.then):
            if isinstance(step, Request) and (step.method == "INVITE" or step.method not in _ANSWERED):
                yield f"it answers {step} as it sees fit", step.place


def in_call(call: Call) -> Iterator[Reason]:
    """Why it does not make this call."""
    if call.transport != "udp":
        yield _other_transport(call.transport), call.place
    if call.method != "INVITE":
        yield f"it makes calls only, no {call.method} of its own", call.place
    if call.account is not None:
        yield "it proves itself with the account of the run only", call.place
    if call.uri:
        yield "it writes a Request-URI in its own form", call.place
    if call.omit:
        yield "every INVITE of its has all that one must have", call.place
    if call.body:
        yield "an INVITE of its own has its own SDP", call.place
    if call.raw is not None:
        yield _STEPS[Raw], call.raw.place
    for reason in in_delivery(call.how):
        yield reason, call.place
    for step in (*call.early[:1], *call.then[:1]):
        yield _STEPS[Request], step.place
    for step in call.meanwhile[:1]:
        yield "it sends an INVITE, its CANCEL and nothing else before the answer", step.place
    if call.ack is not None:
        yield "it acknowledges an answer at once", call.place
    if call.prack is not None:
        yield "it acknowledges reliable provisionals at once", call.place
    if call.script is not None:
        yield from in_script(call.script)


def _other_transport(transport: str) -> str:
    return f"it has no {transport} here, only udp"
