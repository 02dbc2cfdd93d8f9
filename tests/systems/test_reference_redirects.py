"""Where a redirection leads: which contacts are usable, in which order, and what is left of it."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from sip_harness.sip.message import Message, parse
from sip_harness.sip.uri import Uri
from sip_harness.systems.reference.actions import Target
from sip_harness.systems.reference.forward import request_uri
from sip_harness.systems.reference.redirects import Redirection, read, same


def response(*contacts: str) -> Message:
    lines = "".join(f"Contact: {contact}\r\n" for contact in contacts)
    return parse(f"SIP/2.0 302 Moved\r\nTo: <sip:bob@x>;tag=1\r\n{lines}Content-Length: 0\r\n\r\n".encode())


def anywhere(uri: Uri) -> Iterable[Target]:
    """Every URI leads to itself, but to nobody at `nowhere`, and at `home` to two phones."""
    if uri.host == "nowhere":
        return []
    return [Target("sip:a@1"), Target("sip:b@1")] if uri.host == "home" else [Target(str(uri))]


def found(message: Message, *tried: str, faults: Iterable[str] = ()) -> Redirection:
    return read(message, anywhere, tried, frozenset(faults))


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
