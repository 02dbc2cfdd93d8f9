"""Words for what no telephone would send: how messages leave, exact bytes, reactions, losses, carriers."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from test_language_load import leaves, without_places

from sip_harness.language import Diagnostic, LanguageError, from_python, load, load_text
from sip_harness.language.words import IN_DIALOG, REACTED
from sip_harness.model.pattern import Event, RequestPattern, ResponsePattern, Trigger
from sip_harness.model.place import Place
from sip_harness.model.scenario import Call, Device, Scenario
from sip_harness.model.script import Loss, Reaction, Script
from sip_harness.model.steps import (
    PLAIN,
    Delivery,
    Disconnect,
    HangUp,
    Mutation,
    NoTrying,
    Raw,
    Request,
    Send,
    Silence,
    Step,
    Wait,
)
from sip_harness.model.wanted import AnyOrder, Expected, Schedule, Sequence

EXAMPLE = """\
title: Everything that no telephone would send
id: W-01
targets: {bob: {ring: [desk]}, pstn: {hunt: [g1, g2]}}
devices:
  desk:
    transport: tcp
    answer:
      - no 100
      - 183: {reliable: yes, media: tone}
      - send: UPDATE
      - 200: {to tag: none, branch: other, cseq: OPTIONS, resend: [500ms, 1s], copies: 3, from: other port,
              strip: Contact, duplicate: [Via, To], corrupt: To, truncate: 40, pieces: [1, 10]}
      - 603
      - 603: {to tag: 7aB, resend: never, media: no}
      - bytes: broken.sip
      - send: {INFO: {headers: {X: [1, 2]}, body: hi, type: text/plain}}
      - send re-INVITE
      - half-open
      - reset
      - close
    on:
      CANCEL: [200, wait 200ms, 487 to INVITE]
      BYE: [481]
      OPTIONS: [[silence], [200]]
      re-INVITE: [no 100, 488]
      REGISTER: [403: {reason: Not you}]
    lose: [first 2 ACK, CANCEL, first 1 200 to BYE]
carriers:
  g1: {answer: [503], on: {OPTIONS: [[silence], [200]]}}
  g2: {answers: [[silence], [200]], transport: tls}
calls:
  - {from: alice, to: bob, transport: tcp, ack: 2s after desk sends 183, prack: never,
     then: [wait 100ms, send: re-INVITE, wait 100ms, hang up], on: {BYE: [481]}, lose: [first 1 200]}
  - {from: carol, to: pstn, method: OPTIONS}
expect:
  desk: [{INVITE: {resent: [500ms, 1.5s]}}, any order: [BYE: {resent: doubling}, CANCEL], maybe INFO: {resent: never}]
  alice: [200 or 603 from desk: {resent: doubling}]
  carol: [200 to OPTIONS]
order: [desk sends 603, desk sends UPDATE, carol sends OPTIONS]
"""
IN_PYTHON: dict[str, object] = {
    "title": "Everything that no telephone would send",
    "id": "W-01",
    "targets": {"bob": {"ring": ["desk"]}, "pstn": {"hunt": ["g1", "g2"]}},
    "devices": {
        "desk": {
            "transport": "tcp",
            "answer": [
                "no 100",
                {183: {"reliable": "yes", "media": "tone"}},
                {"send": "UPDATE"},
                {
                    200: {
                        "to tag": "none", "branch": "other", "cseq": "OPTIONS", "resend": ["500ms", "1s"], "copies": 3,
                        "from": "other port", "strip": "Contact", "duplicate": ("Via", "To"), "corrupt": "To",
                        "truncate": 40, "pieces": [1, 10],
                    }
                },
                603,
                {603: {"to tag": "7aB", "resend": "never"}},
                {"bytes": "broken.sip"},
                {"send": {"INFO": {"headers": {"X": [1, 2]}, "body": "hi", "type": "text/plain"}}},
                "send re-INVITE", "half-open", "reset", "close",
            ],
            "on": {
                "CANCEL": [200, "wait 200ms", "487 to INVITE"],
                "BYE": [481],
                "OPTIONS": [["silence"], [200]],
                "re-INVITE": ["no 100", 488],
                "REGISTER": [{403: {"reason": "Not you"}}],
            },
            "lose": ["first 2 ACK", "CANCEL", "first 1 200 to BYE"],
        }
    },
    "carriers": {
        "g1": {"answer": [503], "on": {"OPTIONS": [["silence"], [200]]}},
        "g2": {"answers": [["silence"], [200]], "transport": "tls"},
    },
    "calls": [
        {
            "from": "alice", "to": "bob", "transport": "tcp", "ack": "2s after desk sends 183", "prack": "never",
            "then": ["wait 100ms", {"send": "re-INVITE"}, "wait 100ms", "hang up"], "on": {"BYE": [481]},
            "lose": ["first 1 200"],
        },
        {"from": "carol", "to": "pstn", "method": "OPTIONS"},
    ],
    "expect": {
        "desk": [
            {"INVITE": {"resent": ["500ms", "1.5s"]}},
            {"any order": [{"BYE": {"resent": "doubling"}}, "CANCEL"]},
            {"maybe INFO": {"resent": "never"}},
        ],
        "alice": [{"200 or 603 from desk": {"resent": "doubling"}}],
        "carol": ["200 to OPTIONS"],
    },
    "order": ["desk sends 603", "desk sends UPDATE", "carol sends OPTIONS"],
}  # fmt: skip
EXAMPLE = EXAMPLE.replace(", media: no}", "}")
BYTES = b"SIP/2.0 486 Busy\r\nVia: {via}\r\nTo: {to}\r\n\xff\r\n\r\n"

SMALL = """\
title: t
id: S-1
targets: {bob: {ring: [desk]}}
devices:
  desk: DESK
