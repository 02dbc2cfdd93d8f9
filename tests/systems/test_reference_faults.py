"""Every fault switch of the reference: what it does on the wire, and that the rule holds without it."""

from __future__ import annotations

import pytest
import reading_scenes  # noqa: F401 - its scenes are in CASES
from fork_scenes import CASES, case
from proxy_stage import HERE, Caller, Phone, Stage

from sip_harness.endpoint import build
from sip_harness.sip.digest import Challenge, authorization
from sip_harness.sip.message import split_list
from sip_harness.sip.uri import parse_uri, uri_text
from sip_harness.systems.reference import system
from sip_harness.systems.reference.actions import Target
from sip_harness.systems.reference.auth import OF_DIGEST
from sip_harness.systems.reference.probing import Prober


def test_every_switch_has_its_scene() -> None:
    assert set(CASES) == set(system.faults_of(digest=True))


@pytest.mark.parametrize("fault", sorted(system.faults_of(digest=True)))
def test_a_fault_shows_and_without_it_the_rule_holds(fault: str) -> None:
    act, right, wrong = CASES[fault]
    digest = {"digest": True, "password": "secret"} if fault in OF_DIGEST else {}
    assert act(Stage(**digest)) == right
    assert act(Stage(fault, **digest)) == wrong


def said_no_while_another_rings(stage: Stage, code: int) -> tuple[list[int], list[str], list[float]]:
    stage.phone("desk", 180, 0.3, code)
    mobile = stage.phone("mobile", 180, cancel=(200, 0.2, 487))
    stage.call()
    return stage.alice.finals, mobile.got, stage.alice.times(str(code))


@case("forks-on-after-6xx", [0.3], [1.5])
def _(stage: Stage) -> object:
    stage.phone("desk", 180, 0.3, 600)
    mobile = stage.phone("mobile", 180)
    stage.call()
    return [round(at - 0.01, 1) for at in mobile.times("CANCEL")]


@case("hunts-on-after-6xx", ([600], []), ([200], ["INVITE"]))
def _(stage: Stage) -> object:
    stage.phone("desk", 600, q=0.9)
    mobile = stage.phone("mobile", 200, q=0.1)
    stage.call()
    return stage.alice.finals, mobile.got


@case("sends-6xx-at-once", ([600], [0.5]), ([600], [0.3]))
def _(stage: Stage) -> object:
    finals, _, at = said_no_while_another_rings(stage, 600)
    return finals, [round(at[0] - 0.02, 1)]


@case("sends-2xx-after-6xx", [201], [600, 201])
def _(stage: Stage) -> object:
    stage.phone("desk", 180, 0.3, 600)
    stage.phone("mobile", 180, cancel=(200, 201))
    stage.call()
    return stage.alice.finals


@case("one-486-ends-the-fork", [200], [486])
def _(stage: Stage) -> object:
    stage.phone("desk", 180, 0.1, 486)
    stage.phone("mobile", 180, 0.4, 200)
    stage.call()
    return stage.alice.finals


@case("first-failure-wins", [200], [404])
def _(stage: Stage) -> object:
    stage.phone("desk", 180, 0.1, 404)
    stage.phone("mobile", 180, 0.4, 200)
    stage.call()
    return stage.alice.finals


@case("stops-hunting-at-486", [200], [486])
def _(stage: Stage) -> object:
    stage.phone("desk", 486, q=0.9)
    stage.phone("mobile", 200, q=0.1)
    stage.call()
    return stage.alice.finals


@case("last-leg-wins", [404], [500])
def _(stage: Stage) -> object:
    for name, code, q in (("desk", 404, 0.9), ("mobile", 486, 0.5), ("tablet", 500, 0.1)):
        stage.phone(name, code, q=q)
    stage.call()
    return stage.alice.finals


@case("prefers-5xx", [486], [500])
def _(stage: Stage) -> object:
    stage.phone("desk", 486)
    stage.phone("mobile", 0.1, 500)
    stage.call()
    return stage.alice.finals


@case("ranks-6xx-last", [603], [404])
def _(stage: Stage) -> object:
    stage.phone("desk", 404)
    stage.phone("mobile", 0.1, 603)
    stage.call()
    return stage.alice.finals


@case("prefers-busy-to-challenge", [407], [486])
def _(stage: Stage) -> object:
    stage.phone("desk", 486)
    stage.phone("mobile", 0.1, 407)
    stage.call()
    return stage.alice.finals


@case("timeout-masks-answer", [486], [408])
def _(stage: Stage) -> object:
    stage.phone("desk")
    stage.phone("mobile", 180, 0.2, 486)
    stage.call()
    return stage.alice.finals


@case("ignores-icmp", ([500, 200], 0.0), ([408, 200], 0.8))
def _(stage: Stage) -> object:
    alone = stage.phone("desk")
    stage.closed.add(alone.address)
    stage.call()
    stage.register(alone.uri, expires=0)
    gone, there = stage.carrier("g1", q=0.9), stage.carrier("g2", 200, q=0.1)
    stage.closed.add(gone.address)
    begin = stage.clock.now()
    stage.call()
    return stage.alice.finals, round(there.times("INVITE")[0] - begin, 1)


