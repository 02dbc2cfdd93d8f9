"""Which stack, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ladders import scenario

from sip_harness.language import load_text
from sip_harness.model.policy import Policy, Timer
from sip_harness.model.scenario import Account, Scenario, Stack
from sip_harness.model.system import SystemInfo, User
from sip_harness.run.plan import CannotCarryOut, Choice, StackMissing, Stacks, assign, choose_stacks, dialling, limit
from sip_harness.systems.base import Binding, Lease


def fork(desk: str = "{answer: [486]}", call: str = "{from: alice, to: bob}") -> Scenario:
    return scenario(f"desk: {desk}", "desk: reached", calls=f"[{call}]")


def chosen(of: Scenario, stacks: Stacks = Stacks()) -> dict[str, str]:  # noqa: B008
    return {agent: choice.stack for agent, choice in choose_stacks(of, stacks).items()}


def test_a_device_is_pjsua2_and_a_caller_wire_by_default() -> None:
    assert chosen(fork()) == {"desk": "pjsua2", "alice": "wire"}


def test_a_script_that_pjsua2_cannot_carry_out_is_wire_and_says_why() -> None:
    choice = choose_stacks(fork("{answer: [silence]}"), Stacks())["desk"]
    assert choice.stack == "wire"
    assert "pjsua2 cannot do it" in choice.why


def test_without_pjsua2_everything_is_wire_and_says_why() -> None:
    choice = choose_stacks(fork(), Stacks("auto", "no pjsua2 wheel for Python 3.13"))["desk"]
    assert (choice.stack, choice.why) == ("wire", "no pjsua2 wheel for Python 3.13")


def test_the_option_stands_where_the_scenario_leaves_it_open() -> None:
    assert chosen(fork(), Stacks("wire"))["desk"] == "wire"
    assert chosen(fork("{answer: [486], stack: pjsua2}"), Stacks("wire"))["desk"] == "pjsua2"
    assert chosen(fork(), Stacks("pjsua2"))["alice"] == "wire"


def test_the_scenario_may_put_a_caller_on_pjsua2() -> None:
    assert chosen(fork(call="{from: alice, to: bob, stack: pjsua2}"))["alice"] == "pjsua2"


@pytest.mark.parametrize(
    ("desk", "option"), [("{answer: [silence], stack: pjsua2}", "auto"), ("{answer: [silence]}", "pjsua2")]
)
def test_a_named_stack_that_cannot_do_it_is_an_authors_error_with_place_and_reason(desk: str, option: str) -> None:
    with pytest.raises(CannotCarryOut, match=r"t\.sip\.yaml:\d+:\d+: desk cannot be on the pjsua2 stack: ."):
        choose_stacks(fork(desk), Stacks(option))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("desk", "why"),
    [
        ("{answer: [486: {to tag: none}]}", "it cannot leave out the To-tag"),
        ("{answer: [486, 603]}", "it sends nothing more to an INVITE that it has answered with 486"),
        ("{answer: [486], on: {CANCEL: [481]}}", "it answers CANCEL as it sees fit"),
        ("{answer: [486], lose: [first 2 ACK]}", "it hears every message, ACK too"),
        ("{answer: [486], transport: tcp}", "it has no tcp here, only udp"),
        ("{answer: [no 100, 486]}", "it always answers an INVITE with 100"),
    ],
)
def test_what_no_telephone_would_send_is_wire_and_says_why(desk: str, why: str) -> None:
    assert choose_stacks(fork(desk), Stacks())["desk"] == Choice("wire", f"pjsua2 cannot do it: {why}")
    with pytest.raises(CannotCarryOut) as caught:
        choose_stacks(fork(desk), Stacks("pjsua2"))
    assert caught.value.reason == f"desk cannot be on the pjsua2 stack: {why}"
    assert caught.value.place.line == 6


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("method: OPTIONS", "it makes calls only, no OPTIONS of its own"),
        ("then: [send: INFO]", "it sends nothing of its own in a call but BYE"),
        ("ack: never", "it acknowledges an answer at once"),
        ("prack: never", "it acknowledges reliable provisionals at once"),
        ("on: {BYE: [481]}", "it answers BYE as it sees fit"),
        ("lose: [first 1 200]", "it hears every message, 200 too"),
        ("transport: tls", "it has no tls here, only udp"),
        ("headers: {Via: null}", "every INVITE of its has all that one must have"),
        ("as: desk", "it proves itself with the account of the run only"),
    ],
)
def test_a_caller_on_pjsua2_that_is_to_do_more_is_an_authors_error(words: str, why: str) -> None:
    assert chosen(fork(call=f"{{from: alice, to: bob, {words}}}"))["alice"] == "wire"
    with pytest.raises(CannotCarryOut, match=r"t\.sip\.yaml:7:\d+: alice cannot") as caught:
        choose_stacks(fork(call=f"{{from: alice, to: bob, {words}, stack: pjsua2}}"), Stacks())
    assert caught.value.reason == f"alice cannot be on the pjsua2 stack: {why}"


def test_all_calls_of_a_caller_have_to_be_for_its_stack() -> None:
    calls = "{from: alice, to: bob, stack: pjsua2}, {from: alice, to: bob, ack: never}"
    with pytest.raises(CannotCarryOut, match="acknowledges"):
        choose_stacks(fork(call=calls), Stacks())
    assert chosen(fork(call=calls.replace("pjsua2", "wire")))["alice"] == "wire"
    assert chosen(fork(call="{from: alice, to: bob, stack: pjsua2}, {from: alice, to: bob}"))["alice"] == "pjsua2"


def carriers(more: str = "") -> Scenario:
    return load_text(
        "title: t\nid: T-1\ntargets: {pstn: {hunt: [g1]}}\n"
        f"carriers:\n  g1: {{answer: [503]{more}}}\ncalls: [{{from: alice, to: pstn}}]\nexpect: {{alice: [503]}}\n",
        "t.sip.yaml",
    )


@pytest.mark.parametrize("option", ["auto", "pjsua2", "wire"])
def test_a_carrier_is_wire_and_the_option_is_for_devices(option: Stack) -> None:
    assert choose_stacks(carriers(), Stacks(option))["g1"] == Choice("wire", "a carrier is no telephone")


def test_a_carrier_cannot_be_on_pjsua2() -> None:
    with pytest.raises(CannotCarryOut, match=r"t\.sip\.yaml:5:3: g1 .*: it stands for a registered telephone"):
        choose_stacks(carriers(", stack: pjsua2"), Stacks())
    assert choose_stacks(carriers(", stack: wire"), Stacks())["g1"] == Choice("wire", "the scenario names it")


def test_an_authors_error_is_told_where_the_stack_is_missing_too() -> None:
    with pytest.raises(CannotCarryOut):
        choose_stacks(fork("{answer: [silence], stack: pjsua2}"), Stacks("auto", "no wheel"))


def test_a_named_stack_that_is_missing_is_a_skip_with_the_reason() -> None:
    with pytest.raises(StackMissing, match="no wheel"):
        choose_stacks(fork("{answer: [486], stack: pjsua2}"), Stacks("auto", "no wheel"))


INFO = SystemInfo("t", "proxy", ("127.0.0.1", 5060), "d", Policy(0.4, 0.2, {"ring": Timer(3.0, late=0.5)}))


def test_parts_carry_the_lease_token() -> None:
    users = {"desk": User("bob-qa7zx3", "d", "secret"), "alice": User("alice-qa7zx3", "d")}
    binding = Binding(users, {"bob": "sip:bob-qa7zx3@d"}, frozenset({"desk"}))
    desk, alice = assign(fork(), INFO, binding, Lease("qa7z", 3))
    assert (desk.contact, desk.register, desk.kind, desk.user.password) == ("desk-qa7zx3", True, "device", "secret")
    assert (alice.contact, alice.register, alice.kind, alice.script) == ("alice-qa7zx3", False, "caller", None)


def test_a_call_has_what_its_target_and_its_account_have_in_this_run() -> None:
    users = {"desk": User("bob-x3", "d:5066", "secret", "line-7"), "alice": User("alice-x3", "d")}
    binding = Binding(users, {"bob": "sip:bob-x3@d:5066"}, frozenset({"desk"}))
    [plain] = fork().calls
    assert dialling(plain, binding) is plain
    [call] = fork(call="{from: alice, to: bob, as: desk, headers: {To: '<{uri}>', X: '{user} {host} {run}'}}").calls
    made = dialling(call, binding)
    assert made.headers == (("To", "<sip:bob-x3@d:5066>"), ("X", "bob-x3 d {run}"))
    assert made.account == Account("secret", "line-7", "desk", "sip:bob-x3@d:5066")


def test_the_limit_has_room_for_all_waits_and_timers() -> None:
    waiting = fork("{answer: [ringing, wait 2s, 486]}", "{from: alice, to: bob, cancel: 5s}")
    assert limit(waiting, INFO) == pytest.approx(2 + 5 + 3.5 + 4)


def test_the_limit_has_room_for_reactions_and_late_acknowledgements_too() -> None:
    desk = "{answer: [180: {resend: [500ms, 1s]}, wait 2s, 200], on: {BYE: [wait 4s, 200]}}"
    waiting = fork(desk, "{from: alice, to: bob, ack: 8s, then: [wait 16s, hang up]}")
    assert limit(waiting, INFO) == pytest.approx(1 + 2 + 4 + 8 + 16 + 3.5 + 4)


def test_parts_have_the_address_of_their_transport() -> None:
    streams = {"tcp": ("127.0.0.1", 5062), "tls": ("127.0.0.1", 5061)}
    info = replace(INFO, addresses=streams, trust="ca.pem", certificate="agents.pem")
    made = fork("{transport: tls, answer: [486]}", "{from: alice, to: bob, transport: tcp}")
    users = {"desk": User("bob-qa7zx3", "d"), "alice": User("alice-qa7zx3", "d")}
    desk, alice = assign(made, info, Binding(users, {"bob": "sip:bob@d"}, frozenset({"desk"})), Lease("qa7z", 3))
    assert (desk.transport, desk.system) == ("tls", ("127.0.0.1", 5061))
    assert (alice.transport, alice.system) == ("tcp", ("127.0.0.1", 5062))
    assert {(part.trust, part.certificate) for part in (desk, alice)} == {("ca.pem", "agents.pem")}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("method: MESSAGE", "it answers MESSAGE as it sees fit"),
        ("then: [send re-INVITE]", "it answers re-INVITE as it sees fit"),
        ("early: [send UPDATE]", "it answers UPDATE as it sees fit"),
    ],
)
def test_a_phone_that_is_asked_more_than_a_call_is_on_the_wire_stack(words: str, why: str) -> None:
    call = f"{{from: alice, to: bob, {words}}}"
    assert choose_stacks(fork(call=call), Stacks())["desk"] == Choice("wire", f"pjsua2 cannot do it: {why}")
    with pytest.raises(CannotCarryOut, match=why):
        choose_stacks(fork(call=call), Stacks("pjsua2"))


@pytest.mark.parametrize("words", ["method: OPTIONS", "then: [wait 1s, send BYE]", "name: plain"])
def test_what_any_user_agent_has_to_answer_needs_no_other_stack(words: str) -> None:
    assert choose_stacks(fork(call=f"{{from: alice, to: bob, {words}}}"), Stacks())["desk"].stack == "pjsua2"
