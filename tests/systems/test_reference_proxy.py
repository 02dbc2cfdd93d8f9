"""The reference proxy on a made-up wire: what it does with requests and responses that are not the usual call."""

from __future__ import annotations

import pytest
from proxy_stage import HERE, Caller, Phone, Stage

from sip_harness.sip.message import build, parse
from sip_harness.systems.reference import forward


def test_ack_and_bye_of_an_answered_call_go_through_it() -> None:
    stage = Stage()
    desk = stage.phone("desk", 180, 200)
    stage.call(1)
    answer = stage.alice.messages("200")[-1]
    assert answer.all("record-route") == ["<sip:127.0.0.1:5060;lr>"]
    stage.ack_answer(answer)
    stage.within("BYE", answer)
    stage.run(1)
    assert desk.got == ["INVITE", "ACK", "BYE"]
    assert all(len(m.all("via")) == 2 and m.all("route") == [] for m in desk.messages("ACK") + desk.messages("BYE"))
    assert [m.cseq[1] for _, m in stage.alice.heard if m.code == 200] == ["REGISTER", "INVITE", "BYE"]


def test_between_transports_it_records_both_sides() -> None:
    stage = Stage()
    stage.phone("desk", 200, transport="tcp")
    stage.call(1)
    ours = "sip:127.0.0.1:5060"
    assert stage.alice.messages("200")[-1].all("record-route") == [f"<{ours};transport=tcp;lr>", f"<{ours};lr>"]


def test_a_strict_router_in_front_is_understood() -> None:
    headers = [("Route", "<sip:last@127.0.0.1:7000>")]
    request = parse(build("BYE sip:127.0.0.1:5060;lr SIP/2.0", headers))
    assert forward.past_us(request, HERE) == ("sip:last@127.0.0.1:7000", [])


def test_what_arrives_is_what_was_sent_but_for_the_hop() -> None:
    stage = Stage()
    desk = stage.phone("desk", 486)
    stage.call(1, X_Own="kept, as it is", Route=f"<sip:{HERE[0]}:{HERE[1]};lr>")
    [invite] = desk.messages("INVITE")
    assert invite.get("x-own") == "kept, as it is"
    assert invite.get("max-forwards") == "69"
    assert invite.all("route") == []
    assert invite.uri == desk.uri
    assert "rport=6000;" in invite.all("via")[1]
    assert len(stage.alice.messages("486")[0].all("via")) == 1


@pytest.mark.parametrize(
    ("method", "uri", "headers", "code"),
    [
        ("INVITE", "tel:+1", {}, "416"),
        ("INVITE", "sip:bob@127.0.0.1:9", {}, "403"),
        ("INVITE", "sip:bob@192.0.2.1", {}, "403"),
        ("INVITE", "sip:nobody@127.0.0.1:5060", {}, "480"),
        ("INVITE", "sip:bob@127.0.0.1:5060", {"Route": "<sip:127.0.0.1:9;lr>"}, "403"),
        ("INVITE", "sip:bob@127.0.0.1:5060", {"CSeq": "1 BYE"}, "400"),
        ("REGISTER", "sip:127.0.0.1:9", {}, "403"),
        ("CANCEL", "sip:bob@127.0.0.1:5060", {}, "481"),
        ("OPTIONS", "sip:127.0.0.1:5060", {}, "200"),
        ("OPTIONS", "sip:nobody@127.0.0.1:5060", {}, "480"),
    ],
)
def test_requests_that_it_answers_itself(method: str, uri: str, headers: dict[str, str], code: str) -> None:
    stage = Stage()
    stage.alice.request(method, uri, **headers)
    stage.run(0.1)
    assert stage.alice.got == [code]


def test_a_cancel_that_comes_too_late_changes_nothing() -> None:
    stage = Stage()
    desk = stage.phone("desk", 200)
    invite = stage.call(1)
    stage.alice.cancel(invite)
    stage.run(1)
    assert desk.got == ["INVITE"]
    assert stage.alice.heard[-1][1].cseq[1] == "CANCEL"


