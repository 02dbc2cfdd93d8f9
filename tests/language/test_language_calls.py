"""Scenarios without calls, calls with times and words of their own, answers by what a request says."""

from __future__ import annotations

import re
from pathlib import Path

from sip_harness.language import from_python, load_text
from sip_harness.language import load as load_files
from sip_harness.model.pattern import Event, RequestPattern, ResponsePattern, Trigger
from sip_harness.model.place import NOWHERE, Place
from sip_harness.model.scenario import Account, Call, Scenario, Watch
from sip_harness.model.script import Reaction, When
from sip_harness.model.steps import PLAIN, Again, Challenge, Delivery, Grant, Mutation, Request, Send, Wait
from sip_harness.pytest_sip import Sip
from sip_harness.systems.intent import request_uri

HEAD = "title: t\nid: T-1\n"
CALLED = f"{HEAD}targets: {{pstn: {{hunt: [g1]}}}}\nexpect: {{g1: reached}}\n"


def load(text: str) -> Scenario:
    return load_text(text, "t.sip.yaml")


def watch(words: str) -> Watch | None:
    return load(f"{HEAD}carriers: {{g1: {{on: {{OPTIONS: [200]}}}}}}\nwatch: {words}\nexpect: {{g1: [OPTIONS]}}").watch


def call(words: str, more: str = "") -> Call:
    return load(f"{CALLED}carriers: {{g1: {{answer: [503]}}}}\ncalls: [{{from: a, to: pstn, {words}}}{more}]").calls[0]


def place(line: int, column: int) -> Place:
    return Place("t.sip.yaml", line, column)


def test_a_scenario_may_only_watch() -> None:
    until = Event("g1", "gets", RequestPattern("OPTIONS"), place(4, 14), 2)
    assert watch("3s") == Watch(3.0, place=place(4, 8))
    assert watch("until g1 gets 2 OPTIONS") == Watch(10.0, until, place(4, 8))
    full = watch("{until: g1 gets 2 OPTIONS, at most: 1m}")
    assert full is not None
    assert (full.seconds, str(full.until), full.gives_up) == (60.0, "g1 gets 2 OPTIONS", False)
    last = watch("{until: g1 gets 2 OPTIONS, give accounts up: yes}")
    assert last is not None
    assert last.gives_up


def test_a_watch_may_go_beside_calls() -> None:
    scenario = load(f"{CALLED}carriers: {{g1: {{answer: [503]}}}}\nwatch: 3s\ncalls: [{{from: a, to: pstn}}]")
    assert scenario.watch is not None
    assert len(scenario.calls) == 1
    assert scenario.timed


def test_anchors() -> None:
    assert call("at: 500ms").at == Trigger(delay=0.5)
    event = Event("g1", "sends", ResponsePattern(frozenset({503})), place(6, 42))
    assert call("at: 3s after g1 sends 503").at == Trigger(event, 3.0)
    assert not load(f"{CALLED}carriers: {{g1: {{answer: [503]}}}}\ncalls: [{{from: a, to: pstn}}]").timed


def test_what_a_caller_says_of_itself() -> None:
    made = call("as: {password: wrong}, uri: 'tel:{user};phone-context={host}', early: [send: UPDATE]")
    assert made.account == Account("wrong")
    assert request_uri(made, "sip:+4930@x.test:5060;q=1") == "tel:+4930;phone-context=x.test"
    assert request_uri(call("uri: '{uri};user=phone'"), "sip:b@x") == "sip:b@x;user=phone"
    numbered = call("uri: 'sip:{user}@{hostport};user=phone'")
    assert request_uri(numbered, "sip:b@x:5080;q=1") == "sip:b@x:5080;user=phone"
    assert request_uri(numbered, "sip:b@x") == "sip:b@x;user=phone"
    assert request_uri(call("name: plain"), "sip:b@x") == "sip:b@x"
    assert made.early == (Request("UPDATE", place=made.early[0].place),)
    message = call("method: MESSAGE, body: hello, type: text/plain, headers: {From: '<sip:m@x>'}")
    assert (message.body, message.content_type, message.headers) == ("hello", "text/plain", (("From", "<sip:m@x>"),))


def reaction(words: str) -> Reaction:
    text = f"{HEAD}carriers: {{g1: {{{words}}}}}\nwatch: 1s\nexpect: {{g1: reached}}"
    return load(text).devices[0].script.reactions[0]


