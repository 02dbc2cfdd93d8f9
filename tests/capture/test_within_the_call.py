"""What happened within a captured call becomes steps of who did it, reactions of who answered, and expectations."""

from __future__ import annotations

import re

import pytest
from told import ALICE, G1, PBX, SDP, Told, answered_call, passed_on

from sip_harness.capture.cast import cast
from sip_harness.capture.legs import Node
from sip_harness.capture.packets import BadCapture, Packet
from sip_harness.capture.scenario import write
from sip_harness.capture.story import stories
from sip_harness.language import load_text

HOLD = SDP + "a=sendonly\r\n"
FAX = SDP.partition("m=")[0] + "m=image 4001 udptl t38\r\na=T38FaxVersion:0\r\n"
HEAD = r"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
OFFER = "Content-Type: application/sdp"


def made(told: Told, *, exact: bool = False, phones: bool | None = True) -> str:
    """The scenario of the only call, which has to be sound."""
    [story] = stories(sorted(told.packets, key=lambda p: p.time), [])
    text = write(story, cast(story, phones=phones), identity="T-1", source="t.pcap", exact=exact)
    load_text(text, "t")
    return text


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]


def test_a_hold_that_a_phone_refuses() -> None:
    told = answered_call()
    passed_on(told, 0.5, "INVITE", "488 Not Acceptable Here", OFFER, cseq=2, body=HOLD)
    passed_on(told, 0.9, "BYE", "200 OK", cseq=3)
    text = made(told)
    hold = rf"{HEAD}m=audio 9 RTP/AVP 0\r\na=sendonly\r\n"
    assert lines(text)[3:] == [
        "title: As captured - desk answers 200 OK and 488 to re-INVITE",
        "id: T-1",
        "needs: [ring]",
        "tags: [captured]",
        "targets: {bob: {ring: [desk]}}",
        "devices:",
        "desk: {answer: [wait 100ms, 200], on: {re-INVITE: [wait 30ms, 488]}}",
        "calls:",
        "- from: alice",
        "to: bob",
        "then:",
        "- after desk gets ACK",
        "- wait 390ms",
        f'- send: {{re-INVITE: {{body: "{hold}", type: application/sdp}}}}',
        "- after alice gets 2 2xx or 488",
        "- wait 370ms",
        "- hang up",
        "expect:",
        "alice: [200 from desk, 488 from desk]",
        "desk: [INVITE, ACK to 200, INVITE, ACK to 488, BYE]",
    ]
    assert "# alice: 200 at 101ms, sends re-INVITE at 500ms: 488, sends BYE at 900ms" in text
    assert "# desk: 200 at 99ms, re-INVITE at 500ms: 488, BYE at 900ms" in text


def test_what_a_phone_sends_is_a_step_of_its_answer_and_what_the_caller_says_to_it_a_reaction() -> None:
    told = answered_call()
    passed_on(told, 0.5, "INVITE", "491 Request Pending", OFFER, cseq=1, by_phone=True, body=SDP)
    passed_on(told, 0.9, "INVITE", "200 OK", OFFER, cseq=2, by_phone=True, body=SDP)
    passed_on(told, 1.2, "BYE", "200 OK", cseq=3, by_phone=True)
    text = made(told)
    steps = [line.removeprefix("- ") for line in lines(text)]
    assert (
        steps[steps.index("answer:") + 1 :][:9]
        == ["wait 100ms", "200", "after desk gets ACK", "wait 390ms", "send re-INVITE", "after desk gets 2xx or 491",
            "wait 370ms", "send re-INVITE", "after desk gets 2 2xx or 491"]
    )  # fmt: skip
    assert "hang up" in steps
    assert "on: {re-INVITE: [[wait 30ms, 491], [wait 30ms, {200: {headers: {Content-Type: null}}}]]}" in text
    assert "hang up: 10s" in text
    assert "  alice: [200 from desk, INVITE, ACK to 491, INVITE, ACK to 200, BYE]" in text
    assert "  desk: [INVITE, ACK to 200, 491, 200]" in text


