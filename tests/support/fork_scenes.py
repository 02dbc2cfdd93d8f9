"""Scenes of the reference proxy for faults of forks, of CANCEL and of what passes through: what is seen without each
of them and with it."""

from __future__ import annotations

from collections.abc import Callable

from proxy_stage import Caller, Stage

from sip_harness.sip.transaction import cancel_for

Act = Callable[[Stage], object]
"""Plays a scene; returns what is looked at."""
CASES: dict[str, tuple[Act, object, object]] = {}
"""By fault: the scene, what is seen without and with it."""


def case(fault: str, right: object, wrong: object) -> Callable[[Act], Act]:
    def add(act: Act) -> Act:
        CASES[fault] = act, right, wrong
        return act

    return add


def answers(stage: Stage, method: str, *codes: str) -> list[str]:
    """What alice gets for a request of this method to two phones, of which each answers with one of the codes."""
    for number, code in enumerate(codes):
        phone = stage.phone(f"phone{number}")
        phone.steps[method] = [0.1 * (number + 1), int(code)]
    stage.alice.heard.clear()
    stage.alice.request(method, stage.bob)
    stage.run(5)
    return stage.alice.got


@case("counts-second-finals", ([200], False), ([603], True))
def _(stage: Stage) -> object:
    stage.phone("desk", 180, 0.1, 486, 0.1, (603, {"again": "yes"}))
    mobile = stage.phone("mobile", 180, 0.4, 200)
    stage.call()
    return stage.alice.finals, "CANCEL" in mobile.got


@case("passes-every-2xx-on", ["200"], ["200", "202"])
def _(stage: Stage) -> object:
    return answers(stage, "MESSAGE", "200", "202")


@case("calls-latecomers", [], ["INVITE"])
def _(stage: Stage) -> object:
    stage.phone("desk", 180, 0.1, 600)
    stage.phone("mobile", 180, cancel=(200, 0.4, 487))
    stage.call(0.3)
    late = stage.phone("late", 180)
    stage.run(0.05)
    return late.got


def unknown_cancel(stage: Stage, then: int) -> list[int]:
    """What alice hears from a phone that answers her CANCEL with 481, and a moment later the INVITE."""
    desk = stage.phone("desk", 180, cancel=())
    invite = stage.call(0.1)
    stage.alice.cancel(invite)
    stage.run(0.1)
    desk.answer(desk.messages("CANCEL")[0], 481, {})
    stage.run(0.1)
    desk.answer(desk.messages("INVITE")[0], then, {})
    stage.run(5)
    return stage.alice.finals


@case("gives-up-after-481", [200], [487])
def _(stage: Stage) -> object:
    return unknown_cancel(stage, 200)


@case("drops-callers-reason", ["SIP;cause=200"], [])
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 180)
    invite = stage.call(0.1)
    cancel = invite.data.replace(b" INVITE\r\n", b" CANCEL\r\n").replace(b"INVITE ", b"CANCEL ", 1)
    stage.alice.send(cancel.replace(b"\r\nContact:", b"\r\nReason: SIP;cause=200\r\nContact:"))
    stage.run(1)
    return desk.messages("CANCEL")[0].all("reason")


@case("cancels-by-branch-alone", ([481], [486]), ([200], [487]))
def _(stage: Stage) -> object:
    stage.phone("desk", 180, 0.3, 486)
    mallory = Caller(stage, "mallory")
    invite = stage.call(0.1)
    ours, hers = (f"{host}:{port}".encode() for host, port in (stage.alice.address, mallory.address))
    mallory.send(cancel_for(invite).replace(b"UDP " + ours, b"UDP " + hers))
    stage.run(5)
    return [m.code for _, m in mallory.heard], stage.alice.finals


@case("looks-up-for-cancel", ["INVITE", "CANCEL", "ACK"], ["INVITE"])
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 180)
    invite = stage.call(0.1)
    stage.register(desk.uri, expires=0)
    stage.alice.cancel(invite)
    stage.run(0.5)
    return desk.got


