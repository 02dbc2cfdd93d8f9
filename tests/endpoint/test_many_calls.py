"""Thousands of calls on one user agent: nothing of them is left once their transactions are over."""

from __future__ import annotations

import gc
from collections import Counter

from on_loop import in_virtual_time
from outgoing import CHALLENGE, Owner, contact, reliable
from ua_bench import Bench

from sip_harness.endpoint.client import Client
from sip_harness.endpoint.dialog import Dialog
from sip_harness.endpoint.leg import Acceptance, Leg
from sip_harness.endpoint.prack import Pracks
from sip_harness.endpoint.request import Request
from sip_harness.endpoint.server import Server
from sip_harness.endpoint.session import Session
from sip_harness.endpoint.uac import OutgoingCall
from sip_harness.endpoint.within import Within
from sip_harness.net.clock import Timer
from sip_harness.sip.message import Message

CALLS = 2000
OURS = (OutgoingCall, Dialog, Leg, Client, Server, Acceptance, Pracks, Request, Session, Within, Timer, Message)


def left() -> Counter[str]:
    """How many objects of ours are alive."""
    gc.collect()
    return Counter(type(o).__name__ for o in gc.get_objects() if isinstance(o, OURS))


def grown(before: Counter[str], after: Counter[str]) -> dict[str, int]:
    """What there is more of than the last call of any kind may have left in a local variable somewhere."""
    return {name: after[name] - before[name] for name in after if after[name] - before[name] > 5}


def one_call(bench: Bench, number: int) -> None:
    """A call of one of six kinds, from its INVITE to its end."""
    owner = Owner(bench, ack="later" if number % 5 == 4 else "at once")
    invite = bench.take().message
    bench.answer(invite, 407, ("Proxy-Authenticate", CHALLENGE))
    invite = bench.take_all()[-1].message
    bench.answer(invite, 183, *reliable(1), contact("one"), tag="t1")
    bench.answer(bench.take().message, 200)
    bench.answer(invite, 180, contact("two"), tag="t2")
    if number % 6 == 0:
        bench.answer(invite, 486)
    elif number % 6 == 1:
        owner.call.cancel("script")
        bench.answer(bench.take_all()[-1].message, 200)
        bench.answer(invite, 487)
    else:
        talk(bench, owner, invite, number)
    owner.call.acknowledge("script")
    bench.take_all()
    assert owner.overs == 1, number
    bench.wire.sent.clear()
    bench._taken = 0


def talk(bench: Bench, owner: Owner, invite: Message, number: int) -> None:
    """Answered by both branches, with a re-INVITE from either side; ended by the caller, or by the device."""
    bench.answer(invite, 200, contact("one"), tag="t1")
    bench.take_all()
    bench.answer(invite, 200, contact("two"), tag="t2")
    bench.answer(bench.take_all()[-1].message, 200)
    again = owner.ask("INVITE")
    bench.answer(again, 200, contact("one"))
    bench.take_all()
    within = {"call_id": invite.call_id, "to_tag": invite.from_tag, "from_tag": "t1"}
    bench.ask("INVITE", contact("one"), seq=1, body=again.body, **within)  # type: ignore[arg-type]
    bench.take_all()
    bench.ask("ACK", seq=1, **within)  # type: ignore[arg-type]
    if number % 2:
        owner.call.hang_up("script")
        bench.answer(bench.take().message, 200)
    else:
        bench.ask("BYE", seq=2, **within)  # type: ignore[arg-type]


@in_virtual_time
async def test_nothing_is_left_of_two_thousand_calls() -> None:
    bench = Bench(password="pw")
    one_call(bench, 2)
    await bench.advance(200)
    before = left()
    for number in range(CALLS):
        one_call(bench, number)
        if number % 100 == 99:
            await bench.advance(1)
    during = left()
    assert during["Client"] > CALLS, "the test would see what is kept"
    await bench.advance(200)
    ua = bench.ua
    assert (ua.layer.clients, ua.layer.servers, ua.legs, ua.notified) == ({}, {}, {}, {})
    assert grown(before, left()) == {}


@in_virtual_time
async def test_an_unanswered_call_is_forgotten_too() -> None:
    bench = Bench()
    counts = []
    for calls in (1, 100):
        for _ in range(calls):
            Owner(bench)
        await bench.advance(40)
        bench.wire.sent.clear()
        counts.append(left())
    assert grown(*counts) == {}