@pytest.mark.parametrize(
    ("method", "line", "headers", "body", "step"),
    [
        ("UPDATE", "481 Call/Transaction Does Not Exist", (), "", "send UPDATE"),
        ("INFO", "415 Unsupported Media Type", ("Content-Type: application/dtmf-relay",),
         "Signal=7\r\nDuration=160\r\n",
         r'send: {INFO: {body: "Signal=1\r\nDuration=160\r\n", type: application/dtmf-relay}}'),
        ("REFER", "603 Decline", ("Refer-To: <sip:+4930999@pbx>", "Referred-By: <sip:alice@pbx>"), "",
         'send: {REFER: {headers: {Refer-To: "<{uri of bob}>"}}}'),
        ("NOTIFY", "503 Service Unavailable", ("Event: refer", "Content-Type: message/sipfrag"),
         "SIP/2.0 100 Trying\r\n",
         r'send: {NOTIFY: {headers: {Event: refer}, body: "SIP/2.0 100 Trying\r\n", type: message/sipfrag}}'),
        ("MESSAGE", "403 Forbidden", ("Content-Type: text/plain",), "I love you", "send MESSAGE"),
        ("OPTIONS", "404 Not Found", ("X-Trace: a", "X-Trace: b"), "", "send: {OPTIONS: {headers: {X-Trace: [a, b]}}}"),
    ],
)  # fmt: skip
def test_other_requests_within_the_call(method: str, line: str, headers: tuple[str, ...], body: str, step: str) -> None:
    told = answered_call()
    passed_on(told, 0.5, method, line, *headers, cseq=2, body=body)
    text = made(told)
    code = line[:3]
    assert step in text
    assert re.search(rf"{method}: \[wait 30ms, {{?{code}\b", text)
    assert f"  alice: [200 from desk, {code} to {method}]" in text
    assert f"  desk: [INVITE, ACK to 200, {method}, BYE]" in text
    assert "# The capture ends before the call does: what follows there is made up." in text
    for secret in ("4930999", "I love you", "Signal=7"):
        assert secret not in text


def test_what_is_not_repeated_of_them_is_said() -> None:
    told = answered_call()
    passed_on(told, 0.5, "REFER", "202 Accepted", "Refer-To: <sip:x@y>", "Referred-By: <sip:a@b>", cseq=2)
    passed_on(told, 0.6, "INFO", "200 OK", "Content-Type: application/dtmf", cseq=3, body="5")
    passed_on(told, 0.7, "MESSAGE", "200 OK", "Content-Type: text/plain", cseq=4, body="hi")
    passed_on(told, 0.8, "INVITE", "200 OK", cseq=5)
    passed_on(told, 0.9, "TELEPORT", "501 Not Implemented", cseq=6)
    text = made(told)
    for what in (
        "where the REFER led: it leads to bob here", "the header Referred-By of REFER: it names somebody",
        "which keys were pressed", "the text of MESSAGE", "that the re-INVITE offered nothing",
        "TELEPORT within the call", "desk: the answer to TELEPORT within the call",
    ):  # fmt: skip
        assert f"# Not repeated: {what}." in text, what


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (HOLD, r"m=audio 9 RTP/AVP 0\r\na=sendonly"),
        (SDP.replace("192.0.2.9", "0.0.0.0"), r"m=audio 9 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\na=sendrecv"),
        (FAX, r"m=image 9 udptl t38\r\na=T38FaxVersion:0\r\n"),
        (
            SDP.replace("AVP 0", "AVP 18 8") + "a=fmtp:18 annexb=no\r\n",
            r"AVP 18 8\r\na=fmtp:18 annexb=no\r\na=sendrecv",
        ),
        (SDP.replace("audio 4000", "audio 0"), r"m=audio 0 RTP/AVP 0\r\n"),
        (SDP + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0\r\na=inactive\r\n", r"AVP 0\r\na=inactive"),
    ],
)
def test_what_a_re_invite_offers_is_offered_without_whose_it_was(body: str, says: str) -> None:
    told = answered_call()
    passed_on(told, 0.5, "INVITE", "488 Not Acceptable Here", OFFER, cseq=2, body=body)
    text = made(told)
    assert says in text
    for secret in ("192.0.2.9", "4000", "inline", "4001"):
        assert secret not in text