@case("maps-600-to-486", [600], [486])
def _(stage: Stage) -> object:
    stage.phone("desk", 600)
    stage.call()
    return stage.alice.finals


@case("leaks-503", [500], [503])
def _(stage: Stage) -> object:
    stage.phone("desk", 503)
    stage.call()
    return stage.alice.finals


@case("one-challenge-only", (["a"], ["b"]), (["a"], []))
def _(stage: Stage) -> object:
    stage.phone("desk", (401, {"WWW-Authenticate": "a"}))
    stage.phone("mobile", 0.1, (407, {"Proxy-Authenticate": "b"}))
    stage.call()
    final = stage.alice.messages("401")[0]
    return final.all("www-authenticate"), final.all("proxy-authenticate")


@case("sends-second-final", [486], [486, 500])
def _(stage: Stage) -> object:
    stage.phone("desk", 486)
    stage.call()
    return stage.alice.finals


def two_answers(stage: Stage) -> None:
    stage.phone("desk", 180, 0.3, 200)
    stage.phone("mobile", 180, cancel=(200, 201))
    stage.call()


@case("swallows-second-2xx", [200, 201], [200])
def _(stage: Stage) -> object:
    two_answers(stage)
    return stage.alice.finals


@case("swallows-repeated-2xx", 2, 1)
def _(stage: Stage) -> object:
    stage.phone("desk", 200, 0.5, (200, {"again": "yes"}))
    stage.call()
    return len(stage.alice.messages("200")) - 1  # one is to the REGISTER


@case("holds-back-2xx", 0.3, 0.5)
def _(stage: Stage) -> object:
    stage.phone("desk", 180, 0.3, 201)
    stage.phone("mobile", 180, cancel=(200, 0.2, 487))
    stage.call()
    return round(stage.alice.times("201")[0] - 0.02, 1)


@case("forwards-stray-2xx", [603], [603, 200])
def _(stage: Stage) -> object:
    stage.phone("desk", 603, 0.1, (200, {"again": "yes"}))
    stage.call()
    return stage.alice.finals


@case("ghost-call", ([200], []), ([201], ["INVITE", "ACK"]))
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 180, q=0.9, cancel=(200,))
    mobile = stage.phone("mobile", 201, q=0.1)
    stage.call(stage.settings.ring + 0.02)
    desk.answer(desk.messages("INVITE")[0], 200, {})
    stage.run(1)
    stage.ack_answer(stage.alice.heard[-1][1])
    stage.run(1)
    return stage.alice.finals, mobile.got


@case("rings-for-ever", [408], [])
def _(stage: Stage) -> object:
    stage.phone("desk", 180)
    stage.call(60)
    return stage.alice.finals


@case("forgets-cancel", ["INVITE", "CANCEL", "ACK"], ["INVITE"])
def _(stage: Stage) -> object:
    stage.phone("desk", 180, 0.1, 200)
    mobile = stage.phone("mobile", 180)
    stage.call(1)
    return mobile.got


@case("ignores-callers-cancel", ([487], ["INVITE", "CANCEL", "ACK"]), ([], ["INVITE"]))
def _(stage: Stage) -> object:
    return cancelled_by_alice(stage)


def cancelled_by_alice(stage: Stage) -> tuple[list[int], list[str]]:
    desk = stage.phone("desk", 180)
    invite = stage.call(0.1)
    stage.alice.cancel(invite)
    stage.run(1)
    return stage.alice.finals, desk.got


@case("cancels-before-1xx", [0.6], [0.2])
def _(stage: Stage) -> object:
    stage.phone("desk", 180, 0.2, 200)
    mobile = stage.phone("mobile", 0.6, 180)
    stage.call()
    return [round(at - 0.02, 1) for at in mobile.times("CANCEL")][:1]


@case("cancels-late", [0.2], [0.8])
def _(stage: Stage) -> object:
    stage.phone("desk", 180, 0.2, 200)
    mobile = stage.phone("mobile", 180)
    stage.call()
    return [round(at - 0.02, 1) for at in mobile.times("CANCEL")]


@case("repeats-cancel", 1, 3)
def _(stage: Stage) -> object:
    stage.phone("desk", 180, 0.2, 200)
    mobile = stage.phone("mobile", 180)
    stage.call()
    return len(mobile.messages("CANCEL"))


@case("cancels-with-new-branch", True, False)
def _(stage: Stage) -> object:
    stage.phone("desk", 180, 0.2, 200)
    mobile = stage.phone("mobile", 180)
    stage.call()
    return mobile.messages("CANCEL")[0].branch == mobile.messages("INVITE")[0].branch


@case("acknowledges-no-487", ["INVITE", "CANCEL", "ACK"], ["INVITE", "CANCEL"])
def _(stage: Stage) -> object:
    stage.phone("desk", 180, 0.2, 200)
    mobile = stage.phone("mobile", 180)
    stage.call()
    return mobile.got


@case("relays-487-after-answer", [200], [200, 487])
def _(stage: Stage) -> object:
    stage.phone("desk", 180, 0.2, 200)
    stage.phone("mobile", 180)
    stage.call()
    return stage.alice.finals


