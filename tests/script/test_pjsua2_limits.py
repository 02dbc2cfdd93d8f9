"""What the pjsua2 stack cannot carry out. That the tables are true is shown on the wire (tests/agents)."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from sip_harness.model.pattern import Event, RequestPattern, ResponsePattern, Trigger
from sip_harness.model.place import Place
from sip_harness.model.scenario import Account, Call, Device
from sip_harness.model.script import Case, Loss, Reaction, Script, When
from sip_harness.model.steps import (
    PLAIN,
    After,
    Challenge,
    Delivery,
    Disconnect,
    ForwardBack,
    HangUp,
    Mutation,
    NoTrying,
    Raw,
    Request,
    Send,
    Silence,
    Step,
    Unregister,
    Wait,
)
from sip_harness.script import pjsua2_beyond as beyond
from sip_harness.script import pjsua2_limits as limits
from sip_harness.script.pjsua2_limits import (
    ALLOW,
    SUPPORTED,
    Obstacle,
    call_obstacles,
    device_obstacles,
    obstacles,
    stack_adds,
    to_add,
)
from sip_harness.sip.codes import CODES, default_headers

EVENT = Event("mobile", "sends", ResponsePattern(frozenset({180})))
RINGING = Send(180, "Ringing")
BUSY = Send(486, "Busy Here")
OK = Send(200, "OK")
A, B = ("X-A", "1"), ("X-B", "2")


def reasons(*steps: Step) -> list[str]:
    return [o.reason for o in obstacles(Script((steps,)))]


def reason(*steps: Step) -> str:
    [found] = reasons(*steps)
    return found


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (BUSY,),
        (RINGING, Wait(1), After(EVENT), BUSY),
        (RINGING, OK, Wait(1), HangUp()),
        (OK, HangUp()),
        (Send(100, "Trying again"), Send(183, "Progress"), RINGING, Send(699, "x")),
        (Send(180, "R", (A,)), Send(486, "B", (A, B))),
        (Send(302, "Moved", (("Contact", "<sip:a@b>"), ("Contact", "<sip:c@d>"))),),
        (Send(405, "No", (("Allow", ALLOW),)),),
        (Send(200, "OK", (("Supported", SUPPORTED), ("allow", ALLOW))),),
        (Send(422, "Too small", (("Min-SE", "1800"),)),),
        (Send(600, "größer: 100 %"),),
        (Send(180, "R", body="x", content_type="text/plain"), OK),
        (Send(603, "D", body="x", content_type="a/b;c=d"),),
        (Send(486, "B", omit=frozenset({"server", "date"})),),
        (Send(500, "x" * 1000, (("X", "y" * 2000),)),),
    ],
)
def test_scripts_without_obstacles(steps: tuple[Step, ...]) -> None:
    assert reasons(*steps) == []


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (Silence(), "it always answers an INVITE with 100"),
        (NoTrying(), "it always answers an INVITE with 100"),
        (Unregister(), "it stays registered until the run is over"),
        (ForwardBack(), "it hands no call on"),
        (Raw(b"SIP/2.0", "f"), "it sends no bytes as they stand"),
        (Request("INFO"), "it sends nothing of its own in a call but BYE"),
        (Disconnect("close"), "its port stays open"),
        (HangUp(), "it sends BYE only in a call that it has answered"),
        (Send(99, "x"), "it has no response 99: codes go from 100 to 699"),
        (Send(700, "x"), "it has no response 700: codes go from 100 to 699"),
        (Send(486, ""), "it puts a reason phrase of its own where there is none"),
        (Send(486, "a\r\nb"), "a reason phrase with a line end, a NUL or bytes that are no UTF-8"),
        (Send(486, "a\nb"), "a reason phrase with a line end, a NUL or bytes that are no UTF-8"),
        (Send(486, "a\0b"), "a reason phrase with a line end, a NUL or bytes that are no UTF-8"),
        (Send(486, "\udcff"), "a reason phrase with a line end, a NUL or bytes that are no UTF-8"),
        (Send(486, "ü" * 501), "a reason phrase of more than 1000 bytes"),
        (Send(486, "B", (("X", "a\rb"),)), "a value of X with a line end, a NUL or bytes that are no UTF-8"),
        (Send(486, "B", (("X Y", "z"),)), "'X Y' is no header name"),
        (Send(486, "B", (("", "z"),)), "'' is no header name"),
        (Send(486, "B", (("X:\r\nY", "z"),)), "'X:\\r\\nY' is no header name"),
        (Send(486, "B", (("v", "z"),)), "it sends v as it sees fit"),
        (Send(486, "B", (("X", "y" * 3600),)), "a response with more than 3500 bytes of text may not be sent at all"),
        (Send(183, "P", body="x", content_type="a/b"), "it sends SDP of its own in a 183 and no other body"),
        (Send(200, "P", body="x", content_type="a/b"), "it sends SDP of its own in a 200 and no other body"),
        (Send(486, "P", body="x"), "it does not send '' as a content type"),
        (Send(486, "P", body="x", content_type="a/b\r\nc: d"), "it does not send 'a/b\\r\\nc: d' as a content type"),
        (Send(486, "P", body="\0", content_type="a/b"), "a body with a NUL or bytes that are no UTF-8"),
        (Send(486, "B", to="INVITE"), "it sends no response to INVITE in answer to something else"),
        (Send(486, "B", how=Delivery(copies=2)), "it sends a message once at a time"),
        (Send(302, "M", omit=frozenset({"contact"})), "it cannot leave Contact out of a 302"),
        (Send(405, "M", omit=frozenset({"allow"})), "it cannot leave Allow out of a 405"),
        (Send(200, "M", omit=frozenset({"k"})), "it cannot leave Supported out of a 200"),
        (Send(486, "M", omit=frozenset({"l"})), "it cannot leave Content-Length out of a 486"),
        (Send(405, "N", (("Allow", "INVITE"),)), "it adds its own Allow to a 405"),
        (Send(180, "N", (("Contact", "<sip:a@b>"),)), "it adds its own Contact to a 180"),
        (Send(302, "N", (("m", "<sip:a@b>"),)), "it adds its own Contact to a 302"),
        (Send(200, "N", (("Supported", "x"),)), "it adds its own Supported to a 200"),
    ],
)
def test_single_obstacles(step: Step, why: str) -> None:
    assert reason(step) == why


@pytest.mark.parametrize("name", ["Via", "from", "To", "Call-ID", "CSeq", "Content-Length", "Max-Forwards", "i", "c"])
def test_headers_that_belong_to_the_stack(name: str) -> None:
    assert reason(Send(486, "B", ((name, "x"),))) == f"it sends {name} as it sees fit"


def test_headers_of_an_earlier_response_stay() -> None:
    why = "headers of the 180 (X-A) stay in the 486, which does not begin with them"
    early = Send(180, "R", (A,))
    assert reason(early, BUSY) == why
    assert reason(early, Send(486, "B", (B, A))) == why
    assert reason(early, Send(486, "B", (("X-A", "2"),))) == why
    assert reason(early, Send(181, "F", (A, B)), Send(486, "B", (A,))).startswith("headers of the 181 (X-A, X-B)")


def test_what_the_stack_added_earlier_stays_too() -> None:
    assert reason(RINGING, Send(486, "B", (("Allow", "INVITE"),))) == "it adds its own Allow to a 486"
    assert reasons(RINGING, Send(486, "B", (("Allow", ALLOW),))) == []
    assert reason(RINGING, Send(486, "B", omit=frozenset({"allow"}))) == "it cannot leave Allow out of a 486"
    assert reason(Send(101, "x", (("Allow", ALLOW),)), Send(180, "R", (("Allow", ALLOW),))) == (
        "it adds its own Allow to a 180"
    )


def test_a_body_of_an_earlier_response_stays() -> None:
    early = Send(180, "R", body="x", content_type="a/b")
    assert reason(early, Send(181, "F")) == "the body of the 180 stays in the 181"
    assert reasons(early, Send(181, "F", body="x", content_type="a/b")) == []
    assert reason(early, Send(181, "F", body="y", content_type="a/b")) == "the body of the 180 stays in the 181"
    assert reasons(early, BUSY) == []
    assert reason(Send(183, "P"), Send(180, "R", body="x", content_type="a/b")).startswith("it sends SDP of its own")


def test_nothing_follows_a_final_response() -> None:
    assert reason(BUSY, RINGING) == "it sends nothing more to an INVITE that it has answered with 486"
    assert len(reasons(OK, BUSY, BUSY)) == 2
    assert reason(BUSY, HangUp()) == "it sends BYE only in a call that it has answered"


def test_every_attempt_is_looked_at_and_places_are_kept() -> None:
    place = Place("a.sip.yaml", 7, 3)
    found = obstacles(Script(((BUSY,), (RINGING, Silence(place)))))
    assert found == [Obstacle("it always answers an INVITE with 100", place)]
    assert str(found[0]) == "a.sip.yaml:7:3: it always answers an INVITE with 100"
    assert str(Obstacle("why")) == "why"


def test_reactions_and_losses_are_beyond_it() -> None:
    place = Place("a", 1, 1)
    script = Script(
        ((BUSY,),), (Reaction("CANCEL", ((Silence(),),), place),), (Loss(RequestPattern("ACK"), place=place),)
    )
    assert obstacles(script) == [
        Obstacle("it answers CANCEL as it sees fit", place), Obstacle("it hears every message, ACK too", place),
    ]  # fmt: skip


def test_it_asks_for_nothing_and_looks_into_no_call() -> None:
    place = Place("a", 1, 1)
    asks = Script(((Challenge(place=place), BUSY),), cases=(Case(When(user="b"), (BUSY,), place),))
    assert obstacles(asks) == [
        Obstacle("it asks nobody for credentials", place),
        Obstacle("it answers calls by their number and looks into none", place),
    ]


@pytest.mark.parametrize(
    ("code", "earlier", "names"),
    [
        (100, (), ()),
        (101, (), ("Contact",)),
        (180, (), ("Contact", "Allow")),
        (181, (), ("Contact", "Allow")),
        (182, (), ("Contact", "Allow", "Content-Type")),
        (183, (), ("Contact", "Allow", "Content-Type")),
        (190, (), ("Contact",)),
        (200, (), ("Contact", "Allow", "Supported", "Content-Type")),
        (302, (), ("Contact",)),
        (404, (), ()),
        (405, (), ("Allow",)),
        (485, (), ("Contact",)),
        (486, (), ()),
        (486, (180,), ("Allow",)),
        (180, (183,), ("Contact", "Allow", "Content-Type")),
        (302, (183,), ("Contact", "Allow")),
        (699, (101,), ()),
    ],
)
def test_what_the_stack_adds(code: int, earlier: tuple[int, ...], names: tuple[str, ...]) -> None:
    assert stack_adds(code, earlier) == names


def test_headers_to_hand_over_are_those_that_are_not_there_yet() -> None:
    early = Send(180, "R", (A, ("Allow", ALLOW)))
    late = Send(200, "OK", (A, ("Allow", ALLOW), B, ("Supported", SUPPORTED)))
    assert reasons(early, late) == []
    assert to_add(early, []) == (A,)
    assert to_add(late, [early]) == (B,)
    moved = Send(302, "M", (A, ("Contact", "<sip:a@b>")))
    assert to_add(moved, []) == moved.headers


@pytest.mark.parametrize("code", sorted(c for c in CODES if isinstance(c, int)))
def test_registered_codes_with_their_default_headers(code: int) -> None:
    """Only those whose default headers the stack writes itself are left to the other stack."""
    found = reasons(Send(code, "Reason", default_headers(code, "127.0.0.1")))
    names = {n.lower() for n, _ in default_headers(code, "127.0.0.1")}
    assert bool(found) == bool(
        names & ({n.lower() for n in stack_adds(code)} - ({"contact"} if code >= 300 else set()))
    )


CALL = Call("c", "alice", "bob", Trigger(delay=1), Trigger(EVENT), (("P-Asserted-Identity", "<sip:x@y>"),))


def test_a_call_without_obstacles() -> None:
    assert call_obstacles(CALL) == []


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"headers": (("Contact", "x"),)}, "it adds its own Contact to an INVITE"),
        ({"headers": (("k", "x"),)}, "it adds its own k to an INVITE"),
        ({"headers": (("Route", "a\nb"),)}, "a value of Route with a line end, a NUL or bytes that are no UTF-8"),
        ({"headers": (("f", "x"),)}, "it sends f as it sees fit"),
        ({"headers": (("X", "y" * 2600),)}, "an INVITE with more than 2500 bytes of headers may not be sent at all"),
        ({"transport": "tcp"}, "it has no tcp here, only udp"),
        ({"method": "OPTIONS"}, "it makes calls only, no OPTIONS of its own"),
        (
            {"then": (Request("INFO", place=Place("a", 2, 3)), HangUp())},
            "it sends nothing of its own in a call but BYE",
        ),
        ({"early": (Request("UPDATE", place=Place("a", 2, 3)),)}, "it sends nothing of its own in a call but BYE"),
        ({"account": Account("wrong")}, "it proves itself with the account of the run only"),
        ({"uri": "tel:{user}"}, "it writes a Request-URI in its own form"),
        ({"body": "v=0"}, "an INVITE of its own has its own SDP"),
        ({"ack": "never"}, "it acknowledges an answer at once"),
        ({"prack": "never"}, "it acknowledges reliable provisionals at once"),
        ({"method": "OPTIONS", "transport": "udp"}, "it makes calls only, no OPTIONS of its own"),
    ],
)
def test_calls_with_obstacles(change: dict[str, object], why: str) -> None:
    place = Place("a", 2, 3)
    assert call_obstacles(dataclasses.replace(CALL, place=place, **change)) == [Obstacle(why, place)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("how", "why"),
    [
        (Delivery(to_tag=""), "it cannot leave out the To-tag"),
        (Delivery(to_tag="other"), "it puts the dialog's own To-tag into every response"),
        (Delivery(branch="other"), "it answers with the branch of the request"),
        (Delivery(cseq="OPTIONS"), "it answers with the CSeq of the request"),
        (Delivery(resend=()), "it retransmits as RFC 3261 says"),
        (Delivery(resend=(0.5,)), "it retransmits as RFC 3261 says"),
        (Delivery(copies=3), "it sends a message once at a time"),
        (Delivery(port="other"), "it sends from its own port only"),
        (Delivery(reliable=True), "its account asks for no PRACK"),
        (Delivery(media="tone"), "it sends no media that a script chooses"),
        (Delivery(mutations=(Mutation("strip", "To"),)), "it sends whole messages: it cannot strip To"),
        (Delivery(mutations=(Mutation("truncate", "40"),)), "it sends whole messages: it cannot truncate them"),
        (Delivery(pieces=(1,)), "it writes a message in one piece"),
    ],
)
def test_every_odd_delivery_is_an_obstacle(how: Delivery, why: str) -> None:
    place = Place("a", 2, 3)
    assert obstacles(Script(((Send(180, "R", place=place, how=how),),))) == [Obstacle(why, place)]


def test_no_field_of_a_delivery_is_forgotten() -> None:
    odd = Delivery("x", "other", "BYE", (1.0,), 2, "other", True, "tone", (Mutation("corrupt", "To"),), (1,))
    assert len(dataclasses.fields(Delivery)) == len(list(beyond.in_delivery(odd)))
    assert list(beyond.in_delivery(PLAIN)) == []


def test_no_step_but_the_ordinary_ones_is_carried_out() -> None:
    ordinary = {Send, Wait, After, HangUp}
    assert {kind for kind in get_args(Step) if kind not in ordinary} == set(beyond._STEPS)
    assert [beyond.in_step(step) for step in (OK, Wait(1), After(EVENT), HangUp())] == [""] * 4


def test_devices_for_the_other_stack() -> None:
    place = Place("a", 4, 3)
    plain = Device("desk", Script(((BUSY,),)), place=place)
    assert device_obstacles(plain) == []
    over_tcp = dataclasses.replace(plain, transport="tcp")
    assert device_obstacles(over_tcp) == [Obstacle("it has no tcp here, only udp", place)]
    [found] = device_obstacles(dataclasses.replace(plain, kind="carrier"))
    assert found.reason == "it stands for a registered telephone, and a carrier never registers"
    silent = dataclasses.replace(over_tcp, script=Script(((Silence(place),),)))
    assert [o.reason[:14] for o in device_obstacles(silent)] == ["it has no tcp ", "it always answ"]


def test_what_a_caller_reacts_to_and_is_deaf_to_is_beyond_it() -> None:
    script = Script(
        (),
        (Reaction("BYE", ((Send(481, "x"),),), Place("a", 1, 1)),),
        (Loss(ResponsePattern(frozenset({200})), 1, Place("a", 2, 2)),),
    )
    assert call_obstacles(dataclasses.replace(CALL, script=script)) == [
        Obstacle("it answers BYE as it sees fit", Place("a", 1, 1)),
        Obstacle("it hears every message, 200 too", Place("a", 2, 2)),
    ]


def test_the_limits_leave_room_for_what_the_caller_sends() -> None:
    assert limits.MAX_TEXT + 400 < 4000, "Via, From, To and Call-ID of the request come on top"