@pytest.mark.parametrize("body", [SDP, SDP.replace("4000", "4002"), "v=0\r\nno such line"])
def test_a_re_invite_that_changes_nothing_is_the_stacks_own(body: str) -> None:
    told = answered_call()
    passed_on(told, 0.5, "INVITE", "200 OK", OFFER, cseq=2, body=body)
    assert "send re-INVITE" in made(told)


def test_who_resumes_offers_what_was_before_the_hold() -> None:
    told = answered_call()
    passed_on(told, 0.5, "INVITE", "200 OK", OFFER, cseq=2, body=HOLD.replace("AVP 0", "AVP 0 101"))
    passed_on(told, 0.9, "INVITE", "200 OK", OFFER, cseq=3, body=SDP)
    assert "send re-INVITE" in made(told)


def test_a_challenge_within_the_call_that_is_met_may_lead_to_a_refusal() -> None:
    told = eventful()
    assert "on: {re-INVITE: [challenge 407, wait 30ms, 488]" in made(told, phones=False).replace("wait 30ms, ch", "ch")


@pytest.mark.parametrize(
    ("line", "on"),
    [
        ("200 OK", ""),
        ("481 Call/Transaction Does Not Exist", ", on: {BYE: [wait 30ms, 481]}"),
        ("", ", on: {BYE: [silence]}"),
    ],
)
def test_what_a_bye_is_answered_with(line: str, on: str) -> None:
    told = answered_call()
    passed_on(told, 0.5, "BYE", line, cseq=2)
    told.ask(3.0, PBX, ALICE, "OPTIONS", call="other")  # the capture goes on
    told.ask(3.0, ALICE, PBX, "BYE", cseq=2, branch="z9hG4bK2192.0.2.7a", to_tag=G1[0])
    text = made(told)
    assert f"desk: {{answer: [wait 100ms, 200]{on}}}" in text
    assert "calls: [{from: alice, to: bob, hang up: 400ms}]" in text
    assert "  desk: [INVITE, ACK to 200, BYE]" in text
    heard = f", {line[:3]} to BYE" if line[:1] == "4" else ""
    assert f"  alice: [200 from desk{heard}]" in text


def test_why_somebody_hangs_up_is_kept() -> None:
    told = answered_call()
    passed_on(told, 0.5, "BYE", "200 OK", "Reason: Q.850;cause=16", cseq=2)
    assert 'send: {BYE: {headers: {Reason: "Q.850;cause=16"}}}' in made(told)
    told = answered_call()
    passed_on(told, 0.5, "BYE", "200 OK", "Reason: Q.850;cause=41", cseq=2, by_phone=True)
    assert 'send: {BYE: {headers: {Reason: "Q.850;cause=41"}}}' in made(told)


def test_the_system_hangs_up_on_both_sides() -> None:
    told = answered_call()
    for peer, tags in ((ALICE, (G1[0], "from-a")), (G1, ("from-a", G1[0]))):
        told.ask(5.0, PBX, peer, "BYE", cseq=9, branch=f"z9hG4bKbye{peer[0]}", from_tag=tags[0], to_tag=tags[1])
        told.answer(5.01, peer, PBX, "200 OK", method="BYE", cseq=9, branch=f"z9hG4bKbye{peer[0]}", tag=tags[1])
    text = made(told)
    assert "hang up: 10s" in text
    assert "  alice: [200 from desk, BYE]" in text
    assert "  desk: [INVITE, ACK to 200, BYE]" in text


def refresh(told: Told, at: float, line: str) -> None:
    """The system refreshes the session of the phone by itself."""
    told.ask(at, PBX, G1, "UPDATE", "Session-Expires: 1800;refresher=uac", cseq=5, branch="z9hG4bKref", to_tag=G1[0])
    told.answer(at + 0.01, G1, PBX, line, method="UPDATE", cseq=5, branch="z9hG4bKref")


def timed_call() -> Told:
    told = answered_call()
    told.packets = [
        Packet(p.time, p.source, p.target, p.data.replace(b"OK\r\n", b"OK\r\nSession-Expires: 1800;refresher=uac\r\n"))
        if p.source == G1 else p
        for p in told.packets
    ]  # fmt: skip
    return told