@case("swallows-2xx-after-cancel", [200], [487])
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 180, cancel=(200,))
    invite = stage.call(0.1)
    stage.alice.cancel(invite)
    stage.clock.after(0.01, lambda: desk.answer(desk.messages("INVITE")[0], 200, {}))
    stage.run(5)
    return stage.alice.finals


@case("delays-200-to-cancel", 0.0, 0.2)
def _(stage: Stage) -> object:
    stage.phone("desk", 180, cancel=(200, 0.2, 487))
    invite = stage.call(0.1)
    stage.alice.cancel(invite)
    begin = stage.clock.now()
    stage.run(1)
    [at] = [at for at, message in stage.alice.heard if message.cseq[1] == "CANCEL"]
    return round(at - begin, 1)


@case("challenges-cancel", ["200"], ["407"])
def _(stage: Stage) -> object:
    invite = stage.alice.request("INVITE", stage.bob)
    stage.run(0.1)
    stage.alice.cancel(invite)
    stage.run(1)
    return [str(m.code) for _, m in stage.alice.heard if m.cseq[1] == "CANCEL"]


@case("never-fails-over", [200], [500])
def _(stage: Stage) -> object:
    stage.carrier("g1", 503, q=0.9)
    stage.carrier("g2", 200, q=0.1)
    stage.call()
    return stage.alice.finals


@case("fails-over-on-486", ([486], []), ([200], ["INVITE"]))
def _(stage: Stage) -> object:
    stage.carrier("g1", 486, q=0.9)
    g2 = stage.carrier("g2", 200, q=0.1)
    stage.call()
    return stage.alice.finals, g2.got


def called_twice(stage: Stage, headers: dict[str, str]) -> list[str]:
    g1 = stage.carrier("g1", (503, headers), q=0.9)
    stage.carrier("g2", 200, q=0.1)
    stage.call(2)
    stage.call(2)
    return [what for what in g1.got if what == "INVITE"]


@case("ignores-retry-after", ["INVITE"], ["INVITE", "INVITE"])
def _(stage: Stage) -> object:
    return called_twice(stage, {"Retry-After": "30"})


@case("bans-after-503", ["INVITE", "INVITE"], ["INVITE"])
def _(stage: Stage) -> object:
    return called_twice(stage, {})


@case("fails-over-on-484", ([484], []), ([200], ["INVITE"]))
def _(stage: Stage) -> object:
    stage.carrier("g1", 484, q=0.9)
    g2 = stage.carrier("g2", 200, q=0.1)
    stage.call()
    return stage.alice.finals, g2.got


@case("cuts-overlap-digits", "sip:g1345@{}", "sip:g1@{}")
def _(stage: Stage) -> object:
    """The carrier's number stands for the one that is dialled at the system."""
    g1 = Phone(stage, "g1", [200], [])
    stage.proxy.core.router.add("g1", [Target(g1.uri, 1.0, "g1")])
    stage.proxy.core.router.wish("g1", ["overlap"])
    stage.alice.request("INVITE", f"sip:g1345@{HERE[0]}:{HERE[1]}")
    stage.run(1)
    return g1.messages("INVITE")[0].uri.replace("{}:{}".format(*g1.address), "{}")


def throttled(stage: Stage, percent: int) -> list[list[str]]:
    """How often each carrier is called while the first one wants less, and when that time is over."""
    stage.proxy.core.router.wish("bob", ["overload-control"])
    g1 = Throttling(stage, f'oc={percent};oc-algo="loss";oc-validity=5000;oc-seq=7.2')
    stage.proxy.core.router.add("bob", [Target(g1.uri, 0.9, "g1")])
    g2 = stage.carrier("g2", 486, q=0.1)
    for pause in (0.1, 0.1, 0.1, 0.1, 5.0, 0.1):
        stage.call(pause)
    via = g1.messages("INVITE")[0].all("via")[0]
    return [[w for w in p.got if w == "INVITE"] for p in (g1, g2)] + [["offered"] if ";oc;oc-algo" in via else []]


class Throttling(Phone):
    """Says in its first response how much less it wants, if it was told that somebody listens."""

    def __init__(self, stage: Stage, says: str) -> None:
        super().__init__(stage, "g1", [486], [])
        self.says = says

    def send(self, data: bytes) -> None:
        says, self.says = self.says, ""
        super().send(data.replace(b';oc;oc-algo="loss"', f";{says}".encode()) if says else data)


@case("offers-no-overload-control", [["INVITE"] * 2, ["INVITE"] * 4, ["offered"]], [["INVITE"] * 6, [], []])
def _(stage: Stage) -> object:
    return throttled(stage, 100)


@case("ignores-overload-control", [["INVITE"] * 4, ["INVITE"] * 2, ["offered"]], [["INVITE"] * 6, [], ["offered"]])
def _(stage: Stage) -> object:
    return throttled(stage, 50)


@case("throttles-for-ever", [["INVITE"] * 2, ["INVITE"] * 4, ["offered"]], [["INVITE"], ["INVITE"] * 5, ["offered"]])
def _(stage: Stage) -> object:
    return throttled(stage, 100)


@case("bans-after-refusal", ["INVITE", "INVITE"], ["INVITE"])
def _(stage: Stage) -> object:
    g1 = stage.carrier("g1", 486)
    stage.call(2)
    stage.call(2)
    return [what for what in g1.got if what == "INVITE"]