def test_the_callers_reason_goes_with_the_cancel() -> None:
    stage = Stage()
    desk = stage.phone("desk", 180)
    invite = stage.call(0.1)
    kept = [(f.name, f.value) for f in invite.fields if f.key in ("via", "from", "to", "call-id")]
    cancel = build(f"CANCEL {invite.uri} SIP/2.0", [*kept, ("CSeq", "1 CANCEL"), ("Reason", "SIP;cause=200")])
    stage.alice.send(cancel)
    stage.run(1)
    assert desk.messages("CANCEL")[0].all("reason") == ["SIP;cause=200"]


def test_nothing_leaves_the_machine() -> None:
    stage = Stage()
    for uri in ("sip:x@192.0.2.1", "sip:x@example.com", "sips:x@127.0.0.1:7000", "sip:x@127.0.0.1:7000;transport=tls"):
        stage.register(uri)
    sent: list[object] = []
    stage.carry = lambda data, remote: sent.append(remote)  # type: ignore[method-assign]
    stage.call(1)
    assert set(sent) == {stage.alice.address}
    assert sum("nothing is sent there" in line for line in stage.lines) == 4


def test_responses_that_are_none_are_dropped() -> None:
    stage = Stage()
    desk = stage.phone("desk", 180, 0.1, 486)
    stage.call(0.05)
    invite = desk.messages("INVITE")[0]
    head = [(f.name, f.value) for f in invite.fields if f.key in ("via", "from", "to", "call-id", "cseq")]
    desk.send(build("SIP/2.0 799 X", head))
    desk.send(build("SIP/2.0 200 OK", [*head, ("Content-Length", "100")]))
    stage.run(1)
    assert stage.alice.finals == [486]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_device_that_is_not_there_does_not_end_the_others(transport: str) -> None:
    stage = Stage()
    gone = stage.phone("desk", transport=transport)
    stage.closed.add(gone.address)
    mobile = stage.phone("mobile", 180, 0.3, 200)
    stage.call(5)
    assert stage.alice.finals == [200]
    assert mobile.got == ["INVITE"]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_who_alone_is_not_there_is_a_503_that_becomes_a_500_at_once(transport: str) -> None:
    stage = Stage()
    stage.closed.add(stage.phone("desk", transport=transport).address)
    begin = stage.clock.now()
    stage.call(5)
    assert stage.alice.finals == [500]
    assert stage.alice.times("500")[0] - begin < 0.02


def test_a_response_that_reaches_nobody_changes_nothing_else() -> None:
    """RFC 3261 16.9: it is dropped, and no other branch hears of it."""
    stage = Stage()
    desk = stage.phone("desk", 180, 0.3, 200)
    stage.clock.after(0.002, lambda: stage.closed.add(stage.alice.address))  # before the 180
    stage.clock.after(0.2, stage.closed.clear)
    stage.call(5)
    assert desk.got[:1] == ["INVITE"]
    assert "CANCEL" not in desk.got
    assert stage.alice.messages("180") == []
    assert stage.alice.finals == [200]


def test_a_line_names_who_was_dialled() -> None:
    stage = Stage()
    stage.phone("desk", 486)
    stage.call(1)
    assert stage.lines[1:] == [
        f"bob: branch 0: INVITE to {next(p.uri for p in stage.peers.values() if isinstance(p, Phone))}",
        "bob: 486 As Told on branch 0",
        "bob: best response 486",
    ]


def test_after_its_calls_it_keeps_nothing() -> None:
    stage = Stage()
    stage.phone("desk", 180, 0.1, 486)
    stage.call(1)
    other = Caller(stage, "carol")
    other.request("MESSAGE", stage.bob)
    stage.run(100)
    layer = stage.proxy.core.layer
    assert not stage.proxy.core.open
    assert not layer.clients
    assert not layer.servers
