"""Profiles: what they mean, and what their authors are told.

Each `profile_mistakes/NAME.system.yaml` has its messages in `profile_mistakes/NAME.txt`; `REWRITE_MISTAKES=1` writes
them anew.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

import pytest

from sip_harness.language import TEMPLATE, LanguageError, load_profile
from sip_harness.model.policy import Timer
from sip_harness.model.profile import Account, BuiltInProfile, Profile, Setting
from sip_harness.model.vocabulary import GRANTED

MISTAKES = Path(__file__).parent / "profile_mistakes"
CASES = sorted(path.name.removesuffix(".system.yaml") for path in MISTAKES.glob("*.system.yaml"))


@pytest.mark.parametrize("name", CASES)
def test_messages_are_as_agreed(name: str) -> None:
    golden = MISTAKES / f"{name}.txt"
    with contextlib.chdir(MISTAKES), pytest.raises(LanguageError) as caught:
        load_profile(Path(f"{name}.system.yaml"), {"SET": "hunter2"})
    messages = f"{caught.value}\n"
    if os.environ.get("REWRITE_MISTAKES"):
        golden.write_text(messages, encoding="utf-8")
    assert messages == golden.read_text(encoding="utf-8")
    assert "hunter2" not in messages


def template() -> Profile:
    names = set(re.findall(r"\$([A-Z0-9_]+)", TEMPLATE.read_text(encoding="utf-8")))
    profile = load_profile(TEMPLATE, {name: f"secret of {name}" for name in names})
    assert isinstance(profile, Profile)
    return profile


def test_the_template_loads_and_shows_no_secret() -> None:
    profile = template()
    assert (profile.name, profile.kind, profile.address) == ("staging", "b2bua", ("192.0.2.10", 5060))
    bob = profile.roles["bob"]
    assert (bob.user, bob.password, bob.auth) == ("103", "secret of PASSWORD_103", "103-login")
    assert [account.user for account in profile.accounts_of("alice")] == ["101", "104"]
    assert (len(profile.accounts_of("bob")), profile.accounts_of("nobody")) == (1, ())
    assert [(g.shape, g.dial, len(g.members), g.carriers) for g in profile.groups] == [
        ("ring", "600", 2, ()),
        ("hunt", "700", 2, ()),
        ("hunt", "+493012345", 0, ("first", "second")),
    ]
    assert profile.carriers["second"] == ("192.168.1.20", 5072)
    assert profile.policy.timers["transaction"] == Timer(32.0, 0.5, 1.0)
    assert profile.policy.codes == {"ring-timeout": 480, "600": 486}
    assert "6xx-for-all" in profile.capabilities, "unless it says otherwise"
    assert profile.policy.failover == (408, 500, 502, 503, 504)
    assert profile.guard.max_calls == 200
    assert "secret of" not in repr(profile)


def test_the_template_needs_its_environment() -> None:
    with pytest.raises(LanguageError, match="the environment variable PASSWORD_101 is not set") as caught:
        load_profile(TEMPLATE, {})
    assert len(caught.value.diagnostics) == 8


def test_a_variable_that_is_missing_is_told_once(tmp_path: Path) -> None:
    file = tmp_path / "x.system.yaml"
    roles = "roles: {a: {user: '1', password: $ONE}, b: {user: '2', password: $ONE}, c: {user: '3', password: $TWO}}"
    file.write_text(f"name: x\nkind: proxy\naddress: 192.0.2.1\n{roles}\n")
    with pytest.raises(LanguageError) as caught:
        load_profile(file, {})
    assert [d.message for d in caught.value.diagnostics] == [
        "the environment variable ONE is not set",
        "the environment variable TWO is not set",
    ]


def test_a_built_in_system_with_settings(tmp_path: Path) -> None:
    file = tmp_path / "slow.system.yaml"
    file.write_text("name: slow\nbuiltin: kamailio\nsettings: {transaction: 2s, digest: yes}\n")
    profile = load_profile(file)
    assert isinstance(profile, BuiltInProfile)
    assert [(s.name, s.value) for s in profile.settings] == [("transaction", "2s"), ("digest", "yes")]
    assert isinstance(profile.settings[0], Setting)
    assert profile.settings[0].place.line == 3


def test_ports_and_domain_follow_from_the_address(tmp_path: Path) -> None:
    file = tmp_path / "x.system.yaml"
    file.write_text("name: x\nkind: proxy\naddress: '[2001:db8::1]'\ntransport: tls\n")
    profile = load_profile(file)
    assert isinstance(profile, Profile)
    assert (profile.address, profile.domain) == (("2001:db8::1", 5061), "[2001:db8::1]")
    assert repr(Account("1", "secret")) == repr(Account("1", "other"))


def read(tmp_path: Path, more: str, kind: str = "b2bua") -> Profile:
    file = tmp_path / "x.system.yaml"
    file.write_text(f"name: x\nkind: {kind}\naddress: 192.0.2.10:5070\n{more}\n", encoding="utf-8")
    profile = load_profile(file, {})
    assert isinstance(profile, Profile)
    return profile


def test_what_is_taken_for_granted_unless_the_profile_says_otherwise(tmp_path: Path) -> None:
    assert read(tmp_path, "capabilities: [digest]").capabilities == {"digest", *GRANTED}
    assert read(tmp_path, "lacks: [passes-headers]").capabilities == set(GRANTED) - {"passes-headers"}
    with pytest.raises(LanguageError, match=r":4:1: a proxy has no choice there \(RFC 3261 16.6, 16.7\); name what it"):
        read(tmp_path, "lacks: [6xx-for-all]", kind="proxy")
    with pytest.raises(LanguageError, match="digest"):
        read(tmp_path, "lacks: [digest]")


def test_where_it_listens_by_other_transports(tmp_path: Path) -> None:
    assert not read(tmp_path, "").others
    spoken = read(tmp_path, "capabilities: [tcp, tls]")
    assert spoken.others == {"tcp": ("192.0.2.10", 5070), "tls": ("192.0.2.10", 5061)}
    named = read(tmp_path, "capabilities: [tcp]\nother transports: {tcp: '192.0.2.11:5080', wss: 192.0.2.12}")
    assert named.others == {"tcp": ("192.0.2.11", 5080), "wss": ("192.0.2.12", 443)}


def test_the_account_at_a_carrier(tmp_path: Path) -> None:
    file = tmp_path / "x.system.yaml"
    carrier = "{address: 'tcp:192.0.2.20:5071', user: company, password: $TRUNK, auth user: login}"
    file.write_text(f"name: x\nkind: b2bua\naddress: 192.0.2.10\ncarriers: {{a: {carrier}}}\n", encoding="utf-8")
    profile = load_profile(file, {"TRUNK": "secret"})
    assert isinstance(profile, Profile)
    assert (profile.carriers, profile.routes) == ({"a": ("192.0.2.20", 5071)}, {"a": "tcp"})
    assert [(a.user, a.password, a.auth) for a in profile.trunks.values()] == [("company", "secret", "login")]
    assert "secret" not in repr(profile)


def test_by_which_transport_a_carrier_is_reached(tmp_path: Path) -> None:
    profile = read(tmp_path, "carriers: {a: 192.0.2.20:5071, b: 'tcp:192.0.2.20:5072', c: 'tls:[2001:db8::1]:5073'}")
    assert profile.carriers == {"a": ("192.0.2.20", 5071), "b": ("192.0.2.20", 5072), "c": ("2001:db8::1", 5073)}
    assert profile.routes == {"b": "tcp", "c": "tls"}
    with pytest.raises(LanguageError, match=r":4:15: the port is missing; write tcp:192.0.2.20:5070"):
        read(tmp_path, "carriers: {a: tcp:192.0.2.20}")
