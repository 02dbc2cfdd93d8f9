"""Folding and attribution."""

from __future__ import annotations

import pytest
from ladders import SESSION, TOKEN, at, record, scenario, verdict

from sip_harness.language.loading import load_text
from sip_harness.model.entry import Note
from sip_harness.model.verdict import Outcome
from sip_harness.verdict.traffic import Owner, sort_out


def owners(ladder: str) -> list[tuple[str, str, int]]:
    return [(i.seen.name, i.owner.value, i.times) for i in sort_out(record(ladder)).items]


def test_retransmissions_are_folded_and_counted() -> None:
    ladder = "0.0 desk < INVITE\n0.5 desk < INVITE\n1.5 desk < INVITE\n1.6 desk > 486\n1.7 desk < ACK to 486"
    assert owners(ladder) == [("INVITE", "call", 3), ("486 Phrase", "call", 1), ("ACK to 486", "call", 1)]


def test_an_invite_of_another_branch_is_no_retransmission() -> None:
    assert len(owners("0.0 desk < INVITE\n0.1 desk < INVITE branch=z9hG4bKother")) == 2


def test_the_same_code_with_another_to_tag_is_no_retransmission() -> None:
    ladder = "0.0 alice > INVITE\n0.1 alice < 180 from desk\n0.2 alice < 180 from mobile\n0.3 alice < 180 from desk"
    assert [times for _, _, times in owners(ladder)] == [1, 2, 1]


def test_a_registration_is_housekeeping() -> None:
    ladder = f"0.0 desk > REGISTER callid=reg-1 uri=sip:h\n0.1 desk < 200 to REGISTER callid=reg-1 caller=desk-{TOKEN}"
    assert {owner for _, owner, _ in owners(ladder)} == {"housekeeping"}


def test_the_systems_own_options_count_at_the_agent() -> None:
    ping = "0.0 desk < OPTIONS callid=ping-1 uri=sip:desk@h user=desk caller=sut"
    [(_, owner, _)] = owners(ping)
    assert owner == "system"


def test_an_older_lease_is_a_stray_also_for_its_later_messages() -> None:
    old = f"{SESSION}x2"
    ladder = (
        f"0.0 desk < INVITE callid=b2b-7 uri=sip:desk-{old}@h user=bob-{old} caller=alice-{old}\n"
        f"0.1 desk > 486 callid=b2b-7 user=bob-{old} caller=alice-{old}\n"
        f"0.2 desk < ACK to 486 callid=b2b-7 uri=sip:h user=bob caller=alice"
    )
    assert {owner for _, owner, _ in owners(ladder)} == {"stray"}


def test_a_token_is_not_found_inside_another_word() -> None:
    ladder = f"0.0 desk < INVITE callid=n-1 uri=sip:a{TOKEN}@h user=b{TOKEN}0 caller=c{TOKEN}"
    [(_, owner, _)] = owners(ladder)
    assert owner == Owner.UNKNOWN.value


def test_at_leaves_strays_and_housekeeping_out() -> None:
    old = f"{SESSION}x1"
    ladder = (
        "0.0 desk < INVITE\n0.1 desk > REGISTER callid=reg-1\n0.2 desk < 200 to REGISTER callid=reg-1\n"
        f"0.3 desk < CANCEL callid=old-1 uri=sip:desk-{old}@h user=x caller=y"
    )
    assert [i.seen.name for i in sort_out(record(ladder)).at("desk", received=True)] == ["INVITE"]


ELSEWHERE = "uri=sip:desk@h user=desk caller=scanner"
"""No name of the session in it."""


@pytest.mark.parametrize("method", ["INVITE", "BYE", "OPTIONS", "ACK", "CANCEL", "FOO"])
def test_what_names_nothing_and_comes_from_elsewhere_is_a_stray(method: str) -> None:
    [(_, owner, _)] = owners(f"0.0 desk < {method} callid=s-1 remote=4444 {ELSEWHERE}")
    assert owner == "stray"


@pytest.mark.parametrize(("method", "owner"), [("INVITE", "unknown"), ("BYE", "unknown"), ("OPTIONS", "system")])
def test_what_names_nothing_and_comes_from_the_system_is_never_a_stray(method: str, owner: str) -> None:
    [(_, found, _)] = owners(f"0.0 desk < {method} callid=s-1 {ELSEWHERE}")
    assert found == owner


def test_a_stream_from_the_systems_host_may_be_the_system_whatever_its_port() -> None:
    [(_, owner, _)] = owners(f"0.0 desk < INVITE callid=s-1 remote=4444 transport=tcp {ELSEWHERE}")
    assert owner == "unknown"


def test_what_names_the_run_belongs_to_it_wherever_it_comes_from() -> None:
    [(_, owner, _)] = owners("0.0 desk < INVITE remote=4444")
    assert owner == "call"


def test_what_names_an_older_lease_is_a_stray_wherever_it_comes_from() -> None:
    old = f"{SESSION}x2"
    [(_, owner, _)] = owners(f"0.0 desk < INVITE callid=o-1 remote=4444 uri=sip:desk-{old}@h user=b caller=c")
    assert owner == "stray"


