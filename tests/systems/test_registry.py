"""Built-in systems by name."""

from __future__ import annotations

import pytest

from sip_harness.model.faults import FAULTS
from sip_harness.model.vocabulary import CAPABILITIES, GRANTED
from sip_harness.systems.names import UnknownName, check_names
from sip_harness.systems.registry import UnknownSystem, create, describe

ROLES = (
    "register", "ring", "hunt", "mixed", "min-expires", "max-contacts", "path", "carriers", "stays-after-ringing",
    "probing", "recursion", "bars-premium-numbers", "anonymous-rejection",
)  # fmt: skip


def test_every_system_that_is_listed_can_be_made():
    for about in describe():
        assert create(about.name).name == about.name


def test_every_fault_that_is_listed_can_be_switched_on():
    for about in describe():
        names = tuple(fault.name for fault in about.faults)
        assert create(about.name, faults=names)._faults == names


def test_the_listing_speaks_in_words_of_the_vocabulary():
    listing = {about.name: about for about in describe()}
    assert set(listing) >= {
        "reference",
        "reference-digest",
        "kamailio",
        "kamailio-digest",
        "kamailio-tls",
        "kamailio-ws",
    }
    lost = "hears-of-lost-connections"
    proxies = ("register", "ring", "hunt", "mixed", "min-expires", "max-contacts", "path", "outbound", "carriers")
    assert listing["reference"].capabilities == (
        *proxies, "stays-after-ringing", "overlap", "overload-control", "emergency", "probing", "damped-probing",
        "recursion", "use-proxy", "bars-premium-numbers", "anonymous-rejection", "request-disposition", "ended-dialogs",
        lost, "tcp", *GRANTED
    )  # fmt: skip
    assert listing["kamailio"].capabilities == (*ROLES, "tcp", *GRANTED)
    assert listing["kamailio-digest"].capabilities == (*ROLES, "digest", "tcp", *GRANTED)
    assert listing["kamailio-tls"].capabilities == (*ROLES, "tcp", "tls", *GRANTED)
    assert listing["kamailio-ws"].capabilities == (*ROLES, "tcp", "tls", "ws", *GRANTED)
    for about in listing.values():
        assert set(about.capabilities) <= set(CAPABILITIES)
        assert all(FAULTS[fault.name] == fault for fault in about.faults)
        assert about.summary
    kinds = {name: about.kind for name, about in listing.items() if about.kind != "proxy"}
    pbxs = dict.fromkeys(("reference-b2bua", "reference-b2bua-digest"), "b2bua")
    assert kinds == {**pbxs, "reference-trunk": "trunk-client"}
    pbx = (
        "register", "ring", "hunt", "mixed", "max-contacts", "path", "carriers", "overlap", "carrier-accounts",
        "session-timers", "recursion", "use-proxy", "bars-premium-numbers", "diversion", "voicemail-reason",
        "announcements", "anonymous-rejection",
    )  # fmt: skip
    assert listing["reference-b2bua-digest"].capabilities == (*pbx, lost, "digest", "tcp", *GRANTED)
    assert listing["reference-b2bua"].capabilities == (*pbx, lost, "tcp", *GRANTED)
    assert listing["reference-trunk"].capabilities == (
        "recursion",
        "registers-at-carrier",
        "backup-registrars",
        "gives-accounts-up",
        "tcp",
    )


def test_a_new_system_is_made_every_time():
    assert create("kamailio") is not create("kamailio")


def test_an_unknown_system_is_named_with_a_guess():
    with pytest.raises(UnknownSystem) as caught:
        create("kamalio")
    known = ", ".join(about.name for about in describe())
    assert str(caught.value) == f"unknown system 'kamalio'; did you mean kamailio? known: {known}"
    assert caught.value.guesses == ("kamailio",)
    assert isinstance(caught.value, ValueError)


def test_an_unknown_system_that_resembles_none_has_no_guess():
    with pytest.raises(UnknownSystem) as caught:
        create("zzz")
    assert str(caught.value) == f"unknown system 'zzz'; known: {', '.join(about.name for about in describe())}"


def test_an_unknown_fault_is_named_with_a_guess():
    with pytest.raises(UnknownName, match="unknown fault 'maps-603-to-486'; did you mean maps-600-to-486"):
        create("kamailio", faults=("maps-603-to-486",))


def test_a_fault_that_is_given_twice_counts_once():
    assert create("kamailio", faults=("maps-600-to-486",) * 2)._faults == ("maps-600-to-486",)


def test_where_there_is_nothing_to_name_it_says_so():
    with pytest.raises(UnknownName, match="unknown fault 'x'; there is none"):
        check_names("fault", ("x",), ())


def test_a_wall_of_names_is_no_help() -> None:
    with pytest.raises(UnknownName) as caught:
        check_names("fault", ["forgets-cancl"], FAULTS)
    all_of_them = f"`sip-harness systems NAME` lists all {len(FAULTS)}"
    assert str(caught.value) == f"unknown fault 'forgets-cancl'; did you mean forgets-cancel? {all_of_them}"


def test_a_fault_of_another_system_is_told_from_a_typing_error() -> None:
    with pytest.raises(UnknownName) as caught:
        check_names("fault", ["forgets-cancel"], ["leaks-503"])
    assert str(caught.value) == "this system has no fault 'forgets-cancel': others have it; known: leaks-503"