def probed(stage: Stage, *answer: int) -> list[int]:
    phones = [Phone(stage, "g1", [201], []), Phone(stage, "g2", [200], [])]
    phones[0].steps["OPTIONS"] = list(answer)
    targets = [Target(phone.uri, 1 - 0.5 * i, phone.name) for i, phone in enumerate(phones)]
    Prober(stage.proxy.core, stage.proxy.core.router.add("bob", targets))
    stage.run(3)
    stage.call(2)
    return stage.alice.finals


@case("calls-dead-carriers", [200], [201])
def _(stage: Stage) -> object:
    return probed(stage)


def probed_twice(stage: Stage, in_a_row: int) -> list[int]:
    """Who takes a call while the first carrier answers no probe, and once it does again."""
    g1, g2 = Phone(stage, "g1", [201], []), Phone(stage, "g2", [200], [])
    g1.steps["OPTIONS"] = []
    targets = [Target(phone.uri, 1 - 0.5 * i, phone.name) for i, phone in enumerate((g1, g2))]
    Prober(stage.proxy.core, stage.proxy.core.router.add("bob", targets), in_a_row)
    stage.run(1.5)  # one probe was given up
    stage.call(0.1)
    stage.run(3)
    stage.call(0.1)
    g1.steps["OPTIONS"] = [200]
    stage.run(1.5)  # one or two were answered
    stage.call(0.1)
    stage.run(3)
    stage.call(0.1)
    return [m.code for _, m in stage.alice.heard if m.code >= 200]


@case("stays-with-the-backup", [200, 200, 201, 201], [200, 200, 200, 200])
def _(stage: Stage) -> object:
    return probed_twice(stage, 1)


@case("flaps-with-every-probe", [201, 200, 200, 201], [200, 200, 201, 201])
def _(stage: Stage) -> object:
    return probed_twice(stage, 3)


@case("takes-404-for-dead", [201], [200])
def _(stage: Stage) -> object:
    return probed(stage, 404)


@case("never-retransmits", ["INVITE", "INVITE"], ["INVITE"])
def _(stage: Stage) -> object:
    desk = stage.phone("desk")
    stage.call()
    return desk.got


@case("sends-no-100", ["100"], [])
def _(stage: Stage) -> object:
    stage.phone("desk")
    stage.call(0.2)
    return stage.alice.got[1:]


@case("forwards-100", ["100", "180"], ["100", "100", "180"])
def _(stage: Stage) -> object:
    stage.phone("desk", 100, 0.1, 180)
    stage.call(1)
    return stage.alice.got[1:]


@case("swallows-ringing", ["100", "180", "183"], ["100", "183"])
def _(stage: Stage) -> object:
    return early(stage)


@case("swallows-183", ["100", "180", "183"], ["100", "180"])
def _(stage: Stage) -> object:
    return early(stage)


def early(stage: Stage) -> list[str]:
    stage.phone("desk", 180, 0.1, 183)
    stage.call(1)
    return stage.alice.got[1:]


@case("changes-to-tag", "desk-tag", "changed200")
def _(stage: Stage) -> object:
    stage.phone("desk", 200)
    stage.call()
    return stage.alice.heard[-1][1].to_tag


DETAILS = {"Reason": "Q.850;cause=17", "Retry-After": "30", "Warning": '399 x "y"', "X-Own": "1", "body": "why"}


def details(stage: Stage) -> list[str]:
    stage.phone("desk", (486, DETAILS))
    stage.call()
    [final] = stage.alice.messages("486")
    assert final.get("x-own") == "1"
    return [name for name in DETAILS if (final.body if name == "body" else final.get(name.lower()))]


for _fault, _lost in (
    ("drops-reason", "Reason"),
    ("drops-retry-after", "Retry-After"),
    ("drops-warning", "Warning"),
    ("drops-body", "body"),
):
    case(_fault, list(DETAILS), [name for name in DETAILS if name != _lost])(details)


@case("drops-unknown-headers", (["Q.850;cause=17"], ["inactive"]), (["Q.850;cause=17"], []))
def _(stage: Stage) -> object:
    stage.phone("desk", (486, {"Reason": "Q.850;cause=17", "P-Early-Media": "inactive"}))
    stage.call()
    [told] = stage.alice.messages("486")
    return told.all("reason"), told.all("p-early-media")


@case("heeds-require", (["INVITE"], [486]), ([], [420]))
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 486)
    stage.call(Require="100rel")
    return desk.got[:1], stage.alice.finals


@case("answers-within-the-call", (["INFO"], True), ([], True))
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 200)
    stage.call()
    stage.within("INFO", stage.alice.heard[-1][1])
    stage.run(1)
    stage.within("BYE", stage.alice.messages("200")[0])
    stage.run(1)
    return [m.method for m in desk.messages("INFO")], bool(desk.messages("BYE"))


@case("drops-reason-of-bye", ["Q.850;cause=16"], [])
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 200)
    stage.call()
    stage.within("BYE", stage.alice.heard[-1][1], ("Reason", "Q.850;cause=16"))
    stage.run(1)
    [bye] = desk.messages("BYE")
    return bye.all("reason")


