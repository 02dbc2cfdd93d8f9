"""Scenes of the faults of reading, of repeating, and of handing bodies and headers on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from fork_scenes import Act, case
from proxy_stage import HERE, Phone, Stage

from sip_harness.language import load_text
from sip_harness.model.entry import Address, Message
from sip_harness.net.base import Hop, Transport
from sip_harness.run.session import Options, open_session
from sip_harness.sip.message import parse
from sip_harness.systems.reference.system import Reference

Change = Callable[[bytes], bytes]

REFUSED, ANSWERED = [480], [486]
"""What the caller hears where the phone's odd 486 was taken for none, and where it was taken."""


def odd(change: Change, code: int = 486) -> Act:
    """A phone whose first final is odd, and who says 480 a little later; what the caller hears."""

    def act(stage: Stage) -> object:
        desk = stage.phone("desk", 180, 0.1, code, 0.2, (480, {"again": "yes"}))
        _changing(desk, f"SIP/2.0 {code}".encode(), change)
        stage.call(5)
        return stage.alice.finals

    return act


def _changing(phone: Phone, start: bytes, change: Change) -> None:
    send = phone.send
    phone.send = lambda data: send(change(data) if data.startswith(start) else data)  # type: ignore[method-assign]


def _swap(old: bytes, new: bytes) -> Change:
    return lambda data: data.replace(old, new, 1)


case("takes-short-messages", REFUSED, ANSWERED)(odd(_swap(b"Content-Length: 0", b"Content-Length: 9")))
case("takes-any-code", REFUSED, [700])(odd(_swap(b"SIP/2.0 486", b"SIP/2.0 700")))
case("takes-any-version", REFUSED, ANSWERED)(odd(_swap(b"SIP/2.0", b"SIP/3.0")))
case("takes-any-cseq", REFUSED, ANSWERED)(odd(_swap(b"CSeq: 1 ", b"CSeq: 4294967296 ")))
case("wants-upper-case", ANSWERED, REFUSED)(odd(_swap(b"SIP/2.0", b"sip/2.0")))
case("needs-a-phrase", ANSWERED, REFUSED)(odd(_swap(b"486 As Told", b"486 ")))
case("knows-no-compact-forms", ANSWERED, REFUSED)(odd(_swap(b"Call-ID", b"i")))
case("needs-a-to-tag", ANSWERED, REFUSED)(odd(_swap(b";tag=desk-tag", b"")))
case("needs-what-codes-demand", [423], REFUSED)(odd(lambda data: data, 423))
case("loses-large-messages", ANSWERED, REFUSED)(
    odd(_swap(b"Content-Length", b"X-Pad: " + b"x" * 1300 + b"\r\nContent-Length"))
)
case("knows-one-to-tag", [200], [408])(odd(_swap(b";tag=desk-tag", b";tag=other"), 200))


@case("forwards-without-via", [180, 486], [180, 183, 486])
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 180, 0.1, 183, 0.1, 486)
    _changing(desk, b"SIP/2.0 183", lambda data: b"\r\n".join(_but_the_last_via(data.split(b"\r\n"))))
    stage.call(5)
    return [m.code for _, m in stage.alice.heard if m.code > 100 and m.cseq[1] == "INVITE"]


def _but_the_last_via(lines: list[bytes]) -> list[bytes]:
    last = max(n for n, line in enumerate(lines) if line.startswith(b"Via"))
    return lines[:last] + lines[last + 1 :]


@case("hears-known-ports-only", ANSWERED, REFUSED)
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 180, 0.1, 486, 0.2, (480, {"again": "yes"}))
    send = desk.send
    elsewhere: Address = (desk.address[0], desk.address[1] + 1000)

    def by_another_port(data: bytes) -> None:
        if data.startswith(b"SIP/2.0 486"):
            stage.proxy.receive(parse(data), Hop(cast(Transport, desk.wire), elsewhere))
        else:
            send(data)

    desk.send = by_another_port  # type: ignore[method-assign]
    stage.call(5)
    return stage.alice.finals


@case("stops-at-nul", [b"be\0fore"], [])
def _(stage: Stage) -> object:
    stage.phone("desk", 180, 0.1, (486, {"body": "be\0fore"}))
    stage.call(1)
    return [m.body for m in stage.alice.messages("486")][:1]


@case("forwards-surplus", [b"no"], [b"nobody"])
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 180, 0.1, (486, {"body": "nobody"}))
    _changing(desk, b"SIP/2.0 486", _swap(b"Content-Length: 6", b"Content-Length: 2"))
    stage.call(1)
    return [m.body for m in stage.alice.messages("486")][:1]