calls: [{from: alice, to: bobCALL}]
expect: {EXPECT}
"""


def small(desk: str = "{answer: [486]}", call: str = "", expect: str = "desk: reached") -> str:
    call = f", {call}" if call else ""
    return SMALL.replace("DESK", desk).replace("CALL", call).replace("EXPECT", expect)


def read(text: str, file: str = "s") -> Scenario:
    return load_text(text, file)


def mistakes(text: str, file: str = "s") -> tuple[Diagnostic, ...]:
    with pytest.raises(LanguageError) as caught:
        load_text(text, file)
    return caught.value.diagnostics


def told(text: str, file: str = "s") -> tuple[str, str]:
    """Message and hint of the only mistake."""
    [found] = mistakes(text, file)
    return found.message, found.hint


def bare(value: Any) -> Any:
    return without_places(value)


def desk(words: str) -> Device:
    found: Device = bare(read(small(f"{{{words}}}"))).devices[0]
    return found


def call(words: str) -> Call:
    found: Call = bare(read(small(call=words))).calls[0]
    return found


def how(words: str, code: int = 200) -> Delivery:
    (step,) = desk(f"answer: [{code}: {{{words}}}], transport: tcp").script.attempts[0]
    assert isinstance(step, Send)
    return step.how


def expected(words: str) -> Expected:
    (found,) = bare(read(small(expect=f"desk: [{words}]"))).expectations
    assert isinstance(found, Sequence)
    item = found.items[0]
    assert isinstance(item, Expected)
    return item


@pytest.fixture
def example(tmp_path: Path) -> Path:
    (tmp_path / "broken.sip").write_bytes(BYTES)
    file = tmp_path / "w.sip.yaml"
    file.write_text(EXAMPLE, encoding="utf-8")
    return file


def test_every_word_becomes_a_value_of_the_model(example: Path) -> None:
    scenario = bare(load([example])[0])
    found = scenario.devices[0]
    assert found.script.attempts == (
        (
            NoTrying(),
            Send(183, "Session Progress", how=Delivery(reliable=True, media="tone")),
            Request("UPDATE"),
            Send(
                200,
                "OK",
                how=Delivery(
                    "", "other", "OPTIONS", (0.5, 1.0), 3, "other", False, "",
                    (
                        Mutation("strip", "Contact"), Mutation("duplicate", "Via"), Mutation("duplicate", "To"),
                        Mutation("corrupt", "To"), Mutation("truncate", "40"),
                    ),
                    (1, 10),
                ),
            ),
            Send(603, "Decline"),
            Send(603, "Decline", how=Delivery(to_tag="7aB", resend=())),
            Raw(BYTES, "broken.sip"),
            Request("INFO", (("X", "1"), ("X", "2")), "hi", "text/plain"),
            Request("INVITE"),
            Disconnect("half-open"),
            Disconnect("reset"),
            Disconnect("close"),
        ),
    )  # fmt: skip
    assert found.script.reactions == (
        Reaction("CANCEL", ((Send(200, "OK"), Wait(0.2), Send(487, "Request Terminated", to="INVITE")),)),
        Reaction("BYE", ((Send(481, "Call/Transaction Does Not Exist"),),)),
        Reaction("OPTIONS", ((Silence(),), (Send(200, "OK"),))),
        Reaction("re-INVITE", ((NoTrying(), Send(488, "Not Acceptable Here")),)),
        Reaction("REGISTER", ((Send(403, "Not you"),),)),
    )
    assert found.script.losses == (
        Loss(RequestPattern("ACK"), 2),
        Loss(RequestPattern("CANCEL")),
        Loss(ResponsePattern(frozenset({200}), "BYE"), 1),
    )
    assert (found.kind, found.transport) == ("device", "tcp")


def test_carriers_are_devices_of_another_kind(example: Path) -> None:
    _, g1, g2 = load([example])[0].devices
    assert (g1.name, g1.kind, g1.transport, g1.place.line) == ("g1", "carrier", "udp", 29)
    assert (g2.name, g2.kind, g2.transport, len(g2.script.attempts)) == ("g2", "carrier", "tls", 2)
    assert bare(g1.script.reactions) == (Reaction("OPTIONS", ((Silence(),), (Send(200, "OK"),))),)


def test_calls_with_more_to_say(example: Path) -> None:
    first, second = bare(load([example])[0].calls)
    assert first.ack == Trigger(Event("desk", "sends", ResponsePattern(frozenset({183}))), 2.0)
    assert (first.prack, first.transport, first.method) == ("never", "tcp", "INVITE")
    assert first.then == (Wait(0.1), Request("INVITE"), Wait(0.1), HangUp())
    assert first.script == Script(
        (),
        (Reaction("BYE", ((Send(481, "Call/Transaction Does Not Exist"),),)),),
        (Loss(ResponsePattern(frozenset({200})), 1),),
    )
    assert (second.method, second.script, second.then, second.ack, second.prack) == ("OPTIONS", None, (), None, None)


def test_expected_schedules(example: Path) -> None:
    desk, alice, _, _ = bare(load([example])[0].expectations)
    invite, group, info = desk.items
    assert invite == Expected(RequestPattern("INVITE"), resent=Schedule(at=(0.5, 1.5)))
    assert group == AnyOrder(
        (
            Expected(RequestPattern("BYE"), resent=Schedule(first=0.5, cap=4.0, until="transaction")),
            Expected(RequestPattern("CANCEL")),
        )
    )
    assert info == Expected(RequestPattern("INFO"), maybe=True, resent=Schedule())
    assert alice.items[0].resent == Schedule(first=0.5, cap=4.0, until="transaction")
    assert alice.items[0].source == "desk"


def test_places_are_those_of_the_words(example: Path) -> None:
    found = load([example])[0]
    lines = EXAMPLE.splitlines()

    def at(place: Place) -> str:
        return lines[place.line - 1][place.column - 1 :]

    steps = found.devices[0].script.attempts[0]
    assert [at(step.place).split(":")[0].split("}")[0] for step in steps] == [
        "no 100", "183", "UPDATE", "200", "603", "603", "broken.sip", "INFO", "send re-INVITE", "half-open", "reset",
        "close",
    ]  # fmt: skip
    script = found.devices[0].script
    assert [at(r.place).partition(":")[0] for r in script.reactions] == [r.method for r in script.reactions]
    assert [at(loss.place)[:6] for loss in script.losses] == ["first ", "CANCEL", "first "]
    first = found.expectations[0]
    assert isinstance(first, Sequence)
    assert at(first.items[0].place).startswith("INVITE: {resent")


def test_python_values_make_the_same_scenario(example: Path) -> None:
    here = Place(str(example.parent / "test_x.py"), 7)
    scenario = from_python(IN_PYTHON, here)
    assert bare(scenario) == bare(load([example])[0])
    assert {step.place for step in scenario.devices[0].script.attempts[0]} == {here}


def test_a_scenario_holds_plain_values_only(example: Path) -> None:
    scenario = load([example])[0]
    assert {type(leaf) for leaf in leaves(scenario)} <= {str, int, float, bool, bytes, type(None)}
    assert pickle.loads(pickle.dumps(scenario)) == scenario


def test_flags_of_python_are_told_the_words() -> None:
    document: dict[str, object] = {**IN_PYTHON, "devices": {"desk": {"answer": [{180: {"reliable": True}}]}}}
    with pytest.raises(LanguageError, match=r"devices\.desk\.answer\[0\]\.180\.reliable: .* write 'yes' or 'no' as"):
        from_python(document, Place("p"))


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("to tag: none", Delivery(to_tag="")),
        ("to tag: other", Delivery(to_tag="other")),
        ("to tag: a-b.c~d", Delivery(to_tag="a-b.c~d")),
        ("branch: other", Delivery(branch="other")),
        ("cseq: BYE", Delivery(cseq="BYE")),
        ("resend: never", Delivery(resend=())),
        ("resend: [1s]", Delivery(resend=(1.0,))),
        ("resend: [1ms, 500ms, 1m]", Delivery(resend=(0.001, 0.5, 60.0))),
        ("copies: 1", PLAIN),
        ("copies: 100", Delivery(copies=100)),
        ("from: other port", Delivery(port="other")),
        ("from: other address", Delivery(port="elsewhere")),
        ("reliable: no", PLAIN),
        ("media: silence", Delivery(media="silence")),
        ("strip: Contact", Delivery(mutations=(Mutation("strip", "Contact"),))),
        ("strip: [Via, Contact]", Delivery(mutations=(Mutation("strip", "Via"), Mutation("strip", "Contact")))),
        ("truncate: 65535", Delivery(mutations=(Mutation("truncate", "65535"),))),
        ("pieces: [1, 2, 65535]", Delivery(pieces=(1, 2, 65535))),
        ("reason: x", PLAIN),
    ],
)
def test_how_a_message_leaves(words: str, wanted: Delivery) -> None:
    assert how(words) == wanted


def test_the_order_of_writing_does_not_matter_to_the_damage() -> None:
    words = ["truncate: 9", "corrupt: From", "duplicate: To", "strip: Via"]
    assert how(", ".join(words)) == how(", ".join(reversed(words)))
    assert [m.kind for m in how(", ".join(words)).mutations] == ["strip", "duplicate", "corrupt", "truncate"]


@pytest.mark.parametrize("code", [101, 180, 199])
def test_a_provisional_may_be_reliable(code: int) -> None:
    (step, _) = desk(f"answer: [{code}: {{reliable: yes}}, 486]").script.attempts[0]
    assert isinstance(step, Send)
    assert step.how == Delivery(reliable=True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("to tag: ''", "an empty tag"),
        ("to tag: null", "'to tag' is empty"),
        ("to tag: [a]", "expected a tag, none or other, found a list"),
        ('to tag: "a\\r\\nX: y"', "'a\\r\\nX: y' is no tag: letters, digits and -.!%*_+`'~ only"),
        ("branch: z9hG4bK1", "unknown branch 'z9hG4bK1'"),
        ("cseq: options", "unknown request 'options'"),
        ("resend: []", "an empty list of times"),
        ("resend: [0s]", "the first sending itself is at 0s"),
        ("resend: [1s, 1s]", "times count from the first sending, so each is later than the one before"),
        ("resend: [1s, [2s]]", "expected a duration, as 500ms, found a list"),
        ("resend: {at: 1s}", "expected never or a list of times, as [500ms, 1s], found a mapping"),
        ("resend: null", "'resend' is empty"),
        ("resend: doubling", "unknown schedule 'doubling'"),
        (f"resend: [{', '.join(f'{n}s' for n in range(1, 103))}]", "more than 100 times"),
        ("copies: 101", "'101' is out of range"),
        ("copies: -1", "'-1' is out of range"),
        ("copies: 1.5", "'1.5' is no number"),
        ("copies: [2]", "expected a number, found a list"),
        ("copies: ٣", "'٣' is no number"),
        ("copies: 9999999999", "'9999999999' is no number"),
        ("from: other ports", "unknown origin 'other ports'"),
        ("reliable: maybe", "'maybe' is neither yes nor no"),
        ("strip: []", "an empty list of headers"),
        ("strip: 'To:'", "':' cannot stand in a header name"),
        ("strip: [To, [From]]", "expected a header name, found a list"),
        ("strip: To, duplicate: t", "'t' is stripped: there is nothing left to duplicate"),
        ("truncate: 65536", "'65536' is out of range"),
        ("truncate: null", "'truncate' is empty"),
        ("pieces: 10", "expected a list of numbers of bytes, found text"),
        ("pieces: []", "an empty list of cuts"),
        ("pieces: [0]", "'0' is out of range"),
        ("pieces: [10, 9]", "cuts count from the first byte, so each is further than the one before"),
    ],
)
def test_no_way_to_leave(words: str, message: str) -> None:
    assert told(small(f"{{answer: [200: {{{words}}}], transport: tcp}}"))[0] == message


def test_all_mistakes_in_one_response_come_at_once() -> None:
    text = small("{answer: [180: {copies: x, resend: [1], to tag: , mangle: To, strip: ':'}, 700]}")
    assert [d.message for d in mistakes(text)] == [
        "'x' is no number",
        "'1' has no unit",
        "'to tag' is empty",
        "unknown key 'mangle'",
        "':' cannot stand in a header name",
        "'700' is no response code: they go from 100 to 699",
    ]


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        ("486, wait 100ms, 603", (486, 603)),
        ("486, 486, 200", (486, 486, 200)),
        ("200, 486, hang up", (200, 486)),
        ("486, 200, hang up", (486, 200)),
        ("200, after desk gets BYE, 200", (200, 200)),
    ],
)
def test_further_finals(steps: str, wanted: tuple[int, ...]) -> None:
    found = desk(f"answer: [{steps}]").script.attempts[0]
    assert tuple(step.code for step in found if isinstance(step, Send)) == wanted


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        ("no 100, silence", (NoTrying(), Silence())),
        ("no 100, wait 1s, 486", (NoTrying(), Wait(1.0), Send(486, "Busy Here"))),
        ("180, send: PRACK", (Send(180, "Ringing"), Request("PRACK"))),
        ("180, send: BYE", (Send(180, "Ringing"), Request("BYE"))),
        ("200, hang up, wait 1s, close", (Send(200, "OK"), HangUp(), Wait(1.0), Disconnect("close"))),
        ("close", (Disconnect("close"),)),
        ("half-open, 486", (Disconnect("half-open"), Send(486, "Busy Here"))),
        ("180: {resend: [1s]}, 486", (Send(180, "Ringing", how=Delivery(resend=(1.0,))), Send(486, "Busy Here"))),
        ("486 to the moon", (Send(486, "to the moon"),)),
        ("'486 Busy, going to INVITE'", (Send(486, "Busy, going to INVITE"),)),
    ],
)
def test_steps_that_are_possible(steps: str, wanted: tuple[Step, ...]) -> None:
    assert desk(f"answer: [{steps}]").script.attempts[0] == wanted


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("100, no 100", "'no 100' comes first, or the 100 is out already"),
        ("wait 1s, no 100", "'no 100' comes first, or the 100 is out already"),
        ("no 101", "unknown response 'no'"),
        ("no", "unknown response 'no'"),
        ("no 100 please", "'please' does not belong to 'no 100'"),
        ("close it", "'it' does not belong to 'close'"),
        ("send", "a request is missing after 'send'"),
        ("200, send INFO now", "'now' does not belong to this step"),
        ("200, send: sing", "unknown request 'sing'"),
        ("200, send: ACK", "an ACK goes out by itself"),
        (
            "200, send: null",
            "expected a request, as 'send: re-INVITE' or 'send: {INFO: {headers: {...}}}', found nothing",
        ),
        ("200, send: {}", "one step sends one request"),
        ("200, send: {INVITE: {}}", "an INVITE within a dialog is a re-INVITE"),
        ("200, send: {INFO: text}", "expected a mapping, found text"),
        ("200, send: {INFO: {body: x}}", "a body needs a type"),
        ("200, send: {INFO: {phrase: x}}", "unknown key 'phrase'"),
        ("200, {send: INFO, wait: 1s}", "unknown key 'wait'"),
        ("send: INFO, 200", "INFO needs a dialog, and there is none yet"),
        ("100, send: INFO, 200", "INFO needs a dialog, and there is none yet"),
        ("200, send: BYE, send: INFO", "nothing can follow a BYE"),
        ("200, hang up, 486", "nothing can follow 'hang up'"),
        ("close, wait 1s", "nothing can follow 'close'"),
        ("200 to INVITE: {reason: x}", "'to INVITE' is for reactions: an answer answers the INVITE"),
        ("486 to CANCEL", "only a pending INVITE is answered out of turn, no CANCEL"),
        ("486 to invite", "unknown request 'invite'"),
        ("100: {reliable: yes}", "only a provisional response from 101 is sent reliably (RFC 3262 3)"),
        ("100: {media: tone}", "a 100 has no session to send media in"),
        ("183: {media: }", "'media' is empty"),
    ],
)
def test_steps_that_mean_nothing(steps: str, message: str) -> None:
    assert told(small(f"{{answer: [{steps}]}}"))[0] == message


def test_after_bytes_everything_may_follow(tmp_path: Path) -> None:
    (tmp_path / "ok.sip").write_bytes(b"SIP/2.0 200 OK\r\n\r\n")
    text = small("{answer: [bytes: ok.sip, send: INFO, hang up]}", call="cancel: after desk sends 699")
    steps = read(text, str(tmp_path / "s")).devices[0].script.attempts[0]
    assert [type(step) for step in steps] == [Raw, Request, HangUp]


def reactions(words: str, *, caller: bool = False) -> tuple[Reaction, ...]:
    if caller:
        script = call(f"on: {{{words}}}").script
        assert script is not None
        return script.reactions
    return desk(f"answer: [486], on: {{{words}}}").script.reactions


@pytest.mark.parametrize("method", REACTED)
@pytest.mark.parametrize("caller", [False, True])
def test_every_request_can_be_reacted_to(method: str, caller: bool) -> None:
    assert reactions(f"{method}: [500]", caller=caller) == (Reaction(method, ((Send(500, "Server Internal Error"),),)),)


@pytest.mark.parametrize("method", IN_DIALOG)
def test_every_request_can_be_sent(method: str) -> None:
    name = "INVITE" if method == "re-INVITE" else method
    for words in (
        f"send {method}",
        f"send: {method}",
        f"{{send: {{{method}: {{}}}}}}",
        f"{{send: {{{method}: null}}}}",
    ):
        assert desk(f"answer: [200, {words}]").script.attempts[0][1] == Request(name)
        assert call(f"then: [{words}]").then == (Request(name),)


@pytest.mark.parametrize(
    ("words", "attempts"),
    [
        ("CANCEL: [487 to INVITE]", ((Send(487, "Request Terminated", to="INVITE"),),)),
        (
            "CANCEL: [200 to INVITE: {to tag: other}, 200]",
            ((Send(200, "OK", to="INVITE", how=Delivery(to_tag="other")), Send(200, "OK")),),
        ),
        ("INFO: [200, hang up]", ((Send(200, "OK"), HangUp()),)),
        ("BYE: [100, 200]", ((Send(100, "Trying"), Send(200, "OK")),)),
        ("BYE: [[200], [200], [481]]", ((Send(200, "OK"),),) * 2 + ((Send(481, "Call/Transaction Does Not Exist"),),)),
        ("BYE: [close]", ((Disconnect("close"),),)),
        (
            "re-INVITE: [183: {reliable: yes, media: tone}, 200]",
            ((Send(183, "Session Progress", how=Delivery(reliable=True, media="tone")), Send(200, "OK")),),
        ),
        ("UPDATE: [send: UPDATE, 491]", ((Request("UPDATE"), Send(491, "Request Pending")),)),
    ],
)
def test_reactions(words: str, attempts: tuple[tuple[Step, ...], ...]) -> None:
    (found,) = reactions(words)
    assert found.attempts == attempts


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("BYE: []", "a reaction needs at least one step"),
        ("BYE: [[200], []]", "a reaction needs at least one step"),
        ("BYE: null", "expected a list of steps, found nothing"),
        ("BYE: {200: x}", "expected a list of steps, found a mapping"),
        ("BYE: [200, silence]", "'silence' cannot follow 200 OK: that is an answer"),
        ("BYE: [200, 100]", "a provisional response cannot follow 200 OK: it is a final response"),
        ("BYE: [200, wait 1s]", "no step follows this one: it does nothing"),
        ("BYE: [700]", "'700' is no response code: they go from 100 to 699"),
        ("BYE: [481, hang up]", "a call that gets BYE is over: nothing is left to hang up"),
        ("bye: [200]", "unknown request 'bye'"),
        ("REINVITE: [200]", "unknown request 'REINVITE'"),
        ("re-INVITE: [100, no 100]", "'no 100' comes first, or the 100 is out already"),
        ("re-INVITE: [487 to INVITE]", "'to INVITE' is out of place: the INVITE that is pending here is this one"),
        ("BYE: [200: {pieces: [1]}]", "'pieces' needs a connection, and udp has none"),
        ("BYE: [180: {reliable: yes}, 200]", "a response to BYE is never sent reliably (RFC 3262 3)"),
        ("UPDATE: [200: {media: tone}]", "a response to UPDATE is never the beginning of media"),
        ("BYE: [reset]", "'reset' needs a connection, and udp has none"),
        ("BYE: [after dask gets BYE, 200]", "unknown agent 'dask'"),
        ("BYE: [after desk sends 603, 200]", "'desk' never sends 603"),
    ],
)
@pytest.mark.parametrize("caller", [False, True])
def test_no_reactions(words: str, message: str, caller: bool) -> None:
    text = small(call=f"on: {{{words}}}") if caller else small(f"{{answer: [486], on: {{{words}}}}}")
    assert told(text)[0] == message


def test_a_caller_answers_only_a_re_invite_out_of_turn() -> None:
    assert told(small(call="on: {OPTIONS: [487 to INVITE, 200]}")) == (
        "'to INVITE' is out of place: a caller has made the INVITE itself",
        "write 487",
    )
    assert reactions("CANCEL: [200, 487 to INVITE]", caller=True)[0].attempts[0][1] == Send(
        487, "Request Terminated", to="INVITE"
    )


def test_mistakes_in_several_reactions_come_at_once() -> None:
    text = small("{answer: [486], on: {BYE: [200, 100], OPTIONS: [no 100, 200]}}", call="then: [486]")
    lines = text.splitlines()
    found = [lines[d.place.line - 1][d.place.column - 1 :] for d in mistakes(text)]
    assert [at.split("]")[0] for at in found] == ["100", "no 100, 200", "486"]


@pytest.mark.parametrize(
    ("words", "loss"),
    [
        ("CANCEL", Loss(RequestPattern("CANCEL"))),
        ("first 1 INVITE", Loss(RequestPattern("INVITE"), 1)),
        ("first 1000 200 to REGISTER", Loss(ResponsePattern(frozenset({200}), "REGISTER"), 1000)),
        ("ACK to 486", Loss(RequestPattern("ACK", frozenset({486})))),
        ("first 3 18x", Loss(ResponsePattern(frozenset(range(180, 190)), text="18x"), 3)),
    ],
)
def test_losses(words: str, loss: Loss) -> None:
    assert desk(f"answer: [486], lose: [{words}]").script.losses == (loss,)
    script = call(f"lose: [{words}]").script
    assert script == Script((), losses=(loss,))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("[first]", "a number is missing after 'first'"),
        ("[first 486]", "'first' needs a number and a message"),
        ("[first two ACK]", "'two' is no number"),
        ("[first 1001 ACK]", "'1001' is out of range"),
        ("[first 2 ACK from desk]", "'from' does not belong to this loss"),
        ("['']", "a request (INVITE) or a response (486) is missing"),
        ("[ACK: 2]", "expected a message, as 'CANCEL' or 'first 2 ACK', found a mapping"),
        ("null", "'lose' is empty"),
    ],
)
def test_no_losses(words: str, message: str) -> None:
    assert told(small(f"{{answer: [486], lose: {words}}}"))[0] == message
    assert told(small(call=f"lose: {words}"))[0] == message


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls", "ws", "wss"])
def test_transports(transport: str) -> None:
    assert desk(f"answer: [486], transport: {transport}").transport == transport
    assert call(f"transport: {transport}").transport == transport


@pytest.mark.parametrize("word", ["TCP", "sctp", "''", "[tcp]", "null"])
def test_no_transports(word: str) -> None:
    assert len(mistakes(small(f"{{answer: [486], transport: {word}}}"))) == 1


@pytest.mark.parametrize(
    ("words", "ack"),
    [
        ("never", "never"),
        ("2s", Trigger(delay=2.0)),
        ("after 2s", Trigger(delay=2.0)),
        ("after desk sends 486", Trigger(Event("desk", "sends", ResponsePattern(frozenset({486}))))),
    ],
)
def test_when_a_2xx_is_acknowledged(words: str, ack: Trigger | str) -> None:
    assert call(f"ack: {words}").ack == ack


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("ack: ", "'ack' is empty"),
        ("ack: after desk sends 183", "'desk' never sends 183"),
        ("prack: 2s", "a PRACK goes out at once or never"),
        ("method: options", "unknown request 'options'"),
        ("method: OPTIONS, hang up: 1s", "'hang up' is for calls, and this is a single OPTIONS"),
        ("method: OPTIONS, ack: never", "'ack' is for calls, and this is a single OPTIONS"),
        ("method: OPTIONS, prack: never", "'prack' is for calls, and this is a single OPTIONS"),
        ("method: OPTIONS, then: [hang up]", "'then' is for calls, and this is a single OPTIONS"),
        ("then: [no 100]", "a caller has nothing to answer here: 'then' is what it sends from the answer on"),
        ("then: [close, hang up]", "nothing can follow 'close'"),
        ("then: [hang up, hang up]", "nothing can follow 'hang up'"),
        ("then: [send: BYE], hang up: 1s", "'then' hangs up already"),
        ("then: [reset]", "'reset' needs a connection, and udp has none"),
        ("then: hang up", "expected a list, found text"),
        ("then: ", "'then' is empty"),
    ],
)
def test_calls_that_mean_nothing(words: str, message: str) -> None:
    assert told(small(call=words))[0] == message


@pytest.mark.parametrize("words", ["hang up, wait 1s, close", "wait 1s", "half-open", "send: REFER, hang up"])
def test_what_a_caller_can_do_from_the_answer_on(words: str) -> None:
    assert len(call(f"then: [{words}]").then) == words.count(",") + 1


@pytest.mark.parametrize("method", ["OPTIONS", "MESSAGE", "CANCEL", "BYE", "REGISTER", "ACK"])
def test_a_single_request_reacts_and_loses_too(method: str) -> None:
    found = call(f"method: {method}, on: {{OPTIONS: [200]}}, lose: [first 1 200 to OPTIONS]")
    assert found.method == method
    assert found.script is not None


def test_a_caller_has_one_transport() -> None:
    text = small().replace("{from: alice, to: bob}", "{from: alice, to: bob, transport: tls}, {from: alice, to: bob}")
    assert told(text)[0] == "'alice' calls over tls before and over udp here"
    read(text.replace("to: bob}", "to: bob, transport: tls}"))
    read(text.replace("{from: alice, to: bob}", "{from: carol, to: bob}"))


@pytest.mark.parametrize(
    ("words", "schedule"),
    [
        ("INVITE: {resent: never}", Schedule()),
        ("INVITE: {resent: [500ms]}", Schedule(at=(0.5,))),
        ("INVITE: {resent: doubling}", Schedule(first=0.5, until="transaction")),
        ("CANCEL: {resent: doubling}", Schedule(first=0.5, cap=4.0, until="transaction")),
        ("maybe BYE: {resent: doubling}", Schedule(first=0.5, cap=4.0, until="transaction")),
        ("486: {resent: doubling}", Schedule(first=0.5, cap=4.0, until="transaction")),
        ("18x: {resent: doubling}", Schedule(first=0.5, until="transaction")),
        ("200 to BYE: {resent: [1s]}", Schedule(at=(1.0,))),
        ("ACK: {resent: never}", Schedule()),
        ("INVITE: {}", None),
        ("INVITE", None),
    ],
)
def test_how_often_a_message_has_to_come(words: str, schedule: Schedule | None) -> None:
    assert expected(words).resent == schedule


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("INVITE: {resent: [1]}", "'1' has no unit"),
        ("INVITE: {resent: []}", "an empty list of times"),
        (
            "INVITE: {resent: {at: 1s}}",
            "expected never, doubling or a list of times, as [500ms, 1.5s], found a mapping",
        ),
        ("INVITE: null", "expected a mapping, found nothing"),
        ("{}", "one item is one message"),
        ("INVTE: {resent: never}", "unknown request 'INVTE'"),
        ("486 from dask: {resent: never}", "unknown device 'dask'"),
        ("ACK to 486: {resent: doubling}", "an ACK is sent again only for each final response that comes again"),
        ("200 to BYE: {resent: doubling}", "a response to BYE is sent again only if the request is"),
        ("180 or 200: {resent: doubling}", "provisional and final responses are sent again by different rules"),
        ("any order: [maybe INVITE: {resent: never}, BYE]", "all of 'any order' is due"),
        ("any order: {INVITE: {resent: never}}", "expected a list, found a mapping"),
        ("any order: [[INVITE], BYE]", "expected a list of messages, 'never' or 'reached', found a list"),
    ],
)
def test_no_schedules(words: str, message: str) -> None:
    assert message in [d.message for d in mistakes(small(expect=f"desk: [{words}]"))]


def test_carriers_alone_are_enough() -> None:
    text = (
        small("").replace("devices:\n  desk:", "carriers:\n  g1: {answer: [503]}").replace("ring: [desk]", "hunt: [g1]")
    )
    scenario = read(text.replace("desk: reached", "g1: reached, alice: [503 from g1]"))
    assert [(device.name, device.kind) for device in scenario.devices] == [("g1", "carrier")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (small().replace("devices:\n  desk: {answer: [486]}\n", ""), "'devices' is missing"),
        (small().replace("  desk: {answer: [486]}\n", "  {}\n"), "a scenario needs at least one device"),
        (small().replace("calls", "carriers: {}\ncalls"), "there is no carrier here"),
        (small().replace("calls", "carriers: {desk: {answer: [1]}}\ncalls"), "'desk' is a device already; a carrier"),
        (small().replace("calls", "carriers: {g1: {answr: [503]}}\ncalls"), "unknown key 'answr'"),
        (small().replace("calls", "carriers: {system: {answer: [503]}}\ncalls"), "'system' always means the system"),
        (small().replace("calls", "carriers: [g1]\ncalls"), "expected a mapping, found a list"),
        (small().replace("calls", "carrier: {g1: {answer: [503]}}\ncalls"), "unknown key 'carrier'"),
        (small().replace("from: alice", "from: g1").replace("calls", "carriers: {g1: {answer: [486]}}\ncalls"),
         "'g1' is a device; a caller needs a name of its own"),
    ],
)  # fmt: skip
def test_no_carriers(text: str, message: str) -> None:
    assert any(d.message.startswith(message) for d in mistakes(text))


def test_a_carrier_is_never_dialled_by_name_and_never_rung() -> None:
    text = small().replace("calls", "carriers: {g1: {answer: [503]}}\ncalls").replace("desk: reached", "g1: never")
    assert read(text.replace("[desk]}}", "[desk]}, pstn: {hunt: [g1]}}").replace("bob}]", "bob}, {from: a, to: pstn}]"))
    assert told(text.replace("ring: [desk]", "ring: [g1]").replace("g1: never", "g1: never, desk: never")) == (
        "'g1' is a carrier: it never registers, so it cannot be rung",
        "reach carriers in turn, as 'pstn: {hunt: [g1]}'",
    )
    assert told(text.replace("to: bob", "to: g1").replace("desk]", "desk]"))[0] == (
        "'g1' is a device; calls go to targets"
    )


@pytest.mark.parametrize(
    ("desk", "event", "hint"),
    [
        ("answer: [486]", "603", "it sends 486"),
        ("answer: [silence]", "100", "it sends no response at all"),
        ("answer: [no 100, 180]", "100", "it sends 180"),
        ("answer: [486], on: {CANCEL: [481]}", "487", "it sends 486"),
        ("answer: [486], on: {CANCEL: [481]}", "200 to CANCEL", "it sends 481"),
        ("answer: [486], on: {OPTIONS: [[silence], [404]]}", "200 to OPTIONS", "it sends 404"),
        ("answer: [486], on: {BYE: [silence]}", "200 to BYE", "it sends no response at all"),
        ("answer: [200], on: {re-INVITE: [488]}", "491", "it sends 200, 488"),
        ("answer: [200]", "INVITE", "a request is sent by 'send: ...' or by the 'method' of a call"),
        ("answer: [200, send: INFO]", "UPDATE", "a request is sent by 'send: ...' or by the 'method' of a call"),
    ],
)
def test_events_that_never_happen(desk: str, event: str, hint: str) -> None:
    assert told(small(f"{{{desk}}}", call=f"cancel: after desk sends {event}")) == (f"'desk' never sends {event}", hint)


@pytest.mark.parametrize(
    ("desk", "event"),
    [
        ("answer: [486]", "100"),
        ("answer: [486]", "487"),
        ("answer: [486]", "200 to BYE"),
        ("answers: [[silence], [486]]", "100"),
        ("answer: [486], on: {CANCEL: [200, 487 to INVITE]}", "487"),
        ("answer: [486], on: {CANCEL: [200, 603 to INVITE]}", "603"),
        ("answer: [200], on: {re-INVITE: [488]}", "488"),
        ("answer: [200]", "491"),
        ("answer: [486: {cseq: OPTIONS}]", "486 to OPTIONS"),
        ("answer: [486: {cseq: OPTIONS}]", "600"),
        ("answer: [486], on: {BYE: [200: {cseq: INVITE}]}", "200"),
        ("answer: [200, send: INFO]", "INFO"),
        ("answer: [200, send: re-INVITE]", "INVITE"),
        ("answer: [486]", "REGISTER"),
        ("answer: [486], on: {OPTIONS: [200, send: UPDATE]}", "UPDATE"),
    ],
)
def test_events_that_may_happen(desk: str, event: str) -> None:
    read(small(f"{{{desk}}}", call=f"cancel: after desk sends {event}"))


@pytest.mark.parametrize(
    ("words", "event", "never"),
    [
        ("on: {BYE: [481]}", "481 to BYE", False),
        ("on: {BYE: [481]}", "200 to BYE", True),
        ("on: {re-INVITE: [488]}", "200", True),
        ("on: {re-INVITE: [488]}", "100", False),
        ("on: {re-INVITE: [488], CANCEL: [200, 600 to INVITE]}", "600", False),
        ("method: OPTIONS", "OPTIONS", False),
        ("method: OPTIONS", "INFO", True),
        ("then: [send: INFO]", "INFO", False),
        ("then: [bytes: x]", "INFO", False),
    ],
)
def test_what_a_caller_sends(tmp_path: Path, words: str, event: str, never: bool) -> None:
    (tmp_path / "x").write_bytes(b"INFO sip:x SIP/2.0\r\n\r\n")
    text = small(f"{{answer: [180, after alice sends {event}, 486]}}", call=words)
    if never:
        assert told(text, str(tmp_path / "s"))[0] == f"'alice' never sends {event}"
    else:
        read(text, str(tmp_path / "s"))


def test_what_only_one_of_two_calls_says_is_not_known_of_the_caller() -> None:
    text = small("{answer: [after alice sends 200 to BYE, 486]}", call="on: {BYE: [481]}")
    assert told(text)[0] == "'alice' never sends 200 to BYE"
    read(text.replace("calls: [", "calls: [{from: alice, to: bob}, "))
    read(text.replace("}]\nexpect", "}, {from: alice, to: bob}]\nexpect"))


@pytest.mark.parametrize(
    ("words", "wanted", "message", "hint"),
    [
        ("method: OPTIONS", "200", "'alice' sends no INVITE", "write '200 to OPTIONS'"),
        ("method: OPTIONS", "busy-here or 480", "'alice' sends no INVITE", "write 'busy-here or 480 to OPTIONS'"),
        ("method: OPTIONS", "any order: [200 to OPTIONS, 200]", "'alice' sends no INVITE", "write '200 to OPTIONS'"),
        ("", "200 to INFO", "'alice' sends no INFO",
         "a call sends it with 'then: [send: INFO]', or is one with 'method: INFO'"),
    ],
)  # fmt: skip
def test_answers_to_what_nobody_asked(words: str, wanted: str, message: str, hint: str) -> None:
    assert told(small(call=words, expect=f"alice: [{wanted}]")) == (message, hint)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("method: OPTIONS", "200 to OPTIONS"),
        ("then: [send: INFO]", "200, 200 to INFO"),
        ("on: {BYE: [send: INFO, 200]}", "200 to INFO"),
        ("method: OPTIONS", "BYE"),
        ("", "200 to BYE, 200 to CANCEL, 200 to PRACK"),
    ],
)
def test_answers_that_were_asked_for(words: str, wanted: str) -> None:
    read(small(call=words, expect=f"alice: [{wanted}]"))


def bytes_step(directory: Path, name: str) -> Raw:
    (step,) = read(small(f"{{answer: [bytes: {name}]}}"), str(directory / "s.sip.yaml")).devices[0].script.attempts[0]
    assert isinstance(step, Raw)
    return step


def refused(directory: Path, name: str) -> tuple[str, str]:
    return told(small(f"{{answer: [bytes: {name}]}}"), str(directory / "s.sip.yaml"))


def test_bytes_are_taken_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    whole = bytes(range(256)) * 255 + b"x" * 255
    (tmp_path / "deep" / "er" / "x.bin").write_bytes(whole)
    found = bytes_step(tmp_path, "deep/er/x.bin")
    assert (found.data, found.file, len(found.data)) == (whole, "deep/er/x.bin", 65_535)
    assert bytes_step(tmp_path, "./deep//er/x.bin").data == whole


def test_bytes_in_words_may_have_spaces_in_their_name(tmp_path: Path) -> None:
    (tmp_path / "a b.sip").write_bytes(b"x")
    text = small("{answer: [bytes a b.sip]}")
    step = read(text, str(tmp_path / "s")).devices[0].script.attempts[0][0]
    assert isinstance(step, Raw)
    assert (step.data, step.file, step.place.column) == (b"x", "a b.sip", text.splitlines()[4].index("bytes") + 1)


def test_bytes_are_looked_for_beside_the_file_wherever_one_stands(
    example: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for directory in (example.parent, example.parent.parent, Path("/")):
        monkeypatch.chdir(directory)
        assert load([example.parent])[0] == load([example])[0]
    monkeypatch.chdir(example.parent)
    assert load([Path(example.name)])[0].id == "W-01"


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("/etc/passwd", "an absolute path", "name the file from the directory of the scenario"),
        ("../x.sip", "'..' leads out of the scenario's directory", "put the file beside the scenario"),
        ("a/../x.sip", "'..' leads out of the scenario's directory", "put the file beside the scenario"),
        ("x.spi", "'x.spi': there is no such file beside the scenario", "did you mean 'x.sip'?"),
        ("sub", "'sub': this is no regular file", ""),
        ("pipe", "'pipe': this is no regular file", ""),
        ("large", "'large' is larger than 65,535 bytes", "no datagram is longer"),
        ("empty", "'empty' is empty: nothing would be sent", ""),
        ("out", "'out' leads out of the scenario's directory", "copy the file into it"),
        ("outdir/x", "'outdir/x' leads out of the scenario's directory", "copy the file into it"),
        ("''", "the name of a file is missing", ""),
        ("[x.sip]", "expected the name of a file, found a list", ""),
        ('"x\\0"', "the name of a file must not contain a NUL", ""),
        ("x.sip/y", "'x.sip/y': Not a directory", ""),
        ("x" * 300, "", ""),
        ("typo", "unknown placeholder '{call_id}' in 'typo'", "did you mean '{call-id}'?"),
    ],
)
def test_no_bytes(tmp_path: Path, name: str, message: str, hint: str) -> None:
    home = tmp_path / "home"
    (home / "sub").mkdir(parents=True)
    (tmp_path / "x").write_bytes(b"secret")
    (home / "x.sip").write_bytes(b"x")
    (home / "large").write_bytes(b"x" * 65_536)
    (home / "empty").write_bytes(b"")
    (home / "typo").write_bytes(b"SIP/2.0 200 OK\r\nCall-ID: {call_id}\r\n\r\n")
    (home / "out").symlink_to(tmp_path / "x")
    (home / "outdir").symlink_to(tmp_path)
    os.mkfifo(home / "pipe")
    found = refused(home, name)
    assert found == (message, hint) or (not message and "name too long" in found[0])


@pytest.mark.parametrize("data", [b"{}", b"{via}{to}", b"{VIA-nothing-of-ours}", b"{ via }", b"{x}" * 9, b"\xff{\xfe}"])
def test_braces_that_are_no_mistyped_placeholders(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    assert bytes_step(tmp_path, "x").data == data


def test_a_link_within_the_directory_is_followed(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    (tmp_path / "y").symlink_to(tmp_path / "x")
    assert bytes_step(tmp_path, "y").data == b"x"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    [found] = mistakes(small("{answer: [bytes: loop]}"), str(tmp_path / "s"))
    assert found.message.startswith("'loop': ")


def test_a_re_invite_is_expected_as_what_it_is() -> None:
    assert told(small(expect="desk: [Re-Invite]")) == (
        "a re-INVITE is an INVITE within a dialog",
        "did you mean 'INVITE'?",
    )
    assert told(small("{answer: [after desk gets re-INVITE, 486]}"))[1] == "did you mean 'INVITE'?"


def test_the_words_of_the_readme(tmp_path: Path) -> None:
    (tmp_path / "broken.sip").write_bytes(b"x")
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (block,) = [b.split("```")[0] for b in readme.split("```yaml\n") if b.startswith("devices:\n  desk:\n")]
    head = "title: t\nid: R-1\ntargets: {bob: {ring: [desk]}, pstn: {hunt: [g1]}}\n"
    scenario = read(head + block, str(tmp_path / "s"))
    assert [(d.name, d.kind) for d in scenario.devices] == [("desk", "device"), ("g1", "carrier")]
    assert [c.method for c in scenario.calls] == ["INVITE", "OPTIONS"]
