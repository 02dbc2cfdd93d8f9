"""Single requests outside of a dialog: exact headers, one transaction, credentials, and the NOTIFYs that follow."""

from __future__ import annotations

import pytest
from on_loop import in_virtual_time
from outgoing import CHALLENGE
from ua_bench import PEER, Bench

from sip_harness.endpoint.first import Wish
from sip_harness.endpoint.single import MAX_SUBSCRIPTION, SingleRequest

METHODS = ["OPTIONS", "MESSAGE", "SUBSCRIBE", "PUBLISH", "INFO", "NOTIFY", "REFER", "UPDATE", "BYE", "FROBNICATE"]
CONTACT = "<sip:alice-c@192.0.2.1:5070>"


class Asked:
    """A single request on a bench."""

    def __init__(self, method: str, *headers: tuple[str, str], password: str = "", bench: Bench | None = None) -> None:
        self.bench = bench or Bench(password=password)
        self.overs = 0
        self.one = SingleRequest(
            self.bench.ua, method, "sip:bob@b.test:5066", self.bench.hop, self._over, wish=Wish(headers)
        )
        self.sent = self.bench.take()
        self.request = self.sent.message

    def _over(self) -> None:
        self.overs += 1

    def notify(self, state: str = "active", *, tag: str = "peer", seq: int = 1) -> str:
        """The peer notifies; the code of what it gets."""
        self.bench.ask(
            "NOTIFY", ("Event", "dialog"), ("Subscription-State", state),
            call_id=self.request.call_id, to_tag=self.request.from_tag, from_tag=tag, seq=seq,
        )  # fmt: skip
        return self.bench.take().name


@in_virtual_time
@pytest.mark.parametrize("method", METHODS)
async def test_what_it_looks_like(method: str) -> None:
    one = Asked(method, ("X-A", "1"), ("X-A", "2"))
    request = one.request
    assert request.start == f"{method} sip:bob@b.test:5066 SIP/2.0"
    assert (one.sent.remote, one.sent.origin) == (PEER, "script")
    assert request.cseq == (1, method)
    assert (request.get("from"), request.get("to")) == (
        f"<sip:alice@a.test>;tag={request.from_tag}", "<sip:bob@b.test:5066>",
    )  # fmt: skip
    assert request.from_tag
    assert "tok7" in one.one.call_id == request.call_id
    assert request.get("max-forwards") == "70"
    assert request.all("x-a") == ["1", "2"]
    assert request.body == b""
    carries = method in ("OPTIONS", "SUBSCRIBE", "NOTIFY", "REFER", "UPDATE")
    assert request.all("contact") == ([CONTACT] if carries else [])
    assert request.faults == ()


@in_virtual_time
async def test_a_register_is_for_its_own_address_of_record() -> None:
    request = Asked("REGISTER", ("Expires", "60")).request
    assert request.uri == "sip:b.test:5066"
    assert request.get("to") == "<sip:alice@a.test>"
    assert request.get("contact") == CONTACT
    assert request.get("expires") == "60"


@in_virtual_time
async def test_headers_of_the_author_replace_ours() -> None:
    request = Asked(
        "OPTIONS", ("Max-Forwards", "0"), ("To", "<sip:else@h>"), ("m", "*"), ("From", "<sip:x@y>;tag=t")
    ).request
    assert [request.all(name) for name in ("max-forwards", "to", "contact", "from")] == [
        ["0"], ["<sip:else@h>"], ["*"], ["<sip:x@y>;tag=t"],
    ]  # fmt: skip


@in_virtual_time
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("code", [200, 202, 302, 404, 408, 501, 600])
async def test_its_final_response_is_its_end(method: str, code: int) -> None:
    one = Asked(method)
    one.bench.answer(one.request, 100)
    assert one.overs == 0
    one.bench.answer(one.request, code)
    one.bench.answer(one.request, code)
    assert one.overs == 1
    assert one.one.over
    assert one.bench.is_quiet(), "nothing but an INVITE is acknowledged"


@in_virtual_time
async def test_it_is_sent_again_as_timer_e_says_and_given_up_with_f() -> None:
    one = Asked("OPTIONS")
    await one.bench.advance(31.9)
    again = one.bench.take_all()
    assert [s.at for s in again] == pytest.approx([0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5])
    assert {s.message.data for s in again} == {one.request.data}
    assert one.overs == 0
    await one.bench.advance(0.2)
    assert one.overs == 1
    assert one.bench.ua.layer.clients == {}


