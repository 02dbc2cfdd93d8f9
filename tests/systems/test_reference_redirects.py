"""Where a redirection leads: which contacts are usable, in which order, and what is left of it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from sip_harness.sip.message import Message, parse
from sip_harness.sip.uri import Uri
from sip_harness.systems.reference.actions import Target
from sip_harness.systems.reference.diversion import MAX_VALUES, Way, forwarded, way_of
from sip_harness.systems.reference.forward import request_uri
from sip_harness.systems.reference.redirects import Redirection, read, same


def response(*contacts: str, code: int = 302) -> Message:
    lines = "".join(f"Contact: {contact}\r\n" for contact in contacts)
    return parse(f"SIP/2.0 {code} Moved\r\nTo: <sip:bob@x>;tag=1\r\n{lines}Content-Length: 0\r\n\r\n".encode())


def anywhere(uri: Uri) -> Iterable[Target]:
    """Every URI leads to itself, but to nobody at `nowhere`, and at `home` to two phones."""
    if uri.host == "nowhere":
        return []
    return [Target("sip:a@1"), Target("sip:b@1")] if uri.host == "home" else [Target(str(uri))]


def found(message: Message, *tried: str, faults: Iterable[str] = (), by: str = "") -> Redirection:
    return read(message, anywhere, [Target(uri) for uri in tried], frozenset(faults), by)


def uris(redirection: Redirection) -> list[list[str]]:
    return [[target.uri for target in group] for group in redirection.groups]


def left(redirection: Redirection) -> list[str]:
    return redirection.left.all("contact") if redirection.left is not None else []


def test_contacts_come_in_the_order_of_q_and_equals_together() -> None:
    message = response("<sip:a@x>;q=0.2, <sip:b@x>", "<sip:c@x>;q=1, <sip:d@x>;q=0.7")
    assert uris(found(message)) == [["sip:b@x", "sip:c@x"], ["sip:d@x"], ["sip:a@x"]]
    assert left(found(message)) == []


@pytest.mark.parametrize("bad", ["<tel:+4930>", "<sips:a@x>", "<http://x>", "<sip:@@:>", "<sip:a@nowhere>", "*", "<"])
def test_what_cannot_be_followed_is_left(bad: str) -> None:
    redirection = found(response(f"{bad}, <sip:a@x>") if bad != "<" else response("<sip:a@x>", bad))
    if bad == "<":  # the list cannot be taken apart at all
        assert uris(redirection) in ([], [["sip:a@x"]])
    else:
        assert (uris(redirection), left(redirection)) == ([["sip:a@x"]], [bad])


def test_nobody_is_tried_twice() -> None:
    message = response("<sip:A@X;x=1>, <sip:a@x>, <sip:a@x>, <sip:b@x>")
    assert uris(found(message, "sip:b@x")) == [["sip:A@X;x=1", "sip:a@x"]]
    assert left(found(message, "sip:b@x", "sip:a@x", "sip:A@X;x=1")) == [
        "<sip:A@X;x=1>", "<sip:a@x>", "<sip:a@x>", "<sip:b@x>"
    ]  # fmt: skip
    assert uris(found(response("<sip:a@x>"), "sip:a@x", faults=["follows-redirects-in-circles"])) == [["sip:a@x"]]


def test_a_305_leads_to_who_has_sent_it_by_the_proxies_that_it_names() -> None:
    message = response("<sip:p@x;transport=tcp>;q=0.2, <sip:q@x;lr>", code=305)
    groups = found(message, "sip:desk@x", by="sip:desk@x").groups
    assert [[(t.uri, t.path) for t in group] for group in groups] == [
        [("sip:desk@x", ("<sip:q@x;lr>",))],
        [("sip:desk@x", ("<sip:p@x;transport=tcp;lr>",))],
    ]
    again = read(message, anywhere, [t for group in groups for t in group], frozenset(), "sip:desk@x")
    assert (uris(again), left(again)) == ([], ["<sip:p@x;transport=tcp>;q=0.2", "<sip:q@x;lr>"])
    assert uris(found(message, by="sip:desk@x", faults=["takes-305-for-302"])) == [
        ["sip:q@x;lr"], ["sip:p@x;transport=tcp"]
    ]  # fmt: skip
    assert uris(found(message)) == [["sip:q@x;lr"], ["sip:p@x;transport=tcp"]]  # a registrar that names another one


@pytest.mark.parametrize("number", ["+4990012345", "0900-12345", "0-0900-1", "*31#0049900.1", "00900123"])
def test_premium_numbers_are_left(number: str) -> None:
    contact = f"<sip:{number}@x>"
    assert left(found(response(contact))) == [contact]
    assert found(response(contact), faults=["follows-redirects-to-premium-numbers"]).left is None
    assert left(found(response("<sip:+4930900@x>"))) == []


def test_the_way_of_a_call_that_is_forwarded() -> None:
    invite = parse(
        b"INVITE sip:bob@x SIP/2.0\r\nDiversion: <sip:old@x>;reason=unknown\r\n"
        b"History-Info: <sip:old@x>;index=1,\r\n <sip:bob@x>;index=1.1;mp=1\r\n\r\n"
    )
    first = forwarded(way_of(invite), "sip:bob@x", response("<sip:eve@x>"), rang=True, faults=frozenset())
    assert first.headers("sip:eve@x") == [
        ("Diversion", "<sip:bob@x>;reason=deflection;counter=1"),
        ("Diversion", "<sip:old@x>;reason=unknown"),
        ("History-Info", "<sip:old@x>;index=1"),
        ("History-Info", "<sip:bob@x>;index=1.1;mp=1"),
        ("History-Info", "<sip:bob@x?Reason=SIP%3Bcause%3D302>;index=1.1.1;mp=1.1"),
        ("History-Info", "<sip:eve@x>;index=1.1.1.1;mp=1.1.1"),
    ]
    fresh = forwarded(Way(), "sip:bob@x?Subject=a", response("<sip:eve@x>"), rang=False, faults=frozenset())
    assert fresh.headers("sip:eve@x")[1:] == [
        ("History-Info", "<sip:bob@x?Reason=SIP%3Bcause%3D302>;index=1"),
        ("History-Info", "<sip:eve@x>;index=1.1;mp=1"),
    ]
    assert forwarded(fresh, "sip:p@x", response("<sip:p@x>", code=305), rang=False, faults=frozenset()) == fresh
    longest = Way()
    for _ in range(2 * MAX_VALUES):
        longest = forwarded(longest, "sip:bob@x", response("<sip:eve@x>"), rang=False, faults=frozenset())
    assert len(longest.diversions) == len(longest.history) == MAX_VALUES


def test_a_name_of_ours_leads_to_all_who_have_it() -> None:
    assert uris(found(response("<sip:eve@home>;q=0.3"))) == [["sip:a@1", "sip:b@1"]]


def test_uris_that_are_none_are_the_same_if_they_look_so() -> None:
    assert same("tel:1", "tel:1")
    assert not same("tel:1", "sip:1@x")


@pytest.mark.parametrize(
    ("contact", "becomes"),
    [
        ("sip:a@x;lr?Subject=a", "sip:a@x;lr"),
        ("sip:a@x:5070;method=BYE;transport=tcp", "sip:a@x:5070;transport=tcp"),
        ("sip:a@x;pn-prid=1", "sip:a@x;pn-prid=1"),
        ("tel:+49", "tel:+49"),
    ],
)
def test_a_request_uri_has_neither_method_nor_headers(contact: str, becomes: str) -> None:
    assert request_uri(contact) == becomes