@case("records-no-route", True, False)
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 200)
    stage.call()
    stage.within("BYE", stage.alice.heard[-1][1])
    stage.run(1)
    [bye] = desk.messages("BYE")
    return len(bye.all("via")) == 2


@case("counts-no-hops", "9", "10")
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 486)
    stage.call(Max_Forwards="10")
    return desk.messages("INVITE")[0].get("max-forwards")


@case("ignores-max-forwards", ([483], []), ([486], ["INVITE", "ACK"]))
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 486)
    stage.call(Max_Forwards="0")
    return stage.alice.finals, desk.got


@case("forwards-loops", [482], [483])
def _(stage: Stage) -> object:
    stage.register(f"sip:bob@{HERE[0]}:{HERE[1]}")
    stage.call(Max_Forwards="5")
    return stage.alice.finals


@case("ignores-proxy-require", ([420], []), ([486], ["INVITE", "ACK"]))
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 486)
    stage.call(Proxy_Require="foo")
    return stage.alice.finals, desk.got


@case("answers-408-to-others", [], ["408"])
def _(stage: Stage) -> object:
    desk = stage.phone("desk")
    desk.steps["OPTIONS"] = []
    stage.alice.request("OPTIONS", stage.bob)
    stage.run(40)
    return stage.alice.got[1:]


@case("keeps-expired-contacts", ([480], []), ([486], ["INVITE", "ACK"]))
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 486)
    stage.register(desk.uri, expires=2)
    stage.run(3)
    stage.call()
    return stage.alice.finals, desk.got


@case("ignores-unregistration", ([480], []), ([486], ["INVITE", "ACK"]))
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 486)
    stage.register(desk.uri, expires=0)
    stage.call()
    return stage.alice.finals, desk.got


@case("ignores-q", [], ["INVITE", "ACK"])
def _(stage: Stage) -> object:
    stage.phone("desk", 200, q=0.9)
    tablet = stage.phone("tablet", 486, q=0.1)
    stage.call()
    return tablet.got


@case("rings-one-phone-only", ["INVITE", "ACK"], [])
def _(stage: Stage) -> object:
    stage.phone("desk", 486)
    mobile = stage.phone("mobile", 486)
    stage.call()
    return mobile.got


@case("challenges-with-401", ["407"], ["401"])
def _(stage: Stage) -> object:
    stage.alice.request("INVITE", stage.bob)
    stage.run(1)
    return stage.alice.got[:1]


@case("accepts-any-password", ["407"], ["480"])
def _(stage: Stage) -> object:
    stage.alice.request("INVITE", stage.bob)
    stage.run(0.1)
    challenge = Challenge.parse(stage.alice.heard[0][1].get("proxy-authenticate") or "")
    wrong = authorization(challenge, username="alice", password="wrong", method="INVITE", uri=stage.bob)
    other = Caller(stage, "carol")
    other.request("INVITE", stage.bob, Proxy_Authorization=wrong)
    stage.run(0.1)
    return other.got[:1]


def registered(stage: Stage, *contacts: str, to: str = "", **headers: str) -> list[str]:
    """The code of a REGISTER for bob, and who rings when he is called afterwards."""
    domain = f"sip:{HERE[0]}:{HERE[1]}"
    own = Caller(stage, "mallory")
    own.request("REGISTER", domain, to=to or f"<{stage.bob}>", Contact=", ".join(contacts), Call_ID="m", **headers)
    stage.run(0.1)
    codes = [str(message.code) for _, message in own.heard]
    stage.call(1)
    return [*codes, *(peer.name for peer in stage.peers.values() if "INVITE" in peer.got)]


@case("takes-any-star", ["400", "desk"], ["200"])
def _(stage: Stage) -> object:
    stage.phone("desk", 486)
    return registered(stage, "*", Expires="60")


@case("takes-old-registers", (["500"], ["desk"]), (["200"], []))
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 486)
    stage.register(desk.uri, Call_ID="same", CSeq="7 REGISTER")
    old = stage.register(desk.uri, expires=0, Call_ID="same", CSeq="6 REGISTER")
    codes = [m.code for _, m in stage.alice.heard if m.branch == old.branch]
    stage.call(1)
    return [str(code) for code in codes], ["desk"] if "INVITE" in desk.got else []


@case("registers-by-halves", ["400"], ["400", "desk"])
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 486)
    stage.register(desk.uri, expires=0)
    return registered(stage, f"<{desk.uri}>", "<tel:+49>")


@case("registers-for-others", "403", "200")
def _(stage: Stage) -> object:
    domain = f"sip:{HERE[0]}:{HERE[1]}"
    own = Caller(stage, "mallory")
    own.request("REGISTER", domain, to=f"<{stage.bob}>")
    stage.run(0.1)
    challenge = Challenge.parse(own.heard[0][1].get("www-authenticate") or "")
    hers = authorization(challenge, username="mallory", password="secret", method="REGISTER", uri=domain)
    own.request("REGISTER", domain, to=f"<{stage.bob}>", Contact="<sip:m@127.0.0.1:6009>", Authorization=hers)
    stage.run(0.1)
    return own.got[-1]


@case("registers-foreign-domains", ["404"], ["200"])
def _(stage: Stage) -> object:
    return registered(stage, "<sip:x@127.0.0.1:6999>", to="<sip:carol@elsewhere.example>")


