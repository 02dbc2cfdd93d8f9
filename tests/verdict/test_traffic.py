"""Folding and attribution."""

from __future__ import annotations

from ladders import SESSION, TOKEN, record

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
