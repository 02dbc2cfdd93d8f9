"""Outsiders are turned away without a transaction, and never echoed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip_harness.endpoint import door as door_module
from sip_harness.endpoint.door import Door
from sip_harness.model.entry import Address, Origin
from sip_harness.net.base import Hop, SendFailed
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, build, parse

OUTSIDE: Address = ("192.0.2.9", 4444)
SYSTEM: Address = ("192.0.2.1", 5060)


class Wire:
    """A transport that is a list."""

    name = "UDP"
    local: Address = ("192.0.2.7", 5070)

    def __init__(self, *, reliable: bool = False) -> None:
        self.reliable = reliable
        self.broken = False
        self.sent: list[tuple[Message, Address, Origin]] = []

    def send(self, data: bytes, remote: Address, origin: Origin, **_how: object) -> None:
        if self.broken:
            raise SendFailed("no way")
        self.sent.append((parse(data), remote, origin))


class House:
    """A door with what got through it."""

    def __init__(self, *, reliable: bool = False) -> None:
        self.wire = Wire(reliable=reliable)
        self.inside: list[Message] = []
        self.door = Door(
            lambda message, _hop: self.inside.append(message), lambda _data, remote, _name: remote != SYSTEM
        )

    def knock(self, data: bytes, remote: Address = OUTSIDE) -> list[int]:
        """Codes that this was answered with."""
        before = len(self.wire.sent)
        self.door.receive(parse(data), Hop(self.wire, remote))  # type: ignore[arg-type]
        return [message.code for message, _, _ in self.wire.sent[before:]]


def request(
    method: str = "INVITE", *, to_tag: str = "", via: str = "SIP/2.0/UDP 198.51.100.1:6000;branch=z9hG4bKx"
) -> bytes:
    to = "<sip:a@h>" + (f";tag={to_tag}" if to_tag else "")
    headers = [("From", "<sip:s@h>;tag=1"), ("To", to), ("Call-ID", "c"), ("CSeq", f"1 {method}")]
    return build(f"{method} sip:a@h SIP/2.0", [*([("Via", via)] if via else []), *headers])


def test_what_comes_from_the_system_goes_in_unanswered() -> None:
    house = House()
    assert house.knock(request(), SYSTEM) == []
    assert [m.method for m in house.inside] == ["INVITE"]


@pytest.mark.parametrize(
    ("data", "codes"),
    [
        (request("INVITE"), [404]),
        (request("OPTIONS"), [404]),
        (request("FOO"), [404]),
        (request("INVITE", to_tag="t"), [481]),
        (request("BYE"), [481]),
        (request("CANCEL"), [481]),
        (request("ACK"), []),
        (request(via=""), []),
        (request(via="no Via"), []),
        (build("SIP/2.0 200 OK", [("Via", "SIP/2.0/UDP 192.0.2.7:5070"), ("CSeq", "1 INVITE")]), []),
    ],
)
def test_outsiders_get_one_answer_at_most_and_never_in(data: bytes, codes: list[int]) -> None:
    house = House()
    assert house.knock(data) == codes
    assert house.inside == []


def test_the_answer_goes_to_the_host_it_came_from_as_protocol() -> None:
    house = House()
    house.knock(request())
    [(answer, remote, origin)] = house.wire.sent
    assert (remote, origin) == (("192.0.2.9", 6000), "protocol")
    assert "received=192.0.2.9" in (answer.get("via") or "")
    assert (answer.call_id, answer.cseq, answer.from_tag) == ("c", (1, "INVITE"), "1")


def test_on_a_stream_the_answer_goes_back_on_its_connection() -> None:
    house = House(reliable=True)
    house.knock(request())
    assert house.wire.sent[0][1] == OUTSIDE


def test_a_retransmission_gets_the_same_tag_and_another_request_another() -> None:
    house = House()
    for via in ("a", "a", "b"):
        house.knock(request(via=f"SIP/2.0/UDP h;branch=z9hG4bK{via}"))
    one, again, other = (message.to_tag for message, _, _ in house.wire.sent)
    assert one == again != other
    assert one


def test_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "MAX_ANSWERS", 5)
    house = House()
    assert sum(len(house.knock(request())) for _ in range(50)) == 5
    assert house.knock(request(), SYSTEM) == []
    assert len(house.inside) == 1


def test_two_agents_do_not_answer_each_other_for_ever() -> None:
    one, two = House(), House()
    one.knock(request())
    answers = [one.wire.sent[0][0].data]
    assert two.knock(answers[0], one.wire.local) == []
    assert two.inside == []


def test_an_answer_that_cannot_leave_matters_to_nobody() -> None:
    house = House()
    house.wire.broken = True
    assert house.knock(request()) == []


@given(
    st.lists(
        st.sampled_from(
            [
                b"Via: ",
                b"v:",
                b"SIP/2.0/UDP h",
                b";branch=",
                b"To: <",
                b">;tag=",
                b"\r\n",
                b"\xff",
                b"From:",
                b"CSeq: 1 X",
            ]
        ),
        max_size=30,
    )
)
def test_no_hostile_request_raises(pieces: list[bytes]) -> None:
    try:
        data = parse(b"INVITE sip:a SIP/2.0\r\n" + b"".join(pieces) + b"\r\n\r\n").data
    except SipError:
        return
    assert House().knock(data) in ([], [404], [481])