def test_a_session_that_ends_because_its_refresh_is_refused_is_made_short() -> None:
    """Nobody waits for a quarter of an hour to see a call drop."""
    told = timed_call()
    refresh(told, 900.0, "481 Call/Transaction Does Not Exist")
    told.ask(900.1, PBX, ALICE, "BYE", cseq=9, branch="z9hG4bKbye", from_tag=G1[0], to_tag="from-a")
    told.ask(900.1, PBX, G1, "BYE", cseq=9, branch="z9hG4bKbye1", to_tag=G1[0])
    short, true = made(told), made(told, exact=True)
    assert "needs: [ring, session-timers]" in short
    assert 'Session-Expires: "2;refresher=uac"' in short
    assert "# Sessions are made 2s, and so is what refreshes them (--exact-times keeps them)." in short
    assert "on: {UPDATE: [481]}" in short
    assert "  desk: [INVITE, ACK to 200, UPDATE, BYE]" in short
    assert 'Session-Expires: "1800;refresher=uac"' in true
    assert "Sessions are made" not in true


def test_a_session_that_ends_long_before_it_is_due_is_left_alone() -> None:
    told = timed_call()
    told.ask(60.0, PBX, ALICE, "BYE", cseq=9, branch="z9hG4bKbye", from_tag=G1[0], to_tag="from-a")
    told.ask(60.0, PBX, G1, "BYE", cseq=9, branch="z9hG4bKbye1", to_tag=G1[0])
    assert 'Session-Expires: "1800;refresher=uac"' in made(told)


def test_a_session_that_nobody_refreshes_is_made_short() -> None:
    told = timed_call()
    told.ask(1700.0, PBX, ALICE, "BYE", cseq=9, branch="z9hG4bKbye", from_tag=G1[0], to_tag="from-a")
    told.ask(1700.0, PBX, G1, "BYE", cseq=9, branch="z9hG4bKbye1", to_tag=G1[0])
    assert 'Session-Expires: "2;refresher=uac"' in made(told)


def test_how_often_the_system_looks_after_a_call_is_its_own_affair() -> None:
    told = answered_call()
    for number in range(3):
        told.ask(30 + 30 * number, PBX, G1, "OPTIONS", cseq=50 + number, branch=f"z9hG4bKo{number}", to_tag=G1[0])
        told.answer(
            30.01 + 30 * number, G1, PBX, "200 OK", method="OPTIONS", cseq=50 + number, branch=f"z9hG4bKo{number}"
        )
    passed_on(told, 100, "BYE", "200 OK", cseq=2)
    assert "desk: [INVITE, ACK to 200, maybe OPTIONS, maybe OPTIONS, maybe OPTIONS, BYE]" in made(told)


def test_a_caller_who_hangs_up_after_a_refresh_waits_for_it() -> None:
    told = timed_call()
    refresh(told, 900.0, "200 OK")
    passed_on(told, 1000.0, "BYE", "200 OK", cseq=2)
    assert "hang up: 1s after desk sends 200 to UPDATE" in made(told)


def test_a_session_that_the_caller_refreshes_needs_no_timer() -> None:
    told = timed_call()
    passed_on(told, 900.0, "UPDATE", "408 Request Timeout", "Session-Expires: 1800;refresher=uac", cseq=2)
    text = made(told)
    assert "needs: [ring]" in text
    assert 'send: {UPDATE: {headers: {Session-Expires: "1800;refresher=uac"}}}' in text


def ringing_reliably(*, pracked: bool) -> Told:
    told = Told()
    told.ask(0, ALICE, PBX, "INVITE", "Supported: 100rel")
    told.ask(0.001, PBX, G1, "INVITE", "Supported: 100rel")
    reliable = ("Require: 100rel", "RSeq: 7")
    told.answer(0.1, G1, PBX, "183 Session Progress", *reliable, OFFER, body=SDP)
    told.answer(0.101, PBX, ALICE, "183 Session Progress", *reliable, OFFER, tag=G1[0], body=SDP)
    if pracked:
        passed_on(told, 0.15, "PRACK", "200 OK", "RAck: 7 1 INVITE", cseq=2)
        told.answer(0.4, G1, PBX, "486 Busy Here")
        told.answer(0.401, PBX, ALICE, "486 Busy Here", tag=G1[0])
    else:
        told.answer(0.4, G1, PBX, "500 No PRACK")
        told.answer(0.401, PBX, ALICE, "500 No PRACK", tag=G1[0])
    return told