@case("adds-no-max-forwards", ["70"], [None])
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 486)
    invite = stage.alice.request("MESSAGE", stage.bob)
    stage.run(0.1)
    desk.heard.clear()
    stage.alice.send(invite.data.replace(b"Max-Forwards: 70\r\n", b"").replace(invite.branch.encode(), b"z9hG4bKother"))
    stage.run(0.1)
    return [message.get("max-forwards") for message in desk.messages("MESSAGE")]


@case("passes-retransmissions-on", 1, 3)
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 180)
    invite = stage.call(0.1)
    for _ in range(2):
        stage.alice.send(invite.data)
    stage.run(0.1)
    return len(desk.messages("INVITE"))


@case("refuses-unknown-methods", (["200"], ["TELEPORT"]), (["501"], []))
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 486)
    stage.alice.heard.clear()
    stage.alice.request("TELEPORT", stage.bob)
    stage.run(0.1)
    return stage.alice.got, desk.got


@case("tells-nothing-of-itself", ["Allow", "Accept", "Supported"], [])
def _(stage: Stage) -> object:
    stage.alice.request("OPTIONS", f"sip:{HERE[0]}:{HERE[1]}")
    stage.run(0.1)
    [answer] = stage.alice.messages("200")
    return [name for name in ("Allow", "Accept", "Supported") if answer.get(name) is not None]


@case("cancels-what-has-ended", ["INVITE", "ACK"], ["INVITE", "ACK", "CANCEL"])
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 486)
    invite = stage.call(0.5)
    stage.alice.cancel(invite)
    stage.run(0.5)
    assert [m.code for _, m in stage.alice.heard if m.cseq[1] == "CANCEL"] == [200]
    return desk.got[:3]


@case("accepts-any-cancel", [481], [200])
def _(stage: Stage) -> object:
    stage.phone("desk", 486)
    stage.alice.request("CANCEL", stage.bob)
    stage.run(0.1)
    return [m.code for _, m in stage.alice.heard if m.cseq[1] == "CANCEL"]


@case("refuses-merged-requests", ([486], 2), ([482, 486], 1))
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 0.1, 486)
    invite = stage.call(0.05)
    stage.alice.send(invite.data.replace(invite.branch.encode(), b"z9hG4bKother"))
    stage.run(1)
    return sorted(set(stage.alice.finals)), len({m.branch for m in desk.messages("INVITE")})


def redirecting(stage: Stage, *contacts: str, code: int = 302) -> Phone:
    """Bob's phone forwards the call, and that is followed."""
    stage.proxy.core.router.wish("bob", ["recursion"])
    return stage.phone("desk", 180, (code, {"Contact": ", ".join(contacts)}))


@case("sends-redirected-calls-back", ([200], 1, 1), ([302], 2, 0))
def _(stage: Stage) -> object:
    mobile = Phone(stage, "mobile", [200], [])
    desk = redirecting(stage, f"<{mobile.uri}>")
    stage.call()
    return stage.alice.finals, len(desk.messages("INVITE")), len(mobile.messages("INVITE"))


@case("follows-redirects-in-circles", ([302], 1), ([302], 12))
def _(stage: Stage) -> object:
    desk = redirecting(stage, f"<{stage.bob}>")
    stage.call()
    return stage.alice.finals, len(desk.messages("INVITE"))


@case("follows-first-contact-only", ([200], ["INVITE", "ACK"]), ([486], []))
def _(stage: Stage) -> object:
    mobile, tablet = Phone(stage, "mobile", [486], []), Phone(stage, "tablet", [200], [])
    redirecting(stage, f"<{tablet.uri}>;q=0.1", f"<{mobile.uri}>;q=0.9", code=300)
    stage.call()
    for answer in stage.alice.messages("200")[-1:]:
        if answer.cseq[1] == "INVITE":
            stage.ack_answer(answer)
    stage.run(0.1)
    return stage.alice.finals, tablet.got


@case("takes-305-for-302", ("desk", ["<sip:edge@127.0.0.1:6001;lr>"]), ("edge", []))
def _(stage: Stage) -> object:
    edge = Phone(stage, "edge", [200], [])
    redirecting(stage, f"<{edge.uri}>", code=305)
    stage.call()
    [invite, *_] = edge.messages("INVITE")
    return parse_uri(invite.uri).user, invite.all("route")


@case("follows-redirects-to-premium-numbers", ([302], []), ([200], ["INVITE"]))
def _(stage: Stage) -> object:
    g1 = Phone(stage, "g1", [200], [])
    redirecting(stage, f"<{g1.uri.replace('g1@', '0900123@')}>")
    stage.call(0.5)
    return stage.alice.finals, g1.got[:1]


@case("waits-after-empty-redirect", [0.0], [2.3])
def _(stage: Stage) -> object:
    redirecting(stage, "<tel:+49301234>", "<mailto:bob@x>")
    stage.call()
    return [round(at - 0.01, 1) for at, m in stage.alice.heard if m.code >= 300]


@case("follows-sips-in-the-clear", [], ["INVITE"])
def _(stage: Stage) -> object:
    mobile = Phone(stage, "mobile", [486], [])
    redirecting(stage, f"<{mobile.uri.replace('sip:', 'sips:')}>")
    stage.call()
    return mobile.got[:1]