@pytest.mark.parametrize("back", ["remote=4444", "remote=5060"])
def test_our_answer_to_a_stray_is_one_too_even_if_its_via_aims_at_the_system(back: str) -> None:
    ladder = f"""
        0.0 desk < INVITE callid=s-1 remote=4444 {ELSEWHERE}
        0.1 desk > 404 callid=s-1 {back} {ELSEWHERE} origin=protocol
    """
    assert [owner for _, owner, _ in owners(ladder)] == ["stray", "stray"]


def test_a_stray_does_not_take_its_call_id_away_from_the_system() -> None:
    ladder = f"""
        0.0 desk < INVITE callid=s-1 remote=4444 branch=z9hG4bKone {ELSEWHERE}
        0.1 desk < INVITE callid=s-1 branch=z9hG4bKtwo {ELSEWHERE}
        0.2 desk < INVITE callid=s-1 remote=4444 branch=z9hG4bKthree {ELSEWHERE}
    """
    assert [owner for _, owner, _ in owners(ladder)][:2] == ["stray", "unknown"]


def test_a_call_to_an_outsider_is_not_excused() -> None:
    [(_, owner, _)] = owners(f"0.0 desk > INVITE callid=s-1 remote=4444 {ELSEWHERE}")
    assert owner == "call"


def test_outsiders_change_no_verdict() -> None:
    of = scenario("desk: {answer: [486]}\nmobile: {answer: [486]}", "desk: [INVITE, ACK to 486]\nmobile: never")
    call = "0.1 alice > INVITE\n0.2 desk < INVITE\n0.3 desk > 486\n0.4 desk < ACK to 486\n0.5 alice < 486 from desk"
    strays = ("mobile < INVITE callid=s-1", "desk < BYE callid=s-2")
    stray = "\n".join(f"0.0 {line} remote={{port}} {ELSEWHERE}" for line in strays)
    answers = f"0.1 mobile > 404 callid=s-1 remote=4444 {ELSEWHERE} origin=engine"
    assert verdict(of, f"{stray.format(port=4444)}\n{answers}\n{call}").outcome is Outcome.PASS
    from_the_system = verdict(of, f"{stray.format(port=5060)}\n{call}")
    assert [f.outcome for f in from_the_system.findings] == [Outcome.FAIL, Outcome.INCONCLUSIVE]


PBX = f"0.0 alice > INVITE uri=sip:0801@h caller=100 user=0801 callid={TOKEN}-1\n"
"""A call to a system that is already there: neither the number nor the account has a name of the run in it."""
NOTE = Note(at(0.0), "alice", "call", "calls sip:0801@h", {"call": "call-1", "call_id": f"{TOKEN}-1"})


@pytest.mark.parametrize("number", ["0801", "801", "+49801", "0049801", "9801"])
def test_at_a_carrier_a_leg_without_a_name_is_known_by_its_number(number: str) -> None:
    leg = f"0.1 g1 < INVITE callid=b2b-9 uri=sip:{number}@g1 user={number} caller=main\n"
    ladder = f"{PBX}{leg}0.2 g1 > 503 callid=b2b-9 user={number} caller=main\n"
    items = sort_out(record(ladder, NOTE, kind="b2bua"), {"g1"}).items
    assert {i.owner for i in items} == {Owner.CALL}
    assert [i.owner for i in sort_out(record(ladder, NOTE, kind="b2bua")).items][1:] == [Owner.UNKNOWN] * 2


@pytest.mark.parametrize("number", ["0802", "01", "1", "x0801", "main"])
def test_another_number_is_nobodys(number: str) -> None:
    leg = f"0.1 g1 < INVITE callid=b2b-9 uri=sip:{number}@g1 user={number} caller=100"
    items = sort_out(record(f"{PBX}{leg}", NOTE, kind="b2bua"), {"g1"}).items
    assert [i.owner for i in items] == [Owner.CALL, Owner.UNKNOWN]


def test_a_name_is_known_by_itself() -> None:
    ladder = PBX.replace("0801", "sales") + "0.1 g1 < INVITE callid=b2b-9 uri=sip:sales@g1 user=sales caller=100"
    assert [i.owner for i in sort_out(record(ladder, NOTE, kind="b2bua"), {"g1"}).items] == [Owner.CALL] * 2


def test_what_is_missed_may_be_what_cannot_be_told_from_the_calls_of_others() -> None:
    """A PBX that dials something else at its trunk has not failed: nobody knows whose call that is."""
    of = load_text(
        "title: t\nid: T-1\ntargets: {pstn: {hunt: [g1]}}\ncarriers: {g1: {answer: [503]}}\n"
        "calls: [{from: alice, to: pstn}]\nexpect: {alice: [503], g1: [INVITE, ACK to 503]}\n",
        "t.sip.yaml",
    )
    ladder = (
        f"{PBX}0.1 g1 < INVITE callid=b2b-9 uri=sip:77@g1 user=77 caller=100\n"
        f"0.2 g1 > 503 callid=b2b-9 user=77 caller=100\n0.3 alice < 503 callid={TOKEN}-1 user=0801 caller=100\n"
    )
    found = verdict(of, ladder, NOTE, kind="b2bua")
    assert found.outcome is Outcome.INCONCLUSIVE
    assert any(
        "never got INVITE" in f.seen and "cannot be told from the calls of others" in f.seen for f in found.findings
    )
    mine = verdict(of, ladder.replace("77", "801"), NOTE, kind="b2bua")
    assert not [f for f in mine.findings if f.agent == "g1" and "INVITE" in f.expected], mine.findings
