"""Scenarios out of captures: everybody answers as they did, the files are sound, and what was recorded can be run."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from told import ALICE, G1, G2, PBX, SDP, Told, carrier_call

from sip_harness.capture.cast import cast
from sip_harness.capture.legs import Node
from sip_harness.capture.reading import read
from sip_harness.capture.scenario import identity_of, write
from sip_harness.capture.story import Story, stories
from sip_harness.capture.wording import names_somebody
from sip_harness.language import load, load_text
from sip_harness.model.result import Result
from sip_harness.model.scenario import Scenario
from sip_harness.model.steps import Send
from sip_harness.model.verdict import Outcome
from sip_harness.record import pcapng
from sip_harness.run.session import Options, open_session
from sip_harness.systems.registry import create

LIBRARY = Path(__file__).parents[2] / "scenarios"
RECORDED = [
    "busy/600-stops-the-other-phones", "busy/486-lets-the-other-phones-ring", "busy/desk-mobile-softphone",
    "hunting/486-moves-the-hunt-on", "hunting/600-ends-the-hunt", "cancel/caller-gives-up",
    "races/cancel-crosses-the-answer", "carriers/503-moves-the-call-on", "carriers/503-is-no-ban",
    "carriers/603-suspended-account", "carriers/false-answer", "carriers/488-with-a-warning",
    "carriers/announcement-in-a-body", "silence/silent-phone", "silence/100-then-silence",
]  # fmt: skip
WITHIN = [
    "dialogs/481-from-the-caller", "dialogs/481-to-a-re-invite", "dialogs/488-to-a-hold", "dialogs/fax-refused",
    "dialogs/glare", "dialogs/overlapping-re-invites", "dialogs/refused-info", "dialogs/reason-of-the-phones-bye",
    "dialogs/silence-to-a-re-invite", "dialogs/challenges-within-the-call", "dialogs/caller-hangs-up-early",
    "dialogs/bye-overtakes-a-re-invite", "dialogs/restarted-phone", "dialogs/refused-bye", "transfers/target-refuses",
    "transfers/refused-refer", "reliable/answer-waits-for-prack", "reliable/gap-in-rseq", "reliable/update-refused",
    "reliable/nobody-acknowledges-it", "reliable/prack-for-nothing", "carriers/503-to-a-re-invite",
]  # fmt: skip
ALONE: dict[str, list[str]] = {
    "reference": [],
    "reference-b2bua": ["sessions/refresh-is-refused", "sessions/session-is-refreshed", "sessions/nobody-refreshes",
                        "sessions/422-asks-for-longer-sessions", "carriers/407-is-answered-once",
                        "carriers/407-within-a-call"],
}  # fmt: skip
"""What only one of the systems does."""


def run(scenario: Scenario, system: str = "reference") -> Result:
    async def work() -> Result:
        async with open_session(create(system), Options("wire"), [scenario]) as session:
            return await session.run(scenario)

    return asyncio.run(work())


def made(told: Told, *, exact: bool = False, phones: bool | None = None) -> str:
    [story] = stories(told.packets)
    return write(story, cast(story, phones=phones), identity="T-1", source="t.pcap", exact=exact)


def test_a_carrier_ticket() -> None:
    text = made(carrier_call())
    assert text.splitlines()[4:] == [
        'title: "As captured - g1 answers 503 All circuits busy, g2 answers 200 OK"',
        "id: T-1",
        "needs: [carriers]",
        "tags: [captured]",
        "targets: {pstn: {hunt: [g1, g2]}}",
        "carriers:",
        "  g1:",
        "    answer:",
        "      - wait 250ms",
        "      - {503: {reason: All circuits busy, headers: {Retry-After: 30, "
        "Reason: 'Q.850;cause=34;text=\"no, circuit\"'}}}",
        "  g2: {answer: [wait 50ms, 183, wait 1s, 200]}",
        "calls: [{from: alice, to: pstn, hang up: 1s}]",
        "expect:",
        "  alice: [200 from g2]",
        "  g1: [INVITE, ACK to 503]",
        "  g2: [INVITE, ACK to 200, BYE]",
    ]
    assert "wait 3s" in made(carrier_call(), exact=True)


def test_what_the_capture_does_not_show_is_said() -> None:
    told = Told([p for p in carrier_call().packets if ALICE not in (p.source, p.target)])
    text = made(told)
    assert "# Not repeated: the caller, who is not in the capture." in text
    assert "alice: [2xx]  # not in the capture" in text
    load_text(text, "t")


@pytest.mark.parametrize(
    ("responses", "script"),
    [
        pytest.param([], "[silence]", id="nothing"),
        pytest.param([(0.01, "100 Trying")], '["100"]', id="100 and nothing more"),
        pytest.param([(0.5, "486 Busy Here")], "[no 100, wait 500ms, 486]", id="no 100"),
        pytest.param([(0.1, "486 Busy Here")], "[wait 100ms, 486]", id="soon enough to need no 100"),
        pytest.param([(0.01, "183 Session Progress")], "[{183: {headers: {Content-Type: null}}}]", id="no SDP"),
        pytest.param([(0.01, "100 Trying"), (0.011, "486 ")], '[{486: {reason: ""}}]', id="no phrase"),
        pytest.param([(0.01, "603 No: thanks")], '[{603: {reason: "No: thanks"}}]', id="a phrase that YAML would read"),
        pytest.param([(0.01, "486 Busy Here"), (0.2, "603 Decline")], "[486, wait 190ms, 603]", id="two finals"),
        pytest.param([(0.01, "699 Never heard of")], "[699 Never heard of]", id="a code of no table"),
    ],
)
def test_what_one_carrier_says(responses: list[tuple[float, str]], script: str) -> None:
    told = Told()
    told.ask(0, ALICE, PBX, "INVITE")
    told.ask(0, PBX, G1, "INVITE")
    for at, line in responses:
        told.answer(at, G1, PBX, line)
    text = made(told)
    assert f"g1: {{answer: {script.replace(chr(34) + '100' + chr(34), '100')}}}" in text
    load_text(text, "t")


def test_headers_of_the_carrier_are_kept_and_those_of_people_are_not() -> None:
    told = Told()
    told.ask(0, PBX, G1, "INVITE")
    told.answer(
        0.01, G1, PBX, "403 Forbidden", "X-Why: a", "X-Why: b", "P-Asserted-Identity: <tel:+4930123>", "Server: x"
    )
    told.ask(0.02, PBX, G1, "ACK", to_tag=G1[0])
    text = made(told)
    assert "{403: {headers: {X-Why: [a, b]}}}" in text
    assert "4930123" not in text


@pytest.mark.parametrize(
    "value",
    [
        "<sip:bob@10.1.2.3>;reason=busy", '399 10.1.2.3 "no room"', "+49 30 1234567", "bob@example", "[2001:db8::1]",
        "tel:112", "0049/30-123 45 67",
    ],
)  # fmt: skip
def test_numbers_and_addresses_stay_in_the_capture_wherever_they_stand(value: str) -> None:
    told = Told()
    told.ask(0, PBX, G1, "INVITE")
    told.answer(
        0.01, G1, PBX, f"403 Not {value}", f"Warning: {value}", "Retry-After: 3600", "Content-Type: text/plain",
        body=f"Ask {value}\n",
    )  # fmt: skip
    text = made(told)
    assert value not in text
    assert "title: As captured - g1 answers 403\n" in text
    assert "# Not repeated: g1: the phrase of 403: it names somebody." in text
    assert "# Not repeated: g1: the header Warning of 403: it names somebody." in text
    assert f"# Not repeated: g1: a body of {len(value) + 5} bytes (text/plain): it names somebody." in text
    assert "g1: {answer: [{403: {headers: {Retry-After: 3600}}}]}" in text
    load_text(text, "t")


def test_the_contact_of_a_redirection_and_the_reason_of_a_cancel_are_missed() -> None:
    told = Told()
    told.ask(0, ALICE, PBX, "INVITE")
    told.ask(0.001, PBX, G1, "INVITE")
    told.answer(0.01, G1, PBX, "302 Moved Temporarily", "Contact: <sip:carol@example>")
    told.ask(0.02, ALICE, PBX, "CANCEL", "Reason: SIP;cause=200")
    text = made(told)
    assert "# Not repeated: g1: the Contact of 302: it names somebody." in text
    assert "# Not repeated: the Reason of the CANCEL." in text
    assert "carol" not in text


def test_what_did_not_go_by_udp_is_said() -> None:
    told = carrier_call()
    told.packets = [replace(p, transport="tcp") for p in told.packets]
    assert "# Not repeated: that it went by TCP." in made(told)


@pytest.mark.parametrize(
    "phrase", ["to INVITE", "do wait 100ms", "after it sends 180", "you may hang up", "x" * 300, "a\x1b[31m", "null"]
)
def test_phrases_that_could_mean_something_else(phrase: str) -> None:
    told = Told()
    told.ask(0, PBX, G1, "INVITE")
    told.answer(0.01, G1, PBX, f"486 {phrase}", "Content-Type: text/\x1b[31m", body="x")
    text = made(told)
    assert "# Not repeated: g1: a body of 1 bytes (text/\ufffd[31m): that is no type." in text
    assert all(char.isprintable() or char == "\n" for char in text)
    [device] = load_text(text, "t").devices
    assert device.script.attempts[0][-1].reason == phrase  # type: ignore[union-attr]


def test_a_caller_waits_for_no_487_and_whose_it_was_does_not_matter() -> None:
    """A phone whose ringing the system has ended may say so when the next one rings already."""
    told = Told()
    told.ask(0, ALICE, PBX, "INVITE")
    told.ask(0.001, PBX, G1, "INVITE")
    told.ask(0.5, PBX, G1, "CANCEL")
    told.answer(0.501, G1, PBX, "480 Gone")
    told.ask(0.502, PBX, G2, "INVITE", call="leg")
    told.answer(0.503, G2, PBX, "180 Ringing", call="leg")
    told.answer(0.504, G1, PBX, "487 Request Terminated")
    told.ask(0.55, ALICE, PBX, "CANCEL")
    told.answer(0.56, PBX, ALICE, "487 Request Terminated", tag="pbx")
    text = made(told)
    assert "cancel: 50ms after g2 sends 180" in text
    assert "  alice: [487]\n" in text


@pytest.mark.parametrize(("tag", "heard"), [(G1[0], "486 from g1"), ("made-here", "486")])
def test_what_a_proxy_has_made_itself_is_from_nobody(tag: str, heard: str) -> None:
    told = Told()
    told.ask(0, ALICE, PBX, "INVITE")
    told.ask(0.001, PBX, G1, "INVITE")
    told.answer(0.01, G1, PBX, "486 Busy Here")
    told.answer(0.011, PBX, ALICE, "486 Busy Here", tag=tag)
    assert f"  alice: [{heard}]\n" in made(told, phones=False)


def test_headers_that_a_code_must_have_and_has_not_are_left_out_on_purpose() -> None:
    told = Told()
    told.ask(0, PBX, G1, "INVITE")
    told.answer(0.01, G1, PBX, "405 Method Not Allowed")
    [device] = load_text(made(told), "t").devices
    assert device.script.attempts[0][-1].omit == {"allow"}  # type: ignore[union-attr]


def test_a_wait_that_the_system_cut_short_is_kept() -> None:
    """An answer that came when the caller had been told 408 must not come before that."""
    told = Told()
    told.ask(0, ALICE, PBX, "INVITE")
    told.ask(0.001, PBX, G1, "INVITE")
    told.answer(2.5, G1, PBX, "180 Ringing")
    told.answer(20.0, PBX, ALICE, "408 Request Timeout", tag="pbx")
    told.answer(32.0, G1, PBX, "200 OK", "Content-Type: application/sdp", body=SDP)
    text = made(told, phones=True)
    assert "desk: {answer: [no 100, wait 1s, 180, wait 29.5s, 200]}" in text


def test_what_is_no_text_is_left_out_and_said() -> None:
    told = Told()
    told.ask(0, PBX, G1, "INVITE")
    told.answer(0.01, G1, PBX, "503 \udcff", "X-Odd: \udcfe", "X-Good: ü")
    text = made(told)
    assert "# Not repeated: g1: the phrase of 503: it is no text." in text
    assert "# Not repeated: g1: the header X-Odd of 503: it is no text." in text
    assert 'g1: {answer: [{503: {headers: {X-Good: "ü"}}}]}' in text
    load_text(text, "t")


def test_challenges_early_media_and_bodies() -> None:
    told = Told()
    told.ask(0, PBX, G1, "INVITE")
    told.answer(0.01, G1, PBX, "407 Proxy Authentication Required")
    told.ask(0.02, PBX, G1, "INVITE", "Proxy-Authorization: Digest secret", cseq=2)
    told.answer(0.03, G1, PBX, "180 Ringing", "Content-Type: application/sdp", cseq=2, body=SDP)
    told.answer(0.04, G1, PBX, "503 Service Unavailable", "Content-Type: text/plain", cseq=2, body='say "no"\n')
    told.ask(0.05, PBX, G1, "ACK", cseq=2, to_tag=G1[0])
    text = made(told)
    steps = r'[challenge 407, {180: {media: silence}}, {503: {body: "say \"no\"\n", type: text/plain}}]'
    assert f"g1: {{answer: {steps}}}" in text
    assert "g1: [INVITE, INVITE, ACK to 503]" in text
    assert "needs: [carriers, carrier-accounts]" in text
    assert "# Not repeated: g1: the account to which the credentials belong; write it under `challenge`." in text
    assert "secret" not in text
    load_text(text, "t")


def test_a_session_that_is_refused_is_described_as_it_was() -> None:
    told = Told()
    told.ask(0, PBX, G1, "INVITE")
    told.answer(0.01, G1, PBX, "580 Precondition Failure", "Content-Type: application/sdp", body="v=0\r\na=des:qos\r\n")
    text = made(told)
    assert r'{580: {body: "v=0\r\na=des:qos\r\n", type: application/sdp}}' in text
    load_text(text, "t")


def test_a_caller_who_gives_up_and_a_device_that_takes_its_time() -> None:
    told = Told()
    told.ask(0, ALICE, PBX, "INVITE")
    told.ask(0.001, PBX, G1, "INVITE")
    told.ask(0.002, PBX, G2, "INVITE")
    told.answer(0.1, G1, PBX, "180 Ringing")
    told.answer(0.15, G2, PBX, "180 Ringing")
    told.ask(0.5, ALICE, PBX, "CANCEL")
    for phone in (G1, G2):
        told.ask(0.501, PBX, phone, "CANCEL")
    told.answer(0.502, G1, PBX, "200 OK", method="CANCEL")
    told.answer(0.503, G1, PBX, "487 Request Terminated")
    told.answer(0.8, G2, PBX, "200 OK")
    text = made(told)
    assert "calls: [{from: alice, to: bob, cancel: 350ms after mobile sends 180}]" in text
    assert "desk: {answer: [no 100, wait 100ms, 180]}" not in text  # 100 ms is soon enough
    assert "desk: {answer: [wait 100ms, 180]}" in text
    assert "mobile: {answer: [wait 150ms, 180], on: {CANCEL: [wait 300ms, 200 to INVITE]}}" in text
    load_text(text, "t")


def until(told: Told, line: str) -> Told:
    """A capture that was stopped before the first message with this start line."""
    stop = next(n for n, p in enumerate(told.packets) if p.data.startswith(line.encode()))
    return Told(told.packets[:stop])


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ("BYE", "g2: [INVITE, ACK to 200, BYE]"),
        ("SIP/2.0 200", "g2: [INVITE, maybe CANCEL, maybe ACK to 487]"),
    ],
)
def test_a_capture_that_ends_before_the_call_does_can_be_run(stop: str, expected: str) -> None:
    text = made(until(carrier_call(), stop))
    assert "# The capture ends before the call does: what follows there is made up." in text
    assert expected in text
    assert "ends before" not in made(carrier_call())
    result = run(load_text(text, "t"))
    assert result.verdict.outcome is Outcome.PASS, result.verdict


@pytest.mark.parametrize(
    ("codes", "what"),
    [((503,), "carriers"), ((404,), "devices"), ((503, 486), "devices"), ((408, 500), "carriers"), ((401,), "devices")],
)
def test_carriers_are_those_that_were_left_for_want_of_service(codes: tuple[int, ...], what: str) -> None:
    told = Told()
    for number, code in enumerate(codes):
        peer = (f"203.0.113.{number + 1}", 5060)
        told.ask(number, PBX, peer, "INVITE")
        told.answer(number + 0.5, peer, PBX, f"{code} Whatever")
    told.ask(9, PBX, ("203.0.113.99", 5060), "INVITE")
    assert f"\n{what}:\n" in made(told)
    assert "\ndevices:\n" in made(told, phones=True)
    assert "\ncarriers:\n" in made(told, phones=False)


@pytest.mark.parametrize(("second", "what"), [("4930123", "carriers"), ("112", "devices")])
def test_whom_the_system_gave_up_is_a_carrier_if_the_next_one_gets_the_same_number(second: str, what: str) -> None:
    """Phones of a hunt group have users of their own, carriers get what was dialled."""
    told, first, other = Told(), ("203.0.113.1", 5060), ("203.0.113.2", 5060)
    told.ask(0, PBX, first, "INVITE")
    told.answer(0.1, first, PBX, "100 Trying")
    told.ask(3, PBX, first, "CANCEL")
    told.answer(3.1, first, PBX, "487 Request Terminated")
    told.ask(3.2, PBX, other, "INVITE", call="a", user=second)
    told.answer(3.3, other, PBX, "486 Busy Here")
    assert f"\n{what}:\n" in made(told)


def test_whoever_has_registered_is_a_phone() -> None:
    told = Told()
    told.ask(0, G1, PBX, "REGISTER", call="reg")
    told.ask(1, ALICE, PBX, "INVITE")
    told.ask(1.1, PBX, G1, "INVITE")
    told.answer(1.2, G1, PBX, "503 Service Unavailable")
    assert "targets: {bob: {ring: [desk]}}" in made(told)


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=40),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=40),
)
def test_whatever_a_phrase_or_a_header_holds_the_scenario_is_sound(phrase: str, value: str) -> None:
    assume(not names_somebody(phrase) and not names_somebody(value))
    told = Told()
    told.ask(0, PBX, G1, "INVITE")
    told.answer(0.01, G1, PBX, f"503 {phrase}", f"X-Odd: {value}")
    [device] = load_text(made(told), "t").devices
    sent = device.script.attempts[0][-1]
    assert isinstance(sent, Send)
    assert sent.reason == phrase
    assert [v for name, v in sent.headers if name.lower() == "x-odd"] == [value.strip(" \t")]


@pytest.mark.parametrize(
    ("stem", "identity"),
    [("ticket 4711", "ticket-4711"), ("../x", "x"), ("..", "captured"), ("Ü", "captured"), ("a.b", "a.b")],
)
def test_ids_come_from_file_names(stem: str, identity: str) -> None:
    assert identity_of(stem) == identity


@pytest.mark.parametrize(
    ("system", "name"),
    [
        *(("reference", name) for name in RECORDED),
        *((system, name) for system, alone in ALONE.items() for name in (*WITHIN, *alone)),
    ],
)
def test_what_a_run_has_captured_can_be_run_again(system: str, name: str, tmp_path: Path) -> None:
    """And everybody says and hears the same then."""
    [scenario, *_] = load([LIBRARY / f"{name}.sip.yaml"])
    first = run(scenario, system)
    assert first.verdict.outcome is Outcome.PASS
    story = captured(first, tmp_path)
    text = write(story, cast(story, phones=phones(scenario)), identity="AGAIN", source="first.pcapng")
    second = run(load_text(text, "again"), system)
    assert second.verdict.outcome is Outcome.PASS, f"{text}\n{second.verdict}"
    if len(scenario.calls) == 1:
        assert exchanged(captured(second, tmp_path), scenario) == exchanged(story, scenario), text


def captured(result: Result, place: Path) -> Story:
    """The first call of a run, from the capture that it leaves."""
    assert result.record is not None
    pcapng.write(place / "run.pcapng", result.record)
    return next(
        s for s in stories(read(place / "run.pcapng").packets, [Node(*result.record.header.address)]) if s.tried
    )


def phones(scenario: Scenario) -> bool:
    return all(device.kind == "device" for device in scenario.devices)


def exchanged(story: Story, scenario: Scenario) -> dict[str, list[str]]:
    """What every agent sent and got, however it was ordered; 100 aside, which comes of itself or not."""
    legs = {"caller": [story.caller], **cast(story, phones=phones(scenario)).legs}
    return {
        name: sorted(
            f"{'gets' if s.by_system else 'sends'} {s.sip.method or s.sip.code} {s.sip.cseq[1]}"
            for leg in some
            if leg is not None
            for s in leg.said
            if s.sip.code != 100
        )
        for name, some in legs.items()
    }