@case("keeps-uri-headers", "sip:mobile@127.0.0.1:{};x=1", "sip:mobile@127.0.0.1:{};method=BYE;x=1?Subject=a")
def _(stage: Stage) -> object:
    mobile = Phone(stage, "mobile", [486], [])
    redirecting(stage, f"<{mobile.uri};method=BYE;x=1?Subject=a>")
    stage.call()
    return mobile.messages("INVITE")[0].uri.replace(str(mobile.address[1]), "{}")


@case("keeps-one-reason", ["Q.850;cause=18", "SIP;cause=408"], ["Q.850;cause=18"])
def _(stage: Stage) -> object:
    stage.phone("desk", (480, {"Reason": "Q.850;cause=18, SIP;cause=408"}))
    stage.call()
    return [one for value in stage.alice.messages("480")[0].all("reason") for one in split_list(value)]


@case("drops-headers-of-requests", ["<sip:1@x>", "Kept"], [None, "Kept"])
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 486)
    stage.call(P_Asserted_Identity="<sip:1@x>", Subject="Kept")
    [invite] = desk.messages("INVITE")
    return [invite.get("p-asserted-identity"), invite.get("subject")]


@case("consumes-foreign-credentials", ["desk", "gate"], [None, None])
def _(stage: Stage) -> object:
    desk = stage.phone("desk", 486)
    stage.call(Authorization='Digest realm="desk"', Proxy_Authorization='Digest realm="gate"')
    [invite] = desk.messages("INVITE")
    found = [invite.get("authorization"), invite.get("proxy-authorization")]
    return [value and value.partition('"')[2][:4] for value in found]


@case("answers-for-the-caller", ([407], [None]), ([407], [None, True]))
def _(stage: Stage) -> object:
    desk = stage.phone("desk", (407, {"Proxy-Authenticate": 'Digest realm="desk", nonce="n"'}))
    stage.call()
    given = [message.get("proxy-authorization") for message in desk.messages("INVITE")]
    assert len({message.branch for message in desk.messages("INVITE")}) == len(given)
    return stage.alice.finals, [value and value.startswith('Digest username="proxy", realm="desk"') for value in given]


@case("lists-one-contact-only", ["desk", "spare"], ["spare"])
def _(stage: Stage) -> object:
    stage.phone("desk", 486)
    stage.alice.heard.clear()
    stage.register("sip:spare@127.0.0.1:6999")
    return [parse_uri(uri_text(value)).user for value in stage.alice.messages("200")[0].all("contact")]


@case("records-routes-of-registrations", [], ["<sip:edge;lr>"])
def _(stage: Stage) -> object:
    stage.register("sip:spare@127.0.0.1:6999", Record_Route="<sip:edge;lr>")
    return stage.alice.messages("200")[0].all("record-route")


@case("refuses-registrations-with-603", ["404"], ["603"])
def _(stage: Stage) -> object:
    return registered(stage, "<sip:x@127.0.0.1:6999>", to="<sip:carol@elsewhere.example>")


@case("counts-any-answer-to-a-probe", [200], [201])
def _(stage: Stage) -> object:
    """What answers another transaction is nothing to this one: the probe is given up, and so is the carrier."""
    g1, g2 = Phone(stage, "g1", [201], []), Phone(stage, "g2", [200], [])
    g1.steps["OPTIONS"] = []
    targets = [Target(phone.uri, 1 - 0.5 * i, phone.name) for i, phone in enumerate((g1, g2))]
    Prober(stage.proxy.core, stage.proxy.core.router.add("bob", targets))
    stage.run(0.6)
    [probe] = g1.messages("OPTIONS")
    answer = build.response(probe, 200, "OK", source=HERE, tag="g1")
    g1.send(answer.replace(probe.branch.encode(), b"z9hG4bKother"))
    stage.run(0.7)
    stage.call(2)
    return stage.alice.finals


def brief(stage: Stage, expires: int) -> list[str]:
    """What a registration for so long is told where 30 s are wanted."""
    stage.proxy.core.registrar.demand("bob", 30)
    stage.register("sip:spare@127.0.0.1:6999", expires=expires)
    [answer] = [message for _, message in stage.alice.heard]
    return [str(answer.code), *answer.all("min-expires")]


@case("forgets-min-expires", ["423", "30"], ["423"])
def _(stage: Stage) -> object:
    return brief(stage, 29)


@case("refuses-to-unregister", ["200"], ["423", "30"])
def _(stage: Stage) -> object:
    return brief(stage, 0)


def too_many(stage: Stage, *contacts: str) -> list[str]:
    stage.proxy.core.registrar.limit("bob", 2, 403)
    for contact in contacts:
        stage.register(f"sip:{contact}@127.0.0.1:6999")
    return stage.alice.got


@case("keeps-any-number-of-contacts", ["200", "200", "403"], ["200", "200", "200"])
def _(stage: Stage) -> object:
    return too_many(stage, "a", "b", "c")


@case("refuses-refreshes-when-full", ["200", "200", "200"], ["200", "200", "403"])
def _(stage: Stage) -> object:
    return too_many(stage, "a", "b", "a")


