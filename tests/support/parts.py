"""Parts for wire agents that speak any transport."""

from __future__ import annotations

import dataclasses

from wire_stage import TOKEN, script

from sip_harness.agents.base import Assignment
from sip_harness.model.entry import Address
from sip_harness.model.scenario import Call, Transport
from sip_harness.model.steps import Send, Step
from sip_harness.model.system import User
from sip_harness.net.authority import Authority

CALL = Call("call1", "alice", "bob")
BUSY = Send(486, "Busy Here")


def part(
    authority: Authority | None,
    kind: Transport,
    system: Address,
    *,
    name: str = "desk",
    steps: tuple[Step, ...] = (BUSY,),
    register: bool = False,
) -> Assignment:
    files = (str(authority.certificate), str(authority.issue("agents.pem"))) if authority else ("", "")
    role = "caller" if name == "alice" else "device"
    made = Assignment(name, role, User(name, "x.test"), f"{TOKEN}{name}", system, TOKEN)  # type: ignore[arg-type]
    return dataclasses.replace(
        made,
        transport=kind,
        trust=files[0],
        certificate=files[1],
        script=script(steps) if role == "device" else None,
        register=register,
        patience=20.0,
    )
