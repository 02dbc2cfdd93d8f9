"""Scenarios on the accounts and numbers of a profile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sip_harness.language.loading import load_text
from sip_harness.model.place import NOWHERE
from sip_harness.model.profile import Account, Group, Profile
from sip_harness.model.scenario import Scenario, Target
from sip_harness.model.wanted import Conforms
from sip_harness.systems.base import CannotBind
from sip_harness.systems.placing import Placing, place

PBX = Profile(
    "pbx",
    "b2bua",
    ("192.0.2.10", 5060),
    "pbx.example",
    roles={"alice": Account("101", "a"), "bob": Account("103", "b", "login")},
    groups=(
        Group("ring", "600", (Account("111", "p"), Account("112", "p"))),
        Group("ring", "601", (Account("113", "p"), Account("114", "p"))),
        Group("hunt", "700", (Account("121", "p"), Account("122", "p"))),
        Group("hunt", "0800", carriers=("first", "second")),
    ),
    carriers={"first": ("127.0.0.1", 5071), "second": ("127.0.0.1", 5072)},
)


def scenario(target: str, devices: str, caller: str = "alice", more: str = "") -> Scenario:
    names = ", ".join(f"{name}: {{answer: [busy-here]}}" for name in devices.split())
    section = "carriers" if devices.startswith("g") else "devices"
    return load_text(
        f"title: t\nid: T\ntargets: {{{target}}}\n{section}: {{{names}}}\n"
        f"calls: [{{from: {caller}, to: {target.partition(':')[0]}}}]\nexpect: {{{caller}: [486]}}\n{more}",
        "t.sip.yaml",
    )


def placed(one: Scenario, profile: Profile = PBX, load: dict[str, int] | None = None) -> Placing:
    return place(one, profile, load or {})


def test_a_ring_group_has_its_number_and_its_members() -> None:
    one = scenario("bob: {ring: [desk, mobile]}", "desk mobile")
    binding = placed(one).binding(one, PBX.domain)
    assert binding.uris == {"bob": "sip:600@pbx.example"}
    assert {name: user.name for name, user in binding.users.items()} == {"alice": "101", "desk": "111", "mobile": "112"}
    assert binding.registers == {"desk", "mobile"}
    assert placed(one, load={"112": 1}).dials == {"bob": "601"}, "the group that fewer wait for"


def test_one_phone_is_dialled_by_its_own_user() -> None:
    one = scenario("bob: {ring: [desk]}", "desk")
    binding = placed(one).binding(one, PBX.domain)
    assert binding.uris == {"bob": "sip:103@pbx.example"}
    assert (binding.users["desk"].name, binding.users["desk"].auth) == ("103", "login")


def test_carriers_listen_where_the_system_sends_to() -> None:
    one = scenario("pstn: {hunt: [g1, g2]}", "g1 g2")
    binding = placed(one).binding(one, PBX.domain)
    assert binding.uris == {"pstn": "sip:0800@pbx.example"}
    assert binding.listens == {"g1": ("127.0.0.1", 5071), "g2": ("127.0.0.1", 5072)}
    assert not binding.registers


def test_a_proxy_that_forks_by_contacts_says_so() -> None:
    proxy = replace(PBX, groups=(), capabilities=frozenset({"ring", "hunt", "mixed"}))
    ring = scenario("bob: {ring: [a, b, c]}", "a b c")
    assert {name: user.user for name, user in placed(ring, proxy).accounts.items()} == {
        "alice": "101", "a": "103", "b": "103", "c": "103",
    }  # fmt: skip
    hunt = scenario("bob: {hunt: [a, b]}", "a b")
    assert placed(hunt, proxy).preferences == {"a": 1.0, "b": 0.5}
    mixed = replace(hunt, targets=(Target("bob", "hunt", ("a", "b"), together=(("a",), ("b",))),))
    assert placed(mixed, proxy).preferences == {"a": 1.0, "b": 0.5}
    with pytest.raises(CannotBind, match="no way to hunt through groups"):
        placed(mixed)


@pytest.mark.parametrize(
    ("target", "devices", "caller", "why"),
    [
        ("bob: {ring: [a, b, c]}", "a b c", "alice", "pbx: no ring group with 3 members is free for bob (a, b, c)"),
        ("bob: {ring: [a]}", "a", "zoe", "pbx: no role 'zoe' in the profile for caller zoe"),
        ("dora: {ring: [a]}", "a", "alice", "pbx: no role 'dora' or 'a' in the profile for target dora"),
        ("bob: {ring: [a]}", "a", "bob", "pbx: device a would share account 103 with another agent"),
        ("pstn: {hunt: [g1, g2, g3]}", "g1 g2 g3", "alice", "no hunt group with 3 carriers is free for pstn"),
    ],
)
def test_what_cannot_be_bound_is_skipped_with_the_reason(target: str, devices: str, caller: str, why: str) -> None:
    with pytest.raises(CannotBind) as caught:
        placed(scenario(target, devices, caller))
    assert why in str(caught.value)


def test_needs_that_the_profile_does_not_state_are_missing() -> None:
    with pytest.raises(CannotBind, match="it lacks digest"):
        placed(scenario("bob: {ring: [a]}", "a", more="needs: [digest, ring, register]"))


def spoken(transport: str, kind: str = "devices") -> Scenario:
    name, target = ("g1", "pstn: {hunt: [g1]}") if kind == "carriers" else ("a", "bob: {ring: [a]}")
    said = f"{name}: {{answer: [busy-here], transport: {transport}}}"
    return load_text(
        f"title: t\nid: T\ntargets: {{{target}}}\n{kind}: {{{said}}}\n"
        f"calls: [{{from: alice, to: {target.partition(':')[0]}}}]\nexpect: {{alice: [486]}}\n",
        "t.sip.yaml",
    )


def test_a_transport_that_the_system_does_not_speak_is_missing() -> None:
    with pytest.raises(CannotBind, match="it does not listen by tcp"):
        placed(spoken("tcp"))
    for profile in (replace(PBX, others={"tcp": PBX.address}), replace(PBX, transport="tcp")):
        assert placed(spoken("tcp"), profile).dials == {"bob": "103"}
        assert placed(scenario("bob: {ring: [a]}", "a", more="needs: [tcp]"), profile).dials == {"bob": "103"}


def test_a_carrier_is_reached_by_the_transport_of_its_trunk() -> None:
    one = replace(PBX, groups=(Group("hunt", "0801", carriers=("first",)), Group("hunt", "0802", carriers=("second",))))
    assert placed(spoken("udp", "carriers"), one).dials == {"pstn": "0801"}
    with pytest.raises(CannotBind, match="no hunt group with 1 carriers by tcp is free for pstn"):
        placed(spoken("tcp", "carriers"), replace(one, others={"tcp": PBX.address}))
    by_tcp = replace(one, routes={"second": "tcp"}, others={"tcp": PBX.address})
    assert placed(spoken("tcp", "carriers"), by_tcp).dials == {"pstn": "0802"}


def test_a_carrier_asks_for_the_account_that_the_system_has_there() -> None:
    asked = scenario("pstn: {hunt: [g1, g2]}", "g1 g2", more="needs: [carrier-accounts]")
    with pytest.raises(CannotBind, match="it lacks carrier-accounts"):
        placed(asked)
    first, second = Account("company", "s"), Account("firm", "t")
    with pytest.raises(CannotBind, match="no hunt group with 2 carriers is free for pstn"):
        placed(asked, replace(PBX, trunks={"first": first}))
    trunks = replace(PBX, trunks={"first": first, "second": second})
    users = placed(asked, trunks).binding(asked, PBX.domain).users
    assert [(users[g].name, users[g].password) for g in ("g1", "g2")] == [("company", "s"), ("firm", "t")]
    assert "company" not in placed(asked, trunks).users(asked), "nobody has to have it alone"


def test_only_a_proxy_owes_what_the_rules_of_proxies_ask_for() -> None:
    ruled = replace(scenario("bob: {ring: [a]}", "a"), expectations=(Conforms(NOWHERE),))
    with pytest.raises(CannotBind, match="it is no proxy and owes nothing of what 'expect: rfc3261' asks for"):
        placed(ruled)
    assert placed(ruled, replace(PBX, kind="proxy")).dials == {"bob": "103"}


def test_of_several_accounts_of_a_role_the_least_wanted_serves() -> None:
    spares = {"alice": (Account("105", "s"),), "bob": (Account("106", "s"), Account("107", "s"))}
    several = replace(PBX, spares=spares)
    one = scenario("bob: {ring: [desk]}", "desk")
    assert users(one, several) == {"alice": "101", "desk": "103"}
    assert users(one, several, {"101": 1, "103": 2, "106": 1}) == {"alice": "105", "desk": "107"}
    assert placed(one, several, {"103": 1}).dials == {"bob": "106"}
    forking = replace(several, groups=(), capabilities=frozenset({"ring"}))
    fork = scenario("bob: {ring: [desk, mobile]}", "desk mobile")
    assert users(fork, forking, {"103": 1}) == {"alice": "101", "desk": "106", "mobile": "106"}


def users(one: Scenario, profile: Profile, load: dict[str, int] | None = None) -> dict[str, str]:
    return {name: account.user for name, account in placed(one, profile, load).accounts.items()}


def test_two_agents_of_one_role_have_an_account_each_if_there_are_two() -> None:
    """As a caller who is dialled too."""
    one = scenario("alice: {ring: [desk]}", "desk")
    with pytest.raises(CannotBind, match="would share account 101"):
        placed(one)
    assert users(one, replace(PBX, spares={"alice": (Account("105", "s"),)})) == {"alice": "101", "desk": "105"}
