"""What becomes of transactions when a connection is refused or breaks (RFC 3261 8.1.3.1, 18.2.2, 18.4)."""

from __future__ import annotations

import pytest
from on_loop import in_virtual_time
from ua_bench import PEER, Bench

from sip_harness.endpoint.client import Client
from sip_harness.endpoint.transactions import Why
from sip_harness.net.base import Hop
from sip_harness.sip.message import Message, parse

CONNECTED = ("192.0.2.9", 40_000)
"""The far end of a connection that the peer made."""


def ask(bench: Bench) -> tuple[Client, list[Why], list[Message]]:
    request = parse(
        b"OPTIONS sip:b@b.test SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1:5070;branch=z9hG4bKx\r\n"
        b"From: <sip:a@a.test>;tag=1\r\nTo: <sip:b@b.test>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    failures: list[Why] = []
    answers: list[Message] = []
    client = bench.ua.layer.request(request, bench.hop, "script", answers.append)
    client.on_failure = failures.append
    return client, failures, answers


def lose(bench: Bench, why: str = "connection refused") -> None:
    assert bench.wire.on_lost is not None
    bench.wire.on_lost(why)


@in_virtual_time
async def test_a_request_that_is_lost_fails_at_once() -> None:
    bench = Bench(reliable=True)
    _, failures, answers = ask(bench)
    lose(bench)
    await bench.settle()
    assert (failures, answers, bench.unsent) == (["transport"], [], ["connection refused"])
    assert bench.ua.layer.clients == {}
    await bench.advance(100.0)
    assert failures == ["transport"]


@in_virtual_time
async def test_what_is_lost_after_the_end_matters_no_more() -> None:
    bench = Bench(reliable=True)
    client, failures, answers = ask(bench)
    bench.answer(client.request, 200)
    lose(bench)
    await bench.settle()
    assert ([a.code for a in answers], failures) == ([200], [])


@in_virtual_time
async def test_a_closed_layer_hears_of_nothing() -> None:
    bench = Bench(reliable=True)
    ask(bench)
    bench.ua.layer.close()
    lose(bench)
    assert bench.unsent == []


@in_virtual_time
async def test_a_response_goes_to_the_connection_of_its_request() -> None:
    bench = Bench(reliable=True)
    bench.ask("OPTIONS", source=CONNECTED)
    assert bench.take().remote == CONNECTED


@pytest.mark.parametrize(
    ("via", "port"),
    [("192.0.2.9:5099", 5099), ("192.0.2.9", 5060), ("198.51.100.1:5099", 5099), ("192.0.2.9:5099;rport", 5099)],
)
@in_virtual_time
async def test_once_that_is_gone_it_goes_to_the_address_in_the_via(via: str, port: int) -> None:
    """Always at the host that it came from: nobody may aim us at a third party."""
    bench = Bench(reliable=True)
    bench.wire.gone.add(CONNECTED)
    bench.ask("OPTIONS", source=CONNECTED, via=f"SIP/2.0/TCP {via};branch=z9hG4bK1")
    assert bench.take().remote == ("192.0.2.9", port)


@in_virtual_time
async def test_a_response_that_is_lost_is_sent_once_more() -> None:
    bench = Bench(reliable=True)
    bench.ask("OPTIONS", source=CONNECTED)
    first = bench.take()
    bench.wire.gone.add(CONNECTED)
    lose(bench, "reset by peer")
    again = bench.take()
    assert again.remote == PEER
    assert again.message.data == first.message.data
    assert bench.unsent == []
    lose(bench)
    await bench.settle()
    assert bench.unsent == ["connection refused"]
    assert bench.is_quiet()


@in_virtual_time
async def test_the_transport_is_told_how_to_send() -> None:
    bench = Bench(reliable=True)
    assert bench.ua.layer.send(ask(bench)[0].request.data, Hop(bench.wire, CONNECTED), "script")
    lose(bench, "no route")
    assert bench.unsent == ["no route"]
