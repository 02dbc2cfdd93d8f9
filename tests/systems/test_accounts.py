"""Users that are made up from a lease."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sip_harness.model.policy import Policy
from sip_harness.model.scenario import Call, Device, Scenario, Target
from sip_harness.model.script import Script
from sip_harness.model.system import SystemInfo
from sip_harness.model.wanted import Conforms
from sip_harness.systems import accounts
from sip_harness.systems.accounts import fresh_users
from sip_harness.systems.base import CannotBind, Lease, SystemFailed

LEASE = Lease("abcd", 12)


def info(*capabilities: str, password: str = "") -> SystemInfo:
    return SystemInfo(
        name="thing",
        kind="proxy",
        address=("127.0.0.1", 5060),
        domain="127.0.0.1:5060",
        policy=Policy(),
        capabilities=frozenset(capabilities or ("register", "ring")),
        password=password,
    )


def scenario(
    *targets: Target, devices: tuple[str, ...] = (), callers: tuple[str, ...] = ("alice",), needs: tuple[str, ...] = ()
) -> Scenario:
    members = dict.fromkeys((*(m for t in targets for m in t.members), *devices))
    return Scenario(
        id="A-1",
        title="test",
        cite=(),
        targets=targets,
        devices=tuple(Device(name, Script(((),))) for name in members),
        calls=tuple(Call(str(i), caller, targets[0].name if targets else "bob") for i, caller in enumerate(callers)),
        expectations=(),
        needs=frozenset(needs),
    )


BOB = Target("bob", "ring", ("desk", "mobile"))


def test_members_share_the_account_of_their_target():
    binding = fresh_users(scenario(BOB), LEASE, info())
    assert binding.users["desk"] == binding.users["mobile"]
    assert binding.users["desk"].aor == "sip:bob-abcdx12@127.0.0.1:5060"
    assert binding.uris == {"bob": "sip:bob-abcdx12@127.0.0.1:5060"}
    assert binding.registers == {"desk", "mobile"}


def test_a_caller_has_its_own_and_does_not_register():
    binding = fresh_users(scenario(BOB, callers=("alice", "carol")), LEASE, info())
    assert binding.users["alice"].name == "alice-abcdx12"
    assert binding.users["carol"].name == "carol-abcdx12"
    assert not {"alice", "carol"} & binding.registers


def test_a_device_that_calls_does_so_from_its_account():
    binding = fresh_users(scenario(BOB, callers=("desk",)), LEASE, info())
    assert binding.users["desk"].name == "bob-abcdx12"


def test_a_device_that_nothing_dials_has_its_own_account():
    binding = fresh_users(scenario(BOB, devices=("spare",)), LEASE, info())
    assert binding.users["spare"].name == "spare-abcdx12"
    assert "spare" in binding.registers


def test_a_device_with_the_name_of_a_target_that_it_is_no_member_of_is_not_rung_with_it():
    binding = fresh_users(scenario(BOB, devices=("bob",)), LEASE, info())
    assert binding.users["bob"].name == "bob.device-abcdx12"
    assert binding.users["bob"] != binding.users["desk"]


def test_a_device_may_bear_the_name_of_its_own_target():
    binding = fresh_users(scenario(Target("bob", "ring", ("bob",))), LEASE, info())
    assert binding.users["bob"].name == "bob-abcdx12"


def test_leases_share_nothing():
    first, second = (fresh_users(scenario(BOB), Lease("abcd", n), info()) for n in (1, 11))
    names = {user.name for user in first.users.values()}
    assert not names & {user.name for user in second.users.values()}
    assert first.uris["bob"] != second.uris["bob"]


def test_the_password_is_that_of_the_system():
    binding = fresh_users(scenario(BOB), LEASE, info(password="pw"))
    assert {user.password for user in binding.users.values()} == {"pw"}
    assert "pw" not in repr(binding)


def test_a_scenario_without_targets_or_calls_binds_its_devices():
    binding = fresh_users(scenario(devices=("desk",), callers=()), LEASE, info())
    assert set(binding.users) == binding.registers == {"desk"}
    assert binding.uris == {}


@pytest.mark.parametrize(
    ("name", "user"), [("a b", "a%20b"), ("@", "%40"), ("ü", "%C3%BC"), ("+49", "%2B49"), ("a;x=1", "a%3Bx%3D1")]
)
def test_names_are_escaped_where_a_uri_needs_it(name, user):
    binding = fresh_users(scenario(Target(name, "ring", ("desk",))), LEASE, info())
    assert binding.uris[name] == f"sip:{user}-abcdx12@127.0.0.1:5060"
    assert binding.users["desk"].name == f"{user}-abcdx12"


def test_a_hunt_is_a_falling_q_and_carriers_have_places_of_their_own():
    hunt = Target("bob", "hunt", ("desk", "mobile", "tablet"), together=(("desk", "mobile"), ("tablet",)))
    made = scenario(hunt, Target("pstn", "hunt", ("g1", "g2")))
    made = replace(made, devices=tuple(replace(d, kind="carrier") if d.name[0] == "g" else d for d in made.devices))
    binding = fresh_users(made, LEASE, info("hunt", "mixed", "carriers"))
    assert {name: binding.preferences[name] for name in hunt.members} == {"desk": 1, "mobile": 1, "tablet": 0.5}
    assert binding.registers == set(hunt.members)
    assert set(binding.listens) == {"g1", "g2"}
    assert len(set(binding.listens.values())) == 2


def test_where_no_carrier_can_listen_the_system_has_failed(monkeypatch):
    def full(names: object) -> object:
        raise OSError("no port is free")

    monkeypatch.setattr(accounts, "carrier_addresses", full)
    with pytest.raises(SystemFailed, match="there is no place for a carrier to listen: no port is free"):
        fresh_users(scenario(BOB), LEASE, info())


class TestCannot:
    def test_two_targets_with_one_member(self):
        second = Target("sales", "ring", ("mobile",))
        with pytest.raises(CannotBind, match="device mobile is a member of bob and of sales: a device has one account"):
            fresh_users(scenario(BOB, second), LEASE, info())

    def test_a_shape_that_the_system_lacks(self):
        with pytest.raises(CannotBind) as caught:
            fresh_users(scenario(BOB, Target("pstn", "hunt", ("g1",))), LEASE, info())
        assert str(caught.value) == "thing cannot hunt as pstn must"

    def test_every_capability_that_is_missing_is_named(self):
        needs = ("digest", "register", "teleport")
        with pytest.raises(CannotBind) as caught:
            fresh_users(scenario(BOB, needs=needs), LEASE, info())
        assert str(caught.value) == ("thing lacks digest (challenges callers and registrations), teleport")

    def test_a_shape_that_is_also_a_need_is_named_once(self):
        with pytest.raises(CannotBind) as caught:
            fresh_users(scenario(Target("pstn", "hunt", ("g1",)), needs=("hunt", "digest")), LEASE, info())
        assert str(caught.value).count("hunt as pstn must") == 1
        assert "lacks hunt" not in str(caught.value)
        assert "digest" in str(caught.value)

    def test_rules_of_proxies_bind_to_proxies_only(self):
        of = replace(scenario(), expectations=(Conforms(),))
        assert fresh_users(of, LEASE, info())
        with pytest.raises(CannotBind, match="thing is no proxy and owes nothing of what 'expect: rfc3261' asks for"):
            fresh_users(of, LEASE, replace(info(), kind="b2bua"))

    def test_needs_that_are_met_bind(self):
        assert fresh_users(scenario(BOB, needs=("ring", "register")), LEASE, info()).uris


@pytest.mark.parametrize(
    ("devices", "calls", "missing"),
    [(("tls",), (), "tls"), (("udp", "tcp"), ("ws",), "ws"), (("wss",), ("tls",), "tls or wss"), (("tcp",), (), "")],
)
def test_a_transport_that_it_does_not_listen_by_is_named(devices, calls, missing):
    system = replace(info(), addresses={"tcp": ("127.0.0.1", 5060)})
    made = replace(
        scenario(Target("bob", "ring", tuple(f"d{i}" for i in range(len(devices))))),
        devices=tuple(Device(f"d{i}", Script(((),)), transport=kind) for i, kind in enumerate(devices)),
        calls=tuple(Call(str(i), "alice", "bob", transport=kind) for i, kind in enumerate(calls)),
    )
    if missing:
        with pytest.raises(CannotBind, match=f"^thing does not listen by {missing}$"):
            fresh_users(made, LEASE, system)
    else:
        assert fresh_users(made, LEASE, system).uris