def test_a_provisional_that_is_acknowledged() -> None:
    text = made(ringing_reliably(pracked=True))
    assert "[wait 100ms, {183: {reliable: yes}}, after desk gets PRACK, wait 250ms, 486]" in text
    assert "calls: [{from: alice, to: bob}]" in text
    assert "  desk: [INVITE, PRACK]" in text


def test_a_provisional_that_is_not() -> None:
    text = made(ringing_reliably(pracked=False))
    assert "[wait 100ms, {183: {reliable: yes}}, wait 300ms, 500 No PRACK]" in text
    assert "calls: [{from: alice, to: bob, prack: never}]" in text


def test_provisionals_with_news_are_no_retransmissions() -> None:
    told = Told()
    told.ask(0, PBX, G1, "INVITE")
    for at, line, headers, body in (
        (0.05, "180 Ringing", (), ""), (0.06, "180 Ringing", (), ""), (0.1, "180 Ringing", (OFFER,), SDP),
        (0.2, "183 Session Progress", ("Require: 100rel", "RSeq: 100"), ""),
        (0.3, "183 Session Progress", ("Require: 100rel", "RSeq: 102"), ""), (0.4, "486 Busy Here", (), ""),
    ):  # fmt: skip
        told.answer(at, G1, PBX, line, *headers, body=body)
    steps = made(told).partition("answer:")[2]
    assert steps.count("180") == 2
    assert "180: {media: silence}" in steps
    assert "183: {reliable: yes, headers: {RSeq: 100, Content-Type: null}}" in steps
    assert "183: {reliable: yes, headers: {RSeq: 102, Content-Type: null}}" in steps


def test_a_caller_who_knows_no_prack_says_so() -> None:
    told = ringing_reliably(pracked=False)
    told.packets = [
        Packet(p.time, p.source, p.target, p.data.replace(b"Supported: 100rel\r\n", b"")) if p.source == ALICE else p
        for p in told.packets
    ]
    assert "headers: {Supported: null}" in made(told)


def ringing() -> Told:
    """A call that g1 has been ringing for a tenth of a second."""
    told = Told()
    told.ask(0, ALICE, PBX, "INVITE")
    told.ask(0.001, PBX, G1, "INVITE")
    told.answer(0.1, G1, PBX, "180 Ringing")
    told.answer(0.101, PBX, ALICE, "180 Ringing", tag=G1[0])
    return told


def test_what_comes_before_the_answer_is_early() -> None:
    told = ringing()
    passed_on(told, 0.2, "UPDATE", "488 Not Acceptable Here", cseq=2)
    told.answer(0.5, G1, PBX, "200 OK")
    told.answer(0.501, PBX, ALICE, "200 OK", tag=G1[0])
    text = made(told)
    assert "early: [wait 100ms, send UPDATE]" in text
    assert "after desk sends 488 to UPDATE" in text
    assert "  alice: [488 to UPDATE, 200 from desk]" in text


def test_a_caller_who_ends_the_ringing_with_bye() -> None:
    told = ringing()
    passed_on(told, 0.2, "BYE", "200 OK", cseq=2)
    told.answer(0.215, G1, PBX, "487 Request Terminated")
    told.packets.sort(key=lambda p: p.time)
    text = made(told)
    assert "early: [wait 100ms, send BYE]" in text
    assert "  desk: [INVITE, BYE]" in text


