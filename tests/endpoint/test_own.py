"""What responses have to carry by the method that they answer."""

from __future__ import annotations

import pytest

from sip_harness.endpoint import build
from sip_harness.endpoint.own import bindings, needs_session, own_headers
from sip_harness.sip.message import Message, parse
from sip_harness.sip.message import build as serialise

CONTACT = "<sip:me@h>"


def request(method: str, *headers: tuple[str, str], body: bytes = b"") -> Message:
    return parse(serialise(f"{method} sip:a@h SIP/2.0", list(headers), body))


def own(method: str, code: int, *headers: tuple[str, str]) -> list[tuple[str, str]]:
    return own_headers(request(method, *headers), code, CONTACT, "tag1")


@pytest.mark.parametrize(
    ("method", "code", "names"),
    [
        ("INVITE", 100, []),
        ("INVITE", 180, ["Contact"]),
        ("INVITE", 200, ["Contact", "Allow"]),
        ("INVITE", 486, []),
        ("UPDATE", 200, ["Contact"]),
        ("REFER", 202, ["Contact"]),
        ("SUBSCRIBE", 200, ["Contact", "Expires"]),
        ("SUBSCRIBE", 489, []),
        ("PUBLISH", 200, ["SIP-ETag", "Expires"]),
        ("OPTIONS", 200, ["Contact", "Allow", "Accept"]),
        ("OPTIONS", 183, []),
        ("OPTIONS", 503, []),
        ("BYE", 200, []),
        ("CANCEL", 200, []),
        ("MESSAGE", 200, []),
        ("INFO", 200, []),
        ("NOTIFY", 200, []),
        ("PRACK", 200, []),
        ("FOO", 200, []),
        ("REGISTER", 200, []),
        ("REGISTER", 403, []),
    ],
)
def test_names(method: str, code: int, names: list[str]) -> None:
    assert [name for name, _ in own(method, code)] == names


def test_lifetimes_are_those_that_were_asked_for() -> None:
    assert ("Expires", "60") in own("SUBSCRIBE", 200, ("Expires", "60"))
    assert ("Expires", "3600") in own("PUBLISH", 200)
    assert ("SIP-ETag", "tag1") in own("PUBLISH", 200)


class TestBindings:
    @pytest.mark.parametrize(
        ("headers", "listed"),
        [
            ([("Contact", "<sip:a@1>")], ["<sip:a@1>;expires=3600"]),
            ([("Contact", "<sip:a@1>"), ("Expires", "60")], ["<sip:a@1>;expires=60"]),
            ([("Contact", "<sip:a@1>;expires=5"), ("Expires", "60")], ["<sip:a@1>;expires=5"]),
            (
                [("Contact", "<sip:a@1>, <sip:b@2>;expires=7"), ("m", "<sip:c@3>"), ("Expires", "9")],
                ["<sip:a@1>;expires=9", "<sip:b@2>;expires=7", "<sip:c@3>;expires=9"],
            ),
            ([("Contact", "<sip:a@1>;expires=0"), ("Expires", "60")], []),
            ([("Contact", "<sip:a@1>"), ("Expires", "0")], []),
            ([("Contact", "*"), ("Expires", "0")], []),
            ([], []),
            ([("Contact", "<sip:a@1>;expires=odd")], ["<sip:a@1>;expires=odd"]),
        ],
    )
    def test_each_contact_with_its_lifetime(self, headers: list[tuple[str, str]], listed: list[str]) -> None:
        assert [value for value, lifetime in bindings(request("REGISTER", *headers)) if lifetime] == listed
        assert own("REGISTER", 200, *headers) == [("Contact", value) for value in listed]


@pytest.mark.parametrize(
    ("method", "code", "body", "needs"),
    [
        ("INVITE", 180, b"v=0", False),
        ("INVITE", 183, b"", True),
        ("INVITE", 200, b"", True),
        ("INVITE", 486, b"v=0", False),
        ("UPDATE", 200, b"v=0", True),
        ("UPDATE", 200, b"", False),
        ("UPDATE", 491, b"v=0", False),
        ("PRACK", 200, b"v=0", True),
        ("INFO", 200, b"v=0", False),
    ],
)
def test_which_responses_describe_the_session(method: str, code: int, body: bytes, needs: bool) -> None:
    asked = request(method, ("Content-Type", f"{build.SDP.upper()} ;x=y"), body=body)
    assert needs_session(asked, code) is needs


def test_a_body_of_another_type_is_no_offer() -> None:
    assert not needs_session(request("UPDATE", ("Content-Type", "text/plain"), body=b"x"), 200)
