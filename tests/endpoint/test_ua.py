"""What every user agent must do, whatever it is asked."""

from __future__ import annotations

import pytest
from on_loop import in_virtual_time
from ua_bench import Bench

from sip_harness.endpoint import layer
from sip_harness.endpoint.ua import wrong_with
from sip_harness.sip.message import build, parse

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS"


@in_virtual_time
async def test_options() -> None:
    bench = Bench()
    bench.ask("OPTIONS")
    ok = bench.take()
    assert (ok.name, ok.origin) == ("200", "protocol")
    assert ok.message.get("allow") == ALLOW
    assert ok.message.get("accept") == "application/sdp"
    assert ok.message.to_tag


@in_virtual_time
@pytest.mark.parametrize("method", ["REGISTER", "SUBSCRIBE", "NOTIFY", "MESSAGE", "UPDATE", "PRACK", "FROBNICATE"])
async def test_other_methods(method: str) -> None:
    bench = Bench()
    bench.ask(method)
    refused = bench.take()
    assert (refused.name, refused.message.get("allow")) == ("405", ALLOW)


@in_virtual_time
async def test_the_same_request_again_gets_the_same_response() -> None:
    bench = Bench()
    bench.ask("OPTIONS", branch="z9hG4bKsame")
    bench.ask("OPTIONS", branch="z9hG4bKsame")
    first, again = bench.take_all()
    assert first.message.data == again.message.data


@in_virtual_time
async def test_an_invite_for_one_who_takes_none() -> None:
    bench = Bench()
    bench.ask("INVITE")
    assert bench.take().name == "480"


@in_virtual_time
async def test_a_bye_for_no_dialog() -> None:
    bench = Bench()
    bench.ask("BYE")
    assert bench.take().name == "481"


@in_virtual_time
@pytest.mark.parametrize(
    ("drop", "why"),
    [("Call-ID", "no Call-ID"), ("From", "no From"), ("To", "no To"), ("CSeq", "no CSeq")],
)
async def test_what_lacks_a_header_is_refused(drop: str, why: str) -> None:
    bench = Bench()
    headers = [("Via", "SIP/2.0/UDP h;branch=z9hG4bKx"), ("Call-ID", "c"), ("From", "<sip:a@a>;tag=1")]
    headers += [("To", "<sip:b@b>"), ("CSeq", "1 OPTIONS")]
    bench.feed(build("OPTIONS sip:x SIP/2.0", [h for h in headers if h[0] != drop]))
    assert bench.take().message.start == f"SIP/2.0 400 Bad Request: {why}"


@pytest.mark.parametrize(
    ("cseq", "why"),
    [("1 OPTIONS", ""), ("x OPTIONS", "CSeq cannot be read"), ("1 INVITE", "CSeq names another method")],
)
def test_wrong_cseq(cseq: str, why: str) -> None:
    headers = [("Call-ID", "c"), ("From", "a"), ("To", "b"), ("CSeq", cseq)]
    assert wrong_with(parse(build("OPTIONS sip:x SIP/2.0", headers))) == why


@in_virtual_time
@pytest.mark.parametrize("via", [[], [("Via", "nonsense")]])
async def test_what_cannot_be_answered_is_left_alone(via: list[tuple[str, str]]) -> None:
    bench = Bench()
    bench.feed(build("OPTIONS sip:x SIP/2.0", [*via, ("CSeq", "1 OPTIONS")]))
    assert bench.is_quiet()
    assert not bench.ua.layer.servers


@in_virtual_time
async def test_transactions_without_end_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer, "MAX_SERVERS", 5)
    bench = Bench()
    for _ in range(9):
        bench.ask("OPTIONS")
    assert bench.names == ["200"] * 5
    await bench.advance(33)
    bench.ask("OPTIONS")
    assert bench.names == ["200"] * 6


@in_virtual_time
async def test_a_reliable_transport_answers_on_its_connection() -> None:
    bench = Bench(reliable=True)
    bench.ask("OPTIONS", via="SIP/2.0/TCP far:5061;branch=z9hG4bKt", source=("192.0.2.77", 33333))
    assert bench.take().remote == ("192.0.2.77", 33333)
    await bench.settle()
    assert not bench.ua.layer.servers


@in_virtual_time
async def test_closing_from_within_a_callback_stops_everything_too() -> None:
    bench = Bench()
    request = parse(build("OPTIONS sip:x SIP/2.0", [("Via", "SIP/2.0/UDP h;branch=z9hG4bKc"), ("CSeq", "1 OPTIONS")]))
    bench.ua.layer.request(request, bench.hop, "script", lambda _response: bench.ua.close())
    bench.answer(bench.take().message, 100)
    await bench.advance(100)
    assert bench.is_quiet()


@in_virtual_time
async def test_closing_stops_everything() -> None:
    bench = Bench()
    bench.ask("OPTIONS")
    bench.take()
    bench.ua.close()
    assert bench.wire.closed
    assert not bench.ua.layer.servers
    await bench.advance(100)
    assert bench.is_quiet()
