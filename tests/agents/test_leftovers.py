"""What is refused when a run is over."""

from __future__ import annotations

from sip_harness.agents.leftovers import Leftovers
from sip_harness.model.entry import Message as Entry
from sip_harness.sip.message import build, parse

PBX = ("192.0.2.10", 5060)


def message(
    start: str, cseq: str = "1 INVITE", *, sent: bool = False, branch: str = "z9hG4bKa", tag: str = ""
) -> Entry:
    headers = [
        ("Via", f"SIP/2.0/UDP 192.0.2.10:5060;branch={branch}"),
        ("From", "<sip:100@pbx>;tag=f"),
        ("To", f"<sip:0801@192.0.2.20>{tag and f';tag={tag}'}"),
        ("Call-ID", "c"),
        ("CSeq", cseq),
    ]
    direction = "sent" if sent else "received"
    return Entry(1, 0, "g1", direction, ("192.0.2.20", 5070), PBX, build(start, headers), "script", "udp")


def left(*entries: Entry) -> list[str]:
    leftovers = Leftovers()
    for entry in entries:
        leftovers.note(entry)
    found = list(leftovers.refusals())
    assert not list(leftovers.refusals()), "they are refused once"
    assert all(remote == PBX for _, remote in found)
    return [f"{m.code} {m.branch} {m.cseq}" for m in (parse(data) for data, _ in found)]


INVITE = message("INVITE sip:0801@192.0.2.20 SIP/2.0")


def test_an_invitation_that_nobody_has_answered_is_refused() -> None:
    assert left(INVITE, INVITE) == ["480 z9hG4bKa (1, 'INVITE')"]
    assert left(INVITE, message("SIP/2.0 180 Ringing", sent=True)) == ["480 z9hG4bKa (1, 'INVITE')"]
    assert left(INVITE, message("SIP/2.0 200 OK", "1 CANCEL", sent=True)) == ["480 z9hG4bKa (1, 'INVITE')"]


def test_what_has_a_final_response_is_not() -> None:
    assert not left(INVITE, message("SIP/2.0 503 No", sent=True))
    assert left(INVITE, message("SIP/2.0 503 No", sent=True, branch="z9hG4bKother"))


def test_nothing_but_invitations_to_a_call() -> None:
    assert not left(message("OPTIONS sip:g1@192.0.2.20 SIP/2.0", "1 OPTIONS"))
    assert not left(message("INVITE sip:g1@192.0.2.20 SIP/2.0", tag="in-the-call"))
    assert not left(message("INVITE sip:100@pbx SIP/2.0", sent=True))