@case("cancels-other-requests", ["MESSAGE"], ["MESSAGE", "CANCEL"])
def _(stage: Stage) -> object:
    desk, mobile = stage.phone("desk"), stage.phone("mobile")
    desk.steps["MESSAGE"], mobile.steps["MESSAGE"], mobile.steps["CANCEL"] = [200], [0.3, 200], [200]
    stage.alice.request("MESSAGE", stage.bob)
    stage.run(0.2)
    return mobile.got


@case("strips-100rel", ("100rel", "7"), (None, None))
def _(stage: Stage) -> object:
    stage.phone("desk", (183, {"Require": "100rel", "RSeq": "7"}))
    stage.call(0.1)
    [progress] = stage.alice.messages("183")
    return progress.get("require"), progress.get("rseq")


@case("hops-per-attempt", ["9", "9", "9"], ["9", "8", "7"])
def _(stage: Stage) -> object:
    phones = [stage.phone(f"phone{number}", 486, q=1 - number / 10) for number in range(3)]
    stage.call(Max_Forwards="10")
    return [phone.messages("INVITE")[0].get("max-forwards") for phone in phones]


@case("calls-by-udp-only", "TCP", "UDP")
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 486, transport="tcp")
    stage.call()
    return (desk.messages("INVITE")[0].get("via") or "").split()[0].rpartition("/")[2]


@case("keeps-contacts-per-call-id", 1, 2)
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 180)
    stage.register(desk.uri, Call_ID="after-a-restart")
    stage.call(0.1)
    return len(desk.messages("INVITE"))


@case("ignores-max-breadth", (["1", "1"], True), (["1", "1"], False))
def _(stage: Stage) -> object:
    phones = [stage.phone(f"phone{number}", 0.2, 486) for number in range(2)]
    stage.call(Max_Breadth="1")
    first, second = (phone.times("INVITE")[0] for phone in phones)
    return [phone.messages("INVITE")[0].get("max-breadth") for phone in phones], second - first > 0.1


def asking(stage: Stage, what: str, code: int) -> tuple[list[int], list[str]]:
    """A call of somebody who asks for this, to two phones of which the first answers with this code."""
    stage.phone("desk", 180, 0.2, code)
    mobile = stage.phone("mobile", 180, 0.7, 480)
    stage.call(Request_Disposition=what)
    return stage.alice.finals, mobile.got


@case("ignores-request-disposition", ([200], ["INVITE", "ACK"]), ([200], ["INVITE", "CANCEL", "ACK"]))
def _(stage: Stage) -> object:
    return asking(stage, "parallel, NO-CANCEL", 200)


@case("never-cancels-with-no-cancel", ([600], ["INVITE", "CANCEL", "ACK"]), ([600], ["INVITE", "ACK"]))
def _(stage: Stage) -> object:
    return asking(stage, "no-cancel", 600)


def ended(stage: Stage, **headers: str) -> list[tuple[str, list[str]]]:
    """What alice is told of phones that have dropped out, and why."""
    stage.phone("desk", 180, 0.1, 486)
    stage.phone("mobile", 180, 0.1, (183, {"tag": "other"}), 0.2, 404)
    stage.phone("tablet", 180, 0.05, 199, 0.4, 503)
    stage.phone("spare", 0.1, 410)
    stage.phone("last", 180, 1.0, 480)
    stage.call(**headers)
    assert stage.alice.got[-1] in ("404", "486", "410")
    return [(m.to_tag, m.all("reason")) for m in stage.alice.messages("199")]


@case(
    "tells-of-no-ended-dialog",
    [
        ("tablet-tag", []),
        ("desk-tag", ["SIP;cause=486"]),
        ("mobile-tag", ["SIP;cause=404"]),
        ("other", ["SIP;cause=404"]),
    ],
    [("tablet-tag", [])],
)
def _(stage: Stage) -> object:
    return ended(stage, Supported="199, 100rel")


@case("sends-199-to-everybody", ["tablet-tag"], ["tablet-tag", "desk-tag", "mobile-tag", "other"])
def _(stage: Stage) -> object:
    """A phone may have said so itself."""
    return [tag for tag, _ in ended(stage)]