@pytest.mark.parametrize(("late", "says"), [(0.3, "ack: 300ms"), (1.9, "ack: 1s"), (0.0, "ack: never")])
def test_an_ack_that_is_late_or_never_comes(late: float, says: str) -> None:
    told = answered_call()
    told.packets = [p for p in told.packets if not p.data.startswith(b"ACK")]
    again = [Packet(p.time + 500_000_000, p.source, p.target, p.data) for p in told.packets if b"200 OK" in p.data]
    told.packets += again
    if late:
        told.ask(0.1 + late, ALICE, PBX, "ACK", branch="z9hG4bKack", to_tag=G1[0])
    passed_on(told, 2.5, "BYE", "200 OK", cseq=1, by_phone=True)
    assert says in made(told)


def test_a_challenge_within_the_call_asks_for_an_account() -> None:
    told = answered_call()
    for cseq, line, proof in ((2, "407 Proxy Authentication Required", ()), (3, "200 OK", ("Proxy-Authorization: x",))):
        branch = f"z9hG4bKre{cseq}"
        told.ask(0.5 + cseq / 10, PBX, G1, "INVITE", *proof, cseq=cseq, branch=branch, to_tag=G1[0])
        told.answer(0.51 + cseq / 10, G1, PBX, line, cseq=cseq, branch=branch)
        told.ask(0.52 + cseq / 10, PBX, G1, "ACK", cseq=cseq, branch=branch, to_tag=G1[0])
    text = made(told, phones=False)
    assert "on: {re-INVITE: [challenge 407, {200: {headers: {Content-Type: null}}}]}" in text
    assert "needs: [carriers, carrier-accounts]" in text
    assert "g1: [INVITE, ACK to 200, INVITE, ACK to 407, INVITE, ACK to 200, BYE]" in text


def test_a_request_whose_answer_may_have_come_after_the_end_is_no_silence() -> None:
    told = answered_call()
    passed_on(told, 0.5, "INVITE", cseq=2)
    assert "silence" not in made(told)
    told.ask(5.0, PBX, G1, "INFO", cseq=9, branch="z9hG4bKi", to_tag=G1[0])
    assert "on: {re-INVITE: [silence]}" in made(told)


def test_a_request_from_another_address_of_the_carrier_belongs_to_its_call() -> None:
    """A carrier is a cluster: its re-INVITE comes from a host to which no INVITE went."""
    told = answered_call()
    other = ("203.0.113.77", 5060)
    told.ask(0.5, other, PBX, "INVITE", cseq=1, branch="z9hG4bKx", to_tag="from-a", from_tag=G1[0])
    told.answer(0.51, PBX, other, "488 Not Acceptable Here", cseq=1, branch="z9hG4bKx", tag="from-a")
    told.ask(0.52, other, PBX, "ACK", cseq=1, branch="z9hG4bKx", to_tag="from-a", from_tag=G1[0])
    text = made(told)
    assert "send re-INVITE" in text
    assert "  desk: [INVITE, ACK to 200, 488, BYE]" in text


def test_what_goes_past_the_system_is_said() -> None:
    """A proxy that does not record its route sees neither the ACK nor the BYE."""
    told = answered_call()
    told.packets = [p for p in told.packets if not p.data.startswith(b"ACK")]
    told.ask(0.11, ALICE, G1, "ACK", branch="z9hG4bKdirect", to_tag=G1[0])
    told.ask(2.0, ALICE, G1, "BYE", cseq=2, branch="z9hG4bKdirect2", to_tag=G1[0])
    [story] = stories(told.packets, [Node(PBX[0])])
    text = write(story, cast(story, phones=True), identity="T-1", source="t.pcap")
    assert "# Not repeated: what went past the system: ACK, BYE." in text
    assert "  desk: [INVITE, ACK to 200, BYE]" in text


def test_a_call_that_nobody_asked_for_is_counted() -> None:
    """A PBX that carries out a transfer calls the target by itself."""
    told = answered_call()
    passed_on(told, 0.5, "REFER", "", "Refer-To: <sip:x@y>", cseq=2)
    told.ask(0.6, PBX, ("203.0.113.9", 5060), "INVITE", call="transfer", user="777")
    passed_on(told, 2.5, "BYE", "200 OK", cseq=3)
    assert "# Not repeated: 1 call that the system made by itself in that time." in made(told)