@case("takes-bad-requests", ([505, 400], []), ([486, 486], ["INVITE", "ACK", "INVITE", "ACK"]))
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 486)
    send = stage.alice.send
    finals = []
    for right, wrong in ((b" SIP/2.0\r\n", b" SIP/7.0\r\n"), (b"\r\nCSeq:", b"\r\nCSeq: 7 INVITE\r\nCSeq:")):
        stage.alice.send = lambda data, right=right, wrong=wrong: send(data.replace(right, wrong, 1))  # type: ignore[method-assign,misc]
        stage.call(0.4)
        finals += [m.code for _, m in stage.alice.heard[-1:]]
    return finals, desk.got


@case("changes-bodies", [b"hello"], [b"hellox"])
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 486)
    send = stage.alice.send
    stage.alice.send = lambda data: send(data.replace(b"Length: 0\r\n\r\n", b"Length: 5\r\n\r\nhello"))  # type: ignore[method-assign]
    stage.call(0.4)
    return [m.body.replace(b"a=x-mended:yes\r\n", b"x") for m in desk.messages("INVITE")]


@case("refuses-spirals", [486], [482])
def _(stage: Stage) -> object:
    tom = Phone(stage, "tom", [0.1, 486], [])
    stage.alice.request(
        "REGISTER", f"sip:{HERE[0]}:{HERE[1]}", to=f"<sip:tom@{HERE[0]}:{HERE[1]}>", Contact=f"<{tom.uri}>"
    )
    stage.register(f"sip:tom@{HERE[0]}:{HERE[1]}")
    stage.call(5)
    return stage.alice.finals


@case("acknowledges-once", 3, 1)
def _(stage: Stage) -> object:
    again = (486, {"again": "yes"})
    desk = stage.phone("desk", 180, 486, 0.1, again, 0.1, again)
    stage.call(1)
    return len(desk.messages("ACK"))


@case("acknowledges-with-new-branch", [True], [False])
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 180, 486)
    stage.call(0.4)
    [invite] = desk.messages("INVITE")
    return [ack.branch == invite.branch for ack in desk.messages("ACK")]


@case("acknowledges-for-the-caller", [], ["ACK"])
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 180, 200)
    stage.call(0.4)
    return desk.got[1:]


@case("gives-acks-new-branches", 1, 2)
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 180, 200)
    stage.call(0.4)
    [answer] = stage.alice.messages("200")[-1:]
    for _ in range(2):
        stage.ack_answer(answer)
    stage.run(0.1)
    return len({ack.branch for ack in desk.messages("ACK")})


@case("sends-100-to-others", ["200"], ["100", "200"])
def _(stage: Stage) -> object:
    desk = stage.phone("desk")
    desk.steps["MESSAGE"] = [0.3, 200]
    stage.alice.heard.clear()
    stage.alice.request("MESSAGE", stage.bob)
    stage.run(0.6)
    return stage.alice.got


@case("counts-from-the-first-ringing", [2.5], [1.5])
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 180, 1.0, 180)
    stage.call(5)
    return [round(at - 0.01, 1) for at in desk.times("CANCEL")]


@case("forwards-stray-failures", [408], [408, 486])
def _(stage: Stage) -> object:
    stage.phone("desk", 2.0, 486)
    stage.call(5)
    return stage.alice.finals


# What follows is about connections: real ones.

HEAD = """
title: A scene
id: SCENE
cite: RFC 3261 18
needs: [ring, tcp]
tags: [transport]
proof: [never-fails-over]
targets: {bob: {ring: [desk]}}
calls: [{from: alice, to: bob}]
expect: {alice: [486], desk: reached}
"""


def told(stage: Stage, steps: str) -> list[int]:
    """What the caller of a phone on TCP is told that does this, 100 aside."""

    async def run() -> list[int]:
        scenario = load_text(f"{HEAD}devices: {{desk: {{transport: tcp, answer: [{steps}]}}}}", "scene.sip.yaml")
        system = Reference(settings=stage.settings, faults=sorted(stage.settings.faults))
        async with open_session(system, Options("wire", 1), [scenario]) as session:
            record = (await session.run(scenario)).record
        assert record is not None
        got = [e for e in record.entries if isinstance(e, Message) and (e.agent, e.direction) == ("alice", "received")]
        codes = [m.code for m in (parse(e.data) for e in got) if m.cseq[1] == "INVITE"]
        return [code for code in codes if code > 100]

    return asyncio.run(run())


@case("reads-one-message-a-segment", [180, 486], [180, 408])
def _(stage: Stage) -> object:
    return told(stage, "ringing, wait 50ms, 486: {pieces: [20, 90]}")


@case("ignores-lost-connections", [180, 500], [180, 408])
def _(stage: Stage) -> object:
    return told(stage, "ringing, wait 50ms, close")


@case("gives-up-with-the-connection", [180, 486], [180, 500])
def _(stage: Stage) -> object:
    return told(stage, "ringing, wait 50ms, reset, wait 100ms, 486")
