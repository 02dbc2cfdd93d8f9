"""Which stack, and why."""

from __future__ import annotations

import pytest
from ladders import scenario

from sip_harness.model.policy import Policy, Timer
from sip_harness.model.scenario import Scenario
from sip_harness.model.system import SystemInfo, User
from sip_harness.run.plan import CannotCarryOut, StackMissing, Stacks, assign, choose_stacks, limit
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


def test_the_limit_has_room_for_all_waits_and_timers() -> None:
    waiting = fork("{answer: [ringing, wait 2s, 486]}", "{from: alice, to: bob, cancel: 5s}")
    assert limit(waiting, INFO) == pytest.approx(2 + 5 + 3.5 + 4)