def test_registrars() -> None:
    assert reaction("registrar: yes").attempts == ((Grant(),),)
    assert reaction("registrar: challenge").attempts == ((Challenge(), Grant()),)
    full = reaction("registrar: {user: u, password: a-secret, realm: r, expires: 60s, min expires: 30s}")
    assert full == Reaction("REGISTER", ((Challenge(401, "u", "a-secret", "r"), Grant(60, 30)),))
    assert "a-secret" not in repr(full)


def test_challenges_as_steps() -> None:
    [steps] = reaction("on: {OPTIONS: [challenge 407, 200]}").attempts
    assert steps[0] == Challenge(407, place=place(3, 32))
    [steps] = reaction("on: {OPTIONS: [challenge: {password: p, algorithm: [SHA-256, MD5], qop: none}, 200]}").attempts
    assert steps[0] == Challenge(401, "", "p", "", ("SHA-256", "MD5"), "")
    [steps] = reaction("on: {OPTIONS: [challenge: {password: p, stale: yes}, 200]}").attempts
    assert steps[0] == Challenge(401, "", "p", stale=True)
    assert reaction("registrar: {stale: yes}").attempts == ((Challenge(stale=True), Grant()),)


def test_answers_by_number_and_by_what_a_request_says() -> None:
    answers = "[[486], {when: {from: a, user: /^00/, headers: {X-A: present}}, answer: [404]}, always: [603]]"
    script = load(f"{CALLED}carriers: {{g1: {{answers: {answers}}}}}\ncalls: [{{from: a, to: pstn}}]").devices[0].script
    assert [step.code for attempt in script.attempts for step in attempt if isinstance(step, Send)] == [486, 603]
    [case] = script.cases
    assert case.when == When((("X-A", "present"),), "/^00/", "a")
    assert [step.code for step in case.steps if isinstance(step, Send)] == [404]
    mixed = reaction("on: {OPTIONS: [{when: {headers: {X-A: absent}}, answer: [500]}, [200]]}")
    assert (len(mixed.attempts), len(mixed.cases)) == (1, 1)


def without_places(scenario: Scenario) -> str:
    return re.sub(r"Place\(file=[^)]*\)", "-", repr(scenario)).replace(repr(NOWHERE), "-")


def test_the_same_in_python() -> None:
    built: list[Scenario] = []
    sip = Sip("T-1", built.append)  # type: ignore[arg-type]
    sip.hunt("pstn", "g1", "g2")
    sip.carrier("g1", on={"OPTIONS": [["200"], ["silence"]]}, answers=[{"always": ["503"]}])
    sip.carrier("g2", registrar={"user": "u", "password": "p"})
    sip.call("a", to="pstn", at="1s after g1 gets 2 OPTIONS", as_={"password": "wrong"}, hang_up="300ms")
    sip.watch(until="g2 gets 2 REGISTER", at_most="20s")
    sip.expect(g2=["REGISTER", "REGISTER"])
    sip.run()
    text = (
        "title: T-1\nid: T-1\ntargets: {pstn: {hunt: [g1, g2]}}\n"
        "carriers:\n  g1: {on: {OPTIONS: [[200], [silence]]}, answers: [always: [503]]}\n"
        "  g2: {registrar: {user: u, password: p}}\n"
        "calls: [{from: a, to: pstn, at: 1s after g1 gets 2 OPTIONS, as: {password: wrong}, hang up: 300ms}]\n"
        "watch: {until: g2 gets 2 REGISTER, at most: 20s}\nexpect: {g2: [REGISTER, REGISTER]}\n"
    )
    assert without_places(built[0]) == without_places(load(text))


def test_a_document_in_python_needs_no_calls_either() -> None:
    document = {
        "title": "t", "id": "T-1", "carriers": {"g1": {"registrar": "yes"}}, "watch": "2s", "expect": {"g1": "reached"},
    }  # fmt: skip
    assert from_python(document, Place("x.py", 1)).watch == Watch(2.0, place=Place("x.py", 1))