@in_virtual_time
@pytest.mark.parametrize(
    ("code", "asked", "given"),
    [(401, "WWW-Authenticate", "Authorization"), (407, "Proxy-Authenticate", "Proxy-Authorization")],
)
async def test_a_challenge_is_answered_once(code: int, asked: str, given: str) -> None:
    one = Asked("MESSAGE", ("Subject", "x"), password="pw")
    one.bench.answer(one.request, code, (asked, CHALLENGE))
    again = one.bench.take().message
    assert (again.method, again.cseq, again.call_id) == ("MESSAGE", (2, "MESSAGE"), one.request.call_id)
    assert (again.from_tag, again.to_tag, again.get("subject")) == (one.request.from_tag, "", "x")
    assert 'uri="sip:bob@b.test:5066"' in (again.get(given) or "")
    assert one.overs == 0
    one.bench.answer(again, code, (asked, CHALLENGE.replace("n1", "n2")))
    assert one.bench.is_quiet()
    assert one.overs == 1


@in_virtual_time
async def test_a_stale_nonce_is_tried_once_more() -> None:
    one = Asked("OPTIONS", password="pw")
    request, tries = one.request, 1
    while not one.overs:
        stale = f'Digest realm="b.test", nonce="n{tries}", stale=true'
        one.bench.answer(request, 401, ("WWW-Authenticate", stale))
        if not one.overs:
            request, tries = one.bench.take().message, tries + 1
    assert tries == 3


@in_virtual_time
async def test_nothing_can_be_sent() -> None:
    bench = Bench()
    bench.wire.broken = True
    overs: list[bool] = []
    SingleRequest(bench.ua, "OPTIONS", "sip:b@b.test", bench.hop, lambda: overs.append(True))
    await bench.settle()
    assert overs == [True]
    assert bench.unsent == ["the cable is cut"]


@in_virtual_time
async def test_ended_it_waits_for_nothing() -> None:
    one = Asked("OPTIONS", password="pw")
    one.one.end()
    assert one.overs == 1
    await one.bench.advance(40)
    one.bench.answer(one.request, 401, ("WWW-Authenticate", CHALLENGE))
    assert one.bench.is_quiet()


class TestNotify:
    @in_virtual_time
    @pytest.mark.parametrize("method", ["SUBSCRIBE", "REFER"])
    async def test_it_is_accepted_before_and_after_the_2xx_and_from_every_branch(self, method: str) -> None:
        one = Asked(method)
        assert one.notify() == "200"
        one.bench.answer(one.request, 200, ("Expires", "600"))
        assert one.notify(seq=2) == "200"
        assert one.notify(tag="other") == "200"
        assert one.notify("Terminated ;reason=noresource", seq=3) == "200"
        assert one.notify(seq=4) == "481"

    @in_virtual_time
    @pytest.mark.parametrize(
        ("expires", "seconds"), [("50", 50.0), ("3", 32.0), ("x", 32.0), ("9" * 9, MAX_SUBSCRIPTION)]
    )
    async def test_for_as_long_as_it_was_granted(self, expires: str, seconds: float) -> None:
        one = Asked("SUBSCRIBE")
        one.bench.answer(one.request, 202, ("Expires", expires))
        await one.bench.advance(seconds - 1)
        assert one.notify() == "200"
        await one.bench.advance(2)
        assert one.notify(seq=2) == "481"
        assert one.bench.ua.notified == {}

    @in_virtual_time
    async def test_not_after_a_refusal(self) -> None:
        one = Asked("SUBSCRIBE")
        one.bench.answer(one.request, 489)
        assert one.notify() == "481"
        assert one.bench.ua.notified == {}

    @in_virtual_time
    async def test_not_for_what_brings_none(self) -> None:
        one = Asked("MESSAGE")
        one.bench.answer(one.request, 200)
        assert one.notify() == "481"

    @in_virtual_time
    async def test_nothing_else_is_accepted_in_its_place(self) -> None:
        one = Asked("SUBSCRIBE")
        for method in ("INFO", "BYE", "INVITE", "SUBSCRIBE"):
            one.bench.ask(method, call_id=one.request.call_id, to_tag=one.request.from_tag)
            assert one.bench.take().name == "481"


@in_virtual_time
async def test_many_leave_nothing_behind() -> None:
    bench = Bench()
    for _ in range(200):
        one = Asked("SUBSCRIBE", bench=bench)
        bench.answer(one.request, 200)
    await bench.advance(33)
    assert (bench.ua.layer.clients, bench.ua.notified, bench.ua.legs) == ({}, {}, {})