def private(stage: Stage, privacy: str) -> list[int]:
    stage.proxy.core.router.wish("bob", ["anonymous-rejection"])
    stage.phone("desk", 200)
    stage.call(Privacy=privacy)
    return stage.alice.finals


@case("takes-anonymous-calls", [433], [200])
def _(stage: Stage) -> object:
    return private(stage, "header;id")


@case("takes-any-privacy-for-anonymous", [200], [433])
def _(stage: Stage) -> object:
    return private(stage, "none")


@case("says-603-to-anonymous-calls", [433], [603])
def _(stage: Stage) -> object:
    return private(stage, "user")


@case("forgets-path", (["INVITE"], ["<sip:127.0.0.1:6001;lr>"]), ([], []))
def _(stage: Stage) -> object:
    edge = Phone(stage, "edge", [486], [])
    assert edge.address == ("127.0.0.1", 6001)
    stage.register("sip:inside@127.0.0.1:6999", Path="<sip:127.0.0.1:6001;lr>", Supported="path")
    stage.call()
    return edge.got[:1], [route for message in edge.messages("INVITE")[:1] for route in message.all("route")]


INSTANCE = ';reg-id=1;+sip.instance="<urn:uuid:1>"'


@case("takes-flows-from-any-hop", ["200", "439"], ["200", "200"])
def _(stage: Stage) -> object:
    """Once by itself, once from behind a proxy."""
    contact = f"<sip:inside@127.0.0.1:6999>{INSTANCE}"
    domain = f"sip:{HERE[0]}:{HERE[1]}"
    first = stage.alice.request("REGISTER", domain, to=f"<{stage.bob}>", Contact=contact, Supported="outbound")
    stage.run(0.1)
    behind = b"\r\nVia: SIP/2.0/UDP 127.0.0.1:6998;branch=z9hG4bKbehind\r\nFrom:"
    again = first.data.replace(b"\r\nFrom:", behind).replace(b"call-", b"other-")
    stage.alice.send(again.replace(first.branch.encode(), b"z9hG4bKother"))
    stage.run(0.1)
    return stage.alice.got


@case("keeps-contacts-of-an-instance", ["new"], ["old", "new"])
def _(stage: Stage) -> object:
    for name in ("old", "new"):
        stage.alice.heard.clear()
        contact = f"<sip:{name}@127.0.0.1:6999>{INSTANCE}"
        domain = f"sip:{HERE[0]}:{HERE[1]}"
        stage.alice.request("REGISTER", domain, to=f"<{stage.bob}>", Contact=contact, Supported="path, outbound")
        stage.run(0.1)
    [answer] = stage.alice.messages("200")
    assert answer.all("require") == ["outbound"]
    return [parse_uri(uri_text(value)).user for value in answer.all("contact")]


def by_two_flows(stage: Stage, first: int, second: int) -> tuple[list[int], list[int]]:
    """What alice is told, and how often each of the flows of a phone is tried: the later one first."""
    edges = [Phone(stage, f"edge{number}", [0.1, code], []) for number, code in ((1, second), (2, first))]
    for number, edge in enumerate(edges, 1):
        instance = f';reg-id={number};+sip.instance="<urn:uuid:1>"'
        domain = f"sip:{HERE[0]}:{HERE[1]}"
        contact = f"<{edge.uri}>{instance}"
        stage.alice.request("REGISTER", domain, to=f"<{stage.bob}>", Contact=contact, Supported="path, outbound")
        stage.run(0.1)
    stage.call()
    return sorted(stage.alice.finals), [edge.got.count("INVITE") for edge in reversed(edges)]


@case("forks-to-all-flows", ([200], [1, 0]), ([200, 201], [1, 1]))
def _(stage: Stage) -> object:
    return by_two_flows(stage, 200, 201)


@case("gives-up-with-one-flow", ([200], [1, 1]), ([430], [1, 0]))
def _(stage: Stage) -> object:
    return by_two_flows(stage, 430, 200)


@case("tries-other-flows-after-any-failure", ([486], [1, 0]), ([200], [1, 1]))
def _(stage: Stage) -> object:
    return by_two_flows(stage, 486, 200)


@case("strips-contact-parameters", "sip:desk@{};pn-prid=1", "sip:desk@{}")
def _(stage: Stage) -> object:
    desk = Phone(stage, "desk", [486], [])
    stage.register(f"{desk.uri};pn-prid=1")
    stage.call()
    return desk.messages("INVITE")[0].uri.replace("{}:{}".format(*desk.address), "{}")


@case("fails-over-after-ringing", ([500], []), ([200], ["INVITE"]))
def _(stage: Stage) -> object:
    stage.proxy.core.router.wish("bob", ["stays-after-ringing"])
    stage.carrier("g1", 180, 0.1, 503, q=0.9)
    g2 = stage.carrier("g2", 200, q=0.1)
    stage.call()
    return stage.alice.finals, g2.got[:1]


@case("bars-emergency-calls", [500, 500, 200], [500, 500, 500])
def _(stage: Stage) -> object:
    g1 = stage.carrier("g1", (503, {"Retry-After": "60"}))
    stage.call()
    g1.steps["INVITE"] = [200]
    stage.call()
    stage.call(Resource_Priority="esnet.1")
    return [m.code for _, m in stage.alice.heard if m.code >= 200]