def test_how_a_request_leaves_and_what_is_damaged() -> None:
    made = call("resend: [100ms, 2s], copies: 2, strip: [To, m], duplicate: CSeq, corrupt: Via, truncate: 90")
    damages = [("strip", "To"), ("strip", "m"), ("duplicate", "CSeq"), ("corrupt", "Via"), ("truncate", "90")]
    assert made.how == Delivery(resend=(0.1, 2.0), copies=2, mutations=tuple(Mutation(*one) for one in damages))  # type: ignore[arg-type]
    assert call("resend: never").how == Delivery(resend=())
    assert call("name: plain").how == PLAIN
    [step] = call("then: [send: {INFO: {strip: Contact, headers: {Via: null}}}]").then
    assert isinstance(step, Request)
    assert (step.how.mutations, step.omit) == ((Mutation("strip", "Contact"),), frozenset({"via"}))


def test_what_a_caller_does_meanwhile() -> None:
    made = call("meanwhile: [again, wait 1s, again: {branch: other}, send CANCEL, send: {CANCEL: {headers: {Via: x}}}]")
    again, wait, other, cancel, full = made.meanwhile
    assert again == Again(place=place(6, 41))
    assert wait == Wait(1.0, place(6, 48))
    assert other == Again("other")
    assert isinstance(cancel, Request)
    assert isinstance(full, Request)
    assert (cancel.method, full.method, full.headers) == ("CANCEL", "CANCEL", (("Via", "x"),))


def test_any_method_and_headers_left_out() -> None:
    made = call("method: TELEPORT, headers: {Max-Forwards: null, X: '{uri}'}")
    assert (made.method, made.omit, made.headers) == ("TELEPORT", frozenset({"max-forwards"}), (("X", "{uri}"),))
    assert made.is_odd
    assert not call("method: TELEPORT, headers: {X: y}").is_odd


def test_the_bytes_of_a_file_are_a_call_of_their_method(tmp_path: Path) -> None:
    for data, method in (
        (b"INVITE {uri} SIP/2.0\n\n", "INVITE"),
        (b"!x sip:a SIP/2.0\n\n", "!x"),
        (b"ACK sip:a SIP/2.0\n\n", "ACK"),
        (b"SIP/2.0 200 OK\n\n", ""),
        (b"no", ""),
    ):
        (tmp_path / "a.sip").write_bytes(data)
        file = tmp_path / "t.sip.yaml"
        file.write_text(f"{CALLED}carriers: {{g1: {{answer: [503]}}}}\ncalls: [{{from: a, to: pstn, bytes: a.sip}}]\n")
        [scenario] = load_files([file])
        [made] = scenario.calls
        assert made.raw is not None
        assert (made.raw.data, made.method, made.is_odd) == (data, method, True)


def test_a_caller_may_stand_for_another_agent() -> None:
    assert call("as: g1").account == Account(agent="g1")
    assert call("as: {password: x}").account == Account("x")


FORWARDS = """
devices: {desk: {answer: [302: {headers: {Contact: '<{uri of eve}>'}}]}, mobile: {answer: [ok]}}
targets: {bob: {ring: [desk]}, eve: {ring: [mobile]}}
calls: [{from: alice, to: bob}]
expect: {alice: [200 from mobile]}
"""


def test_a_target_that_somebody_is_led_to_needs_no_call() -> None:
    [step] = load(HEAD + FORWARDS).devices[0].script.attempts[0]
    assert isinstance(step, Send)
    assert (step.code, step.headers) == (302, (("Contact", "<{uri of eve}>"),))


def test_roles_in_a_matrix_are_no_placeholders_of_it(tmp_path: Path) -> None:
    matrix = HEAD.replace("T-1", "'T-{code}'") + "for: {code: [301, 302]}" + FORWARDS.replace("302:", '"{code}":')
    (tmp_path / "t.sip.yaml").write_text(matrix, encoding="utf-8")
    first = [case.devices[0].script.attempts[0][0] for case in load_files([tmp_path / "t.sip.yaml"])]
    assert [(s.code, s.headers) for s in first if isinstance(s, Send)] == [
        (code, (("Contact", "<{uri of eve}>"),)) for code in (301, 302)
    ]


def test_registrars_of_one_carrier_are_a_target_that_nobody_dials() -> None:
    watched = load(
        f"{HEAD}targets: {{carrier: {{hunt: [g1, g2]}}}}\nwatch: 1s\nexpect: {{g1: [REGISTER]}}\n"
        "carriers: {g1: {registrar: yes}, g2: {registrar: yes}}"
    )
    assert watched.targets[0].members == ("g1", "g2")