def test_a_flood_within_the_call_stays_bounded() -> None:
    told = answered_call()
    for number in range(1000):
        passed_on(told, 1 + number / 10, "INFO", "200 OK", cseq=2 + number)
    passed_on(told, 200, "BYE", "200 OK", cseq=2000)
    text = made(told)
    assert text.count("send INFO") == 100
    assert text.count("200 to INFO,") + text.count("200 to INFO]") == 100
    assert "INFO, INFO, BYE]" in text
    assert "# Not repeated: 900 more requests within the call." in text
    assert len(text) < 30_000


def test_codes_that_there_are_not() -> None:
    told = answered_call()
    passed_on(told, 0.5, "UPDATE", "999 What", cseq=2)
    passed_on(told, 0.7, "INVITE", "700 What", cseq=3)
    told.answer(0.9, G1, PBX, "700 What")
    told.answer(0.95, G1, PBX, "183 Late")
    text = made(told)
    assert "# Not repeated: desk: a response with the code 999, which there is not." in text
    assert "# Not repeated: desk: a 183 after its final response." in text


def eventful() -> Told:
    """A call in which much happens."""
    told = ringing_reliably(pracked=True)
    told.packets = [p for p in told.packets if b"486" not in p.data]
    told.answer(0.4, G1, PBX, "200 OK", OFFER, body=SDP)
    told.answer(0.401, PBX, ALICE, "200 OK", OFFER, tag=G1[0], body=SDP)
    told.ask(0.41, ALICE, PBX, "ACK", branch="z9hG4bKack", to_tag=G1[0])
    told.ask(0.411, PBX, G1, "ACK", branch="z9hG4bKack2", to_tag=G1[0])
    passed_on(told, 0.5, "INVITE", "407 Proxy Authentication Required", OFFER, cseq=3, body=HOLD)
    passed_on(told, 0.6, "INVITE", "488 Not Acceptable Here", OFFER, "Proxy-Authorization: x", cseq=4, body=HOLD)
    passed_on(told, 0.7, "UPDATE", "481 Call/Transaction Does Not Exist", cseq=1, by_phone=True)
    passed_on(told, 0.75, "REFER", "202 Accepted", "Refer-To: <sip:x@y>", cseq=5)
    passed_on(told, 0.8, "NOTIFY", "200 OK", "Event: refer", cseq=2, by_phone=True)
    passed_on(told, 0.9, "BYE", "481 Call/Transaction Does Not Exist", cseq=3, by_phone=True)
    passed_on(told, 0.92, "BYE", "200 OK", cseq=6)
    told.packets.sort(key=lambda p: p.time)
    return told


def test_however_a_capture_is_cut_its_scenario_is_sound() -> None:
    packets = eventful().packets
    cut = [packets[:n] for n in range(1, len(packets) + 1)] + [packets[n:] for n in range(1, len(packets))]
    cut += [packets[:n] + packets[n + 1 :] for n in range(len(packets))]
    told = 0
    for part in cut:
        try:
            found = stories(part, [Node(PBX[0])])
        except BadCapture:  # the INVITE that begins the call is missing
            continue
        for story in (s for s in found if s.tried):
            load_text(write(story, cast(story), identity="T-1", source="t.pcap"), "t")
            told += 1
    assert told > len(packets)


def test_two_phones_behind_one_address_are_told_apart() -> None:
    """The beginning of the caller's side is missing: what comes from his address is not the phone's."""
    told = Told()
    behind, mobile = ("198.51.100.7", 40001), ("198.51.100.7", 40002)
    told.ask(0, PBX, mobile, "INVITE")
    told.answer(0.1, mobile, PBX, "200 OK", tag="mobile")
    told.ask(0.2, PBX, mobile, "ACK", branch="z9hG4bKack", to_tag="mobile")
    told.ask(0.5, behind, PBX, "INVITE", cseq=2, branch="z9hG4bKre", to_tag="mobile")
    told.ask(0.6, mobile, PBX, "INFO", cseq=1, branch="z9hG4bKi", to_tag="from-a", from_tag="mobile")
    [story] = stories(told.packets, [Node(PBX[0])])
    assert [s.sip.method for s in story.tried[0].said if not s.by_system and s.sip.is_request] == ["INFO"]
